//! The journal as its writers see it.

use std::path::Path;

use crate::chain::{Hash, leaf_hash};
use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::{AppendError, Corruption, OpenError, Recovered};
use crate::first;
use crate::frame::{Frame, MAX_PAYLOAD, Mark, SpanId, padded};
use crate::header::{Header, header_len};
use crate::lock::{self, Held, Lock};
use crate::segment::{self, SEGMENT_BYTES};
use crate::shared::Pending;
use crate::spare::{self, CLOSING_RESERVE};
use crate::state::{Draft, State};
use crate::tip::{Tail, Tip, TipError};

/// The most bytes that the records of one group may take on the disk (each its payload and 72 to 79 bytes more).
pub const MAX_GROUP: usize = SEGMENT_BYTES / 2;

/// From this many bytes on, a segment is so full that the next one should be made ready.
const NEARLY_FULL: usize = SEGMENT_BYTES / 4 * 3;

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it does to its span.
    pub mark: Mark,
    /// The span it belongs to, or [`SpanId::NONE`].
    pub span: SpanId,
    /// What it says: at most [`MAX_PAYLOAD`] bytes.
    pub payload: &'a [u8],
}

/// Proof that a record is durable. There is no other way to get one than to append it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    index: u64,
    leaf_hash: Hash,
}

impl Receipt {
    /// The number of the record; they count from 0 without a hole.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// [`leaf_hash`](crate::leaf_hash) of its payload.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        self.leaf_hash
    }
}

/// A span that was opened and is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSpan {
    /// Its name.
    pub span: SpanId,
    /// The record that opened it.
    pub opened_at: u64,
}

/// A journal that is open for appending, by this and any number of other processes.
#[derive(Debug)]
pub struct Journal {
    directory: Directory,
    lock: Lock,
    tip: Tip,
    recovered: Vec<Recovered>,
    /// The tip was read without the lock: it may show a record whose writer failed and took it back.
    unconfirmed: bool,
    poisoned: bool,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the journal in a directory, and begins one if there is none.
    ///
    /// # Errors
    ///
    /// When the directory or a file in it is not ours alone to write to, when the disk refuses, and when the last
    /// segment is damaged in a way that no crash explains.
    pub fn open(directory: &Path) -> Result<Journal, OpenError> {
        let directory = Directory::private(directory)?;
        let lock = Lock::open(&directory, lock::NAME)?;
        // The usual case waits for nobody. What was read so is confirmed once the lock is held.
        // Segments that are taken away meanwhile may look like a gap.
        if let Ok(Some(last)) = last_segment(&directory)
            && let Ok((tip, Tail::Clean)) = Tip::load(&directory, last)
        {
            return Ok(Journal { unconfirmed: true, ..Journal::at(directory, lock, tip) });
        }
        // Else we have met another process in the middle of its write, or something to create or repair.
        let held = lock.hold()?;
        let (tip, tail) = match last_segment(&directory)? {
            Some(last) => Tip::load(&directory, last)?,
            None => (begin(&directory)?, Tail::Clean),
        };
        let mut journal = Journal::at(directory, lock, tip);
        journal.clear(tail)?;
        drop(held);
        Ok(journal)
    }

    fn at(directory: Directory, lock: Lock, tip: Tip) -> Journal {
        Journal {
            directory,
            lock,
            tip,
            recovered: vec![],
            unconfirmed: false,
            poisoned: false,
            buffer: vec![],
        }
    }

    /// Appends one record.
    ///
    /// # Errors
    ///
    /// See [`AppendError`].
    pub fn append(&mut self, entry: Entry<'_>) -> Result<Receipt, AppendError> {
        self.append_with(entry.mark, entry.span, |_| entry.payload)
    }

    /// Appends one record whose payload may contain its own index.
    ///
    /// # Errors
    ///
    /// See [`AppendError`].
    pub fn append_with<P: AsRef<[u8]>>(
        &mut self,
        mark: Mark,
        span: SpanId,
        payload: impl FnOnce(u64) -> P,
    ) -> Result<Receipt, AppendError> {
        let held = self.hold()?;
        let payload = payload(self.tip.state.next_index);
        let receipts = self.commit(&[Entry { mark, span, payload: payload.as_ref() }], &held)?;
        receipts.first().copied().ok_or(AppendError::Poisoned)
    }

    /// Appends several records with one wait for the disk. After a crash before the receipts, the journal may hold
    /// the first few of them.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]. No entry is written when one of them breaks a rule.
    pub fn append_all(&mut self, entries: &[Entry<'_>]) -> Result<Vec<Receipt>, AppendError> {
        let held = self.hold()?;
        self.commit(entries, &held)
    }

    /// Appends the first of these records, as many as go into one group, with one wait for the disk; each that breaks
    /// a rule is left out and has its error.
    pub(crate) fn append_group(
        &mut self,
        pending: &[Pending],
    ) -> Result<Vec<Result<Receipt, AppendError>>, AppendError> {
        let held = self.hold()?;
        let mut draft = Draft::of(&self.tip.state);
        let (mut index, mut bytes) = (self.tip.state.next_index, 0);
        let (mut payloads, mut verdicts) = (Vec::new(), Vec::new());
        for Pending { mark, span, payload } in pending {
            let payload = payload(index);
            if payload.len() > MAX_PAYLOAD {
                verdicts.push(Err(AppendError::TooLarge(payload.len())));
                continue;
            }
            bytes += padded(payload.len());
            if bytes > MAX_GROUP {
                break;
            }
            verdicts.push(draft.take(*mark, *span).map_err(|fault| AppendError::Mark { span: *span, fault }));
            if verdicts.last().is_some_and(Result::is_ok) {
                payloads.push((*mark, *span, payload));
                index += 1;
            }
        }
        let entries: Vec<_> = payloads
            .iter()
            .map(|(mark, span, payload)| Entry { mark: *mark, span: *span, payload })
            .collect();
        let mut receipts =
            if entries.is_empty() { vec![] } else { self.commit(&entries, &held)? }.into_iter();
        let result = |verdict: Result<(), AppendError>| {
            verdict.and_then(|()| receipts.next().ok_or(AppendError::Poisoned))
        };
        Ok(verdicts.into_iter().map(result).collect())
    }

    /// The spans that are open now, in the order in which they were opened.
    ///
    /// # Errors
    ///
    /// When what other processes have appended cannot be read.
    pub fn open_spans(&mut self) -> Result<Vec<OpenSpan>, AppendError> {
        let _held = self.hold()?;
        let open = self.tip.state.open_by_index();
        Ok(open.into_iter().map(|(span, opened_at)| OpenSpan { span, opened_at }).collect())
    }

    /// The index that the next record would get, as far as this process has read.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.tip.state.next_index
    }

    /// How many records there are, all of them durable when this returns: also those whose writer died before it had
    /// seen that.
    ///
    /// # Errors
    ///
    /// When what other processes have appended cannot be read, or the disk refuses.
    pub fn durable(&mut self) -> Result<u64, AppendError> {
        let _held = self.hold()?;
        if self.tip.state.settled < self.tip.state.next_index {
            self.or_poison(|journal| disk::sync(&journal.tip.file, &journal.tip.path))?;
            self.tip.state.settled = self.tip.state.next_index;
        }
        Ok(self.tip.state.next_index)
    }

    /// Unfinished writes that were removed since this was last asked. They should be recorded.
    pub fn take_recovered(&mut self) -> Vec<Recovered> {
        std::mem::take(&mut self.recovered)
    }

    /// Makes the next segment ready if this one is three quarters full. It takes milliseconds, so this is for a
    /// moment when nobody waits; it holds up no other process. Without it, the append that needs the segment makes it.
    ///
    /// # Errors
    ///
    /// When the disk refuses. The journal stays usable.
    pub fn prepare_next(&self) -> Result<(), DiskError> {
        if self.tip.at < NEARLY_FULL { Ok(()) } else { spare::ensure(&self.directory, 1) }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The number of the segment that was written to last.
    pub(crate) fn segment(&self) -> u64 {
        self.tip.number
    }

    /// Takes the lock and takes in what others have written.
    fn hold(&mut self) -> Result<Held, AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        let held = self.lock.hold().map_err(AppendError::Disk)?;
        match self.catch_up() {
            Ok(()) => Ok(held),
            Err(error) => {
                self.poisoned = true;
                Err(error.while_appending(&self.directory))
            }
        }
    }

    fn catch_up(&mut self) -> Result<(), TipError> {
        if !self.tip.stands()? {
            if !self.unconfirmed {
                return Err(self.tip.damaged("the record before it was durable and is gone").into());
            }
            let (tip, tail) = Tip::load(&self.directory, self.tip.number)?;
            self.tip = tip;
            self.clear(tail)?;
        }
        self.unconfirmed = false;
        // Others may have gone on, and taken away the segment that we have open, with all that followed it up to some other.
        if !self.directory.has(&segment::name(self.tip.number))?
            && let Some(last) = self.directory.segments()?.last().copied()
        {
            self.go_on_to(last)?;
        }
        // Others may have gone on to later segments. Their headers say all that is to know of the ones before.
        while self.directory.has(&segment::name(self.tip.number + 1))? {
            self.go_on_to(self.tip.number + 1)?;
        }
        let tail = self.tip.catch_up()?;
        Ok(self.clear(tail)?)
    }

    fn go_on_to(&mut self, number: u64) -> Result<(), TipError> {
        let (next, tail) = Tip::load(&self.directory, number)?;
        if next.journal != self.tip.journal || next.state.next_index < self.tip.state.next_index {
            let (file, index) = (next.path, self.tip.state.next_index);
            let what = "the segment does not continue this journal";
            return Err(Corruption { file, offset: 0, index, what }.into());
        }
        self.tip = next;
        Ok(self.clear(tail)?)
    }

    /// The lock must be held: only then is a torn tail the work of a process that is dead.
    fn clear(&mut self, tail: Tail) -> Result<(), DiskError> {
        if let Tail::Torn { end, missing } = tail {
            self.recovered.push(self.tip.repair(end, missing)?);
        }
        Ok(())
    }

    /// Everything between a record and its receipt, under the lock and caught up.
    fn commit(&mut self, entries: &[Entry<'_>], _held: &Held) -> Result<Vec<Receipt>, AppendError> {
        // Is it allowed? Nothing has been touched if not.
        let (bytes, open) = self.judge(entries)?;

        // Is there room, also for what open spans are owed? Nothing that counts has been written if not.
        self.make_room(entries, bytes, open)?;

        // Whoever writes the first record of a segment makes the segment's name durable before: the one who gave it
        // that name may have died right after.
        if self.tip.is_fresh() {
            self.or_poison(|journal| journal.directory.sync(journal.tip.number == 0))?;
        }

        let (frames, receipts) = self.build(entries);
        self.buffer.clear();
        frames.iter().for_each(|frame| frame.encode(self.tip.seed, &mut self.buffer));

        // A crash within the write leaves a torn tail, which the next start clears. The blocks around it are written
        // with what they held before, so a finished record beside it stays as it is.
        // A crash before the sync has returned leaves the records whole, torn or not there: no receipt was given.
        let written = disk::write(&self.tip.file, &self.buffer, self.tip.at, &self.tip.path)
            .and_then(|()| disk::sync(&self.tip.file, &self.tip.path));
        if let Err(error) = written {
            self.poisoned = true;
            // Best effort: the disk has failed once. What the next start finds decides.
            let _ = self.tip.withdraw(self.tip.at + self.buffer.len());
            return Err(AppendError::Disk(error));
        }

        // A crash from here on leaves records whose receipts nobody has seen.
        for frame in &frames {
            self.tip.take(frame, self.tip.at + padded(frame.payload.len()));
        }
        self.tip.state.settled = self.tip.state.next_index;
        Ok(receipts)
    }

    /// The bytes that the entries take, and how many spans are open after them.
    fn judge(&self, entries: &[Entry<'_>]) -> Result<(usize, usize), AppendError> {
        let mut draft = Draft::of(&self.tip.state);
        let mut bytes = 0;
        for entry in entries {
            if entry.payload.len() > MAX_PAYLOAD {
                return Err(AppendError::TooLarge(entry.payload.len()));
            }
            bytes += padded(entry.payload.len());
            let span = entry.span;
            draft.take(entry.mark, span).map_err(|fault| AppendError::Mark { span, fault })?;
        }
        if bytes > MAX_GROUP { Err(AppendError::GroupTooLarge(bytes)) } else { Ok((bytes, draft.open())) }
    }

    /// Sees to it that so many bytes fit in the current segment, and that for every span then open there is still
    /// room for a closing record of [`CLOSING_RESERVE`] bytes: here, or in a segment that is made already.
    ///
    /// A closing record of that size takes the room of one closing and ends the need for one, so once a span was
    /// allowed to open, no full disk can keep it from being closed.
    fn make_room(&mut self, entries: &[Entry<'_>], bytes: usize, open: usize) -> Result<(), AppendError> {
        let fits = bytes <= SEGMENT_BYTES - self.tip.at;
        let taken = if fits { self.tip.at } else { header_len(self.tip.state.open.len()) };
        let owed = open.saturating_sub(spare::closings(SEGMENT_BYTES - taken - bytes));
        let wanted = usize::from(!fits) + owed.div_ceil(spare::closings_per_spare());
        if wanted > 0
            && let Err(error) = spare::ensure(&self.directory, wanted)
        {
            let owed_to_us = entries
                .iter()
                .all(|entry| entry.mark == Mark::Close && entry.payload.len() <= CLOSING_RESERVE);
            let enough = fits || spare::count(&self.directory, 1).map_err(AppendError::NoRoom)? > 0;
            if !(owed_to_us && enough) {
                return Err(AppendError::NoRoom(error));
            }
        }
        if fits { Ok(()) } else { self.or_poison(Journal::rotate) }
    }

    fn rotate(&mut self) -> Result<(), DiskError> {
        // Another process may have died between its write and its sync. Records in the new segment must not become
        // durable before those.
        if self.tip.state.settled < self.tip.state.next_index {
            disk::sync(&self.tip.file, &self.tip.path)?;
        }
        let header = Header::of(self.tip.journal, self.tip.number + 1, &self.tip.state);
        self.tip = place(&self.directory, &header)?;
        Ok(())
    }

    fn build<'e>(&self, entries: &[Entry<'e>]) -> (Vec<Frame<'e>>, Vec<Receipt>) {
        let State { next_index, chain, settled, .. } = self.tip.state;
        let mut before = chain;
        (0..)
            .zip(entries)
            .map(|(nth, &Entry { mark, span, payload })| {
                let index = next_index.saturating_add(nth);
                let unsettled = u32::try_from(index.saturating_sub(settled)).unwrap_or(u32::MAX);
                let leaf_hash = leaf_hash(payload);
                let mut frame = Frame { index, mark, unsettled, span, chain: before, payload };
                frame.chain = frame.chain_after(&before, &leaf_hash);
                before = frame.chain;
                (frame, Receipt { index, leaf_hash })
            })
            .unzip()
    }

    fn or_poison<T>(
        &mut self,
        step: impl FnOnce(&mut Journal) -> Result<T, DiskError>,
    ) -> Result<T, AppendError> {
        step(self).map_err(|error| {
            self.poisoned = true;
            AppendError::Disk(error)
        })
    }
}

/// The number of the last segment, when they follow each other without a gap.
fn last_segment(directory: &Directory) -> Result<Option<u64>, OpenError> {
    let mut numbers = directory.segments()?;
    // Those before were archived and taken away, or are about to be.
    let from = first::read(directory)?.unwrap_or(0);
    numbers.retain(|number| *number >= from);
    match (from..).zip(&numbers).find(|(expected, number)| expected != *number) {
        Some((missing, _)) => {
            let (file, what) = (directory.path_of(&segment::name(missing)), "the segment is missing");
            Err(Corruption { file, offset: 0, index: 0, what }.into())
        }
        None => Ok(numbers.last().copied()),
    }
}

/// Begins a journal. The lock must be held.
fn begin(directory: &Directory) -> Result<Tip, DiskError> {
    let mut journal = [0; 16];
    rustix::rand::getrandom(&mut journal, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| DiskError::new("draw a random name for", &directory.path_of(""), error))?;
    place(directory, &Header::of(journal, 0, &State::empty(&journal)))
}

/// Puts a new segment in its place. The lock must be held.
fn place(directory: &Directory, header: &Header) -> Result<Tip, DiskError> {
    let (file, spare) = spare::take(directory)?;
    let name = segment::name(header.segment);
    let path = directory.path_of(&name);
    // A crash up to the rename leaves a spare that is not blank, which the next one to need it throws away. The
    // header is durable before the segment has its name, so under that name there is never half a segment.
    disk::write(&file, &header.encode(), 0, &path)?;
    disk::sync(&file, &path)?;
    // A crash after the rename leaves an empty segment, or none if the directory was not written yet: before a
    // record enters it, its writer syncs the directory.
    disk::rename(directory, &spare, &name, &path)?;
    Ok(Tip::fresh(header, file, path))
}

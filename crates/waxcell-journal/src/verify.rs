//! The verdict on a whole journal: one pass, one segment in memory at a time, no trust in any byte.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Read;
use std::path::Path;

use crate::chain::leaf_hash;
use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::ReadError;
use crate::frame::{self, Frame, Mark, SpanId};
use crate::header::{Header, HeaderFault};
use crate::journal::OpenSpan;
use crate::lock::Lock;
use crate::log::{Log, Pruned};
use crate::publish::{HEAD, Head, PUBLIC, Signed, signed_head};
use crate::report::{Fault, FaultKind, Report};
use crate::segment::{self, Frames, SEGMENT_BYTES, Step, used};
use crate::state::{MarkFault, State};
use crate::tip::{header_fault, proves};
use crate::tlog::Frontier;

/// So many faults are listed; further ones are counted.
const MOST_FAULTS: usize = 100;

/// So many closed spans are remembered in one pass; with more, there are more passes.
const SPANS_PER_PASS: usize = if cfg!(test) { 8 } else { 1 << 20 };

/// Checks every byte of a journal, and changes nothing. A copy is as good as the original.
///
/// # Errors
///
/// When it could not check: there is no journal there, or reading failed. Damage is no error but a [`Fault`].
pub fn verify(path: &Path) -> Result<Report, ReadError> {
    const ATTEMPTS: usize = 5;
    let directory = Directory::to_read(path)?;
    let (mut report, mut first) = look(path, &directory)?;
    for _ in 1..ATTEMPTS {
        // What was taken away while we looked seems to be missing.
        let now = directory.segments()?.first().copied();
        let other_tree = report.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Tree(_)));
        if report.is_sound() || (now == first && !other_tree) {
            break;
        }
        (report, first) = look(path, &directory)?;
    }
    Ok(report)
}

/// One look, and the number of the first segment as it began.
fn look(path: &Path, directory: &Directory) -> Result<(Report, Option<u64>), ReadError> {
    // The last segment is read while nobody writes, the others afterwards: they do not change any more.
    let held = Lock::hold_to_read(directory)?;
    // First what was signed, then what there is: records that others append meanwhile cannot be missing.
    let head = signed_head(directory)?;
    let numbers = directory.segments()?;
    let last = numbers.last().map(|&number| read(directory, number)).transpose()?;
    drop(held);
    // A crash while a journal is begun leaves a folder in which nothing was recorded, signed or shown yet.
    if numbers.is_empty() && head == Signed::Whole(None) && !directory.has(PUBLIC)? {
        return Err(ReadError::NotAJournal(path.to_owned()));
    }

    let (head, fault) = match head {
        Signed::Whole(head) => (head, None),
        Signed::Torn(head) => (head, Some(FaultKind::TornHead)),
        Signed::Damaged => (None, Some(FaultKind::Head)),
    };
    let mut pass = Pass::new(head, Log::at(&path.join(PUBLIC)));
    let (mut number, mut listed) = (0, numbers.iter().peekable());
    while let Some(&&next) = listed.peek() {
        if next != number {
            pass.gap_at(number);
            number = next;
        }
        listed.next();
        match (&last, listed.peek()) {
            (Some(content), None) => pass.segment(number, content, true),
            _ => pass.segment(number, &read(directory, number)?, false),
        }
        if pass.unknown {
            return Err(ReadError::Version(path.join(segment::name(number))));
        }
        number = number.saturating_add(1);
    }
    if numbers.is_empty() {
        pass.fault(&segment::name(0), 0, FaultKind::Missing);
    }
    pass.reopened(directory, &numbers)?;
    if let Some(fault) = fault {
        pass.fault(HEAD, 0, fault);
    }
    Ok((pass.report(), numbers.first().copied()))
}

/// What a segment file holds: up to one segment, and how long it is in truth.
enum Content {
    Bytes(Vec<u8>, u64),
    Missing,
    NotAFile,
}

fn read(directory: &Directory, number: u64) -> Result<Content, ReadError> {
    let name = segment::name(number);
    let failed = |error| DiskError::new("read", &directory.path_of(&name), error);
    let Some(file) = directory.open_to_read(&name)? else {
        return Ok(if directory.has(&name)? { Content::NotAFile } else { Content::Missing });
    };
    let length = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::with_capacity(SEGMENT_BYTES);
    file.take(SEGMENT_BYTES as u64).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Content::Bytes(bytes, length))
}

/// Segments that are not there. Whether they may be away, records further on say.
struct Gap {
    /// The first of them.
    segment: u64,
    /// The record that should come next, and how many faults were found before it.
    index: u64,
    faults: usize,
    /// The first record behind the gap, if that could be read.
    next: Option<u64>,
}

struct Pass {
    report: Report,
    log: Log,
    gaps: Vec<Gap>,
    /// All records before this one may be away, as a record that was signed says.
    pruned: u64,
    /// The head that was signed last, until as many records were read.
    signed: Option<Head>,
    tree: Frontier,
    journal: Option<[u8; 16]>,
    state: State,
    /// The records before are unknown: the next header or frame is taken at its word.
    resync: bool,
    /// Records of this segment could not be read, so a span may have been opened unseen.
    gap: bool,
    /// All spans closed so far, unless they are too many for one pass.
    closed: HashSet<SpanId>,
    closings: usize,
    /// From this record on, they are too many.
    forgotten_at: Option<u64>,
    /// Whether another version wrote a segment, so that nothing can be said about it.
    unknown: bool,
}

impl Pass {
    fn new(signed: Option<Head>, log: Log) -> Pass {
        let report = Report {
            segments: 0,
            records: 0,
            first: 0,
            next: 0,
            signed: signed.as_ref().map_or(0, Head::size),
            head: [0; 32],
            open: vec![],
            faults: vec![],
            more_faults: 0,
        };
        Pass {
            report,
            log,
            gaps: vec![],
            pruned: 0,
            signed,
            tree: Frontier::new(),
            journal: None,
            state: State::empty(&[0; 16]),
            resync: false,
            gap: false,
            closed: HashSet::new(),
            closings: 0,
            forgotten_at: None,
            unknown: false,
        }
    }

    fn fault(&mut self, file: &str, offset: usize, kind: FaultKind) {
        self.fault_at(file, offset, self.state.next_index, kind);
    }

    fn fault_at(&mut self, file: &str, offset: usize, index: u64, kind: FaultKind) {
        if self.report.faults.len() < MOST_FAULTS {
            self.report.faults.push(Fault { file: file.to_owned(), offset: offset as u64, index, kind });
        } else {
            self.report.more_faults += 1;
        }
    }

    /// Segments are missing from this one on: archived and taken away, or lost.
    fn gap_at(&mut self, segment: u64) {
        self.resync = true;
        if self.gaps.len() < MOST_FAULTS {
            let (index, faults) = (self.state.next_index, self.report.faults.len());
            self.gaps.push(Gap { segment, index, faults, next: None });
        } else {
            self.fault(&segment::name(segment), 0, FaultKind::Missing);
        }
    }

    /// Behind a gap: goes on from the tree that the records led to which are not there.
    fn behind_gap(&mut self, name: &str, first: u64) {
        let Some(gap) = self.gaps.last_mut().filter(|gap| gap.next.is_none()) else { return };
        gap.next = Some(first);
        if self.signed.is_some() {
            // Of the tree of today: parts of tiles of before may be gone.
            let today = self.log.unchecked_size();
            let tree = today.and_then(|size| self.log.frontier_of(first, size.unwrap_or(0)));
            match tree {
                Ok(tree) => self.tree = tree,
                Err(error) => self.fault(name, 0, FaultKind::Tree(error.to_string())),
            }
        }
    }

    /// Names the gaps that no record allows; says where the records begin.
    fn gaps(&mut self) {
        for gap in std::mem::take(&mut self.gaps).into_iter().rev() {
            if let Some(next) = gap.next.filter(|next| *next <= self.pruned) {
                self.report.first = self.report.first.max(next);
                continue;
            }
            let (file, kind) = (segment::name(gap.segment), FaultKind::Missing);
            self.report.faults.insert(gap.faults, Fault { file, offset: 0, index: gap.index, kind });
        }
    }

    fn segment(&mut self, number: u64, content: &Content, last: bool) {
        let name = segment::name(number);
        self.report.segments += 1;
        let (bytes, length) = match content {
            Content::Bytes(bytes, length) => (bytes, *length),
            Content::Missing => return self.unreadable(&name, FaultKind::Missing),
            Content::NotAFile => return self.unreadable(&name, FaultKind::NotAFile),
        };
        if length != SEGMENT_BYTES as u64 {
            self.fault(&name, bytes.len(), FaultKind::Length(length));
        }
        let header = match Header::decode(bytes) {
            Ok(header) => header,
            Err(fault) => {
                self.unknown |= matches!(fault, HeaderFault::Version(_));
                return self.unreadable(&name, FaultKind::Header(header_fault(fault)));
            }
        };
        self.behind_gap(&name, header.first_index);
        self.header(&name, number, &header);
        self.frames(&name, frame::seed(&header.journal), bytes, header.len(), last);
    }

    fn unreadable(&mut self, name: &str, kind: FaultKind) {
        self.fault(name, 0, kind);
        self.resync = true;
    }

    fn header(&mut self, name: &str, number: u64, header: &Header) {
        if number == 0 {
            self.state = State::empty(&header.journal);
        }
        let expected = Header::of(self.journal.unwrap_or(header.journal), number, &self.state);
        let wrong = if header.segment != number {
            Some("the number of the segment")
        } else if header.journal != expected.journal {
            Some("the name of the journal")
        } else if self.resync || *header == expected {
            None
        } else if header.first_index != expected.first_index {
            Some("the first record")
        } else if header.chain != expected.chain {
            Some("the chain")
        } else {
            Some("the open spans")
        };
        if let Some(wrong) = wrong {
            self.fault(name, 0, FaultKind::Continuation(wrong));
        }
        self.journal.get_or_insert(header.journal);
        (self.resync, self.gap) = (false, false);
        // What is said here is what the writers of this segment went on from.
        self.state = State::at(header);
    }

    fn frames(&mut self, name: &str, seed: u32, bytes: &[u8], start: usize, last: bool) {
        let mut frames = Frames::new(seed, &bytes[start..]);
        loop {
            let at = start + frames.at();
            let step = frames.step();
            match step {
                Step::Frame(frame) => self.frame(name, at, &frame),
                Step::End | Step::Bad => {
                    let rest = used(frames.rest());
                    if rest == 0 {
                        return;
                    }
                    let missing = self.state.next_index;
                    let ended = step == Step::End;
                    match frames.skip_to(|frame| frame.index > missing) {
                        // In the last segment, later frames of the unfinished write may have come to the disk.
                        Some(frame) if last && !proves(&frame, missing) && !any_proves(&frames, missing) => {
                            self.fault(name, at, FaultKind::TornTail { bytes: rest as u64 });
                            return;
                        }
                        Some(Frame { index, .. }) => {
                            self.fault(name, at, FaultKind::Unreadable { next: Some(index) });
                            self.state.next_index = index;
                            (self.resync, self.gap) = (true, true);
                        }
                        None => {
                            let bytes = rest as u64;
                            let kind = match (last, ended) {
                                (true, _) => FaultKind::TornTail { bytes },
                                (false, true) => FaultKind::Trailing { bytes },
                                (false, false) => FaultKind::Unreadable { next: None },
                            };
                            self.fault(name, at, kind);
                            self.resync |= !last && !ended;
                            return;
                        }
                    }
                }
            }
        }
    }

    fn frame(&mut self, name: &str, at: usize, frame: &Frame<'_>) {
        self.report.records += 1;
        let leaf = leaf_hash(frame.payload);
        self.tree.append(leaf);
        if let Some(head) = self.signed.take_if(|head| head.size() == self.tree.size())
            && head.root() != self.tree.root()
            && self.report.is_sound()
        {
            self.fault(HEAD, 0, FaultKind::Rewritten { signed: head.size() });
        }
        if !self.gaps.is_empty()
            && frame.index < self.report.signed
            && let Some(Pruned { before }) = Pruned::of(frame.payload).filter(|it| it.before <= frame.index)
        {
            self.pruned = self.pruned.max(before);
        }
        let resync = std::mem::take(&mut self.resync);
        if frame.index != self.state.next_index {
            self.fault(name, at, FaultKind::Index { found: frame.index });
        }
        if !resync && frame.chain_after(&self.state.chain, &leaf) != frame.chain {
            self.fault_at(name, at, frame.index, FaultKind::Chain);
        }
        let verdict = if frame.mark == Mark::Open && self.closed.contains(&frame.span) {
            Err(MarkFault::AlreadyClosed)
        } else {
            self.state.admits(frame.mark, frame.span)
        };
        match verdict {
            Ok(()) => self.state.take(frame),
            Err(fault) => {
                if !(self.gap && fault == MarkFault::NeverOpened) {
                    self.fault_at(name, at, frame.index, FaultKind::Mark { span: frame.span, fault });
                }
                self.state.take(&Frame { mark: Mark::None, ..*frame });
            }
        }
        if frame.mark == Mark::Close {
            self.closings += 1;
            if self.closings <= SPANS_PER_PASS {
                self.closed.insert(frame.span);
            } else if self.forgotten_at.is_none() {
                self.closed = HashSet::new();
                self.forgotten_at = Some(frame.index);
            }
        }
    }

    /// When the closed spans were too many to remember at once: looks again for spans opened twice, each time among
    /// a part of the names that no one can choose.
    fn reopened(&mut self, directory: &Directory, numbers: &[u64]) -> Result<(), ReadError> {
        let Some(from) = self.forgotten_at else { return Ok(()) };
        let parts = self.closings.div_ceil(SPANS_PER_PASS) as u64 + 1;
        let part_of = RandomState::new();
        for part in 0..parts {
            let mut opened = HashSet::new();
            for &number in numbers {
                let Content::Bytes(bytes, _) = read(directory, number)? else { continue };
                let Ok(header) = Header::decode(&bytes) else { continue };
                let mut frames = Frames::new(frame::seed(&header.journal), &bytes[header.len()..]);
                let mut at = header.len();
                while let Step::Frame(Frame { mark, span, index, .. }) = frames.step() {
                    let ours = mark == Mark::Open && part_of.hash_one(span) % parts == part;
                    if ours && !opened.insert(span) && index >= from {
                        let fault = MarkFault::AlreadyClosed;
                        self.fault_at(&segment::name(number), at, index, FaultKind::Mark { span, fault });
                    }
                    at = header.len() + frames.at();
                }
            }
        }
        Ok(())
    }

    fn report(mut self) -> Report {
        self.gaps();
        self.report.next = self.state.next_index;
        // Whatever else is wrong: fewer than were signed is what a removed tail looks like.
        if let Some(signed) = self.signed.take().map(|head| head.size()).filter(|&signed| signed > 0) {
            self.fault(HEAD, 0, FaultKind::Shrunk { signed });
        }
        self.report.head = self.state.chain;
        let open = self.state.open_by_index();
        self.report.open = open.into_iter().map(|(span, opened_at)| OpenSpan { span, opened_at }).collect();
        self.report
    }
}

fn any_proves(frames: &Frames<'_>, missing: u64) -> bool {
    frames.clone().skip_to(|frame| proves(frame, missing)).is_some()
}

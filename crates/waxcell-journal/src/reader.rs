//! Reading records back. It reads without a lock and changes nothing; it is no judge of the journal: `verify` is.

use std::io::Read;
use std::path::Path;

use crate::chain::{Hash, leaf_hash};
use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::{Corruption, ReadError};
use crate::first;
use crate::frame::{self, Mark, SpanId};
use crate::header::Header;
use crate::segment::{self, Frames, SEGMENT_BYTES, Step};
use crate::tip::{header_fault, proves};

/// A record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub index: u64,
    /// What it does to its span.
    pub mark: Mark,
    /// The span it belongs to.
    pub span: SpanId,
    /// What it says.
    pub payload: Vec<u8>,
    /// [`leaf_hash`](crate::leaf_hash) of the payload.
    pub leaf_hash: Hash,
    /// The object that it names for all that has no room in it, where both come from an archive.
    pub object: Option<Vec<u8>>,
}

/// Iterates over the records that are in a journal now.
///
/// An unfinished write at the very end is passed over; after an error it ends.
#[derive(Debug)]
pub struct Reader {
    directory: Directory,
    /// Segments still to read, the next one last.
    segments: Vec<u64>,
    /// The current segment, from `at` on.
    bytes: Vec<u8>,
    at: usize,
    seed: u32,
    number: u64,
    /// The record that must come next.
    next: u64,
}

impl Reader {
    /// From the first record on.
    ///
    /// # Errors
    ///
    /// When there is no journal there or it cannot be read.
    pub fn open(directory: &Path) -> Result<Reader, ReadError> {
        Reader::from_index(directory, 0)
    }

    /// From the record with this index on.
    ///
    /// # Errors
    ///
    /// When there is no journal there or it cannot be read.
    pub fn from_index(directory: &Path, index: u64) -> Result<Reader, ReadError> {
        let directory = Directory::to_read(directory)?;
        let mut segments = directory.segments()?;
        // Those before were archived, and are about to be taken away.
        let first = first::read(&directory)?.unwrap_or(0);
        segments.retain(|number| *number >= first);
        segments.reverse();
        let mut reader =
            Reader { directory, segments, bytes: Vec::new(), at: 0, seed: 0, number: 0, next: 0 };
        reader.seek(index)?;
        Ok(reader)
    }

    /// The index of the record that comes next, where there is one.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.next
    }

    /// The last `count` records, in their order.
    ///
    /// # Errors
    ///
    /// When there is no journal there, or it cannot be read or is damaged.
    pub fn last(directory: &Path, count: usize) -> Result<Vec<Record>, ReadError> {
        let mut all = Reader::from_index(directory, u64::MAX)?;
        while all.step()?.is_some() {}
        let first = all.next.saturating_sub(count as u64);
        Reader::from_index(directory, first)?.take(count).collect()
    }

    /// Goes to a record, or to the end when there are fewer: first by the headers, then record by record.
    fn seek(&mut self, index: u64) -> Result<(), ReadError> {
        // Binary search over `segments`, which run from the last to the first.
        let (mut low, mut high) = (0, self.segments.len());
        if index == 0 {
            // Whatever the headers say: what can be read ahead of a damaged one shall be.
            low = high;
        }
        while low < high {
            let middle = low.midpoint(high);
            // One that is gone was taken away since they were listed: it is old.
            let number = self.segments[middle];
            if self.directory.has(&segment::name(number))? && self.header_of(number)?.first_index > index {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.segments.truncate(low + 1);
        if !self.enter()? || index == u64::MAX {
            return Ok(());
        }
        while self.next < index && self.step()?.is_some() {}
        Ok(())
    }

    fn header_of(&self, number: u64) -> Result<Header, ReadError> {
        let path = self.directory.path_of(&segment::name(number));
        let damaged = |what| Corruption { file: path.clone(), offset: 0, index: 0, what };
        let bytes = self.read(number, crate::header::MAX_HEADER)?;
        Ok(Header::decode(&bytes).map_err(|fault| damaged(header_fault(fault)))?)
    }

    fn read(&self, number: u64, most: usize) -> Result<Vec<u8>, ReadError> {
        let name = segment::name(number);
        let path = self.directory.path_of(&name);
        let missing =
            || Corruption { file: path.clone(), offset: 0, index: self.next, what: "no plain file" };
        let file = self.directory.open_to_read(&name)?.ok_or_else(missing)?;
        let mut bytes = Vec::with_capacity(most);
        file.take(most as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| DiskError::new("read", &path, error))?;
        Ok(bytes)
    }

    /// Begins the next segment, if there is one.
    fn enter(&mut self) -> Result<bool, ReadError> {
        let Some(number) = self.segments.pop() else { return Ok(false) };
        let bytes = self.read(number, SEGMENT_BYTES)?;
        self.number = number;
        let header = Header::decode(&bytes).map_err(|fault| self.damaged(0, header_fault(fault)))?;
        if header.segment != number || (self.next != 0 && header.first_index != self.next) {
            return Err(self.damaged(0, "the segment does not continue the one before").into());
        }
        self.at = header.len();
        self.seed = frame::seed(&header.journal);
        self.next = header.first_index;
        self.bytes = bytes;
        Ok(true)
    }

    /// The next frame's place in `bytes`.
    fn step(&mut self) -> Result<Option<frame::Frame<'_>>, ReadError> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let mut frames = Frames::new(self.seed, rest);
            match frames.step() {
                Step::Frame(frame) if frame.index != self.next => {
                    return Err(self.damaged(self.at, "a record of another index stands here").into());
                }
                Step::Frame(_) => break,
                Step::Bad
                    if !self.segments.is_empty() || frames.skip_to(|f| proves(f, self.next)).is_some() =>
                {
                    return Err(self.damaged(self.at, "the record is unreadable").into());
                }
                Step::End | Step::Bad => {
                    if !self.enter()? {
                        return Ok(None);
                    }
                }
            }
        }
        let rest = &self.bytes[self.at..];
        let Ok(frame) = frame::decode(self.seed, rest) else { return Ok(None) };
        self.at += frame::padded(frame.payload.len());
        self.next = self.next.saturating_add(1);
        Ok(Some(frame))
    }

    fn damaged(&self, at: usize, what: &'static str) -> Corruption {
        let file = self.directory.path_of(&segment::name(self.number));
        Corruption { file, offset: at as u64, index: self.next, what }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.step().map(|frame| {
            frame.map(|frame| Record {
                index: frame.index,
                mark: frame.mark,
                span: frame.span,
                payload: frame.payload.to_vec(),
                leaf_hash: leaf_hash(frame.payload),
                object: None,
            })
        });
        if record.is_err() {
            self.bytes.clear();
            self.segments.clear();
        }
        record.transpose()
    }
}

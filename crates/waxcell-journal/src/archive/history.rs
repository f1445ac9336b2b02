//! All records in their order: those that lie in archives, then those of the journal.

use std::path::Path;

use super::{Archive, ArchiveError, BUNDLE, Bundles};
use crate::error::ReadError;
use crate::frame::{Mark, SpanId};
use crate::log::{Effect, Fields};
use crate::publish::PUBLIC;
use crate::reader::{Reader, Record};
use crate::tlog::{Kind, TILE_WIDTH, Tile, decode_bundle, leaf_hash};

/// Iterates over the records of a journal and of its archives. Like [`Reader`], it is no judge of them.
///
/// Records that neither has are passed over.
#[derive(Debug)]
pub struct History {
    /// Those of the archives, and the number of the next bundle.
    archived: Option<(Bundles, u64)>,
    /// Of the last bundle, the last record first.
    bundle: Vec<Record>,
    from: u64,
    /// The first record that is read from the journal.
    ends: u64,
    reader: Reader,
}

impl History {
    /// From the record with this index on.
    ///
    /// # Errors
    ///
    /// When there is no journal there, or it or its archives cannot be read.
    pub fn from_index(journal: &Path, archive: &Archive, index: u64) -> Result<History, ReadError> {
        let bundles = Bundles::of(archive).map_err(told)?.0;
        let reader = Reader::from_index(journal, index)?;
        let first = reader.next_index();
        let mut next = index / BUNDLE;
        // What was taken away may be in the journal's first segment still, but not what is too long for its records.
        let is_away = |bundle: u64| {
            let path = Tile { level: 0, index: bundle, width: TILE_WIDTH }.path(Kind::Entries);
            bundles.begin_at(bundle) == Some(bundle) && !journal.join(PUBLIC).join(path).exists()
        };
        while next * BUNDLE < first || is_away(next) {
            next += 1;
        }
        let ends = next * BUNDLE;
        if index >= ends || (ends <= first && index == first) {
            return Ok(History { archived: None, bundle: Vec::new(), from: index, ends: index, reader });
        }
        let ends = if is_away(next - 1) { ends } else { first };
        let reader = Reader::from_index(journal, ends)?;
        Ok(History {
            archived: Some((bundles, index / BUNDLE)),
            bundle: Vec::new(),
            from: index,
            ends,
            reader,
        })
    }

    /// The first record that is here, or should be: those before it lie in archives that are not.
    #[must_use]
    pub fn begins_at(&self) -> u64 {
        match &self.archived {
            Some((bundles, next)) => {
                bundles.begin_at(*next).map_or(self.ends, |at| at * BUNDLE).min(self.ends)
            }
            None => self.from,
        }
    }

    fn archived(&mut self) -> Result<Option<Record>, ReadError> {
        let ends = self.ends;
        loop {
            if let Some(record) = self.bundle.pop() {
                if record.index >= self.from && record.index < ends {
                    return Ok(Some(record));
                }
                continue;
            }
            let Some((bundles, next)) = &mut self.archived else { return Ok(None) };
            if *next * BUNDLE >= ends {
                self.archived = None;
                return Ok(None);
            }
            let first = *next * BUNDLE;
            *next += 1;
            let Some(packed) = bundles.get(*next - 1).map_err(told)? else { continue };
            let mut objects = packed.objects.into_iter().peekable();
            for (at, entry) in (0..).zip(decode_bundle(&packed.bytes, BUNDLE as u16).unwrap_or_default()) {
                let object = objects.next_if(|(of, ..)| *of == at).map(|(_, _, bytes)| bytes);
                self.bundle.push(record(first + at, entry, object));
            }
            self.bundle.reverse();
        }
    }
}

fn told(error: ArchiveError) -> ReadError {
    match error {
        ArchiveError::Disk(error) => error.into(),
        ArchiveError::Read(error) => error,
        error => ReadError::Archive(Box::new(error)),
    }
}

/// A record as it was appended, by what it says itself.
fn record(index: u64, entry: &[u8], object: Option<Vec<u8>>) -> Record {
    let fields = Fields::of(entry).ok();
    let span = fields.as_ref().and_then(|fields| SpanId::from_hex(&fields.run)).unwrap_or(SpanId::NONE);
    let mark = match fields.map_or(Effect::None, |fields| fields.effect()) {
        Effect::Begins => Mark::Open,
        Effect::Ends { .. } => Mark::Close,
        Effect::None => Mark::None,
    };
    Record { index, mark, span, payload: entry.to_vec(), leaf_hash: leaf_hash(entry), object }
}

impl Iterator for History {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.archived() {
            Ok(Some(record)) => Some(Ok(record)),
            Ok(None) => self.reader.next(),
            Err(error) => {
                // What follows is in the journal all the same.
                self.archived = None;
                Some(Err(error))
            }
        }
    }
}

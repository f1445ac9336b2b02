//! What becomes of records that are old: they are packed into archives, and then taken away where they lay.
//!
//! Both are decisions that somebody records. What is here is what can be done, and in which order; that it is on record
//! before anything goes is what [`Retention::take_away`] makes sure of.

mod past;
mod removal;

use std::path::{Path, PathBuf};

use crate::archive::{ARCHIVE, Archive, ArchiveError, BUNDLE, Manifest, pack};
use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::{OpenError, ReadError};
use crate::journal::OpenSpan;
use crate::lock::{Held, Lock};
use crate::log::{Log, LogError, times_of};
use crate::publish::PUBLIC;
use crate::tlog::SignedCheckpoint;
use past::Past;

/// Held by whoever packs or takes away.
const LOCK: &str = "archive.lock";

/// Nothing was packed or taken away, or not all.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The directory or a file in it cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
    /// The log cannot be read.
    #[error("cannot read the log")]
    Log(#[from] LogError),
    /// An archive cannot be made or read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Nobody recorded that they are taken away, or it is not signed.
    #[error("records before {before} cannot be taken away: that decision is not signed")]
    Undecided {
        /// All records before this one.
        before: u64,
    },
}

/// Why records stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    /// No archive has them, or not the one that is on record.
    #[error("record {0} and those behind it are in no archive: `waxcell audit archive` makes one")]
    NotArchived(u64),
    /// The witnesses have not seen that they are there.
    #[error("no quorum of witnesses has cosigned record {0} and those behind it")]
    NotCosigned(u64),
    /// A run goes on.
    #[error("the run that record {0} began goes on")]
    Open(u64),
}

/// What can be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prunable {
    /// The first record that was not taken away so far.
    pub from: u64,
    /// All records before this one can be.
    pub before: u64,
    /// Why no more of what was asked for.
    pub stays: Option<Stays>,
}

/// Packs the old records of one journal, and takes them away. One process at a time does.
#[derive(Debug)]
pub struct Retention {
    directory: Directory,
    path: PathBuf,
    log: Log,
    archive: Archive,
    past: Past,
    _held: Held,
}

impl Retention {
    /// Waits until nobody else does this, and reads what was decided so far. `archive` is the folder of archives; else
    /// they lie in the journal's.
    ///
    /// # Errors
    ///
    /// When the directory is not ours alone, or the journal cannot be read.
    pub fn begin(journal: &Path, archive: Option<&Path>) -> Result<Retention, RetentionError> {
        let directory = Directory::private(journal)?;
        let held = Lock::open(&directory, LOCK)?.hold()?;
        let archive = Archive::at(&archive.map_or_else(|| journal.join(ARCHIVE), Path::to_owned));
        let past = Past::read(journal)?;
        let (log, path) = (Log::at(&journal.join(PUBLIC)), journal.to_owned());
        Ok(Retention { directory, path, log, archive, past, _held: held })
    }

    /// The signed head, by the keys that lie beside the log.
    fn signed(&self) -> Result<SignedCheckpoint, LogError> {
        self.log.checkpoint(&self.log.keys()?)
    }

    /// The archives that follow each other from the first record on that is not taken away.
    fn row(&self) -> Result<Vec<Manifest>, ArchiveError> {
        let mut end = self.past.pruned;
        let mut row = Vec::new();
        for manifest in self.archive.manifests()?.0 {
            if manifest.first <= end && manifest.end() > end {
                end = manifest.end();
                row.push(manifest);
            }
        }
        Ok(row)
    }

    /// The archives that were made and are not on record: their maker died in between.
    ///
    /// # Errors
    ///
    /// When the archives cannot be read.
    pub fn unrecorded(&self) -> Result<Vec<Manifest>, RetentionError> {
        let row = self.row()?.into_iter();
        Ok(row.filter(|manifest| !self.past.has(manifest)).collect())
    }

    /// Packs the next records that are signed, and all of whose times are before `before`, if one is given (as text, as
    /// records have it): whole bundles of 256. Durable when this returns; to be recorded then. Nothing when there are no
    /// more.
    ///
    /// # Errors
    ///
    /// When what is to be packed is not what was signed, or the disk refuses.
    pub fn pack(&self, before: Option<&str>) -> Result<Option<Manifest>, RetentionError> {
        let first = self.row()?.last().map_or(self.past.pruned, Manifest::end);
        Ok(pack(&self.log, self.signed()?, &self.archive, first, before)?)
    }

    /// What can be taken away of the records whose times are before `before`; where none is given, of all that are
    /// archived. `open` are the spans that are open now. Where `cosigned` is given, only what is below that many records,
    /// which a quorum has cosigned.
    ///
    /// # Errors
    ///
    /// When the archives or the log cannot be read.
    pub fn prunable(
        &self,
        before: Option<&str>,
        open: &[OpenSpan],
        cosigned: Option<u64>,
    ) -> Result<Prunable, RetentionError> {
        let from = self.past.pruned;
        let row = self.row()?;
        let recorded = row.iter().take_while(|manifest| self.past.has(manifest));
        let archived = recorded.last().map_or(from, Manifest::end);
        let asked = match before {
            Some(before) => self.older_than(before)?,
            None => archived,
        };
        let mut found = Prunable { from, before: asked, stays: None };
        let mut limit = |end: u64, stays: Stays| {
            let end = end - end % BUNDLE;
            if end < found.before {
                (found.before, found.stays) = (end.max(from), Some(stays));
            }
        };
        limit(archived, Stays::NotArchived(archived));
        if let Some(cosigned) = cosigned {
            limit(cosigned, Stays::NotCosigned(cosigned - cosigned % BUNDLE));
        }
        if let Some(first) = open.iter().map(|span| span.opened_at).min() {
            limit(first, Stays::Open(first));
        }
        if before.is_none() && found.before == from && found.stays.is_none() {
            found.stays = Some(Stays::NotArchived(from));
        }
        Ok(found)
    }

    /// Up to which record all are of before a time: whole bundles that are signed.
    fn older_than(&self, time: &str) -> Result<u64, RetentionError> {
        let mut signed = self.signed()?;
        let mut end = self.past.pruned;
        while end + BUNDLE <= signed.checkpoint.size() {
            let bundle =
                self.log.settled(&mut signed, |signed| self.log.signed_bundle(end / BUNDLE, signed))?;
            if times_of(&bundle).any(|of| of.is_none_or(|of| *of >= *time)) {
                break;
            }
            end += BUNDLE;
        }
        Ok(end)
    }

    /// Makes sure that the archives have all records up to `before` that are not taken away: every byte is read, and every
    /// record is the one that was signed.
    ///
    /// # Errors
    ///
    /// When they have not.
    pub fn check(&self, before: u64) -> Result<(), RetentionError> {
        let mut signed = self.signed()?;
        for manifest in self.row()?.into_iter().filter(|manifest| manifest.first < before) {
            let mut unpacking = self.archive.unpack(&manifest)?;
            while let Some(packed) = unpacking.next()? {
                let check =
                    |signed: &SignedCheckpoint| self.log.check_bundle(packed.bundle, &packed.bytes, signed);
                self.log.settled(&mut signed, check)?;
                packed.check_objects()?;
            }
        }
        Ok(())
    }

    /// Takes away what lies before the last record that was decided about: bundles, segments, and the objects that only
    /// these records name. The decision has to be signed by now. Going on after a crash is the same.
    ///
    /// # Errors
    ///
    /// When it is not signed, or the disk refuses.
    pub fn take_away(&self) -> Result<u64, RetentionError> {
        let Past { pruned: before, .. } = Past::read(&self.path)?;
        if before > 0 && Past::signed(&self.path, self.signed()?.checkpoint.size())? != before {
            return Err(RetentionError::Undecided { before });
        }
        removal::segments(&self.directory, before)?;
        removal::bundles(&self.log, before)?;
        Ok(before)
    }
}

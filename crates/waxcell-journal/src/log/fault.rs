//! What a check of a published log says.

use std::fmt;

use super::heartbeats::{Gap, Promise};
use crate::tlog::BundleError;

/// So many faults are listed; further ones are counted.
pub(crate) const MOST_FAULTS: usize = 100;

/// What [`Log::verify`](crate::Log::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// How many records the checkpoint signs.
    pub records: u64,
    /// The runs that began and have no end on record, by their names and the records that began them; at most the first
    /// hundred.
    pub open: Vec<(String, u64)>,
    /// How many there are.
    pub open_runs: u64,
    /// The times without the heartbeat that was promised, at most the first hundred; no faults.
    pub gaps: Vec<Gap>,
    /// How many there are beyond those.
    pub more_gaps: u64,
    /// The heartbeat that is promised still.
    pub promise: Option<Promise>,
    /// How many records were read from archives.
    pub archived: u64,
    /// How many records are not here: they were archived and taken away, as the log says itself. Of them only the hashes
    /// were looked at.
    pub absent: u64,
    /// The first record of a newer version than this program knows, and that version. What such records say was not
    /// looked at, nor whether runs that begin or end after it do so rightly.
    pub newer: Option<(u64, u64)>,
    /// What is wrong, in the order in which it was found; at most the first hundred.
    pub faults: Vec<LogFault>,
    /// How many faults there are beyond those.
    pub more_faults: u64,
}

impl LogReport {
    /// Whether nothing is wrong with what is here. What of it is [`absent`](Self::absent) nobody has seen, and what is
    /// [`newer`](Self::newer) nobody has understood.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    pub(crate) fn gap(&mut self, gap: Gap) {
        if self.gaps.len() < MOST_FAULTS {
            self.gaps.push(gap);
        } else {
            self.more_gaps += 1;
        }
    }

    pub(crate) fn fault(&mut self, path: &str, index: Option<u64>, kind: LogFaultKind) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(LogFault { path: path.to_owned(), index, kind });
        } else {
            self.more_faults += 1;
        }
    }
}

/// Something wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// The file, below the folder of the log.
    pub path: String,
    /// The record that is meant, where it is one.
    pub index: Option<u64>,
    /// What is wrong.
    pub kind: LogFaultKind,
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.path)?;
        if let Some(index) = self.index {
            write!(f, ", record {index}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFaultKind {
    /// The file is not there, or not a plain file.
    #[error("it is missing")]
    Missing,
    /// The tile has another length than so many hashes have.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// How many it must have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The bundle is none.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The record is not the one whose hash is in the tree.
    #[error("the record is not the one that was signed")]
    Record,
    /// The hash of a record, or of many records, in a tile is not the one that was signed.
    #[error("a hash in it is not the one that follows from the records")]
    Hash,
    /// Records and tiles agree with each other, but not with the signed root.
    #[error("the records are not those that were signed, although they and the tiles agree with each other")]
    Root,
    /// An archive is damaged, or is not the one that is on record.
    #[error("the archive is not what was packed: {0}")]
    Archive(String),
    /// The bytes of the record are no record.
    #[error("the record is no record: {0}")]
    Form(String),
    /// The record is longer than it may be, and what it names for the rest of it is not there.
    #[error("the whole of the record, `{0}`, is missing")]
    ObjectMissing(String),
    /// What the record names for the rest of it is something else now.
    #[error("the whole of the record, `{0}`, is not what was signed")]
    Object(String),
    /// The record says that it is another one.
    #[error("the record says that it is record {0}")]
    Index(u64),
    /// A run begins twice, or ends without having begun, or twice.
    #[error("run {run} {what}")]
    Run {
        /// The run.
        run: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The seal of an epoch signs other records.
    #[error(
        "the records are not those that the key of epoch {epoch} sealed: they were rewritten after it was destroyed"
    )]
    Seal {
        /// The epoch.
        epoch: u64,
    },
    /// Seals are not in order.
    #[error("an epoch ends before the one before it")]
    Epochs,
    /// A record names another key, and the epoch was not sealed with it.
    #[error("the record names another key, and no seal ends with it")]
    Unsealed,
    /// What names the recovery key signs other records.
    #[error(
        "the records are not those that were signed when the recovery key was named: they were rewritten"
    )]
    Recovery,
    /// A record names a recovery key, and it is not the one that counts.
    #[error("the record names a recovery key, and no checkpoint that is kept ends with it")]
    OtherRecovery,
    /// A checkpoint of before is not one of this log.
    #[error(
        "the checkpoint of {size} records that was kept is not one of this log: it was rewritten or forked"
    )]
    Against {
        /// How many records it had.
        size: u64,
    },
    /// A checkpoint of before has more records.
    #[error("the checkpoint that was kept has {kept} records, this one {found}: the log was rolled back")]
    RolledBack {
        /// How many it had.
        kept: u64,
        /// How many there are.
        found: u64,
    },
}

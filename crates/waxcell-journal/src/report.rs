//! What a check of a journal says.

use std::fmt;

use crate::chain::Hash;
use crate::frame::SpanId;
use crate::journal::OpenSpan;
use crate::segment::SEGMENT_BYTES;
use crate::state::MarkFault;

/// What [`verify`](crate::verify()) found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many segments there are.
    pub segments: u64,
    /// How many records could be read.
    pub records: u64,
    /// The first record that has to be there: those before it were archived and taken away.
    pub first: u64,
    /// The index that the next record gets.
    pub next: u64,
    /// How many records the last signed head covers; 0 when nothing was signed.
    pub signed: u64,
    /// The chain value after the last record. It stands for all of them, in their order.
    pub head: Hash,
    /// The spans that are open at the end.
    pub open: Vec<OpenSpan>,
    /// What is wrong, in the order of the journal; at most the first hundred.
    pub faults: Vec<Fault>,
    /// How many faults there are beyond those.
    pub more_faults: u64,
}

impl Report {
    /// Whether nothing is wrong. That a journal was put back to an older state, its signed head with it, cannot be seen in it
    /// alone: a checkpoint that was noted elsewhere shows it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// What is wrong where a checkpoint signs `size` records: the head is durable before its checkpoint is shown, so it can
    /// only be ahead.
    #[must_use]
    pub fn behind(&self, size: u64) -> Option<String> {
        let signed = self.signed;
        (size > signed).then(|| {
            format!(
                "the checkpoint signs {size} records, and the journal remembers {signed}: an older copy of it was put in its place"
            )
        })
    }

    /// Whether all that is wrong is an unfinished write at the end, which the next start clears and reports.
    #[must_use]
    pub fn is_only_torn(&self) -> bool {
        !self.is_sound()
            && self.more_faults == 0
            && self
                .faults
                .iter()
                .all(|fault| matches!(fault.kind, FaultKind::TornTail { .. } | FaultKind::TornHead))
    }
}

/// Something wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file name of the segment.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// The record that is, or should be, there.
    pub index: u64,
    /// What is wrong.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, byte {}, record {}: {}", self.file, self.offset, self.index, self.kind)
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The segment is not there.
    #[error("the segment is missing")]
    Missing,
    /// Not a plain file.
    #[error("this is not a plain file")]
    NotAFile,
    /// The file has another length than a segment.
    #[error("the file is {0} bytes long instead of {SEGMENT_BYTES}")]
    Length(u64),
    /// The header cannot be read, so nothing of the segment can.
    #[error("{0}")]
    Header(&'static str),
    /// The tree of the records before this place, which were taken away, cannot be had from the tiles.
    #[error("the tree of the records before it, which were taken away, cannot be read: {0}")]
    Tree(String),
    /// The header says otherwise than the records before it.
    #[error("the header does not agree with the records before it: {0}")]
    Continuation(&'static str),
    /// From here to the next readable record or the end of the segment, no record can be read.
    #[error("the record cannot be read{}", next.map(|next| format!("; the next one that can is {next}")).unwrap_or_default())]
    Unreadable {
        /// The next record of the segment that can be read.
        next: Option<u64>,
    },
    /// Another record than the one that must come.
    #[error("record {found} stands here")]
    Index {
        /// Its index.
        found: u64,
    },
    /// The record, or one before it, is not what was appended here.
    #[error("the chain is broken: this record or one before it was changed, added or removed")]
    Chain,
    /// A span is opened or closed against the rules.
    #[error("span {span} cannot be marked so: {fault}")]
    Mark {
        /// The span.
        span: SpanId,
        /// The rule.
        fault: MarkFault,
    },
    /// Bytes stand where no record was begun.
    #[error("{bytes} bytes stand behind the last record")]
    Trailing {
        /// How many.
        bytes: u64,
    },
    /// The file says in neither of its two copies what was signed last.
    #[error("which head was signed last cannot be told")]
    Head,
    /// One of its two copies cannot be read: the remains of an unfinished write.
    #[error("one of its two copies is what a write leaves that was never finished")]
    TornHead,
    /// Records that were signed are not there.
    #[error(
        "{signed} records were signed, and fewer are there: records were removed, or an older copy was put in their place"
    )]
    Shrunk {
        /// How many were signed.
        signed: u64,
    },
    /// The records are not those that were signed.
    #[error("the first {signed} records are not those that were signed: the journal was rewritten")]
    Rewritten {
        /// How many were signed.
        signed: u64,
    },
    /// The remains of an unfinished write at the end of the journal.
    #[error("{bytes} bytes of an unfinished write stand at the end")]
    TornTail {
        /// How many.
        bytes: u64,
    },
}

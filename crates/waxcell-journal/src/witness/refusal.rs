//! Why a checkpoint is not cosigned, and with which status of HTTP that is said.

use super::WitnessError;
use crate::tlog::{CheckpointError, Line, NoteError, ProofError, SubmissionError};

/// Why a checkpoint is not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body has not its form.
    #[error("{0}")]
    Form(#[from] SubmissionError),
    /// The log is not one that is watched here.
    #[error("this log is not known here")]
    UnknownLog,
    /// The log did not sign it, or not rightly.
    #[error("invalid signature: {0}")]
    Signature(NoteError),
    /// The log signed what is no checkpoint.
    #[error("{0}")]
    Checkpoint(CheckpointError),
    /// The checkpoint it is said to continue is larger.
    #[error("old size {old} is more than the size {size} of the checkpoint")]
    OldIsMore {
        /// What it is said to continue.
        old: u64,
        /// How many entries it has.
        size: u64,
    },
    /// Another checkpoint was cosigned last.
    #[error("the checkpoint that was cosigned last has size {size}")]
    Conflict {
        /// How many entries that has.
        size: u64,
    },
    /// It is not shown to continue the one that was cosigned last.
    #[error("invalid consistency proof: {0}")]
    Proof(ProofError),
    /// The witness could not do its work.
    #[error(transparent)]
    Failed(#[from] WitnessError),
}

impl Refusal {
    /// The status that the specification has for it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Checkpoint(CheckpointError { fault: Line::EmptyRoot, .. }) | Refusal::Proof(_) => 422,
            Refusal::Form(_) | Refusal::Checkpoint(_) | Refusal::OldIsMore { .. } => 400,
            Refusal::UnknownLog => 404,
            Refusal::Signature(_) => 403,
            Refusal::Conflict { .. } => 409,
            Refusal::Failed(_) => 500,
        }
    }
}

//! Why a checkpoint is not cosigned, and with which status of HTTP that is said.

use super::WitnessError;
use crate::tlog::{CheckpointError, Line, NoteError, ProofError, ProofFileError, SubmissionError};

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
    /// The key that signed it is one of an epoch that is over.
    #[error("the log has changed its key after {end} records; this is signed by the old one")]
    Over {
        /// How many entries the epoch ended with.
        end: u64,
    },
    /// What is to show a change of keys is no proof.
    #[error("{0}")]
    NoProof(#[from] ProofFileError),
    /// It does not show that the log has changed its key.
    #[error("this shows no change of keys: {0}")]
    Seal(String),
    /// The witness could not do its work.
    #[error(transparent)]
    Failed(#[from] WitnessError),
}

impl Refusal {
    /// The status that the specification has for it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Checkpoint(CheckpointError { fault: Line::EmptyRoot, .. })
            | Refusal::Proof(_)
            | Refusal::Seal(_) => 422,
            Refusal::Form(_) | Refusal::NoProof(_) | Refusal::Checkpoint(_) | Refusal::OldIsMore { .. } => {
                400
            }
            Refusal::UnknownLog => 404,
            Refusal::Signature(_) | Refusal::Over { .. } => 403,
            Refusal::Conflict { .. } => 409,
            Refusal::Failed(_) => 500,
        }
    }
}

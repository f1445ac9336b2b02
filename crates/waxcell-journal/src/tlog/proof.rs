//! The proof that one record is in a log, as one file that can be checked offline (C2SP `tlog-proof`).

use std::fmt;

use super::base64;
use super::checkpoint::{OpenCheckpointError, SignedCheckpoint, decimal};
use super::note::MAX_NOTE;
use super::policy::{Policy, QuorumError};
use super::tree::{Hash, ProofError, verify_inclusion};

/// What the first line of the file is.
const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// The longest file of a proof, in bytes.
pub const MAX_PROOF: usize = MAX_NOTE;

/// The most hashes from a leaf to a root.
const MAX_PATH: usize = 63;

/// Where a record is in a log, and what leads from it to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What else the file carries. Nobody signed it.
    pub extra: Option<Vec<u8>>,
    /// Which leaf of the log.
    pub index: u64,
    /// The hashes from the leaf's neighbour up to a child of the root.
    pub path: Vec<Hash>,
    /// The checkpoint, a note with its signatures, as the log gave it.
    pub checkpoint: String,
}

/// Bytes are not the file of a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// The file is longer than [`MAX_PROOF`].
    #[error("a proof of {0} bytes is too long; {MAX_PROOF} are the most")]
    TooLong(usize),
    /// The file is not text.
    #[error("the proof is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Where it stops being that.
        offset: usize,
    },
    /// A line is not what it should be.
    #[error("line {line} of the proof is not {expected}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
}

/// A proof does not show that the record is in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyProofError {
    /// The checkpoint cannot be trusted.
    #[error("the checkpoint of the proof cannot be trusted")]
    Checkpoint(#[from] OpenCheckpointError),
    /// Too few witnesses signed it.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The record is not where the proof says.
    #[error("the record is not leaf {index} of the log")]
    Inclusion {
        /// The leaf.
        index: u64,
        /// Why.
        #[source]
        source: ProofError,
    },
}

impl Proof {
    /// Reads the file of a proof. What [`to_string`](ToString::to_string) gives of it are the same bytes.
    ///
    /// The checkpoint is taken as it stands; [`verify`](Self::verify) reads it.
    ///
    /// # Errors
    ///
    /// Which line is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Proof, ProofFileError> {
        if bytes.len() > MAX_PROOF {
            return Err(ProofFileError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|error| ProofFileError::NotUtf8 { offset: error.valid_up_to() })?;
        let mut lines = Lines { rest: text, line: 0 };
        lines.next("the name of this format", |line| (line == HEAD).then_some(()))?;
        let extra = match lines.rest.starts_with("extra ") {
            true => {
                Some(lines.next("`extra` and base 64", |line| base64::decode(line.strip_prefix("extra ")?))?)
            }
            false => None,
        };
        let index = lines.next("`index` and a number", |line| decimal(line.strip_prefix("index ")?))?;
        let mut path = Vec::new();
        while path.len() < MAX_PATH && !lines.rest.starts_with('\n') {
            path.push(lines.next("the base 64 of a hash, or empty", base64::decode_hash)?);
        }
        lines.next("empty", |line| line.is_empty().then_some(()))?;
        Ok(Proof { extra, index, path, checkpoint: lines.rest.to_owned() })
    }

    /// Checks that a record with this leaf hash is in a log that the policy trusts, seen by the witnesses it asks for.
    ///
    /// # Errors
    ///
    /// Why that is not shown.
    pub fn verify(&self, leaf: &Hash, policy: &Policy) -> Result<SignedCheckpoint, VerifyProofError> {
        let (logs, witnesses) = (policy.log_keys(), policy.witness_keys());
        let signed = SignedCheckpoint::open(self.checkpoint.as_bytes(), &logs, &witnesses)?;
        policy.check(&signed)?;
        let (size, root) = (signed.checkpoint.size(), signed.checkpoint.root());
        verify_inclusion(leaf, self.index, size, root, &self.path)
            .map_err(|source| VerifyProofError::Inclusion { index: self.index, source })?;
        Ok(signed)
    }
}

/// The file.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", base64::encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", base64::encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What is left of a text, line by line.
struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, ProofFileError> {
        self.line += 1;
        let fault = ProofFileError::Line { line: self.line, expected };
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| fault.clone())?;
        self.rest = rest;
        read(line).ok_or(fault)
    }
}

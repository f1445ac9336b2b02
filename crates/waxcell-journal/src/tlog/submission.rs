//! What a log sends a witness to have a checkpoint cosigned: the body of `add-checkpoint` (C2SP `tlog-witness`).

use std::fmt;

use super::base64;
use super::checkpoint::decimal;
use super::note::{Note, NoteError};
use super::tree::Hash;

/// The longest body, in bytes. The specification has no bound; a note of the longest proof and a hundred signatures has less.
pub const MAX_SUBMISSION: usize = 1 << 16;

/// The most hashes between two trees.
const MAX_HASHES: usize = 63;

/// A checkpoint, and what shows that it continues another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// How many entries the checkpoint has that the witness signed last; 0 for none.
    pub old: u64,
    /// The proof of consistency between both, without hashes when `old` is 0.
    pub proof: Vec<Hash>,
    /// The checkpoint. Nothing of it is checked yet but that it is a note.
    pub checkpoint: Note,
}

/// Bytes are not such a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// There are more than [`MAX_SUBMISSION`].
    #[error("{0} bytes are too many; {MAX_SUBMISSION} are the most")]
    TooLong(usize),
    /// The first line is not `old` and a number.
    #[error("the first line is not `old` and a number of entries")]
    Old,
    /// A line of the proof is not a hash.
    #[error("line {0} is neither the base 64 of a hash nor empty")]
    Hash(usize),
    /// There are more hashes than any proof has.
    #[error("the proof has more than {MAX_HASHES} hashes")]
    TooManyHashes,
    /// What follows is not a note.
    #[error("what follows the proof is no checkpoint: {0}")]
    Note(#[from] NoteError),
}

impl Submission {
    /// Reads a body. What [`to_string`](ToString::to_string) gives of it are the same bytes.
    ///
    /// # Errors
    ///
    /// Which line is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Submission, SubmissionError> {
        if bytes.len() > MAX_SUBMISSION {
            return Err(SubmissionError::TooLong(bytes.len()));
        }
        let (old, proof, rest) = head(bytes)?;
        Ok(Submission { old, proof, checkpoint: Note::parse(rest)? })
    }
}

/// The size that a body begins with, the proof, and what follows.
pub(crate) fn head(bytes: &[u8]) -> Result<(u64, Vec<Hash>, &[u8]), SubmissionError> {
    let mut rest = bytes;
    let old = line(&mut rest).and_then(|line| decimal(line.strip_prefix("old ")?));
    let old = old.ok_or(SubmissionError::Old)?;
    let mut proof = Vec::new();
    loop {
        let at = proof.len() + 2;
        match line(&mut rest) {
            Some("") => return Ok((old, proof, rest)),
            Some(_) if proof.len() == MAX_HASHES => return Err(SubmissionError::TooManyHashes),
            Some(hash) => proof.push(base64::decode_hash(hash).ok_or(SubmissionError::Hash(at))?),
            None => return Err(SubmissionError::Hash(at)),
        }
    }
}

/// The body.
impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", base64::encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// The next line, if there is one that ends and is text.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    let line = std::str::from_utf8(&rest[..end]).ok()?;
    *rest = &rest[end + 1..];
    Some(line)
}

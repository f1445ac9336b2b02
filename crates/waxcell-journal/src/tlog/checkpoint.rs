//! The head of a log, as a note that the log signs (C2SP `tlog-checkpoint`).

use std::fmt;
use std::str::FromStr;

use super::base64;
use super::key::{KeyName, VerifierKey};
use super::note::{Note, NoteError, Verified};
use super::tree::{Hash, MAX_SIZE, empty_root};

/// Which log, how many entries, and their root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// A text is not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the checkpoint {fault}")]
pub struct CheckpointError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Line,
}

/// What is wrong with a line of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Line {
    /// There is no such line, or it does not end in a newline.
    #[error("is missing or does not end")]
    Missing,
    /// Nothing stands in it.
    #[error("is empty")]
    Empty,
    /// It should be the size.
    #[error("is not a number of entries: decimal, without leading zeros, less than 2^63")]
    Size,
    /// It should be the root.
    #[error("is not the base 64 of a root of 32 bytes")]
    Root,
    /// A log without entries has one root only.
    #[error("is not the root of a log without entries")]
    EmptyRoot,
}

impl Checkpoint {
    /// The head of the log that signs as `origin`.
    #[must_use]
    pub fn new(origin: &KeyName, size: u64, root: Hash) -> Checkpoint {
        Checkpoint { origin: origin.to_string(), size, root, extensions: Vec::new() }
    }

    /// Which log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Further lines, whose meaning is the log's own. We write none.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, base64::encode(&self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Only a text that [`Display`](fmt::Display) gives is read.
impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Checkpoint, CheckpointError> {
        let at = |line, fault| CheckpointError { line, fault };
        let mut lines = Vec::new();
        for (line, content) in (1..).zip(text.split_inclusive('\n')) {
            match content.strip_suffix('\n') {
                None => return Err(at(line, Line::Missing)),
                Some("") => return Err(at(line, Line::Empty)),
                Some(content) => lines.push(content),
            }
        }
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(at(lines.len() + 1, Line::Missing));
        };
        let size = decimal(size).ok_or(at(2, Line::Size))?;
        let root = base64::decode_hash(root).ok_or(at(3, Line::Root))?;
        if size == 0 && root != empty_root() {
            return Err(at(3, Line::EmptyRoot));
        }
        let extensions = extensions.iter().map(|&line| line.to_owned()).collect();
        Ok(Checkpoint { origin: (*origin).to_owned(), size, root, extensions })
    }
}

/// A number of entries as it is written in one way only.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|&number| digits && number <= MAX_SIZE)
}

/// A checkpoint that its log signed, and who else did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The head of the log.
    pub checkpoint: Checkpoint,
    /// The log's own signatures, at least one.
    pub signatures: Vec<Verified>,
    /// The signatures of known witnesses.
    pub cosignatures: Vec<Verified>,
    /// The whole note, with the signatures that nobody here knows.
    pub note: Note,
}

/// A checkpoint cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenCheckpointError {
    /// It is not a note with a right signature.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// None of the log's keys that are known signed it.
    #[error("the checkpoint of `{0}` is not signed by a key of that log that is known here")]
    Unsigned(String),
}

impl SignedCheckpoint {
    /// Reads a checkpoint that has to be signed by one of `logs`, which has the name of the log as its own.
    ///
    /// # Errors
    ///
    /// It is no checkpoint, the log's signature is missing, or a signature of a known key is wrong.
    pub fn open(
        bytes: &[u8],
        logs: &[VerifierKey],
        witnesses: &[VerifierKey],
    ) -> Result<SignedCheckpoint, OpenCheckpointError> {
        let note = Note::parse(bytes)?;
        let verified = note.open(&[logs, witnesses].concat())?.verified;
        let checkpoint: Checkpoint = note.text().parse()?;
        let own = |verified: &Verified| {
            verified.key.name().as_str() == checkpoint.origin && logs.contains(&verified.key)
        };
        let (signatures, others): (Vec<_>, Vec<_>) = verified.into_iter().partition(own);
        if signatures.is_empty() {
            return Err(OpenCheckpointError::Unsigned(checkpoint.origin));
        }
        let cosignatures = others.into_iter().filter(|other| witnesses.contains(&other.key)).collect();
        Ok(SignedCheckpoint { checkpoint, signatures, cosignatures, note })
    }
}

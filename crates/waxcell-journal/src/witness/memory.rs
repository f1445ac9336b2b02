//! What a witness signed last for each log.

use std::path::Path;

use super::{Last, WitnessError, hash_of};
use crate::directory::Directory;
use crate::tlog::{Checkpoint, MAX_SUBMISSION, Note, VerifierKey};
use crate::whole;

/// A folder with one note for each log.
#[derive(Debug)]
pub(super) struct Memory {
    folder: Directory,
    own: VerifierKey,
}

impl Memory {
    pub(super) fn open(folder: &Path, own: VerifierKey) -> Result<Memory, WitnessError> {
        Ok(Memory { folder: Directory::private(folder)?, own })
    }

    /// What was cosigned last; nothing before the first time. What this witness did not sign is an error: a log that
    /// begins anew is what a witness is there to see.
    pub(super) fn of(&self, origin: &str) -> Result<Option<Last>, WitnessError> {
        let name = hash_of(origin);
        let most = 2 * MAX_SUBMISSION as u64;
        let Some(bytes) = whole::read(&self.folder, &name, most)? else { return Ok(None) };
        let last = || {
            let note = Note::parse(&bytes).ok()?;
            let time = note.open(std::slice::from_ref(&self.own)).ok()?.verified.first()?.time?;
            let checkpoint: Checkpoint = note.text().parse().ok()?;
            (checkpoint.origin() == origin).then_some(Last { checkpoint, note, time })
        };
        Ok(Some(last().ok_or_else(|| WitnessError::Memory(self.folder.path_of(&name)))?))
    }

    /// Remembers a cosigned checkpoint. Written anew each time, also where nothing but the time has changed: then an answer
    /// never rests on an earlier write that failed half way.
    pub(super) fn keep(&self, origin: &str, cosigned: &Note) -> Result<(), WitnessError> {
        Ok(whole::place(&self.folder, &hash_of(origin), cosigned.to_string().as_bytes())?)
    }
}

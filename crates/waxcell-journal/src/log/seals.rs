//! The seals of epochs: which key was whose successor, and up to which record each one signed.

use super::{Fields, Log, LogError, MAX_CHECKPOINT};
use crate::tlog::{Checkpoint, Hash, Note, OpenCheckpointError, SignedCheckpoint, VerifierKey};

/// The folder of the seals, each named by the number of its epoch, from 1.
pub(crate) const SEALS: &str = "seals";

/// The end of an epoch: a checkpoint whose last record names the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Which epoch, from 1.
    pub epoch: u64,
    /// How many records there were.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The key of the next epoch.
    pub next: VerifierKey,
    /// The checkpoint, whose signature is not checked yet.
    pub note: Note,
}

impl Log {
    /// The seals that lie beside the log, whose signatures nobody has checked.
    ///
    /// # Errors
    ///
    /// When one is no checkpoint, or its last record names no key.
    pub fn seals(&self) -> Result<Vec<Seal>, LogError> {
        let mut seals = Vec::new();
        let Some(size) = self.unchecked_size()? else { return Ok(seals) };
        for epoch in 1.. {
            let path = format!("{SEALS}/{epoch}");
            let Some(bytes) = self.read(&path, MAX_CHECKPOINT)? else { break };
            let wrong = |what: &str| LogError::Seal { epoch, what: what.to_owned() };
            let note = Note::parse(&bytes).map_err(|error| wrong(&error.to_string()))?;
            let checkpoint: Checkpoint = note
                .text()
                .parse()
                .map_err(|error: crate::tlog::CheckpointError| wrong(&error.to_string()))?;
            if checkpoint.size() == 0 || checkpoint.size() > size {
                return Err(wrong("it has not as many records as the log"));
            }
            let record = self.record(checkpoint.size() - 1, size)?;
            let named = Fields::of(&record).ok().and_then(|fields| fields.next_key());
            match named {
                Some((number, next)) if number == epoch + 1 => {
                    let (size, root) = (checkpoint.size(), *checkpoint.root());
                    seals.push(Seal { epoch, size, root, next, note });
                }
                _ => return Err(wrong("its last record does not name the key of the next epoch")),
            }
        }
        Ok(seals)
    }

    /// The keys that are trusted, and those of later epochs to which their seals lead.
    ///
    /// # Errors
    ///
    /// See [`seals`](Self::seals).
    pub fn successors(&self, trusted: &[VerifierKey]) -> Result<Vec<VerifierKey>, LogError> {
        let mut keys = trusted.to_vec();
        let mut last: Option<VerifierKey> = None;
        for seal in self.seals()? {
            let signers = last.as_ref().map_or(trusted, std::slice::from_ref);
            if seal.note.open(signers).is_ok() {
                keys.extend((!keys.contains(&seal.next)).then(|| seal.next.clone()));
                last = Some(seal.next);
            } else if last.is_some() {
                break;
            }
        }
        Ok(keys)
    }

    /// How many records the checkpoint says that there are.
    pub(super) fn unchecked_size(&self) -> Result<Option<u64>, LogError> {
        let note = self.read(super::CHECKPOINT, MAX_CHECKPOINT)?;
        let note = note.and_then(|note| Note::parse(&note).ok());
        Ok(note.and_then(|note| Some(note.text().parse::<Checkpoint>().ok()?.size())))
    }
}

/// Whether these bytes are the same note, whoever else has signed it.
fn is_note_of(note: &Note, bytes: &[u8]) -> bool {
    Note::parse(bytes).is_ok_and(|other| other.text() == note.text())
}

/// Opens the checkpoint `note` of a log: each epoch's key is trusted because the one before it named it, from the first one
/// that is trusted by itself. A key signs in its own epoch only.
pub(super) fn open(
    note: &[u8],
    seals: &[Seal],
    trusted: &[VerifierKey],
) -> Result<SignedCheckpoint, OpenCheckpointError> {
    let mut keys = trusted.to_vec();
    let mut before = Vec::new();
    let mut chained = false;
    for seal in seals {
        match seal.note.open(&keys) {
            Ok(_) => {
                before = std::mem::replace(&mut keys, vec![seal.next.clone()]);
                chained = true;
            }
            // An epoch before the first key that is trusted.
            Err(_) if !chained => {}
            Err(error) => return Err(error.into()),
        }
    }
    let signed = SignedCheckpoint::open(note, &keys, &[]);
    // Between the seal and the next checkpoint, the seal is what is shown.
    match seals.last() {
        Some(last) if signed.is_err() && chained && is_note_of(&last.note, note) => {
            SignedCheckpoint::open(note, &before, &[])
        }
        _ => signed,
    }
}

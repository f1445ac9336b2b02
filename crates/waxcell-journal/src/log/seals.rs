//! The seals of epochs: which key was whose successor, and up to which record each one signed.

use super::{Fields, Log, LogError, MAX_CHECKPOINT};
use crate::tlog::{Checkpoint, Hash, Note, NoteError, OpenCheckpointError, SignedCheckpoint, VerifierKey};

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
            let checkpoint = note.text().parse::<Checkpoint>().map_err(|error| wrong(&error.to_string()))?;
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
        Ok(Chain::of(&self.seals()?, trusted).known)
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
    let chain = Chain::of(seals, trusted);
    if let Some(error) = chain.broken {
        return Err(error.into());
    }
    let signed = SignedCheckpoint::open(note, &chain.present, &[]);
    // Between the seal and the next checkpoint, the seal is what is shown.
    match (seals.last(), chain.before) {
        (Some(last), Some(before)) if signed.is_err() && is_note_of(&last.note, note) => {
            SignedCheckpoint::open(note, &before, &[])
        }
        _ => signed,
    }
}

/// How far the seals lead on from the keys that are trusted: each epoch's key, because the one before named it.
struct Chain {
    /// All of them.
    known: Vec<VerifierKey>,
    /// Those that may sign in the present epoch.
    present: Vec<VerifierKey>,
    /// Those that might have signed the last seal; nothing where no seal is signed by a key that is trusted.
    before: Option<Vec<VerifierKey>>,
    /// Why the chain ends before the last seal.
    broken: Option<NoteError>,
}

impl Chain {
    fn of(seals: &[Seal], trusted: &[VerifierKey]) -> Chain {
        let (known, present) = (trusted.to_vec(), trusted.to_vec());
        let mut chain = Chain { known, present, before: None, broken: None };
        for seal in seals {
            match seal.note.open(&chain.present) {
                Ok(_) => {
                    if !chain.known.contains(&seal.next) {
                        chain.known.push(seal.next.clone());
                    }
                    chain.before = Some(std::mem::replace(&mut chain.present, vec![seal.next.clone()]));
                }
                // An epoch before the first key that is trusted.
                Err(_) if chain.before.is_none() => {}
                Err(error) => {
                    chain.broken = Some(error);
                    break;
                }
            }
        }
        chain
    }
}

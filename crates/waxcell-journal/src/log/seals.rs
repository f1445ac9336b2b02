//! The seals of epochs: which key was whose successor, and up to which record each one signed.

use super::{Fields, Log, LogError, MAX_CHECKPOINT};
use crate::tlog::{Checkpoint, Hash, Note, NoteError, OpenCheckpointError, SignedCheckpoint, VerifierKey};

/// The folder of the seals, each named by the number of its epoch, from 1.
pub(crate) const SEALS: &str = "seals";

/// The checkpoint whose last record names the recovery key.
pub(crate) const RECOVERY: &str = "recovery";

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

/// The recovery key of a log: it may end an epoch in place of that epoch's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The key.
    pub key: VerifierKey,
    /// How many records there were when it was named: the last of them names it.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
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
            let wrong = |what: String| LogError::Seal { epoch, what };
            let Some((note, at, fields)) = self.ending(&format!("{SEALS}/{epoch}"), size, wrong)? else {
                break;
            };
            let next = Fields::of(&fields).ok().and_then(|fields| fields.next_key());
            match next {
                Some((number, next)) if number == epoch + 1 => {
                    let (size, root) = (at.size(), *at.root());
                    seals.push(Seal { epoch, size, root, next, note });
                }
                _ => return Err(wrong("its last record does not name the key of the next epoch".to_owned())),
            }
        }
        Ok(seals)
    }

    /// The recovery key that the log names, if it does. Nobody has checked the signature.
    ///
    /// # Errors
    ///
    /// When what names it is no checkpoint, or its last record names no such key.
    pub fn recovery(&self) -> Result<Option<Recovery>, LogError> {
        let Some(size) = self.unchecked_size()? else { return Ok(None) };
        let Some((note, at, record)) = self.ending(RECOVERY, size, LogError::Recovery)? else {
            return Ok(None);
        };
        let key = Fields::of(&record).ok().and_then(|fields| fields.recovery_key());
        let key =
            key.ok_or_else(|| LogError::Recovery("its last record names no recovery key".to_owned()))?;
        Ok(Some(Recovery { key, size: at.size(), root: *at.root(), note }))
    }

    /// A checkpoint that is kept at a path, and the last record that it signs, of `size` that there are.
    fn ending(
        &self,
        path: &str,
        size: u64,
        wrong: impl Fn(String) -> LogError,
    ) -> Result<Option<(Note, Checkpoint, Vec<u8>)>, LogError> {
        let Some(bytes) = self.read(path, MAX_CHECKPOINT)? else { return Ok(None) };
        let note = Note::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
        let checkpoint = note.text().parse::<Checkpoint>().map_err(|error| wrong(error.to_string()))?;
        if checkpoint.size() == 0 || checkpoint.size() > size {
            return Err(wrong("it has not as many records as the log".to_owned()));
        }
        let record = self.record(checkpoint.size() - 1, size)?;
        Ok(Some((note, checkpoint, record)))
    }

    /// The keys that are trusted, and those to which the seals lead from there: of later epochs, and the recovery key where
    /// that has ended one.
    ///
    /// # Errors
    ///
    /// See [`seals`](Self::seals).
    pub fn successors(&self, trusted: &[VerifierKey]) -> Result<Vec<VerifierKey>, LogError> {
        Ok(Chain::of(&self.seals()?, self.recovery()?.as_ref(), trusted).known)
    }

    /// The epochs that the recovery key has ended, as their seals say.
    ///
    /// # Errors
    ///
    /// See [`seals`](Self::seals) and [`recovery`](Self::recovery).
    pub fn recovered(&self) -> Result<Vec<u64>, LogError> {
        let Some(recovery) = self.recovery()? else { return Ok(Vec::new()) };
        let by = [recovery.key];
        Ok(self.seals()?.iter().filter(|seal| seal.note.open(&by).is_ok()).map(|seal| seal.epoch).collect())
    }

    /// How many records the checkpoint says that there are.
    pub(crate) fn unchecked_size(&self) -> Result<Option<u64>, LogError> {
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
    recovery: Option<&Recovery>,
    trusted: &[VerifierKey],
) -> Result<SignedCheckpoint, OpenCheckpointError> {
    let chain = Chain::of(seals, recovery, trusted);
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
    fn of(seals: &[Seal], recovery: Option<&Recovery>, trusted: &[VerifierKey]) -> Chain {
        // The recovery key ends epochs and signs nothing else, whoever trusts it.
        let is_recovery = |key: &VerifierKey| recovery.is_some_and(|recovery| recovery.key == *key);
        let trusts_recovery = trusted.iter().any(is_recovery);
        let present: Vec<_> = trusted.iter().filter(|key| !is_recovery(key)).cloned().collect();
        let mut chain = Chain { known: trusted.to_vec(), present, before: None, broken: None };
        let mut sealed = 0;
        for seal in seals {
            let own = seal.note.open(&chain.present);
            let by = match (own, recovery) {
                (Ok(_), _) => chain.present.clone(),
                (Err(error), recovery) => {
                    // It has to be named under a seal that is trusted, or by the key of this very epoch; and before this
                    // seal.
                    let counts = |recovery: &&Recovery| {
                        let under = chain.before.is_some() && recovery.size <= sealed;
                        let here = recovery.size > sealed && recovery.note.open(&chain.present).is_ok();
                        recovery.size < seal.size && (trusts_recovery || under || here)
                    };
                    let key = recovery.filter(counts).map(|recovery| vec![recovery.key.clone()]);
                    match key.filter(|key| seal.note.open(key).is_ok()) {
                        Some(key) => key,
                        // An epoch before the first key that is trusted.
                        None if chain.before.is_none() => {
                            sealed = seal.size;
                            continue;
                        }
                        None => {
                            chain.broken = Some(error);
                            break;
                        }
                    }
                }
            };
            for key in by.iter().chain([&seal.next]).filter(|key| is_recovery(key) || **key == seal.next) {
                if !chain.known.contains(key) {
                    chain.known.push(key.clone());
                }
            }
            chain.present = vec![seal.next.clone()];
            chain.before = Some(by);
            sealed = seal.size;
        }
        chain
    }
}

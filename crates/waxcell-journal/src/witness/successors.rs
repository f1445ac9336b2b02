//! The keys of the logs that are watched, and how one leads on to the next: a log that changes its key says so in its last
//! record under the old one, and the checkpoint that ends with that record is signed by the old key.
//!
//! What shows that is kept as it came, and looked at anew at each start: nobody can put a key there that no log has named.

use std::path::Path;

use super::{WitnessError, hash_of};
use crate::chain::leaf_hash;
use crate::directory::Directory;
use crate::log::Fields;
use crate::tlog::{Checkpoint, KeyKind, MAX_PROOF, Policy, Proof, VerifierKey};
use crate::whole;

/// How long a name is: a hash, and a number of records.
const NAME: usize = 64 + 1 + 20;

/// The end of an epoch, as it was shown.
pub(super) struct Shown {
    pub(super) seal: Checkpoint,
    /// The keys that signed it, whose epoch it ends.
    old: Vec<VerifierKey>,
    pub(super) next: VerifierKey,
}

/// What is known of the keys of logs.
#[derive(Debug)]
pub(super) struct Successors {
    folder: Directory,
    keys: Vec<VerifierKey>,
    /// Keys whose epoch is over, with the number of records that it ended with.
    over: Vec<(VerifierKey, u64)>,
}

impl Successors {
    /// Those that the owner names, and those to which they have led.
    pub(super) fn open(folder: &Path, keys: Vec<VerifierKey>) -> Result<Successors, WitnessError> {
        let folder = Directory::private(folder)?;
        // Not what was being written when its writer died.
        let is_whole = |name: &String| name.len() == NAME && name.as_bytes()[64] == b'-';
        let mut names: Vec<String> = folder.names()?.into_iter().filter(is_whole).collect();
        // Of one log, in the order of its epochs.
        names.sort();
        let mut known = Successors { folder, keys, over: Vec::new() };
        for name in names {
            let text = whole::read(&known.folder, &name, MAX_PROOF as u64)?.unwrap_or_default();
            // What says nothing any more, since its log is not watched any more, does no harm.
            if let Some(shown) = Proof::parse(&text).ok().and_then(|proof| known.judge(&proof).ok()) {
                known.take(&shown);
            }
        }
        Ok(known)
    }

    /// The keys of a log.
    pub(super) fn of(&self, origin: &str) -> Vec<VerifierKey> {
        self.keys.iter().filter(|key| key.name().as_str() == origin).cloned().collect()
    }

    /// The origins of the logs.
    pub(super) fn origins(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.name().as_str())
    }

    /// How many records the epoch of a key ended with, if it is over.
    pub(super) fn end_of(&self, key: &VerifierKey) -> Option<u64> {
        self.over.iter().find(|(other, _)| other == key).map(|(_, size)| *size)
    }

    pub(super) fn knows(&self, shown: &Shown) -> bool {
        self.keys.contains(&shown.next)
    }

    /// Whether this shows the end of an epoch whose key is known; why not, in words.
    pub(super) fn judge(&self, proof: &Proof) -> Result<Shown, String> {
        let record = proof.extra.as_deref().unwrap_or_default();
        let signed = proof.verify(&leaf_hash(record), &Policy::of_logs(&self.keys));
        let signed = signed.map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })?;
        let seal = signed.checkpoint;
        if seal.size() != proof.index + 1 {
            return Err("the record is not the last one of the checkpoint".to_owned());
        }
        let (_, next) =
            Fields::of(record).ok().and_then(|fields| fields.next_key()).ok_or("it names no key")?;
        if next.name().as_str() != seal.origin() || next.kind() != KeyKind::Ed25519 {
            return Err("the key that it names is not one of this log".to_owned());
        }
        let old: Vec<VerifierKey> = signed.signatures.into_iter().map(|signature| signature.key).collect();
        if old.iter().any(|key| self.end_of(key).is_some_and(|size| size != seal.size())) {
            return Err("the epoch of that key has another end".to_owned());
        }
        Ok(Shown { seal, old, next })
    }

    /// Keeps what shows the end of an epoch; durable when this returns.
    pub(super) fn learn(&mut self, proof: &Proof, shown: &Shown) -> Result<(), WitnessError> {
        let name = format!("{}-{:020}", hash_of(shown.seal.origin()), shown.seal.size());
        whole::place(&self.folder, &name, proof.to_string().as_bytes())?;
        self.take(shown);
        Ok(())
    }

    fn take(&mut self, shown: &Shown) {
        if !self.keys.contains(&shown.next) {
            self.keys.push(shown.next.clone());
        }
        for key in shown.old.iter().filter(|key| **key != shown.next) {
            if self.end_of(key).is_none() {
                self.over.push((key.clone(), shown.seal.size()));
            }
        }
    }
}

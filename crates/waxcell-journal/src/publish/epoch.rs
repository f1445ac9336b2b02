//! Epochs of keys: one key signs until it names the next, and is destroyed then.
//!
//! The record that names the next key is the last one of its epoch. The checkpoint that ends with it is the epoch's
//! *seal*: signed by the old key, kept for good. Whoever takes the machine later has the new key only, and cannot make
//! another seal.

use serde_json::json;

use super::key_file::{self, KeyFileError};
use super::{PublishError, Publisher, evidence};
use crate::directory::Directory;
use crate::disk;
use crate::frame::{Mark, SpanId};
use crate::journal::Journal;
use crate::log::{Fields, SEALS};
use crate::reader::Reader;
use crate::tlog::{PrivateKey, VerifierKey, to_canonical};

/// The key of the next epoch, while it takes over.
pub(crate) const NEXT: &str = "key.next";

impl Publisher {
    /// Begins a new epoch: draws a key, has the present one sign its name, and destroys that. `time` is put into the
    /// record, as RFC 3339 has it. Gives the new public key.
    ///
    /// # Errors
    ///
    /// See [`PublishError`]. A change of keys that was begun is finished by whoever publishes next.
    pub fn rotate(&self, journal: &mut Journal, time: &str) -> Result<VerifierKey, PublishError> {
        evidence::none(&self.path)?;
        let _held = self.lock.hold()?;
        let key = self.current()?;
        let next = key_file::create(&self.directory, NEXT, key.name())?;
        // A crash here leaves a key that nobody named; it is thrown away.
        let index = self.name_next(journal, &key, &next, time)?;
        // A crash here leaves a key that has a record: whoever publishes next goes on from here.
        self.seal(&key, &next, index + 1)?;
        Ok(next.verifier())
    }

    /// The key that signs now. A change of keys that was cut off is finished first, or undone if no record names the next
    /// key. The lock must be held.
    pub(super) fn current(&self) -> Result<PrivateKey, PublishError> {
        let missing = || KeyFileError::Missing(self.directory.path_of(key_file::NAME));
        let Some(next) = key_file::load(&self.directory, NEXT)? else {
            return Ok(key_file::load(&self.directory, key_file::NAME)?.ok_or_else(missing)?);
        };
        // Its seal may be there, and the old key destroyed already.
        if self.log().seals()?.iter().any(|seal| seal.next == next.verifier()) {
            self.take_over()?;
            return Ok(next);
        }
        let key = key_file::load(&self.directory, key_file::NAME)?.ok_or_else(missing)?;
        match self.naming(&next.verifier())? {
            Some(index) => {
                self.seal(&key, &next, index + 1)?;
                Ok(next)
            }
            None => {
                disk::unlink(&self.directory, NEXT, &self.directory.path_of(NEXT))?;
                Ok(key)
            }
        }
    }

    fn name_next(
        &self,
        journal: &mut Journal,
        key: &PrivateKey,
        next: &PrivateKey,
        time: &str,
    ) -> Result<u64, PublishError> {
        let epoch = self.log().seals()?.len() + 2;
        let record = |index: u64| {
            to_canonical(&json!({
                "v": 1,
                "type": "key",
                "index": index,
                "run": SpanId::NONE.to_string(),
                "time": time,
                "epoch": epoch,
                "vkey": next.verifier().to_string(),
                "previous": key.verifier().to_string(),
            }))
            .unwrap_or_default()
        };
        let receipt = journal.append_with(Mark::None, SpanId::NONE, record);
        Ok(receipt.map_err(|error| PublishError::Append(Box::new(error)))?.index())
    }

    /// The record that names a key, among those that no seal covers.
    fn naming(&self, next: &VerifierKey) -> Result<Option<u64>, PublishError> {
        let from = self.log().seals()?.last().map_or(0, |seal| seal.size);
        for record in Reader::from_index(&self.path, from)? {
            let record = record?;
            let named = Fields::of(&record.payload).ok().and_then(|fields| fields.next_key());
            if named.is_some_and(|(_, key)| key == *next) {
                return Ok(Some(record.index));
            }
        }
        Ok(None)
    }

    /// Signs the last `size` records of an epoch with its key, keeps that as its seal, and lets the next key take over.
    fn seal(&self, key: &PrivateKey, next: &PrivateKey, size: u64) -> Result<(), PublishError> {
        let note = self.publish_with(key, size)?;
        let epoch = self.log().seals()?.len() + 1;
        self.public.place(&format!("{SEALS}/{epoch}"), note.as_bytes(), true)?;
        self.show_key(&next.verifier())?;
        // A crash here leaves the seal and both keys; the old one is of no use any more.
        self.take_over()
    }

    /// Destroys the old key and puts the next into its place.
    fn take_over(&self) -> Result<(), PublishError> {
        let path = self.directory.path_of(key_file::NAME);
        if self.directory.has(key_file::NAME)? {
            // What file systems that never write in place keep of it, this does not reach.
            let file = self.directory.open(key_file::NAME, false)?;
            disk::zero(&file, 0, key_file::MAX_TEXT as usize, &path)?;
            disk::sync_all(&file, &path)?;
        }
        disk::rename(&self.directory, NEXT, key_file::NAME, &path)?;
        Ok(Directory::sync(&self.directory, false)?)
    }
}

//! Epochs of keys: one key signs until it names the next, and is destroyed then.
//!
//! The record that names the next key is the last one of its epoch. The checkpoint that ends with it is the epoch's
//! *seal*: signed by the old key, kept for good. Whoever takes the machine later has the new key only, and cannot make
//! another seal.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::holder::{Holder, Next};
use super::{PublishError, Publisher, evidence, key_file};
use crate::frame::{Mark, SpanId};
use crate::journal::Journal;
use crate::log::{Fields, SEALS};
use crate::reader::Reader;
use crate::signer::{Client, Order, SignerError};
use crate::tlog::{VerifierKey, to_canonical};

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
        let holder = self.current()?;
        let next = match &holder {
            Holder::Key(key) => {
                Next::Key(Box::new(key_file::create(&self.directory, key_file::NEXT, key.name())?))
            }
            Holder::Signer(client, _) => {
                let strange = || SignerError::Strange(client.socket());
                let key = client.ask(&Order::Next)?.next.ok_or_else(strange)?;
                Next::Signed(client.clone(), key)
            }
        };
        self.change(journal, &holder, &next, time)
    }

    /// Begins a new epoch with the key of a signer, which draws it; the present key is destroyed. From then on the signer at
    /// this socket is asked for every signature.
    ///
    /// # Errors
    ///
    /// See [`PublishError`]. What was begun is finished by whoever publishes next.
    pub fn move_to_signer(
        &self,
        journal: &mut Journal,
        socket: &Path,
        time: &str,
    ) -> Result<VerifierKey, PublishError> {
        evidence::none(&self.path)?;
        let _held = self.lock.hold()?;
        let holder = self.current()?;
        if let Holder::Signer(client, _) = &holder {
            return Err(PublishError::WithSigner(client.socket()));
        }
        let standing = Client::at(socket).ask(&Order::Begin(holder.name()))?;
        if standing.last.is_some() {
            return Err(SignerError::Used(socket.to_owned()).into());
        }
        if *standing.key.name() != holder.name() {
            return Err(SignerError::Strange(socket.to_owned()).into());
        }
        self.begin_moving(socket, &standing.key)?;
        self.change(journal, &holder, &Next::Moved(standing.key), time)
    }

    fn change(
        &self,
        journal: &mut Journal,
        holder: &Holder,
        next: &Next,
        time: &str,
    ) -> Result<VerifierKey, PublishError> {
        // A crash here leaves a key that nobody named; it is thrown away.
        let index = self.name_next(journal, &holder.verifier(), next, time, None)?;
        // A crash here leaves a key that has a record: whoever publishes next goes on from here.
        self.seal(holder, next, index + 1)?;
        Ok(next.verifier())
    }

    /// Who signs now. A change of keys that was cut off is finished first, or undone if no record names the next
    /// key; and so is the naming of a recovery key. The lock must be held.
    pub(super) fn current(&self) -> Result<Holder, PublishError> {
        let Some(next) = self.pending()? else {
            let holder = self.holder()?;
            self.finish_naming(&holder)?;
            return Ok(holder);
        };
        // Its seal may be there, and the old key destroyed already.
        if self.log().seals()?.iter().any(|seal| seal.next == next.verifier()) {
            self.take_over(&next)?;
            return self.holder();
        }
        let holder = self.holder()?;
        match self.naming(&next.verifier())? {
            Some(index) => {
                self.seal(&holder, &next, index + 1)?;
                self.holder()
            }
            None => {
                self.withdraw(&next)?;
                self.holder()
            }
        }
    }

    /// Records the next key, and by which other one that is done than the present, if by one.
    pub(super) fn name_next(
        &self,
        journal: &mut Journal,
        present: &VerifierKey,
        next: &Next,
        time: &str,
        by: Option<&VerifierKey>,
    ) -> Result<u64, PublishError> {
        let mut fields = json!({
            "epoch": self.log().seals()?.len() + 2,
            "vkey": next.verifier().to_string(),
            "previous": present.to_string(),
        });
        if let (Some(by), Value::Object(fields)) = (by, &mut fields) {
            fields.insert("recovery".to_owned(), by.to_string().into());
        }
        self.note(journal, "key", time, fields)
    }

    /// Appends a record of the log's own; gives its number.
    pub(crate) fn note(
        &self,
        journal: &mut Journal,
        kind: &str,
        time: &str,
        fields: Value,
    ) -> Result<u64, PublishError> {
        let record = |index: u64| {
            let mut record = match fields {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
            record.insert("v".to_owned(), 1.into());
            record.insert("type".to_owned(), kind.into());
            record.insert("index".to_owned(), index.into());
            record.insert("run".to_owned(), SpanId::NONE.to_string().into());
            record.insert("time".to_owned(), time.into());
            to_canonical(&Value::Object(record)).unwrap_or_default()
        };
        let receipt = journal.append_with(Mark::None, SpanId::NONE, record);
        Ok(receipt.map_err(|error| PublishError::Append(Box::new(error)))?.index())
    }

    /// The record that names a key, among those that no seal covers.
    fn naming(&self, next: &VerifierKey) -> Result<Option<u64>, PublishError> {
        Ok(self.unsealed()?.filter(|(_, key)| key == next).map(|(index, _)| index))
    }

    /// The first record behind the last seal that names a key.
    pub(super) fn unsealed(&self) -> Result<Option<(u64, VerifierKey)>, PublishError> {
        let from = self.log().seals()?.last().map_or(0, |seal| seal.size);
        for record in Reader::from_index(&self.path, from)? {
            let record = record?;
            let named = Fields::of(&record.payload).ok().and_then(|fields| fields.next_key());
            if let Some((_, key)) = named {
                return Ok(Some((record.index, key)));
            }
        }
        Ok(None)
    }

    /// Signs the last `size` records of an epoch with its key, keeps that as its seal, and lets the next key take over.
    fn seal(&self, holder: &Holder, next: &Next, size: u64) -> Result<(), PublishError> {
        self.show_key(&holder.verifier())?;
        self.end_epoch(holder, &next.verifier(), size)?;
        // A crash here leaves the seal and both keys; the old one is of no use any more.
        self.take_over(next)
    }

    /// Keeps the checkpoint over the first `size` records as the seal of the present epoch.
    pub(super) fn end_epoch(
        &self,
        holder: &Holder,
        next: &VerifierKey,
        size: u64,
    ) -> Result<(), PublishError> {
        let note = self.publish_with(holder, size)?;
        let epoch = self.log().seals()?.len() + 1;
        self.public.place(&format!("{SEALS}/{epoch}"), note.as_bytes(), true)?;
        self.show_key(next)
    }
}

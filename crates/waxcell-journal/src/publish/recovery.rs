//! The recovery key: kept elsewhere, it ends an epoch whose own key is lost or in wrong hands, and does nothing else.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::holder::{Holder, MOVING, Next};
use super::{
    HEAD, HeadFile, KeyFileError, LOCK, PUBLIC, Public, PublishError, Publisher, evidence, key_file,
};
use crate::directory::Directory;
use crate::journal::Journal;
use crate::lock::Lock;
use crate::log::{Fields, RECOVERY, RECOVERY_RECORD};
use crate::reader::Reader;
use crate::tlog::{KeyError, KeyKind, KeyName, PrivateKey, VerifierKey};
use crate::whole;

/// Says that a recovery key is being named.
const NAMING: &str = "recovery.next";

/// The recovery key cannot be named or used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The log names none.
    #[error(
        "this log names no recovery key, so nobody can say which key follows its own; `waxcell audit recover --accept-loss` begins another log"
    )]
    None,
    /// It names one already.
    #[error("the recovery key of this log is {0}, and stays so")]
    Named(String),
    /// It names another one.
    #[error("the recovery key of this log is {named}, not {given}")]
    Other {
        /// The one that is named.
        named: String,
        /// The one that was given.
        given: String,
    },
    /// It has another name.
    #[error("a recovery key of this log is called `{log}`, not `{given}`")]
    Name {
        /// The name of the log.
        log: KeyName,
        /// What it is called.
        given: KeyName,
    },
    /// It signs something else.
    #[error("{0} signs other things already: a recovery key is one of its own")]
    Used(String),
    /// The file cannot be read or written.
    #[error("cannot use the file `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no key.
    #[error("`{}` holds no key", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
}

/// Draws a recovery key for the log of this name, and writes it into a new file that only its owner reads. Gives the public
/// key.
///
/// # Errors
///
/// When the file is there, or cannot be written.
pub fn new_recovery_key(path: &Path, log: KeyName) -> Result<VerifierKey, RecoveryError> {
    let failed = |source| RecoveryError::File { path: path.to_owned(), source };
    let key = PrivateKey::generate(log).map_err(failed)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let text = Zeroizing::new(format!("{}\n", *key.to_text()));
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(key.verifier())
}

/// The key in such a file. Who may read it is not looked at: it lies on whatever it was kept on.
fn recovery_key(path: &Path) -> Result<PrivateKey, RecoveryError> {
    let failed = |source| RecoveryError::File { path: path.to_owned(), source };
    let mut text = Zeroizing::new(String::with_capacity(key_file::MAX_TEXT as usize));
    let file = OpenOptions::new().read(true).open(path).map_err(failed)?;
    file.take(key_file::MAX_TEXT).read_to_string(&mut text).map_err(failed)?;
    let form = |source| RecoveryError::Form { path: path.to_owned(), source };
    PrivateKey::from_text(text.trim_end_matches('\n')).map_err(form)
}

impl Publisher {
    /// Names the recovery key of this log, once for all: as a record, and as a checkpoint over it that is kept.
    ///
    /// # Errors
    ///
    /// See [`PublishError`]. What was begun is finished by whoever publishes next.
    pub fn name_recovery(
        &self,
        journal: &mut Journal,
        key: &VerifierKey,
        time: &str,
    ) -> Result<(), PublishError> {
        evidence::none(&self.path)?;
        let _held = self.lock.hold()?;
        let holder = self.current()?;
        if let Some(named) = self.log().recovery()? {
            return Err(RecoveryError::Named(named.key.to_string()).into());
        }
        if *key.name() != holder.name() {
            return Err(RecoveryError::Name { log: holder.name(), given: key.name().clone() }.into());
        }
        let is_used = self.log().keys()?.iter().any(|used| used.public() == key.public());
        if is_used || key.kind() != KeyKind::Ed25519 || holder.verifier().public() == key.public() {
            return Err(RecoveryError::Used(key.to_string()).into());
        }
        whole::place(&self.directory, NAMING, key.to_string().as_bytes())?;
        // A crash here leaves a name that is on no record; it is thrown away.
        self.note(journal, RECOVERY_RECORD, time, json!({ "vkey": key.to_string() }))?;
        self.finish_naming(&holder)
    }

    /// Keeps the checkpoint that ends with the record which names the recovery key, if that was begun.
    pub(super) fn finish_naming(&self, holder: &Holder) -> Result<(), PublishError> {
        let Some(key) = whole::read(&self.directory, NAMING, key_file::MAX_TEXT)? else { return Ok(()) };
        if self.log().recovery()?.is_none()
            && let Some(index) = self.naming_recovery(&String::from_utf8_lossy(&key))?
        {
            self.show_key(&holder.verifier())?;
            // Under the lock that whoever publishes takes, so nobody has signed more than that yet.
            let note = self.publish_with(holder, index + 1)?;
            self.public.place(RECOVERY, note.as_bytes(), true)?;
        }
        self.remove(NAMING)
    }

    fn naming_recovery(&self, key: &str) -> Result<Option<u64>, PublishError> {
        let from = self.log().seals()?.last().map_or(0, |seal| seal.size);
        for record in Reader::from_index(&self.path, from)? {
            let record = record?;
            let named = Fields::of(&record.payload).ok().and_then(|fields| fields.recovery_key());
            if named.is_some_and(|named| named.to_string() == key) {
                return Ok(Some(record.index));
            }
        }
        Ok(None)
    }

    /// Ends the present epoch by the recovery key in a file, whatever has become of the log's own, and lets a new key follow.
    /// Gives that.
    ///
    /// # Errors
    ///
    /// See [`PublishError`]. What was begun is finished by the same call.
    pub fn recover(directory: &Path, key: &Path, time: &str) -> Result<VerifierKey, PublishError> {
        let key = recovery_key(key)?;
        let path = directory.to_owned();
        let directory = Directory::private(directory)?;
        let lock = Lock::open(&directory, LOCK)?;
        let public = Public::new(path.join(PUBLIC));
        if !directory.has(HEAD)? {
            return Err(RecoveryError::None.into());
        }
        let head = HeadFile::open(&directory)?;
        let publisher = Publisher { directory, path, lock, head, public };
        evidence::none(&publisher.path)?;
        let _held = publisher.lock.hold()?;
        publisher.recover_with(key, time)
    }

    fn recover_with(&self, key: PrivateKey, time: &str) -> Result<VerifierKey, PublishError> {
        let named = self.log().recovery()?.ok_or(RecoveryError::None)?.key;
        if named != key.verifier() {
            let (named, given) = (named.to_string(), key.verifier().to_string());
            return Err(RecoveryError::Other { named, given }.into());
        }
        // Nothing is added to a journal that is not the one that was signed.
        let mut journal = Journal::open(&self.path)?;
        let before = self.head.read()?;
        let signed = before.as_ref().map_or(0, super::Head::size);
        self.grow(before.as_ref(), signed)?;
        let missing = || KeyFileError::Missing(self.directory.path_of(key_file::NAME));
        let present = self.log().keys()?.pop().ok_or_else(missing)?;
        let log = key.name().clone();
        let recovery = Holder::Key(Box::new(key));
        let made = key_file::load(&self.directory, key_file::NEXT)?;
        if let Some((index, next)) = self.unsealed()? {
            // A change of keys was begun, perhaps by this.
            self.end_epoch(&recovery, &next, index + 1)?;
            if let Some(made) = made.filter(|made| made.verifier() == next) {
                self.take_over(&Next::Key(Box::new(made)))?;
                return Ok(next);
            }
            // That key is as lost as the one before.
        }
        self.remove(MOVING)?;
        self.remove(NAMING)?;
        let next = Next::Key(Box::new(key_file::create(&self.directory, key_file::NEXT, &log)?));
        // A crash here leaves a key that nobody named.
        let by = recovery.verifier();
        let index = self.name_next(&mut journal, &present, &next, time, Some(&by))?;
        // A crash here leaves a record that this call, made again, goes on from; so does whoever publishes, where the old
        // key is still there.
        self.end_epoch(&recovery, &next.verifier(), index + 1)?;
        self.take_over(&next)?;
        Ok(next.verifier())
    }
}

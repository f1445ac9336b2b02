//! A signer: the log's key in a process of its own, which signs a checkpoint only if it goes on from the last one. What it
//! decides and remembers; its socket is elsewhere.
//!
//! It is a witness that signs as the log: whoever has taken the writer can have more signed, and nothing less or else.

mod client;
mod message;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::OpenError;
use crate::lock::{self, Held, Lock};
use crate::publish::{Head, HeadFile, KeyFileError, PublishError, key_file};
use crate::tlog::{
    Checkpoint, Frontier, Note, PrivateKey, ProofError, VerifierKey, empty_root, verify_consistency,
};
use crate::witness::{Evidence, Sign, keep_evidence};
pub(crate) use client::Client;
pub use client::SignerError;
pub use message::MAX_REQUEST;
pub(crate) use message::{MAX_REPLY, Order, Reply, Standing};

/// The signer cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum SignerFailure {
    /// Its key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There is a key, and nothing says what it has signed.
    #[error("`{}` is missing: what the key beside it has signed last cannot be told", .0.display())]
    Memory(PathBuf),
    /// Another one is at work.
    #[error("another signer is at work in `{}`", .0.display())]
    Busy(PathBuf),
    /// Its directory or a file in it cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What was signed last cannot be read or kept.
    #[error(transparent)]
    Head(Box<PublishError>),
    /// Something failed before, so that what is on the disk is not known any more.
    #[error("it failed before: start it anew")]
    Failed,
}

/// What an order led to: bytes for whoever gave it, and a line for whoever runs the signer.
#[derive(Debug)]
pub struct Signing {
    /// The answer.
    pub answer: String,
    /// What to say of it; nothing where it was only a question.
    pub told: Option<String>,
}

/// The keeper of one log's key.
#[derive(Debug)]
pub struct Signer {
    home: Directory,
    head: HeadFile,
    evidence: Directory,
    /// One order at a time.
    keys: Mutex<Keys>,
    _held: Held,
}

#[derive(Debug)]
struct Keys {
    key: Option<PrivateKey>,
    /// That of the next epoch, while it takes over.
    next: Option<PrivateKey>,
    failed: bool,
}

/// Why something is not signed.
enum Refusal {
    /// It was wrong to ask.
    Refused(String),
    /// It speaks against whoever asks.
    Against(String),
    Failed(SignerFailure),
}

impl<E: Into<SignerFailure>> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        Refusal::Failed(error.into())
    }
}

impl From<PublishError> for SignerFailure {
    fn from(error: PublishError) -> SignerFailure {
        SignerFailure::Head(Box::new(error))
    }
}

impl Signer {
    /// The signer of a directory. It has no key before a journal is moved to it.
    ///
    /// # Errors
    ///
    /// When directory or key cannot be used, what was signed is not known, or another signer is at work there.
    pub fn open(directory: &Path) -> Result<Signer, SignerFailure> {
        let home = Directory::private(directory)?;
        let held = Lock::open(&home, lock::NAME)?.try_hold()?;
        let held = held.ok_or_else(|| SignerFailure::Busy(directory.to_owned()))?;
        let (has_key, has_head) = (home.has(key_file::NAME)?, home.has(crate::publish::HEAD)?);
        if has_key && !has_head {
            return Err(SignerFailure::Memory(home.path_of(crate::publish::HEAD)));
        }
        // Before the first key, so that a key without it is one whose memory is gone.
        let head = HeadFile::open(&home)?;
        if !has_key && head.read()?.is_some() {
            return Err(KeyFileError::Missing(home.path_of(key_file::NAME)).into());
        }
        let next = key_file::load(&home, key_file::NEXT)?;
        let (key, next) = match (key_file::load(&home, key_file::NAME), next) {
            // It was being destroyed.
            (Err(KeyFileError::Form { .. }), Some(next)) => {
                key_file::follow(&home)?;
                (Some(next), None)
            }
            (key, next) => (key?, next),
        };
        let evidence = Directory::private(&directory.join("evidence"))?;
        Ok(Signer { home, head, evidence, keys: Mutex::new(Keys { key, next, failed: false }), _held: held })
    }

    /// The public key of the signer in a directory, if it has one.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub fn key_in(directory: &Path) -> Result<Option<VerifierKey>, SignerFailure> {
        if !directory.is_dir() {
            return Ok(None);
        }
        let key = key_file::load(&Directory::private(directory)?, key_file::NAME)?;
        Ok(key.map(|key| key.verifier()))
    }

    /// The public key that checks what is signed here now; nothing before a journal is moved here.
    #[must_use]
    pub fn verifier(&self) -> Option<VerifierKey> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).key.as_ref().map(PrivateKey::verifier)
    }

    /// Carries out an order. Any bytes have an answer; a signature in it is durable here.
    #[must_use]
    pub fn answer(&self, order: &[u8]) -> Signing {
        let order = match Order::parse(order) {
            Ok(order) => order,
            Err(what) => return Signing { answer: Reply::Refused(what).to_string(), told: None },
        };
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let said = match &order {
            Order::Status | Order::Begin(_) | Order::Next | Order::Forget => None,
            Order::Sign { checkpoint, .. } => Some(format!("signed {} records", checkpoint.size())),
            Order::Follow(key) => Some(format!("the key is {key} now; the one before is destroyed")),
        };
        let done = if keys.failed { Err(SignerFailure::Failed.into()) } else { self.obey(order, &mut keys) };
        let (reply, told) = match done {
            Ok(standing) => (Reply::Done(Box::new(standing)), said),
            Err(Refusal::Refused(why)) => (Reply::Refused(why.clone()), Some(format!("refused: {why}"))),
            Err(Refusal::Against(why)) => (Reply::Against(why.clone()), Some(format!("EVIDENCE: {why}"))),
            Err(Refusal::Failed(error)) => {
                // The page cache may say other than the disk from here on.
                keys.failed = true;
                let why = crate::error::with_causes(&error);
                (Reply::Failed(why.clone()), Some(format!("failed: {why}")))
            }
        };
        Signing { answer: reply.to_string(), told }
    }

    fn obey(&self, order: Order, keys: &mut Keys) -> Result<Standing, Refusal> {
        let none = || Refusal::Refused("there is no key here yet: `audit key --signer` makes one".to_owned());
        if let Order::Begin(name) = &order {
            match &keys.key {
                None => keys.key = Some(key_file::create(&self.home, key_file::NAME, name)?),
                Some(key) if key.name() == name => {}
                Some(key) => {
                    let why =
                        format!("the key here is that of `{}`; another log needs another signer", key.name());
                    return Err(Refusal::Refused(why));
                }
            }
        }
        let key = keys.key.as_ref().ok_or_else(none)?;
        let mut last = self.head.read()?;
        match order {
            Order::Status | Order::Begin(_) => {}
            Order::Sign { old, proof, checkpoint } => {
                last = Some(self.sign(key, last, old, &proof, &checkpoint)?);
            }
            Order::Next => {
                if keys.next.is_none() {
                    keys.next = Some(key_file::create(&self.home, key_file::NEXT, key.name())?);
                }
            }
            Order::Forget => {
                if keys.next.take().is_some() {
                    let path = self.home.path_of(key_file::NEXT);
                    crate::disk::unlink(&self.home, key_file::NEXT, &path)?;
                    self.home.sync(false)?;
                }
            }
            Order::Follow(wanted) => match keys.next.take() {
                Some(next) if next.verifier() == wanted => {
                    key_file::follow(&self.home)?;
                    keys.key = Some(next);
                }
                // The answer to the first time was lost.
                next if key.verifier() == wanted => keys.next = next,
                next => {
                    keys.next = next;
                    return Err(Refusal::Refused(format!("no key {wanted} was made ready here")));
                }
            },
        }
        let key = keys.key.as_ref().ok_or_else(none)?.verifier();
        let next = keys.next.as_ref().map(PrivateKey::verifier);
        let last =
            last.map(|head| Note::parse(head.note.as_bytes())).transpose().map_err(PublishError::from)?;
        Ok(Standing { key, next, last })
    }

    /// Signs a checkpoint that goes on from the last one, and remembers it first.
    fn sign(
        &self,
        key: &PrivateKey,
        last: Option<Head>,
        old: u64,
        proof: &[crate::tlog::Hash],
        checkpoint: &Checkpoint,
    ) -> Result<Head, Refusal> {
        if checkpoint.origin() != key.name().as_str() || !checkpoint.extensions().is_empty() {
            return Err(Refusal::Refused(format!("only checkpoints of `{}` are signed here", key.name())));
        }
        let mut note = Note::new(checkpoint.to_string()).map_err(PublishError::from)?;
        let (mut last_size, mut last_root) = (0, empty_root());
        if let Some(head) = &last {
            let of_last = Note::parse(head.note.as_bytes()).map_err(PublishError::from)?;
            let signed: Checkpoint = of_last
                .text()
                .parse()
                .map_err(|error| PublishError::Checkpoint(crate::tlog::OpenCheckpointError::from(error)))?;
            (last_size, last_root) = (signed.size(), *signed.root());
            let against = |sign, what: String| {
                let kept = keep_evidence(&self.evidence, sign, key.name().as_str(), &of_last, &note);
                Refusal::Against(format!("{what}{}", told(&kept)))
            };
            if signed == *checkpoint {
                // Written again, and whoever asks gets the signature of then, by the key of then.
                self.head.replace(last.as_ref(), head)?;
                return Ok(head.clone());
            }
            let size = checkpoint.size();
            if size < last_size {
                let what = format!("{last_size} records were signed here, and {size} are to be signed now");
                return Err(against(Sign::Smaller, what));
            }
            let proved = verify_consistency(old, &last_root, size, checkpoint.root(), proof);
            let is_other = size == last_size
                || old == last_size && matches!(proved, Err(ProofError::Root | ProofError::OldRoot));
            if is_other {
                let what = format!("the first {last_size} records are not those that were signed here");
                return Err(against(Sign::SplitView, what));
            }
        }
        if old != last_size {
            return Err(Refusal::Refused(format!("{last_size} records were signed here last, not {old}")));
        }
        verify_consistency(old, &last_root, checkpoint.size(), checkpoint.root(), proof)
            .map_err(|error| Refusal::Refused(format!("invalid consistency proof: {error}")))?;
        note.sign(key);
        // The tree itself is not known here. A crash before this is done leaves what was remembered before; after it, whoever
        // asks again gets the same signature.
        let head = Head { before: last_size, frontier: Frontier::new(), note: note.to_string() };
        self.head.replace(last.as_ref(), &head)?;
        Ok(head)
    }
}

fn told(kept: &Evidence) -> String {
    match &kept.file {
        Ok(Some(path)) => format!("; both checkpoints are in `{}`", path.display()),
        Ok(None) => "; not kept, since there are too many files with evidence".to_owned(),
        Err(error) => format!("; both checkpoints could not be kept: {error}"),
    }
}

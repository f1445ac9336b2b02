//! Watching the logs of others: what a witness decides and remembers (C2SP `tlog-witness`). Its sockets are elsewhere.
//!
//! For every log there is one file: the checkpoint that was cosigned last. Nobody sees a cosignature before that file is
//! durable, so whatever happens to this process, no smaller and no other checkpoint is ever cosigned.

mod evidence;
mod memory;
mod refusal;
mod successors;

use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use sha2::{Digest, Sha256};

use crate::chain::hex;
use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::OpenError;
use crate::lock::{self, Lock};
use crate::publish::{KeyFileError, key_file};
use crate::tlog::{
    Checkpoint, CheckpointError, KeyKind, KeyName, Line, Note, PrivateKey, Proof, Signature, Submission,
    VerifierKey, cosign, empty_root, verify_consistency,
};
pub(crate) use evidence::keep as keep_evidence;
pub use evidence::{Evidence, Sign};
use memory::Memory;
pub use refusal::Refusal;
use successors::Successors;

/// The witness cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Its key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There is no key yet.
    #[error("there is no witness in `{}` yet: `waxcell witness serve` makes its key", .0.display())]
    NoKey(std::path::PathBuf),
    /// It has another name.
    #[error(
        "the witness in this directory is called `{is}`, not `{asked}`; another one needs another directory"
    )]
    Name {
        /// What it is called.
        is: String,
        /// What was asked for.
        asked: String,
    },
    /// A key of a log is one of a witness.
    #[error("the key of `{0}` signs as a witness, not as a log")]
    Kind(String),
    /// Its directory or a file in it cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What it remembers is not what it signed.
    #[error("`{}` is not a checkpoint that this witness cosigned: what it signed last for this log cannot be told", .0.display())]
    Memory(std::path::PathBuf),
    /// The clock says that it is 1970.
    #[error("the clock is not set")]
    Clock,
}

/// What a submission led to.
#[derive(Debug)]
pub struct Answer {
    /// The cosignature, durable; or why there is none.
    pub outcome: Result<Signature, Refusal>,
    /// The log that it is about, if that is a known one.
    pub origin: Option<String>,
    /// What speaks against the log, and was kept.
    pub evidence: Option<Evidence>,
}

/// What came of being shown that a log has changed its key.
#[derive(Debug)]
pub struct Followed {
    /// The key that is known from now on; or why it is not.
    pub outcome: Result<VerifierKey, Refusal>,
    /// The log that it is about, if that is a known one.
    pub origin: Option<String>,
}

/// A witness of some logs.
#[derive(Debug)]
pub struct Witness {
    key: PrivateKey,
    logs: RwLock<Successors>,
    memory: Memory,
    evidence: Directory,
    lock: Lock,
    /// The lock of the file is the process's, not the thread's.
    turn: Mutex<()>,
}

impl Witness {
    /// The witness of a directory, which has a key of its own: made now, if there is none, under this name or one with
    /// that of the host.
    ///
    /// # Errors
    ///
    /// When directory or key cannot be used, the name is another, or a key is none of a log.
    pub fn open(
        directory: &Path,
        name: Option<&KeyName>,
        host: &str,
        logs: Vec<VerifierKey>,
    ) -> Result<Witness, WitnessError> {
        if let Some(other) = logs.iter().find(|key| key.kind() != KeyKind::Ed25519) {
            return Err(WitnessError::Kind(other.name().to_string()));
        }
        let home = Directory::private(directory)?;
        let lock = Lock::open(&home, lock::NAME)?;
        let key = {
            let _held = lock.hold()?;
            match key_file::load(&home, key_file::NAME)? {
                Some(key) => key,
                None => {
                    let new = match name {
                        Some(name) => name.clone(),
                        None => key_file::new_name(host, "witness", &home)?,
                    };
                    key_file::create(&home, key_file::NAME, &new)?
                }
            }
        };
        if let Some(asked) = name.filter(|name| *name != key.name()) {
            return Err(WitnessError::Name { is: key.name().to_string(), asked: asked.to_string() });
        }
        let memory = Memory::open(&directory.join("logs"), key.cosigner())?;
        let evidence = Directory::private(&directory.join("evidence"))?;
        let logs = RwLock::new(Successors::open(&directory.join("seals"), logs)?);
        Ok(Witness { key, logs, memory, evidence, lock, turn: Mutex::new(()) })
    }

    /// The public key of the witness in a directory.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be used.
    pub fn key_in(directory: &Path) -> Result<VerifierKey, WitnessError> {
        if !directory.join(key_file::NAME).exists() {
            return Err(WitnessError::NoKey(directory.to_owned()));
        }
        let key = key_file::load(&Directory::private(directory)?, key_file::NAME)?;
        Ok(key.ok_or_else(|| WitnessError::NoKey(directory.to_owned()))?.cosigner())
    }

    /// The public key that checks what is cosigned here.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.key.cosigner()
    }

    /// Judges the body of an `add-checkpoint`, at a time in seconds since 1970. Any bytes are an answer; one that has a
    /// cosignature is durable.
    #[must_use]
    pub fn add_checkpoint(&self, body: &[u8], now: u64) -> Answer {
        let (mut origin, mut evidence) = (None, None);
        let outcome = self.judge(body, now, &mut origin, &mut evidence);
        Answer { outcome, origin, evidence }
    }

    fn judge(
        &self,
        body: &[u8],
        now: u64,
        known: &mut Option<String>,
        evidence: &mut Option<Evidence>,
    ) -> Result<Signature, Refusal> {
        let Submission { old, proof, checkpoint: note } = Submission::parse(body)?;
        let origin = note.text().split('\n').next().unwrap_or_default();
        let keys = self.logs().of(origin);
        if keys.is_empty() {
            return Err(Refusal::UnknownLog);
        }
        *known = Some(origin.to_owned());
        let opened = note.open(&keys).map_err(Refusal::Signature)?;
        let authors: Vec<VerifierKey> = opened.verified.into_iter().map(|author| author.key).collect();
        // What nobody here knows is neither kept nor handed on.
        let note = note.only(&authors);
        let checkpoint: Result<Checkpoint, CheckpointError> = note.text().parse();
        let size = match &checkpoint {
            Ok(checkpoint) => checkpoint.size(),
            // It has the form of one, so it is looked at like one.
            Err(CheckpointError { fault: Line::EmptyRoot, .. }) => 0,
            Err(error) => return Err(Refusal::Checkpoint(*error)),
        };
        if old > size {
            return Err(Refusal::OldIsMore { old, size });
        }

        // From here to the cosignature nobody else looks or remembers.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = self.lock.hold().map_err(WitnessError::from)?;
        // Whoever has a key that was to be destroyed makes no log of it.
        if let Some(end) = authors.iter().find_map(|key| self.logs().end_of(key)).filter(|end| *end < size) {
            return Err(Refusal::Over { end });
        }
        let last = self.memory.of(origin)?;
        let (last_size, last_root) =
            last.as_ref().map_or((0, empty_root()), |last| (last.checkpoint.size(), *last.checkpoint.root()));
        if let (Some(last), Ok(checkpoint)) = (&last, &checkpoint) {
            let sign = match () {
                () if size == last_size && *checkpoint.root() != last_root => Some(Sign::SplitView),
                () if size < last_size => Some(Sign::Smaller),
                () => None,
            };
            *evidence = sign.map(|sign| evidence::keep(&self.evidence, sign, origin, &last.note, &note));
        }
        if old != last_size {
            return Err(Refusal::Conflict { size: last_size });
        }
        let checkpoint = checkpoint.map_err(Refusal::Checkpoint)?;
        verify_consistency(old, &last_root, size, checkpoint.root(), &proof).map_err(Refusal::Proof)?;
        if now == 0 {
            return Err(WitnessError::Clock.into());
        }
        // A clock that was set back takes nothing back that was said.
        let now = last.map_or(now, |last| now.max(last.time));
        let cosignature = cosign(&self.key, &note, now).map_err(Refusal::Checkpoint)?;
        let mut cosigned = note;
        cosigned.add(cosignature.clone());
        // A crash before this is done leaves what was remembered before, and the log asks again. After it, the log finds by
        // the size what is remembered, and gets its cosignature on the next attempt.
        self.memory.keep(origin, &cosigned)?;
        Ok(cosignature)
    }

    /// Takes in that a log has changed its key: the body is the proof (C2SP `tlog-proof`) of the record that names the next
    /// one, by the checkpoint that ends with it, which has to be the one that was cosigned last. What the proof shows is
    /// durable before the key counts.
    #[must_use]
    pub fn follow(&self, body: &[u8]) -> Followed {
        let mut origin = None;
        let outcome = self.follow_to(body, &mut origin);
        Followed { outcome, origin }
    }

    fn follow_to(&self, body: &[u8], known: &mut Option<String>) -> Result<VerifierKey, Refusal> {
        let proof = Proof::parse(body)?;
        let origin = proof.checkpoint.split('\n').next().unwrap_or_default();
        if self.logs().of(origin).is_empty() {
            return Err(Refusal::UnknownLog);
        }
        *known = Some(origin.to_owned());
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _held = self.lock.hold().map_err(WitnessError::from)?;
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        let shown = logs.judge(&proof).map_err(Refusal::Seal)?;
        let last = self.memory.of(origin)?.map(|last| last.checkpoint);
        let is_last = last
            .as_ref()
            .is_some_and(|last| (last.size(), last.root()) == (shown.seal.size(), shown.seal.root()));
        if is_last {
            logs.learn(&proof, &shown)?;
        } else if !logs.knows(&shown) {
            return Err(Refusal::Conflict { size: last.map_or(0, |last| last.size()) });
        }
        Ok(shown.next)
    }

    fn logs(&self) -> RwLockReadGuard<'_, Successors> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checkpoint that was cosigned last for the log whose origin has this SHA-256, in lower-case hexadecimal.
    ///
    /// # Errors
    ///
    /// When what is remembered cannot be read or trusted.
    pub fn checkpoint(&self, origin_hash: &str) -> Result<Option<Note>, WitnessError> {
        let origin = self.logs().origins().find(|name| hash_of(name) == origin_hash).map(str::to_owned);
        let last = origin.map(|origin| self.memory.of(&origin)).transpose()?.flatten();
        Ok(last.map(|last| last.note))
    }
}

/// The SHA-256 of an origin, as paths and names have it.
pub(crate) fn hash_of(origin: &str) -> String {
    hex(&Sha256::digest(origin))
}

/// A checkpoint that was cosigned.
struct Last {
    checkpoint: Checkpoint,
    note: Note,
    /// When, in seconds since 1970.
    time: u64,
}

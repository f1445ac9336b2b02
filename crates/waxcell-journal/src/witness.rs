//! Watching the logs of others: what a witness decides and remembers (C2SP `tlog-witness`). Its sockets are elsewhere.
//!
//! For every log there is one file: the checkpoint that was cosigned last. Nobody sees a cosignature before that file is
//! durable, so whatever happens to this process, no smaller and no other checkpoint is ever cosigned.

mod evidence;
mod memory;
mod refusal;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::OpenError;
use crate::lock::{self, Lock};
use crate::publish::{KeyFileError, key_file};
use crate::tlog::{
    Checkpoint, CheckpointError, KeyKind, KeyName, Line, Note, PrivateKey, Signature, Submission,
    VerifierKey, cosign, empty_root, verify_consistency,
};
pub use evidence::{Evidence, Sign};
use memory::Memory;
pub use refusal::Refusal;

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

/// A witness of some logs.
#[derive(Debug)]
pub struct Witness {
    key: PrivateKey,
    logs: Vec<VerifierKey>,
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
        let keys: Vec<VerifierKey> =
            self.logs.iter().filter(|key| key.name().as_str() == origin).cloned().collect();
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
        let cosignature = cosign(&self.key, &note, now).map_err(Refusal::Checkpoint)?;
        let mut cosigned = note;
        cosigned.add(cosignature.clone());
        // A crash before this is done leaves what was remembered before, and the log asks again. After it, the log finds by
        // the size what is remembered, and gets its cosignature on the next attempt.
        self.memory.keep(origin, &cosigned)?;
        Ok(cosignature)
    }

    /// The checkpoint that was cosigned last for the log whose origin has this SHA-256, in lower-case hexadecimal.
    ///
    /// # Errors
    ///
    /// When what is remembered cannot be read or trusted.
    pub fn checkpoint(&self, origin_hash: &str) -> Result<Option<Note>, WitnessError> {
        let origin =
            self.logs.iter().map(|key| key.name().as_str()).find(|name| hash_of(name) == origin_hash);
        let last = origin.map(|origin| self.memory.of(origin)).transpose()?.flatten();
        Ok(last.map(|last| last.note))
    }
}

/// The SHA-256 of an origin, as paths and names have it.
pub(crate) fn hash_of(origin: &str) -> String {
    Sha256::digest(origin).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A checkpoint that was cosigned.
struct Last {
    checkpoint: Checkpoint,
    note: Note,
}

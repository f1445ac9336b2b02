//! Publishing: from the records of the journal to a log that software of others can read and prove.
//!
//! The journal is what is durable first and what decides; the tree over it follows, as C2SP `tlog-tiles` and
//! `tlog-checkpoint` have it, in the folder `tlog`. `docs/journal-format.md` says what lies where.

mod cosigned;
mod count;
mod epoch;
mod evidence;
mod head;
mod holder;
pub(crate) mod key_file;
mod recovery;
mod silence;
mod tiles;

use std::path::{Path, PathBuf};

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::{AppendError, OpenError, ReadError};
use crate::lock::Lock;
use crate::log::{CHECKPOINT, KEYS, Log, LogError, MAX_CHECKPOINT};
use crate::reader::Reader;
use crate::signer::SignerError;
use crate::tlog::{Frontier, Hash, Kind, NoteError, OpenCheckpointError, TILE_WIDTH, VerifierKey};
use crate::tlog::{dsse_envelope, tiles_of};
use crate::witnesses::WitnessesError;
pub(crate) use cosigned::COSIGNED;
pub use cosigned::{Asking, Claim, Patience, Step};
pub use count::Cosigned;
pub(crate) use evidence::FOLDER as EVIDENCE;
pub use evidence::evidence;
pub use key_file::KeyFileError;
pub use recovery::{RecoveryError, new_recovery_key};

pub(crate) use head::{Head, HeadFile, NAME as HEAD, Signed, signed_head};
use holder::Holder;
use tiles::{Growth, Public};

/// The folder with the log, in the directory of the journal.
pub(crate) const PUBLIC: &str = "tlog";
const LOCK: &str = "publish.lock";

/// Publishing failed. The records are durable all the same; the next who publishes goes on.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The signer that holds the key did not do what was asked.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The key is not here, so nothing but checkpoints can be signed.
    #[error("the key is with the signer at `{}`, which signs checkpoints and nothing else", .0.display())]
    CheckpointsAlone(PathBuf),
    /// The key cannot be moved to a signer, since it is with one already.
    #[error("the key is with the signer at `{}` already", .0.display())]
    WithSigner(PathBuf),
    /// The recovery key cannot be named or used.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The directory or a file in it cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
    /// Both copies of the last signed head are damaged, or they are gone and a checkpoint is there.
    #[error("`{}` is damaged or was taken away: which head was signed last cannot be told", .0.display())]
    Head(PathBuf),
    /// Another process wrote the head although it did not hold the lock.
    #[error("`{}` was changed by somebody who did not hold the lock", .0.display())]
    Raced(PathBuf),
    /// The journal is shorter than what was signed.
    #[error(
        "the journal holds {records} records, and {signed} were signed: records were removed, or an older copy was put in its place"
    )]
    Shrunk {
        /// How many there are.
        records: u64,
        /// How many were signed.
        signed: u64,
    },
    /// The records are others than those that were signed.
    #[error("the first {signed} records are not those that were signed: the journal was rewritten")]
    Rewritten {
        /// How many were signed.
        signed: u64,
    },
    /// A tile that is needed to go on is missing or has the wrong length.
    #[error("cannot go on with the tree: {0}")]
    Tile(String),
    /// What was published cannot be read.
    #[error("cannot read what was published")]
    Log(#[from] LogError),
    /// The record that names the next key cannot be written.
    #[error("cannot record the next key")]
    Append(#[source] Box<AppendError>),
    /// The checkpoint cannot be made.
    #[error("cannot make the checkpoint")]
    Note(#[from] NoteError),
    /// The checkpoint that is kept cannot be read.
    #[error("cannot read the checkpoint that was signed last")]
    Checkpoint(#[from] OpenCheckpointError),
    /// A witness showed that there is another log with this name and key, and nobody has looked into it yet.
    #[error(
        "a witness has seen another log of this name and key, so nothing more is signed: `{}` has both checkpoints; take that file away when you know which log is the right one",
        .0.display()
    )]
    Evidence(PathBuf),
    /// Which witnesses there are cannot be told.
    #[error("cannot tell who the witnesses of the journal are")]
    Witnesses(#[from] WitnessesError),
    /// The witnesses have not seen what is on record for too long.
    #[error(
        "no quorum of witnesses has seen the last {records} records: the last time was {seconds} s ago, and `audit witness` says within {within} s"
    )]
    Unseen {
        /// How many they have not seen.
        records: u64,
        /// How long ago they have signed.
        seconds: u64,
        /// How long ago it may be.
        within: u64,
    },
    /// The witnesses have never seen anything.
    #[error(
        "no quorum of witnesses has ever signed a checkpoint, and `audit witness` says within {within} s"
    )]
    NeverSeen {
        /// How long ago it may be.
        within: u64,
    },
}

impl PublishError {
    /// Whether it is only that no quorum of witnesses has signed lately.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        matches!(self, PublishError::Unseen { .. } | PublishError::NeverSeen { .. })
    }

    /// Whether the journal is not what was signed: then somebody changed it.
    #[must_use]
    pub fn is_evidence(&self) -> bool {
        use PublishError::{Evidence, Head, Raced, Rewritten, Shrunk, Signer};
        matches!(
            self,
            Evidence(_)
                | Head(_)
                | Raced(_)
                | Shrunk { .. }
                | Rewritten { .. }
                | Signer(SignerError::Against { .. })
        )
    }
}

/// Publishes one journal.
#[derive(Debug)]
pub struct Publisher {
    directory: Directory,
    path: PathBuf,
    lock: Lock,
    head: HeadFile,
    public: Public,
}

impl Publisher {
    /// Makes ready to publish the journal in a directory. A journal that was never published gets a key, in the name of
    /// the host.
    ///
    /// Open it before the [`Journal`](crate::Journal): then what was signed cannot be more than what that one finds.
    ///
    /// # Errors
    ///
    /// When the directory is not ours alone, the key is missing or others may read it, or the disk refuses.
    pub fn open(directory: &Path, host: &str) -> Result<Publisher, PublishError> {
        let path = directory.to_owned();
        let directory = Directory::private(directory)?;
        let lock = Lock::open(&directory, LOCK)?;
        let public = Public::new(path.join(PUBLIC));
        let has_key = directory.has(key_file::NAME)?;
        let holds = has_key || directory.has(holder::SIGNER)?;
        let changes = directory.has(key_file::NEXT)? || directory.has(holder::MOVING)?;
        if directory.has(head::NAME)? && holds && !changes {
            if has_key {
                key_file::load(&directory, key_file::NAME)?;
            }
            let head = HeadFile::open(&directory)?;
            return Ok(Publisher { directory, path, lock, head, public });
        }
        // Something is to be made or finished, by one process alone.
        let held = lock.hold()?;
        if !directory.has(head::NAME)? && !directory.has(key_file::NAME)? && !changes && !holds {
            key_file::create(&directory, key_file::NAME, &key_file::new_name(host, "waxcell", &directory)?)?;
        }
        let head = HeadFile::open(&directory)?;
        let publisher = Publisher { directory, path, lock, head, public };
        publisher.current()?;
        drop(held);
        Ok(publisher)
    }

    /// The key that checks what is signed here now.
    ///
    /// # Errors
    ///
    /// When the key cannot be used.
    pub fn verifier(&self) -> Result<VerifierKey, PublishError> {
        let _held = self.lock.hold()?;
        Ok(self.current()?.verifier())
    }

    /// Signs bytes of a type with the key of the present epoch, as a DSSE envelope: one line of JSON.
    ///
    /// # Errors
    ///
    /// When the key cannot be used, or nothing more is signed because of what a witness has seen.
    pub fn sign_envelope(&self, payload_type: &str, payload: &[u8]) -> Result<String, PublishError> {
        evidence::none(&self.path)?;
        let _held = self.lock.hold()?;
        match self.current()? {
            Holder::Key(key) => Ok(dsse_envelope(&key, payload_type, payload)),
            Holder::Signer(signer, _) => Err(PublishError::CheckpointsAlone(signer.socket())),
        }
    }

    /// How many records were signed, also as the signer says, if there is one and it answers.
    ///
    /// # Errors
    ///
    /// When the head cannot be read or is damaged.
    pub fn signed(&self) -> Result<u64, PublishError> {
        let here = self.head.read()?.map_or(0, |head| head.size());
        Ok(here.max(self.signed_elsewhere()?))
    }

    /// The folder with the log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.public.path()
    }

    /// Publishes the first `records` records, all of which must be durable: tiles, then the signed head, then the
    /// checkpoint that names it. Does nothing when as many are published already. Gives the checkpoint.
    ///
    /// # Errors
    ///
    /// See [`PublishError`]. What was done stays, and is gone on from by whoever publishes next.
    pub fn publish(&self, records: u64) -> Result<String, PublishError> {
        evidence::none(&self.path)?;
        let _held = self.lock.hold()?;
        // Another process may have begun another epoch meanwhile.
        let holder = self.current()?;
        self.show_key(&holder.verifier())?;
        self.publish_with(&holder, records)
    }

    /// Publishes, and looks also where nothing is new whether what was signed is still there.
    pub(crate) fn republish(&self, records: u64) -> Result<(), PublishError> {
        self.publish(records)?;
        let _held = self.lock.hold()?;
        let head = self.head.read()?;
        self.grow(head.as_ref(), head.as_ref().map_or(0, Head::size)).map(|_| ())
    }

    fn publish_with(&self, holder: &Holder, records: u64) -> Result<String, PublishError> {
        // What its signer has signed, whoever asked for that may have died before it was known here.
        let signed = holder.signed();
        let records = records.max(signed);
        let before = self.head.read()?;
        let before = match before {
            Some(head) => {
                // Whoever signed this one may have died before it was shown.
                self.show(&head)?;
                if head.size() >= records {
                    return Ok(head.note);
                }
                Some(head)
            }
            // No checkpoint is shown before its head is durable: whoever signs from the beginning now might sign another tree.
            None if self.public.read(CHECKPOINT, MAX_CHECKPOINT)?.is_some() => {
                return Err(PublishError::Head(self.path.join(HEAD)));
            }
            None => None,
        };

        // The tiles come first: they are nothing but what the records lead to, so those that nobody signs do no harm. A
        // crash here leaves tiles wider than the checkpoint asks for.
        let frontier = self.grow(before.as_ref(), records)?;
        if frontier.size() < signed {
            return Err(PublishError::Shrunk { records: frontier.size(), signed });
        }

        // Before the signature is seen by anybody, the head is durable. A crash before leaves what was; after it, the
        // head is ahead of the checkpoint, which is put in its place by whoever comes next.
        let note = holder.sign(&frontier, &self.public)?.to_string();
        let head = Head { before: before.as_ref().map_or(0, Head::size), frontier, note };
        self.head.replace(before.as_ref(), &head)?;
        self.show(&head)?;
        Ok(head.note)
    }

    /// Puts the checkpoint of a head into its place, and takes away what its tree has in a wider form than the one
    /// before. Does nothing where that is done.
    fn show(&self, head: &Head) -> Result<(), PublishError> {
        let shown = self.public.read(CHECKPOINT, MAX_CHECKPOINT)?;
        if shown.as_deref() != Some(head.note.as_bytes()) {
            self.public.place(CHECKPOINT, head.note.as_bytes(), false)?;
        }
        // A crash here leaves what nobody asks for.
        let parts = |size| tiles_of(size).filter(|tile| !tile.is_full());
        for part in parts(head.before).filter(|part| !parts(head.size()).any(|now| now == *part)) {
            self.public.remove(part, Kind::Hashes)?;
            if part.level == 0 {
                self.public.remove(part, Kind::Entries)?;
            }
        }
        Ok(())
    }

    /// Reads the records on from the last multiple of 256 that was signed, and writes the tiles that change.
    fn grow(&self, before: Option<&Head>, records: u64) -> Result<Frontier, PublishError> {
        let signed = before.map_or(0, Head::size);
        let start = signed - signed % u64::from(TILE_WIDTH);
        let frontier = match before {
            Some(head) => first_of(&head.frontier, start),
            None => Frontier::new(),
        };
        let mut growth = Growth::from(&self.public, frontier)?;
        let mut reader = Reader::from_index(&self.path, start)?;
        loop {
            let size = growth.frontier.size();
            if size == signed && before.is_some_and(|head| head.root() != growth.frontier.root()) {
                return Err(PublishError::Rewritten { signed });
            }
            if size >= records {
                break;
            }
            let Some(record) = reader.next().transpose()? else {
                if size >= signed {
                    break;
                }
                return Err(PublishError::Shrunk { records: size, signed });
            };
            // Records that are needed to go on were taken away.
            if record.index != size {
                return Err(PublishError::Rewritten { signed });
            }
            growth.take(record.payload, record.leaf_hash)?;
        }
        growth.finish()?;
        Ok(growth.frontier)
    }

    /// Adds the key of a new epoch to the public ones.
    fn show_key(&self, key: &VerifierKey) -> Result<(), PublishError> {
        let mut keys = self.public.read(KEYS, MAX_CHECKPOINT)?.unwrap_or_default();
        let line = format!("{key}\n");
        if keys.ends_with(line.as_bytes()) {
            return Ok(());
        }
        keys.extend_from_slice(line.as_bytes());
        self.public.place(KEYS, &keys, true)
    }

    /// The keys that may have signed a checkpoint of this log: those of its epochs, and that which ends one in their place.
    fn keys(&self) -> Result<Vec<VerifierKey>, PublishError> {
        let mut keys = self.log().keys()?;
        keys.extend(self.log().recovery()?.map(|recovery| recovery.key));
        Ok(keys)
    }

    /// The log as it is shown.
    fn log(&self) -> Log {
        Log::at(self.public.path())
    }
}

/// The state of the tree over the first `size` leaves, which is a multiple of 256 that leaves out less than 256.
fn first_of(frontier: &Frontier, size: u64) -> Frontier {
    let bytes = frontier.to_bytes();
    let whole = size_of::<u64>() + size_of::<Hash>() * size.count_ones() as usize;
    let first = [&size.to_be_bytes(), &bytes[size_of::<u64>()..whole]].concat();
    Frontier::from_bytes(&first).unwrap_or_default()
}

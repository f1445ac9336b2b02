//! A published log, as anybody who has a copy of its folder reads it: no trust in any byte.

mod fault;
mod heartbeats;
mod missing;
mod record;
mod runs;
mod seals;
mod verify;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::archive::{Archive, ArchiveError, Bundles};
use crate::disk::DiskError;
use crate::tlog::{
    BundleError, Frontier, Hash, Kind, Note, OpenCheckpointError, Proof, SignedCheckpoint, TILE_WIDTH, Tile,
    TileError, TileReader, VerifierKey, decode_bundle, inclusion_proof, leaf_hash, tile_of, verify_inclusion,
};
pub use fault::{LogFault, LogFaultKind, LogReport};
pub use heartbeats::{Gap, Moment, Promise};
pub(crate) use record::{Archived, Effect, Fields, Pruned, RECOVERY as RECOVERY_RECORD, times_of};
pub(crate) use seals::{RECOVERY, SEALS};
pub use seals::{Recovery, Seal};
pub use verify::Demands;

/// The name of the signed head in a log's folder.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// The name of the public keys, one a line, the first one first.
pub(crate) const KEYS: &str = "vkeys";

/// Longer than any checkpoint that is taken in.
pub(crate) const MAX_CHECKPOINT: u64 = 1 << 16;

/// As many bytes as the longest bundle has, and the longest tile more than that.
pub(crate) const MAX_TILE: u64 = 256 * (2 + u16::MAX as u64);

/// The folder of a log (C2SP `tlog-tiles`, entries uncompressed).
#[derive(Clone, Debug)]
pub struct Log {
    folder: PathBuf,
    /// Where records may be that are not in the folder any more.
    archive: Option<Archive>,
}

/// A log could not be read, so nothing can be said about it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no checkpoint.
    #[error("there is no log in `{}`: no checkpoint", .0.display())]
    NoLog(PathBuf),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The checkpoint cannot be trusted.
    #[error("the checkpoint in `{}` cannot be trusted", folder.display())]
    Checkpoint {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: OpenCheckpointError,
    },
    /// A tile that is needed is missing or has the wrong length.
    #[error("cannot read the tree in `{}`: {what}", folder.display())]
    Tile {
        /// The folder.
        folder: PathBuf,
        /// Which, and what is wrong.
        what: String,
    },
    /// A bundle that is needed is not one.
    #[error("`{path}` is no bundle")]
    Bundle {
        /// Its path in the folder.
        path: String,
        /// What is wrong.
        source: BundleError,
    },
    /// The seal of an epoch is none.
    #[error("the seal of epoch {epoch} is none: {what}")]
    Seal {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        what: String,
    },
    /// What names the recovery key does not.
    #[error("what names the recovery key does not: {0}")]
    Recovery(String),
    /// The record was taken away, and its archive is not here or cannot be read.
    #[error(
        "record {index} lies in an archive{}", why.as_ref().map_or(", which is not here".to_owned(), |why| format!(": {why}"))
    )]
    Archived {
        /// The record.
        index: u64,
        /// Why the archive cannot be read, where it is here.
        why: Option<String>,
    },
    /// The tree is smaller.
    #[error("the log has {size} records, so there is no record {index}")]
    NoSuchRecord {
        /// The record.
        index: u64,
        /// How many there are.
        size: u64,
    },
}

impl Log {
    /// The log in a folder. Nothing is read yet.
    #[must_use]
    pub fn at(folder: &Path) -> Log {
        Log { folder: folder.to_owned(), archive: None }
    }

    /// The same log, whose older records may lie in archives.
    #[must_use]
    pub fn with_archive(self, archive: Archive) -> Log {
        Log { archive: Some(archive), ..self }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The signed head, checked by the keys of the log that are known: that of the present epoch, or of one before, which
    /// the seals lead on from.
    ///
    /// # Errors
    ///
    /// When there is none, or none of the keys has signed it.
    pub fn checkpoint(&self, keys: &[VerifierKey]) -> Result<SignedCheckpoint, LogError> {
        let note =
            self.read(CHECKPOINT, MAX_CHECKPOINT)?.ok_or_else(|| LogError::NoLog(self.folder.clone()))?;
        let (seals, recovery) = (self.seals()?, self.recovery()?);
        seals::open(&note, &seals, recovery.as_ref(), keys)
            .map_err(|source| LogError::Checkpoint { folder: self.folder.clone(), source })
    }

    /// The public keys that lie beside the log, the first one first: as much to be trusted as the folder is.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn keys(&self) -> Result<Vec<VerifierKey>, LogError> {
        let text = self.read(KEYS, MAX_CHECKPOINT)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// One record as it stands in its bundle. Whether it is in the tree a proof tells.
    ///
    /// # Errors
    ///
    /// When there is no such record among `size`, or its bundle is not there or is none.
    pub fn record(&self, index: u64, size: u64) -> Result<Vec<u8>, LogError> {
        let none = LogError::NoSuchRecord { index, size };
        let tile = tile_of(size, 0, index / u64::from(TILE_WIDTH)).ok_or(none)?;
        let bundle = match self.read(&tile.path(Kind::Entries), MAX_TILE)? {
            None if tile.is_full() => self.archived(index)?,
            bundle => bundle.ok_or_else(|| self.missing(tile))?,
        };
        let path = tile.path(Kind::Entries);
        let entries =
            decode_bundle(&bundle, tile.width).map_err(|source| LogError::Bundle { path, source })?;
        let at = (index % u64::from(TILE_WIDTH)) as usize;
        Ok(entries.get(at).ok_or(LogError::NoSuchRecord { index, size })?.to_vec())
    }

    /// The proof that a record is in the log, with the record in it: by the seal of its epoch, where that is over, so that it
    /// is proved by the key of then; else by the signed head.
    ///
    /// # Errors
    ///
    /// When there is no such record, or tiles are missing.
    pub fn prove(&self, index: u64, signed: &SignedCheckpoint) -> Result<Proof, LogError> {
        let size = signed.checkpoint.size();
        if index >= size {
            return Err(LogError::NoSuchRecord { index, size });
        }
        let sealed = self.seals()?.into_iter().find(|seal| index < seal.size);
        let (of, note) = sealed.map_or((size, signed.note.clone()), |seal| (seal.size, seal.note));
        self.prove_in(index, of, &note, size)
    }

    /// The proof that a record is among the first `of`, which a checkpoint has, of `size` that there are.
    pub(crate) fn prove_in(&self, index: u64, of: u64, note: &Note, size: u64) -> Result<Proof, LogError> {
        let path = self.inclusion(index, of, size)?;
        Ok(Proof { extra: Some(self.record(index, size)?), index, path, checkpoint: note.to_string() })
    }

    /// The hashes that lead from a record to the root over the first `of` records, of `size` that there are.
    fn inclusion(&self, index: u64, of: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        let mut tiles = TileReader::new(of, |path| {
            // Of a tree of before, the parts of tiles may be gone: those of today begin with them.
            match (self.read(path, MAX_TILE)?, Tile::at(path)) {
                (None, Some((kind, tile))) => {
                    let today =
                        tile_of(size, tile.level, tile.index).filter(|today| today.width > tile.width);
                    let wider =
                        today.map(|today| self.read(&today.path(kind), MAX_TILE)).transpose()?.flatten();
                    Ok(wider.map(|mut bytes| {
                        bytes.truncate(usize::from(tile.width) * size_of::<Hash>());
                        bytes
                    }))
                }
                (found, _) => Ok(found),
            }
        });
        inclusion_proof(index, of, &mut |node| tiles.node(node)).map_err(|error| match error {
            TileError::Read(error) => LogError::Disk(error),
            other => LogError::Tile { folder: self.folder.clone(), what: other.to_string() },
        })
    }

    fn missing(&self, tile: Tile) -> LogError {
        let what = format!("`{}` is missing", tile.path(Kind::Entries));
        LogError::Tile { folder: self.folder.clone(), what }
    }

    /// The bundle of a record, out of an archive.
    fn archived(&self, index: u64) -> Result<Vec<u8>, LogError> {
        let told = |why: ArchiveError| LogError::Archived { index, why: Some(why.to_string()) };
        let packed = match &self.archive {
            Some(archive) => {
                let (mut bundles, _) = Bundles::of(archive).map_err(told)?;
                bundles.get(index / u64::from(TILE_WIDTH)).map_err(told)?
            }
            None => None,
        };
        Ok(packed.ok_or(LogError::Archived { index, why: None })?.bytes)
    }

    /// Reads something of the tree that was signed. While others publish, parts of tiles give way to wider ones under our eyes:
    /// then it is read again, of the tree that is signed by then.
    pub(crate) fn settled<T>(
        &self,
        signed: &mut SignedCheckpoint,
        read: impl Fn(&SignedCheckpoint) -> Result<T, ArchiveError>,
    ) -> Result<T, ArchiveError> {
        const ATTEMPTS: usize = 5;
        for _ in 1..ATTEMPTS {
            match read(signed) {
                Err(ArchiveError::Log(LogError::Tile { .. })) => *signed = self.checkpoint(&self.keys()?)?,
                done => return done,
            }
        }
        read(signed)
    }

    /// A full bundle of the folder, whose records are those that were signed.
    pub(crate) fn signed_bundle(
        &self,
        bundle: u64,
        signed: &SignedCheckpoint,
    ) -> Result<Vec<u8>, ArchiveError> {
        let tile = Tile { level: 0, index: bundle, width: TILE_WIDTH };
        let bytes = self.read(&tile.path(Kind::Entries), MAX_TILE)?.ok_or_else(|| self.missing(tile))?;
        self.check_bundle(bundle, &bytes, signed)?;
        Ok(bytes)
    }

    /// Makes sure that the records of a full bundle are those that were signed: their hashes are those of the tile, and
    /// these lead to the root.
    pub(crate) fn check_bundle(
        &self,
        bundle: u64,
        bytes: &[u8],
        signed: &SignedCheckpoint,
    ) -> Result<(), ArchiveError> {
        let tile = Tile { level: 0, index: bundle, width: TILE_WIDTH };
        let first = bundle * u64::from(TILE_WIDTH);
        let path = tile.path(Kind::Entries);
        let entries = decode_bundle(bytes, TILE_WIDTH).map_err(|source| LogError::Bundle { path, source })?;
        let hashes = self.read(&tile.path(Kind::Hashes), MAX_TILE)?.unwrap_or_default();
        let hashes: &[Hash] = hashes.as_chunks().0;
        for (at, entry) in (0..).zip(entries) {
            if hashes.get(at) != Some(&leaf_hash(entry)) {
                return Err(ArchiveError::Unsigned { index: first + at as u64 });
            }
        }
        let size = signed.checkpoint.size();
        let unsigned = ArchiveError::Unsigned { index: first };
        // All other hashes of the tile are on the way.
        let path = self.inclusion(first, size, size)?;
        let leaf = hashes.first().copied().unwrap_or_default();
        verify_inclusion(&leaf, first, size, signed.checkpoint.root(), &path).map_err(|_| unsigned)
    }

    /// The root of the tree over the first `of` records, a multiple of 256, of `size` that there are.
    pub(crate) fn root_of(&self, of: u64, size: u64) -> Result<Hash, LogError> {
        Ok(self.frontier_of(of, size)?.root())
    }

    /// The state of that tree.
    pub(crate) fn frontier_of(&self, of: u64, size: u64) -> Result<Frontier, LogError> {
        let mut tiles = TileReader::new(size, |path| self.read(path, MAX_TILE));
        Frontier::read(of, &mut |node| tiles.node(node)).map_err(|error| match error {
            TileError::Read(error) => LogError::Disk(error),
            other => LogError::Tile { folder: self.folder.clone(), what: other.to_string() },
        })
    }

    /// What lies at a path of the folder, at most so many bytes of it; nothing where there is no plain file.
    fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
        read_file(&self.folder.join(path), most)
    }
}

/// The content of a plain file, if it is there; what is longer than `most` is cut behind the next byte, so that it shows.
pub(crate) fn read_file(path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |error| DiskError::new("read", path, error);
    // Without waiting, should it be a FIFO.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = match fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        file => file.map_err(failed)?,
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

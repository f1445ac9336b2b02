//! Archives: records that are old, packed, so that they need not lie in the journal and in bundles any more.
//!
//! An archive is two files: the records of whole bundles in their order, compressed, and a manifest that says which and
//! how many bytes. What makes it believable is neither: it is the tree, whose hashes stay where they are.

mod history;
mod manifest;
mod pack;
mod unpack;

use std::path::{Path, PathBuf};

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::{OpenError, ReadError};
use crate::log::{LogError, read_file};
use crate::tlog::TILE_WIDTH;

pub use history::History;
pub(crate) use manifest::MAX_MANIFEST;
pub use manifest::Manifest;
pub(crate) use pack::pack;
pub(crate) use unpack::{Packed, Unpacking};

/// Where archives are kept if nobody says otherwise, in the directory of the journal.
pub const ARCHIVE: &str = "archive";

/// How many records a bundle has.
pub(crate) const BUNDLE: u64 = TILE_WIDTH as u64;

/// A folder of archives.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

/// An archive cannot be made, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The folder or a file in it cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The folder cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What is to be archived cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The manifest is none.
    #[error("`{file}` is no manifest: {what}")]
    Manifest {
        /// Its name.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The archive is not what its manifest says.
    #[error("`{file}` is damaged: {what}")]
    Damaged {
        /// Its name.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// What is to be archived, or was archived, is not what was signed.
    #[error("record {index} is not the one that was signed: `waxcell audit verify` says more")]
    Unsigned {
        /// The record.
        index: u64,
    },
    /// A record names an object that is not there, or is something else.
    #[error(
        "what record {index} names for all of it is missing or changed: `waxcell audit verify` says more"
    )]
    Object {
        /// The record.
        index: u64,
    },
    /// The records are larger than what an archive takes.
    #[error("the records from {first} on are too large for an archive")]
    TooLarge {
        /// The first of them.
        first: u64,
    },
}

impl Archive {
    /// The archives in a folder. Nothing is read yet; it need not be there.
    #[must_use]
    pub fn at(folder: &Path) -> Archive {
        Archive { folder: folder.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The manifests in the folder, by their first record, and what is there under the name of one and is none.
    pub(crate) fn manifests(&self) -> Result<(Vec<Manifest>, Vec<ArchiveError>), ArchiveError> {
        let directory = match Directory::to_read(&self.folder) {
            Err(ReadError::NotAJournal(_)) => return Ok((Vec::new(), Vec::new())),
            directory => directory?,
        };
        let (mut manifests, mut wrong) = (Vec::new(), Vec::new());
        for name in directory.names()?.iter().filter(|name| Manifest::is_named(name)) {
            let bytes = read_file(&self.folder.join(name), MAX_MANIFEST)?.unwrap_or_default();
            match Manifest::parse(name, &bytes) {
                Ok(manifest) => manifests.push(manifest),
                Err(error) => wrong.push(error),
            }
        }
        manifests.sort_unstable_by_key(|manifest| (manifest.first, manifest.last));
        Ok((manifests, wrong))
    }

    /// Reads what an archive holds.
    pub(crate) fn unpack(&self, manifest: &Manifest) -> Result<Unpacking, ArchiveError> {
        let damaged = |what: &str| ArchiveError::Damaged { file: manifest.file(), what: what.to_owned() };
        let directory = Directory::to_read(&self.folder)?;
        let file = directory.open_to_read(&manifest.file())?.ok_or_else(|| damaged("it is missing"))?;
        Unpacking::begin(manifest.clone(), file)
    }
}

/// Bundles out of archives, best asked for from left to right.
#[derive(Debug)]
pub(crate) struct Bundles {
    archive: Archive,
    /// All that were here.
    all: Vec<Manifest>,
    /// Those that can still be asked.
    manifests: Vec<Manifest>,
    open: Option<Unpacking>,
}

impl Bundles {
    /// Of these archives, and what is wrong with the manifests of others.
    pub(crate) fn of(archive: &Archive) -> Result<(Bundles, Vec<ArchiveError>), ArchiveError> {
        let (manifests, wrong) = archive.manifests()?;
        let all = manifests.clone();
        Ok((Bundles { archive: archive.clone(), all, manifests, open: None }, wrong))
    }

    /// The manifests of all of them.
    pub(crate) fn all(&self) -> &[Manifest] {
        &self.all
    }

    /// The first bundle from this one on that an archive has.
    pub(crate) fn begin_at(&self, bundle: u64) -> Option<u64> {
        let ahead = self.all.iter().filter(|one| one.end() > bundle * BUNDLE);
        ahead.map(|one| (one.first / BUNDLE).max(bundle)).min()
    }

    /// The bundle with this number, if an archive has it. An archive that is damaged is not asked again.
    pub(crate) fn get(&mut self, bundle: u64) -> Result<Option<Packed>, ArchiveError> {
        while let Some(manifest) = self.manifests.iter().find(|manifest| manifest.has(bundle)).cloned() {
            let is_open = self.open.as_ref().is_some_and(|open| open.is_before(&manifest, bundle));
            if !is_open {
                self.open = None;
                self.open = Some(self.archive.unpack(&manifest).inspect_err(|_| {
                    self.manifests.retain(|other| *other != manifest);
                })?);
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            loop {
                match open.next() {
                    Ok(Some(packed)) if packed.bundle == bundle => return Ok(Some(packed)),
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        self.open = None;
                        self.manifests.retain(|other| *other != manifest);
                        return Err(error);
                    }
                }
            }
            self.manifests.retain(|other| *other != manifest);
        }
        Ok(None)
    }
}

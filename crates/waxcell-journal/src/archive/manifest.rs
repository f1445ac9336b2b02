//! The manifest of an archive: which records it has, and how many bytes.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ArchiveError, BUNDLE};
use crate::chain::hex;
use crate::tlog::{Hash, MAX_SIZE, to_canonical};

/// Longer than any manifest.
pub(crate) const MAX_MANIFEST: u64 = 1 << 14;

/// The most records that one archive has: those below one hash of the second level of tiles.
pub(crate) const MOST_RECORDS: u64 = BUNDLE * BUNDLE;

/// The most bytes that an archive has when it is unpacked.
pub(crate) const MOST_BYTES: u64 = u32::MAX as u64;

/// The version of the form.
const FORM: u64 = 1;

/// What an archive is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    v: u64,
    /// Its first record: a multiple of 256.
    pub first: u64,
    /// Its last record, the last one of a bundle.
    pub last: u64,
    /// How many bytes it has when it is unpacked.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
    /// How many bytes its file has.
    pub packed_bytes: u64,
    /// Their SHA-256.
    pub packed_sha256: String,
    /// The root of the tree of all records up to the last one.
    pub root: String,
    /// A signed checkpoint under which the records lie.
    pub checkpoint: String,
}

/// What of an archive is not measured when it is packed.
pub(super) struct Origin<'a> {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) root: Hash,
    pub(super) checkpoint: &'a str,
}

impl Manifest {
    pub(super) fn new(origin: &Origin<'_>, plain: &[u8], packed: &[u8]) -> Manifest {
        Manifest {
            v: FORM,
            first: origin.first,
            last: origin.last,
            bytes: plain.len() as u64,
            sha256: hex(&Sha256::digest(plain)),
            packed_bytes: packed.len() as u64,
            packed_sha256: hex(&Sha256::digest(packed)),
            root: hex(&origin.root),
            checkpoint: origin.checkpoint.to_owned(),
        }
    }

    /// Whether a file of this name should be a manifest.
    pub(super) fn is_named(name: &str) -> bool {
        name.strip_suffix(".json").and_then(|name| name.split_once('-')).is_some_and(|(first, last)| {
            [first, last].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        })
    }

    pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Manifest, ArchiveError> {
        let wrong = |what: String| ArchiveError::Manifest { file: name.to_owned(), what };
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(wrong("it is too long".to_owned()));
        }
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let Manifest { v, first, last, bytes: plain, .. } = manifest;
        let is_range = first % BUNDLE == 0
            && last < MAX_SIZE
            && first <= last
            && (last + 1).is_multiple_of(BUNDLE)
            && last - first < MOST_RECORDS;
        match () {
            () if v != FORM => Err(wrong(format!("its version is {v}, and {FORM} is known here"))),
            () if !is_range => Err(wrong(format!("records {first} to {last} are no range of bundles"))),
            () if plain > MOST_BYTES => Err(wrong("it says that the archive is too large".to_owned())),
            () if manifest.name() != name => Err(wrong("its name is that of other records".to_owned())),
            () if manifest.to_bytes() != bytes => Err(wrong("it is not in canonical form".to_owned())),
            () => Ok(manifest),
        }
    }

    /// The bytes of its file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut bytes = to_canonical(&value).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The SHA-256 of its file, which the journal has on record.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.to_bytes()).into()
    }

    /// The name of its file.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:012}-{:012}.json", self.first, self.last)
    }

    /// The name of the file with the records.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{:012}-{:012}.zst", self.first, self.last)
    }

    /// How many records there are up to its last one.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.last + 1
    }

    pub(crate) fn has(&self, bundle: u64) -> bool {
        (self.first / BUNDLE..self.end() / BUNDLE).contains(&bundle)
    }
}

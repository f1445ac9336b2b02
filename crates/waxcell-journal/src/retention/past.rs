//! What was decided about old records so far, as the journal has it.

use std::collections::HashSet;
use std::path::Path;

use crate::archive::Manifest;
use crate::chain::hex;
use crate::error::ReadError;
use crate::log::{Archived, Pruned};
use crate::reader::Reader;

#[derive(Debug, Default)]
pub(super) struct Past {
    /// The hashes of the manifests on record.
    manifests: HashSet<String>,
    /// All records before this one were taken away, or are about to be.
    pub(super) pruned: u64,
}

impl Past {
    /// All of it. The records that tell are younger than what they tell of, so they are there.
    pub(super) fn read(journal: &Path) -> Result<Past, ReadError> {
        Past::below(journal, u64::MAX)
    }

    /// Up to which record all were to be taken away, by the first `size` records, which are signed.
    pub(super) fn signed(journal: &Path, size: u64) -> Result<u64, ReadError> {
        Ok(Past::below(journal, size)?.pruned)
    }

    fn below(journal: &Path, size: u64) -> Result<Past, ReadError> {
        let mut past = Past::default();
        for record in Reader::open(journal)? {
            let record = record?;
            if record.index >= size {
                break;
            }
            if let Some(Archived { manifest, .. }) = Archived::of(&record.payload) {
                past.manifests.insert(manifest);
            }
            if let Some(Pruned { before }) =
                Pruned::of(&record.payload).filter(|it| it.before <= record.index)
            {
                past.pruned = past.pruned.max(before);
            }
        }
        Ok(past)
    }

    pub(super) fn has(&self, manifest: &Manifest) -> bool {
        self.manifests.contains(&hex(&manifest.hash()))
    }
}

//! What a witness showed that this journal cannot have signed. Until somebody has looked, nothing more is signed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::PublishError;
use crate::directory::Directory;
use crate::disk::DiskError;
use crate::whole;

pub(crate) const FOLDER: &str = "evidence";

/// What a witness has shown against the journal in a directory, if anything.
///
/// # Errors
///
/// When the disk refuses.
pub fn evidence(journal: &Path) -> Result<Option<PathBuf>, DiskError> {
    let folder = journal.join(FOLDER);
    let failed = |error| DiskError::new("list", &folder, error);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        // What was being written when its writer died will be shown again.
        if path.extension().is_none_or(|end| end != "tmp") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Makes sure that there is none.
pub(super) fn none(journal: &Path) -> Result<(), PublishError> {
    evidence(journal)?.map_or(Ok(()), |path| Err(PublishError::Evidence(path)))
}

/// Keeps a text under a name.
pub(super) fn keep(journal: &Path, name: &str, text: &str) -> Result<PathBuf, PublishError> {
    let folder = Directory::private(&journal.join(FOLDER))?;
    whole::place(&folder, name, text.as_bytes())?;
    Ok(folder.path_of(name))
}

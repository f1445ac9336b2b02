//! Which files are looked at.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::settings::Excluded;

/// Folders in which no code of the project lies: version control, caches, environments, build results.
const SKIPPED: [&str; 14] = [
    ".bzr",
    ".eggs",
    ".git",
    ".hg",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "CVS",
    "__pycache__",
    "node_modules",
];

/// A file to look at.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Why it, or the folder that it stands for, cannot be read.
    pub(super) error: Option<String>,
}

/// Files that are named, whatever their names; of folders all `*.py` and `*.pyw` below, in the order of their names,
/// without what is excluded: by its path, or by its name anywhere. Links to folders are not followed.
pub(super) fn below(paths: &[PathBuf], exclude: &Excluded) -> Vec<Found> {
    let mut found = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => walk(path, exclude, &mut found),
            Ok(_) => found.push(Found { path: path.clone(), error: None }),
            Err(error) => found.push(Found { path: path.clone(), error: Some(error.to_string()) }),
        }
    }
    found
}

/// Without recursion: a tree may be deeper than our stack.
fn walk(folder: &Path, exclude: &Excluded, found: &mut Vec<Found>) {
    let mut ahead = vec![(folder.to_owned(), true)];
    while let Some((path, is_folder)) = ahead.pop() {
        if !is_folder {
            found.push(Found { path, error: None });
            continue;
        }
        let entries = fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                found.push(Found { path, error: Some(error.to_string()) });
                continue;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries.into_iter().rev() {
            let (path, name) = (path.join(entry.file_name()), entry.file_name());
            let is_excluded = exclude.has(&path);
            let kind = entry.file_type();
            let is_folder = kind.as_ref().is_ok_and(fs::FileType::is_dir);
            let is_skipped = is_folder && SKIPPED.iter().any(|skipped| name == *skipped);
            let is_python = path.extension().is_some_and(|end| end == "py" || end == "pyw");
            if !is_excluded && !is_skipped && (is_folder || (is_python && !path.is_dir())) {
                ahead.push((path, is_folder));
            }
        }
    }
}

/// The first `most` bytes of a file; a FIFO or a device is none.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    // Without waiting for somebody who writes into a FIFO.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let read = opened.and_then(|file| {
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::new(ErrorKind::InvalidInput, "not a file"));
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    read.map_err(|error| error.to_string())
}

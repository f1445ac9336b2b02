//! Which files a run created, changed and removed: the writable paths by name before, by the kernel's own change times
//! after.
//!
//! Somebody else who writes to the same paths at the same time is not told apart.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, Timespec};
use serde::Serialize;

/// Entries that are looked at; beyond, the list says that it is not whole.
const MOST_ENTRIES: usize = 200_000;
/// Folders within folders that are followed.
const DEEPEST: usize = 256;

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was not there before.
    Created,
    /// It was there, and its content or attributes changed, or another file took its place.
    Changed,
    /// It is not there any more.
    Removed,
}

/// One file and what happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its path on the host; bytes that are no text are shown as replacement characters.
    pub path: String,
    /// What happened.
    pub change: Kind,
    /// Its size now, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// The names that were there before.
#[derive(Debug)]
pub(crate) struct Before {
    roots: Vec<PathBuf>,
    names: BTreeMap<PathBuf, ()>,
    since: Timespec,
    whole: bool,
}

/// What became of them.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) list: Vec<Change>,
    /// Whether everything could be looked at.
    pub(crate) whole: bool,
}

impl Before {
    /// Notes the names below the writable paths.
    pub(crate) fn note(roots: Vec<PathBuf>) -> Before {
        // The clock that file systems stamp with.
        let since = rustix::time::clock_gettime(ClockId::RealtimeCoarse);
        let mut names = BTreeMap::new();
        let whole = walk(&roots, &mut |path| {
            names.insert(path, ());
        });
        Before { roots, names, since, whole }
    }

    /// Compares with what is there now.
    pub(crate) fn compare(self) -> Changes {
        let Before { roots, mut names, since, whole: whole_before } = self;
        let mut list = Vec::new();
        let whole = walk(&roots, &mut |path| {
            let known = names.remove(&path).is_some();
            let Ok(meta) = fs::symlink_metadata(&path) else { return };
            let touched = (meta.ctime(), meta.ctime_nsec()) >= (since.tv_sec, since.tv_nsec);
            let change = match (known, touched) {
                (true, false) => return,
                (true, true) => Kind::Changed,
                (false, _) => Kind::Created,
            };
            list.push(Change { path: path.to_string_lossy().into_owned(), change, size: Some(meta.len()) });
        });
        list.extend(names.into_keys().map(|path| Change {
            path: path.to_string_lossy().into_owned(),
            change: Kind::Removed,
            size: None,
        }));
        list.sort_by(|a, b| a.path.cmp(&b.path));
        Changes { list, whole: whole && whole_before }
    }
}

/// Calls `each` for every file (not folder) below the roots, following no link. Returns whether that was all.
fn walk(roots: &[PathBuf], each: &mut dyn FnMut(PathBuf)) -> bool {
    let mut left = MOST_ENTRIES;
    roots.iter().all(|root| match fs::symlink_metadata(root) {
        Ok(meta) if meta.is_dir() => walk_folder(root, 0, &mut left, each),
        Ok(_) => {
            each(root.clone());
            true
        }
        Err(_) => true,
    })
}

fn walk_folder(folder: &Path, depth: usize, left: &mut usize, each: &mut dyn FnMut(PathBuf)) -> bool {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return error.kind() != std::io::ErrorKind::PermissionDenied,
    };
    let mut whole = true;
    for entry in entries.flatten() {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                whole &= depth < DEEPEST && walk_folder(&entry.path(), depth + 1, left, each);
            }
            Ok(_) => each(entry.path()),
            Err(_) => whole = false,
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_changed_and_removed_are_told_apart_and_the_rest_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["same", "changed", "replaced", "removed"] {
            fs::write(at(name), name).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        let before = Before::note(vec![dir.path().to_owned()]);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/new"), "12345").unwrap();
        fs::write(at("changed"), "other").unwrap();
        fs::write(at("tmp"), "t").unwrap();
        fs::rename(at("tmp"), at("replaced")).unwrap();
        fs::remove_file(at("removed")).unwrap();
        let changes = before.compare();
        let short: Vec<_> = changes
            .list
            .iter()
            .map(|c| (c.path.rsplit('/').next().unwrap().to_owned(), c.change, c.size))
            .collect();
        assert_eq!(
            short,
            [
                ("changed".to_owned(), Kind::Changed, Some(5)),
                ("removed".to_owned(), Kind::Removed, None),
                ("replaced".to_owned(), Kind::Changed, Some(1)),
                ("new".to_owned(), Kind::Created, Some(5)),
            ]
        );
        assert!(changes.whole);
    }
}

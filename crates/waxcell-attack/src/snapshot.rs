//! The files of an attempt's place, before and after.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More files than this are not looked at.
const MOST: usize = 50_000;
/// Deeper folders are not looked into.
const DEEPEST: usize = 128;
/// Content is compared and searched up to here.
const CONTENT: u64 = 1 << 20;

/// What each file was at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    owner: (u32, u32),
    /// Of what is no folder: a folder's change with its entries, which are looked at themselves.
    links: u64,
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    content: Vec<u8>,
}

impl Snapshot {
    /// Looks at everything below a folder but these.
    pub(crate) fn of(root: &Path, without: &[PathBuf]) -> Snapshot {
        let mut files = BTreeMap::new();
        let mut folders = vec![(root.to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if files.len() >= MOST || without.contains(&path) {
                    continue;
                }
                let Ok(meta) = path.symlink_metadata() else { continue };
                if meta.is_dir() && depth < DEEPEST {
                    folders.push((path.clone(), depth + 1));
                }
                files.insert(path.clone(), Entry::of(&path, &meta));
            }
        }
        Snapshot(files)
    }

    /// Whether there was something of this name.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    /// What is different about a file now.
    pub(crate) fn change(&self, after: &Snapshot, path: &Path) -> Option<String> {
        let before = self.0.get(path)?;
        let Some(after) = after.0.get(path) else { return Some("is gone".to_owned()) };
        let (kind, permissions) = (0o170_000, 0o7777);
        let what = if before.mode & kind != after.mode & kind || before.inode != after.inode {
            "is another file"
        } else if before.content != after.content || before.size != after.size {
            "has another content"
        } else if before.mode & permissions != after.mode & permissions {
            "has another mode"
        } else if before.owner != after.owner {
            "has another owner"
        } else if before.links != after.links {
            "has another number of names"
        } else if before.modified != after.modified {
            "was written to, or has another time"
        } else if before.changed != after.changed {
            "has other attributes"
        } else {
            return None;
        };
        Some(what.to_owned())
    }

    /// Files below a folder that are new.
    pub(crate) fn new_below<'a>(
        &'a self,
        after: &'a Snapshot,
        folder: &'a Path,
    ) -> impl Iterator<Item = &'a Path> {
        let names = after.0.keys().map(PathBuf::as_path);
        names.filter(move |path| path.starts_with(folder) && *path != folder && !self.has(path))
    }

    /// A file at or below a path with a set-user-id or set-group-id bit that it had not.
    pub(crate) fn set_id<'a>(&self, after: &'a Snapshot, path: &Path) -> Option<&'a Path> {
        let has = |entry: &Entry| entry.mode & 0o6000 != 0;
        let mut below = after.0.iter().filter(|(file, _)| file.starts_with(path));
        let found = below.find(|(file, entry)| has(entry) && !self.0.get(*file).is_some_and(has));
        found.map(|(file, _)| file.as_path())
    }

    /// Something new below a folder that belongs to another user or group.
    pub(crate) fn foreign<'a>(
        &self,
        after: &'a Snapshot,
        folder: &Path,
        owner: (u32, u32),
    ) -> Option<&'a Path> {
        let mut below = after.0.iter().filter(|(file, _)| file.starts_with(folder) && !self.has(file));
        below.find(|(_, entry)| entry.owner != owner).map(|(file, _)| file.as_path())
    }

    /// New or changed files that have this text in them.
    pub(crate) fn loot(&self, after: &Snapshot, text: &str) -> Option<PathBuf> {
        let held = |entry: &Entry| holds(&entry.content, text);
        let found = after.0.iter().find(|(path, entry)| held(entry) && !self.0.get(*path).is_some_and(held));
        found.map(|(path, _)| path.clone())
    }
}

/// Whether bytes have a text in them.
pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

impl Entry {
    fn of(path: &Path, meta: &fs::Metadata) -> Entry {
        let folder = meta.is_dir();
        let content = if meta.is_file() && meta.len() <= CONTENT {
            fs::read(path).unwrap_or_default()
        } else {
            // A link's content is where it leads.
            fs::read_link(path).map(|link| link.into_os_string().into_encoded_bytes()).unwrap_or_default()
        };
        Entry {
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            links: if folder { 0 } else { meta.nlink() },
            size: if folder { 0 } else { meta.len() },
            inode: meta.ino(),
            modified: if folder { (0, 0) } else { (meta.mtime(), meta.mtime_nsec()) },
            changed: if folder { (0, 0) } else { (meta.ctime(), meta.ctime_nsec()) },
            content,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_change_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let look = || Snapshot::of(folder.path(), &[]);
        let check = |change: &dyn Fn(), expected: Option<&str>| {
            let _ = fs::remove_file(&path);
            fs::write(&path, "one").expect("a file");
            let before = look();
            change();
            assert_eq!(before.change(&look(), &path).as_deref(), expected);
        };
        check(&|| {}, None);
        check(&|| fs::write(&path, "two").expect("written"), Some("has another content"));
        check(&|| fs::remove_file(&path).expect("removed"), Some("is gone"));
        check(
            &|| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode"),
            Some("has another mode"),
        );
        check(
            &|| fs::hard_link(&path, folder.path().join("other")).expect("link"),
            Some("has another number of names"),
        );
    }

    #[test]
    fn loot_is_what_was_not_there_before() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("planted"), "a secret").expect("a file");
        let before = Snapshot::of(folder.path(), &[]);
        assert_eq!(before.loot(&before, "secret"), None);
        let copy = folder.path().join("sub");
        fs::create_dir(&copy).expect("a folder");
        fs::write(copy.join("copy"), "a secret").expect("a file");
        let after = Snapshot::of(folder.path(), &[]);
        assert_eq!(before.loot(&after, "secret"), Some(copy.join("copy")));
        assert_eq!(before.new_below(&after, folder.path()).count(), 2);
        let skipped = Snapshot::of(folder.path(), std::slice::from_ref(&copy));
        assert_eq!(before.new_below(&skipped, folder.path()).count(), 0);
    }
}

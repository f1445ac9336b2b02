//! Which files a run created, changed and removed: the writable paths by name before, by the kernel's own change times
//! after.
//!
//! Somebody else who writes to the same paths at the same time is not told apart.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::time::{ClockId, Timespec};
use serde::Serialize;

/// Folders within folders that are followed.
const DEEPEST: usize = 256;

/// How much is looked at; beyond, a list says that it is not whole. Names count as well: whoever makes 200,000 files in a
/// folder whose path is a hundred times as long as others' would else have all of it held in memory.
pub(crate) struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    pub(crate) const fn new() -> Room {
        Room { entries: 200_000, bytes: 64 << 20 }
    }

    /// Takes the room of one more entry; false: there is none left.
    pub(crate) fn take(&mut self, name: usize) -> bool {
        let left = self.entries.checked_sub(1).zip(self.bytes.checked_sub(name));
        if let Some((entries, bytes)) = left {
            *self = Room { entries, bytes };
        }
        left.is_some()
    }
}

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

/// The names that were there before, and which file each was: that of another can be given to a file without a trace in
/// either, by renaming a folder above it.
#[derive(Debug)]
pub(crate) struct Before {
    roots: Vec<PathBuf>,
    names: BTreeMap<PathBuf, Known>,
    since: Timespec,
    whole: bool,
}

/// What there was under a name.
#[derive(Clone, Copy, Debug)]
struct Known {
    inode: u64,
    is_folder: bool,
}

/// Whether a path was there when its roots were noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Was {
    Absent,
    /// With this inode.
    There(u64),
    /// Not everything could be noted.
    Unknown,
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
        let whole = walk(&roots, &mut |path, known, _| {
            names.insert(path, known);
            true
        });
        Before { roots, names, since, whole }
    }

    /// What a path was; of one that is not at or below a root nothing is known.
    pub(crate) fn was(&self, path: &Path) -> Was {
        match self.names.get(path) {
            Some(known) => Was::There(known.inode),
            None if self.whole && self.roots.iter().any(|root| path.starts_with(root)) => Was::Absent,
            None => Was::Unknown,
        }
    }

    /// Whether something that is there now was changed after that.
    pub(crate) fn is_older_than(&self, stat: &Stat) -> bool {
        is_touched(stat, self.since)
    }

    /// Compares with what is there now.
    pub(crate) fn compare(self) -> Changes {
        let Before { roots, mut names, since, whole: whole_before } = self;
        let mut list = Vec::new();
        let whole = walk(&roots, &mut |path, now, stat| {
            // A file can have taken the place of a folder, and a folder that of a file.
            let known = names.get(&path).filter(|known| known.is_folder == now.is_folder).copied();
            if known.is_some() {
                names.remove(&path);
            }
            if now.is_folder {
                return true;
            }
            let stat = match stat() {
                Ok(stat) => stat,
                Err(errno) => return errno == Errno::NOENT,
            };
            let change = match known {
                Some(known) if known.inode == now.inode && !is_touched(&stat, since) => return true,
                Some(_) => Kind::Changed,
                None => Kind::Created,
            };
            list.push(Change::new(&path, change, Some(stat.st_size as u64)));
            true
        });
        let removed = names.into_iter().filter(|(_, known)| !known.is_folder);
        list.extend(removed.map(|(path, _)| Change::new(&path, Kind::Removed, None)));
        list.sort_by(|a, b| a.path.cmp(&b.path));
        Changes { list, whole: whole && whole_before }
    }
}

impl Change {
    pub(crate) fn new(path: &Path, change: Kind, size: Option<u64>) -> Change {
        Change { path: path.to_string_lossy().into_owned(), change, size }
    }
}

/// By the time of change (`ctime`), which only the kernel sets.
fn is_touched(stat: &Stat, since: Timespec) -> bool {
    (stat.st_ctime, stat.st_ctime_nsec as i64) >= (since.tv_sec, since.tv_nsec)
}

/// Takes a path, what its folder says of it, and what asks for the rest; returns whether all went well.
type Each<'e> = dyn FnMut(PathBuf, Known, &dyn Fn() -> Result<Stat, Errno>) -> bool + 'e;

/// Calls `each` for everything below the roots, and for the roots, following no link however the folders change
/// meanwhile. Returns whether that was all.
fn walk(roots: &[PathBuf], each: &mut Each<'_>) -> bool {
    let mut room = Room::new();
    roots.iter().all(|root| match rustix::fs::open(root, FOLDER, Mode::empty()) {
        Ok(folder) => {
            let stat = || rustix::fs::fstat(&folder);
            let inode = stat().map_or(0, |stat| stat.st_ino);
            each(root.clone(), Known { inode, is_folder: true }, &stat)
                && walk_folder(&folder, root, 0, &mut room, each)
        }
        Err(Errno::NOENT) => true,
        Err(_) => match rustix::fs::statat(CWD, root, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if !FileType::from_raw_mode(stat.st_mode).is_dir() => {
                each(root.clone(), Known { inode: stat.st_ino, is_folder: false }, &|| Ok(stat))
            }
            _ => false,
        },
    })
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn walk_folder(folder: &OwnedFd, path: &Path, depth: usize, room: &mut Room, each: &mut Each<'_>) -> bool {
    let Ok(mut entries) = Dir::read_from(folder) else { return false };
    let mut whole = true;
    while let Some(entry) = entries.read() {
        let Ok(entry) = entry else { return false };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let inner = path.join(OsStr::from_bytes(name.to_bytes()));
        if !room.take(inner.as_os_str().len()) {
            return false;
        }
        let stat = || rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let kind = match entry.file_type() {
            // Some file systems tell only when asked about each.
            FileType::Unknown => stat().map(|stat| FileType::from_raw_mode(stat.st_mode)),
            kind => Ok(kind),
        };
        let is_folder = kind == Ok(FileType::Directory);
        let known = Known { inode: entry.ino(), is_folder };
        whole &= match kind {
            Ok(FileType::Directory) if depth >= DEEPEST => false,
            Ok(FileType::Directory) => match rustix::fs::openat(folder, name, FOLDER, Mode::empty()) {
                Ok(deeper) => {
                    each(inner.clone(), known, &stat) && walk_folder(&deeper, &inner, depth + 1, room, each)
                }
                Err(errno) => errno == Errno::NOENT,
            },
            Ok(_) => each(inner, known, &stat),
            Err(errno) => errno == Errno::NOENT,
        };
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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

    #[test]
    fn files_that_change_places_with_their_folders_are_changed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["a/x", "a/only", "b/x"] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), name).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        let before = Before::note(vec![dir.path().to_owned()]);
        rustix::fs::renameat_with(CWD, at("a"), CWD, at("b"), rustix::fs::RenameFlags::EXCHANGE).unwrap();
        let list = before.compare().list;
        let short: Vec<_> =
            list.iter().map(|c| (c.path.strip_prefix(at("").to_str().unwrap()).unwrap(), c.change)).collect();
        let expected = [
            ("a/only", Kind::Removed),
            ("a/x", Kind::Changed),
            ("b/only", Kind::Created),
            ("b/x", Kind::Changed),
        ];
        assert_eq!(short, expected);
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_and_the_other_way_round() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("folder")).unwrap();
        let before = Before::note(vec![dir.path().to_owned()]);
        assert!(matches!(before.was(&at("folder")), Was::There(_)));
        assert_eq!(before.was(&at("none")), Was::Absent);
        assert_eq!(before.was(Path::new("/elsewhere")), Was::Unknown);
        fs::remove_file(at("file")).unwrap();
        fs::remove_dir(at("folder")).unwrap();
        fs::create_dir(at("file")).unwrap();
        fs::write(at("folder"), "").unwrap();
        let list = before.compare().list;
        let short: Vec<_> =
            list.iter().map(|c| (c.path.rsplit('/').next().unwrap().to_owned(), c.change)).collect();
        assert_eq!(short, [("file".to_owned(), Kind::Removed), ("folder".to_owned(), Kind::Created)]);
    }

    /// A few long folder names above many files would fill the memory of whoever lists them.
    #[test]
    fn long_paths_count() {
        let mut room = Room::new();
        let taken = (0..200_000).take_while(|_| room.take(4096)).count();
        assert_eq!(taken, (64 << 20) / 4096);
        assert!(room.take(0), "there is room for entries left");
        assert_eq!((0..300_000).take_while(|_| room.take(0)).count(), 200_000 - taken - 1);
    }

    #[test]
    fn what_cannot_be_named_by_its_path_is_looked_at_and_what_is_too_deep_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let compare = |depth: usize, name: &str| {
            let root = dir.path().join(format!("{depth}"));
            fs::create_dir(&root).unwrap();
            let before = Before::note(vec![root.clone()]);
            let mut at = rustix::fs::open(&root, FOLDER, Mode::empty()).unwrap();
            for _ in 0..depth {
                rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
                at = rustix::fs::openat(&at, name, FOLDER, Mode::empty()).unwrap();
            }
            let flags = OFlags::CREATE | OFlags::WRONLY;
            rustix::fs::openat(&at, "file", flags, Mode::RWXU).unwrap();
            let changes = before.compare();
            (changes.list.len(), changes.whole)
        };
        assert_eq!(compare(30, &"n".repeat(250)), (1, true));
        assert_eq!(compare(DEEPEST + 10, "n"), (0, false));
    }
}

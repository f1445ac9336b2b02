//! What folders held the last time they were read. To ask whether a folder has changed takes a tenth of the time that
//! reading it does.
//!
//! A folder's change time (`st_ctime`, `inode(7)`) moves whenever a name in it appears, goes or means something else,
//! and nobody can set it. It moves in steps of up to a few milliseconds, so a folder that has just changed may change
//! again without a trace: such a one is not remembered.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::Folder;
use crate::own_files;
use crate::secrets::Secrets;

/// How long a folder must have rested before it was read, in seconds. Some network file systems look only so often.
const REST: i64 = 5;
/// Folders of which no more than this many are remembered.
const MOST: usize = 50_000;

/// Which names are looked for: raised whenever [`super`] looks for others, so that what was remembered before is not
/// taken for the answer.
const RULES: u32 = 3;

/// Which folder it was, and in which state: device, inode, change time in seconds and nanoseconds.
type Version = (u64, u64, i64, i64);

#[derive(Debug, Deserialize, Serialize)]
struct Remembered {
    version: Version,
    folder: Folder,
}

/// The file.
#[derive(Debug, Deserialize, Serialize)]
struct Kept<Folders> {
    rules: u32,
    folders: Folders,
}

/// Folders by path.
#[derive(Debug)]
pub(super) struct Memory {
    file: PathBuf,
    before: HashMap<PathBuf, Remembered>,
    now: HashMap<PathBuf, Remembered>,
    /// Folders that changed later than this are read anew.
    rested: i64,
    learned: bool,
}

impl Memory {
    /// What cannot be read was never known.
    pub(super) fn open(file: &Path) -> Memory {
        let kept = own_files::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let before = kept.filter(|kept: &Kept<_>| kept.rules == RULES).map(|kept| kept.folders);
        Memory {
            file: file.to_owned(),
            before: before.unwrap_or_default(),
            now: HashMap::new(),
            rested: clock_gettime(ClockId::Realtime).tv_sec - REST,
            learned: false,
        }
    }

    /// What a folder holds: as remembered if it has not changed since, else by reading it.
    pub(super) fn recall_or(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Path) -> Option<Folder>,
    ) -> Option<Folder> {
        let meta = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_dir)?;
        let version = (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec());
        let known = self.before.remove(path).filter(|known| known.version == version);
        let remembered = match known {
            Some(known) => known,
            None => {
                let folder = read(path)?;
                if meta.ctime() >= self.rested || names_secret(path, &folder) {
                    return Some(folder);
                }
                self.learned = true;
                Remembered { version, folder }
            }
        };
        let folder = remembered.folder.clone();
        self.now.insert(path.to_owned(), remembered);
        Some(folder)
    }

    /// Keeps what was learned. If that fails, the next run reads again.
    pub(super) fn keep(self) {
        let forgotten = !self.before.is_empty();
        if !(self.learned || forgotten) || self.now.len() > MOST {
            return;
        }
        let Ok(bytes) = serde_json::to_vec(&Kept { rules: RULES, folders: &self.now }) else { return };
        let new = self.file.with_extension(format!("{}.new", std::process::id()));
        let written = self
            .file
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| {
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)
            })
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&new, &self.file));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
    }
}

/// Whether a secret stands in what would be kept: no file of the state directory shall have one.
fn names_secret(path: &Path, folder: &Folder) -> bool {
    let secrets = Secrets::default();
    let covered = folder.covered.iter().map(|covered| covered.name.as_os_str());
    let names = covered.chain(folder.keys.iter().chain(&folder.folders).map(OsString::as_os_str));
    names.chain([path.as_os_str()]).any(|name| secrets.are_in(&name.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_folder_is_read_again_when_it_has_changed_or_only_just_rested() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("cache/memory.json"), dir.path().join("folder"));
        fs::create_dir(&folder).unwrap();
        let read = Cell::new(0);
        let look = |rested: i64| {
            let mut memory = Memory::open(&file);
            memory.rested = rested;
            let entries = memory.recall_or(&folder, |path| {
                read.set(read.get() + 1);
                Some(Folder { entries: fs::read_dir(path).unwrap().count(), ..Folder::default() })
            });
            memory.keep();
            (entries.unwrap().entries, read.get())
        };
        let (now, later) = (clock_gettime(ClockId::Realtime).tv_sec - 1, i64::MAX);
        assert_eq!([look(now), look(now), look(now)], [(0, 1), (0, 2), (0, 3)], "it has only just changed");
        assert_eq!([look(later), look(later), look(now)], [(0, 4), (0, 4), (0, 4)], "it is remembered");
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(folder.join("new"), "").unwrap();
        assert_eq!([look(later), look(later)], [(1, 5), (1, 5)], "it has changed");
        fs::write(&file, "not JSON").unwrap();
        assert_eq!([look(later), look(later)], [(1, 6), (1, 6)], "the memory was damaged");
        let other = fs::read_to_string(&file).unwrap().replace(r#""rules":3"#, r#""rules":2"#);
        fs::write(&file, other).unwrap();
        assert_eq!([look(later), look(later)], [(1, 7), (1, 7)], "other names were looked for");
        fs::remove_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("/etc", &folder).unwrap();
        assert!(Memory::open(&file).recall_or(&folder, |_| unreachable!()).is_none(), "a link is no folder");
    }

    #[test]
    fn no_name_that_looks_like_a_secret_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("cache/memory.json");
        let (plain, secret) = (home.path().join("plain"), "ghp_0Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk1Ll");
        let mut memory = Memory::open(&file);
        memory.rested = i64::MAX;
        for folder in [&plain, &home.path().join(secret)] {
            fs::create_dir(folder).unwrap();
            memory.recall_or(folder, Folder::scan).unwrap();
        }
        let root = memory.recall_or(home.path(), Folder::scan).unwrap();
        assert!(root.folders.iter().any(|name| name == secret), "control: it is read");
        memory.keep();
        let kept = fs::read_to_string(&file).unwrap();
        assert!(kept.contains("plain") && !kept.contains(secret), "{kept}");
    }
}

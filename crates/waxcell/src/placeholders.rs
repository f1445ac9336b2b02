//! Writable paths that do not exist yet: made for the run, and gone after it unless the script used them.
//!
//! They are made and removed through descriptors, and never through a symbolic link: an earlier script may have planted
//! one where it could write.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// What was made. Dropping it removes what is still empty and unclaimed.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    /// Outermost first.
    folders: Vec<Made>,
    files: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    path: PathBuf,
    /// The folder that it is in.
    parent: OwnedFd,
    claimed: bool,
}

/// Opens a folder by a path without any symbolic link in it.
fn open_folder(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat2(
        CWD,
        path,
        flags,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

/// Of a path and the folders above it what is not there, outermost first.
pub(crate) fn missing(path: &Path) -> Vec<&Path> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|at| at.symlink_metadata().is_err()).collect();
    missing.reverse();
    missing
}

/// Paths as bytes; no path has a zero in it.
pub(crate) fn to_note(paths: &[PathBuf]) -> Vec<u8> {
    paths.iter().flat_map(|path| [path.as_os_str().as_bytes(), b"\0"]).flatten().copied().collect()
}

/// The paths of a note; one that was cut off is none.
pub(crate) fn of_note(note: &[u8]) -> Vec<PathBuf> {
    let whole = note.split_inclusive(|byte| *byte == 0).filter_map(|path| path.strip_suffix(b"\0"));
    whole.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()
}

impl Placeholders {
    /// Makes a path and the folders above it. Whether it is to be a file is told by its name: one with an ending is.
    pub(crate) fn make(&mut self, path: &Path) -> io::Result<()> {
        let is_file = path.extension().is_some();
        let folders = missing(if is_file { path.parent().unwrap_or(path) } else { path });
        for folder in folders {
            let made = Made::in_parent(folder)?;
            match rustix::fs::mkdirat(&made.parent, made.name(), Mode::from(0o777)) {
                Ok(()) => self.folders.push(made),
                // Another run was quicker, and it is that one's. What stands there is looked at when it is bound.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if is_file {
            let made = Made::in_parent(path)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(&made.parent, made.name(), flags, Mode::from(0o666)) {
                Ok(_) => self.files.push(made),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// The folders, which the script's own first `mkdir` may make once more.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        self.folders.iter().map(|made| made.path.clone()).collect()
    }

    /// Everything that was made, outermost first, files last.
    pub(crate) fn all(&self) -> Vec<PathBuf> {
        self.folders.iter().chain(&self.files).map(|made| made.path.clone()).collect()
    }

    /// Lets all of it stay, and names what nobody has claimed.
    pub(crate) fn hand_over(&mut self) -> Vec<PathBuf> {
        let made = std::mem::take(&mut self.folders).into_iter().chain(std::mem::take(&mut self.files));
        made.filter(|made| !made.claimed).map(|made| made.path).collect()
    }

    /// The script has made these its own.
    pub(crate) fn claim(&mut self, indices: &[usize]) {
        for index in indices {
            if let Some(made) = self.folders.get_mut(*index) {
                made.claimed = true;
            }
        }
    }
}

impl Made {
    fn in_parent(path: &Path) -> io::Result<Made> {
        let parent = open_folder(path.parent().unwrap_or(Path::new("/")))?;
        Ok(Made { path: path.to_owned(), parent, claimed: false })
    }

    fn name(&self) -> &[u8] {
        self.path.file_name().map_or(b"".as_slice(), |name| name.as_bytes())
    }

    /// Removes an empty file; what anybody has written to stays.
    fn remove_file(&self) {
        let stat = rustix::fs::statat(self.parent.as_fd(), self.name(), AtFlags::SYMLINK_NOFOLLOW);
        if stat.is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_size == 0
        }) {
            // If it cannot be removed, an empty file is left, as its name says.
            let _ = rustix::fs::unlinkat(self.parent.as_fd(), self.name(), AtFlags::empty());
        }
    }

    /// Removes a folder; refused by the kernel as soon as anything is in it.
    fn remove_folder(&self) {
        let _ = rustix::fs::unlinkat(self.parent.as_fd(), self.name(), AtFlags::REMOVEDIR);
    }
}

impl Drop for Placeholders {
    fn drop(&mut self) {
        self.files.iter().for_each(Made::remove_file);
        self.folders.iter().rev().filter(|made| !made.claimed).for_each(Made::remove_folder);
    }
}

/// Removes what a run made that nobody can tell the end of: empty files and empty folders, innermost first.
pub(crate) fn clear(paths: &[PathBuf]) {
    for made in paths.iter().rev().filter_map(|path| Made::in_parent(path).ok()) {
        made.remove_file();
        made.remove_folder();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_not_used_is_gone_and_what_was_stays() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let mut made = Placeholders::default();
        for path in ["a/b", "used", "claimed", "x/out.json"] {
            made.make(&root.join(path)).unwrap();
        }
        fs::write(root.join("used/file"), "").unwrap();
        let claimed = made.folders().iter().position(|path| path.ends_with("claimed")).unwrap();
        made.claim(&[claimed]);
        drop(made);
        let mut left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["claimed", "used"]);
    }

    #[test]
    fn a_note_has_the_paths_and_nothing_that_was_cut() {
        let paths = [PathBuf::from("/a b"), PathBuf::from(OsStr::from_bytes(b"/\xff\n"))];
        let note = to_note(&paths);
        assert_eq!(of_note(&note), paths);
        assert_eq!(of_note(&note[..note.len() - 1]), paths[..1]);
        assert_eq!(of_note(b""), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn nothing_is_made_or_removed_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("data")).unwrap();
        assert!(Placeholders::default().make(&root.join("data/new")).is_err());
        let mut made = Placeholders::default();
        made.make(&root.join("real/inner")).unwrap();
        fs::rename(root.join("real"), root.join("moved")).unwrap();
        fs::create_dir(root.join("elsewhere/inner")).unwrap();
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("real")).unwrap();
        drop(made);
        assert!(root.join("elsewhere/inner").is_dir(), "what lies behind the link is somebody else's");
        clear(&[root.join("real/inner")]);
        assert!(root.join("elsewhere/inner").is_dir());
    }
}

//! A folder from which everything is reached by descriptor: no link that a script planted is followed, and nothing that is
//! mounted below is entered.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, openat2};
use rustix::io::Errno;

/// The longest path that is gone by, which the kernel bounds at 4096.
pub(super) const LONGEST: usize = 4000;

#[derive(Debug)]
pub(super) struct Place(OwnedFd);

impl Place {
    /// Opens a folder by an absolute path without any link in it.
    pub(super) fn open(path: &Path) -> Result<Place, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(CWD, path, flags, Mode::empty(), resolve).map(Place)
    }

    /// An open folder.
    pub(super) fn at(folder: OwnedFd) -> Place {
        Place(folder)
    }

    fn reach(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        openat2(&self.0, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// A folder to name things in.
    pub(super) fn folder(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.reach(path, OFlags::PATH | OFlags::DIRECTORY)
    }

    /// A folder to list, to synchronise, or to give a mode.
    pub(super) fn listed(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.reach(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Anything by itself, for its mode.
    pub(super) fn by_name(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.reach(path, OFlags::PATH)
    }

    /// A plain file to read; whatever else is there is neither waited for nor opened to the end.
    pub(super) fn file(&self, path: &Path) -> Result<File, Errno> {
        let file = self.reach(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        if kind.is_file() { Ok(File::from(file)) } else { Err(Errno::INVAL) }
    }

    /// What is there, by itself.
    pub(super) fn stat(&self, path: &Path) -> Result<Stat, Errno> {
        match path.file_name() {
            Some(name) => stat(self.folder(path.parent().unwrap_or(Path::new("")))?.as_fd(), name),
            None => rustix::fs::fstat(self.folder(path)?),
        }
    }
}

/// What is called so in a folder, by itself.
pub(super) fn stat(folder: BorrowedFd<'_>, name: &OsStr) -> Result<Stat, Errno> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)
}

/// The same, where nothing may be there.
pub(super) fn stat_if_there(folder: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match stat(folder, name) {
        Err(Errno::NOENT) => Ok(None),
        other => other.map(Some),
    }
}

/// The names in a folder, sorted. `take` says whether there is room for one more; `None`: there was not.
pub(super) fn names(
    folder: &OwnedFd,
    take: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Vec<std::ffi::OsString>>, Errno> {
    let mut names = Vec::new();
    let mut entries = Dir::read_from(folder)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if !take(name.len()) {
            return Ok(None);
        }
        names.push(OsStr::from_bytes(name).to_owned());
    }
    names.sort();
    Ok(Some(names))
}

//! Removing what scripts leave behind: folders thousands deep, without permissions, full of links. So nothing here follows
//! a link, goes by a long path, calls itself, or enters what is mounted somewhere inside.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Removes what is called `name` in a folder, with all that is in it. That there is nothing is no error.
///
/// # Errors
///
/// When the kernel refuses, or when something is mounted inside; part of it may be gone by then, and what is left of the
/// rest may have changed its place within it.
pub fn remove_all(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let name = CString::new(name.as_bytes())?;
    match fs::unlinkat(parent, &*name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // Some file systems say the one for a folder, some the other.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno.into()),
    }
    let top = enter(parent, &name)?;
    // Nothing is entered deeper than one level: what a folder holds is brought up to the top, then the folder is
    // empty. Each round ends with fewer folders, or gives up.
    let mut number = 0u64;
    loop {
        let folders = clear(top.as_fd())?;
        if folders.is_empty() {
            break;
        }
        for folder in folders {
            let inner = enter(top.as_fd(), &folder)?;
            for deeper in clear(inner.as_fd())? {
                // To change its place, a folder has to be writable itself.
                unlock(inner.as_fd(), &deeper)?;
                loop {
                    number += 1;
                    let flags = fs::RenameFlags::NOREPLACE;
                    match fs::renameat_with(&inner, &*deeper, &top, format!(".{number}"), flags) {
                        Err(Errno::EXIST) => {}
                        other => break other?,
                    }
                }
            }
            fs::unlinkat(&top, &*folder, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(fs::unlinkat(parent, &*name, AtFlags::REMOVEDIR)?)
}

/// Opens a folder of this file system, and makes it its owner's to read and change.
fn enter(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    unlock(parent, name)?;
    open(parent, name, OFlags::RDONLY)
}

fn open(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    fs::openat2(parent, name, flags, Mode::empty(), resolve)
}

/// Never anything that a link leads to, or that is mounted there.
fn unlock(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    fs::chmod(&*name_of(&open(parent, name, OFlags::PATH)?), Mode::RWXU)
}

/// The name of a descriptor of ours for calls that take a path.
pub(crate) fn name_of(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Removes everything from a folder but folders, whose names it returns.
fn clear(folder: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let mut folders = Vec::new();
    let mut entries = Dir::read_from(folder)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match fs::unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => folders.push(name.to_owned()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs as std_fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn remove(path: &Path) -> io::Result<()> {
        let parent = fs::open(path.parent().unwrap(), OFlags::PATH, Mode::empty()).unwrap();
        remove_all(parent.as_fd(), path.file_name().unwrap())
    }

    #[test]
    fn a_folder_goes_with_everything_and_nothing_behind_its_links() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        std_fs::create_dir(&outside).unwrap();
        std_fs::write(outside.join("kept"), "x").unwrap();
        let top = dir.path().join("run");
        std_fs::create_dir_all(top.join("tmp/a/b")).unwrap();
        symlink(&outside, top.join("tmp/link")).unwrap();
        symlink(&outside, top.join("tmp/a/b/link")).unwrap();
        std_fs::write(top.join("tmp/a/b/file"), "x").unwrap();
        for folder in ["tmp/a/b", "tmp/a", ""] {
            std_fs::set_permissions(top.join(folder), std_fs::Permissions::from_mode(0o0)).unwrap();
        }
        remove(&top).unwrap();
        assert!(!top.exists() && outside.join("kept").exists());
        remove(&top).unwrap();
        symlink(&outside, &top).unwrap();
        remove(&top).unwrap();
        assert!(!top.is_symlink() && outside.join("kept").exists(), "the link itself is gone");
    }

    #[test]
    fn a_folder_ten_thousand_deep_goes_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("run");
        std_fs::create_dir(&top).unwrap();
        let mut at = fs::open(&top, OFlags::PATH, Mode::empty()).unwrap();
        for _ in 0..10_000 {
            fs::mkdirat(&at, "some-longer-name", Mode::RWXU).unwrap();
            at = fs::openat(&at, "some-longer-name", OFlags::PATH, Mode::empty()).unwrap();
        }
        remove(&top).unwrap();
        assert!(!top.exists());
    }
}

//! What a root is made of before anything is mounted: folders, links, files, and places for mounts. Nothing here allocates.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{self, AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::{FILE, NODEV, NOEXEC, NOSUID, RDONLY, attach, clone_at};
use crate::sys;

/// Makes a link, unless it is there.
pub(crate) fn make_link(root: BorrowedFd<'_>, name: &CStr, to: &CStr) -> Result<(), Errno> {
    match fs::symlinkat(to, root, name) {
        Err(Errno::EXIST) => {
            let mut there = [0u8; 4096];
            let length = fs::readlinkat_raw(root, name, &mut there[..])?;
            if there[..length] == *to.to_bytes() { Ok(()) } else { Err(Errno::EXIST) }
        }
        other => other,
    }
}

/// Has the kernel learn all names of a folder in one question.
pub(super) fn learn(root: BorrowedFd<'_>, folder: &CStr) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = fs::openat(root, folder, flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    RawDir::new(&folder, &mut buffer).next().transpose().map(drop)
}

pub(crate) fn make_dir(root: BorrowedFd<'_>, path: &CStr, mode: u32) -> Result<(), Errno> {
    if fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(());
    }
    match fs::mkdirat(root, path, Mode::from(mode)) {
        // EROFS: it is there already, below something mounted read-only.
        Err(Errno::EXIST | Errno::ROFS) => Ok(()),
        other => other,
    }
}

pub(super) fn write_file(root: BorrowedFd<'_>, name: &CStr, contents: &[u8], mode: u32) -> Result<(), Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = fs::openat(root, name, flags, Mode::from(mode))?;
    fs::fchmod(&file, Mode::from(mode))?;
    let mut rest = contents;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    Ok(())
}

/// Mounts a read-only file with these bytes at a place in a folder. It is left in the store as [`FILE`].
pub(super) fn lay_over(
    store: BorrowedFd<'_>,
    folder: BorrowedFd<'_>,
    target: &CStr,
    contents: &[u8],
    mode: u32,
) -> Result<(), Errno> {
    write_file(store, FILE, contents, mode)?;
    let tree = clone_at(store, FILE)?;
    sys::mount_setattr(tree.as_fd(), false, RDONLY | NOSUID | NODEV | NOEXEC, 0, None)?;
    mount_point(tree.as_fd(), folder, target)?;
    // It may lose its name only now: a tree whose root has none any more cannot be attached.
    attach(tree.as_fd(), folder, target)
}

/// Makes the directory or file that a tree is mounted on, unless it is there.
pub(crate) fn mount_point(tree: BorrowedFd<'_>, root: BorrowedFd<'_>, target: &CStr) -> Result<(), Errno> {
    if fs::FileType::from_raw_mode(fs::fstat(tree)?.st_mode).is_dir() {
        return make_dir(root, target, 0o755);
    }
    if fs::statat(root, target, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(());
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match fs::openat(root, target, flags, Mode::from(0o444)) {
        Ok(_) | Err(Errno::EXIST | Errno::ROFS) => Ok(()),
        Err(errno) => Err(errno),
    }
}

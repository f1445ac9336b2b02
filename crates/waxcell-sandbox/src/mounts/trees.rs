//! Trees that are not attached yet: copies of the host's, and file systems of the run's own (`open_tree(2)`, `fsopen(2)`).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use super::{BLANK_DIR, BLANK_FILE, STAGING};
use crate::sys;

/// A detached copy of the mount tree at a host path, reached without following any symlink.
pub(crate) fn clone_tree(path: &CStr) -> Result<OwnedFd, Errno> {
    clone_of(open_without_links(path)?.as_fd())
}

pub(super) fn open_without_links(path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    fs::openat2(CWD, path, flags, Mode::empty(), resolve)
}

/// The same, with the caller's files shown as the script's own.
pub(super) fn clone_mapped(path: &CStr, userns: Option<BorrowedFd<'_>>) -> Result<OwnedFd, Errno> {
    mapped(clone_tree(path)?, userns)
}

/// The same, without what is mounted below it; an error where an ordinary user would uncover something by that.
pub(crate) fn clone_alone(path: &CStr, userns: Option<BorrowedFd<'_>>) -> Result<OwnedFd, Errno> {
    mapped(clone_at(open_without_links(path)?.as_fd(), c".")?, userns)
}

pub(super) fn mapped(tree: OwnedFd, userns: Option<BorrowedFd<'_>>) -> Result<OwnedFd, Errno> {
    if userns.is_some() {
        sys::mount_setattr(tree.as_fd(), true, libc::MOUNT_ATTR_IDMAP, 0, userns)?;
    }
    Ok(tree)
}

pub(super) fn clone_of(place: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    rustix::mount::open_tree(place, c"", clone)
}

pub(crate) fn clone_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    rustix::mount::open_tree(dir, name, clone)
}

pub(crate) fn attach(tree: BorrowedFd<'_>, root: BorrowedFd<'_>, target: &CStr) -> Result<(), Errno> {
    rustix::mount::move_mount(tree, c"", root, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

pub(super) fn tmpfs(options: &[(&CStr, &CStr)]) -> Result<OwnedFd, Errno> {
    let config = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(config.as_fd(), *key, *value)?;
    }
    rustix::mount::fsconfig_create(config.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(config.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// `/proc` with the processes of this namespace and nothing else of the kernel's (`subset=pid`, Linux 5.8).
pub(super) fn processes() -> Result<OwnedFd, Errno> {
    let config = rustix::mount::fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(config.as_fd(), c"subset", c"pid")?;
    rustix::mount::fsconfig_create(config.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_RDONLY;
    rustix::mount::fsmount(config.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Where layers are put together. It is covered by the new root, and goes with the old one.
pub(super) fn new_aside() -> Result<OwnedFd, Errno> {
    let aside = tmpfs(&[(c"size", c"1m"), (c"mode", c"0700")])?;
    attach(aside.as_fd(), CWD, STAGING)?;
    Ok(aside)
}

/// The root-to-be, with the blank file and directory that cover things, unless another root has them.
pub(super) fn new_root(has_blanks: bool) -> Result<OwnedFd, Errno> {
    let root = tmpfs(&[(c"size", c"64m"), (c"mode", c"0755")])?;
    attach(root.as_fd(), CWD, STAGING)?;
    if !has_blanks {
        return Ok(root);
    }
    fs::mkdirat(&root, BLANK_DIR, Mode::empty())?;
    drop(fs::openat(&root, BLANK_FILE, OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC, Mode::empty())?);
    Ok(root)
}

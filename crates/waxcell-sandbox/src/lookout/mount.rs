//! How the init mounts the root that the lookout serves: `/dev/fuse` counts for the user namespace of whoever opens it,
//! and numbers threads for the process-id namespace of whoever mounts it.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::processor::Bound;
use super::{INIT, Line, TOGETHER};
use crate::handover;
use crate::procfs;

/// A root that is served, not attached yet.
pub(crate) struct Served {
    pub(crate) root: OwnedFd,
    /// While it is built, its init stays where the lookout is.
    _bound: Option<Bound>,
}

/// What the kernel calls the source of such a root.
const SOURCE: &CStr = c"waxcell";

/// Whether a mount is such a root: by type, source and options of its file system, as in the last fields of
/// `proc_pid_mountinfo(5)`.
pub(crate) fn is_served(system: &str) -> bool {
    system.split(' ').take(2).eq(["fuse", "waxcell"])
}

/// Makes such a root for a user, and the way to the kernel by which it is to be served; as long as it is not, whoever
/// uses it waits.
pub(crate) fn unserved(uid: u32, gid: u32) -> Result<(Served, OwnedFd), Errno> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let kernel = rustix::fs::open(c"/dev/fuse", flags, Mode::empty())?;
    let config = rustix::mount::fsopen(c"fuse", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let mut buffer = [0u8; 16];
    for (key, number) in [(c"fd", kernel.as_raw_fd() as u32), (c"user_id", uid), (c"group_id", gid)] {
        rustix::mount::fsconfig_set_string(config.as_fd(), key, procfs::join(&[], number, &mut buffer)?)?;
    }
    for (key, value) in [(c"rootmode", c"40000"), (c"source", SOURCE)] {
        rustix::mount::fsconfig_set_string(config.as_fd(), key, value)?;
    }
    rustix::mount::fsconfig_set_flag(config.as_fd(), c"ro")?;
    rustix::mount::fsconfig_create(config.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = rustix::mount::fsmount(config.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    Ok((Served { root, _bound: None }, kernel))
}

impl Line {
    /// Mounts a root for this user and lets the lookout serve it. An error where the host does not allow that.
    pub(crate) fn mount(&self, uid: u32, gid: u32) -> Result<Served, Errno> {
        let (served, kernel) = unserved(uid, gid)?;
        handover::give(self.0.as_fd(), kernel.as_fd())?;
        self.send(INIT, u64::from(std::process::id()))?;
        // Without it, it takes longer.
        let _bound = Bound::here().ok();
        if let Some(bound) = &_bound {
            self.send(TOGETHER, bound.processor as u64)?;
        }
        Ok(Served { _bound, ..served })
    }
}

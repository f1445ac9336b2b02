//! What a sandbox stands on and what takes the kernel its time: a control group, and the map that shows the caller's
//! files as the script's own. It needs no plan, so it is laid while the plan is still being made.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;

use crate::cgroup::{Group, Place};
use crate::plan::{Identity, Limits, Owner};
use crate::spawn::SpawnError;
use crate::sys::Parked;

/// Ground for one sandbox; gone with its value.
#[derive(Debug)]
pub struct Ground {
    pub(crate) group: Option<Group>,
    /// Held until the stage runs: its helper is long dead by then, and nobody waits for it.
    pub(crate) owner_map: Option<OwnerMap>,
}

impl Ground {
    /// Lays the ground for a script that is `identity` and held to `limits`. `run` is a name for its control group,
    /// unique on the host.
    ///
    /// # Errors
    ///
    /// When the host has control groups and refuses one, or refuses the map.
    pub fn lay(identity: &Identity, limits: &Limits, run: &str) -> Result<Ground, SpawnError> {
        let owner_map = identity.map_owner.map(|owner| OwnerMap::new(owner, identity)).transpose()?;
        let group = Place::find().map(|place| Group::create(place, run, limits)).transpose()?;
        Ok(Ground { group, owner_map })
    }
}

/// A user namespace that maps ids on disk to the run's: what an id-mapped mount is made with (`mount_setattr(2)`). It
/// needs a process to be made by.
#[derive(Debug)]
pub(crate) struct OwnerMap {
    namespace: OwnedFd,
    /// Not waited for before the stage runs.
    _helper: Parked,
}

impl OwnerMap {
    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    fn new(owner: Owner, identity: &Identity) -> Result<OwnerMap, SpawnError> {
        let (read, _write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        let helper = Parked::new(libc::CLONE_NEWUSER, read.as_fd())
            .map_err(|errno| SpawnError::Namespaces { errno })?;
        let pid = helper.pid;
        write_proc(pid, "uid_map", &format!("{} {} 1\n", owner.uid, identity.host_uid))?;
        write_proc(pid, "gid_map", &format!("{} {} 1\n", owner.gid, identity.host_gid))?;
        let file = PathBuf::from(format!("/proc/{pid}/ns/user"));
        let namespace = rustix::fs::open(&file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| SpawnError::Identity { file, source: errno.into() })?;
        helper.kill();
        Ok(OwnerMap { namespace, _helper: helper })
    }
}

/// Writes to a file of another process's directory.
pub(crate) fn write_proc(pid: i32, name: &str, value: &str) -> Result<(), SpawnError> {
    let file = PathBuf::from(format!("/proc/{pid}/{name}"));
    let write = || -> io::Result<()> {
        let fd = rustix::fs::open(&file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&fd, value.as_bytes())?;
        Ok(())
    };
    write().map_err(|source| SpawnError::Identity { file: file.clone(), source })
}

//! Who belongs to a run: everybody in its process-id namespace, or, where it has none, whoever descends from its init.
//!
//! The init is a subreaper then (`PR_SET_CHILD_SUBREAPER(2)`): whoever loses its parent becomes the init's child, so
//! nobody of the run stands outside of the tree below it, and an init without children is alone. Nothing here allocates.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::procfs;
use crate::sys;

/// The processes of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// All that a `/proc` shows.
    Namespace,
    /// The process with this id, the init, and its descendants.
    Below(u32),
}

/// More processes than this are not followed: whoever counts them gets an error.
const MOST: usize = 4096;

impl Members {
    /// Calls `each` with a `/proc` and the name of every process of the run; returns how many there are.
    pub(crate) fn each(
        self,
        proc: BorrowedFd<'_>,
        each: &mut impl FnMut(BorrowedFd<'_>, &CStr),
    ) -> Result<u64, Errno> {
        let Members::Below(init) = self else { return procfs::processes_in(proc, each) };
        let mut found = [0u32; MOST];
        found[0] = init;
        let (mut seen, mut known, mut all) = (0, 1, true);
        while seen < known {
            let mut buffer = [0u8; 32];
            let name = procfs::join(&[], found[seen], &mut buffer)?;
            seen += 1;
            each(proc, name);
            procfs::children(proc, name, &mut |child| match found.get_mut(known) {
                Some(slot) => {
                    *slot = child;
                    known += 1;
                }
                None => all = false,
            });
        }
        if all { Ok(known as u64) } else { Err(Errno::OVERFLOW) }
    }

    /// As [`Members::each`], in this process's own `/proc`.
    pub(crate) fn each_here(self, each: &mut impl FnMut(BorrowedFd<'_>, &CStr)) -> Result<u64, Errno> {
        let proc = match self {
            // The init asks about others, and stands there.
            Members::Namespace => proc_at(procfs::HERE)?,
            Members::Below(_) => proc_at(c"/proc")?,
        };
        self.each(proc.as_fd(), each)
    }

    /// Whether this is the name of the run's init.
    pub(crate) fn is_init(self, name: &CStr) -> bool {
        let init = match self {
            Members::Namespace => 1,
            Members::Below(init) => init,
        };
        number(name) == Some(init)
    }

    /// Kills everybody but the init, once: whoever is born meanwhile is met at the next call.
    pub(crate) fn kill_others(self) {
        let Members::Below(init) = self else {
            // As process 1: all others of the namespace.
            let _ = sys::kill(-1, libc::SIGKILL);
            return;
        };
        let _ = self.each_here(&mut |_, name| {
            if let Some(pid) = number(name).filter(|pid| *pid != init) {
                // Who has ended in between is nobody's loss.
                let _ = self.signal(pid, libc::SIGKILL);
            }
        });
    }

    /// Sends a signal to a member, and to nobody else who may have got its number meanwhile.
    pub(crate) fn signal(self, pid: u32, signal: i32) -> Result<(), Errno> {
        let target = Pid::from_raw(pid as i32).ok_or(Errno::SRCH)?;
        let held = pidfd_open(target, PidfdFlags::empty())?;
        // Looked at after it is held: if the number went to somebody else, what is held is gone and hears nothing.
        if !self.holds(pid) {
            return Err(Errno::PERM);
        }
        sys::pidfd_signal(held.as_fd(), signal)
    }

    /// Whether a process is below the init.
    pub(crate) fn holds(self, pid: u32) -> bool {
        let Members::Below(init) = self else { return true };
        let Ok(proc) = proc_at(c"/proc") else { return false };
        let mut at = pid;
        for _ in 0..MOST {
            match procfs::parent(proc.as_fd(), at) {
                Some(parent) if parent == init => return true,
                Some(parent) if parent > 1 => at = parent,
                _ => return false,
            }
        }
        false
    }
}

fn proc_at(path: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// The process id that a name of `/proc` is.
pub(crate) fn number(name: &CStr) -> Option<u32> {
    std::str::from_utf8(name.to_bytes()).ok()?.parse().ok()
}

//! The second floor under the mounts: Landlock (`landlock(7)`), with every right the kernel's ABI has.
//!
//! Everything that was put into the run's own root may be read; only what the plan says may be written or executed.
//! Rights that no rule grants (device nodes, for one) are denied everywhere. *Build* is [`Rules::build`], *apply* is
//! [`Rules::restrict`].

use std::ffi::{CStr, CString};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::mounts::c_path;
use crate::plan::{Access, Mount, Plan};
use crate::sys::{self, LandlockRuleset};

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// Rights that may stand in a rule for a plain file.
const FILE_RIGHTS: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

const READ: u64 = READ_FILE | READ_DIR;
const CHANGE: u64 = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER | TRUNCATE;

/// The file-system rights that an ABI handles: one bit more with each step from 1.
const fn handled_fs(abi: u32) -> u64 {
    match abi {
        0 => 0,
        1 => (1 << 13) - 1,
        2 => (1 << 14) - 1,
        3 | 4 => (1 << 15) - 1,
        _ => (1 << 16) - 1,
    }
}

/// A rule set for one run on one kernel.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The ABI it is written for.
    pub(crate) abi: u32,
    pub(crate) handled: LandlockRuleset,
    size: usize,
    allow: Vec<(CString, u64)>,
}

impl Rules {
    /// The rules of a plan for a kernel with this ABI. Pure.
    pub(crate) fn build(plan: &Plan, abi: u32) -> Rules {
        let handled = LandlockRuleset {
            handled_access_fs: handled_fs(abi),
            // Ports cannot be told apart by address, and loopback inside the run is open on any port: only a run
            // without loopback has a use for these rights (bind and connect, ABI 4).
            handled_access_net: if abi >= 4 && !plan.network.loopback { 0b11 } else { 0 },
            // Abstract UNIX sockets and signals across the boundary (ABI 6).
            scoped: if abi >= 6 { 0b11 } else { 0 },
        };
        let size = match abi {
            0..=3 => 8,
            4 | 5 => 16,
            _ => 24,
        };
        let mut allow = vec![(c"/".to_owned(), READ)];
        for mount in &plan.mounts {
            let (target, rights): (&Path, u64) = match mount {
                Mount::Bind { target, access: Access::ReadExecute, .. } => (target, READ | EXECUTE),
                Mount::Bind { target, access: Access::Write, .. } => (target, READ | CHANGE),
                Mount::Scratch { target, .. } => (target, READ | CHANGE | MAKE_FIFO | MAKE_SOCK),
                Mount::Devices => (Path::new("/dev"), READ | WRITE_FILE | TRUNCATE | IOCTL_DEV),
                Mount::Bind { access: Access::Read, .. }
                | Mount::File { .. }
                | Mount::Symlink { .. }
                | Mount::Directory { .. }
                | Mount::Cover { .. }
                | Mount::Processes => continue,
            };
            allow.push((c_path(target), rights & handled.handled_access_fs));
        }
        Rules { abi, handled, size, allow }
    }

    /// Restricts this thread and everything it becomes, for good. Needs `no_new_privs`; paths are the run's own.
    pub(crate) fn restrict(&self) -> sys::Result<()> {
        use std::os::fd::AsFd;
        let ruleset = sys::landlock_ruleset(&self.handled, self.size)?;
        for (path, rights) in &self.allow {
            let path: &CStr = path;
            let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            let is_dir = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode).is_dir();
            let rights = if is_dir { *rights } else { rights & FILE_RIGHTS };
            sys::landlock_allow(ruleset.as_fd(), fd.as_fd(), rights)?;
        }
        sys::landlock_restrict(ruleset.as_fd())
    }
}

/// The ABI of this kernel's Landlock, if it has one.
pub fn abi() -> Option<u32> {
    sys::landlock_abi()
}

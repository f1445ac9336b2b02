//! The second floor under the mounts: Landlock (`landlock(7)`), with every right the kernel's ABI has.
//!
//! Everything that was put into the run's own root may be read; only what the plan says may be written or executed.
//! Rights that no rule grants (device nodes, for one) are denied everywhere. *Build* is [`Rules::build`], *apply* is
//! [`Rules::restrict`].

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::devices::NODES;
use crate::mounts::c_path;
use crate::plan::{Access, Mount, Plan};
use crate::switches::Switch;
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

/// What may be done with a device that is shown.
const DEVICE: u64 = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV;

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

/// Rights over ports, from ABI 4 on.
const BIND_TCP: u64 = 1 << 0;
const CONNECT_TCP: u64 = 1 << 1;

/// Abstract UNIX sockets and signals across the boundary, from ABI 6 on.
const fn scopes(abi: u32) -> u64 {
    if abi >= 6 { 0b11 } else { 0 }
}

/// How many bytes of a description an ABI knows.
const fn size(abi: u32) -> usize {
    match abi {
        0..=3 => 8,
        4 | 5 => 16,
        _ => 24,
    }
}

/// Takes every right over files from this thread, and to listen, where the kernel has Landlock; needs `no_new_privs`.
pub(crate) fn take_everything(abi: Option<u32>) -> sys::Result<()> {
    let Some(abi) = abi else { return Ok(()) };
    let handled = LandlockRuleset {
        handled_access_fs: handled_fs(abi),
        handled_access_net: if abi >= 4 { BIND_TCP } else { 0 },
        scoped: scopes(abi),
    };
    let ruleset = sys::landlock_ruleset(&handled, size(abi))?;
    sys::landlock_restrict(ruleset.as_fd())
}

/// A rule set for one run on one kernel.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The ABI it is written for.
    pub(crate) abi: u32,
    pub(crate) handled: LandlockRuleset,
    size: usize,
    allow: Vec<(CString, u64)>,
    /// Whether paths are the host's: then none may lead through a link, and what is out of reach needs no rule.
    of_host: bool,
}

impl Rules {
    /// The rules of a plan for a kernel with this ABI. Pure.
    pub(crate) fn build(plan: &Plan, abi: u32) -> Rules {
        let is_plain = plan.plain.is_some();
        let of_host = is_plain || plan.switches.off(Switch::Mounts);
        let handled = LandlockRuleset {
            handled_access_fs: handled_fs(abi),
            // Ports cannot be told apart by address, and loopback inside the run is open on any port: only a run
            // without one has a use for these rights; without a way out for both.
            handled_access_net: match abi >= 4 && (is_plain || !plan.network.loopback) {
                true if plan.way_out().is_some() => BIND_TCP,
                true => BIND_TCP | CONNECT_TCP,
                false => 0,
            },
            scoped: scopes(abi),
        };
        let size = size(abi);
        // Without a root of its own, nothing but what is named.
        let mut allow = if is_plain { Vec::new() } else { vec![(c"/".to_owned(), READ)] };
        let mut scratch = READ | CHANGE | MAKE_FIFO | MAKE_SOCK;
        if is_plain && plan.guard.binds() {
            // Scratch space is told apart by its place: nothing moves into it or out of it, as between two mounts.
            scratch &= !REFER;
        }
        for mount in &plan.mounts {
            let (target, rights): (&Path, u64) = match mount {
                Mount::Bind { target, access: Access::ReadExecute, .. } => (target, READ | EXECUTE),
                Mount::Bind { target, access: Access::Write, .. } => (target, READ | CHANGE),
                Mount::Bind { target, access: Access::WriteExecute, .. }
                | Mount::Overlay { target, access: Access::WriteExecute, .. } => {
                    (target, READ | CHANGE | EXECUTE)
                }
                Mount::Overlay { target, .. } => (target, READ | CHANGE),
                Mount::Bind { target, access: Access::Read, .. } if is_plain => (target, READ),
                Mount::Bind { target, access: Access::List, .. } => (target, READ_DIR),
                // The host's own folder of that name is no scratch space.
                Mount::Scratch { .. } if plan.switches.off(Switch::Mounts) => continue,
                Mount::Scratch { target, execute, .. } => {
                    (target, if *execute { scratch | EXECUTE } else { scratch })
                }
                Mount::Devices if is_plain => {
                    allow.extend(NODES.map(|path| (path.to_owned(), DEVICE & handled.handled_access_fs)));
                    continue;
                }
                Mount::Devices => (Path::new("/dev"), READ | DEVICE),
                Mount::Bind { access: Access::Read, .. }
                | Mount::File { .. }
                | Mount::Symlink { .. }
                | Mount::Directory { .. }
                | Mount::Cover { .. }
                | Mount::Pin { .. }
                | Mount::Processes => continue,
            };
            allow.push((c_path(target), rights & handled.handled_access_fs));
        }
        Rules { abi, handled, size, allow, of_host }
    }

    /// Restricts this thread and everything it becomes, for good. Needs `no_new_privs`; paths are the run's own.
    ///
    /// What the standard descriptors lead to may be opened anew by name (`/dev/stdout`): a file that is read, and the
    /// pseudo-terminals of the relay. Pipes need no rule. A terminal of the caller's gets none: who opens it anew could
    /// write to it.
    pub(crate) fn restrict(&self, stdio: &[OwnedFd; 3]) -> sys::Result<()> {
        let ruleset = sys::landlock_ruleset(&self.handled, self.size)?;
        for (path, rights) in &self.allow {
            let Some(fd) = self.open(path)? else { continue };
            let is_dir = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode).is_dir();
            let rights = if is_dir { *rights } else { rights & FILE_RIGHTS };
            if rights == 0 {
                // The kernel takes no rule that allows nothing.
                continue;
            }
            sys::landlock_allow(ruleset.as_fd(), fd.as_fd(), rights)?;
        }
        let again = [READ_FILE, DEVICE, DEVICE];
        for (number, (fd, rights)) in stdio.iter().zip(again).enumerate() {
            let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode);
            let known = if number == 0 { kind.is_file() } else { kind.is_char_device() };
            if known {
                sys::landlock_allow(ruleset.as_fd(), fd.as_fd(), rights & self.handled.handled_access_fs)?;
            }
        }
        sys::landlock_restrict(ruleset.as_fd())
    }

    fn open(&self, path: &CStr) -> sys::Result<Option<OwnedFd>> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        if !self.of_host {
            return rustix::fs::open(path, flags, Mode::empty()).map(Some);
        }
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve) {
            // A link has taken its place, or it is gone, or nothing that this user could get at: less is allowed.
            Err(Errno::LOOP | Errno::NOENT | Errno::ACCESS | Errno::NOTDIR) => Ok(None),
            other => other.map(Some),
        }
    }
}

/// The ABI of this kernel's Landlock, if it has one.
pub fn abi() -> Option<u32> {
    sys::landlock_version().ok().filter(|abi| *abi > 0)
}

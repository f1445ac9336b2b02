//! Attempts on files that the run's file system does not give, looked at for the record alone.
//!
//! Every one of these calls goes on in the kernel, which resolves the path again: mounts and Landlock hold what they hold,
//! whatever is found here, and whatever the script makes of the path meanwhile. A script that wins such a race gains
//! nothing but another name on its record.
//!
//! What is not shown may be nothing to speak of: whether it exists on the host, and whether programs look for it by habit,
//! the supervisor says.
//!
//! Nothing here allocates.

mod plainly;
mod walk;
mod wish;

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, Access, AtFlags, CWD, FileType, Mode, OFlags, Stat, StatVfsMountFlags};
use rustix::io::Errno;
use waxcell_operations::Operation;

use crate::ending::Layer;
use crate::guarded::Asked;
use crate::lookout::{Skeleton, Why};
use crate::network::ADDRESS_MAX;
use crate::plan::{self, Guard, Mount, Plan};
use crate::procfs;
use crate::seccomp::Call;
use crate::sys::{Answer, Notification};
use crate::target::{base_of, name_of, own_descriptor, read_exactly, still_waiting};
use crate::wire::{Attempt, PATH_MAX};

use walk::{End, Root, Walk, of_the_init};
use wish::{Makes, Wish, read_path, wishes};

/// What attempts are judged by, made before the fork.
pub(crate) struct Attempts {
    told: bool,
    guard: Guard,
    devices: Devices,
    /// The script's home, a part of scratch space in which programs look for what people keep there.
    home: Vec<u8>,
    /// Without namespaces: what may be reached, and how.
    plain: Option<Vec<(Vec<u8>, plan::Access)>>,
    /// What the run's root consists of, where it is served.
    skeleton: Option<Skeleton>,
    /// Where the thread that asked last is: its relative paths begin there.
    cwd: Option<(u32, OwnedFd)>,
    /// What the guard answered if it did not find what was asked for: where links of `/proc` lead that mean something to
    /// the asking process alone, it does not go.
    missed: Option<Errno>,
}

/// Devices of the parts of the run's own file system.
#[derive(Default)]
struct Devices {
    root: u64,
    scratch: u64,
    proc: u64,
}

/// Who has a call looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Filter,
    /// The filter, beside a lookout: it may have been looked at already.
    FilterToo,
    Lookout(Why),
}

/// What came of a look.
enum Seen {
    /// The kernel will find nothing wrong with it that the policy says.
    Fine,
    /// It is refused.
    Refused(Attempt),
    /// It is not shown, or out of reach: an attempt, if there is something on the host.
    Unshown(Attempt),
}

impl Attempts {
    pub(crate) fn new(plan: &Plan, skeleton: Option<Skeleton>) -> Attempts {
        let reach = |mount: &Mount| {
            let access = match mount {
                Mount::Bind { access, .. } => *access,
                Mount::Scratch { execute: true, .. } => plan::Access::WriteExecute,
                Mount::Scratch { .. } => plan::Access::Write,
                Mount::File { .. } => plan::Access::Read,
                _ => return None,
            };
            Some((mount.target()?.as_os_str().as_encoded_bytes().to_vec(), access))
        };
        Attempts {
            told: plan.file_attempts,
            guard: plan.guard.clone(),
            devices: Devices::default(),
            home: plan.program.env.get("HOME").cloned().unwrap_or_default(),
            plain: plan.plain.is_some().then(|| plan.mounts.iter().filter_map(reach).collect()),
            skeleton,
            cwd: None,
            missed: None,
        }
    }

    /// Looks up, in the finished tree, which part is on which device.
    pub(crate) fn prepare(&mut self, scratch: u64) -> Result<(), Errno> {
        if self.plain.is_none() {
            self.devices =
                Devices { root: fs::stat(c"/")?.st_dev, scratch, proc: fs::stat(procfs::HERE)?.st_dev };
        }
        Ok(())
    }

    /// The root is the run's own: nobody serves it.
    pub(crate) fn is_not_served(&mut self) {
        self.skeleton = None;
    }

    /// Processes come and go: whoever has the number of the last one may be somewhere else.
    pub(crate) fn forget(&mut self) {
        self.cwd = None;
    }

    /// Looks at what a call would do, and puts on record what it will be refused, or was: with this `answer`.
    pub(crate) fn look(&mut self, asked: &mut Asked<'_>, kind: Call, answer: Answer) {
        if !self.told {
            return;
        }
        self.missed = match answer {
            Answer::Fail(errno @ (Errno::LOOP | Errno::NOENT)) => Some(errno),
            _ => None,
        };
        match kind {
            Call::Connect => self.look_at_socket(asked, asked.call.args[1], asked.call.args[2]).unwrap_or(()),
            Call::SendTo => self.look_at_socket(asked, asked.call.args[4], asked.call.args[5]).unwrap_or(()),
            // It may be somewhere else from now on, or be another.
            Call::Chdir | Call::Fchdir => self.forget(),
            _ => {}
        }
        let [first, second] = wishes(kind, &asked.call.args);
        if let (Call::OpenAt, Some(wish @ Wish { operation: Operation::FsRead, .. }), Some(_)) =
            (kind, &first, &self.skeleton)
        {
            self.look_from_descriptor(asked, wish);
            return;
        }
        for (wish, other) in [(&first, &second), (&second, &first)] {
            let Some(wish) = wish else { break };
            if self.look_at(asked, wish, other.as_ref()).is_none_or(|is_refused| is_refused) {
                return;
            }
        }
        if let (Call::Execve | Call::ExecveAt, Some(wish)) = (kind, &first) {
            self.look_at_interpreter(asked, wish);
        }
    }

    /// Whether somebody is on his way into the folder of the init, and says so. What he then opens by a name that begins
    /// there no lookout sees. So he is told on the way what the kernel would tell him at each file; whoever gets past, it
    /// tells all the same.
    pub(crate) fn keeps_out(&self, asked: &mut Asked<'_>, kind: Call) -> bool {
        self.told && self.look_at_way(asked, kind).is_some()
    }

    fn look_at_way(&self, asked: &mut Asked<'_>, kind: Call) -> Option<()> {
        let Asked { call, listener, .. } = *asked;
        let wish = match kind {
            Call::Chdir => Wish::on(Operation::FsRead, None, call.args[0]),
            Call::Fchdir => Wish::of_descriptor(Operation::FsRead, call.args[0]),
            _ => return None,
        };
        let mut path = [0u8; PATH_MAX];
        let length = read_path(call.tid, &wish, &mut path)?;
        let End::There(at, stat) = self.start(call.tid, &wish, &path[..length])?.go(true) else {
            return None;
        };
        if stat.st_dev != self.devices.proc {
            return None;
        }
        let name = name_of(at.as_fd(), b"", &mut path).ok()?;
        of_the_init(name)?;
        still_waiting(listener, call).ok()?;
        let attempt = Attempt { operation: Operation::FsRead, layer: Layer::Processes, errno: Errno::ACCESS };
        asked.deny(attempt, name);
        Some(())
    }

    /// Looks at a file that is opened to read it by a name that begins at a descriptor, where there is a lookout: what
    /// begins behind the places that it watches comes through none of them.
    fn look_from_descriptor(&mut self, asked: &mut Asked<'_>, wish: &Wish) -> Option<()> {
        let begins = fs::fstat(base_of(asked.call.tid, wish.dirfd).ok()?).ok()?.st_dev;
        if ![self.devices.proc, self.devices.scratch].contains(&begins) {
            return None;
        }
        let mut path = [0u8; PATH_MAX];
        let length = read_path(asked.call.tid, wish, &mut path)?;
        // Otherwise it does not begin there.
        if path[0] != b'/' {
            self.look_along(asked, wish, None, &path, length, By::FilterToo);
        }
        Some(())
    }

    /// What a file names behind `#!`, which the kernel executes in its place (`execve(2)`); that may be such a file again.
    fn look_at_interpreter(&mut self, asked: &mut Asked<'_>, wish: &Wish) -> Option<()> {
        /// As many as the kernel goes through.
        const MOST: usize = 5;
        let mut path = [0u8; PATH_MAX];
        let mut length = read_path(asked.call.tid, wish, &mut path)?;
        let named = Wish::on(Operation::ProcExec, None, 0);
        for position in 0..MOST {
            let wish = if position == 0 { wish } else { &named };
            let End::There(at, stat) = self.start(asked.call.tid, wish, &path[..length])?.go(wish.follow)
            else {
                return None;
            };
            length = interpreter(&at, &stat, &mut path)?;
            if self.look_along(asked, &named, None, &path, length, By::Filter)? {
                return None;
            }
        }
        None
    }

    /// How a call ends that is about a name which the served root does not have. Nobody but the kernel, for whoever asks,
    /// may look there: another may be waiting for us in the same folder.
    pub(crate) fn without_looking(&self, call: &Notification, kind: Call) -> Option<Answer> {
        self.skeleton.as_ref()?;
        let lacks = |wish: &Wish| {
            let mut path = [0u8; PATH_MAX];
            let length = read_path(call.tid, wish, &mut path).filter(|_| wish.path.is_some())?;
            match self.start(call.tid, wish, &path[..length])?.go(wish.follow) {
                End::Missing(_, stat) if stat.st_dev == self.devices.root => Some(Errno::NOENT),
                End::Shut(_, stat) if stat.st_dev == self.devices.root => Some(Errno::ACCESS),
                _ => None,
            }
        };
        let errno = wishes(kind, &call.args).iter().flatten().find_map(lacks)?;
        Some(match kind {
            // Which the kernel would tell only after that nothing can be written there.
            Call::Unlink | Call::UnlinkAt | Call::Rmdir if errno == Errno::NOENT => Answer::Fail(errno),
            _ => Answer::Continue,
        })
    }

    /// Looks at a call that was held at a name of the root: whether it is to open a file, which one, and what of it the
    /// lookout was asked for. A call that is looked at for another reason was, before it began.
    pub(crate) fn look_at_name(&mut self, asked: &mut Asked<'_>, kind: Call, why: Why) {
        let [Some(wish @ Wish { operation: Operation::FsRead, .. }), None] = wishes(kind, &asked.call.args)
        else {
            return;
        };
        if !matches!(kind, Call::Open | Call::OpenAt) {
            return;
        }
        self.missed = None;
        let mut path = [0u8; PATH_MAX];
        let Some(length) = read_path(asked.call.tid, &wish, &mut path) else { return };
        self.look_along(asked, &wish, None, &path, length, By::Lookout(why));
    }

    /// An address of a socket that has a name (`unix(7)`): a path, or one that begins with a zero byte and is shown
    /// with `@` for it.
    fn look_at_socket(&mut self, asked: &mut Asked<'_>, address: u64, length: u64) -> Option<()> {
        let mut bytes = [0u8; ADDRESS_MAX];
        let bytes = bytes.get_mut(..length as u32 as usize)?;
        read_exactly(asked.call.tid, address, bytes).ok()?;
        let (family, name) = bytes.split_at_mut_checked(2)?;
        if i32::from(u16::from_ne_bytes([family[0], family[1]])) != libc::AF_UNIX {
            return None;
        }
        match name {
            [first @ 0, _, ..] => {
                *first = b'@';
                let attempt = Attempt {
                    operation: Operation::IpcUnix,
                    layer: Layer::Network,
                    errno: Errno::CONNREFUSED,
                };
                asked.unshown(attempt, name);
            }
            _ => {
                let length = name.iter().position(|b| *b == 0).unwrap_or(name.len());
                let mut path = [0u8; PATH_MAX];
                path[..length].copy_from_slice(&name[..length]);
                let wish = Wish::on(Operation::IpcUnix, None, address);
                self.look_along(asked, &wish, None, &path, length, By::Filter);
            }
        }
        Some(())
    }

    /// Whether it is refused; `None` if that could not be looked at. `other` is the other path of the call.
    fn look_at(&mut self, asked: &mut Asked<'_>, wish: &Wish, other: Option<&Wish>) -> Option<bool> {
        let mut path = [0u8; PATH_MAX];
        let length = read_path(asked.call.tid, wish, &mut path)?;
        self.look_along(asked, wish, other, &path, length, By::Filter)
    }

    fn look_along(
        &mut self,
        asked: &mut Asked<'_>,
        wish: &Wish,
        other: Option<&Wish>,
        path: &[u8; PATH_MAX],
        length: usize,
        by: By,
    ) -> Option<bool> {
        let tid = asked.call.tid;
        if wish.operation == Operation::FsRead
            && self.plain.is_none()
            && self.skeleton.is_none()
            // What is its own, this process may open, and no other.
            && of_the_init(&path[..length]).is_none()
            && self.is_there(tid, wish, path, length)
        {
            return Some(false);
        }
        let mut walk = self.start(tid, wish, &path[..length])?;
        let end = walk.go(wish.follow);
        let (End::There(at, stat) | End::Missing(at, stat) | End::Shut(at, stat) | End::Private(at, stat)) =
            &end
        else {
            return None;
        };
        let is_in_root = stat.st_dev == self.devices.root;
        let is_told = match by {
            By::Filter => true,
            By::Lookout(why) => (why == Why::Root) == is_in_root,
            // The lookout does.
            By::FilterToo => !is_in_root && !walk.was_watched(),
        };
        if !is_told {
            return None;
        }
        let mut seen = self.judge(wish, &end, &walk);
        if matches!(seen, Seen::Fine) {
            return Some(false);
        }
        if let (Seen::Refused(attempt) | Seen::Unshown(attempt), Some(other)) = (&mut seen, other)
            && attempt.errno == Errno::ROFS
            && self.leads_elsewhere(tid, other, at)
        {
            // Which the kernel finds first (`rename(2)`, `link(2)`).
            attempt.errno = Errno::XDEV;
        }
        let mut text = [0u8; PATH_MAX];
        let text = name_of(at.as_fd(), walk.rest(), &mut text).ok()?;
        still_waiting(asked.listener, asked.call).ok()?;
        match seen {
            Seen::Fine => {}
            Seen::Refused(_) if is_habit(text) => {}
            // By the guard, which says so.
            Seen::Refused(attempt)
                if self.guard.refuses(attempt.operation) && attempt.layer != Layer::Guard => {}
            Seen::Refused(attempt) => asked.deny(attempt, text),
            Seen::Unshown(attempt) => {
                // In the script's own home there is nothing of the host's; but people keep secrets there.
                let own = matches!(&end, End::Missing(_, stat) if stat.st_dev == self.devices.scratch);
                if !own || (!self.home.is_empty() && text.starts_with(&self.home)) {
                    asked.unshown(attempt, text);
                }
            }
        }
        Some(true)
    }

    fn start(&self, tid: u32, wish: &Wish, path: &[u8]) -> Option<Walk<'_>> {
        let base = match path.first() {
            Some(b'/') => None,
            _ => Some(base_of(tid, wish.dirfd).ok()?),
        };
        let root = self.skeleton.as_ref().map(|skeleton| Root { device: self.devices.root, skeleton });
        Walk::new(tid, self.devices.proc, root, base, path).ok()
    }

    /// Whether a path ends in another mount than `here`.
    fn leads_elsewhere(&self, tid: u32, wish: &Wish, here: &OwnedFd) -> bool {
        let mut path = [0u8; PATH_MAX];
        let walk = read_path(tid, wish, &mut path).and_then(|length| self.start(tid, wish, &path[..length]));
        match walk.map(|mut walk| walk.go(wish.follow)) {
            Some(End::There(there, _) | End::Missing(there, _)) => mount_of(&there) != mount_of(here),
            _ => false,
        }
    }

    /// The short way, for files that are read and are there: one call.
    fn is_there(&mut self, tid: u32, wish: &Wish, path: &[u8; PATH_MAX], length: usize) -> bool {
        let Ok(path) = std::ffi::CStr::from_bytes_with_nul(&path[..=length]) else { return false };
        let base = match wish.dirfd.map(|fd| fd as i32) {
            _ if path.to_bytes().starts_with(b"/") => CWD,
            None | Some(libc::AT_FDCWD) => {
                if self.cwd.as_ref().is_none_or(|(owner, _)| *owner != tid) {
                    self.cwd = base_of(tid, None).ok().map(|cwd| (tid, cwd));
                }
                let Some((_, cwd)) = &self.cwd else { return false };
                cwd.as_fd()
            }
            Some(_) => return false,
        };
        // By effective ids, for which the kernel needs no credentials of its own making.
        fs::accessat(base, path, Access::READ_OK, AtFlags::EACCESS).is_ok()
    }

    fn judge(&self, wish: &Wish, end: &End, walk: &Walk<'_>) -> Seen {
        let attempt = |operation, layer, errno| Attempt { operation, layer, errno };
        if let Some(reach) = &self.plain {
            return plainly::judge(reach, wish, end, walk);
        }
        let mounts = |operation, errno| attempt(operation, Layer::Mounts, errno);
        match end {
            End::There(..) if wish.makes == Makes::New && wish.operation != Operation::FsRename => Seen::Fine,
            End::There(at, stat) => match self.refused(wish.operation, at, stat) {
                Some((layer, errno)) => Seen::Refused(attempt(wish.operation, layer, errno)),
                None => match self.missed {
                    Some(errno)
                        if self.guard.refuses(wish.operation) && stat.st_dev != self.devices.scratch =>
                    {
                        Seen::Refused(attempt(wish.operation, Layer::Guard, errno))
                    }
                    _ => Seen::Fine,
                },
            },
            End::Private(..) => Seen::Refused(attempt(wish.operation, Layer::Processes, Errno::ACCESS)),
            End::Shut(_, stat) if is_blank(stat, self.devices.root) => {
                Seen::Refused(mounts(wish.operation, Errno::ACCESS))
            }
            End::Missing(at, stat)
                if wish.makes != Makes::Nothing && walk.is_at_last() && is_read_only(at) =>
            {
                let refused = mounts(wish.on_nothing(), Errno::ROFS);
                // Among the host's own files it cannot be a habit.
                if self.is_skeleton(at, stat) { Seen::Unshown(refused) } else { Seen::Refused(refused) }
            }
            End::Missing(at, stat) if self.is_skeleton(at, stat) => {
                Seen::Unshown(mounts(wish.on_nothing(), Errno::NOENT))
            }
            _ => Seen::Fine,
        }
    }

    /// What refuses an operation on something that is there, and how.
    fn refused(&self, operation: Operation, at: &OwnedFd, stat: &Stat) -> Option<(Layer, Errno)> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        match operation {
            _ if is_blank(stat, self.devices.root) => Some((Layer::Mounts, Errno::ACCESS)),
            // Of the init, which is nobody's business: what the kernel lets only itself read has no owner here.
            Operation::FsRead if stat.st_dev == self.devices.proc && stat.st_uid != own_uid() => {
                may_read(at).err().map(|errno| (Layer::Processes, errno))
            }
            Operation::FsRead | Operation::IpcUnix => None,
            Operation::ProcExec => {
                let noexec =
                    fs::fstatvfs(at).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::NOEXEC));
                (noexec && kind.is_file()).then_some((Layer::Mounts, Errno::ACCESS))
            }
            // Devices and pipes can be written to wherever they are.
            Operation::FsWrite if !kind.is_file() && !kind.is_dir() => None,
            _ => is_read_only(at).then_some((Layer::Mounts, Errno::ROFS)),
        }
    }

    /// Whether a folder is of the tree that the host's parts are put into, or covers something: what is not there may be
    /// on the host.
    fn is_skeleton(&self, at: &OwnedFd, stat: &Stat) -> bool {
        /// `PROC_ROOT_INO` (`<linux/proc_fs.h>`): what is below is of the run's own processes, not the host's.
        const PROC_ROOT: u64 = 1;
        let Devices { root, scratch, proc } = self.devices;
        if stat.st_dev == proc {
            return stat.st_ino == PROC_ROOT;
        }
        if [root, scratch].contains(&stat.st_dev) {
            return true;
        }
        /// `TMPFS_MAGIC` (`statfs(2)`).
        const TMPFS: i64 = 0x0102_1994;
        fs::fstatfs(at).is_ok_and(|stat| stat.f_type == TMPFS)
    }
}

fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

fn may_read(at: &OwnedFd) -> Result<(), Errno> {
    let mut own = [0u8; 64];
    fs::accessat(CWD, own_descriptor(at.as_fd(), &mut own)?, Access::READ_OK, AtFlags::empty())
}

/// Reads which interpreter a file names, and how long that path is; `None` if it names none.
fn interpreter(at: &OwnedFd, stat: &Stat, path: &mut [u8; PATH_MAX]) -> Option<usize> {
    /// As much as the kernel looks at.
    const LINE: usize = 256;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return None;
    }
    let mut own = [0u8; 64];
    let file = own_descriptor(at.as_fd(), &mut own).ok()?;
    let file = fs::open(file, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut line = [0u8; LINE];
    let read = rustix::io::read(&file, &mut line).ok()?;
    let line = line[..read].strip_prefix(b"#!")?;
    let line = line.split(|b| *b == b'\n').next()?.trim_ascii_start();
    let name = line.split(|b| matches!(b, b' ' | b'\t' | 0)).next().filter(|name| !name.is_empty())?;
    path[..name.len()].copy_from_slice(name);
    path[name.len()] = 0;
    Some(name.len())
}

/// The number of the mount that something is in.
fn mount_of(at: &OwnedFd) -> Option<u64> {
    let stat = fs::statx(at, c"", AtFlags::EMPTY_PATH, fs::StatxFlags::MNT_ID).ok()?;
    Some(stat.stx_mnt_id)
}

/// Whether this covers something: nobody may do anything with it.
fn is_blank(stat: &Stat, root: u64) -> bool {
    stat.st_dev == root && stat.st_mode & 0o777 == 0
}

fn is_read_only(at: &OwnedFd) -> bool {
    fs::fstatvfs(at).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// What Python does wherever it imports from, and does without.
fn is_habit(path: &[u8]) -> bool {
    path.split(|b| *b == b'/').any(|name| name == b"__pycache__")
}

//! What the broker decides for a run without namespaces: whose files are whose goes by their place, the script's own
//! bytes are handed out instead of mounted, and signals stay within the run.
//!
//! A place is what the kernel says a descriptor's path is. A script cannot move a file out of the place that was
//! judged: where operations are blocked, Landlock lets nothing be renamed or linked between scratch space and the rest.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, AtFlags, CWD, MemfdFlags, Mode, OFlags, SealFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::{Asked, Guarded, open_target};
use crate::plan::{Access, Mount, Plan};
use crate::procfs;
use crate::seccomp::Call;
use crate::sys::{self, Answer, Notification};
use crate::target::{Target, own_descriptor, read_exactly, read_string};
use crate::wire::PATH_MAX;

/// Made before the fork.
pub(super) struct Outside {
    /// The scratch folders.
    scratch: Vec<Vec<u8>>,
    /// What outlives the run and may be written to.
    writable: Vec<Vec<u8>>,
    file: Option<Given>,
}

/// A file whose bytes are the plan's.
struct Given {
    bytes: OwnedFd,
    /// How the arguments name it, and from where.
    name: Vec<u8>,
    cwd: Vec<u8>,
    /// Its path.
    path: Vec<u8>,
}

impl Outside {
    /// For a plan without namespaces.
    pub(super) fn new(plan: &Plan) -> Result<Option<Outside>, Errno> {
        let Some(plain) = &plan.plain else { return Ok(None) };
        let mut outside = Outside { scratch: Vec::new(), writable: Vec::new(), file: None };
        for mount in &plan.mounts {
            match mount {
                Mount::Scratch { target, .. } => outside.scratch.push(target.as_os_str().as_bytes().to_vec()),
                Mount::Bind { target, access: Access::Write | Access::WriteExecute, .. } => {
                    outside.writable.push(target.as_os_str().as_bytes().to_vec());
                }
                Mount::File { target, contents, mode } => {
                    outside.file = Some(Given {
                        bytes: sealed(contents, *mode)?,
                        name: plain.file.as_os_str().as_bytes().to_vec(),
                        cwd: plan.program.cwd.as_os_str().as_bytes().to_vec(),
                        path: target.as_os_str().as_bytes().to_vec(),
                    });
                }
                _ => {}
            }
        }
        Ok(Some(outside))
    }

    pub(super) fn descriptor(&self) -> Option<&OwnedFd> {
        self.file.as_ref().map(|file| &file.bytes)
    }

    pub(super) fn is_scratch(&self, file: BorrowedFd<'_>) -> bool {
        is_in(&self.scratch, file)
    }

    pub(super) fn is_writable(&self, file: BorrowedFd<'_>) -> bool {
        is_in(&self.writable, file)
    }
}

/// A memory file that nobody can change any more.
fn sealed(contents: &[u8], mode: u32) -> Result<OwnedFd, Errno> {
    let file = fs::memfd_create(c"script", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut rest = contents;
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    fs::fchmod(&file, Mode::from(mode))?;
    fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

/// Whether the path of a descriptor is one of these or below.
fn is_in(places: &[Vec<u8>], file: BorrowedFd<'_>) -> bool {
    let mut buffer = [0u8; PATH_MAX];
    // What has a longer path is in none.
    let Ok(path) = path_of(file, &mut buffer) else { return false };
    places.iter().any(|place| path.strip_prefix(&**place).is_some_and(|rest| matches!(rest, [] | [b'/', ..])))
}

/// The path of a descriptor of ours.
fn path_of<'a>(file: BorrowedFd<'_>, buffer: &'a mut [u8; PATH_MAX]) -> Result<&'a [u8], Errno> {
    let mut link = [0; 64];
    let length = fs::readlinkat_raw(CWD, own_descriptor(file, &mut link)?, &mut buffer[..])?;
    // As long as there is room for may be cut.
    if length < PATH_MAX { Ok(&buffer[..length]) } else { Err(Errno::NAMETOOLONG) }
}

impl Given {
    /// Whether a path that a process gives to `open` is this file: by the name that the program was given for it,
    /// whatever lies there now; else by what it leads to.
    fn is_meant(
        &self,
        listener: BorrowedFd<'_>,
        call: &Notification,
        dirfd: Option<u64>,
        address: u64,
    ) -> Result<bool, Errno> {
        let mut path = [0u8; PATH_MAX];
        let length = read_string(call.tid, address, &mut path)?;
        let (path, last) = (&path[..length], |path: &[u8]| path.iter().rposition(|b| *b == b'/'));
        let name = |path: &'_ [u8]| last(path).map_or(0, |slash| slash + 1);
        let (own, given) = (&self.path[name(&self.path)..], &self.name[name(&self.name)..]);
        if ![own, given].contains(&&path[name(path)..]) {
            return Ok(false);
        }
        if path == self.name && (path[0] == b'/' || self.is_at_home(call, dirfd)) {
            return Ok(true);
        }
        let Ok(found) = Target::read(listener, call, dirfd, address)?.open(false) else { return Ok(false) };
        let mut buffer = [0u8; PATH_MAX];
        Ok(path_of(found.as_fd(), &mut buffer)? == self.path)
    }

    /// Whether a relative path starts where the program was started.
    fn is_at_home(&self, call: &Notification, dirfd: Option<u64>) -> bool {
        if dirfd.is_some_and(|fd| fd as i32 != libc::AT_FDCWD) {
            return false;
        }
        let Ok(cwd) = procfs::open(call.tid, c"cwd", OFlags::PATH | OFlags::CLOEXEC) else { return false };
        let mut buffer = [0u8; PATH_MAX];
        path_of(cwd.as_fd(), &mut buffer).is_ok_and(|path| path == self.cwd)
    }
}

impl Guarded {
    pub(super) fn perform_outside(&self, asked: &mut Asked<'_>, kind: Call) -> Result<Answer, Errno> {
        let a = asked.call.args;
        match kind {
            Call::Open => self.open_file(asked, None, a[0], a[1]),
            Call::OpenAt => self.open_file(asked, Some(a[0]), a[1], a[2]),
            Call::UtimensAt => self.set_times(asked),
            Call::Kill => self.kill(asked, a[0] as i32, a[1] as i32),
            // To a thread of its own process, which is there as long as the call is.
            Call::Tgkill if procfs::process_of(asked.call.tid) == Some(a[0] as u32) => Ok(Answer::Continue),
            Call::Tkill if asked.call.tid == a[0] as u32 => Ok(Answer::Continue),
            _ => Err(Errno::PERM),
        }
    }

    /// Hands out the plan's bytes for the plan's file. Whatever else is opened, the kernel judges as if nobody had
    /// looked.
    fn open_file(
        &self,
        asked: &mut Asked<'_>,
        dirfd: Option<u64>,
        path: u64,
        flags: u64,
    ) -> Result<Answer, Errno> {
        let Some(file) = self.outside.as_ref().and_then(|outside| outside.file.as_ref()) else {
            return Ok(Answer::Continue);
        };
        let flags = OFlags::from_bits_retain(flags as u32);
        if flags.contains(OFlags::PATH)
            || !file.is_meant(asked.listener, asked.call, dirfd, path).unwrap_or(false)
        {
            return Ok(Answer::Continue);
        }
        if flags.intersects(OFlags::WRONLY | OFlags::RDWR | OFlags::TRUNC) {
            return Err(Errno::ROFS);
        }
        let mut link = [0; 64];
        // A description of its own, which starts at the beginning.
        let link = own_descriptor(file.bytes.as_fd(), &mut link)?;
        let open = fs::open(link, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let close_on_exec = flags.contains(OFlags::CLOEXEC);
        sys::notification_give(asked.listener, asked.call.id, open.as_fd(), close_on_exec).map(Answer::Given)
    }

    /// `utimensat`: neither mounts nor Landlock bind it to what the script may write to.
    fn set_times(&self, asked: &mut Asked<'_>) -> Result<Answer, Errno> {
        let [dirfd, path, times, flags, ..] = asked.call.args;
        let file = open_target(asked, (Some(dirfd), (path != 0).then_some(path), flags as u32))?;
        let may = self.outside.as_ref().is_some_and(|outside| outside.is_writable(file.as_fd()));
        if !may && !self.is_scratch(file.as_fd()) {
            return Err(Errno::ACCESS);
        }
        let now = Timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW };
        let mut stamps = [now, now];
        if times != 0 {
            let mut raw = [0u8; 32];
            read_exactly(asked.call.tid, times, &mut raw)?;
            let mut numbers = raw.chunks_exact(8).map(|chunk| {
                let mut number = [0u8; 8];
                number.copy_from_slice(chunk);
                i64::from_le_bytes(number)
            });
            for stamp in &mut stamps {
                stamp.tv_sec = numbers.next().unwrap_or(0);
                stamp.tv_nsec = numbers.next().unwrap_or(0);
            }
        }
        crate::target::still_waiting(asked.listener, asked.call)?;
        let stamps = Timestamps { last_access: stamps[0], last_modification: stamps[1] };
        let empty: &CStr = c"";
        fs::utimensat(&file, empty, &stamps, AtFlags::EMPTY_PATH)?;
        Ok(Answer::Done)
    }

    /// `kill`, where Landlock does not keep signals within the run: to itself the kernel may go on, to others it is sent
    /// from here, to each that is held and is the run's.
    fn kill(&self, asked: &mut Asked<'_>, pid: i32, signal: i32) -> Result<Answer, Errno> {
        let own = procfs::process_of(asked.call.tid).ok_or(Errno::SRCH)?;
        if pid as u32 == own {
            return Ok(Answer::Continue);
        }
        let members = self.members();
        if pid > 0 {
            return members.signal(pid as u32, signal).map(|()| Answer::Done);
        }
        let group = match pid {
            // Its own, which may be the init's as well: all are in one session.
            0 => Some(procfs::group_of(own).ok_or(Errno::SRCH)?),
            -1 => None,
            group => Some(group.unsigned_abs()),
        };
        let (mut reached, mut failed) = (false, Errno::SRCH);
        members.each_here(&mut |proc, name| {
            let Some(other) = crate::members::number(name).filter(|_| !members.is_init(name)) else { return };
            let meant = group.map_or(other != own, |group| procfs::group(proc, name) == Some(group));
            if meant {
                match members.signal(other, signal) {
                    Ok(()) => reached = true,
                    Err(errno) => failed = errno,
                }
            }
        })?;
        if reached { Ok(Answer::Done) } else { Err(failed) }
    }
}

//! The init of a run while the script is alive: it reaps, passes signals on, counts processes and threads, and decides
//! guarded calls.
//!
//! A guarded call is never checked and then continued: the script could change the path in between. The broker reads
//! the path once, resolves it itself to a descriptor with the script's own rights (it is the same user in the same
//! namespaces), judges *that*, and performs the call on it. Only calls judged by register values (`fork`, `clone`) and
//! two courtesies (placeholder directories; names that are not there) go on in the kernel, which decides about them as
//! always.
//!
//! Nothing here allocates: this is still a fork of the supervisor.

mod outside;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, WaitOptions};

use crate::members::Members;
use crate::plain;
use crate::plan::{Guard, Plan};
use crate::procfs;
use crate::room::Room;
use crate::seccomp::{self, Call};
use crate::sys::{self, Answer, Notification, SignalSet};
use crate::target::{
    NOFOLLOW, Target, open_descriptor, own_descriptor, read_exactly, read_string, still_waiting, trimmed,
};
use crate::wire::{self, Counted, Inbox, Order, PATH_MAX, Refused, Report};

/// What the broker needs, made before the fork.
pub(crate) struct Broker {
    guard: Guard,
    placeholders: Vec<Placeholder>,
    /// A place in scratch space: calls on its device are the script's own affair.
    scratch: CString,
    scratch_device: u64,
    /// What else has to be decided, and by what, where there are no namespaces.
    outside: Option<Outside>,
    /// The script's process.
    script: i32,
    room: Room,
    /// Whether the supervisor adds up what processes use. A process whose parent ignores its end is waited for by nobody,
    /// and the kernel forgets what it used.
    tell_spent: bool,
    /// The init's own counters, into which those of everybody it waits for are added. Opened before it hides.
    io: Option<OwnedFd>,
}

use outside::Outside;

struct Placeholder {
    path: CString,
    /// Device and inode, once known.
    identity: Option<(u64, u64)>,
    claimed: bool,
}

/// What became of the script's process.
struct Ended;

impl Broker {
    /// `scratch` is any path in the run's scratch space.
    pub(crate) fn new(plan: &Plan, scratch: CString, tell_spent: bool) -> Result<Broker, Errno> {
        let guard = &plan.guard;
        let placeholders = guard
            .placeholders
            .iter()
            .map(|path| Placeholder { path: crate::mounts::c_path(path), identity: None, claimed: false })
            .collect();
        Ok(Broker {
            guard: guard.clone(),
            placeholders,
            scratch,
            scratch_device: 0,
            outside: Outside::new(plan)?,
            script: 0,
            room: Room::new(plan.limits.processes, plan.limits.threads),
            tell_spent,
            io: None,
        })
    }

    /// What it holds open from before the fork.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        self.outside.iter().filter_map(Outside::descriptor)
    }

    /// Everybody of the run, as this process sees them.
    fn members(&self) -> Members {
        if self.outside.is_some() { Members::Below(std::process::id()) } else { Members::Namespace }
    }

    /// Kills everybody else and waits until nobody is left.
    pub(crate) fn end_everybody(&self) {
        match self.members() {
            Members::Namespace => {
                self.members().kill_others();
                while process::wait(WaitOptions::empty()).is_ok() {}
            }
            below => plain::end_below(below),
        }
    }

    /// Looks up, in the finished tree, what calls will be compared with.
    pub(crate) fn prepare(&mut self) -> Result<(), Errno> {
        self.io = Some(fs::open(c"/proc/self/io", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
        if self.outside.is_none() {
            self.scratch_device = fs::stat(self.scratch.as_c_str())?.st_dev;
        }
        for placeholder in &mut self.placeholders {
            let stat = fs::stat(placeholder.path.as_c_str())?;
            placeholder.identity = Some((stat.st_dev, stat.st_ino));
        }
        Ok(())
    }

    /// Serves until the script's process has ended and everything else with it, or the supervisor is gone.
    pub(crate) fn serve(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        gate: &OwnedFd,
        script: i32,
    ) {
        self.script = script;
        let Ok(children) = SignalSet::of(&[libc::SIGCHLD]).descriptor() else { return };
        let mut inbox = Inbox::new();
        // Once nobody is under the filter any more, its listener says so at every look: it is left out then.
        let mut asked = 3;
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(control, PollFlags::IN),
                PollFd::new(&children, PollFlags::IN),
                PollFd::from_borrowed_fd(listener, PollFlags::IN),
            ];
            if poll(&mut fds[..asked], self.room.next_look()).is_err_and(|errno| errno != Errno::INTR) {
                return;
            }
            let ready = [fds[0].revents(), fds[1].revents(), fds[2].revents()];
            if ready[2].contains(PollFlags::HUP) {
                asked = 2;
            }
            if !ready[0].is_empty() && self.obey(control, gate, &mut inbox).is_err() {
                return;
            }
            if ready[2].contains(PollFlags::IN) {
                self.decide(control, listener);
            }
            self.room.look(self.members(), control, listener);
            if !ready[1].is_empty() {
                while sys::read_signal(children.as_fd()).is_some() {}
                if self.reap(control).is_some() {
                    self.finish(control);
                    return;
                }
            }
        }
    }

    fn obey(&mut self, control: BorrowedFd<'_>, gate: &OwnedFd, inbox: &mut Inbox) -> Result<(), Errno> {
        match inbox.order(control, false) {
            Ok(Some(Order::Go)) => {
                process::set_dumpable_behavior(process::DumpableBehavior::NotDumpable)?;
                rustix::io::write(gate, b"g").map(drop)
            }
            Ok(Some(Order::Signal { signal, group })) => {
                let pid = self.script;
                // It may have ended by now, which is no fault.
                let _ = sys::kill(if group { -pid } else { pid }, signal);
                Ok(())
            }
            Ok(Some(Order::Kill)) => {
                self.room.close();
                self.members().kill_others();
                Ok(())
            }
            Ok(Some(Order::Mapped)) | Err(Errno::AGAIN) => Ok(()),
            // The supervisor is gone: leaving takes the whole namespace down.
            Ok(None) => Err(Errno::PIPE),
            Err(errno) => Err(errno),
        }
    }

    /// Waits for whoever ended. `Some` once the script's own process has.
    fn reap(&mut self, control: BorrowedFd<'_>) -> Option<Ended> {
        let mut ended = None;
        loop {
            match process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == self.script => {
                    let _ = wire::send_report(control, Report::Exited { status: status.as_raw() });
                    ended = Some(Ended);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        ended
    }

    /// Kills what is left, so that its usage is counted as well, and reports.
    fn finish(&self, control: BorrowedFd<'_>) {
        self.end_everybody();
        let io = self.io.as_ref().and_then(|fd| procfs::io_counters(fd.as_fd())).unwrap_or_default();
        let usage = sys::children_usage();
        let report =
            Report::Ended { usage, io, forks: self.room.processes.made, threads: self.room.threads.made };
        let _ = wire::send_report(control, report);
        // Stays until it is killed or the supervisor is gone: the supervisor wakes up on this processor, and would
        // else wait there for the end of all the namespaces.
        let mut inbox = Inbox::new();
        while let Ok(Some(_)) = inbox.order(control, true) {}
    }

    fn decide(&mut self, control: BorrowedFd<'_>, listener: BorrowedFd<'_>) {
        let Ok(call) = sys::notification_receive(listener) else { return };
        let kind = seccomp::call(call.nr);
        let answer = match kind {
            Some(Call::Fork | Call::Clone) => {
                return self.room.enter(self.members(), control, listener, &call);
            }
            Some(kind @ (Call::Exit | Call::ExitGroup)) => {
                if self.tell_spent
                    && let Some(spent) = procfs::spent_at_exit(call.tid, kind == Call::ExitGroup)
                {
                    let _ = wire::send_report(control, Report::Spent(spent));
                }
                farewell(control, &call)
            }
            Some(kind) => match self.perform(control, listener, &call, kind) {
                Ok(answer) => answer,
                Err(errno) => Answer::Fail(errno),
            },
            None => Answer::Fail(Errno::NOSYS),
        };
        let _ = sys::notification_answer(listener, call.id, answer);
    }

    fn perform(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
        kind: Call,
    ) -> Result<Answer, Errno> {
        let a = call.args;
        match kind {
            Call::Unlink => self.delete(control, listener, call, None, a[0], AtFlags::empty()),
            Call::Rmdir => self.delete(control, listener, call, None, a[0], AtFlags::REMOVEDIR),
            Call::UnlinkAt => {
                let flags = a[2] as u32;
                if flags & !AtFlags::REMOVEDIR.bits() != 0 {
                    return Err(Errno::INVAL);
                }
                self.delete(control, listener, call, Some(a[0]), a[1], AtFlags::from_bits_retain(flags))
            }
            Call::Chmod => self.chmod(control, listener, call, (None, Some(a[0]), 0), a[1]),
            Call::FchmodAt => self.chmod(control, listener, call, (Some(a[0]), Some(a[1]), 0), a[2]),
            Call::FchmodAt2 => {
                self.chmod(control, listener, call, (Some(a[0]), Some(a[1]), a[3] as u32), a[2])
            }
            Call::Fchmod => self.chmod(control, listener, call, (Some(a[0]), None, 0), a[1]),
            Call::Chown => self.chown(control, listener, call, (None, Some(a[0]), 0), a[1], a[2]),
            Call::Lchown => self.chown(control, listener, call, (None, Some(a[0]), NOFOLLOW), a[1], a[2]),
            Call::FchownAt => {
                self.chown(control, listener, call, (Some(a[0]), Some(a[1]), a[4] as u32), a[2], a[3])
            }
            Call::Fchown => self.chown(control, listener, call, (Some(a[0]), None, 0), a[1], a[2]),
            Call::SetXattr => {
                self.xattr(control, listener, call, (None, Some(a[0]), 0), Some((a[2], a[3], a[4])))
            }
            Call::LsetXattr => {
                self.xattr(control, listener, call, (None, Some(a[0]), NOFOLLOW), Some((a[2], a[3], a[4])))
            }
            Call::FsetXattr => {
                self.xattr(control, listener, call, (Some(a[0]), None, 0), Some((a[2], a[3], a[4])))
            }
            Call::RemoveXattr => self.xattr(control, listener, call, (None, Some(a[0]), 0), None),
            Call::LremoveXattr => self.xattr(control, listener, call, (None, Some(a[0]), NOFOLLOW), None),
            Call::FremoveXattr => self.xattr(control, listener, call, (Some(a[0]), None, 0), None),
            Call::Mkdir => self.make_placeholder(control, listener, call, None, a[0]),
            Call::MkdirAt => self.make_placeholder(control, listener, call, Some(a[0]), a[1]),
            Call::Open | Call::OpenAt | Call::UtimensAt | Call::Kill | Call::Tkill | Call::Tgkill => {
                self.perform_outside(listener, call, kind)
            }
            Call::MemfdCreate => self.memory_file(listener, call),
            Call::Fork | Call::Clone | Call::Exit | Call::ExitGroup => Err(Errno::NOSYS),
        }
    }

    fn delete(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
        dirfd: Option<u64>,
        path: u64,
        flags: AtFlags,
    ) -> Result<Answer, Errno> {
        if !self.guard.delete {
            return Ok(look_first(listener, call, dirfd, path));
        }
        let mut target = Target::read(listener, call, dirfd, path)?;
        let (parent, name) = target.open_parent()?;
        // What is not there cannot be deleted; the script's own idea of "already gone" stays as it was.
        fs::statat(&parent, trimmed(name, &mut [0; PATH_MAX])?, AtFlags::SYMLINK_NOFOLLOW)?;
        if !self.is_scratch(parent.as_fd()) {
            self.deny(control, call, Refused::Delete, parent.as_fd(), Some(name));
            return Err(Errno::PERM);
        }
        fs::unlinkat(&parent, name, flags)?;
        Ok(Answer::Done)
    }

    fn chmod(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
        at: (Option<u64>, Option<u64>, u32),
        mode: u64,
    ) -> Result<Answer, Errno> {
        let file = if self.guard.chmod || self.outside.is_some() {
            let file = self.judge(control, listener, call, at, Refused::Chmod)?;
            let set_id = mode as u32 & (Mode::SUID | Mode::SGID).bits() != 0;
            let is_folder =
                || fs::fstat(&file).is_ok_and(|stat| fs::FileType::from_raw_mode(stat.st_mode).is_dir());
            if set_id && !self.is_scratch(file.as_fd()) && !is_folder() {
                return Err(Errno::PERM);
            }
            file
        } else {
            // It is here for its mode alone, which would lend the caller to whoever executes the file.
            let file = open_target(listener, call, at)?;
            let stat = fs::fstat(&file)?;
            let folder = fs::FileType::from_raw_mode(stat.st_mode).is_dir();
            if stat.st_dev != self.scratch_device && !folder {
                return Err(Errno::PERM);
            }
            file
        };
        let mut name = [0; 64];
        fs::chmod(own_descriptor(file.as_fd(), &mut name)?, Mode::from(mode as u32 & 0o7777))?;
        Ok(Answer::Done)
    }

    fn chown(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
        at: (Option<u64>, Option<u64>, u32),
        uid: u64,
        gid: u64,
    ) -> Result<Answer, Errno> {
        let id = |raw: u64| (raw as u32 != u32::MAX).then_some(raw as u32);
        let (uid, gid) = (id(uid), id(gid));
        let file = match self.guard.chown || self.outside.is_some() {
            true => self.judge(control, listener, call, at, Refused::Chown)?,
            false => open_target(listener, call, at)?,
        };
        let own = (process::getuid().as_raw(), process::getgid().as_raw());
        let others = uid.is_some_and(|uid| uid != own.0) || gid.is_some_and(|gid| gid != own.1);
        if others && self.outside.is_none() {
            // Nobody but the script's user is there, and nobody can give files to others.
            return Err(Errno::PERM);
        }
        let (uid, gid) = (uid.map(fs::Uid::from_raw), gid.map(fs::Gid::from_raw));
        fs::chownat(&file, c"", uid, gid, AtFlags::EMPTY_PATH)?;
        Ok(Answer::Done)
    }

    /// `value` is address, size and flags of what shall be set, `None` to remove.
    fn xattr(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
        at: (Option<u64>, Option<u64>, u32),
        value: Option<(u64, u64, u64)>,
    ) -> Result<Answer, Errno> {
        let mut name = [0u8; 256];
        let length = read_string(call.tid, call.args[1], &mut name).map_err(|errno| match errno {
            Errno::NAMETOOLONG => Errno::RANGE,
            other => other,
        })?;
        let name = CStr::from_bytes_with_nul(&name[..=length]).map_err(|_| Errno::INVAL)?;
        // An access-control list does what chmod does; a user's own attribute does not.
        let file = if self.guard.xattr {
            self.judge(control, listener, call, at, Refused::Xattr)?
        } else if name.to_bytes().starts_with(b"system.") {
            self.judge(control, listener, call, at, Refused::Chmod)?
        } else if self.outside.is_some() {
            // Not blocked, but bound to what the script may write to.
            self.judge(control, listener, call, at, Refused::Xattr)?
        } else {
            open_target(listener, call, at)?
        };
        let mut link = [0; 64];
        let path = own_descriptor(file.as_fd(), &mut link)?;
        match value {
            None => fs::removexattr(path, name)?,
            Some((address, size, flags)) => {
                // The longest that the kernel takes (`XATTR_SIZE_MAX`).
                let mut buffer = [0u8; 65536];
                let size =
                    usize::try_from(size).ok().filter(|size| *size <= buffer.len()).ok_or(Errno::TOOBIG)?;
                read_exactly(call.tid, address, &mut buffer[..size])?;
                still_waiting(listener, call)?;
                fs::setxattr(path, name, &buffer[..size], fs::XattrFlags::from_bits_retain(flags as u32))?;
            }
        }
        Ok(Answer::Done)
    }

    /// Opens what a call names and refuses it unless it lies in scratch space.
    fn judge(
        &self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
        at: (Option<u64>, Option<u64>, u32),
        refused: Refused,
    ) -> Result<OwnedFd, Errno> {
        let file = open_target(listener, call, at)?;
        if self.is_scratch(file.as_fd()) {
            return Ok(file);
        }
        let blocked = match refused {
            Refused::Delete => self.guard.delete,
            Refused::Chmod => self.guard.chmod,
            Refused::Chown => self.guard.chown,
            Refused::Xattr => self.guard.xattr,
        };
        // Without namespaces all of these come here, whether blocked or not: neither mounts nor Landlock bind them to
        // what the script may write to.
        if !blocked && let Some(outside) = &self.outside {
            return if outside.is_writable(file.as_fd()) { Ok(file) } else { Err(Errno::ACCESS) };
        }
        self.deny(control, call, refused, file.as_fd(), None);
        Err(Errno::PERM)
    }

    /// Whether a file is the script's own affair.
    fn is_scratch(&self, file: BorrowedFd<'_>) -> bool {
        match &self.outside {
            Some(outside) => outside.is_scratch(file),
            None => fs::fstat(file).is_ok_and(|stat| stat.st_dev == self.scratch_device),
        }
    }

    /// `memfd_create`, answered with a file of the scratch space that has no name: so it is bounded and counted like the
    /// rest of it, however many processes hold it, and cannot be executed.
    fn memory_file(&self, listener: BorrowedFd<'_>, call: &Notification) -> Result<Answer, Errno> {
        const KNOWN: u32 =
            libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | libc::MFD_NOEXEC_SEAL | libc::MFD_EXEC;
        let flags = call.args[1] as u32;
        if flags & !KNOWN != 0 {
            return Err(Errno::INVAL);
        }
        if self.outside.is_some() {
            // Scratch space is on disk then, where not every file system has files without a name.
            return Ok(Answer::Continue);
        }
        let how = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let file = fs::open(self.scratch.as_c_str(), how, Mode::RUSR | Mode::WUSR)?;
        let cloexec = flags & libc::MFD_CLOEXEC != 0;
        Ok(Answer::Given(sys::notification_give(listener, call.id, file.as_fd(), cloexec)?))
    }

    /// The first `mkdir` of a directory that exists only because waxcell made it for this run.
    fn make_placeholder(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
        dirfd: Option<u64>,
        path: u64,
    ) -> Result<Answer, Errno> {
        // Whatever cannot be understood here, the kernel judges as it would have without us.
        let Ok(mut target) = Target::read(listener, call, dirfd, path) else { return Ok(Answer::Continue) };
        let Ok(dir) = target.open(true) else { return Ok(Answer::Continue) };
        let stat = fs::fstat(&dir)?;
        let found = self.placeholders.iter_mut().enumerate().find(|(_, placeholder)| {
            !placeholder.claimed && placeholder.identity == Some((stat.st_dev, stat.st_ino))
        });
        let Some((index, placeholder)) = found else { return Ok(Answer::Continue) };
        placeholder.claimed = true;
        let _ = wire::send_report(control, Report::Claimed { index: index as u32 });
        Ok(Answer::Done)
    }

    fn deny(
        &self,
        control: BorrowedFd<'_>,
        call: &Notification,
        operation: Refused,
        at: BorrowedFd<'_>,
        name: Option<&CStr>,
    ) {
        let mut path = [0u8; PATH_MAX];
        let mut link = [0; 64];
        let mut length = own_descriptor(at, &mut link)
            .and_then(|link| fs::readlinkat_raw(CWD, link, &mut path[..]))
            .unwrap_or(0);
        if let Some(name) = name {
            let name = name.to_bytes();
            if length > 1 && length < PATH_MAX {
                path[length] = b'/';
                length += 1;
            }
            let room = name.len().min(PATH_MAX - length);
            path[length..length + room].copy_from_slice(&name[..room]);
            length += room;
        }
        let report = Report::Denied { operation, errno: Errno::PERM, tid: call.tid, path: &path[..length] };
        // A full socket holds the script back, not the count: `send` waits.
        let _ = wire::send_report(control, report);
    }
}

/// Opens what a call names: descriptor, path, flags.
fn open_target(
    listener: BorrowedFd<'_>,
    call: &Notification,
    (dirfd, path, flags): (Option<u64>, Option<u64>, u32),
) -> Result<OwnedFd, Errno> {
    let file = match path {
        None => open_descriptor(call.tid, dirfd.ok_or(Errno::BADF)?)?,
        Some(path) => {
            let mut target = Target::read(listener, call, dirfd, path)?;
            if target.length == 0 && flags & AtFlags::EMPTY_PATH.bits() != 0 {
                target.base.take().ok_or(Errno::BADF)?
            } else {
                target.open(flags & NOFOLLOW != 0)?
            }
        }
    };
    still_waiting(listener, call)?;
    Ok(file)
}

/// On a read-only file system the kernel says so before it looks for the name; elsewhere it looks first, and scripts
/// count on being told that a file is not there. A courtesy: whatever is there, the kernel decides about.
fn look_first(listener: BorrowedFd<'_>, call: &Notification, dirfd: Option<u64>, path: u64) -> Answer {
    let found = Target::read(listener, call, dirfd, path).and_then(|mut target| target.open(true));
    match found {
        Err(Errno::NOENT) => Answer::Fail(Errno::NOENT),
        _ => Answer::Continue,
    }
}

/// A process or thread is about to end: the last moment at which its pending signals can be read. A write past the
/// file-size limit left SIGXFSZ there, blocked; whatever is found, it may go.
fn farewell(control: BorrowedFd<'_>, call: &Notification) -> Answer {
    if procfs::any_thread_has_pending(call.tid, libc::SIGXFSZ) {
        let _ = wire::send_report(control, Report::LimitReached(Counted::FileSize));
    }
    Answer::Continue
}

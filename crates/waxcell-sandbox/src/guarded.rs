//! Guarded calls: those that the init performs for the script, or refuses.
//!
//! A guarded call is never checked and then continued: the script could change the path in between. The path is read
//! once and resolved to a descriptor with the script's own rights (the init is the same user in the same namespaces);
//! *that* is judged, and the call is performed on it. What goes on in the kernel, it decides about as if nobody had looked:
//! names that are there, folders that are no placeholders, opens of other than new files, and addresses of the run's own.
//!
//! Nothing here allocates once the fork is made.

mod new_files;
mod outside;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process;
use waxcell_operations::Operation;

use crate::doors::Doors;
use crate::ending::Layer;
use crate::members::Members;
use crate::mounts::Tree;
use crate::network;
use crate::plan::{Guard, Plan};
use crate::refusals::Refusals;
use crate::seccomp::Call;
use crate::switches::{Switch, Switches};
use crate::sys::{self, Answer, Notification};
use crate::target::{
    NOFOLLOW, Target, name_of, open_descriptor, own_descriptor, read_exactly, read_string, still_waiting,
    trimmed,
};
use crate::wire::{self, Attempt, PATH_MAX, Report};

use new_files::NewFile;
use outside::Outside;

/// What guarded calls are judged by, made before the fork.
pub(crate) struct Guarded {
    guard: Guard,
    placeholders: Vec<Placeholder>,
    new_files: Vec<NewFile>,
    /// A place in scratch space: calls on its device are the script's own affair.
    scratch: CString,
    scratch_device: u64,
    /// What else has to be decided, and by what, where there are no namespaces.
    outside: Option<Outside>,
    /// The way out of the run's network, where there is one.
    pub(crate) doors: Option<Doors>,
    switches: Switches,
}

struct Placeholder {
    path: CString,
    /// Device and inode, once known.
    identity: Option<(u64, u64)>,
    claimed: bool,
}

/// A call that was taken up, and whom to tell.
pub(crate) struct Asked<'a> {
    pub(crate) control: BorrowedFd<'a>,
    pub(crate) listener: BorrowedFd<'a>,
    pub(crate) call: &'a Notification,
    pub(crate) refusals: &'a mut Refusals,
}

impl Asked<'_> {
    /// Tells of an attempt on what is not shown; whether that is one, the supervisor says.
    pub(crate) fn unshown(&mut self, attempt: Attempt, target: &[u8]) {
        self.refusals.add_unshown(self.control, attempt, (self.listener, self.call), target);
    }

    /// Puts on record that the call is refused.
    pub(crate) fn deny(&mut self, attempt: Attempt, target: &[u8]) {
        self.refusals.add(self.control, attempt, Some((self.listener, self.call)), target);
    }
}

/// What a call names: descriptor, path, flags.
type At = (Option<u64>, Option<u64>, u32);

impl Guarded {
    /// `scratch` is any path in the run's scratch space.
    pub(crate) fn new(plan: &Plan, scratch: CString, doors: Option<Doors>) -> Result<Guarded, Errno> {
        let guard = &plan.guard;
        let placeholders = guard
            .placeholders
            .iter()
            .map(|path| Placeholder { path: crate::mounts::c_path(path), identity: None, claimed: false })
            .collect();
        Ok(Guarded {
            guard: guard.clone(),
            placeholders,
            new_files: guard.new_files.iter().filter_map(|path| NewFile::new(path)).collect(),
            scratch,
            scratch_device: 0,
            outside: Outside::new(plan)?,
            doors,
            switches: plan.switches,
        })
    }

    /// What it holds open from before the fork.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        let outside = self.outside.iter().filter_map(Outside::descriptor);
        outside.chain(self.doors.as_ref().map(Doors::descriptor))
    }

    /// A place in scratch space, where the run has any of its own.
    pub(crate) fn scratch(&self) -> Option<&CStr> {
        (self.scratch_device != 0).then_some(self.scratch.as_c_str())
    }

    /// On which device the scratch space is, once that is known.
    pub(crate) fn scratch_device(&self) -> u64 {
        self.scratch_device
    }

    /// Everybody of the run, as this process sees them.
    pub(crate) fn members(&self) -> Members {
        let is_alone = self.outside.is_none() && !self.switches.off(Switch::Pidns);
        if is_alone { Members::Namespace } else { Members::Below(std::process::id()) }
    }

    /// Looks up, in the finished tree, what calls will be compared with.
    pub(crate) fn prepare(&mut self, tree: &mut Tree) -> Result<(), Errno> {
        if self.outside.is_none() && !self.switches.off(Switch::Mounts) {
            self.scratch_device = fs::stat(self.scratch.as_c_str())?.st_dev;
        }
        for placeholder in &mut self.placeholders {
            let stat = fs::stat(placeholder.path.as_c_str())?;
            placeholder.identity = Some((stat.st_dev, stat.st_ino));
        }
        for (file, folder) in self.new_files.iter_mut().zip(tree.take_folders()) {
            file.prepare(folder)?;
        }
        Ok(())
    }

    /// Carries a call out, or says how it ends.
    pub(crate) fn perform(&mut self, asked: &mut Asked<'_>, kind: Call) -> Result<Answer, Errno> {
        let a = asked.call.args;
        if self.is_the_kernels(kind, &a) {
            return Ok(Answer::Continue);
        }
        match kind {
            Call::Unlink => self.delete(asked, None, a[0], AtFlags::empty()),
            Call::Rmdir => self.delete(asked, None, a[0], AtFlags::REMOVEDIR),
            Call::UnlinkAt => {
                let flags = a[2] as u32;
                if flags & !AtFlags::REMOVEDIR.bits() != 0 {
                    return Err(Errno::INVAL);
                }
                self.delete(asked, Some(a[0]), a[1], AtFlags::from_bits_retain(flags))
            }
            Call::Chmod => self.chmod(asked, (None, Some(a[0]), 0), a[1]),
            Call::FchmodAt => self.chmod(asked, (Some(a[0]), Some(a[1]), 0), a[2]),
            Call::FchmodAt2 => self.chmod(asked, (Some(a[0]), Some(a[1]), a[3] as u32), a[2]),
            Call::Fchmod => self.chmod(asked, (Some(a[0]), None, 0), a[1]),
            Call::Chown => self.chown(asked, (None, Some(a[0]), 0), a[1], a[2]),
            Call::Lchown => self.chown(asked, (None, Some(a[0]), NOFOLLOW), a[1], a[2]),
            Call::FchownAt => self.chown(asked, (Some(a[0]), Some(a[1]), a[4] as u32), a[2], a[3]),
            Call::Fchown => self.chown(asked, (Some(a[0]), None, 0), a[1], a[2]),
            Call::SetXattr => self.xattr(asked, (None, Some(a[0]), 0), Some((a[2], a[3], a[4]))),
            Call::LsetXattr => self.xattr(asked, (None, Some(a[0]), NOFOLLOW), Some((a[2], a[3], a[4]))),
            Call::FsetXattr => self.xattr(asked, (Some(a[0]), None, 0), Some((a[2], a[3], a[4]))),
            Call::RemoveXattr => self.xattr(asked, (None, Some(a[0]), 0), None),
            Call::LremoveXattr => self.xattr(asked, (None, Some(a[0]), NOFOLLOW), None),
            Call::FremoveXattr => self.xattr(asked, (Some(a[0]), None, 0), None),
            Call::Mkdir => self.make_placeholder(asked, None, a[0]),
            Call::MkdirAt => self.make_placeholder(asked, Some(a[0]), a[1]),
            Call::Open if self.outside.is_none() => self.open_new(asked, None, a[0], a[1], a[2]),
            Call::OpenAt if self.outside.is_none() => self.open_new(asked, Some(a[0]), a[1], a[2], a[3]),
            Call::Creat => self.open_new(asked, None, a[0], new_files::CREAT, a[1]),
            Call::Open | Call::OpenAt | Call::UtimensAt | Call::Kill | Call::Tkill | Call::Tgkill => {
                self.perform_outside(asked, kind)
            }
            Call::MemfdCreate => self.memory_file(asked),
            Call::Connect | Call::SendTo => network::reach(asked, kind, self.doors.as_mut()),
            Call::Bind => network::bind(asked, self.doors.as_mut()),
            _ => Err(Errno::NOSYS),
        }
    }

    /// Whether a call came for the record alone, and the kernel decides about it.
    pub(crate) fn is_the_kernels(&self, kind: Call, a: &[u64; 6]) -> bool {
        let own = |raw: u64, id: u32| raw as u32 == id || raw as u32 == u32::MAX;
        let own_ids = |uid, gid| own(uid, process::getuid().as_raw()) && own(gid, process::getgid().as_raw());
        let set_id = |mode: u64| mode as u32 & (Mode::SUID | Mode::SGID).bits() != 0;
        match kind {
            Call::Truncate | Call::Rename | Call::RenameAt | Call::RenameAt2 | Call::Link | Call::LinkAt => {
                true
            }
            Call::Symlink | Call::SymlinkAt | Call::Mknod | Call::MknodAt | Call::Utime => true,
            Call::Chdir | Call::Fchdir | Call::Execve | Call::ExecveAt => true,
            _ if self.outside.is_some() => false,
            Call::Open => self.new_files.is_empty() || !new_files::changes(a[1]),
            Call::OpenAt => self.new_files.is_empty() || !new_files::changes(a[2]),
            Call::Creat => self.new_files.is_empty(),
            Call::Mkdir | Call::MkdirAt => self.placeholders.is_empty(),
            Call::Chmod | Call::Fchmod => !self.guard.chmod && !set_id(a[1]),
            Call::FchmodAt | Call::FchmodAt2 => !self.guard.chmod && !set_id(a[2]),
            Call::Chown | Call::Lchown | Call::Fchown => !self.guard.chown && own_ids(a[1], a[2]),
            Call::FchownAt => !self.guard.chown && own_ids(a[2], a[3]),
            Call::SetXattr | Call::LsetXattr | Call::FsetXattr => !self.guard.chmod && !self.guard.xattr,
            Call::RemoveXattr | Call::LremoveXattr | Call::FremoveXattr => {
                !self.guard.chmod && !self.guard.xattr
            }
            Call::UtimensAt => true,
            _ => false,
        }
    }

    fn delete(
        &mut self,
        asked: &mut Asked<'_>,
        dirfd: Option<u64>,
        path: u64,
        flags: AtFlags,
    ) -> Result<Answer, Errno> {
        if !self.guard.delete {
            return Ok(look_first(asked, dirfd, path));
        }
        let mut target = Target::read(asked.listener, asked.call, dirfd, path)?;
        let (parent, name) = target.open_parent()?;
        // What is not there cannot be deleted; the script's own idea of "already gone" stays as it was.
        fs::statat(&parent, trimmed(name, &mut [0; PATH_MAX])?, AtFlags::SYMLINK_NOFOLLOW)?;
        if !self.is_scratch(parent.as_fd()) {
            self.deny(asked, Operation::FsDelete, parent.as_fd(), Some(name));
            return Err(Errno::PERM);
        }
        fs::unlinkat(&parent, name, flags)?;
        Ok(Answer::Done)
    }

    fn chmod(&mut self, asked: &mut Asked<'_>, at: At, mode: u64) -> Result<Answer, Errno> {
        let file = if self.guard.chmod || self.outside.is_some() {
            let file = self.judge(asked, at, Operation::FsChmod)?;
            let set_id = mode as u32 & (Mode::SUID | Mode::SGID).bits() != 0;
            let is_folder =
                || fs::fstat(&file).is_ok_and(|stat| fs::FileType::from_raw_mode(stat.st_mode).is_dir());
            if set_id && !self.is_scratch(file.as_fd()) && !is_folder() {
                self.deny(asked, Operation::FsChmod, file.as_fd(), None);
                return Err(Errno::PERM);
            }
            file
        } else {
            // It is here for its mode alone, which would lend the caller to whoever executes the file.
            let file = open_target(asked, at)?;
            let stat = fs::fstat(&file)?;
            let folder = fs::FileType::from_raw_mode(stat.st_mode).is_dir();
            if stat.st_dev != self.scratch_device && !folder {
                self.deny(asked, Operation::FsChmod, file.as_fd(), None);
                return Err(Errno::PERM);
            }
            file
        };
        let mut name = [0; 64];
        fs::chmod(own_descriptor(file.as_fd(), &mut name)?, Mode::from(mode as u32 & 0o7777))?;
        Ok(Answer::Done)
    }

    fn chown(&mut self, asked: &mut Asked<'_>, at: At, uid: u64, gid: u64) -> Result<Answer, Errno> {
        let id = |raw: u64| (raw as u32 != u32::MAX).then_some(raw as u32);
        let (uid, gid) = (id(uid), id(gid));
        let file = match self.guard.chown || self.outside.is_some() {
            true => self.judge(asked, at, Operation::FsChown)?,
            false => open_target(asked, at)?,
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
        asked: &mut Asked<'_>,
        at: At,
        value: Option<(u64, u64, u64)>,
    ) -> Result<Answer, Errno> {
        let mut name = [0u8; 256];
        let length =
            read_string(asked.call.tid, asked.call.args[1], &mut name).map_err(|errno| match errno {
                Errno::NAMETOOLONG => Errno::RANGE,
                other => other,
            })?;
        let name = CStr::from_bytes_with_nul(&name[..=length]).map_err(|_| Errno::INVAL)?;
        // An access-control list does what chmod does; a user's own attribute does not.
        let file = if self.guard.xattr {
            self.judge(asked, at, Operation::FsXattr)?
        } else if name.to_bytes().starts_with(b"system.") {
            self.judge(asked, at, Operation::FsChmod)?
        } else if self.outside.is_some() {
            // Not blocked, but bound to what the script may write to.
            self.judge(asked, at, Operation::FsXattr)?
        } else {
            open_target(asked, at)?
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
                read_exactly(asked.call.tid, address, &mut buffer[..size])?;
                still_waiting(asked.listener, asked.call)?;
                fs::setxattr(path, name, &buffer[..size], fs::XattrFlags::from_bits_retain(flags as u32))?;
            }
        }
        Ok(Answer::Done)
    }

    /// Opens what a call names and refuses it unless it lies in scratch space.
    fn judge(&self, asked: &mut Asked<'_>, at: At, refused: Operation) -> Result<OwnedFd, Errno> {
        let file = open_target(asked, at)?;
        if self.is_scratch(file.as_fd()) {
            return Ok(file);
        }
        // Without namespaces all of these come here, whether blocked or not: neither mounts nor Landlock bind them to
        // what the script may write to.
        if !self.guard.refuses(refused)
            && let Some(outside) = &self.outside
        {
            return if outside.is_writable(file.as_fd()) { Ok(file) } else { Err(Errno::ACCESS) };
        }
        self.deny(asked, refused, file.as_fd(), None);
        Err(Errno::PERM)
    }

    /// Whether a file is the script's own affair.
    fn is_scratch(&self, file: BorrowedFd<'_>) -> bool {
        match &self.outside {
            Some(outside) => outside.is_scratch(file),
            None => fs::fstat(file).is_ok_and(|stat| stat.st_dev == self.scratch_device) || is_nameless(file),
        }
    }

    /// `memfd_create`, answered with a file of the scratch space that has no name: so it is bounded and counted like the
    /// rest of it, however many processes hold it, and cannot be executed.
    fn memory_file(&self, asked: &mut Asked<'_>) -> Result<Answer, Errno> {
        const KNOWN: u32 =
            libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | libc::MFD_NOEXEC_SEAL | libc::MFD_EXEC;
        let flags = asked.call.args[1] as u32;
        if flags & !KNOWN != 0 {
            return Err(Errno::INVAL);
        }
        if self.outside.is_some() || self.switches.off(Switch::Mounts) {
            // Scratch space is on disk then, where not every file system has files without a name.
            return Ok(Answer::Continue);
        }
        let how = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let file = fs::open(self.scratch.as_c_str(), how, Mode::RUSR | Mode::WUSR)?;
        let cloexec = flags & libc::MFD_CLOEXEC != 0;
        Ok(Answer::Given(sys::notification_give(asked.listener, asked.call.id, file.as_fd(), cloexec)?))
    }

    /// The first `mkdir` of a directory that exists only because waxcell made it for this run.
    fn make_placeholder(
        &mut self,
        asked: &mut Asked<'_>,
        dirfd: Option<u64>,
        path: u64,
    ) -> Result<Answer, Errno> {
        // Whatever cannot be understood here, the kernel judges as it would have without us.
        let Ok(mut target) = Target::read(asked.listener, asked.call, dirfd, path) else {
            return Ok(Answer::Continue);
        };
        let Ok(dir) = target.open(true) else { return Ok(Answer::Continue) };
        let stat = fs::fstat(&dir)?;
        let found = self.placeholders.iter_mut().enumerate().find(|(_, placeholder)| {
            !placeholder.claimed && placeholder.identity == Some((stat.st_dev, stat.st_ino))
        });
        let Some((index, placeholder)) = found else { return Ok(Answer::Continue) };
        placeholder.claimed = true;
        let _ = wire::send_report(asked.control, Report::Claimed { index: index as u32 });
        Ok(Answer::Done)
    }

    fn deny(&self, asked: &mut Asked<'_>, operation: Operation, at: BorrowedFd<'_>, name: Option<&CStr>) {
        let mut path = [0u8; PATH_MAX];
        let path = name_of(at, name.map_or(b"", CStr::to_bytes), &mut path).unwrap_or_default();
        asked.deny(Attempt { operation, layer: Layer::Guard, errno: Errno::PERM }, path);
    }
}

/// Whether this is a pipe or a socket without a name, which ends with those who hold it.
fn is_nameless(file: BorrowedFd<'_>) -> bool {
    let mut path = [0u8; PATH_MAX];
    name_of(file, b"", &mut path)
        .is_ok_and(|path| [&b"pipe:["[..], b"socket:["].iter().any(|kind| path.starts_with(kind)))
}

/// Opens what a call names.
fn open_target(asked: &mut Asked<'_>, (dirfd, path, flags): At) -> Result<OwnedFd, Errno> {
    let file = match path {
        None => open_descriptor(asked.call.tid, dirfd.ok_or(Errno::BADF)?)?,
        Some(path) => {
            let mut target = Target::read(asked.listener, asked.call, dirfd, path)?;
            if target.length == 0 && flags & AtFlags::EMPTY_PATH.bits() != 0 {
                target.base.take().ok_or(Errno::BADF)?
            } else {
                target.open(flags & NOFOLLOW != 0)?
            }
        }
    };
    still_waiting(asked.listener, asked.call)?;
    Ok(file)
}

/// On a read-only file system the kernel says so before it looks for the name; elsewhere it looks first, and scripts
/// count on being told that a file is not there. A courtesy: whatever is there, the kernel decides about.
fn look_first(asked: &mut Asked<'_>, dirfd: Option<u64>, path: u64) -> Answer {
    let found =
        Target::read(asked.listener, asked.call, dirfd, path).and_then(|mut target| target.open(true));
    match found {
        Err(Errno::NOENT) => Answer::Fail(Errno::NOENT),
        _ => Answer::Continue,
    }
}

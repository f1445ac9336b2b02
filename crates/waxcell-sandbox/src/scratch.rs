//! The run's scratch space as the supervisor sees it: a tmpfs of the run's own, which the kernel bounds; or, without
//! namespaces, a folder on disk, which is counted now and then and removed after the run.
//!
//! A script owns what is in that folder and may make anything of it, while it runs and for afterwards: links out of
//! it, folders a thousand deep, folders without permissions. So nothing here follows a link, goes by a long path, or
//! calls itself.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, FileType, FlockOperation, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

use crate::plan::{Identity, Limits, Mount, Plan};
use crate::removal::{name_of, remove_all};

/// How much is in use, and how much is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScratchUsage {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) bytes_left: u64,
    pub(crate) files_left: u64,
}

/// Where the scratch space of a run is.
#[derive(Debug)]
pub(crate) enum Scratch {
    /// A descriptor in the tmpfs, and how many files of it are not the script's.
    Tmpfs(OwnedFd, u64),
    /// A folder, until it is removed.
    Folder(Folder),
}

impl Scratch {
    pub(crate) fn usage(&self, limits: &Limits) -> Option<ScratchUsage> {
        match self {
            Scratch::Tmpfs(fd, overhead) => {
                let stat = fs::fstatfs(fd).ok()?;
                let block = stat.f_bsize as u64;
                Some(ScratchUsage {
                    bytes: (stat.f_blocks - stat.f_bfree) * block,
                    files: (stat.f_files - stat.f_ffree).saturating_sub(*overhead),
                    bytes_left: stat.f_bfree * block,
                    files_left: stat.f_ffree,
                })
            }
            Scratch::Folder(folder) => {
                let (bytes, files) = folder.count(limits).ok()?;
                let (bytes_left, files_left) =
                    (limits.scratch_bytes.saturating_sub(bytes), limits.scratch_files.saturating_sub(files));
                // A full tmpfs has nothing left; a folder is over its bound only when there is more in it.
                let left = |over: bool, left: u64| if over { 0 } else { left.max(1) };
                Some(ScratchUsage {
                    bytes,
                    files,
                    bytes_left: left(bytes > limits.scratch_bytes, bytes_left),
                    files_left: left(files > limits.scratch_files, files_left),
                })
            }
        }
    }

    /// The device number of the file system that it is, if it is one of its own; else 0.
    pub(crate) fn device(&self) -> u64 {
        match self {
            Scratch::Tmpfs(fd, _) => fs::fstat(fd).map_or(0, |stat| stat.st_dev),
            Scratch::Folder(_) => 0,
        }
    }

    /// Whether the kernel itself refuses what is over the bound.
    pub(crate) fn is_bounded(&self) -> bool {
        matches!(self, Scratch::Tmpfs(..))
    }
}

/// The scratch folders that a plan names, below the run's own folder.
fn folders<'p>(plan: &'p Plan, scratch: &'p Path) -> impl Iterator<Item = (&'p Path, u32)> {
    plan.mounts.iter().filter_map(move |mount| match mount {
        Mount::Scratch { target, mode, .. } if target.parent() == Some(scratch) => {
            Some((target.as_path(), *mode))
        }
        _ => None,
    })
}

/// A run's folder on disk. Dropping it removes it with all that is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    fd: OwnedFd,
    /// Scratch folders in it.
    own: u64,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Longest path below the folder that is looked into: what lies deeper counts as too much.
const LONGEST: usize = 3500;

impl Folder {
    /// Makes the folder of a plan, and the scratch folders in it, for the script's user alone.
    pub(crate) fn make(plan: &Plan, scratch: &Path) -> io::Result<Folder> {
        let parent = own_parent(scratch.parent().unwrap_or(Path::new("/")), &plan.identity)?;
        let name = scratch.file_name().unwrap_or_default();
        // Nobody sweeps between the two; afterwards its own lock tells that somebody is there.
        fs::flock(&parent, FlockOperation::LockExclusive)?;
        fs::mkdirat(&parent, name, Mode::from(0o700))?;
        let fd = fs::openat(&parent, name, DIRECTORY, Mode::empty())?;
        fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        let mut folder = Folder { path: scratch.to_owned(), fd, own: 0 };
        for (path, mode) in folders(plan, scratch) {
            let name = path.file_name().unwrap_or_default();
            fs::mkdirat(&folder.fd, name, Mode::from(0o700))?;
            let made = fs::openat(&folder.fd, name, DIRECTORY, Mode::empty())?;
            fs::fchmod(&made, Mode::from(mode))?;
            give(made.as_fd(), &plan.identity)?;
            folder.own += 1;
        }
        give(folder.fd.as_fd(), &plan.identity)?;
        Ok(folder)
    }

    /// Bytes on disk, and files and folders beside the scratch folders themselves. Stops counting far above the bounds.
    fn count(&self, limits: &Limits) -> Result<(u64, u64), Errno> {
        let too_much = (u64::MAX, u64::MAX);
        let (mut bytes, mut files) = (0u64, 0u64);
        let mut waiting = vec![CString::from(c".")];
        let mut lifted = Lifted::default();
        while let Some(path) = waiting.pop() {
            if path.as_bytes().len() > LONGEST {
                return Ok(too_much);
            }
            let dir = match lifted.open(self.fd.as_fd(), &path) {
                Ok(dir) => dir,
                // Gone since its name was read, or something else now.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                // Nobody could say how much is in it.
                Err(_) => return Ok(too_much),
            };
            let mut entries = Dir::read_from(&dir)?;
            while let Some(Ok(entry)) = entries.read() {
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") {
                    continue;
                }
                let Ok(stat) = fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                files += 1;
                let is_folder = FileType::from_raw_mode(stat.st_mode).is_dir();
                // A file with several names is met as often.
                let names = if is_folder { 1 } else { u64::from(stat.st_nlink as u32).max(1) };
                bytes += stat.st_blocks as u64 * 512 / names;
                if is_folder {
                    let below = [path.as_bytes(), b"/", name.to_bytes()].concat();
                    waiting.extend(CString::new(below));
                }
                if files > limits.scratch_files.saturating_mul(2).saturating_add(64) {
                    return Ok((bytes, files));
                }
            }
        }
        Ok((bytes, files.saturating_sub(self.own)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is removed when somebody settles what runs left behind.
        let _ = remove(&self.path);
    }
}

/// Opens, or makes, the folder that holds those of all runs: this user's own, and nobody else's to write to. Another
/// user, as root's scripts are, may pass through.
fn own_parent(path: &Path, identity: &Identity) -> io::Result<OwnedFd> {
    let own = rustix::process::geteuid().as_raw();
    let mode = if identity.host_uid == own { 0o700 } else { 0o711 };
    match fs::mkdir(path, Mode::from(mode)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let parent = fs::open(path, DIRECTORY, Mode::empty())?;
    let stat = fs::fstat(&parent)?;
    if stat.st_uid != own || stat.st_mode & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not this user's alone"));
    }
    fs::fchmod(&parent, Mode::from(mode))?;
    Ok(parent)
}

fn give(fd: BorrowedFd<'_>, identity: &Identity) -> Result<(), Errno> {
    let (uid, gid) = (identity.host_uid, identity.host_gid);
    if rustix::process::geteuid().as_raw() == uid {
        return Ok(());
    }
    fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

/// Folders whose owner had taken the permission to look into them away, and has it back until this is dropped.
#[derive(Default)]
struct Lifted(Vec<(OwnedFd, Mode)>);

impl Lifted {
    fn open(&mut self, at: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let open = |flags| fs::openat2(at, path, flags, Mode::empty(), resolve);
        let held = match open(OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC) {
            Ok(held) => held,
            other => return other,
        };
        let mode = Mode::from(fs::fstat(&held)?.st_mode & 0o7777);
        if !mode.contains(Mode::RUSR | Mode::XUSR) {
            if self.0.len() >= 256 {
                return Err(Errno::MFILE);
            }
            fs::chmod(&*name_of(&held), mode | Mode::RWXU)?;
            self.0.push((held, mode));
        }
        open(DIRECTORY)
    }
}

impl Drop for Lifted {
    fn drop(&mut self) {
        for (folder, mode) in &self.0 {
            // It was only a look.
            let _ = fs::chmod(&*name_of(folder), *mode);
        }
    }
}

/// A folder of ours at a path, with all that is in it. That there is none is no error.
fn remove(path: &Path) -> io::Result<()> {
    match fs::open(path.parent().unwrap_or(Path::new("/")), DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => Ok(()),
        parent => remove_all(parent?.as_fd(), path.file_name().unwrap_or_default()),
    }
}

/// Removes the folders that runs left behind in the folder of all of them: those that no supervisor holds any more.
pub fn sweep(parent: &Path) {
    let Ok(held) = fs::open(parent, DIRECTORY, Mode::empty()) else { return };
    let (Ok(()), Ok(entries)) = (fs::flock(&held, FlockOperation::LockExclusive), std::fs::read_dir(parent))
    else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(folder) = fs::open(&path, DIRECTORY, Mode::empty()) else { continue };
        if fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // What cannot be removed is tried again the next time.
            let _ = remove(&path);
        }
    }
}

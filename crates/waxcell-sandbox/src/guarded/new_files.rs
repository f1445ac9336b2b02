//! Files that a script may make in folders that it may only read.
//!
//! What is not there cannot be bound, and has to stay away until the script makes it. So the init holds the folder open
//! for writing, and opens these names in it, no others, whenever the script opens one of them to make or write it. To
//! read it, and to ask for it, the script goes to the kernel, and finds it once it is there.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

use super::{Asked, Guarded};
use crate::mounts::c_path;
use crate::procfs;
use crate::sys::{self, Answer};
use crate::target::Target;

/// What `creat` is short for (`open(2)`).
pub(super) const CREAT: u64 = (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u64;

/// Whether these flags of `open` make or write.
pub(super) fn changes(flags: u64) -> bool {
    OFlags::from_bits_retain(flags as u32)
        .intersects(OFlags::WRONLY | OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC)
}

/// One of them.
pub(super) struct NewFile {
    name: CString,
    /// Its folder, as the script sees it, by device and inode once known.
    shown: CString,
    identity: Option<(u64, u64)>,
    /// The same, to write to.
    folder: Option<OwnedFd>,
}

impl NewFile {
    pub(super) fn new(path: &Path) -> Option<NewFile> {
        let (folder, name) = (path.parent()?, path.file_name()?);
        let name = CString::new(name.as_bytes()).ok()?;
        Some(NewFile { name, shown: c_path(folder), identity: None, folder: None })
    }

    /// Looks the folder up in the finished tree.
    pub(super) fn prepare(&mut self, folder: Option<OwnedFd>) -> Result<(), Errno> {
        let stat = fs::stat(self.shown.as_c_str())?;
        self.identity = Some((stat.st_dev, stat.st_ino));
        self.folder = folder;
        Ok(())
    }
}

impl Guarded {
    /// An `open` that makes or writes. Of any other file than these the kernel judges, as if nobody had looked.
    pub(super) fn open_new(
        &self,
        asked: &mut Asked<'_>,
        dirfd: Option<u64>,
        path: u64,
        flags: u64,
        mode: u64,
    ) -> Result<Answer, Errno> {
        let flags = OFlags::from_bits_retain(flags as u32);
        if flags.contains(OFlags::PATH) {
            return Ok(Answer::Continue);
        }
        let Ok(mut target) = Target::read(asked.listener, asked.call, dirfd, path) else {
            return Ok(Answer::Continue);
        };
        let Ok((parent, name)) = target.open_parent() else { return Ok(Answer::Continue) };
        let stat = fs::fstat(&parent)?;
        let identity = Some((stat.st_dev, stat.st_ino));
        let file = self.new_files.iter().find(|file| *file.name == *name && file.identity == identity);
        let Some((file, folder)) = file.and_then(|file| Some((file, file.folder.as_ref()?))) else {
            return Ok(Answer::Continue);
        };
        let umask = procfs::umask_of(asked.call.tid).unwrap_or(0o777);
        // A link that somebody put there may lead anywhere; a FIFO would hold up the whole run.
        let how = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let open = fs::openat(folder, file.name.as_c_str(), how, Mode::from(mode as u32 & !umask & 0o777))?;
        if !fs::FileType::from_raw_mode(fs::fstat(&open)?.st_mode).is_file() {
            return Err(Errno::ACCESS);
        }
        if !flags.contains(OFlags::NONBLOCK) {
            fs::fcntl_setfl(&open, fs::fcntl_getfl(&open)? & !OFlags::NONBLOCK)?;
        }
        let close_on_exec = flags.contains(OFlags::CLOEXEC);
        sys::notification_give(asked.listener, asked.call.id, open.as_fd(), close_on_exec).map(Answer::Given)
    }
}

//! What a notified call names, resolved to descriptors with the script's own rights.
//!
//! A path is read once from the asking process and opened here; afterwards it is made sure that the process read was the
//! one that asked. Nothing here allocates.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::procfs;
use crate::sys::{self, Door, Notification};
use crate::wire::PATH_MAX;

/// A path as the script gave it, and where it starts.
pub(crate) struct Target {
    tid: u32,
    pub(crate) base: Option<OwnedFd>,
    path: [u8; PATH_MAX],
    pub(crate) length: usize,
}

pub(crate) const NOFOLLOW: u32 = AtFlags::SYMLINK_NOFOLLOW.bits();

impl Target {
    /// Reads a path and opens where it starts; then makes sure that the asking process was the one that was read.
    pub(crate) fn read(
        listener: BorrowedFd<'_>,
        call: &Notification,
        dirfd: Option<u64>,
        address: u64,
    ) -> Result<Target, Errno> {
        let mut target = Target { tid: call.tid, base: None, path: [0; PATH_MAX], length: 0 };
        target.length = read_string(call.tid, address, &mut target.path)?;
        if target.path[0] != b'/' {
            target.base = Some(base_of(call.tid, dirfd)?);
        }
        still_waiting(listener, call)?;
        Ok(target)
    }

    fn bytes(&self) -> &[u8] {
        &self.path[..self.length]
    }

    fn base(&self) -> BorrowedFd<'_> {
        self.base.as_ref().map_or(CWD, |fd| fd.as_fd())
    }

    /// What the path names, as `O_PATH`. Links that only mean something to the asking process are not followed, but
    /// for the one form that the C library uses itself.
    pub(crate) fn open(&mut self, nofollow: bool) -> Result<OwnedFd, Errno> {
        let mut flags = OFlags::PATH | OFlags::CLOEXEC;
        if nofollow {
            flags |= OFlags::NOFOLLOW;
        }
        let path = CStr::from_bytes_with_nul(&self.path[..=self.length]).map_err(|_| Errno::INVAL)?;
        if self.length == 0 {
            return Err(Errno::NOENT);
        }
        if let Some(number) = descriptor_number(self.bytes()).filter(|_| !nofollow) {
            return open_descriptor(self.tid, number);
        }
        fs::openat2(self.base(), path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
    }

    /// The directory that holds the last component, and that component.
    pub(crate) fn open_parent(&mut self) -> Result<(OwnedFd, &CStr), Errno> {
        let bytes = self.bytes();
        let named = without_slashes(bytes);
        if named.is_empty() {
            return Err(if self.length == 0 { Errno::NOENT } else { Errno::BUSY });
        }
        let start = named.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
        let mut dir = [0u8; PATH_MAX];
        let dir: &CStr = if start == 0 {
            c"."
        } else {
            dir[..start].copy_from_slice(&bytes[..start]);
            CStr::from_bytes_until_nul(&dir).map_err(|_| Errno::NAMETOOLONG)?
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = fs::openat2(self.base(), dir, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
        let name = CStr::from_bytes_with_nul(&self.path[start..=self.length]).map_err(|_| Errno::INVAL)?;
        Ok((parent, name))
    }
}

/// The path of what is open, and what is behind it, without slashes at the end. What covers something or was laid over it
/// has no name of its own any more, which the kernel notes behind the path.
pub(crate) fn name_of<'a>(
    at: BorrowedFd<'_>,
    rest: &[u8],
    buffer: &'a mut [u8; PATH_MAX],
) -> Result<&'a [u8], Errno> {
    let mut own = [0u8; 64];
    let mut length = fs::readlinkat_raw(CWD, own_descriptor(at, &mut own)?, &mut buffer[..])?;
    if let Some(name) = buffer[..length].strip_suffix(b" (deleted)")
        && fs::fstat(at)?.st_nlink == 0
    {
        length = name.len();
    }
    let rest = without_slashes(rest);
    if !rest.is_empty() {
        if length > 1 && length < PATH_MAX {
            buffer[length] = b'/';
            length += 1;
        }
        let room = rest.len().min(PATH_MAX - length);
        buffer[length..length + room].copy_from_slice(&rest[..room]);
        length += room;
    }
    Ok(&buffer[..length])
}

/// Where a relative path of a call starts: at a descriptor, or where the asking process is.
pub(crate) fn base_of(tid: u32, dirfd: Option<u64>) -> Result<OwnedFd, Errno> {
    match dirfd.map(|fd| fd as i32) {
        None | Some(libc::AT_FDCWD) => procfs::open(tid, c"cwd", OFlags::PATH | OFlags::CLOEXEC),
        Some(fd) => open_descriptor(tid, fd as u32 as u64),
    }
}

/// A path without the slashes behind its last name.
pub(crate) fn without_slashes(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|b| *b != b'/').map_or(0, |last| last + 1)]
}

/// A name without the slashes behind it.
pub(crate) fn trimmed<'a>(name: &CStr, buffer: &'a mut [u8; PATH_MAX]) -> Result<&'a CStr, Errno> {
    let bytes = without_slashes(name.to_bytes());
    buffer[..bytes.len()].copy_from_slice(bytes);
    CStr::from_bytes_until_nul(buffer).map_err(|_| Errno::NAMETOOLONG)
}

pub(crate) fn still_waiting(listener: BorrowedFd<'_>, call: &Notification) -> Result<(), Errno> {
    let is_waiting = match call.waits_for {
        Door::Filter => sys::notification_valid(listener, call.id),
        Door::Lookout => procfs::call_of(call.tid).is_some_and(|now| now == (call.nr, call.args)),
    };
    // The errno goes nowhere: who would get it is gone.
    if is_waiting { Ok(()) } else { Err(Errno::SRCH) }
}

/// The number in `/proc/self/fd/N` and `/dev/fd/N`, which the C library itself uses to name what it has open.
fn descriptor_number(path: &[u8]) -> Option<u64> {
    let rest = path.strip_prefix(b"/proc/self/fd/").or_else(|| path.strip_prefix(b"/dev/fd/"))?;
    std::str::from_utf8(rest).ok()?.parse::<u32>().ok().map(u64::from)
}

/// What a descriptor of another process refers to, as `O_PATH`.
pub(crate) fn open_descriptor(tid: u32, number: u64) -> Result<OwnedFd, Errno> {
    let mut name = [0u8; 32];
    let name = procfs::join(&[b"fd/"], number as u32, &mut name)?;
    match procfs::open(tid, name, OFlags::PATH | OFlags::CLOEXEC) {
        Err(Errno::NOENT) => Err(Errno::BADF),
        other => other,
    }
}

/// The name of a descriptor of ours under which path-taking calls reach it.
pub(crate) fn own_descriptor<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [u8; 64]) -> Result<&'a CStr, Errno> {
    use std::os::fd::AsRawFd;
    procfs::join(&[b"self/fd/"], fd.as_raw_fd() as u32, buffer)
}

/// Reads a string of at most `buffer.len() - 1` bytes, page by page; returns its length.
pub(crate) fn read_string(tid: u32, address: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    const PAGE: u64 = 4096;
    /// Longer than most: the less is copied, the better.
    const FIRST: usize = 256;
    let mut have = 0;
    while have < buffer.len() {
        let at = address.checked_add(have as u64).ok_or(Errno::FAULT)?;
        let most = if have == 0 { FIRST } else { buffer.len() - have };
        let chunk = ((PAGE - at % PAGE) as usize).min(most).min(buffer.len() - have);
        let read = sys::read_memory(tid, at, &mut buffer[have..have + chunk])?;
        if let Some(end) = buffer[have..have + read].iter().position(|b| *b == 0) {
            return Ok(have + end);
        }
        have += read;
        if read == 0 {
            return Err(Errno::FAULT);
        }
    }
    Err(Errno::NAMETOOLONG)
}

pub(crate) fn read_exactly(tid: u32, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
    if buffer.is_empty() || sys::read_memory(tid, address, buffer)? == buffer.len() {
        Ok(())
    } else {
        Err(Errno::FAULT)
    }
}

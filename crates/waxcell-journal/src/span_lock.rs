//! Whether whoever opened a span is still there to close it: a lock that the kernel takes away with the process.

use std::path::Path;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, linkat, openat, unlinkat};
use rustix::io::{Errno, retry_on_intr};

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::{OpenError, ReadError, SpanLockError};
use crate::frame::SpanId;

/// Says, as long as it lives, that somebody is there to close a span.
///
/// It is a file named after the span, locked. A child inherits the lock until it executes another program or closes
/// the descriptor, so a child that does neither keeps the span alive as well.
#[derive(Debug)]
#[must_use = "the span counts as dead when this is dropped"]
pub struct SpanLock {
    directory: Directory,
    name: String,
    /// Holds the lock.
    _file: std::fs::File,
}

impl SpanLock {
    /// Takes the lock of a span. Do so before the span is opened in the journal.
    ///
    /// # Errors
    ///
    /// When the directory is not ours alone to write to, when the disk refuses, and when the span was locked before.
    pub fn hold(directory: &Path, span: SpanId) -> Result<SpanLock, SpanLockError> {
        let directory = Directory::private(directory).map_err(SpanLockError::Directory)?;
        let (name, unseen) = (span.to_string(), format!("{span}.tmp"));
        let path = directory.path_of(&name);
        let file = directory.open(&unseen, true).map_err(SpanLockError::Directory)?;
        match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(SpanLockError::Taken(span)),
            Err(error) => return Err(DiskError::new("lock", &path, error).into()),
        }
        // Locked before it has the name under which others look for it, so nobody sees it unlocked. A link and not
        // a rename: it refuses when the name is there. A crash in between leaves the `.tmp`, which means nothing.
        let linked = linkat(&directory, &*unseen, &directory, &*name, AtFlags::empty());
        let _ = unlinkat(&directory, &*unseen, AtFlags::empty());
        match linked {
            Ok(()) => Ok(SpanLock { directory, name, _file: file }),
            Err(Errno::EXIST) => Err(SpanLockError::Taken(span)),
            Err(error) => Err(DiskError::new("create", &path, error).into()),
        }
    }

    /// Whether somebody holds the lock of a span.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    pub fn is_alive(directory: &Path, span: SpanId) -> Result<bool, SpanLockError> {
        let Some(directory) = existing(directory)? else { return Ok(false) };
        let name = span.to_string();
        let path = directory.path_of(&name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match openat(&directory, &*name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(DiskError::new("open", &path, error).into()),
        };
        match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockShared)) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(DiskError::new("lock", &path, error).into()),
        }
    }

    /// Removes what a dead holder left, once its span is closed in the journal.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn clear(directory: &Path, span: SpanId) -> Result<(), SpanLockError> {
        let Some(directory) = existing(directory)? else { return Ok(()) };
        let name = span.to_string();
        match unlinkat(&directory, &*name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(DiskError::new("remove", &directory.path_of(&name), error).into()),
        }
    }
}

impl Drop for SpanLock {
    fn drop(&mut self) {
        // The name goes first, the lock after it with the file: nobody finds the name unlocked.
        let _ = unlinkat(&self.directory, &*self.name, AtFlags::empty());
    }
}

fn existing(path: &Path) -> Result<Option<Directory>, SpanLockError> {
    match Directory::to_read(path) {
        Ok(directory) => Ok(Some(directory)),
        Err(ReadError::NotAJournal(path)) if !path.exists() => Ok(None),
        Err(ReadError::Disk(error)) => Err(error.into()),
        Err(ReadError::NotAJournal(path)) => Err(SpanLockError::Directory(OpenError::NotADirectory(path))),
        Err(ReadError::Corrupt(error)) => Err(SpanLockError::Directory(error.into())),
    }
}

//! Whether whoever opened a span is still there to close it: a lock that the kernel takes away with the process.

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, linkat, openat, unlinkat};
use rustix::io::{Errno, retry_on_intr};

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::{OpenError, ReadError, SpanLockError};
use crate::frame::SpanId;

/// At the end of a name under which nobody looks for a lock.
const UNSEEN: &str = ".tmp";

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
    file: std::fs::File,
    /// Whether the name stays, with its note, as if the holder had died.
    stays: bool,
}

/// While this is held nobody takes the lock of a span in this directory: see [`SpanLock::pause`].
#[derive(Debug)]
#[must_use = "the pause is over when this is dropped"]
pub struct Pause {
    directory: Directory,
}

impl SpanLock {
    /// Takes the lock of a span. Do so before the span is opened in the journal.
    ///
    /// # Errors
    ///
    /// When the directory is not ours alone to write to, when the disk refuses, and when the span was locked before.
    pub fn hold(directory: &Path, span: SpanId) -> Result<SpanLock, SpanLockError> {
        let directory = Directory::private(directory).map_err(SpanLockError::Directory)?;
        let name = span.to_string();
        let _pause = paused(&directory)?;
        let file = place(&directory, &name, span)?;
        Ok(SpanLock { directory, name, file, stays: false })
    }

    /// Keeps others from taking a lock, for as long as it takes to look at who holds one and to act on that.
    ///
    /// # Errors
    ///
    /// When the directory cannot be locked.
    pub fn pause(directory: &Path) -> Result<Pause, SpanLockError> {
        let directory = Directory::private(directory).map_err(SpanLockError::Directory)?;
        Ok(Pause { directory: paused(&directory)? })
    }

    /// Writes down what whoever finds that the holder died has to know, see [`Pause::left`]. Instead of an earlier note.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn note(&self, note: &[u8]) -> Result<(), SpanLockError> {
        let failed =
            |error: std::io::Error| DiskError::new("write", &self.directory.path_of(&self.name), error);
        self.file.set_len(0).and_then(|()| self.file.write_all_at(note, 0)).map_err(failed)?;
        Ok(())
    }

    /// Leaves the name and another note behind when this is dropped: for whoever asks for what is [left](Pause::left).
    ///
    /// # Errors
    ///
    /// When the note cannot be written.
    pub fn leave(&mut self, note: &[u8]) -> Result<(), SpanLockError> {
        self.note(note)?;
        self.stays = true;
        Ok(())
    }

    /// Whether somebody holds the lock of a span.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    pub fn is_alive(directory: &Path, span: SpanId) -> Result<bool, SpanLockError> {
        let Some(directory) = existing(directory)? else { return Ok(false) };
        is_locked(&directory, &span.to_string())
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

impl Pause {
    /// Whether anybody but this one holds a lock; `None` asks for anybody at all.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    pub fn others(&self, but: Option<&SpanLock>) -> Result<bool, SpanLockError> {
        for name in self.directory.names()? {
            let is_other = SpanId::from_hex(&name).is_some() && but.is_none_or(|but| but.name != name);
            if is_other && is_locked(&self.directory, &name)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The spans whose holders died without letting go, and their notes. The notes are not synced: a machine that
    /// stopped may have lost them.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    pub fn left(&self) -> Result<Vec<(SpanId, Vec<u8>)>, SpanLockError> {
        let mut left = Vec::new();
        for name in self.directory.names()? {
            if name.ends_with(UNSEEN) {
                // Nobody is at work on it now: its maker died before it had its name.
                let _ = unlinkat(&self.directory, &*name, AtFlags::empty());
                continue;
            }
            let Some(span) = SpanId::from_hex(&name) else { continue };
            let Some(mut file) = self.directory.open_to_read(&name)? else { continue };
            if retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockShared)).is_err() {
                continue;
            }
            // Whoever lets go takes the name away first: if it is there although the lock is free, nobody did.
            let still_there = self.directory.has(&name)?;
            let mut note = Vec::new();
            if still_there && file.read_to_end(&mut note).is_ok() {
                left.push((span, note));
            }
        }
        Ok(left)
    }
}

impl Drop for SpanLock {
    fn drop(&mut self) {
        // The name goes first, the lock after it with the file: nobody finds the name unlocked.
        if !self.stays {
            let _ = unlinkat(&self.directory, &*self.name, AtFlags::empty());
        }
    }
}

/// A second descriptor of the directory, with the lock on it.
fn paused(directory: &Directory) -> Result<Directory, SpanLockError> {
    let again = directory.again()?;
    retry_on_intr(|| flock(&again, FlockOperation::LockExclusive))
        .map_err(|error| DiskError::new("lock", &directory.path_of("."), error))?;
    Ok(again)
}

fn is_locked(directory: &Directory, name: &str) -> Result<bool, SpanLockError> {
    let path = directory.path_of(name);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match openat(directory, name, flags, Mode::empty()) {
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

/// Puts the locked file in its place.
fn place(directory: &Directory, name: &str, span: SpanId) -> Result<std::fs::File, SpanLockError> {
    let unseen = format!("{name}{UNSEEN}");
    let path = directory.path_of(name);
    let file = directory.open(&unseen, true).map_err(SpanLockError::Directory)?;
    match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(SpanLockError::Taken(span)),
        Err(error) => return Err(DiskError::new("lock", &path, error).into()),
    }
    // Locked before it has the name under which others look for it, so nobody sees it unlocked. A link and not a
    // rename: it refuses when the name is there. A crash in between leaves a file that `left` removes.
    let linked = linkat(directory, &*unseen, directory, name, AtFlags::empty());
    let _ = unlinkat(directory, &*unseen, AtFlags::empty());
    match linked {
        Ok(()) => Ok(file),
        Err(Errno::EXIST) => Err(SpanLockError::Taken(span)),
        Err(error) => Err(DiskError::new("create", &path, error).into()),
    }
}

fn existing(path: &Path) -> Result<Option<Directory>, SpanLockError> {
    match Directory::to_read(path) {
        Ok(directory) => Ok(Some(directory)),
        Err(ReadError::NotAJournal(path)) if !path.exists() => Ok(None),
        Err(ReadError::Disk(error)) => Err(error.into()),
        Err(ReadError::Corrupt(error)) => Err(SpanLockError::Directory(error.into())),
        // No format is asked for here.
        Err(ReadError::NotAJournal(_) | ReadError::Archive(_) | ReadError::Version(_)) => {
            Err(SpanLockError::Directory(OpenError::NotADirectory(path.to_owned())))
        }
    }
}

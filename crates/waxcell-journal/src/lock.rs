//! The lock between writers.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::OpenError;

/// The lock of those who append.
pub(crate) const NAME: &str = "lock";

/// A file that is empty and stays.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Arc<File>,
    path: PathBuf,
}

/// Held until dropped, or until the process dies.
#[derive(Debug)]
pub(crate) struct Held(Arc<File>);

impl Lock {
    pub(crate) fn open(directory: &Directory, name: &str) -> Result<Lock, OpenError> {
        let file = directory.open(name, true)?;
        Ok(Lock { file: Arc::new(file), path: directory.path_of(name) })
    }

    /// Waits until no other process writes.
    pub(crate) fn hold(&self) -> Result<Held, DiskError> {
        retry_on_intr(|| flock(&self.file, FlockOperation::LockExclusive))
            .map_err(|error| DiskError::new("lock", &self.path, error))?;
        Ok(Held(Arc::clone(&self.file)))
    }

    /// The lock, if nobody holds it.
    pub(crate) fn try_hold(&self) -> Result<Option<Held>, DiskError> {
        match retry_on_intr(|| flock(&self.file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(Some(Held(Arc::clone(&self.file)))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(DiskError::new("lock", &self.path, error)),
        }
    }

    /// Waits until no process writes, for a reader; `None` where there is no lock, as in a copy of a journal.
    pub(crate) fn hold_to_read(directory: &Directory) -> Result<Option<Held>, DiskError> {
        let Some(file) = directory.open_to_read(NAME)? else { return Ok(None) };
        retry_on_intr(|| flock(&file, FlockOperation::LockShared))
            .map_err(|error| DiskError::new("lock", &directory.path_of(NAME), error))?;
        Ok(Some(Held(Arc::new(file))))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Unlocking a lock that is held cannot fail; and the end of the process unlocks it too.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

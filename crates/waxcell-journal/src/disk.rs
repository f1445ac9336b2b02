//! The calls that change the disk, each with a typed error. Durable state is written through these alone.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

#[cfg(test)]
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A call on a file failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{}`{}", path.display(), fault.advice())]
pub struct DiskError {
    /// What the failure means for the caller.
    pub fault: DiskFault,
    /// What was being done, as an infinitive.
    pub doing: &'static str,
    /// To which file or directory.
    pub path: PathBuf,
    /// What the kernel said.
    pub source: io::Error,
}

/// What a failed call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// The file system has no room left.
    Full,
    /// The user's quota or file-size limit is reached.
    Quota,
    /// The file system is mounted read-only.
    ReadOnly,
    /// Permission is missing.
    Denied,
    /// The device failed: what it holds can no longer be trusted.
    Device,
    /// Anything else.
    Other,
}

impl DiskFault {
    fn advice(self) -> &'static str {
        match self {
            DiskFault::Full => ": the file system is full",
            DiskFault::Quota => ": the quota or file-size limit is reached",
            DiskFault::ReadOnly => ": the file system is read-only",
            DiskFault::Denied => ": permission is missing",
            DiskFault::Device => ": the device failed",
            DiskFault::Other => "",
        }
    }
}

impl DiskError {
    pub(crate) fn new(doing: &'static str, path: &Path, source: impl Into<io::Error>) -> DiskError {
        let source = source.into();
        let fault = match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC) => DiskFault::Full,
            Some(Errno::DQUOT | Errno::FBIG) => DiskFault::Quota,
            Some(Errno::ROFS) => DiskFault::ReadOnly,
            Some(Errno::ACCESS | Errno::PERM) => DiskFault::Denied,
            Some(Errno::IO) => DiskFault::Device,
            _ => DiskFault::Other,
        };
        DiskError { fault, doing, path: path.to_owned(), source }
    }
}

pub(crate) fn write(file: &File, bytes: &[u8], at: usize, path: &Path) -> Result<(), DiskError> {
    #[cfg(test)]
    faults::before_write(file, bytes, at as u64).map_err(|error| DiskError::new("write", path, error))?;
    file.write_all_at(bytes, at as u64).map_err(|error| DiskError::new("write", path, error))?;
    #[cfg(test)]
    faults::note(|| faults::Call::Write { file: faults::identity(file), at, bytes: bytes.to_vec() });
    after(path)
}

pub(crate) fn zero(file: &File, from: usize, to: usize, path: &Path) -> Result<(), DiskError> {
    write(file, &vec![0; to.saturating_sub(from)], from, path)
}

/// Waits until the bytes of a file are on the disk.
pub(crate) fn sync(file: &File, path: &Path) -> Result<(), DiskError> {
    before("make durable", path)?;
    rustix::fs::fdatasync(file).map_err(|error| DiskError::new("make durable", path, error))?;
    #[cfg(test)]
    faults::note(|| faults::Call::Sync { file: faults::identity(file) });
    after(path)
}

/// Waits until a file or directory is on the disk with all that is known of it.
pub(crate) fn sync_all(file: impl AsFd, path: &Path) -> Result<(), DiskError> {
    before("make durable", path)?;
    rustix::fs::fsync(&file).map_err(|error| DiskError::new("make durable", path, error))?;
    #[cfg(test)]
    faults::note(|| faults::Call::Sync { file: faults::identity(&file) });
    after(path)
}

pub(crate) fn truncate(file: &File, path: &Path) -> Result<(), DiskError> {
    before("empty", path)?;
    rustix::fs::ftruncate(file, 0).map_err(|error| DiskError::new("empty", path, error))?;
    #[cfg(test)]
    faults::note(|| faults::Call::Empty { file: faults::identity(file) });
    after(path)
}

/// Renames within one directory.
pub(crate) fn rename(directory: impl AsFd, from: &str, to: &str, path: &Path) -> Result<(), DiskError> {
    before("rename to", path)?;
    let directory = directory.as_fd();
    rustix::fs::renameat(directory, from, directory, to)
        .map_err(|error| DiskError::new("rename to", path, error))?;
    #[cfg(test)]
    faults::note(|| faults::Call::Name {
        directory: faults::identity(directory),
        file: faults::identity(rustix::fs::openat(directory, to, OFlags::RDONLY, Mode::empty()).unwrap()),
        name: to.to_owned(),
    });
    after(path)
}

/// Puts what has a name in two directories each into the place of the other, at once.
pub(crate) fn exchange(a: impl AsFd, b: impl AsFd, name: &str, path: &Path) -> Result<(), DiskError> {
    before("exchange", path)?;
    rustix::fs::renameat_with(a, name, b, name, rustix::fs::RenameFlags::EXCHANGE)
        .map_err(|error| DiskError::new("exchange", path, error))?;
    after(path)
}

pub(crate) fn unlink(directory: impl AsFd, name: &str, path: &Path) -> Result<(), DiskError> {
    before("remove", path)?;
    rustix::fs::unlinkat(directory, name, rustix::fs::AtFlags::empty())
        .map_err(|error| DiskError::new("remove", path, error))?;
    after(path)
}

/// Where a test makes a call fail without its being made.
fn before(doing: &'static str, path: &Path) -> Result<(), DiskError> {
    #[cfg(test)]
    faults::before().map_err(|error| DiskError::new(doing, path, error))?;
    let _ = (doing, path);
    Ok(())
}

/// Where a test makes a call fail although it was made.
fn after(path: &Path) -> Result<(), DiskError> {
    #[cfg(test)]
    faults::after().map_err(|error| DiskError::new("finish with", path, error))?;
    let _ = path;
    Ok(())
}

/// Failures that a test orders on its own thread.
#[cfg(test)]
pub(crate) mod faults {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// A call that was made.
    #[derive(Clone, Debug)]
    pub(crate) enum Call {
        Write { file: u64, at: usize, bytes: Vec<u8> },
        Empty { file: u64 },
        Sync { file: u64 },
        Name { directory: u64, file: u64, name: String },
    }

    pub(crate) fn identity(file: impl AsFd) -> u64 {
        rustix::fs::fstat(file).unwrap().st_ino
    }

    pub(crate) fn note(call: impl FnOnce() -> Call) {
        RECORD.with_borrow_mut(|record| {
            if let Some(record) = record {
                record.push(call());
            }
        });
    }

    /// What becomes of the call that fails.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Manner {
        /// It is not made.
        Lost,
        /// Of a write, the first half is made; any other call is not.
        Half,
        /// It is made, and fails all the same.
        Done,
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Plan {
        /// How many calls succeed first.
        pub(crate) after: usize,
        pub(crate) manner: Manner,
        pub(crate) errno: i32,
        /// All later calls fail too, unmade: the process is dead to the disk.
        pub(crate) then_dead: bool,
    }

    /// The calls made on this thread so far; from the first time this is asked on.
    pub(crate) fn record() -> Vec<Call> {
        RECORD.with_borrow_mut(|record| record.get_or_insert_default().clone())
    }

    thread_local! {
        static RECORD: RefCell<Option<Vec<Call>>> = const { RefCell::new(None) };
        static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
        static STRUCK: Cell<bool> = const { Cell::new(false) };
        static CALLS: Cell<usize> = const { Cell::new(0) };
    }

    /// Runs `body` under a plan; says also whether the fault was reached.
    pub(crate) fn under<T>(plan: Plan, body: impl FnOnce() -> T) -> (T, bool) {
        CALLS.set(0);
        STRUCK.set(false);
        PLAN.set(Some(plan));
        let value = body();
        PLAN.set(None);
        (value, STRUCK.get())
    }

    fn due() -> Option<Plan> {
        let plan = PLAN.get()?;
        (CALLS.get() == plan.after && !STRUCK.get()).then_some(plan)
    }

    fn dead() -> io::Result<()> {
        match PLAN.get() {
            Some(plan) if STRUCK.get() && plan.then_dead => Err(io::Error::from_raw_os_error(plan.errno)),
            _ => Ok(()),
        }
    }

    pub(super) fn before() -> io::Result<()> {
        dead()?;
        match due() {
            Some(plan) if plan.manner != Manner::Done => {
                STRUCK.set(true);
                Err(io::Error::from_raw_os_error(plan.errno))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn before_write(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let half = !STRUCK.get() && due().is_some_and(|plan| plan.manner == Manner::Half);
        let verdict = before();
        if half {
            file.write_all_at(&bytes[..bytes.len() / 2], at)?;
        }
        verdict
    }

    pub(super) fn after() -> io::Result<()> {
        let due = due();
        CALLS.set(CALLS.get() + 1);
        match due {
            Some(plan) if plan.manner == Manner::Done => {
                STRUCK.set(true);
                Err(io::Error::from_raw_os_error(plan.errno))
            }
            _ => Ok(()),
        }
    }
}

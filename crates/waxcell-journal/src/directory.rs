//! The journal's directory: that it is ours and private, and what stands in it.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::disk::{self, DiskError};
use crate::error::{OpenError, ReadError};
use crate::segment;

const PRIVATE_DIRECTORY: Mode = Mode::RWXU;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
/// `NONBLOCK`, so that a FIFO in the place of a file is an error and not an endless wait.
const SAFE: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

/// An open directory. All names below are looked up in it, whatever happens to its path meanwhile.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    /// Opens a directory that only we may write to; makes it, and what is missing above it, if it is not there.
    pub(crate) fn private(path: &Path) -> Result<Directory, OpenError> {
        // Without a trailing slash, which would follow a symbolic link.
        let path: PathBuf = path.components().collect();
        let fd = match open_directory(&path) {
            Err(Errno::NOENT) => {
                make(&path).map_err(|error| DiskError::new("create", &path, error))?;
                open_directory(&path)
            }
            other => other,
        };
        let fd = fd.map_err(|errno| match (errno, kind(&path)) {
            (_, Some(FileType::Symlink)) => OpenError::SymbolicLink(path.clone()),
            (Errno::NOTDIR | Errno::LOOP, _) => OpenError::NotADirectory(path.clone()),
            _ => DiskError::new("open", &path, errno).into(),
        })?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| DiskError::new("examine", &path, error))?;
        check_private(&stat, &path)?;
        Ok(Directory { fd, path })
    }

    /// Opens a directory to read it only, whoever owns it: an auditor's copy is as good as ours.
    pub(crate) fn to_read(path: &Path) -> Result<Directory, ReadError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Directory { fd, path: path.to_owned() }),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(ReadError::NotAJournal(path.to_owned())),
            Err(error) => Err(DiskError::new("open", path, error).into()),
        }
    }

    /// The same directory through a descriptor of its own.
    pub(crate) fn again(&self) -> Result<Directory, DiskError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(self, ".", flags, Mode::empty()) {
            Ok(fd) => Ok(Directory { fd, path: self.path.clone() }),
            Err(error) => Err(DiskError::new("open", &self.path, error)),
        }
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file that only we may write to.
    pub(crate) fn open(&self, name: &str, create: bool) -> Result<File, OpenError> {
        let create = if create { OFlags::CREATE } else { OFlags::empty() };
        let path = self.path_of(name);
        let fd =
            rustix::fs::openat(self, name, OFlags::RDWR | SAFE | create, PRIVATE_FILE).map_err(|errno| {
                match errno {
                    Errno::LOOP | Errno::ISDIR | Errno::NXIO => OpenError::NotAFile(path.clone()),
                    _ => DiskError::new("open", &path, errno).into(),
                }
            })?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| DiskError::new("examine", &path, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotAFile(path));
        }
        check_private(&stat, &path)?;
        Ok(File::from(fd))
    }

    /// Makes a file that only we may read; `None` when something of that name is there.
    pub(crate) fn begin(&self, name: &str) -> Result<Option<File>, DiskError> {
        let flags = OFlags::RDWR | SAFE | OFlags::CREATE | OFlags::EXCL;
        match rustix::fs::openat(self, name, flags, PRIVATE_FILE) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::EXIST) => Ok(None),
            Err(error) => Err(DiskError::new("create", &self.path_of(name), error)),
        }
    }

    /// Opens a plain file to read it; `None` when it is not there or not a plain file.
    pub(crate) fn open_to_read(&self, name: &str) -> Result<Option<File>, DiskError> {
        let path = self.path_of(name);
        let fd = match rustix::fs::openat(self, name, OFlags::RDONLY | SAFE, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(DiskError::new("open", &path, error)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|error| DiskError::new("examine", &path, error))?;
        Ok((FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then(|| File::from(fd)))
    }

    pub(crate) fn has(&self, name: &str) -> Result<bool, DiskError> {
        match rustix::fs::statat(self, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(DiskError::new("examine", &self.path_of(name), error)),
        }
    }

    /// All names that are text.
    pub(crate) fn names(&self) -> Result<Vec<String>, DiskError> {
        let failed = |error| DiskError::new("list", &self.path, error);
        let mut names = Vec::new();
        for entry in Dir::read_from(self).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// The numbers of the segments, in order.
    pub(crate) fn segments(&self) -> Result<Vec<u64>, DiskError> {
        let failed = |error| DiskError::new("list", &self.path, error);
        let mut numbers = Vec::new();
        for entry in Dir::read_from(self).map_err(failed)? {
            numbers.extend(segment::number(entry.map_err(failed)?.file_name().to_bytes()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Makes the names in the directory durable, and the directory's own name if it may be new.
    pub(crate) fn sync(&self, may_be_new: bool) -> Result<(), DiskError> {
        disk::sync_all(self, &self.path)?;
        if may_be_new { sync_parent(&self.path) } else { Ok(()) }
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn kind(path: &Path) -> Option<FileType> {
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

/// Makes a directory and its missing parents, all private.
fn make(path: &Path) -> Result<(), Errno> {
    match rustix::fs::mkdir(path, PRIVATE_DIRECTORY) {
        // Another process was faster.
        Ok(()) | Err(Errno::EXIST) => {}
        Err(Errno::NOENT) => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or(Errno::NOENT)?;
            make(parent)?;
            match rustix::fs::mkdir(path, PRIVATE_DIRECTORY) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Err(errno) => return Err(errno),
    }
    // A crash here leaves an empty directory, or none: the next start makes it again.
    sync_parent(path).map_err(|error| Errno::from_io_error(&error.source).unwrap_or(Errno::IO))
}

fn sync_parent(path: &Path) -> Result<(), DiskError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(parent, flags, Mode::empty()) {
        Ok(fd) => disk::sync_all(fd, parent),
        // A parent that we may pass but not read is not ours; whoever made the directory in it vouches for it.
        Err(Errno::ACCESS) => Ok(()),
        Err(error) => Err(DiskError::new("open", parent, error)),
    }
}

fn check_private(stat: &Stat, path: &Path) -> Result<(), OpenError> {
    let user = rustix::process::geteuid().as_raw();
    if stat.st_uid != user {
        return Err(OpenError::ForeignOwner { path: path.to_owned(), owner: stat.st_uid, user });
    }
    let mode = stat.st_mode & 0o7777;
    if mode & 0o022 != 0 {
        return Err(OpenError::Loose { path: path.to_owned(), mode });
    }
    Ok(())
}

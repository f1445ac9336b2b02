//! The script: opened once, read once, hashed once. What was analysed is what is executed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use waxcell_analysis::MAX_SOURCE;

/// A script's bytes and where they were.
#[derive(Clone, Debug)]
pub struct Script {
    /// The path as the caller gave it: what the script sees as `sys.argv[0]`.
    pub given: PathBuf,
    /// The same, canonical.
    pub path: PathBuf,
    /// What was read.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Permission bits of the file.
    pub mode: u32,
}

/// Why a file is no script that could be run.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// There is nothing.
    #[error("script `{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// It may not be read.
    #[error("script `{}` may not be read by you; check its permissions and those of the folders above it", .0.display())]
    Denied(PathBuf),
    /// Links lead in a circle.
    #[error("script `{}` is a loop of symbolic links; name the file itself", .0.display())]
    Loop(PathBuf),
    /// A directory, FIFO, device or socket.
    #[error("script `{}` is {what}, not a file; name the Python file itself", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Too large to be read.
    #[error("script `{}` has {size} bytes; more than {MAX_SOURCE} are not run", path.display())]
    TooLarge {
        /// What was named.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// Anything else.
    #[error("cannot read script `{}`", path.display())]
    Io {
        /// What was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ScriptError {
    /// Whether there was no script at all.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ScriptError::Missing(_))
    }

    fn of(path: &Path, error: io::Error) -> ScriptError {
        let path = path.to_owned();
        match error.raw_os_error() {
            Some(libc_errno::ENOENT | libc_errno::ENOTDIR) => ScriptError::Missing(path),
            Some(libc_errno::EACCES) => ScriptError::Denied(path),
            Some(libc_errno::ELOOP) => ScriptError::Loop(path),
            Some(libc_errno::ENXIO) => ScriptError::NotAFile { path, what: "a socket or device" },
            _ => ScriptError::Io { path, source: error },
        }
    }
}

/// Numbers of `errno(3)` by name.
mod libc_errno {
    use rustix::io::Errno;
    pub(super) const ENOENT: i32 = Errno::NOENT.raw_os_error();
    pub(super) const ENOTDIR: i32 = Errno::NOTDIR.raw_os_error();
    pub(super) const EACCES: i32 = Errno::ACCESS.raw_os_error();
    pub(super) const ELOOP: i32 = Errno::LOOP.raw_os_error();
    pub(super) const ENXIO: i32 = Errno::NXIO.raw_os_error();
}

impl Script {
    /// Reads a script. `cwd` is what a relative path is relative to.
    pub fn read(given: &Path, cwd: &Path) -> Result<Script, ScriptError> {
        let absolute = cwd.join(given);
        let fail = |error| ScriptError::of(given, error);
        // Not waiting for the other end of a FIFO; for plain files the flag means nothing.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
            .open(&absolute)
            .map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        let kind = meta.file_type();
        let what = match () {
            () if kind.is_file() => None,
            () if kind.is_dir() => Some("a folder"),
            () if kind.is_fifo() => Some("a FIFO"),
            () if kind.is_char_device() || kind.is_block_device() => Some("a device"),
            () => Some("no plain file"),
        };
        if let Some(what) = what {
            return Err(ScriptError::NotAFile { path: given.to_owned(), what });
        }
        let bytes = read_bounded(&file, meta.len(), given)?;
        let path = absolute.canonicalize().map_err(fail)?;
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Script { given: given.to_owned(), path, bytes, sha256, mode: meta.mode() & 0o777 })
    }

    /// The folder that the script lies in.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

fn read_bounded(file: &File, size: u64, given: &Path) -> Result<Vec<u8>, ScriptError> {
    // Room for it and for finding its end, so that it is read at once.
    let mut bytes = Vec::with_capacity(size.min(MAX_SOURCE as u64) as usize + 1);
    file.take(MAX_SOURCE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| ScriptError::of(given, error))?;
    if bytes.len() > MAX_SOURCE {
        let size = file.metadata().map_or(bytes.len() as u64, |meta| meta.len());
        return Err(ScriptError::TooLarge { path: given.to_owned(), size });
    }
    Ok(bytes)
}

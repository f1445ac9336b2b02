//! The bytes of a policy file: opened once, read once, hashed once.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::text::escaped;

/// Largest policy file, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// Why a policy file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("policy `{}` does not exist", show(.path))]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file or a folder above it does not let us in.
    #[error("policy `{}` may not be read", show(.path))]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// Its symbolic links lead in a circle.
    #[error("policy `{}` is a symbolic link that leads back to itself", show(.path))]
    SymlinkLoop {
        /// The file.
        path: PathBuf,
    },
    /// The system refused for another reason.
    #[error("policy `{}` could not be read: {source}", show(.path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a file.
    #[error("policy `{}` is {kind}, not a regular file", show(.path))]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// Too much to be a policy.
    #[error("policy `{}` is larger than 1 MiB", show(.path))]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Nothing, or nothing but comments.
    #[error("empty policy `{}`", show(.path))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Not text.
    #[error("policy `{}` is not UTF-8: byte {offset} of the file is 0x{byte:02x}", show(.path))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Column of the first bad byte, from 1, in characters.
        column: usize,
        /// Whether it is text in the two-byte form that some editors write.
        utf16: bool,
        /// Place of the first bad byte, from 0.
        offset: usize,
        /// The first bad byte.
        byte: u8,
    },
}

impl ReadError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            ReadError::Missing { path }
            | ReadError::Denied { path }
            | ReadError::SymlinkLoop { path }
            | ReadError::Io { path, .. }
            | ReadError::NotAFile { path, .. }
            | ReadError::TooLarge { path }
            | ReadError::Empty { path }
            | ReadError::NotUtf8 { path, .. } => path,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            ReadError::Missing { .. } => "check the path, or start one with `waxcell policy init`",
            ReadError::Denied { .. } => {
                "give the user who runs waxcell the right to read it (`ls -l` shows who may)"
            }
            ReadError::SymlinkLoop { .. } => "point the link at a policy file",
            ReadError::Io { .. } => "check the path and the file system it is on",
            ReadError::NotAFile { .. } => "name a YAML file",
            ReadError::TooLarge { .. } => "is it a policy? one rarely takes more than a few kilobytes",
            ReadError::Empty { .. } => "start with `waxcell policy init`",
            ReadError::NotUtf8 { utf16: true, .. } => "save the file as UTF-8; this looks like UTF-16",
            ReadError::NotUtf8 { utf16: false, .. } => "save the file as UTF-8",
        }
    }

    /// Line and column of what is wrong, if it is in the file.
    pub fn place(&self) -> Option<(usize, usize)> {
        match self {
            ReadError::NotUtf8 { line, column, .. } => Some((*line, *column)),
            _ => None,
        }
    }
}

/// A policy file as read.
#[derive(Debug)]
pub(super) struct PolicyFile {
    /// Absolute, without symlinks but perhaps the file itself: comparable with the project root.
    pub(super) path: PathBuf,
    /// Of all bytes, a byte-order mark included.
    pub(super) sha256: [u8; 32],
    /// Without a byte-order mark.
    pub(super) text: String,
}

/// Reads a policy file. A relative path is taken from the current directory.
pub(super) fn read(given: &Path) -> Result<PolicyFile, ReadError> {
    let named = || given.to_path_buf();
    let failed = |source: io::Error| match rustix::io::Errno::from_io_error(&source) {
        Some(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => ReadError::Missing { path: named() },
        Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => ReadError::Denied { path: named() },
        Some(rustix::io::Errno::LOOP) => ReadError::SymlinkLoop { path: named() },
        // A UNIX socket, or a device with nothing behind it.
        Some(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => {
            ReadError::NotAFile { path: named(), kind: "a socket or a device" }
        }
        _ => ReadError::Io { path: named(), source },
    };
    // NONBLOCK: a FIFO without a writer must not hold us; what it is is checked on the descriptor. NOCTTY: a
    // terminal must not become ours.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut file =
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(given).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile { path: named(), kind: kind_of(&metadata) });
    }
    // Room for it and for finding its end, so that it is read at once.
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_BYTES) as usize + 1);
    // One byte more than allowed tells "larger" without trusting the size that a growing file reports.
    file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLarge { path: named() });
    }
    let path = absolute(given).map_err(failed)?;
    let sha256 = Sha256::digest(&bytes).into();
    let text = decode_utf8(bytes, given)?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Err(ReadError::Empty { path: named() });
    }
    Ok(PolicyFile { path, sha256, text })
}

fn absolute(given: &Path) -> io::Result<PathBuf> {
    match (given.parent(), given.file_name()) {
        (Some(folder), Some(name)) if folder == Path::new("") => {
            Ok(Path::new(".").canonicalize()?.join(name))
        }
        (Some(folder), Some(name)) => Ok(folder.canonicalize()?.join(name)),
        _ => given.canonicalize(),
    }
}

fn decode_utf8(bytes: Vec<u8>, path: &Path) -> Result<String, ReadError> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = String::from_utf8_lossy(&bytes[..offset]);
        ReadError::NotUtf8 {
            path: path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
            utf16: bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]),
            offset,
            byte: bytes.get(offset).copied().unwrap_or_default(),
        }
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

fn kind_of(metadata: &std::fs::Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

fn show(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

//! `PATH`, and what is found there.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;

use super::links::{self, Resolved};
use super::{InterpreterError, Search};

/// How much of a file is read to find out what it is; shims are far smaller.
const SHIM_HEAD: usize = 4 << 10;

/// Whether it is a name to look up, not a path: no slash in it.
pub(super) fn is_bare_name(path: &Path) -> bool {
    !path.as_os_str().is_empty() && !path.as_os_str().as_bytes().contains(&b'/')
}

/// The first executable file of that name on `PATH`, as `execvp` finds it, passing over one directory.
pub(super) fn search(name: &OsStr, search: &Search<'_>, without: Option<&Path>) -> Option<PathBuf> {
    candidates(name, search)
        .filter(|path| path.parent() != without)
        .find(|path| std::fs::metadata(path).is_ok_and(|meta| meta.is_file()) && is_executable(path))
}

/// What there is of that name on `PATH` although it cannot be executed.
pub(super) fn obstacle(name: &OsStr, search: &Search<'_>) -> Option<InterpreterError> {
    candidates(name, search)
        .filter(|path| path.symlink_metadata().is_ok())
        .find_map(|path| links::resolve(&path).and_then(|resolved| content(&resolved)).err())
}

fn candidates<'a>(name: &'a OsStr, search: &Search<'a>) -> impl Iterator<Item = PathBuf> + 'a {
    let cwd = search.cwd;
    let directories = search.path.map(OsStr::as_bytes).unwrap_or_default().split(|&byte| byte == b':');
    // An empty entry is the working directory; an empty or missing PATH is nothing at all.
    let none = search.path.is_none_or(OsStr::is_empty);
    directories.filter(move |_| !none).map(move |directory| cwd.join(OsStr::from_bytes(directory)).join(name))
}

pub(super) fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

/// What an executable file holds.
pub(super) enum Content {
    /// An ELF binary.
    Binary,
    /// A script: its beginning.
    Script(String),
}

/// Looks into the file behind a path.
pub(super) fn content(resolved: &Resolved) -> Result<Content, InterpreterError> {
    let path = || resolved.path.clone();
    let unreadable = |source: io::Error| InterpreterError::Unreadable { path: path(), source };
    let (mut file, meta) = open(&resolved.real).map_err(unreadable)?;
    if let Some(what) = not_a_file(&meta) {
        return Err(InterpreterError::NotAFile { path: path(), what });
    }
    if !is_executable(&resolved.real) {
        return Err(InterpreterError::NotExecutable { path: path() });
    }
    let head = read_up_to(&mut file, SHIM_HEAD).map_err(unreadable)?;
    match head.as_slice() {
        [0x7f, b'E', b'L', b'F', ..] => Ok(Content::Binary),
        [b'#', b'!', ..] => Ok(Content::Script(String::from_utf8_lossy(&head).into_owned())),
        _ => Err(InterpreterError::NotElf { path: path() }),
    }
}

/// Opens a file without waiting for the other end if it is a FIFO.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => {
            let file = File::from(descriptor);
            let meta = file.metadata()?;
            Ok((file, meta))
        }
        Err(error @ (Errno::NOENT | Errno::NOTDIR)) => Err(error.into()),
        // Sockets and some devices cannot be opened, binaries need not be readable: say what it is all the same.
        Err(error) => {
            let descriptor = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            let file = File::from(descriptor);
            let meta = file.metadata()?;
            if meta.is_file() { Err(error.into()) } else { Ok((file, meta)) }
        }
    }
}

fn not_a_file(meta: &Metadata) -> Option<&'static str> {
    let kind = meta.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// At most `limit` bytes, in as few system calls as it takes.
fn read_up_to(file: &mut File, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; limit];
    let mut length = 0;
    while length < limit {
        match file.read(&mut bytes[length..])? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// The text of a small regular file; `None` if there is none or it is something else, too large or not text.
pub(super) fn small_text(path: &Path) -> Option<String> {
    const LIMIT: u64 = 64 << 10;
    let (mut file, meta) = open(path).ok()?;
    let length = usize::try_from(meta.len()).ok().filter(|_| meta.is_file() && meta.len() <= LIMIT)?;
    String::from_utf8(read_up_to(&mut file, length).ok()?).ok()
}

/// Whose shim a script is.
pub(super) fn shim_tool(text: &str) -> Option<&'static str> {
    let tools =
        ["asdf", "mise", "rtx", "conda", "mamba", "pyenv", "nix", "rye", "uv", "direnv", "volta", "hatch"];
    let is_word = |tool: &&&str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == **tool);
    tools.iter().find(is_word).copied()
}

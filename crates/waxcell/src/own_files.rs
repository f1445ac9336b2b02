//! Files of waxcell's own in the state directory. Whatever stands in the place of one (a FIFO, a link, a device) is
//! neither waited for nor followed: it is an error, as if the file could not be opened.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Larger than anything that is kept in one file.
const MOST: u64 = 64 << 20;

/// The contents of a file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(OpenOptions::new().read(true), path)?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts bytes into the place of a file, whole or not at all; its folder is made if it is not there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, false)
}

/// The same; it is durable when this returns.
pub(crate) fn replace_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, true)
}

fn put(path: &Path, bytes: &[u8], is_durable: bool) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    // One that a process of this number has left goes; nothing is followed there.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let put = file
        .write_all(bytes)
        .and_then(|()| if is_durable { file.sync_all() } else { Ok(()) })
        .and_then(|()| fs::rename(&new, path));
    if put.is_err() {
        let _ = fs::remove_file(&new);
    }
    put?;
    if is_durable { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A file to add to, made if it is not there.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().append(true).create(true).mode(0o600), path)
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    let is_file = file.metadata()?.is_file();
    if is_file { Ok(file) } else { Err(io::Error::other("not a plain file")) }
}

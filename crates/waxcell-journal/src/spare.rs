//! Segments made ahead of need, and the room that open spans have a right to.
//!
//! Writing into blocks that are allocated and written already is an overwrite: `fdatasync` then has only data to
//! bring to the disk. Measured on ext4 (700 bytes and an `fdatasync`, writes to the device per record): 2.0 into zeros
//! that were written and synced, 2.7 into space from `fallocate` alone, whose blocks are marked as written on first
//! touch, 3.0 where the file grows; the surplus is the file system's own journal. Making a segment costs two syncs
//! and 1 MiB of writing, 4 to 12 ms on a slow disk, so it is done ahead when somebody has time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::OpenError;
use crate::frame::padded;
use crate::header::MAX_HEADER;
use crate::segment::{SEGMENT_BYTES, used};

/// A span that was allowed to open can be closed by a payload of up to so many bytes even when the disk is full.
pub const CLOSING_RESERVE: usize = 16 * 1024;

const UNFINISHED: &str = "spare.tmp";

fn name(nth: usize) -> String {
    format!("spare-{nth}")
}

/// How many closing records find room in so many bytes of one segment.
pub(crate) fn closings(bytes: usize) -> usize {
    bytes / padded(CLOSING_RESERVE)
}

/// How many find room in a spare segment, at least.
pub(crate) fn closings_per_spare() -> usize {
    closings(SEGMENT_BYTES - MAX_HEADER)
}

/// How many spare segments there are, up to `most`.
pub(crate) fn count(directory: &Directory, most: usize) -> Result<usize, DiskError> {
    let mut there = 0;
    while there < most && directory.has(&name(there))? {
        there += 1;
    }
    Ok(there)
}

/// Makes spare segments until there are `wanted`.
pub(crate) fn ensure(directory: &Directory, wanted: usize) -> Result<(), DiskError> {
    while count(directory, wanted)? < wanted {
        make(directory)?;
    }
    Ok(())
}

/// Makes one spare segment.
///
/// Only one process at a time does so: it holds a lock on the unfinished file, not the journal's, so that others
/// append meanwhile.
fn make(directory: &Directory) -> Result<(), DiskError> {
    let path = directory.path_of(UNFINISHED);
    let file = directory.open(UNFINISHED, true).map_err(|error| as_disk_error(error, &path))?;
    retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
        .map_err(|error| DiskError::new("lock", &path, error))?;
    if !is_named(directory, &file, UNFINISHED) {
        // Another process finished it while we waited; the caller counts again.
        return Ok(());
    }
    disk::truncate(&file, &path)?;
    let zeroed = disk::zero(&file, 0, SEGMENT_BYTES, &path).and_then(|()| disk::sync_all(&file, &path));
    if let Err(error) = zeroed {
        // On a full disk, what was taken in vain is better given back.
        let _ = disk::truncate(&file, &path);
        return Err(error);
    }
    // A crash before the rename leaves the unfinished file, which the next one begins anew. A rename that a crash
    // undoes costs a spare, nothing else.
    let nth = name(count(directory, usize::MAX)?);
    disk::rename(directory, UNFINISHED, &nth, &directory.path_of(&nth))
}

/// A spare segment that is in order, with its name. It keeps that name until it gets its place by a rename.
pub(crate) fn take(directory: &Directory) -> Result<(File, String), DiskError> {
    loop {
        let there = count(directory, usize::MAX)?;
        if there == 0 {
            make(directory)?;
            continue;
        }
        let name = name(there - 1);
        let path = directory.path_of(&name);
        let file = directory.open(&name, false).map_err(|error| as_disk_error(error, &path))?;
        if is_blank(&file).map_err(|error| DiskError::new("read", &path, error))? {
            return Ok((file, name));
        }
        // A crash after its header was written and before it got its place.
        disk::unlink(directory, &name, &path)?;
    }
}

fn is_blank(file: &File) -> std::io::Result<bool> {
    if file.metadata()?.len() != SEGMENT_BYTES as u64 {
        return Ok(false);
    }
    let mut bytes = vec![0; SEGMENT_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(used(&bytes) == 0)
}

fn is_named(directory: &Directory, file: &File, name: &str) -> bool {
    let there = rustix::fs::statat(directory, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    match (there, rustix::fs::fstat(file)) {
        (Ok(there), Ok(ours)) => (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino),
        _ => false,
    }
}

fn as_disk_error(error: OpenError, path: &Path) -> DiskError {
    match error {
        OpenError::Disk(error) => error,
        _ => DiskError::new("trust", path, Errno::PERM),
    }
}

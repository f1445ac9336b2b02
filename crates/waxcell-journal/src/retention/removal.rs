//! Taking away what lies in archives. In whatever order it goes and wherever that ends, the decision is on record, and
//! whoever does it again goes on.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::RetentionError;
use crate::archive::{ArchiveError, BUNDLE};
use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::ReadError;
use crate::first;
use crate::header::{Header, MAX_HEADER};
use crate::lock::{self, Lock};
use crate::log::{Fields, Log, MAX_TILE, read_file};
use crate::objects::Objects;
use crate::segment;
use crate::tlog::{Kind, TILE_WIDTH, Tile, decode_bundle};

/// So many segments go while appending waits.
const AT_ONCE: usize = 16;

/// Takes away the segments all of whose records are before `before`. The last one always stays.
pub(super) fn segments(directory: &Directory, before: u64) -> Result<(), RetentionError> {
    let lock = Lock::open(directory, lock::NAME)?;
    let held = lock.hold()?;
    let numbers = directory.segments()?;
    // The first one whose successor begins further on, or the last one.
    let mut kept = 0;
    while let Some(&next) = numbers.get(kept + 1)
        && first_index(directory, next)? <= before
    {
        kept += 1;
    }
    let Some(&number) = numbers.get(kept) else { return Ok(()) };
    if first::read(directory)?.unwrap_or(0) < number {
        // A crash behind it leaves segments that nobody reads any more.
        first::set(directory, number)?;
    }
    drop(held);
    for some in numbers[..kept].chunks(AT_ONCE) {
        // Whoever appends, or looks which segments there are, finds some, and no gap.
        let held = lock.hold()?;
        for number in some {
            let name = segment::name(*number);
            disk::unlink(directory, &name, &directory.path_of(&name))?;
        }
        drop(held);
    }
    Ok(directory.sync(false)?)
}

fn first_index(directory: &Directory, number: u64) -> Result<u64, RetentionError> {
    let name = segment::name(number);
    let bytes = read_file(&directory.path_of(&name), MAX_HEADER as u64)?.unwrap_or_default();
    let header = Header::decode(&bytes).map_err(|fault| {
        let (file, what) = (directory.path_of(&name), crate::tip::header_fault(fault));
        ReadError::from(crate::error::Corruption { file, offset: 0, index: 0, what })
    })?;
    Ok(header.first_index)
}

/// Takes away the bundles before `before`, and the objects that their records name: but those at whose end an epoch of
/// keys ends, since that record is needed to know the next key.
pub(super) fn bundles(log: &Log, before: u64) -> Result<(), RetentionError> {
    let ends: Vec<u64> = log.seals()?.iter().map(|seal| (seal.size - 1) / BUNDLE).collect();
    for index in (0..before / BUNDLE).filter(|index| !ends.contains(index)) {
        let path = log.folder().join(Tile { level: 0, index, width: TILE_WIDTH }.path(Kind::Entries));
        let Some(bundle) = read_file(&path, MAX_TILE).map_err(ArchiveError::from)? else { continue };
        // The objects go first: a crash in between leaves the bundle that names them.
        for entry in decode_bundle(&bundle, TILE_WIDTH).unwrap_or_default() {
            let whole = Fields::of(entry).ok().and_then(|fields| fields.whole?.hash());
            whole.map_or(Ok(()), |hash| remove(&log.folder().join(Objects::path(&hash))))?;
        }
        remove(&path)?;
    }
    Ok(())
}

/// Takes away a file. That it is gone is not waited for: it may come back after a power cut, and goes again.
fn remove(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(DiskError::new("remove", path, error)),
        _ => Ok(()),
    }
}

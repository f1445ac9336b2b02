//! Small files that are there whole or not at all.

use std::io::Read;

use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::OpenError;

/// Puts a file into its place, durable. Whoever calls sees to it that nobody else does so under this name.
pub(crate) fn place(directory: &Directory, name: &str, bytes: &[u8]) -> Result<(), OpenError> {
    replace(directory, &format!("{name}.tmp"), name, bytes, true)?;
    Ok(directory.sync(true)?)
}

/// Writes a file under the name `new`, waits for its bytes if they have to be `durable`, and gives it its name, which is not
/// waited for.
pub(crate) fn replace(
    directory: &Directory,
    new: &str,
    name: &str,
    bytes: &[u8],
    durable: bool,
) -> Result<(), OpenError> {
    let path = directory.path_of(name);
    let file = directory.open(new, true)?;
    disk::truncate(&file, &path)?;
    disk::write(&file, bytes, 0, &path)?;
    if durable {
        disk::sync(&file, &path)?;
    }
    // A crash up to here leaves what was, and a file that the next one writes over.
    Ok(disk::rename(directory, new, name, &path)?)
}

/// What a file holds that only we may write to; nothing when there is none. What is longer than `most` is cut behind the
/// next byte, so that it shows.
pub(crate) fn read(directory: &Directory, name: &str, most: u64) -> Result<Option<Vec<u8>>, OpenError> {
    if !directory.has(name)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let failed = |error| DiskError::new("read", &directory.path_of(name), error);
    directory.open(name, false)?.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

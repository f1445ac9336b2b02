//! Which segment is the first that has to be there: those before were archived and taken away.
//!
//! It is a small file, so that a writer sees what is missing without reading the journal. Whether it may be missing, the
//! records say: a checker does not look here.

use std::io::{ErrorKind, Read};

use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::OpenError;
use crate::whole;

/// The name of the file: the number of the segment, as text.
const NAME: &str = "first";

/// Longer than any number.
const MAX_TEXT: u64 = 32;

/// The number of the segment, if some were taken away. What is no number is none: then all have to be there.
pub(crate) fn read(directory: &Directory) -> Result<Option<u64>, DiskError> {
    let Some(file) = directory.open_to_read(NAME)? else { return Ok(None) };
    let mut text = String::new();
    let read = file.take(MAX_TEXT).read_to_string(&mut text);
    match read {
        Err(error) if error.kind() != ErrorKind::InvalidData => {
            Err(DiskError::new("read", &directory.path_of(NAME), error))
        }
        _ => Ok(text.trim_end().parse().ok()),
    }
}

/// Says durably that the segments before this one are about to go.
pub(crate) fn set(directory: &Directory, number: u64) -> Result<(), OpenError> {
    whole::place(directory, NAME, format!("{number}\n").as_bytes())
}

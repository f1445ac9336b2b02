//! The key that signs checkpoints, in a file that only its owner reads.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::OpenError;
use crate::tlog::{KeyError, KeyName, PrivateKey};
use crate::whole;

pub(crate) const NAME: &str = "key";

/// The key of the next epoch, while it takes over.
pub(crate) const NEXT: &str = "key.next";

/// Longer than any key: a name has at most 255 bytes here.
pub(crate) const MAX_TEXT: u64 = 1024;

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Checkpoints were signed, and the key that signed them is not there.
    #[error("the key that signs checkpoints, `{}`, is missing; put it back, or let another follow it with `waxcell audit recover`", .0.display())]
    Missing(PathBuf),
    /// Others may know it.
    #[error("others may read the key `{}` (mode {mode:03o}), so anybody may know it: run `chmod 600` on it and let another follow it", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not what such a file is.
    #[error("`{}` holds no key", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The file cannot be trusted or read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The key in the file of this name; nothing when there is none.
pub(crate) fn load(directory: &Directory, name: &str) -> Result<Option<PrivateKey>, KeyFileError> {
    if !directory.has(name)? {
        return Ok(None);
    }
    let path = directory.path_of(name);
    let file = directory.open(name, false)?;
    let failed = |error| DiskError::new("read", &path, error);
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Readable { path, mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT as usize));
    file.take(MAX_TEXT).read_to_string(&mut text).map_err(failed)?;
    match PrivateKey::from_text(text.trim_end_matches('\n')) {
        Ok(key) => Ok(Some(key)),
        Err(source) => Err(KeyFileError::Form { path, source }),
    }
}

/// Draws a key and makes it durable under this name. The publishing lock must be held.
pub(crate) fn create(
    directory: &Directory,
    name: &str,
    signer: &KeyName,
) -> Result<PrivateKey, KeyFileError> {
    let path = directory.path_of(name);
    let mut seed = Zeroizing::new([0; 32]);
    random(seed.as_mut_slice(), &path)?;
    let key = PrivateKey::from_seed(signer.clone(), &seed);
    // A crash within leaves a key that signed nothing; it is written over by the next one.
    whole::place(directory, name, key.to_text().as_bytes())?;
    Ok(key)
}

/// Overwrites the key, if it is there. It is of no use any more.
pub(crate) fn destroy(directory: &Directory) -> Result<(), KeyFileError> {
    let path = directory.path_of(NAME);
    if directory.has(NAME)? {
        // What file systems that never write in place keep of it, this does not reach.
        let file = directory.open(NAME, false)?;
        disk::zero(&file, 0, MAX_TEXT as usize, &path)?;
        disk::sync_all(&file, &path)?;
    }
    Ok(())
}

/// Destroys the key, and puts the next one into its place.
pub(crate) fn follow(directory: &Directory) -> Result<(), KeyFileError> {
    destroy(directory)?;
    disk::rename(directory, NEXT, NAME, &directory.path_of(NAME))?;
    Ok(directory.sync(false)?)
}

/// The name of a new log or witness: that of the host, what it is, and random letters, since a host may have several.
pub(crate) fn new_name(host: &str, what: &str, directory: &Directory) -> Result<KeyName, KeyFileError> {
    let mut random_part = [0; 4];
    let path = directory.path_of(NAME);
    random(&mut random_part, &path)?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let host: String = host.chars().take(200).map(plain).collect();
    let host = if host.is_empty() { "localhost" } else { &host };
    let name = format!("{host}/{what}-{:08x}", u32::from_be_bytes(random_part));
    KeyName::new(&name).map_err(|source| KeyFileError::Form { path, source })
}

fn random(bytes: &mut [u8], path: &std::path::Path) -> Result<(), DiskError> {
    let drawn = getrandom(bytes, GetRandomFlags::empty());
    drawn.map_err(|error| DiskError::new("draw random bytes for", path, error))?;
    Ok(())
}

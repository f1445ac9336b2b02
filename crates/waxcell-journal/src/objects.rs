//! What is too long for a record: bytes in a file that is named by their hash, in the folder of the log.
//!
//! The record names the hash, and so the tree covers the object. An object is durable before the record that names it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::chain::hex;
use crate::directory::Directory;
use crate::disk::DiskError;
use crate::error::OpenError;
use crate::log::read_file;
use crate::tlog::Hash;
use crate::whole;

/// The folder of objects, in that of the log.
const FOLDER: &str = "objects";

/// The longest object, in bytes.
pub const MAX_OBJECT: usize = 16 << 20;

/// The objects of a log.
#[derive(Clone, Debug)]
pub struct Objects {
    folder: PathBuf,
}

/// An object could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It has more than [`MAX_OBJECT`] bytes.
    #[error("an object of {0} bytes is too large; {MAX_OBJECT} is the most")]
    TooLarge(usize),
    /// The folder cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// An object could not be had.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// There is none of that name.
    #[error("the object `{0}` is missing")]
    Missing(String),
    /// Its bytes are not those that its name says.
    #[error("the object `{0}` is not what was put there")]
    Changed(String),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Objects {
    /// The objects in the folder of a log. Nothing is read or made yet.
    #[must_use]
    pub fn of_log(folder: &Path) -> Objects {
        Objects { folder: folder.join(FOLDER) }
    }

    /// The path of an object below the folder of the log.
    #[must_use]
    pub fn path(hash: &Hash) -> String {
        let (folder, name) = names(hash);
        format!("{FOLDER}/{folder}/{name}")
    }

    /// Keeps an object; it is durable when this returns. Gives its SHA-256.
    ///
    /// # Errors
    ///
    /// When it is too large, the folder is not ours alone, or the disk refuses.
    pub fn put(&self, bytes: &[u8]) -> Result<Hash, PutError> {
        if bytes.len() > MAX_OBJECT {
            return Err(PutError::TooLarge(bytes.len()));
        }
        let hash: Hash = Sha256::digest(bytes).into();
        let (folder, name) = names(&hash);
        let directory = Directory::private(&self.folder.join(folder))?;
        // A name of its own: another process may keep the same bytes. A crash before the rename leaves a file that
        // nobody asks for.
        let new = format!("new-{}", std::process::id());
        whole::replace(&directory, &new, &name, bytes, true)?;
        directory.sync(false)?;
        Ok(hash)
    }

    /// The bytes of an object, which are those of the hash.
    ///
    /// # Errors
    ///
    /// When it is missing or changed, or the disk refuses.
    pub fn get(&self, hash: &Hash) -> Result<Vec<u8>, GetError> {
        let (folder, name) = names(hash);
        let bytes = read_file(&self.folder.join(&folder).join(&name), MAX_OBJECT as u64)?
            .ok_or_else(|| GetError::Missing(folder.clone() + &name))?;
        let is_it = bytes.len() <= MAX_OBJECT && Hash::from(Sha256::digest(&bytes)) == *hash;
        if is_it { Ok(bytes) } else { Err(GetError::Changed(folder + &name)) }
    }
}

/// The folder and the name: two digits of the hash, and the others.
fn names(hash: &Hash) -> (String, String) {
    let digits = hex(hash);
    (digits[..2].to_owned(), digits[2..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_what_its_name_says_or_none() {
        let home = tempfile::tempdir().unwrap();
        let objects = Objects::of_log(home.path());
        let hash = objects.put(b"abc").unwrap();
        assert_eq!(objects.put(b"abc").unwrap(), hash);
        let path = home.path().join(Objects::path(&hash));
        assert!(path.ends_with("objects/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert_eq!(objects.get(&hash).unwrap(), b"abc");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

        std::fs::write(&path, "abd").unwrap();
        assert!(matches!(objects.get(&hash), Err(GetError::Changed(_))));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(objects.get(&hash), Err(GetError::Missing(_))));
        std::os::unix::fs::symlink(home.path(), &path).unwrap();
        assert!(matches!(objects.get(&hash), Err(GetError::Missing(_))));
        assert!(matches!(objects.put(&vec![0; MAX_OBJECT + 1]), Err(PutError::TooLarge(_))));
    }

    #[test]
    fn an_object_that_could_not_be_written_is_not_there_in_part() {
        use crate::disk::faults::{Manner, Plan, under};
        let home = tempfile::tempdir().unwrap();
        let objects = Objects::of_log(home.path());
        let hash: Hash = Sha256::digest(b"whole").into();
        for manner in [Manner::Lost, Manner::Half, Manner::Done] {
            for after in 0.. {
                let plan = Plan { after, manner, errno: 28, then_dead: true };
                let (put, struck) = under(plan, || objects.put(b"whole"));
                if !struck {
                    put.unwrap();
                    assert!(after > 3, "{after}");
                    break;
                }
                put.unwrap_err();
                match objects.get(&hash) {
                    Ok(bytes) => assert_eq!(bytes, b"whole"),
                    Err(error) => assert!(matches!(error, GetError::Missing(_)), "{error}"),
                }
            }
        }
    }
}

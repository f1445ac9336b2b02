//! The last tree head that was signed. It is durable before its signature is shown to anybody, so that whatever
//! happens no smaller and no other head is ever signed.
//!
//! Two slots are written by turns, each over itself: a torn write leaves the other one.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::PublishError;
use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::tlog::{Frontier, Hash};

pub(crate) const NAME: &str = "head";
const SLOT: usize = 8192;
const MAGIC: [u8; 8] = *b"WAXHEAD\n";
/// Magic, CRC, length, generation.
const SLOT_HEADER: usize = 24;

/// A tree head and its signed note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// How many records the head before it had.
    pub(crate) before: u64,
    pub(crate) frontier: Frontier,
    /// The checkpoint with its signatures.
    pub(crate) note: String,
}

impl Head {
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }
}

/// The file `head`.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    path: PathBuf,
}

impl HeadFile {
    /// Opens it, and makes it where there is none.
    pub(crate) fn open(directory: &Directory) -> Result<HeadFile, PublishError> {
        let path = directory.path_of(NAME);
        if !directory.has(NAME)? {
            const NEW: &str = "head.tmp";
            let file = directory.open(NEW, true)?;
            disk::zero(&file, 0, 2 * SLOT, &path)?;
            disk::sync_all(&file, &path)?;
            // Two who begin a journal at once both come here, with nothing signed yet.
            disk::rename(directory, NEW, NAME, &path)?;
            directory.sync(true)?;
        }
        Ok(HeadFile { file: directory.open(NAME, false)?, path })
    }

    /// What was signed last; nothing in a journal that has no checkpoint yet.
    pub(crate) fn read(&self) -> Result<Option<Head>, PublishError> {
        Ok(self.newest()?.map(|(_, head)| head))
    }

    fn newest(&self) -> Result<Option<(u64, Head)>, PublishError> {
        let mut bytes = vec![0; 2 * SLOT];
        let failed = |error| DiskError::new("read", &self.path, error);
        self.file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        newest(&bytes).map_err(|()| PublishError::Head(self.path.clone()))
    }

    /// Makes a head durable, if it goes on from the one that is there. The publishing lock must be held.
    pub(crate) fn replace(&self, expected: Option<&Head>, head: &Head) -> Result<(), PublishError> {
        let newest = self.newest()?;
        let generation = newest.as_ref().map_or(0, |(generation, _)| generation + 1);
        if newest.map(|(_, head)| head).as_ref() != expected {
            return Err(PublishError::Raced(self.path.clone()));
        }
        let at = (generation % 2) as usize * SLOT;
        let slot = encode(generation, head).ok_or_else(|| PublishError::Head(self.path.clone()))?;
        // A crash here leaves the other slot, with the head before: nobody has seen the signature.
        disk::write(&self.file, &slot, at, &self.path)?;
        Ok(disk::sync(&self.file, &self.path)?)
    }
}

/// What the file of a journal, which may be a copy, says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// What was signed last; nothing when there is no such file, or nothing was signed.
    Whole(Option<Head>),
    /// One of the slots is not readable, as a crash leaves it; this is the other.
    Torn(Option<Head>),
    /// Neither slot is readable.
    Damaged,
}

pub(crate) fn signed_head(directory: &Directory) -> Result<Signed, DiskError> {
    let Some(file) = directory.open_to_read(NAME)? else { return Ok(Signed::Whole(None)) };
    let mut bytes = Vec::new();
    let failed = |error| DiskError::new("read", &directory.path_of(NAME), error);
    file.take(2 * SLOT as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    let whole = bytes.len() == 2 * SLOT
        && bytes.chunks(SLOT).all(|slot| decode(slot).is_some() || slot.iter().all(|&byte| byte == 0));
    bytes.resize(2 * SLOT, 0);
    let Ok(newest) = newest(&bytes) else { return Ok(Signed::Damaged) };
    let head = newest.map(|(_, head)| head);
    Ok(if whole { Signed::Whole(head) } else { Signed::Torn(head) })
}

fn newest(bytes: &[u8]) -> Result<Option<(u64, Head)>, ()> {
    let slots: Vec<_> = bytes.chunks(SLOT).map(decode).collect();
    let written = bytes.iter().any(|&byte| byte != 0);
    let newest = slots.into_iter().flatten().max_by_key(|(generation, _)| *generation);
    if newest.is_none() && written { Err(()) } else { Ok(newest) }
}

fn encode(generation: u64, head: &Head) -> Option<Vec<u8>> {
    let frontier = head.frontier.to_bytes();
    let length = (frontier.len() as u32).to_le_bytes();
    let content = [&head.before.to_le_bytes(), &length[..], &frontier, head.note.as_bytes()].concat();
    let mut slot = vec![0; SLOT];
    let length = u32::try_from(content.len()).ok()?;
    slot.get_mut(SLOT_HEADER..SLOT_HEADER + content.len())?.copy_from_slice(&content);
    slot[..8].copy_from_slice(&MAGIC);
    slot[12..16].copy_from_slice(&length.to_le_bytes());
    slot[16..24].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32c::crc32c(&slot[12..]);
    slot[8..12].copy_from_slice(&crc.to_le_bytes());
    Some(slot)
}

fn decode(slot: &[u8]) -> Option<(u64, Head)> {
    let number = |at: usize| Some(u32::from_le_bytes(slot.get(at..at + 4)?.try_into().ok()?));
    if slot.len() != SLOT || slot[..8] != MAGIC || number(8)? != crc32c::crc32c(&slot[12..]) {
        return None;
    }
    let generation = u64::from_le_bytes(slot[16..24].try_into().ok()?);
    let content = slot[SLOT_HEADER..].get(..number(12)? as usize)?;
    let (before, content) = content.split_first_chunk()?;
    let (length, content) = content.split_first_chunk()?;
    let (frontier, note) = content.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let before = u64::from_le_bytes(*before);
    let frontier = Frontier::from_bytes(frontier).ok()?;
    Some((generation, Head { before, frontier, note: String::from_utf8(note.to_vec()).ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u8) -> Head {
        let mut frontier = Frontier::new();
        (0..size).for_each(|leaf| frontier.append([leaf; 32]));
        Head { before: 0, frontier, note: "a note\n".repeat(size.into()) }
    }

    #[test]
    fn a_torn_slot_leaves_the_head_before() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::private(home.path()).unwrap();
        let file = HeadFile::open(&directory).unwrap();
        assert_eq!(file.read().unwrap(), None);
        file.replace(None, &head(1)).unwrap();
        file.replace(Some(&head(1)), &head(2)).unwrap();
        file.replace(Some(&head(2)), &head(7)).unwrap();
        assert_eq!(HeadFile::open(&directory).unwrap().read().unwrap(), Some(head(7)));
        let path = home.path().join(NAME);
        let bytes = std::fs::read(&path).unwrap();
        for at in [0, 9, 13, 20, SLOT_HEADER + 3, SLOT_HEADER + 60, SLOT - 1] {
            let mut torn = bytes.clone();
            torn[at] ^= 1;
            assert_eq!(newest(&torn).map(|newest| newest.map(|(_, head)| head)), Ok(Some(head(2))), "{at}");
            torn[SLOT + at] ^= 1;
            assert_eq!(newest(&torn), Err(()), "{at}");
        }
    }

    #[test]
    fn only_the_next_head_takes_the_place_of_the_last() {
        let home = tempfile::tempdir().unwrap();
        let file = HeadFile::open(&Directory::private(home.path()).unwrap()).unwrap();
        file.replace(None, &head(3)).unwrap();
        assert!(matches!(file.replace(None, &head(3)), Err(PublishError::Raced(_))));
        assert!(matches!(file.replace(Some(&head(2)), &head(4)), Err(PublishError::Raced(_))));
        file.replace(Some(&head(3)), &head(4)).unwrap();
    }
}

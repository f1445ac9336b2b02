//! Entries in a zip archive, as databases are published. Nothing of it is written anywhere.

use std::collections::HashSet;
use std::fmt;

use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

use crate::database::{MAX_ENTRIES, MAX_ENTRY, MAX_TOTAL};

/// An archive in memory.
pub struct Archive<'a> {
    archive: ZipSliceArchive<&'a [u8]>,
    members: Vec<Member>,
}

/// A file in an archive.
#[derive(Clone, Debug)]
pub struct Member {
    /// How it is called there. It is only ever told.
    pub name: String,
    /// Whether another one has the same name: which of them is meant, nobody knows.
    pub is_again: bool,
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
}

/// Why an archive is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// It is none, or its list of files is broken.
    Broken(String),
    /// It has more than any database.
    TooLarge(String),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArchiveError::Broken(why) => write!(f, "it is no zip archive that can be read: {why}"),
            ArchiveError::TooLarge(what) => write!(f, "it has {what}, more than any database"),
        }
    }
}

impl std::error::Error for ArchiveError {}

impl<'a> Archive<'a> {
    /// Reads the list of files.
    pub fn open(bytes: &'a [u8]) -> Result<Archive<'a>, ArchiveError> {
        let broken = |error: rawzip::Error| ArchiveError::Broken(error.to_string());
        let archive = ZipArchive::from_slice(bytes).map_err(broken)?;
        let (mut members, mut total, mut names) = (Vec::new(), 0_u64, HashSet::new());
        let mut listed = archive.entries();
        while let Some(record) = listed.next_entry().map_err(broken)? {
            if members.len() >= MAX_ENTRIES {
                return Err(ArchiveError::TooLarge(format!("more than {MAX_ENTRIES} files")));
            }
            let name = String::from_utf8_lossy(record.file_path().as_ref()).into_owned();
            if record.is_dir() || !name.ends_with(".json") {
                continue;
            }
            total = total.saturating_add(record.uncompressed_size_hint());
            if total > MAX_TOTAL {
                return Err(ArchiveError::TooLarge(format!("more than {MAX_TOTAL} bytes")));
            }
            let is_again = !names.insert(name.clone());
            members.push(Member {
                name,
                is_again,
                place: record.wayfinder(),
                method: record.compression_method(),
            });
        }
        let (told, there) = (archive.entries_hint(), members.len() as u64);
        if there > told {
            return Err(ArchiveError::Broken(format!("it says that it has {told} files and has {there}")));
        }
        Ok(Archive { archive, members })
    }

    /// Its files that may be entries: those that end in `.json`.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The bytes of one of its files, in `buffer` or where they lie.
    pub fn read<'b>(&self, member: &Member, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], String>
    where
        'a: 'b,
    {
        let found = self.archive.get_entry(member.place).map_err(|error| error.to_string())?;
        let size = usize::try_from(member.place.uncompressed_size_hint()).unwrap_or(usize::MAX);
        if size > MAX_ENTRY {
            return Err(format!("it is {size} bytes long; at most {MAX_ENTRY} are read"));
        }
        buffer.clear();
        match member.method {
            CompressionMethod::STORE if found.data().len() == size => buffer.extend_from_slice(found.data()),
            CompressionMethod::STORE => return Err("it is not as long as it says".to_owned()),
            // What it says is how much is taken of it: it cannot become more.
            CompressionMethod::DEFLATE => {
                buffer.resize(size, 0);
                let data = std::iter::once(found.data());
                let written = miniz_oxide::inflate::decompress_slice_iter_to_slice(buffer, data, false, true)
                    .map_err(|_| "its data are broken, or more than it says".to_owned())?;
                buffer.truncate(written);
            }
            other => return Err(format!("it is compressed in a way that is not read ({})", other.as_u16())),
        }
        let claim = found.claim_verifier();
        let there =
            rawzip::ZipVerification { crc: rawzip::crc32(buffer), uncompressed_size: buffer.len() as u64 };
        claim.valid(there).map_err(|error| error.to_string())?;
        Ok(buffer)
    }
}

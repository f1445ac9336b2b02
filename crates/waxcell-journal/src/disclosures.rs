//! Values that records hold the digest of, and that can be erased without touching a record (RFC 9901, section 4.2).
//!
//! A disclosure is a text in base 64 that says one value with its salt; its digest stands in the record. Disclosures lie
//! beside the log and are no part of it: one file for each record that has some, a line for each: digest, space, text.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::{OpenError, ReadError};
use crate::frame::SpanId;
use crate::whole;

/// The folder, in that of the journal.
const FOLDER: &str = "disclosures";
/// So many records of one span may have disclosures.
const MOST: usize = 64;
/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// The disclosures of a journal.
#[derive(Clone, Debug)]
pub struct Disclosures {
    folder: PathBuf,
}

/// Disclosures could not be kept or erased.
#[derive(Debug, thiserror::Error)]
pub enum DisclosureError {
    /// The folder cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The folder cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Too many records of one span have some.
    #[error("more than {MOST} records of `{0}` have values that can be erased")]
    TooMany(SpanId),
}

/// The digest that stands in a record for a disclosure.
#[must_use]
pub fn digest_of(disclosure: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(disclosure))
}

/// The text of a disclosure for what it says: JSON of salt, name and value.
#[must_use]
pub fn disclosure_of(json: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(json)
}

/// What a disclosure says, if it is one.
#[must_use]
pub fn disclosed(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// What lies in the folder, by file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disclosed {
    /// Disclosures by their digest.
    pub texts: BTreeMap<String, String>,
    /// Lines that are not what their digest says, with their files.
    pub damaged: Vec<(String, usize)>,
}

/// Which spans have disclosures: of each the numbers of its files, as bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed(BTreeMap<SpanId, u64>);

impl Disclosures {
    /// The disclosures beside a journal. Nothing is read or made yet.
    #[must_use]
    pub fn of_journal(journal: &Path) -> Disclosures {
        Disclosures { folder: journal.join(FOLDER) }
    }

    /// Keeps the disclosures of a record that is about to be appended; they are durable when this returns. Gives the name
    /// of the file.
    ///
    /// # Errors
    ///
    /// When the folder is not ours alone, or the disk refuses.
    pub fn put(&self, span: SpanId, texts: &[String]) -> Result<String, DisclosureError> {
        let directory = Directory::private(&self.folder)?;
        let lines: String = texts.iter().map(|text| format!("{} {text}\n", digest_of(text))).collect();
        for name in names(span) {
            let Some(file) = directory.begin(&name)? else { continue };
            let path = directory.path_of(&name);
            // A crash from here on leaves lines of a record that is not there, the last of them cut short.
            let written = disk::write(&file, lines.as_bytes(), 0, &path)
                .and_then(|()| disk::sync(&file, &path))
                .and_then(|()| directory.sync(false));
            if let Err(error) = written {
                let _ = wipe(&directory, &name);
                return Err(error.into());
            }
            return Ok(name);
        }
        Err(DisclosureError::TooMany(span))
    }

    /// Takes the disclosures of a record away that could not be appended.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn withdraw(&self, name: &str) -> Result<(), DisclosureError> {
        let directory = Directory::private(&self.folder)?;
        Ok(wipe(&directory, name)?)
    }

    /// The disclosures of all records of a span.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn of(&self, span: SpanId) -> Result<Disclosed, DisclosureError> {
        self.read(names(span))
    }

    /// Which spans have disclosures, for whoever asks about many of them: [`of`](Self::of) looks for every file that there
    /// may be.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Listed, DisclosureError> {
        let mut listed = Listed::default();
        let Some(directory) = self.to_read()? else { return Ok(listed) };
        for name in directory.names()? {
            let Some((span, number)) = name.split_once('-') else { continue };
            if let (Some(span), Ok(number @ 0..MOST)) = (SpanId::from_hex(span), number.parse()) {
                *listed.0.entry(span).or_default() |= 1 << number;
            }
        }
        Ok(listed)
    }

    /// The disclosures of all records of a span, in the files that were there when they were listed.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn of_listed(&self, listed: &Listed, span: SpanId) -> Result<Disclosed, DisclosureError> {
        let files = listed.0.get(&span).copied().unwrap_or(0);
        let there = names(span).enumerate().filter(|(number, _)| files >> number & 1 == 1);
        self.read(there.map(|(_, name)| name))
    }

    fn read(&self, names: impl Iterator<Item = String>) -> Result<Disclosed, DisclosureError> {
        let mut found = Disclosed::default();
        let Some(directory) = self.to_read()? else { return Ok(found) };
        for name in names {
            if let Some(file) = directory.open_to_read(&name)? {
                take(&mut found, &name, &lines(file, &directory.path_of(&name))?);
            }
        }
        Ok(found)
    }

    /// Looks at all of them; gives what is not what its digest says.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn damaged(&self) -> Result<Vec<(String, usize)>, DisclosureError> {
        let Some(directory) = self.to_read()? else { return Ok(Vec::new()) };
        let mut names = directory.names()?;
        names.sort();
        let mut damaged = Vec::new();
        for name in names {
            if let Some(file) = directory.open_to_read(&name)? {
                let mut found = Disclosed::default();
                take(&mut found, &name, &lines(file, &directory.path_of(&name))?);
                damaged.append(&mut found.damaged);
            }
        }
        Ok(damaged)
    }

    /// Erases the disclosures of a span with these digests: their bytes are overwritten, and no file has them when this
    /// returns. Gives how many there were.
    ///
    /// # Errors
    ///
    /// When the disk refuses. Called again, it goes on.
    pub fn erase(&self, span: SpanId, digests: &[String]) -> Result<usize, DisclosureError> {
        if self.to_read()?.is_none() {
            return Ok(0);
        }
        let directory = Directory::private(&self.folder)?;
        let mut erased = 0;
        for name in names(span) {
            // What a crash has left of an earlier attempt.
            let new = format!("{name}.new");
            if directory.has(&new)? {
                wipe(&directory, &new)?;
            }
            let Some(file) = directory.open_to_read(&name)? else { continue };
            let text = lines(file, &directory.path_of(&name))?;
            let goes = |line: &str| {
                line.split_once(' ').is_some_and(|(digest, _)| digests.iter().any(|one| one == digest))
            };
            erased += text.lines().filter(|line| goes(line)).count();
            let kept = text.split_inclusive('\n').filter(|line| !goes(line) && !is_wiped(line));
            let kept: String = kept.collect();
            if kept == text {
                continue;
            }
            if kept.is_empty() {
                wipe(&directory, &name)?;
                continue;
            }
            // The others are in their place before these go. A crash in between leaves bytes that no file has.
            let old = directory.open(&name, false)?;
            whole::replace(&directory, &new, &name, kept.as_bytes(), true)?;
            directory.sync(false)?;
            overwrite(&old, &directory.path_of(&name))?;
        }
        Ok(erased)
    }

    fn to_read(&self) -> Result<Option<Directory>, DisclosureError> {
        match Directory::to_read(&self.folder) {
            Ok(directory) => Ok(Some(directory)),
            Err(ReadError::NotAJournal(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn names(span: SpanId) -> impl Iterator<Item = String> {
    (0..MOST).map(move |number| format!("{span}-{number}"))
}

fn lines(file: File, path: &Path) -> Result<String, DiskError> {
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE).read_to_end(&mut bytes);
    read.map_err(|error| DiskError::new("read", path, error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a line was begun to be overwritten.
fn is_wiped(line: &str) -> bool {
    line.starts_with('\0')
}

/// Takes in the lines of a file. One that has no end is of a write that was cut off, and of no record.
fn take(found: &mut Disclosed, name: &str, text: &str) {
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let Some(line) = line.strip_suffix('\n').filter(|line| !is_wiped(line)) else { continue };
        match line.split_once(' ') {
            Some((digest, text)) if digest_of(text) == digest => {
                found.texts.insert(digest.to_owned(), text.to_owned());
            }
            _ => found.damaged.push((format!("{FOLDER}/{name}"), number + 1)),
        }
    }
}

/// Removes a file, its bytes first.
fn wipe(directory: &Directory, name: &str) -> Result<(), DiskError> {
    let path = directory.path_of(name);
    let file = match directory.open(name, false) {
        Ok(file) => file,
        Err(OpenError::Disk(error)) => return Err(error),
        Err(_) => return disk::unlink(directory, name, &path),
    };
    overwrite(&file, &path)?;
    disk::unlink(directory, name, &path)?;
    directory.sync(false)
}

fn overwrite(file: &File, path: &Path) -> Result<(), DiskError> {
    let length = file.metadata().map_err(|error| DiskError::new("examine", path, error))?.len();
    disk::zero(file, 0, usize::try_from(length).unwrap_or(usize::MAX), path)?;
    disk::sync(file, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::faults::{Manner, Plan, under};

    fn text(value: &str) -> String {
        disclosure_of(format!(r#"["salt","name","{value}"]"#).as_bytes())
    }

    fn files(home: &Path) -> Vec<u8> {
        let entries = std::fs::read_dir(home.join(FOLDER)).unwrap().flatten();
        entries.flat_map(|entry| std::fs::read(entry.path()).unwrap()).collect()
    }

    /// The example of RFC 9901, section 4.2.1.
    #[test]
    fn a_digest_is_that_of_the_specification() {
        let disclosure = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        assert_eq!(
            disclosed(disclosure).unwrap(),
            "[\"_26bc4LT-ac6q2KI6cBW5es\", \"family_name\", \"Möbius\"]".as_bytes()
        );
        assert_eq!(digest_of(disclosure), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
    }

    #[test]
    fn what_is_erased_is_gone_and_the_others_stay() {
        let home = tempfile::tempdir().unwrap();
        let kept = Disclosures::of_journal(home.path());
        let span = SpanId::new([7; 16]);
        let all = [text("one"), text("two"), text("three")];
        kept.put(span, &all[..2]).unwrap();
        kept.put(span, &all[2..]).unwrap();
        kept.put(SpanId::new([8; 16]), &all).unwrap();
        assert_eq!(kept.of(span).unwrap().texts.len(), 3);
        let listed = kept.list().unwrap();
        assert_eq!(kept.of_listed(&listed, span).unwrap(), kept.of(span).unwrap());
        assert_eq!(kept.of_listed(&listed, SpanId::new([9; 16])).unwrap(), Disclosed::default());

        let gone = [digest_of(&all[0]), digest_of(&all[2])];
        assert_eq!((kept.erase(span, &gone).unwrap(), kept.erase(span, &gone).unwrap()), (2, 0));
        let found = kept.of(span).unwrap();
        assert_eq!(found.texts.into_values().collect::<Vec<_>>(), [all[1].clone()]);
        assert_eq!(kept.of(SpanId::new([8; 16])).unwrap().texts.len(), 3);
        kept.erase(SpanId::new([8; 16]), &gone).unwrap();
        let bytes = files(home.path());
        for (text, is_there) in all.iter().zip([false, true, false]) {
            assert_eq!(bytes.windows(text.len()).any(|part| part == text.as_bytes()), is_there);
        }
        assert_eq!(kept.damaged().unwrap(), []);
    }

    #[test]
    fn a_changed_value_is_told_and_one_that_was_never_finished_is_not() {
        let home = tempfile::tempdir().unwrap();
        let kept = Disclosures::of_journal(home.path());
        let span = SpanId::new([7; 16]);
        let name = kept.put(span, &[text("one"), text("two")]).unwrap();
        let path = home.path().join(FOLDER).join(&name);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(kept.damaged().unwrap(), [], "{length}");
        }
        for at in 0..whole.len() - 1 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(!kept.damaged().unwrap().is_empty(), "{at}");
            assert!(kept.of(span).unwrap().texts.len() < 2, "{at}");
        }
    }

    #[test]
    fn an_erasure_that_failed_goes_on_and_loses_nothing_else() {
        for manner in [Manner::Lost, Manner::Half, Manner::Done] {
            for after in 0.. {
                let home = tempfile::tempdir().unwrap();
                let kept = Disclosures::of_journal(home.path());
                let span = SpanId::new([7; 16]);
                let (gone, stays) = (text("one"), text("two"));
                kept.put(span, &[gone.clone(), stays.clone()]).unwrap();
                let plan = Plan { after, manner, errno: 5, then_dead: true };
                let (erased, struck) = under(plan, || kept.erase(span, &[digest_of(&gone)]));
                assert_eq!(erased.is_err(), struck);
                assert!(kept.of(span).unwrap().texts.contains_key(&digest_of(&stays)), "{manner:?} {after}");
                kept.erase(span, &[digest_of(&gone)]).unwrap();
                assert_eq!(files(home.path()), format!("{} {stays}\n", digest_of(&stays)).as_bytes());
                if !struck {
                    assert!(after >= 6, "{after}");
                    break;
                }
            }
        }
    }
}

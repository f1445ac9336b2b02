//! Beginning anew where a journal is not what was signed: the old one is kept, and the first record of the new one says what
//! was lost.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::chain::hex;
use crate::directory::Directory;
use crate::disk::{self, DiskError};
use crate::error::{AppendError, OpenError, ReadError, with_causes};
use crate::journal::Journal;
use crate::lock::{self, Lock};
use crate::log::{CHECKPOINT, Log, MAX_CHECKPOINT, read_file};
use crate::publish::{
    COSIGNED, EVIDENCE, KeyFileError, PublishError, Publisher, Signed, evidence, signed_head,
};
use crate::reader::Reader;
use crate::signer::SignerError;
use crate::tlog::{Checkpoint, Note};
use crate::witnesses::{Witnesses, WitnessesError};

/// The folder in which the new journal is made, beside the old one. Afterwards it holds the old one and gets another name.
const BUILDING: &str = "recovering";
/// The name of a journal's folder, in either.
const JOURNAL: &str = "journal";
/// The first record of a log that was begun because another was lost.
const BEGUN: &str = "begun";

/// There is nothing to begin anew, or it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// The journal is what was signed.
    #[error("nothing is lost: the journal in `{}` holds what was signed", .0.display())]
    Nothing(PathBuf),
    /// A recovery key or the signer is what helps.
    #[error("the signer does not answer, which is no loss: start it again; if it is gone for good, take `{}` away", .0.display())]
    Signer(PathBuf),
    /// The folder has another name.
    #[error("the folder of a journal is called `{JOURNAL}`, not as `{}`", .0.display())]
    Name(PathBuf),
    /// The journal cannot be used for another reason, which is no loss.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A directory or file cannot be trusted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The new journal cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The witnesses cannot be taken over.
    #[error(transparent)]
    Witnesses(#[from] WitnessesError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What a journal has lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What is wrong with it.
    pub why: String,
    /// The largest checkpoint that is known here.
    pub checkpoint: Option<String>,
    /// How many records that signs.
    pub signed: u64,
    /// How many can still be read.
    pub records: u64,
    /// The key that signed last.
    pub key: Option<String>,
    /// What speaks against the journal: names, and the SHA-256 of the files.
    pub evidence: Vec<(String, String)>,
}

impl Loss {
    /// Looks at what is wrong with the journal in a directory.
    ///
    /// # Errors
    ///
    /// When it is sound, is not there, or something else than a loss keeps it from being used.
    pub fn of(journal: &Path, host: &str) -> Result<Loss, LossError> {
        let directory = Directory::to_read(journal)?;
        let why = match unfit(journal, host) {
            Ok(()) => return Err(LossError::Nothing(journal.to_owned())),
            Err(Unfit::Open(error @ OpenError::Corrupt(_))) => with_causes(&error),
            Err(Unfit::Open(error)) => return Err(error.into()),
            Err(Unfit::Append(error @ AppendError::Corrupt(_))) => with_causes(&error),
            Err(Unfit::Append(error)) => return Err(error.into()),
            Err(Unfit::Publish(PublishError::Signer(SignerError::Silent { .. }))) => {
                return Err(LossError::Signer(journal.join("signer")));
            }
            Err(Unfit::Publish(error)) if is_loss(&error) => with_causes(&error),
            Err(Unfit::Publish(error)) => return Err(error.into()),
        };
        let head = match signed_head(&directory)? {
            Signed::Whole(head) | Signed::Torn(head) => head.map(|head| head.note),
            Signed::Damaged => None,
        };
        let tlog = journal.join("tlog");
        let evidence = shown(journal)?;
        let mut known: Vec<String> = evidence.iter().filter_map(|(_, text)| last_note(text)).collect();
        for path in [tlog.join(CHECKPOINT), journal.join(COSIGNED)] {
            let note = read_file(&path, MAX_CHECKPOINT)?;
            known.extend(note.and_then(|note| String::from_utf8(note).ok()));
        }
        known.extend(head);
        let size = |note: &String| {
            let note = Note::parse(note.as_bytes()).ok()?;
            Some(note.text().parse::<Checkpoint>().ok()?.size())
        };
        let largest = known.into_iter().filter(|note| size(note).is_some()).max_by_key(|note| size(note));
        let digest = |text: &String| hex(&Sha256::digest(text));
        Ok(Loss {
            why,
            signed: largest.as_ref().and_then(size).unwrap_or(0),
            checkpoint: largest,
            records: Reader::open(journal).map_or(0, |reader| reader.map_while(Result::ok).count() as u64),
            key: Log::at(&tlog).keys().unwrap_or_default().pop().map(|key| key.to_string()),
            evidence: evidence.iter().map(|(name, text)| (name.clone(), digest(text))).collect(),
        })
    }

    /// Puts a new journal into the place of the lost one, with another log of another name, and gives the folder in which the
    /// old one is kept: beside it, with the `time` (as RFC 3339 has it) in its name. `about` goes into the first record.
    ///
    /// Nobody may be about to append. Killed at any moment, either the old or the new journal is in its place, whole.
    ///
    /// # Errors
    ///
    /// When the disk refuses. The same call goes on from there.
    pub fn accept(&self, journal: &Path, host: &str, time: &str, about: Value) -> Result<PathBuf, LossError> {
        let (Some(parent), true) = (journal.parent(), journal.ends_with(JOURNAL)) else {
            return Err(LossError::Name(journal.to_owned()));
        };
        Loss::settle(journal)?;
        let state = Directory::private(parent)?;
        let kept = format!("lost-{}", time.replace(':', "-"));
        let building = Directory::private(&parent.join(BUILDING))?;
        self.begin(&parent.join(BUILDING).join(JOURNAL), journal, host, time, &kept, about)?;
        building.sync(true)?;
        let old = Directory::private(journal)?;
        let (publishing, appending) = (Lock::open(&old, "publish.lock")?, Lock::open(&old, lock::NAME)?);
        let _held = (publishing.hold()?, appending.hold()?);
        // A crash before leaves the old journal in its place, and a folder that is thrown away; after it, the new one is there,
        // and whoever recovers next gives the old one its name.
        disk::exchange(&state, &building, JOURNAL, journal)?;
        building.sync(false)?;
        state.sync(false)?;
        disk::rename(&state, BUILDING, &kept, &parent.join(&kept))?;
        state.sync(false)?;
        Ok(parent.join(kept))
    }

    /// Finishes what an earlier [`accept`](Self::accept) left.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn settle(journal: &Path) -> Result<(), LossError> {
        let Some(parent) = journal.parent() else { return Ok(()) };
        let state = Directory::private(parent)?;
        if !state.has(BUILDING)? {
            return Ok(());
        }
        // The name that the old journal was to have, if this is the one that took its place.
        let first = Reader::open(journal).ok().and_then(|mut reader| reader.next()?.ok());
        let first: Value =
            serde_json::from_slice(&first.map(|first| first.payload).unwrap_or_default()).unwrap_or_default();
        let kept = first["kept"].as_str().filter(|name| first["type"] == BEGUN && !name.contains('/'));
        match kept {
            Some(kept) if !state.has(kept)? => {
                disk::rename(&state, BUILDING, kept, &parent.join(kept))?;
                state.sync(false)?;
            }
            // What was being made and did not come into its place.
            _ => {
                let path = parent.join(BUILDING);
                fs::remove_dir_all(&path).map_err(|error| DiskError::new("remove", &path, error))?;
            }
        }
        Ok(())
    }

    /// Makes the new journal: one record, signed.
    fn begin(
        &self,
        place: &Path,
        old: &Path,
        host: &str,
        time: &str,
        kept: &str,
        about: Value,
    ) -> Result<(), LossError> {
        let publisher = Publisher::open(place, host)?;
        let mut journal = Journal::open(place)?;
        let short = |text: &str| text.chars().take(1000).collect::<String>();
        let evidence: Vec<Value> = self
            .evidence
            .iter()
            .take(20)
            .map(|(name, sha256)| json!({ "name": short(name), "sha256": sha256 }))
            .collect();
        let fields = json!({
            "about": about,
            "before": {
                "checkpoint": self.checkpoint,
                "evidence": evidence,
                "records": self.records,
                "signed": self.signed,
                "vkey": self.key,
            },
            "kept": kept,
            "lost": self.signed.saturating_sub(self.records),
            "why": short(&self.why),
        });
        publisher.note(&mut journal, BEGUN, time, fields)?;
        publisher.publish(journal.durable()?)?;
        // Who watches it is not lost; they have to be told its new key.
        if let Some(witnesses) = Witnesses::of(old).unwrap_or_default() {
            witnesses.set(place)?;
        }
        Ok(())
    }
}

/// Why a journal cannot go on.
enum Unfit {
    Open(OpenError),
    Append(AppendError),
    Publish(PublishError),
}

/// Opens and publishes a journal, as a run does.
fn unfit(path: &Path, host: &str) -> Result<(), Unfit> {
    if let Some(path) = evidence(path).map_err(|error| Unfit::Open(error.into()))? {
        return Err(Unfit::Publish(PublishError::Evidence(path)));
    }
    let publisher = Publisher::open(path, host).map_err(Unfit::Publish)?;
    let signed = publisher.signed().map_err(Unfit::Publish)?;
    let mut journal = Journal::open(path).map_err(Unfit::Open)?;
    let records = journal.next_index();
    if records < signed {
        return Err(Unfit::Publish(PublishError::Shrunk { records, signed }));
    }
    let records = journal.durable().map_err(Unfit::Append)?;
    publisher.republish(records).map_err(Unfit::Publish)
}

/// Whether it is the journal, its log or its key that is lost, and nothing that can be put right.
fn is_loss(error: &PublishError) -> bool {
    use PublishError::{Checkpoint, Key, Log, Note, Read, Tile};
    let key_is_lost = matches!(error, Key(KeyFileError::Missing(_) | KeyFileError::Form { .. }));
    let open = matches!(error, PublishError::Open(OpenError::Corrupt(_)) | Read(ReadError::Corrupt(_)));
    error.is_evidence()
        || key_is_lost
        || open
        || matches!(error, Checkpoint(_) | Note(_) | Tile(_))
        || matches!(error, Log(error) if !matches!(error, crate::log::LogError::Disk(_)))
        || matches!(error, PublishError::Signer(SignerError::OtherKey { .. }))
}

/// The files of evidence, by their names.
fn shown(journal: &Path) -> Result<Vec<(String, String)>, DiskError> {
    let folder = journal.join(EVIDENCE);
    let failed = |error| DiskError::new("list", &folder, error);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let text = read_file(&entry.path(), 2 * MAX_CHECKPOINT)?.unwrap_or_default();
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push((name, String::from_utf8_lossy(&text).into_owned()));
    }
    files.sort();
    Ok(files)
}

/// The checkpoint that somebody else has shown, which stands last.
fn last_note(evidence: &str) -> Option<String> {
    let (_, note) = evidence.rsplit_once(":\n")?;
    Note::parse(note.as_bytes()).ok().map(|note| note.to_string())
}

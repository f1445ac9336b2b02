//! `waxcell audit`: the record, for people and programs.

mod export;
mod heartbeat;
mod key;
mod proof;
mod prove;
mod recover;
mod redact;
mod retention;
mod trust;
mod verify;
mod witness;

use std::io::Read;
use std::path::{Path, PathBuf};

use waxcell_journal::{Archive, History, Log, ReadError, Reader, Record, SpanId};

use crate::args::{Audit, Common};
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(command: &Audit, common: &Common) -> Exit {
    let state = edge::state_directory(common);
    let state = state.as_deref();
    match command {
        Audit::Show { run, last, archive, sealed } => match state {
            Some(state) => {
                let last = last.map(|count| count as usize);
                let place = Place::of(state, archive.as_deref());
                show(state, &place, run.as_deref(), last, *sealed, common)
            }
            None => {
                edge::complain(NO_PLACE);
                Exit::UNCHECKED
            }
        },
        Audit::Verify(command) => verify::run(command, state, common),
        Audit::Prove { run, record, disclose, archive, output } => {
            let place = state.map(|state| Place::of(state, archive.as_deref()));
            prove::prove(run.as_deref(), *record, disclose, output.as_deref(), place)
        }
        Audit::Archive { before, to } => retention::archive(*before, to.as_deref(), state, common),
        Audit::Prune { before, archive } => retention::prune(*before, archive.as_deref(), state, common),
        Audit::Export(command) => export::run(command, state),
        Audit::Redact { run, record, field, reason } => {
            redact::run(run.as_deref(), *record, field.as_deref(), reason, state, common)
        }
        Audit::Heartbeat { every } => heartbeat::run(*every, state, common),
        Audit::Checkpoint => prove::checkpoint(state, common),
        Audit::Key(command) => key::run(command, state),
        Audit::Recover { key: Some(file), .. } => recover::by_key(file, state),
        Audit::Recover { reason, .. } => recover::accept_loss(reason.as_deref(), state, common),
        Audit::Witness(command) => witness::run(command, state, common),
    }
}

pub(crate) const NO_PLACE: &str =
    "no record to look at: set HOME, XDG_STATE_HOME or WAXCELL_STATE, or use --state DIR";

/// Where records lie.
pub(super) struct Place {
    pub(super) journal: PathBuf,
    pub(super) archive: Archive,
}

impl Place {
    /// In a state directory, and in the archives that were named, or else its own.
    pub(super) fn of(state: &Path, archive: Option<&Path>) -> Place {
        Place { journal: state.join("journal"), archive: edge::archive(state, archive) }
    }

    pub(super) fn log(&self) -> Log {
        Log::at(&self.journal.join("tlog")).with_archive(self.archive.clone())
    }

    /// All records from one on.
    pub(super) fn records(&self, from: u64) -> Result<History, ReadError> {
        History::from_index(&self.journal, &self.archive, from)
    }

    /// Says that there is no such run, and where else it may be.
    pub(super) fn unknown(&self) -> String {
        let first = self.records(0).map_or(0, |records| records.begins_at());
        match first {
            0 => "no run of that name is on record".to_owned(),
            first => format!(
                "no run of that name is on record here; the records before {first} lie in an archive: name its folder with --archive"
            ),
        }
    }
}

fn show(
    state: &Path,
    place: &Place,
    run: Option<&str>,
    last: Option<usize>,
    sealed: bool,
    common: &Common,
) -> Exit {
    let directory = &place.journal;
    let records = match (run, last) {
        // Every name begins with nothing.
        (Some(""), _) => Ok(Vec::new()),
        (Some(prefix), _) => of_run(place, prefix),
        (None, Some(count)) => Reader::last(directory, count),
        (None, None) => newest(place),
    };
    let records = match records {
        Ok(records) => records,
        Err(error) => {
            edge::complain(&unreadable(&error));
            return Exit::UNCHECKED;
        }
    };
    if records.is_empty() {
        edge::complain(&run.map_or_else(|| "nothing is on record yet".to_owned(), |_| place.unknown()));
        return Exit::FOUND;
    }
    let read = |record: &Record| match sealed {
        true => serde_json::from_slice(&record.payload).unwrap_or_default(),
        false => waxcell::read_archived(state, &record.payload, record.object.as_deref()),
    };
    let text: String = records.iter().map(|record| render(record, read(record), common.json)).collect();
    edge::print(&text, Exit::SUCCESS)
}

/// The records of the newest record's run; where it is of none, as a heartbeat is, those of the newest that is of one.
fn newest(place: &Place) -> Result<Vec<Record>, ReadError> {
    for count in [1, 256, usize::MAX] {
        let last = Reader::last(&place.journal, count)?;
        if let Some(record) = last.iter().rev().find(|record| record.span != SpanId::NONE) {
            return of_run(place, &record.span.to_string());
        }
        if last.len() < count {
            return Ok(last);
        }
    }
    Ok(Vec::new())
}

fn unreadable(error: &ReadError) -> String {
    match error {
        ReadError::NotAJournal(journal) => format!(
            "there is no journal `{}`: nothing was recorded there yet, or it is elsewhere (--state DIR, WAXCELL_STATE)",
            journal.display()
        ),
        error => edge::with_causes(error),
    }
}

fn of_run(place: &Place, prefix: &str) -> Result<Vec<Record>, ReadError> {
    let prefix = prefix.to_ascii_lowercase();
    place
        .records(0)?
        .filter(|record| record.as_ref().map_or(true, |record| record.span.to_string().starts_with(&prefix)))
        .collect()
}

/// Longer than any file with keys, a checkpoint, a policy or a proof.
const MAX_FILE: u64 = 1 << 20;

/// What a file holds that somebody names; of one that is too long the beginning, which is still too long.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One line of JSON with the proof, or the record spread out for people.
fn render(record: &Record, mut value: serde_json::Value, json: bool) -> String {
    let leaf_hash: String = record.leaf_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    if value.is_null() {
        return format!("record {}: {} bytes that are no JSON\n", record.index, record.payload.len());
    }
    if json {
        if let serde_json::Value::Object(fields) = &mut value {
            fields.insert("leaf_hash".to_owned(), leaf_hash.into());
        }
        return format!("{value}\n");
    }
    let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
    format!("record {} (leaf {leaf_hash})\n{}\n", record.index, edge::printable_lines(&pretty))
}

//! The records of one run, found in the journal of its state directory.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waxcell_journal::{Archive, History, Mark, ReadError, Reader, Record, SpanId};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// There is no journal.
    #[error("no run is on record in `{}`", .0.display())]
    Nothing(PathBuf),
    /// The record is somebody else's.
    #[error("the record in `{}` is that of user {owner}, not of user {user}, who asks", path.display())]
    Foreign {
        /// The state directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// The record cannot be read, or is damaged.
    #[error("cannot read the record")]
    Read(#[from] ReadError),
    /// There is no run of that name.
    #[error("no run whose name begins with `{prefix}` is on record")]
    Unknown {
        /// What was given.
        prefix: String,
        /// So many records, the oldest ones, lie in archives that are not here.
        absent: u64,
    },
    /// There are several.
    #[error("the names of {count} runs begin with `{prefix}`")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// How many begin so.
        count: usize,
        /// The newest of them, the last one first.
        newest: Vec<String>,
    },
}

impl WhyError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            WhyError::Nothing(_) => {
                "run something first, or name another state directory with --state DIR or WAXCELL_STATE"
                    .to_owned()
            }
            WhyError::Foreign { .. } => {
                "ask as that user; `waxcell audit show` prints the records for everybody who may read them"
                    .to_owned()
            }
            WhyError::Read(ReadError::Corrupt(_)) => {
                "`waxcell audit verify` lists what is wrong; keep the directory, it is evidence".to_owned()
            }
            WhyError::Read(_) => "check who may read the state directory (`ls -l`)".to_owned(),
            WhyError::Unknown { absent: 1.., .. } => {
                "the oldest records lie in an archive that is not here: name its folder with --archive"
                    .to_owned()
            }
            WhyError::Unknown { .. } => {
                "`waxcell audit show` prints the newest run; the report has the name of its run in `run_id`"
                    .to_owned()
            }
            WhyError::Ambiguous { newest, .. } => {
                format!("give more digits; the newest of them are {}", newest.join(", "))
            }
        }
    }
}

/// The records of a run in a state directory, in their order: of the one whose name begins with `wanted`, or of the one
/// that began last (`None`, or the word `last`). Old records are looked for in these archives.
///
/// # Errors
///
/// When there is no such run or more than one, when the record is somebody else's (what it says would be believed, and
/// the files looked at that it names), or when it cannot be read.
pub fn records_of(state: &Path, archive: &Archive, wanted: Option<&str>) -> Result<Vec<Record>, WhyError> {
    let journal = state.join("journal");
    let nothing = || WhyError::Nothing(state.to_owned());
    let user = rustix::process::geteuid().as_raw();
    match std::fs::metadata(&journal).map(|meta| meta.uid()) {
        Ok(owner) if owner != user => return Err(WhyError::Foreign { path: state.to_owned(), owner, user }),
        _ => {}
    }
    let unreadable = |error| match error {
        ReadError::NotAJournal(_) => nothing(),
        error => WhyError::Read(error),
    };
    let (run, first) = match wanted.filter(|wanted| *wanted != "last") {
        Some(prefix) => named(&journal, archive, prefix).map_err(|error| match error {
            WhyError::Read(error) => unreadable(error),
            error => error,
        })?,
        None => newest(&journal, archive).map_err(unreadable)?.ok_or_else(nothing)?,
    };
    let mut records = Vec::new();
    for record in History::from_index(&journal, archive, first).map_err(unreadable)? {
        let record = record.map_err(unreadable)?;
        if record.span == run {
            let is_closed = record.mark == Mark::Close;
            records.push(record);
            if is_closed {
                break;
            }
        }
    }
    Ok(records)
}

/// The run that began last, and the index of its first record.
fn newest(journal: &Path, archive: &Archive) -> Result<Option<(SpanId, u64)>, ReadError> {
    // Nearly always among the last few; a run that goes on for days may have begun before many others.
    for count in [64, 4096] {
        let records = Reader::last(journal, count)?;
        if let Some(begun) = records.iter().rev().find(|record| begins(record)) {
            return Ok(Some((begun.span, begun.index)));
        }
    }
    let mut newest = None;
    for record in History::from_index(journal, archive, 0)? {
        let record = record?;
        if begins(&record) {
            newest = Some((record.span, record.index));
        }
    }
    Ok(newest)
}

/// Whether a run begins with this record: it was started, or refused at once.
fn begins(record: &Record) -> bool {
    let is_refused = || {
        let value: Value = serde_json::from_slice(&record.payload).unwrap_or_default();
        value["type"] == "refused"
    };
    record.mark == Mark::Open || (record.mark == Mark::None && record.span != SpanId::NONE && is_refused())
}

/// The one run whose name begins so.
fn named(journal: &Path, archive: &Archive, prefix: &str) -> Result<(SpanId, u64), WhyError> {
    /// How many are named to choose from.
    const NAMED: usize = 3;
    let wanted = prefix.to_ascii_lowercase();
    let records = History::from_index(journal, archive, 0)?;
    let absent = records.begins_at();
    let unknown = || WhyError::Unknown { prefix: prefix.to_owned(), absent };
    if wanted.is_empty() {
        return Err(unknown());
    }
    let mut found: Vec<(SpanId, u64)> = Vec::new();
    for record in records {
        let record = record?;
        let is_it = record.span != SpanId::NONE && record.span.to_string().starts_with(&wanted);
        if is_it && !found.iter().rev().any(|(span, _)| *span == record.span) {
            found.push((record.span, record.index));
        }
    }
    match found[..] {
        [] => Err(unknown()),
        [one] => Ok(one),
        _ => Err(WhyError::Ambiguous {
            prefix: prefix.to_owned(),
            count: found.len(),
            newest: found.iter().rev().take(NAMED).map(|(span, _)| span.to_string()).collect(),
        }),
    }
}

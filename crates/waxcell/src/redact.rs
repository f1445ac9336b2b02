//! Erasing values that records hold only the digest of. The records stay as they are, and so does every proof.

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};
use waxcell_journal::{
    ARCHIVE, Apart, Archive, DisclosureError, Disclosures, History, Mark, ReadError, Reader, Record, SpanId,
    unseal,
};

use crate::record;
use crate::report::RecordProof;
use crate::run::Caller;
use crate::secrets::Secrets;
use crate::state::{JOURNAL, State, StateError};

/// What shall be erased.
#[derive(Clone, Copy, Debug)]
pub struct Redaction<'a> {
    /// The run, by its name or the beginning of it, or the record.
    pub of: Redacted<'a>,
    /// Only values of this field, or below it: `args`, `args.2`, `violations.0.target`.
    pub field: Option<&'a str>,
    /// Why, in the words of whoever decides.
    pub reason: &'a str,
    /// Who decides.
    pub caller: &'a Caller,
    /// When.
    pub now: SystemTime,
}

/// Of what values shall be erased.
#[derive(Clone, Copy, Debug)]
pub enum Redacted<'a> {
    /// Of all records of a run.
    Run(&'a str),
    /// Of the record with this number.
    Record(u64),
}

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// The run.
    pub run: String,
    /// The fields whose values are gone.
    pub fields: Vec<String>,
    /// Where that stands in the journal.
    pub record: RecordProof,
}

/// Nothing was erased, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
    /// There is no such run or record.
    #[error("nothing of that name or number is on record")]
    Unknown,
    /// Several runs begin so.
    #[error("several runs begin with `{0}`: give more of the name")]
    Ambiguous(String),
    /// There is nothing to erase: no value there is kept apart, or all of them are erased.
    #[error("no value there can be erased: what is not kept apart stays, and what was erased is gone")]
    Nothing,
    /// The decision cannot be recorded: then nothing is erased.
    #[error(transparent)]
    State(#[from] StateError),
    /// The disk refused. The decision is on record; the same command goes on.
    #[error("cannot erase")]
    Erase(#[from] DisclosureError),
}

/// Erases values, and records that before.
///
/// # Errors
///
/// See [`RedactError`].
pub fn redact(state: &mut State, order: &Redaction<'_>) -> Result<Erased, RedactError> {
    state.begin()?;
    state.keep_secret(Secrets::of(&order.caller.env, &[]));
    let journal = state.directory().join(JOURNAL);
    let disclosures = Disclosures::of_journal(&journal);
    let (run, records) = records(&journal, order.of)?;
    let texts = disclosures.of(run)?.texts;
    let mut found: Vec<(u64, Apart)> = Vec::new();
    for Record { index, payload, object, .. } in records {
        let mut value = match object {
            Some(object) => record::whole_with(&payload, Some(&object)),
            None => record::whole(&payload, &journal),
        };
        let apart = unseal(&mut value, &texts);
        found.extend(apart.into_iter().map(|one| (index, one)));
    }
    found.retain(|(_, one)| {
        texts.contains_key(&one.digest) && order.field.is_none_or(|field| one.is_at(field))
    });
    if found.is_empty() {
        return Err(RedactError::Nothing);
    }
    let mut indexes: Vec<u64> = found.iter().map(|(index, _)| *index).collect();
    indexes.dedup();
    let digests: Vec<String> = found.iter().map(|(_, one)| one.digest.clone()).collect();
    let fields: Vec<String> = found.into_iter().map(|(_, one)| one.path).collect();
    let at = humantime::format_rfc3339_micros(order.now).to_string();
    let more = json!({"records": indexes, "fields": fields, "digests": digests, "reason": order.reason});

    // The decision comes first. A crash behind it leaves values that are erased when it is made once more.
    let record = record::done_by(order.caller, "redact", &at, run, more);
    let receipt = state.record(Mark::None, run, record)?;
    disclosures.erase(run, &digests)?;
    Ok(Erased { run: run.to_string(), fields, record: RecordProof::of(&receipt) })
}

/// The run, and its records or the one of them.
fn records(journal: &Path, of: Redacted<'_>) -> Result<(SpanId, Vec<Record>), RedactError> {
    let mut found: Option<SpanId> = None;
    let mut records = Vec::new();
    let from = match of {
        Redacted::Run(_) => 0,
        Redacted::Record(index) => index,
    };
    for record in History::from_index(journal, &Archive::at(&journal.join(ARCHIVE)), from)? {
        let record = record?;
        match of {
            Redacted::Run(name) => {
                let name = name.to_ascii_lowercase();
                if name.is_empty() || !record.span.to_string().starts_with(&name) {
                    continue;
                }
                if found.is_some_and(|found| found != record.span) {
                    return Err(RedactError::Ambiguous(name));
                }
            }
            Redacted::Record(index) if record.index != index => break,
            Redacted::Record(_) => {}
        }
        found = Some(record.span);
        records.push(record);
    }
    Ok((found.ok_or(RedactError::Unknown)?, records))
}

/// What became of the values that the records of a journal keep apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apartness {
    /// How many there are.
    pub values: u64,
    /// How many of them are erased.
    pub erased: u64,
    /// What lies beside the journal and is not what it was: in words.
    pub damaged: Vec<String>,
}

/// Looks at all values that the records of a journal keep apart. A value that is gone is no fault of the record.
///
/// # Errors
///
/// When something cannot be read.
pub fn apartness(state: &Path) -> Result<Apartness, RedactError> {
    let journal = state.join(JOURNAL);
    let disclosures = Disclosures::of_journal(&journal);
    let damaged = disclosures.damaged()?.into_iter();
    let damaged = damaged
        .map(|(file, line)| format!("`{file}`, line {line}: the value is not the one that was recorded"))
        .collect();
    let mut all = Apartness { damaged, ..Apartness::default() };
    let listed = disclosures.list()?;
    for record in Reader::open(&journal)? {
        let record = record?;
        // Most have nothing apart.
        if !has_apart(&record.payload) {
            continue;
        }
        let mut texts = disclosures.of_listed(&listed, record.span)?.texts;
        let mut value: Value = record::whole(&record.payload, &journal);
        let apart = unseal(&mut value, &texts);
        if apart.iter().any(|one| !texts.contains_key(&one.digest)) {
            // Erased, or a run has kept them since the files were listed.
            texts = disclosures.of(record.span)?.texts;
        }
        all.values += apart.len() as u64;
        all.erased += apart.iter().filter(|one| !texts.contains_key(&one.digest)).count() as u64;
    }
    Ok(all)
}

fn has_apart(payload: &[u8]) -> bool {
    let has = |mark: &[u8]| payload.windows(mark.len()).any(|part| part == mark);
    has(b"\"_sd\":[") || has(b"{\"...\":") || has(b"\"whole\":{")
}

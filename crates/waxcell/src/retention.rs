//! What becomes of old records: they are packed into archives, and taken away where they lay. Both is recorded.

use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use waxcell_journal::{Manifest, Mark, Retention, RetentionError, SpanId, Stays};

use crate::record;
use crate::report::RecordProof;
use crate::run::Caller;
use crate::secrets::Secrets;
use crate::state::{JOURNAL, State, StateError};

/// Which records are old, and what becomes of them.
#[derive(Clone, Copy, Debug)]
pub struct Old<'a> {
    /// Only those from before this time.
    pub before: Option<SystemTime>,
    /// The folder of archives, if it is not the journal's own.
    pub archive: Option<&'a Path>,
    /// Who decides.
    pub caller: &'a Caller,
    /// When.
    pub now: SystemTime,
}

/// An archive that was made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Archived {
    /// Its first record.
    pub first: u64,
    /// Its last record.
    pub last: u64,
    /// The name of its file.
    pub file: String,
    /// How many bytes its records have.
    pub bytes: u64,
    /// How many bytes its file has.
    pub packed_bytes: u64,
    /// Where it stands in the journal.
    pub record: RecordProof,
}

/// What was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The first record that was still there before.
    pub from: u64,
    /// The first that is there now.
    pub before: u64,
    /// Why no more of what was asked for.
    pub stays: Option<Stays>,
    /// Where it stands in the journal, if anything was taken away.
    pub record: Option<RecordProof>,
}

/// Old records are as they were, or not all of them were packed or taken away.
#[derive(Debug, thiserror::Error)]
pub enum OldError {
    /// The decision cannot be recorded or signed.
    #[error(transparent)]
    State(#[from] StateError),
    /// What is asked for cannot be done.
    #[error(transparent)]
    Retention(#[from] RetentionError),
}

/// Packs old records: all whole bundles that are signed, or those from before a time.
///
/// # Errors
///
/// See [`OldError`]. What was packed until then is on record.
pub fn archive(state: &mut State, old: &Old<'_>) -> Result<Vec<Archived>, OldError> {
    let (journal, before) = begin(state, old)?;
    state.sign_all()?;
    let retention = Retention::begin(&journal, old.archive)?;
    let mut made = Vec::new();
    // Whoever made these died before they were recorded.
    for manifest in retention.unrecorded()? {
        made.push(recorded(state, old, &manifest)?);
    }
    // A crash behind the archive and before its record leaves one that is recorded by whoever comes next.
    while let Some(manifest) = retention.pack(before.as_deref())? {
        made.push(recorded(state, old, &manifest)?);
    }
    Ok(made)
}

fn recorded(state: &mut State, old: &Old<'_>, manifest: &Manifest) -> Result<Archived, OldError> {
    let Manifest { first, last, bytes, packed_bytes, .. } = *manifest;
    let hash = record::hex(&manifest.hash());
    let more = json!({
        "first": first,
        "last": last,
        "manifest": hash,
        "bytes": bytes,
        "packed_bytes": packed_bytes,
    });
    let record = record::done_by(old.caller, "archive", &time(old.now), SpanId::NONE, more);
    let receipt = state.record(Mark::None, SpanId::NONE, record)?;
    let record = RecordProof::of(&receipt);
    Ok(Archived { first, last, file: manifest.file(), bytes, packed_bytes, record })
}

/// Takes away what lies in archives: all of it, or what is from before a time. Never what belongs to a run that goes on, nor,
/// where the journal has witnesses, what no quorum of them has cosigned.
///
/// # Errors
///
/// See [`OldError`]. What is on record by then goes when this is done again.
pub fn prune(state: &mut State, old: &Old<'_>) -> Result<Pruned, OldError> {
    let (journal, before) = begin(state, old)?;
    let cosigned = state.sign_all()?;
    let retention = Retention::begin(&journal, old.archive)?;
    let open = state.open_spans()?;
    let found = retention.prunable(before.as_deref(), &open, cosigned)?;
    let mut record = None;
    if found.before > found.from {
        // Every byte of the archives, before the other copy goes.
        retention.check(found.before)?;
        // A crash from here on leaves a decision, which is carried out by whoever comes next.
        let more = json!({"from": found.from, "before": found.before});
        let decision = record::done_by(old.caller, "prune", &time(old.now), SpanId::NONE, more);
        record = Some(RecordProof::of(&state.record(Mark::None, SpanId::NONE, decision)?));
        state.sign_all()?;
    }
    retention.take_away()?;
    Ok(Pruned { from: found.from, before: found.before, stays: found.stays, record })
}

/// The journal's folder, and the time as records have it.
fn begin(state: &mut State, old: &Old<'_>) -> Result<(std::path::PathBuf, Option<String>), OldError> {
    state.begin()?;
    state.keep_secret(Secrets::of(&old.caller.env, &[]));
    Ok((state.directory().join(JOURNAL), old.before.map(time)))
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_micros(at).to_string()
}

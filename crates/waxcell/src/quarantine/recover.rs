//! What a commit that died left undone, and what is to be given up.

use std::time::SystemTime;

use serde_json::json;
use waxcell_journal::Mark;

use super::commit::{Done, Hosts, finish, span};
use super::error::QuarantineError;
use super::name::shown;
use super::sealed::Sealed;
use super::store::Store;
use super::unit::{Failed, Why, units};
use crate::record;
use crate::report::RecordProof;
use crate::run::Caller;
use crate::secrets::Secrets;
use crate::state::State;

/// Finishes a commit that was decided, takes one back that was not, and removes what is only left to be removed.
pub(super) fn recover(store: &Store, state: &mut State) -> Result<(), QuarantineError> {
    if let Some(intent) = store.intent()? {
        match (read(store, &intent.run)?, intent.record) {
            // It was hidden: nothing but the intent is left.
            (None, _) => store.remove_intent()?,
            (Some(sealed), None) => {
                abandon(&sealed, &intent.run);
                store.remove_intent()?;
            }
            (Some(sealed), Some(record)) => {
                finish(store, state, &intent.run, &sealed, record, true, &mut |_| {})?;
            }
        }
    }
    store.sweep();
    Ok(())
}

/// As [`recover`], for whoever has something else to do: what cannot be done now waits for a command about quarantine,
/// which says why.
pub(crate) fn settle(state: &mut State) {
    if let Ok(Some(store)) = Store::open(state, false) {
        let _ = recover(&store, state);
    }
}

fn read(store: &Store, run: &str) -> Result<Option<Sealed>, QuarantineError> {
    let folder = store.folder(run);
    Sealed::read(&folder).map_err(|source| QuarantineError::Io { path: folder, source })
}

/// Leaves the files as they are now, and takes away what a commit has put beside them. What cannot be removed stays, under
/// a name that says whose it is, until the run is committed or discarded.
fn abandon(sealed: &Sealed, run: &str) -> Vec<String> {
    let mut hosts = Hosts::new(sealed);
    let mut left = Vec::new();
    for unit in units(run, sealed) {
        match hosts.of(&unit).and_then(|host| unit.abandon(host)) {
            Err(Failed { path, why: Why::Io(_) }) => left.push(shown(path.as_os_str())),
            // Another folder has taken the place of the one that it was put into.
            Ok(()) | Err(Failed { why: Why::Changed, .. }) => {}
        }
    }
    left
}

/// Discards a run: nothing of what it wrote is left.
///
/// # Errors
///
/// When there is no such run or it is not over, and when a step of it fails.
pub fn discard(
    state: &mut State,
    prefix: &str,
    caller: &Caller,
    now: SystemTime,
) -> Result<Done, QuarantineError> {
    let Some(store) = Store::open(state, true)? else { return Err(QuarantineError::None(prefix.to_owned())) };
    let intent = store.intent()?;
    let run = match &intent {
        // A commit that cannot be finished is given up by this alone.
        Some(intent) if intent.record.is_some() && store.find(prefix).is_ok_and(|run| run == intent.run) => {
            intent.run.clone()
        }
        _ => {
            recover(&store, state)?;
            store.find(prefix)?
        }
    };
    let half_committed = intent.is_some_and(|intent| intent.run == run && intent.record.is_some());
    // What cannot be read can be thrown away all the same.
    let sealed = read(&store, &run).unwrap_or_default();
    if sealed.is_none() && store.is_running(&run) {
        return Err(QuarantineError::Running(run));
    }
    let changes = sealed.as_ref().map_or(0, |sealed| sealed.head.changes);
    // Also what an earlier commit could not take away.
    let left = sealed.as_ref().map_or(Vec::new(), |sealed| abandon(sealed, &run));
    let at = humantime::format_rfc3339_micros(now).to_string();
    let fields = json!({
        "changes": sealed.as_ref().map(|sealed| sealed.head.changes),
        "half_committed": half_committed,
    });
    state.keep_secret(Secrets::of(&caller.env, &[]));
    let record = record::operator(&at, span(&run), "discard", caller, fields);
    // Crash behind this: the run is there, and can be discarded once more.
    let receipt = state.record(Mark::None, span(&run), record)?;
    store.hide(&run)?;
    if half_committed {
        store.remove_intent()?;
    }
    store.sweep();
    Ok(Done { run, changes, record: RecordProof::of(&receipt), left })
}

//! `waxcell audit archive` and `prune`: what becomes of old records.

use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use waxcell::{Old, OldError, State};

use super::NO_PLACE;
use crate::args::{Before, Common};
use crate::edge;
use crate::exit::Exit;

/// Packs old records.
pub(super) fn archive(
    before: Option<Before>,
    to: Option<&Path>,
    state: Option<&Path>,
    common: &Common,
) -> Exit {
    let made = with(before, to, state, waxcell::archive);
    let made = match made {
        Ok(made) => made,
        Err(exit) => return exit,
    };
    if common.json {
        let text: String =
            made.iter().map(|one| serde_json::to_string(one).unwrap_or_default() + "\n").collect();
        return edge::print(&text, if made.is_empty() { Exit::FOUND } else { Exit::SUCCESS });
    }
    if made.is_empty() {
        edge::complain(
            "nothing to archive: records are packed 256 at a time, and what there is of them is packed or younger",
        );
        return Exit::FOUND;
    }
    for one in made.iter().filter(|_| !common.quiet) {
        let (first, last, file, bytes) = (one.first, one.last, &one.file, one.packed_bytes);
        edge::note(&format!(
            "records {first} to {last} are in `{file}`, {bytes} bytes: record {}",
            one.record.index
        ));
    }
    Exit::SUCCESS
}

/// Takes old records away.
pub(super) fn prune(
    before: Option<Before>,
    archive: Option<&Path>,
    state: Option<&Path>,
    common: &Common,
) -> Exit {
    let pruned = match with(before, archive, state, waxcell::prune) {
        Ok(pruned) => pruned,
        Err(exit) => return exit,
    };
    let exit = if pruned.record.is_some() { Exit::SUCCESS } else { Exit::FOUND };
    if common.json {
        let value = json!({
            "from": pruned.from,
            "before": pruned.before,
            "stays": pruned.stays.map(|stays| stays.to_string()),
            "record": pruned.record,
        });
        return edge::print(&format!("{value}\n"), exit);
    }
    if let Some(record) = pruned.record.filter(|_| !common.quiet) {
        let (from, last) = (pruned.from, pruned.before - 1);
        edge::note(&format!("records {from} to {last} are in archives alone: record {}", record.index));
    }
    match pruned.stays {
        Some(stays) if exit == Exit::FOUND => edge::complain(&format!("nothing is taken away: {stays}")),
        Some(stays) if !common.quiet => edge::note(&format!("no more is taken away: {stays}")),
        None if exit == Exit::FOUND => edge::complain("nothing is taken away: there are no older records"),
        _ => {}
    }
    exit
}

/// Does it to a record that is there.
fn with<T>(
    before: Option<Before>,
    archive: Option<&Path>,
    state: Option<&Path>,
    what: impl FnOnce(&mut State, &Old<'_>) -> Result<T, OldError>,
) -> Result<T, Exit> {
    let failed = |message: &str| {
        edge::complain(message);
        Exit::UNCHECKED
    };
    let directory = state.ok_or_else(|| failed(NO_PLACE))?;
    // What is old begins no journal.
    waxcell_journal::Reader::last(&directory.join("journal"), 1)
        .map_err(|error| failed(&super::unreadable(&error)))?;
    let caller =
        edge::caller().map_err(|error| failed(&format!("cannot tell the working directory: {error}")))?;
    let now = SystemTime::now();
    let before = before.map(|before| before.at(now));
    let mut state = State::at(Some(directory.to_owned()));
    let done = what(&mut state, &Old { before, archive, caller: &caller, now });
    edge::rest(&state);
    done.map_err(|error| {
        edge::complain_of(&error);
        Exit::UNCHECKED
    })
}

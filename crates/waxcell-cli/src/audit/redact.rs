//! `waxcell audit redact`: erases what is kept apart from the log.

use std::path::Path;
use std::time::SystemTime;

use waxcell::{RedactError, Redacted, Redaction, State};

use super::NO_PLACE;
use crate::args::Common;
use crate::edge;
use crate::exit::Exit;

pub(super) fn run(
    run: Option<&str>,
    record: Option<u64>,
    field: Option<&str>,
    reason: &str,
    state: Option<&Path>,
    common: &Common,
) -> Exit {
    let Some(directory) = state else {
        edge::complain(NO_PLACE);
        return Exit::UNCHECKED;
    };
    // Erasing begins no journal.
    if let Err(error) = waxcell_journal::Reader::last(&directory.join("journal"), 1) {
        edge::complain(&super::unreadable(&error));
        return Exit::UNCHECKED;
    }
    let caller = match edge::caller() {
        Ok(caller) => caller,
        Err(error) => {
            edge::complain(&format!("cannot tell the working directory: {error}"));
            return Exit::UNCHECKED;
        }
    };
    let of = record.map_or_else(|| Redacted::Run(run.unwrap_or_default()), Redacted::Record);
    let order = Redaction { of, field, reason, caller: &caller, now: SystemTime::now() };
    let mut state = State::at(Some(directory.to_owned()));
    let exit = match waxcell::redact(&mut state, &order) {
        Ok(erased) if common.json => {
            let line = serde_json::to_string(&erased).unwrap_or_default();
            edge::print(&format!("{line}\n"), Exit::SUCCESS)
        }
        Ok(erased) => {
            if !common.quiet {
                let (count, run, index) = (erased.fields.len(), &erased.run, erased.record.index);
                eprintln!("waxcell: {count} values of run {run} are erased: record {index}");
            }
            Exit::SUCCESS
        }
        Err(error) => {
            edge::complain_of(&error);
            match error {
                RedactError::Nothing | RedactError::Unknown | RedactError::Ambiguous(_) => Exit::FOUND,
                _ => Exit::UNCHECKED,
            }
        }
    };
    edge::rest(&state);
    exit
}

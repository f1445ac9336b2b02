//! `waxcell audit recover`: going on where the key is lost, or where the record is not what was signed.

use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use waxcell::State;
use waxcell_journal::{Loss, LossError, Publisher, SpanLock, Witnesses};

use super::NO_PLACE;
use super::key::now;
use super::prove::told;
use crate::args::Common;
use crate::edge;
use crate::exit::Exit;

/// Ends the present epoch by the recovery key; prints the key of the next.
pub(super) fn by_key(file: &Path, state: Option<&Path>) -> Exit {
    told(state.ok_or_else(|| NO_PLACE.to_owned()).and_then(|state| {
        let journal = state.join("journal");
        waxcell_journal::Reader::last(&journal, 1).map_err(|error| super::unreadable(&error))?;
        let key = Publisher::recover(&journal, file, &now()).map_err(|error| edge::with_causes(&error))?;
        edge::advise("carry the recovery key away again, and give the new key to whoever checks or watches this record");
        Ok(format!("{key}\n"))
    }))
}

/// Begins another log in the place of one that has lost something, and says what.
pub(super) fn accept_loss(reason: Option<&str>, state: Option<&Path>, common: &Common) -> Exit {
    let Some(state) = state else {
        edge::complain(NO_PLACE);
        return Exit::UNCHECKED;
    };
    match begin_anew(state, reason) {
        Ok((loss, kept)) => {
            let Loss { why, signed, records, .. } = &loss;
            let lost = signed.saturating_sub(*records);
            if common.json {
                let value = json!({
                    "why": why, "signed": signed, "records": records, "lost": lost, "kept": kept,
                    "checkpoint": loss.checkpoint,
                });
                return edge::print(&format!("{value}\n"), Exit::SUCCESS);
            }
            edge::note(&format!("LOST: {why}"));
            edge::note(&format!(
                "LOST: {signed} records were signed, {records} can be read, so {lost} are gone; what went on behind them is not known"
            ));
            edge::note(&format!(
                "the old record and what speaks against it are in `{kept}`: keep that, it is evidence"
            ));
            edge::advise(
                "another log has begun, with another name and key: give that (`waxcell audit key`) to whoever checks or watches it; a signer or recovery key has to be set anew",
            );
            Exit::SUCCESS
        }
        Err(Failure::Nothing(message)) => {
            edge::complain(&message);
            Exit::FOUND
        }
        Err(Failure::Other(message)) => {
            edge::complain(&message);
            Exit::UNCHECKED
        }
    }
}

enum Failure {
    Nothing(String),
    Other(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Other(edge::with_causes(&error))
    }
}

fn begin_anew(state: &Path, reason: Option<&str>) -> Result<(Loss, String), Failure> {
    let failed = |error: LossError| match error {
        LossError::Nothing(_) => Failure::Nothing(edge::with_causes(&error)),
        LossError::Read(error) => Failure::Other(super::unreadable(&error)),
        error => error.into(),
    };
    let (journal, host) = (state.join("journal"), edge::host_name());
    // What was begun before is finished first, whatever is found now.
    if journal.is_dir() {
        Loss::settle(&journal).map_err(failed)?;
    }
    let loss = Loss::of(&journal, &host).map_err(failed)?;
    // Nobody begins to run until the new log is in its place.
    let pause = SpanLock::pause(&state.join("runs"))?;
    if pause.others(None)? {
        return Err(Failure::Other("a run is going on: wait for its end".to_owned()));
    }
    let caller = edge::caller()?;
    let about = json!({
        "user": caller.user,
        "uid": caller.uid,
        "host": host,
        "reason": reason.map(|reason| reason.chars().take(1000).collect::<String>()),
    });
    let kept = loss.accept(&journal, &host, &now(), about).map_err(failed)?;
    // Those who watched the old log were asked to watch this one: its record says so from its beginning.
    let watching = Witnesses::of(&journal)?;
    if watching.is_some() {
        let mut state = State::at(Some(state.to_owned()));
        waxcell::record_witnesses(&mut state, watching.as_ref(), &caller, SystemTime::now())?;
    }
    Ok((loss, kept.display().to_string()))
}

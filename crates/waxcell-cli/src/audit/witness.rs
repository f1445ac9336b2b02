//! `waxcell audit witness`: who watches this log.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;
use waxcell::State;
use waxcell_journal::{Patience, Publisher, Witnesses, WitnessesError};
use waxcell_witness::{Round, Url, ask};

use super::NO_PLACE;
use crate::args::{Common, Watchers};
use crate::edge;
use crate::exit::Exit;

/// So long witnesses have to answer somebody who asks for their answer.
const PATIENCE: Patience = Patience { longest: Duration::from_secs(5), insists: true };

pub(super) fn run(command: &Watchers, state: Option<&Path>, common: &Common) -> Exit {
    let done = state.ok_or_else(|| NO_PLACE.to_owned()).and_then(|state| {
        let journal = state.join("journal");
        match command {
            Watchers::Set { file, require_within } => set(state, file, *require_within),
            Watchers::Show => show(&journal, common),
            Watchers::None => change(state, None, || Witnesses::none(&journal)),
        }
    });
    done.unwrap_or_else(|message| {
        edge::complain(&message);
        Exit::FAILED
    })
}

fn set(state: &Path, file: &Path, within: Option<u64>) -> Result<Exit, String> {
    let text = super::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    let named = |error: &dyn std::error::Error| format!("`{}`: {}", file.display(), edge::with_causes(error));
    let witnesses = Witnesses::new(&text, within).map_err(|error| named(&error))?;
    let urls: Vec<&str> = witnesses.policy.witnesses().filter_map(|witness| witness.url.as_deref()).collect();
    for url in &urls {
        url.parse::<Url>().map_err(|error| named(&error))?;
    }
    let exit = change(state, Some(&witnesses), || witnesses.set(&state.join("journal")))?;
    if urls.is_empty() {
        edge::advise(
            "no witness of this policy has an address, so nobody is asked: add `http://ADDRESS:PORT` to its line",
        );
    }
    Ok(exit)
}

/// Records the change before it is made. A crash in between leaves a record of what the same command then does.
fn change(
    directory: &Path,
    witnesses: Option<&Witnesses>,
    make: impl FnOnce() -> Result<(), WitnessesError>,
) -> Result<Exit, String> {
    let caller = edge::caller().map_err(|error| format!("cannot tell the working directory: {error}"))?;
    let mut state = State::at(Some(directory.to_owned()));
    waxcell::record_witnesses(&mut state, witnesses, &caller, SystemTime::now())
        .map_err(|error| edge::with_causes(&error))?;
    let made = make().map_err(|error| edge::with_causes(&error));
    // Those of now are the first to see it.
    edge::rest(&state);
    made.map(|()| Exit::SUCCESS)
}

fn show(journal: &Path, common: &Common) -> Result<Exit, String> {
    let told = |error: &dyn std::error::Error| edge::with_causes(error);
    let Some(witnesses) = Witnesses::of(journal).map_err(|error| told(&error))? else {
        if common.json {
            return Ok(edge::print("{\"witnesses\":null}\n", Exit::SUCCESS));
        }
        return Ok(edge::print("no witnesses\n", Exit::SUCCESS));
    };
    let publisher = Publisher::open(journal, &edge::host_name()).map_err(|error| told(&error))?;
    let cosigned = publisher.newest().map_err(|error| told(&error))?.and_then(|(_, cosigned)| cosigned);
    if common.json {
        let value = json!({
            "witnesses": witnesses.policy.witnesses().map(|witness| json!({
                "name": String::from_utf8_lossy(&witness.name),
                "key": witness.key.to_string(),
                "url": witness.url,
            })).collect::<Vec<_>>(),
            "require_within": witnesses.within,
            "cosigned": cosigned.map(|cosigned| cosigned.by),
            "quorum": cosigned.map(|cosigned| cosigned.quorum),
            "time": cosigned.and_then(|cosigned| cosigned.time),
        });
        return Ok(edge::print(&format!("{value}\n"), Exit::SUCCESS));
    }
    let mut text = witnesses.text.clone();
    if let Some(seconds) = witnesses.within {
        text += &format!("# nothing runs while no quorum has seen what is on record for {seconds} s\n");
    }
    match cosigned {
        Some(cosigned) => text += &format!("# the newest checkpoint is {cosigned}\n"),
        None => text += "# nothing was signed yet\n",
    }
    Ok(edge::print(&edge::printable_lines(&text), Exit::SUCCESS))
}

/// Has the newest checkpoint cosigned, and says what came of it where that is not all that could.
pub(super) fn cosign(publisher: &Publisher) -> Result<(), String> {
    let Round { silent, claims, evidence, .. } =
        ask(publisher, PATIENCE).map_err(|error| edge::with_causes(&error))?;
    for message in silent.iter().chain(&claims) {
        edge::complain(message);
    }
    match evidence.first() {
        None => Ok(()),
        Some(path) => Err(edge::with_causes(&waxcell_journal::PublishError::Evidence(path.clone()))),
    }
}

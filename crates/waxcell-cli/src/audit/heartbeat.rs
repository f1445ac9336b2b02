//! `waxcell audit heartbeat`: a record now, or at an interval, that says that nothing else was.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use waxcell::{Beat, SignalSet, State, Turn, read_signal};

use super::NO_PLACE;
use crate::args::Common;
use crate::edge;
use crate::exit::Exit;

/// What ends it.
const ENDING: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

/// No longer is slept at a time: the clock of a sleep stands still while the machine does, and heartbeats do not.
const NAP: Duration = Duration::from_secs(10);

pub(super) fn run(every: Option<Duration>, state: Option<&Path>, common: &Common) -> Exit {
    let done = state.ok_or_else(|| NO_PLACE.to_owned()).and_then(|state| match every {
        None => beat(state, Beat::Once),
        Some(every) => go_on(state, every, common),
    });
    match done {
        Ok(()) => Exit::SUCCESS,
        Err(message) => {
            edge::complain(&message);
            Exit::FAILED
        }
    }
}

/// Beats until a signal comes.
fn go_on(directory: &Path, every: Duration, common: &Common) -> Result<(), String> {
    // Before the first record: a signal then is the end of it all the same.
    let signals = SignalSet::of(&ENDING.map(Signal::as_raw));
    signals.block();
    let signals = signals.descriptor().map_err(|error| format!("cannot take signals: {error}"))?;
    let mut state = State::at(Some(PathBuf::from(directory)));
    let turn = Turn::take(&mut state).map_err(|error| edge::with_causes(&error))?;
    let _turn = turn.ok_or_else(|| {
        let directory = directory.display();
        format!("there is a heartbeat in `{directory}` already, and one is enough")
    })?;
    drop(state);
    beat(directory, Beat::Begins(every))?;
    if !common.quiet {
        edge::note(&format!("a heartbeat every {}, until this is ended", humantime::format_duration(every)));
    }
    let mut next = edge::since_boot() + every;
    while wait(&signals, next) {
        // One that could not be recorded is a gap that can be seen, and the next one may be.
        if let Err(message) = beat(directory, Beat::GoesOn(every)) {
            edge::complain(&message);
        }
        // Those that were missed, while the machine slept for example, are not made up for.
        let late = edge::since_boot().saturating_sub(next).as_nanos() / every.as_nanos();
        next += every.saturating_mul(u32::try_from(late + 1).unwrap_or(u32::MAX));
    }
    beat(directory, Beat::Ends)
}

/// Records a heartbeat, which is durable when this returns, and has it signed, cosigned and shown.
fn beat(directory: &Path, beat: Beat) -> Result<(), String> {
    let caller = edge::caller().map_err(|error| format!("cannot tell the working directory: {error}"))?;
    // Opened anew each time: whatever was wrong with the disk then does not go on being wrong here.
    let mut state = State::at(Some(PathBuf::from(directory)));
    let done = waxcell::heartbeat(&mut state, beat, &caller, SystemTime::now(), edge::since_boot());
    let done = done.map_err(|error| edge::with_causes(&error));
    edge::rest(&state);
    done.map(drop)
}

/// Waits until it is time; false where a signal came first.
fn wait(signals: &OwnedFd, until: Duration) -> bool {
    loop {
        let left = until.saturating_sub(edge::since_boot()).min(NAP);
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        // Interrupted is as good as nothing.
        let _ = poll(&mut [PollFd::new(signals, PollFlags::IN)], Some(&left));
        if read_signal(signals.as_fd()).is_some() {
            return false;
        }
        if edge::since_boot() >= until {
            return true;
        }
    }
}

//! The heartbeat: a record at an interval that says that nothing else was, so that this can be proved later.

use std::fs::TryLockError;
use std::time::{Duration, SystemTime};

use serde_json::json;
use waxcell_journal::{Mark, SpanId};

use crate::own_files;
use crate::record;
use crate::report::RecordProof;
use crate::run::Caller;
use crate::secrets::Secrets;
use crate::state::{State, StateError};

/// Held by whoever beats at an interval.
const LOCK: &str = "heartbeat.lock";

/// What a heartbeat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Only that it was.
    Once,
    /// That from now on there is one after each interval.
    Begins(Duration),
    /// That there is another one after this interval.
    GoesOn(Duration),
    /// That there are no more.
    Ends,
}

/// The right to beat at an interval, which one process of a state directory has; given back when dropped.
#[derive(Debug)]
pub struct Turn(
    #[expect(dead_code, reason = "the lock is held for as long as the file is open")] std::fs::File,
);

impl Turn {
    /// Takes it, if nobody has it. Makes the state directory.
    ///
    /// # Errors
    ///
    /// When the directory or the lock in it cannot be used.
    pub fn take(state: &mut State) -> Result<Option<Turn>, StateError> {
        state.begin()?;
        let path = state.directory().join(LOCK);
        let failed = |source| StateError::Directory { path: path.clone(), source };
        let file = own_files::open_to_append(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// Records a heartbeat, and before it what other processes left undone. `since_boot` is how long ago the machine was started,
/// by a clock that nobody can set and that goes on while it sleeps.
///
/// # Errors
///
/// When it cannot be recorded.
pub fn heartbeat(
    state: &mut State,
    beat: Beat,
    caller: &Caller,
    now: SystemTime,
    since_boot: Duration,
) -> Result<RecordProof, StateError> {
    state.begin()?;
    state.keep_secret(Secrets::of(&caller.env, &[]));
    state.settle(now, None)?;
    let at = humantime::format_rfc3339_micros(now).to_string();
    let (name, every) = match beat {
        Beat::Once => ("once", None),
        Beat::Begins(every) => ("begin", Some(every)),
        Beat::GoesOn(every) => ("beat", Some(every)),
        Beat::Ends => ("end", None),
    };
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let fields = json!({"state": name, "every_us": every.map(us), "since_boot_us": us(since_boot)});
    let receipt = state.record(
        Mark::None,
        SpanId::NONE,
        record::done_by(caller, "heartbeat", &at, SpanId::NONE, fields),
    )?;
    Ok(RecordProof::of(&receipt))
}

//! Who watches the log: a change of that is on record before it is made.

use std::time::SystemTime;

use serde_json::json;
use sha2::{Digest, Sha256};
use waxcell_journal::{Mark, SpanId, Witnesses};

use crate::record::{self, hex};
use crate::report::RecordProof;
use crate::run::Caller;
use crate::secrets::Secrets;
use crate::state::{State, StateError};

/// Records that these are the witnesses of the log from now on, or that there are none.
///
/// # Errors
///
/// When it cannot be recorded: then the witnesses should stay as they are.
pub fn record_witnesses(
    state: &mut State,
    witnesses: Option<&Witnesses>,
    caller: &Caller,
    now: SystemTime,
) -> Result<RecordProof, StateError> {
    state.begin()?;
    state.keep_secret(Secrets::of(&caller.env, &[]));
    let at = humantime::format_rfc3339_micros(now).to_string();
    let each = |witnesses: &Witnesses| -> Vec<_> {
        let one = |witness: &waxcell_journal::tlog::Witness| {
            let name = String::from_utf8_lossy(&witness.name);
            json!({"name": name, "vkey": witness.key.to_string(), "url": witness.url})
        };
        witnesses.policy.witnesses().map(one).collect()
    };
    let fields = json!({
        "action": if witnesses.is_some() { "set" } else { "none" },
        "witnesses": witnesses.map(each),
        "sha256": witnesses.map(|witnesses| hex(&Sha256::digest(&witnesses.text))),
        "require_within": witnesses.and_then(|witnesses| witnesses.within),
    });
    let record = record::done_by(caller, "witnesses", &at, SpanId::NONE, fields);
    let receipt = state.record(Mark::None, SpanId::NONE, record)?;
    Ok(RecordProof::of(&receipt))
}

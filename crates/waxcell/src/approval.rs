//! Approvals: a person lets a script through the gate, as it is, and says why.
//!
//! An approval is a record of the journal. Beside the journal lies one small file for each approved script, named by the
//! hash of its bytes, which says where that record is: so it is found at once however long the journal has become. What
//! counts is the record, which is read back: a file that no record bears out approves nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};
use waxcell_analysis::Profile;
use waxcell_journal::{Mark, Reader, SpanId};
use waxcell_sandbox::Switches;

use crate::analyst::Analyst;
use crate::gate::{Approver, Asked, Refusal, judge, seen};
use crate::interpreter::{self, InterpreterError, Search};
use crate::own_files;
use crate::policy::{Date, Policy};
use crate::record::{self, hex, unhex};
use crate::report::RecordProof;
use crate::run::Caller;
use crate::script::{Script, ScriptError};
use crate::secrets::Secrets;
use crate::state::{JOURNAL, State, StateError};

/// The folder of the small files, in the state directory.
const FOLDER: &str = "approvals";

/// What shall be approved.
#[derive(Debug)]
pub struct Approving<'a> {
    /// The script.
    pub script: &'a Path,
    /// The policy that it is to be run under: what stands in its way is on record.
    pub policy: &'a Policy,
    /// Who approves.
    pub caller: &'a Caller,
    /// Why, in that person's words.
    pub reason: &'a str,
    /// The last day on which it counts.
    pub until: Option<Date>,
}

/// A script that is approved, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Where the script was.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Who approved: a name, or `uid 1000`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When: RFC 3339.
    pub time: String,
    /// The last day on which it counts.
    pub until: Option<Date>,
    /// Whether that day is over.
    pub is_over: bool,
    /// The record.
    pub record: RecordProof,
}

/// What came of approving.
#[derive(Debug)]
pub struct Given {
    /// SHA-256 of the script's bytes.
    pub sha256: String,
    /// What the gate would have refused it for; `None`: nothing.
    pub in_the_way: Option<String>,
    /// The record.
    pub record: RecordProof,
}

/// Why nothing was approved, or withdrawn.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The interpreter, whose version decides how the script is read.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// What nobody can approve.
    #[error("this cannot be approved: {}", .0.reason)]
    Final(Box<Refusal>),
    /// There is nothing to withdraw.
    #[error("there is no approval of `{0}`")]
    Nothing(String),
    /// The small file that says where the approval is.
    #[error("cannot keep the approval in `{}`", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The record.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ApprovalError {
    /// What to do about it: one way out a line.
    pub fn help(&self) -> Vec<String> {
        match self {
            ApprovalError::Final(refusal) => refusal.help.clone(),
            ApprovalError::Interpreter(error) => error.help().map(str::to_owned).into_iter().collect(),
            ApprovalError::State(error) => error.help().map(str::to_owned).into_iter().collect(),
            ApprovalError::Nothing(_) => {
                vec!["`waxcell approve --list` has all there are; an approval is of the bytes of a script: if those have changed, name it by its sha256".to_owned()]
            }
            ApprovalError::Script(_) | ApprovalError::Keep { .. } => Vec::new(),
        }
    }
}

/// Lets a script through the gate from now on, as it is.
///
/// # Errors
///
/// When the script cannot be read or analysed, which nobody can approve, or this cannot be recorded.
pub fn approve(state: &mut State, asked: &Approving<'_>, now: SystemTime) -> Result<Given, ApprovalError> {
    let Approving { policy, caller, .. } = asked;
    let script = Script::read(asked.script, &caller.cwd)?;
    let search = Search::of(caller, script.folder());
    let interpreter = interpreter::find(policy.interpreter.as_deref(), &search)?;
    let of_gate = Asked {
        script: &script,
        policy,
        seen: seen(&script, policy, caller, &interpreter),
        interpreter: &interpreter,
        now,
        today: Date::of(now),
        switches: Switches::default(),
    };
    let name = script.given.to_string_lossy();
    let mut analyst = Analyst::start();
    let analyse = |profile: &Profile| analyst.analyse(&name, &script.bytes, interpreter.version, profile);
    let (said, in_the_way) = match judge(&of_gate, analyse, || None) {
        Ok(passed) => (passed.said().clone(), None),
        Err(refusal) if refusal.is_final => return Err(ApprovalError::Final(refusal)),
        Err(refusal) => (refusal.said, Some(refusal.reason)),
    };
    let at = begin(state, caller, now, policy)?;
    let fields = json!({
        "script": record::script_fields(&script),
        "policy": record::policy_fields(policy),
        "reason": asked.reason,
        "until": asked.until,
        "in_the_way": in_the_way,
        "findings": said.findings,
        "outside": said.outside,
        "gate": said.judgement,
    });
    let receipt = state.record(
        Mark::None,
        SpanId::NONE,
        record::done_by(caller, "approved", &at, SpanId::NONE, fields),
    )?;
    let record = RecordProof::of(&receipt);
    // It is on record and does not count yet: whoever dies here approves again.
    let sha256 = hex(&script.sha256);
    let path = file_of(state.directory(), &sha256);
    let keep = || own_files::replace_durably(&path, &serde_json::to_vec(&record)?);
    keep().map_err(|source| ApprovalError::Keep { path: path.clone(), source })?;
    Ok(Given { sha256, in_the_way, record })
}

/// Takes an approval back. `named` is the script, or the SHA-256 of its bytes.
///
/// # Errors
///
/// When there is none, or this cannot be recorded; in the second case it does not count any more all the same.
pub fn withdraw(
    state: &mut State,
    named: &Path,
    caller: &Caller,
    reason: &str,
    now: SystemTime,
) -> Result<RecordProof, ApprovalError> {
    let hash = named.to_str().filter(|name| name.len() == 64 && unhex(name).is_some());
    let sha256 = match hash {
        Some(hash) => hash.to_ascii_lowercase(),
        None => hex(&Script::read(named, &caller.cwd)?.sha256),
    };
    let path = file_of(state.directory(), &sha256);
    let kept = read(&path);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ApprovalError::Nothing(named.display().to_string()));
        }
        removed => removed.map_err(|source| ApprovalError::Keep { path, source })?,
    }
    // From here on it does not count, whatever happens to the record.
    state.begin()?;
    state.keep_secret(Secrets::of(&caller.env, &[]));
    let at = humantime::format_rfc3339_micros(now).to_string();
    let fields = json!({
        "script": {"sha256": sha256},
        "approval": kept.map(|(index, leaf_hash)| json!({"index": index, "leaf_hash": leaf_hash})),
        "reason": reason,
    });
    let receipt = state.record(
        Mark::None,
        SpanId::NONE,
        record::done_by(caller, "withdrawn", &at, SpanId::NONE, fields),
    )?;
    Ok(RecordProof::of(&receipt))
}

/// All approvals that records bear out, the oldest first.
pub fn approvals(directory: &Path, today: Date) -> Vec<Approval> {
    let entries = fs::read_dir(directory.join(FOLDER)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut all: Vec<_> = names.filter_map(|name| look_up(directory, &name, today)).collect();
    all.sort_by_key(|approval| approval.record.index);
    all
}

/// The approval of a script with these bytes that counts today.
pub(crate) fn find(directory: &Path, sha256: &[u8; 32], today: Date) -> Option<Approver> {
    let approval = look_up(directory, &hex(sha256), today).filter(|approval| !approval.is_over)?;
    let RecordProof { index, leaf_hash } = approval.record;
    Some(Approver { index, leaf_hash, by: approval.by, reason: approval.reason })
}

/// What the file of this name says, if the record that it names says the same.
fn look_up(directory: &Path, sha256: &str, today: Date) -> Option<Approval> {
    let (index, leaf_hash) = read(&file_of(directory, sha256))?;
    let mut reader = Reader::from_index(&directory.join(JOURNAL), index).ok()?;
    let found = reader.next()?.ok()?;
    let record: Value = serde_json::from_slice(&found.payload).ok()?;
    let is_it = found.index == index
        && hex(&found.leaf_hash) == leaf_hash
        && record["type"] == "approved"
        && record["script"]["sha256"] == sha256;
    let until = match &record["until"] {
        Value::Null => None,
        // What cannot be read is over.
        day => Some(day.as_str()?.parse::<Date>().ok()?),
    };
    let text = |value: &Value| value.as_str().unwrap_or("(kept apart from the record)").to_owned();
    let (user, uid) = (&record["actor"]["user"], &record["actor"]["uid"]);
    is_it.then(|| Approval {
        path: text(&record["script"]["path"]),
        sha256: sha256.to_owned(),
        by: user.as_str().map_or_else(|| format!("uid {uid}"), str::to_owned),
        reason: text(&record["reason"]),
        time: text(&record["time"]),
        until,
        is_over: until.is_some_and(|until| until.is_past(today)),
        record: RecordProof { index, leaf_hash },
    })
}

fn begin(state: &mut State, caller: &Caller, now: SystemTime, policy: &Policy) -> Result<String, StateError> {
    state.begin()?;
    state.keep_secret(Secrets::of(&caller.env, &policy.monitoring.secrets));
    state.settle(now, None)?;
    Ok(humantime::format_rfc3339_micros(now).to_string())
}

fn file_of(directory: &Path, sha256: &str) -> PathBuf {
    directory.join(FOLDER).join(sha256)
}

/// Index and leaf hash of the record.
fn read(path: &Path) -> Option<(u64, String)> {
    let kept: Value = serde_json::from_slice(&own_files::read(path).ok()?).ok()?;
    Some((kept["index"].as_u64()?, kept["leaf_hash"].as_str()?.to_owned()))
}

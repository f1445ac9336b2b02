//! What is written into the journal: one JSON object a record, keys in order, numbers whole.
//!
//! No field is a constant or an echo of the request: each is measured, or read back from the kernel.

mod fit;
mod sealed;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use waxcell_journal::{Disclosures, Recovered, SpanId, unseal};
use waxcell_sandbox::Enforced;

use crate::connections::Entry;
use crate::gate::Said;
use crate::interpreter::Interpreter;
use crate::policy::Policy;
use crate::report::Report;
use crate::run::{Caller, Request};
use crate::script::Script;
use crate::state::JOURNAL;

pub(crate) use fit::{fitted, indexed, whole, whole_with};
pub(crate) use sealed::{cover, seal};

/// Version of the records' form.
const FORM: u64 = 1;

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes behind [`hex`].
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.remainder().is_empty().then_some(())?;
    pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect()
}

/// A record of a state directory in full: with what was too long for its place in the journal, and with the values that
/// are kept apart from it, unless they are erased.
#[must_use]
pub fn read_record(state: &Path, payload: &[u8]) -> Value {
    opened(state, whole(payload, &state.join(JOURNAL)))
}

/// The same of a record that comes with what was too long for its place, as it does from an archive.
#[must_use]
pub fn read_archived(state: &Path, payload: &[u8], object: Option<&[u8]>) -> Value {
    match object {
        Some(object) => opened(state, whole_with(payload, Some(object))),
        None => read_record(state, payload),
    }
}

fn opened(state: &Path, mut record: Value) -> Value {
    let journal = state.join(JOURNAL);
    let run = record["run"].as_str().and_then(SpanId::from_hex);
    let disclosed = run.and_then(|run| Disclosures::of_journal(&journal).of(run).ok()).unwrap_or_default();
    unseal(&mut record, &disclosed.texts);
    record
}

/// The bytes of what is no text, by position.
pub(crate) fn not_text<'a>(values: impl Iterator<Item = &'a OsStr>) -> Value {
    let hexes = values.enumerate().filter(|(_, value)| value.to_str().is_none());
    Value::Object(hexes.map(|(at, value)| (at.to_string(), hex(value.as_bytes()).into())).collect())
}

/// The placeholders that a `started` record names.
pub(crate) fn placeholders_in(record: &Value) -> Vec<PathBuf> {
    let names = record.get("placeholders").and_then(Value::as_array).cloned().unwrap_or_default();
    names.iter().filter_map(Value::as_str).map(PathBuf::from).collect()
}

fn base(kind: &str, at: &str, run: SpanId) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("v".to_owned(), FORM.into());
    fields.insert("type".to_owned(), kind.into());
    fields.insert("time".to_owned(), at.into());
    fields.insert("run".to_owned(), run.to_string().into());
    fields
}

fn with(fields: Map<String, Value>, more: Value) -> Value {
    Value::Object(extended(fields, more))
}

fn extended(mut fields: Map<String, Value>, more: Value) -> Map<String, Value> {
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    fields
}

pub(crate) fn script_fields(script: &Script) -> Value {
    json!({
        "path": script.path.to_string_lossy(),
        "path_hex": not_text([script.path.as_os_str()].into_iter()),
        "sha256": hex(&script.sha256),
        "bytes": script.bytes.len(),
    })
}

pub(crate) fn policy_fields(policy: &Policy) -> Value {
    json!({
        "path": policy.source.path.as_ref().map(|path| path.to_string_lossy()),
        "sha256": policy.source.sha256_hex(),
        "project_root": policy.project_root.to_string_lossy(),
    })
}

fn actor_fields(caller: &Caller) -> Value {
    json!({
        "uid": caller.uid,
        "gid": caller.gid,
        "user": caller.user,
        "login_uid": caller.login_uid,
        "pid": caller.pid,
        "host": caller.host,
        "boot": caller.boot,
    })
}

/// `started`: durable before the script's first instruction.
pub(crate) struct Started<'a> {
    pub(crate) at: &'a str,
    pub(crate) run: SpanId,
    pub(crate) script: &'a Script,
    pub(crate) gate: &'a Said,
    pub(crate) args: &'a [OsString],
    pub(crate) placeholders: &'a [PathBuf],
    pub(crate) policy: &'a Policy,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) interpreter_sha256: &'a str,
    pub(crate) plan_sha256: &'a str,
    pub(crate) caller: &'a Caller,
    pub(crate) reason: Option<&'a str>,
}

impl Started<'_> {
    pub(crate) fn value(&self) -> Value {
        with(
            base("started", self.at, self.run),
            json!({
                "script": script_fields(self.script),
                "args": texts(self.args),
                "args_hex": not_text(self.args.iter().map(OsString::as_os_str)),
                "placeholders": self.placeholders.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
                "policy": policy_fields(self.policy),
                "plan": {"sha256": self.plan_sha256},
                "interpreter": {
                    "path": self.interpreter.path.to_string_lossy(),
                    "real": self.interpreter.real.to_string_lossy(),
                    "sha256": self.interpreter_sha256,
                    "version": self.interpreter.version.to_string(),
                },
                "actor": actor_fields(self.caller),
                "cwd": self.caller.cwd.to_string_lossy(),
                "reason": self.reason,
                "gate": self.gate.judgement,
            }),
        )
    }
}

/// `refused` before anything was started: with all that is known by then.
pub(crate) fn refused(
    at: &str,
    run: SpanId,
    script: Option<&Script>,
    request: &Request<'_>,
    report: &Report,
) -> Value {
    let unread = || json!({"path": report.script["path"], "sha256": null, "bytes": null});
    let unused =
        || json!({"path": report.policy["path"], "sha256": report.policy["sha256"], "project_root": null});
    with(
        extended(base("refused", at, run), refusal(report)),
        json!({
            "script": script.map_or_else(unread, script_fields),
            "args": texts(request.args),
            "args_hex": not_text(request.args.iter().map(OsString::as_os_str)),
            "policy": request.policy.map_or_else(|_| unused(), policy_fields),
            "actor": actor_fields(request.caller),
            "cwd": request.caller.cwd.to_string_lossy(),
            "reason": request.reason,
            "findings": report.findings,
            "outside": report.outside,
            "gate": report.gate,
        }),
    )
}

/// `refused` after `started`: the sandbox could not be built, or holds less than the plan. Nothing of the script ran.
pub(crate) fn not_built(at: &str, run: SpanId, report: &Report) -> Value {
    with(base("refused", at, run), refusal(report))
}

/// What every refusal says.
fn refusal(report: &Report) -> Value {
    json!({
        "verdict": report.verdict,
        "cause": report.cause,
        "help": report.help,
        "edits": report.edits,
        "exit_code": report.return_code,
    })
}

pub(crate) fn texts(args: &[OsString]) -> Vec<String> {
    args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
}

/// `finished`: how it ended and what it used.
pub(crate) fn finished(at: &str, run: SpanId, report: &Report, enforced: &Enforced) -> Value {
    let usage = &report.resource_usage;
    with(
        base("finished", at, run),
        json!({
            "verdict": report.verdict,
            "cause": report.cause,
            "exit_code": report.return_code,
            "limit": report.limit,
            "edits": report.edits,
            "usage": usage.counters,
            "stdout": {"bytes": report.stdout_bytes, "sha256": report.stdout_sha256},
            "stderr": {"bytes": report.stderr_bytes, "sha256": report.stderr_sha256},
            "violations": report.violations,
            "violations_beyond": report.violations_beyond,
            "network": report.network.iter().filter(|entry| matches!(entry, Entry::Connection(_))).collect::<Vec<_>>(),
            "network_beyond": report.network_beyond,
            "network_usage": report.network_usage,
            "files_changed": report.files_changed,
            "files_changed_whole": report.files_changed_whole,
            "quarantine": report.quarantine,
            "script_replaced": report.script_replaced,
            "findings": report.findings,
            "outside": report.outside,
            "enforced": {
                "namespaces": enforced.namespaces,
                "degraded": enforced.degraded,
                "host_uid": enforced.host_uid,
                "capabilities": enforced.capabilities,
                "no_new_privs": enforced.no_new_privs,
                "seccomp": enforced.seccomp,
                "landlock": enforced.landlock,
                "limits_by": enforced.limits_by,
                "scratch_by": enforced.scratch_by,
                "memory_limit": enforced.memory_limit,
                "rlimits": enforced.rlimits,
                "egress": enforced.egress,
                "mounts": enforced.mounts.len(),
                "layers": enforced.layers.len(),
            },
        }),
    )
}

/// `lost`: a run was started and nobody is left who could say how it ended.
pub(crate) fn lost(at: &str, run: SpanId, started_index: u64) -> Value {
    with(base("lost", at, run), json!({"started_index": started_index}))
}

/// `operator`: somebody decided about what a run left.
pub(crate) fn operator(at: &str, run: SpanId, action: &str, caller: &Caller, more: Value) -> Value {
    let decided = json!({"action": action, "actor": actor_fields(caller)});
    with(extended(base("operator", at, run), decided), more)
}

/// What somebody decided or had done, of this kind: `redact` (of a run, values are erased); and of no run `heartbeat` (this host
/// was there, and what is on record before it is all there was), `witnesses` (others watch the log from here on),
/// `approved` or `withdrawn` (a script is let through the gate as it is, or no longer), `archive` or `prune` (records are
/// packed, or taken away where they lay).
pub(crate) fn done_by(caller: &Caller, kind: &str, at: &str, run: SpanId, more: Value) -> Value {
    with(extended(base(kind, at, run), json!({"actor": actor_fields(caller)})), more)
}

/// `recovered`: an unfinished write of a process or machine that stopped was removed.
pub(crate) fn recovered(at: &str, recovered: &Recovered) -> Value {
    with(
        base("recovered", at, SpanId::NONE),
        json!({
            "file": recovered.file.file_name().map(|name| name.to_string_lossy()),
            "offset": recovered.offset,
            "bytes": recovered.bytes,
            "sha256": hex(&recovered.sha256),
            "missing": recovered.missing,
        }),
    )
}

//! Three JSON-lines views of the journal for people and log shippers, with the proposals' names and fields.
//!
//! Views: the journal is the record. A view that cannot be written costs nothing but the view.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::connections::Entry;
use crate::own_files;
use crate::policy::{LogLevel, Monitoring};
use crate::record;
use crate::report::Report;
use crate::verdict::Verdict;

const EXECUTION: &str = "execution_audit.log";
const SECURITY: &str = "security_events.log";
const RESOURCES: &str = "resource_usage.log";

/// One whole line in one write, so that lines of several processes do not mix.
fn append(logs: &Path, name: &str, line: &Value) {
    let write = || -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(logs)?;
        let mut file = own_files::open_to_append(&logs.join(name))?;
        file.write_all(format!("{line}\n").as_bytes())
    };
    let _ = write();
}

/// What a run adds to the views; `monitoring` of its policy, if it could be read, says what is worth a line of the security view.
pub(crate) fn run(
    logs: &Path,
    at: &str,
    report: &Report,
    args: &[OsString],
    monitoring: Option<&Monitoring>,
) {
    let least = monitoring.map_or(LogLevel::Info, |monitoring| monitoring.log_level);
    let script_path = report.script.get("path").cloned().flatten();
    let script_hash = report.script.get("sha256").cloned().flatten();
    append(
        logs,
        EXECUTION,
        &json!({
            "timestamp": at,
            "run_id": report.run_id,
            "script_path": script_path,
            "script_hash": script_hash,
            "args": record::texts(args),
            "return_code": report.return_code,
            "stdout_hash": report.stdout_sha256,
            "stderr_hash": report.stderr_sha256,
            "execution_time": report.execution_time,
            "success": report.success,
            "verdict": report.verdict,
            "resource_usage": report.resource_usage,
        }),
    );
    append(
        logs,
        RESOURCES,
        &json!({
            "timestamp": at,
            "run_id": report.run_id,
            "script_path": script_path,
            "execution_time": report.execution_time,
            "return_code": report.return_code,
            "resource_usage": report.resource_usage,
        }),
    );
    let event = |level: LogLevel, kind: &str, message: String, details: Value| {
        if level >= least {
            let line = json!({
                "timestamp": at,
                "run_id": report.run_id,
                "level": level.name(),
                "event_type": kind,
                "message": message,
                "script_path": script_path,
                "details": details,
            });
            append(logs, SECURITY, &line);
        }
    };
    for violation in &report.violations {
        let message = format!("{} on {} was refused", violation.operation, violation.target);
        event(LogLevel::Warning, "VIOLATION", message, json!(violation));
    }
    let is_told = monitoring.is_some_and(|monitoring| monitoring.security_events.log_network_activity);
    for entry in report.network.iter().filter(|_| is_told) {
        if let Entry::Connection(connection) = entry {
            let to = connection.name.clone().or(connection.address.map(|address| address.to_string()));
            let message = format!("connection to {} on port {}", to.unwrap_or_default(), connection.port);
            event(LogLevel::Info, "CONNECTION", message, json!(connection));
        }
    }
    match report.verdict {
        Verdict::Ok | Verdict::Failed => {}
        Verdict::Refused => {
            event(LogLevel::Warning, "REFUSED", report.cause.clone(), json!({"findings": report.findings}));
        }
        Verdict::Error => event(LogLevel::Error, "ERROR", report.cause.clone(), json!({})),
        verdict => event(LogLevel::Warning, "STOPPED", report.cause.clone(), json!({"verdict": verdict})),
    }
}

/// A run was lost.
pub(crate) fn lost(logs: &Path, at: &str, run: &str) {
    let line = json!({
        "timestamp": at,
        "run_id": run,
        "level": LogLevel::Error.name(),
        "event_type": "LOST",
        "message": "the run was started, and its supervisor ended before it did",
        "script_path": null,
        "details": {},
    });
    append(logs, SECURITY, &line);
}

//! Three JSON-lines views of the journal for people and log shippers, with the proposals' names and fields.
//!
//! Views: the journal is the record. A view that cannot be written costs nothing but the view.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;

use serde_json::{Value, json};

use crate::connections::News;
use crate::own_files;
use crate::policy::{LogLevel, Monitoring};
use crate::record;
use crate::report::Report;
use crate::state::State;
use crate::verdict::Verdict;

const EXECUTION: &str = "execution_audit.log";
const SECURITY: &str = "security_events.log";
const RESOURCES: &str = "resource_usage.log";

/// One whole line in one write, so that lines of several processes do not mix.
fn append(state: &State, name: &str, mut line: Value) {
    record::cover(&mut line, state.secrets());
    let logs = state.logs();
    let write = || -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&logs)?;
        let mut file = own_files::open_to_append(&logs.join(name))?;
        file.write_all(format!("{line}\n").as_bytes())
    };
    let _ = write();
}

/// Lines of one run.
pub(crate) struct Lines<'a> {
    /// Where the views are, and what is kept out of them.
    pub(crate) state: &'a State,
    /// The run's name.
    pub(crate) run: &'a str,
    /// The script's path.
    pub(crate) script: Option<&'a str>,
    /// What is worth a line, if its policy could be read.
    pub(crate) monitoring: Option<&'a Monitoring>,
}

impl Lines<'_> {
    /// What the way out has told while the run goes on, if the policy asks for that.
    pub(crate) fn news(&self, at: &str, news: News) {
        if !self.monitoring.is_some_and(|monitoring| monitoring.security_events.log_network_activity) {
            return;
        }
        match news {
            News::Connection(connection) => {
                let to = connection.name.clone().or(connection.address.map(|address| address.to_string()));
                let message = format!("connection to {} on port {}", to.unwrap_or_default(), connection.port);
                self.event(at, LogLevel::Info, "CONNECTION", message, json!(connection));
            }
            News::Counters(counters) => {
                let line = json!({
                    "timestamp": at,
                    "run_id": self.run,
                    "script_path": self.script,
                    "network_usage": counters,
                });
                append(self.state, RESOURCES, line);
            }
        }
    }

    fn event(&self, at: &str, level: LogLevel, kind: &str, message: String, details: Value) {
        if level >= self.monitoring.map_or(LogLevel::Info, |monitoring| monitoring.log_level) {
            let line = json!({
                "timestamp": at,
                "run_id": self.run,
                "level": level.name(),
                "event_type": kind,
                "message": message,
                "script_path": self.script,
                "details": details,
            });
            append(self.state, SECURITY, line);
        }
    }
}

/// What a run adds to the views when it has ended; `monitoring` of its policy, if it could be read, says what is worth a line of the security view.
pub(crate) fn run(
    state: &State,
    at: &str,
    report: &Report,
    args: &[OsString],
    monitoring: Option<&Monitoring>,
) {
    let script_path = report.script.get("path").cloned().flatten();
    let script_hash = report.script.get("sha256").cloned().flatten();
    append(
        state,
        EXECUTION,
        json!({
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
        state,
        RESOURCES,
        json!({
            "timestamp": at,
            "run_id": report.run_id,
            "script_path": script_path,
            "execution_time": report.execution_time,
            "return_code": report.return_code,
            "resource_usage": report.resource_usage,
            "network_usage": report.network_usage,
        }),
    );
    let lines = Lines { state, run: &report.run_id, script: script_path.as_deref(), monitoring };
    let event = |level: LogLevel, kind: &str, message: String, details: Value| {
        lines.event(at, level, kind, message, details)
    };
    for violation in &report.violations {
        let message = format!("{} on {} was refused", violation.operation, violation.target);
        event(LogLevel::Warning, "VIOLATION", message, json!(violation));
    }
    match report.verdict {
        Verdict::Ok | Verdict::Failed => {}
        Verdict::Refused => {
            event(
                LogLevel::Warning,
                "REFUSED",
                report.cause.clone(),
                json!({"findings": report.findings, "outside": report.outside}),
            );
        }
        Verdict::Error => event(LogLevel::Error, "ERROR", report.cause.clone(), json!({})),
        verdict => event(LogLevel::Warning, "STOPPED", report.cause.clone(), json!({"verdict": verdict})),
    }
}

/// A run was lost.
pub(crate) fn lost(state: &State, at: &str, run: &str) {
    let line = json!({
        "timestamp": at,
        "run_id": run,
        "level": LogLevel::Error.name(),
        "event_type": "LOST",
        "message": "the run was started, and its supervisor ended before it did",
        "script_path": null,
        "details": {},
    });
    append(state, SECURITY, line);
}

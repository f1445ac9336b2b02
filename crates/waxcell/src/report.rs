//! The report of a run: the proposals' keys first, then what a program needs to know more.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waxcell_journal::{Receipt, SpanId};
use waxcell_sandbox::{Enforced, Usage};

use crate::changes::Change;
use crate::connections::{Entry, Told};
use crate::edit::Edit;
use crate::gate::{Judged, Judgement, Needed, Said};
use crate::limit::Limit;
use crate::policy::Policy;
use crate::quarantine::{Head, Left};
use crate::record;
use crate::run::Request;
use crate::script::Script;
use crate::verdict::Verdict;
use crate::violation::Violation;

/// What `--json` and `--report` give.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Verdict `ok`.
    pub success: bool,
    /// The exit code of `waxcell run`; the script's own where it has one.
    pub return_code: i32,
    /// Captured standard output, up to a bound; empty when it was streamed.
    pub stdout: String,
    /// Captured standard error, up to a bound; empty when it was streamed.
    pub stderr: String,
    /// Whether more was written than is kept here.
    pub output_truncated: bool,
    /// Wall-clock seconds of the script.
    pub execution_time: f64,
    /// What it used.
    pub resource_usage: ResourceUsage,
    /// The outcome in one word.
    pub verdict: Verdict,
    /// The outcome in a sentence.
    pub cause: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// The limit that ended the run, or that refused something in it.
    pub limit: Option<Limit>,
    /// Changes of the policy with which the run would have begun, or gone on. For a limit, a guess.
    pub edits: Vec<Edit>,
    /// The run's name in the journal; empty if nothing of it is there.
    pub run_id: String,
    /// The script.
    pub script: BTreeMap<&'static str, Option<String>>,
    /// The policy.
    pub policy: BTreeMap<&'static str, Option<String>>,
    /// What static analysis found, and what follows from it.
    pub findings: Vec<Judged>,
    /// What the script needs and the policy does not give.
    pub outside: Vec<Needed>,
    /// What the gate made of both; absent if it was not asked.
    pub gate: Option<Judgement>,
    /// What was tried and refused.
    pub violations: Vec<Violation>,
    /// Refused operations on targets beyond the bound of `violations`.
    pub violations_beyond: u64,
    /// Files that were created, changed and removed in writable paths.
    pub files_changed: Vec<Change>,
    /// Whether `files_changed` is the whole list.
    pub files_changed_whole: bool,
    /// What waits in the run's quarantine, if its writes go there and there are any.
    pub quarantine: Option<Head>,
    /// Whether somebody outside of the run replaced the script's file while it ran, so that what Python read of it may not
    /// be what was hashed; `None` if that could not be told.
    pub script_replaced: Option<bool>,
    /// Connections that left the run, and attempts that did not.
    pub network: Vec<Entry>,
    /// Connections beyond the bound of `network`.
    pub network_beyond: u64,
    /// Connections, bytes and questions of all of them; absent where no connection could leave.
    pub network_usage: Option<Value>,
    /// What the kernel held the script to, read back; absent if it was not started.
    pub enforced: Option<Enforced>,
    /// Proof that the run is on record.
    pub record: Option<RecordProof>,
    /// Bytes of standard output.
    pub stdout_bytes: u64,
    /// SHA-256 of standard output.
    pub stdout_sha256: String,
    /// Bytes of standard error.
    pub stderr_bytes: u64,
    /// SHA-256 of standard error.
    pub stderr_sha256: String,
}

impl Report {
    /// What is known of a run before anything of it took place. Every field is there, null or empty.
    pub(crate) fn blank(
        request: &Request<'_>,
        run: SpanId,
        verdict: Verdict,
        script: Option<&Script>,
    ) -> Report {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let given = || request.caller.cwd.join(request.script);
        let policy_path = match request.policy {
            Ok(policy) => policy.source.path.clone(),
            Err(error) => error.path().map(|path| request.caller.cwd.join(path)),
        };
        let policy_sha256 = match request.policy {
            Ok(policy) => Some(policy.source.sha256),
            Err(error) => error.sha256(),
        };
        Report {
            run_id: run.to_string(),
            script: [
                ("path", Some(script.map_or_else(|| text(&given()), |script| text(&script.path)))),
                ("sha256", script.map(|script| record::hex(&script.sha256))),
            ]
            .into(),
            policy: [
                ("path", policy_path.map(|path| text(&path))),
                ("sha256", policy_sha256.map(|hash| record::hex(&hash))),
            ]
            .into(),
            ..Report::of_nothing(verdict)
        }
    }

    /// Waxcell failed before it had looked at policy and script: `cause` is all there is to say.
    pub fn of_failure(script: &Path, cause: &str) -> Report {
        let mut report = Report::of_nothing(Verdict::Error);
        report.return_code = 125;
        report.cause = cause.to_owned();
        report.script.insert("path", Some(script.to_string_lossy().into_owned()));
        report
    }

    fn of_nothing(verdict: Verdict) -> Report {
        let nothing = record::hex(&Sha256::digest([]));
        Report {
            success: false,
            return_code: 0,
            stdout: String::new(),
            stderr: String::new(),
            output_truncated: false,
            execution_time: 0.0,
            resource_usage: ResourceUsage::of(&Usage::default()),
            verdict,
            cause: String::new(),
            help: None,
            limit: None,
            edits: Vec::new(),
            run_id: String::new(),
            script: [("path", None), ("sha256", None)].into(),
            policy: [("path", None), ("sha256", None)].into(),
            findings: Vec::new(),
            outside: Vec::new(),
            gate: None,
            violations: Vec::new(),
            violations_beyond: 0,
            files_changed: Vec::new(),
            files_changed_whole: true,
            quarantine: None,
            script_replaced: Some(false),
            network: Vec::new(),
            network_beyond: 0,
            network_usage: None,
            enforced: None,
            record: None,
            stdout_bytes: 0,
            stdout_sha256: nothing.clone(),
            stderr_bytes: 0,
            stderr_sha256: nothing,
        }
    }

    /// What the gate has to say.
    pub(crate) fn judged(&mut self, said: &Said) {
        self.findings.clone_from(&said.findings);
        self.outside.clone_from(&said.outside);
        self.gate = Some(said.judgement.clone());
    }

    /// What the run changed, or would change.
    pub(crate) fn left(&mut self, left: Left) {
        self.files_changed = left.changes.list;
        self.files_changed_whole = left.changes.whole;
        self.quarantine = left.waiting;
    }

    /// What went through the way out, and what did not.
    pub(crate) fn talked(&mut self, way_out: &Told, policy: &Policy) {
        let connections = way_out.connections(policy).into_iter().map(Entry::Connection);
        self.network = connections.chain(self.violations.iter().filter_map(Entry::denied)).collect();
        self.network_beyond = way_out.beyond;
        self.network_usage = policy.network.asks_for_egress().then(|| json!(way_out.counters));
        if let Some(why) = &way_out.failed {
            self.cause = format!("{}: {why}", self.cause);
        }
    }

    /// The run took place, and something that had to be done after it failed.
    pub(crate) fn fails_after(&mut self, what: &str, why: &str) {
        self.cause = format!("the script ran ({}: {}), and {what}: {why}", self.verdict.name(), self.cause);
        self.success = false;
        self.verdict = Verdict::Error;
        self.return_code = 125;
    }
}

/// Where the closing record stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordProof {
    /// Its index.
    pub index: u64,
    /// Its leaf hash (RFC 6962).
    pub leaf_hash: String,
}

impl RecordProof {
    pub(crate) fn of(receipt: &Receipt) -> RecordProof {
        RecordProof { index: receipt.index(), leaf_hash: record::hex(&receipt.leaf_hash()) }
    }
}

/// What a run used: the proposals' figures, and the counters they come from.
#[derive(Clone, Debug, Serialize)]
pub struct ResourceUsage {
    /// CPU time as a percentage of wall-clock time.
    pub cpu_percent: f64,
    /// Most memory at one time, in MiB.
    pub memory_mb: f64,
    /// Bytes exchanged with storage.
    pub disk_io: u64,
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Processes started, the script's own among them.
    pub processes: u64,
    /// The kernel's counters: times in microseconds, sizes in bytes.
    pub counters: Value,
}

impl ResourceUsage {
    /// Converts the kernel's counters.
    pub(crate) fn of(usage: &Usage) -> ResourceUsage {
        let wall = usage.wall.as_secs_f64();
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        ResourceUsage {
            cpu_percent: round(if wall > 0.0 { usage.cpu.as_secs_f64() / wall * 100.0 } else { 0.0 }),
            memory_mb: round(usage.memory_peak as f64 / (1 << 20) as f64),
            disk_io: usage.read_bytes + usage.write_bytes,
            cpu_seconds: round(usage.cpu.as_secs_f64()),
            processes: usage.processes,
            counters: json!({
                "wall_us": usage.wall.as_micros() as u64,
                "cpu_us": usage.cpu.as_micros() as u64,
                "user_us": usage.user.as_micros() as u64,
                "system_us": usage.system.as_micros() as u64,
                "memory_peak": usage.memory_peak,
                "max_rss": usage.max_rss,
                "processes": usage.processes,
                "threads": usage.threads,
                "read_bytes": usage.read_bytes,
                "write_bytes": usage.write_bytes,
                "read_calls_bytes": usage.read_calls_bytes,
                "write_calls_bytes": usage.write_calls_bytes,
                "voluntary_switches": usage.voluntary_switches,
                "involuntary_switches": usage.involuntary_switches,
                "output": usage.output,
                "scratch_bytes": usage.scratch_bytes,
                "scratch_files": usage.scratch_files,
            }),
        }
    }
}

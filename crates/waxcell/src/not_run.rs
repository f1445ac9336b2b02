//! Runs that did not take place: why, what of them is on record, and the report of them.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use waxcell_journal::{Mark, SpanId, SpanLock, with_causes};
use waxcell_sandbox::SpawnError;

use crate::edit::Edit;
use crate::gate::Refusal;
use crate::interpreter::InterpreterError;
use crate::plan_error::PlanError;
use crate::policy::Degradation;
use crate::record;
use crate::report::{RecordProof, Report};
use crate::run::Request;
use crate::script::{Script, ScriptError};
use crate::state::{State, StateError};
use crate::verdict::Verdict;
use crate::views;

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The policy; what is wrong with it in full is what the request brought.
    #[error("{cause}")]
    Policy {
        /// The first of its mistakes.
        cause: String,
        /// What to do about that.
        help: Option<String>,
    },
    /// The interpreter.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// The gate.
    #[error(transparent)]
    Judged(#[from] Box<Refusal>),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The record.
    #[error(transparent)]
    State(#[from] StateError),
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] SpawnError),
    /// The interpreter's binary cannot be hashed.
    #[error("cannot read the interpreter `{}`", path.display())]
    Hash {
        /// The binary.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RunError {
    /// The exit code for it (see the table in `docs/cli.md`).
    pub fn exit_code(&self) -> i32 {
        match self {
            RunError::Script(error) if error.is_not_found() => 127,
            RunError::Interpreter(error) if error.is_not_found() => 127,
            RunError::Sandbox(error) if !error.is_refusal() => 125,
            RunError::State(_) | RunError::Hash { .. } => 125,
            RunError::Script(_)
            | RunError::Policy { .. }
            | RunError::Interpreter(_)
            | RunError::Judged(_)
            | RunError::Plan(_)
            | RunError::Sandbox(_) => 126,
        }
    }

    /// The verdict for it: a judgement, or something that is not there or went wrong.
    pub fn verdict(&self) -> Verdict {
        if self.exit_code() == 126 { Verdict::Refused } else { Verdict::Error }
    }

    /// What to do about it, where the error itself does not say so: one way out a line.
    pub fn help(&self) -> Vec<String> {
        let one = |help: Option<&str>| help.map(str::to_owned).into_iter().collect();
        let mut help: Vec<String> = match self {
            RunError::Policy { help, .. } => one(help.as_deref()),
            RunError::Judged(refusal) => refusal.help.clone(),
            RunError::Plan(error) => one(error.help()),
            RunError::State(error) => one(error.help()),
            RunError::Sandbox(error) => one(error.help()),
            RunError::Interpreter(error) => one(error.help()),
            RunError::Script(_) | RunError::Hash { .. } => Vec::new(),
        };
        if matches!(self, RunError::Sandbox(error) if error.lacks_namespaces()) {
            let lost = Degradation::Namespaces;
            help.push(format!(
                "or let the policy accept the loss with `degrade: [{}]`: {}",
                lost.name(),
                lost.loses()
            ));
        }
        help.retain(|help| !help.is_empty());
        help.dedup();
        help
    }

    /// The change of the policy with which the run could begin.
    fn edits(&self) -> Vec<Edit> {
        let lost = match self {
            RunError::Sandbox(error) if error.lacks_namespaces() => Degradation::Namespaces,
            RunError::Sandbox(SpawnError::NoLandlock) => Degradation::Landlock,
            RunError::Judged(refusal) => return refusal.edits.clone(),
            _ => return Vec::new(),
        };
        vec![Edit::Add { key: "degrade", value: lost.name().to_owned() }]
    }

    /// Whether it goes on record. A script that is not there is a slip of the pen, and what cannot be recorded cannot.
    fn is_recorded(&self) -> bool {
        match self {
            RunError::Script(error) => !error.is_not_found(),
            RunError::State(_) => false,
            _ => true,
        }
    }
}

/// A run that did not take place, with the report of it.
#[derive(Debug)]
pub struct NotRun {
    /// Why.
    pub error: RunError,
    /// For programs, with every field that the report of a run has.
    pub report: Report,
}

/// How far a run has come: what can be said of it if it goes no further.
pub(crate) struct Progress {
    pub(crate) run: SpanId,
    /// Once it was read.
    pub(crate) script: Option<Script>,
    /// Held from the moment on that there is something to clear away.
    pub(crate) alive: Option<SpanLock>,
    /// Whether `started` is on record.
    pub(crate) started: bool,
}

impl Progress {
    /// The run went no further: recorded where there is something to record, and a place for it.
    pub(crate) fn ends(
        self,
        request: &Request<'_>,
        state: &mut State,
        now: SystemTime,
        error: RunError,
    ) -> Box<NotRun> {
        let at = &humantime::format_rfc3339_micros(now).to_string();
        let Progress { run, script, started, alive } = self;
        let mut report = Report {
            return_code: error.exit_code(),
            cause: with_causes(&error),
            help: Some(error.help().join("; ")).filter(|help| !help.is_empty()),
            edits: error.edits(),
            ..Report::blank(request, run, error.verdict(), script.as_ref())
        };
        if let RunError::Judged(refusal) = &error {
            report.judged(&refusal.said);
        }
        if !error.is_recorded() {
            // A journal that is open is settled in any case: what it found is told once.
            if state.is_open() {
                let _ = state.settle(now, alive.as_ref());
            }
        } else {
            let recorded = if started {
                let record = record::not_built(at, run, &report);
                state.record(Mark::Close, run, record)
            } else {
                let record = record::refused(at, run, script.as_ref(), request, &report);
                // What an earlier process left undone comes first.
                state.settle(now, alive.as_ref()).and_then(|()| state.record(Mark::None, run, record))
            };
            match recorded {
                Ok(receipt) => report.record = Some(RecordProof::of(&receipt)),
                Err(error) => {
                    report.cause.push_str(&format!("; nor could that be recorded: {}", with_causes(&error)))
                }
            }
        }
        if report.record.is_some() {
            let monitoring = request.policy.ok().map(|policy| &policy.monitoring);
            views::run(state, at, &report, request.args, monitoring);
        } else {
            // A name for what is nowhere else would lead nowhere.
            report.run_id.clear();
        }
        drop(alive);
        Box::new(NotRun { error, report })
    }
}

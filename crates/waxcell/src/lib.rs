//! Waxcell, the library: what a policy says, whether a script may run, and the story of one run ([`run()`]).
//!
//! Rules of this crate: it does not print, is not async, has no `unsafe`, and takes clock and environment as
//! arguments.

mod analyses;
mod analyst;
mod approval;
mod attempt;
mod changes;
mod closed;
mod connections;
mod credentials;
pub mod dependencies;
mod diff;
mod edit;
mod egress;
pub mod export;
mod gate;
mod git_config;
mod heartbeat;
pub mod interpreter;
mod layered;
mod limit;
mod named;
mod not_run;
mod own_files;
mod pinned;
mod placeholders;
mod plain;
mod plan_error;
mod planning;
pub mod policy;
pub mod quarantine;
mod record;
mod redact;
mod report;
mod retention;
mod run;
mod script;
mod secrets;
mod state;
mod verdict;
mod view;
mod views;
mod violation;
mod watchers;
mod way;
mod why;

pub use analyst::Analyst;
pub use approval::{Approval, ApprovalError, Approving, Given, approvals, approve, withdraw};
pub use changes::Change;
pub use edit::Edit;
pub use gate::{
    Approved, Approver, Baseline, BaselineError, By, Judged, Judgement, Needed, Outside, Refusal, Seen,
    Suppressed, outside,
};
pub use heartbeat::{Beat, Turn, heartbeat};
pub use limit::{Limit, LimitUnit};
pub use not_run::{NotRun, RunError};
pub use plan_error::PlanError;
pub use record::{read_archived, read_record};
pub use redact::{Apartness, Erased, RedactError, Redacted, Redaction, apartness, redact};
pub use report::{Report, ResourceUsage};
pub use retention::{Archived, Old, OldError, Pruned, archive, prune};
pub use run::{Caller, Request, Streams, run};
pub use script::{Script, ScriptError};
pub use state::{State, StateError};
pub use verdict::Verdict;
pub use violation::Violation;
pub use watchers::record_witnesses;
pub use waxcell_analysis::{Finding, PythonVersion};
pub use waxcell_sandbox::{
    Enforced, Interrupts, ReceivedSignal, SignalSet, Stream, Switch, Switches, read_signal,
};
pub use way::{WayError, open_folder};
pub use why::{Denied, Left, Outcome, Patch, PatchError, Why, WhyError, records_of};

/// To be called first in `main` of a program that starts runs or has scripts analysed, with the program's arguments. If it was
/// executed to be a process of ours (the way out of a run, or one that analyses), that is what it is from here on, with nothing in
/// its memory but what it needs, and this does not return. A program that does not call it has copies of itself in their places.
pub fn serve_if_asked(arguments: impl Iterator<Item = std::ffi::OsString>) {
    let arguments: Vec<_> = arguments.collect();
    connections::serve_if_asked(arguments.iter().cloned());
    analyst::analyse_if_asked(arguments.into_iter());
}

//! What a script needs that its policy does not give.
//!
//! Only what is certain is a reason to refuse. What is not known before the script runs is left to the kernel, which
//! holds the script to the policy in any case; a run that could only fail is told of before it begins.

mod files;
mod network;

pub(crate) use files::plain;
pub(crate) use network::is_loopback;

use std::path::{Path, PathBuf};

use serde::Serialize;
use waxcell_analysis::{Capabilities, Capability, Certainty, Evidence, Family, Target};
use waxcell_operations::Operation;

use crate::edit::Edit;
use crate::policy::Policy;

/// Something that a script needs and the policy does not give: without it the run could only fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outside {
    /// The line of the script that shows it, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// What it is, as one sentence: lower case, no full stop.
    pub what: String,
    /// Changes of the policy that would give it; empty where no policy can.
    pub edits: Vec<Edit>,
    /// Whether the script needs it without doubt. Only then it is a reason to refuse.
    pub certain: bool,
}

/// Where a script is run, as far as its paths depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The working directory.
    pub cwd: &'a Path,
    /// The folder of the script.
    pub script: &'a Path,
    /// The project, if it is shown.
    pub project: Option<&'a Path>,
    /// Folders of the interpreter.
    pub roots: &'a [PathBuf],
}

/// What a script needs beyond its policy, in the order of its lines; each place and sentence once.
pub fn outside(capabilities: &Capabilities, policy: &Policy, seen: &Seen<'_>) -> Vec<Outside> {
    let mut found: Vec<Outside> = Vec::new();
    if !capabilities.complete {
        // Of thousands of real programs none is: it was made for that.
        let what = "is too much for what it can use to be followed to its end".to_owned();
        found.push(Outside { line: 1, column: 1, what, edits: Vec::new(), certain: true });
    }
    for entry in &capabilities.entries {
        let Some((what, edits)) = needs(entry, capabilities, policy, seen) else { continue };
        let Some(place) = best(&entry.places) else { continue };
        let certain = !place.optional && entry.certainty != Certainty::Unknown;
        let Evidence { line, column, .. } = *place;
        let outside = Outside { line, column, what, edits, certain };
        match found.iter_mut().find(|known| (known.line, &known.what) == (line, &outside.what)) {
            Some(known) => known.certain |= certain,
            None => found.push(outside),
        }
    }
    found.sort_by_key(|outside| (outside.line, outside.column));
    found
}

/// The first place where the script cannot do without; else the first one.
fn best(places: &[Evidence]) -> Option<&Evidence> {
    places.iter().find(|place| !place.optional).or(places.first())
}

type Need = (String, Vec<Edit>);

fn needs(entry: &Capability, all: &Capabilities, policy: &Policy, seen: &Seen<'_>) -> Option<Need> {
    match (&entry.target, entry.operation) {
        (Target::Module { name: Some(name), network: true }, _) => network::module(name, all, policy),
        (Target::Host { host: Some(host), port }, Some(operation)) => {
            network::host(operation, host, *port, entry.certainty, policy)
        }
        (Target::Path { path: Some(path), .. }, Some(Operation::IpcUnix)) => network::unix(path),
        (Target::Path { path: Some(path), base }, Some(operation)) => {
            files::needs(operation, path, *base, all, policy, seen)
        }
        (_, Some(Operation::ProcFork)) if policy.execution.processes == 0 => Some((
            "starts a process, and this policy allows none".to_owned(),
            vec![Edit::Set { key: "execution.max_processes", value: "5".to_owned() }],
        )),
        (_, None) if entry.family == Family::Threads && policy.execution.threads == 0 => Some((
            "starts a thread, and this policy allows none".to_owned(),
            vec![Edit::Set { key: "execution.max_threads", value: "64".to_owned() }],
        )),
        (Target::None, Some(operation)) if entry.certainty == Certainty::Exact && is_never(operation) => {
            Some((
                format!("would {}, and no run may do that (`{operation}`)", operation.summary()),
                Vec::new(),
            ))
        }
        _ => None,
    }
}

/// Operations without a target that are refused in every run.
fn is_never(operation: Operation) -> bool {
    use Operation as Do;
    matches!(
        operation,
        Do::ProcSignal
            | Do::ProcPtrace
            | Do::ProcPriority
            | Do::ProcIdentity
            | Do::NetRaw
            | Do::IpcShm
            | Do::IpcMq
            | Do::IpcTerminal
            | Do::IpcKeyring
            | Do::SysModule
            | Do::SysTime
            | Do::SysReboot
            | Do::SysBpf
            | Do::SysPerf
            | Do::SysIoUring
            | Do::SysUserns
            | Do::SysAdmin
    )
}

#[cfg(test)]
mod tests;

//! `waxcell run`.

use std::path::Path;
use std::time::SystemTime;

use waxcell::policy::{LoadError, Policy};
use waxcell::{Caller, Interrupts, NotRun, Report, Request, RunError, SignalSet, State, Verdict, Violation};

use crate::args::{Common, Run};
use crate::edge;
use crate::exit::Exit;
use crate::report_file::ReportFile;

/// Signals that are for the script: its own shell would have sent them to it.
const FORWARDED: [i32; 8] = {
    use rustix::process::Signal;
    [
        Signal::INT.as_raw(),
        Signal::TERM.as_raw(),
        Signal::HUP.as_raw(),
        Signal::QUIT.as_raw(),
        Signal::USR1.as_raw(),
        Signal::USR2.as_raw(),
        Signal::TSTP.as_raw(),
        Signal::WINCH.as_raw(),
    ]
};

pub(crate) fn run(arguments: &Run, common: &Common) -> Exit {
    let failed = |message: String| {
        edge::complain(&message);
        Report::of_failure(arguments.command().0, &message)
    };
    let caller = edge::caller()
        .map_err(|error| format!("cannot tell the working directory: {error}; change to one that is there"));
    let cwd = caller.as_ref().map_or(Path::new(""), |caller| caller.cwd.as_path());
    let folder = edge::folder_of(arguments.command().0, cwd);
    let policy = edge::past_the_gate(load_policy(common, &folder, cwd), &folder);
    // Before the run, so that a report that cannot be written is known while nothing has happened.
    let open = |path| ReportFile::open(path, cwd, policy.as_ref().ok());
    let file = match arguments.report.as_deref().map(open).transpose() {
        Ok(file) => file,
        Err(message) => return deliver(&failed(message), None, common),
    };
    let mut state = State::at(edge::state_directory(common));
    let report = match &caller {
        Ok(caller) => execute(arguments, caller, &policy, common, &mut state).unwrap_or_else(failed),
        Err(message) => failed(message.clone()),
    };
    let exit = deliver(&report, file, common);
    edge::rest(&state);
    exit
}

/// Runs the script, and says on standard error what there is to say.
fn execute(
    arguments: &Run,
    caller: &Caller,
    policy: &Result<Policy, LoadError>,
    common: &Common,
    state: &mut State,
) -> Result<Report, String> {
    let switches = edge::switches()?;
    let (script, args) = arguments.command();
    let streams = edge::streams(common.json)?;
    let taken = SignalSet::of(&FORWARDED);
    let signals = taken.block();
    let descriptor =
        taken.descriptor().map_err(|error| format!("cannot take signals for the script: {error}"))?;
    let request = Request {
        script,
        args,
        policy: policy.as_ref(),
        caller,
        reason: arguments.reason.as_deref(),
        interrupts: Some(Interrupts(std::os::fd::AsFd::as_fd(&descriptor))),
        signals,
        only_waits: true,
        switches,
    };
    match waxcell::run(&request, streams, state, &SystemTime::now) {
        Ok(report) => {
            say_what_happened(&report, common);
            Ok(report)
        }
        Err(not_run) => {
            match (&not_run.error, policy) {
                (RunError::Policy { .. }, Err(error)) => say_load_error(error, common),
                _ => say_why_not(&not_run),
            }
            Ok(not_run.report)
        }
    }
}

/// Finds and loads the policy for a script.
pub(crate) fn load_policy(common: &Common, start: &Path, cwd: &Path) -> Result<Policy, LoadError> {
    waxcell::policy::find(common.policy.as_deref(), edge::policy_variable().as_deref(), start, cwd)?.load()
}

pub(crate) fn say_load_error(error: &LoadError, common: &Common) {
    eprintln!("{}", error.render(edge::color(common)).trim_end());
}

/// Why nothing was run.
fn say_why_not(not_run: &NotRun) {
    let NotRun { error, report } = not_run;
    match error {
        RunError::Judged(_) => eprintln!("waxcell: refused: {}", edge::printable(&report.cause)),
        _ => edge::complain(&report.cause),
    }
    for help in error.help() {
        edge::advise(&help);
    }
}

/// What the script itself could not say. `--json` says it in the report.
fn say_what_happened(report: &Report, common: &Common) {
    if report.verdict == Verdict::Error {
        edge::complain(&report.cause);
    }
    if !common.quiet && !common.json {
        for line in notes(report) {
            eprintln!("waxcell: {}", edge::printable(&line));
        }
    }
}

/// Gives the report to whoever asked for it, and chooses the exit code.
fn deliver(report: &Report, file: Option<ReportFile<'_>>, common: &Common) -> Exit {
    let mut exit = Exit::of_run(report.return_code);
    let json = || serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
    if let Some(Err(message)) = file.map(|file| file.write(&json())) {
        edge::complain(&message);
        exit = Exit::FAILED;
    }
    if common.json { edge::print(&json(), exit) } else { exit }
}

fn notes(report: &Report) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut lines = Vec::new();
    match report.verdict {
        // The script speaks for itself, and so does a signal that somebody sent it. An error is said in any case.
        Verdict::Ok | Verdict::Failed | Verdict::Killed | Verdict::Error => {}
        verdict => lines.push(format!("{}: {}", verdict.name(), report.cause)),
    }
    if let Some(waiting) = &report.quarantine {
        let changes = if waiting.changes == 1 { "1 change waits" } else { "changes wait" };
        let count = if waiting.changes == 1 { String::new() } else { format!("{} ", waiting.changes) };
        let rest = if waiting.partly.is_some() { ", and not all of them could be looked at" } else { "" };
        lines
            .push(format!("{count}{changes} in quarantine{rest}: waxcell quarantine show {}", report.run_id));
    }
    if report.script_replaced == Some(true) {
        lines.push("the script's file was replaced while it ran: what Python read of it may be other than what is on record".to_owned());
    }
    let folded = folded(&report.violations);
    for (violation, others) in folded.iter().take(SHOWN) {
        let times = if violation.count > 1 { format!(" ({} times)", violation.count) } else { String::new() };
        let place = match (&violation.file, violation.line) {
            (_, None) => String::new(),
            (None, Some(line)) => format!(" at line {line}"),
            (Some(file), Some(line)) => format!(" at {file}:{line}"),
        };
        let folder = if *others > 0 { format!(" and {others} more of its folder") } else { String::new() };
        lines.push(format!(
            "denied {} on {}{folder}{place}{times}: {}",
            violation.operation, violation.target, violation.rule
        ));
    }
    let shown = folded.iter().take(SHOWN).map(|(_, others)| 1 + others).sum::<usize>();
    let more = (report.violations.len() - shown) as u64 + report.violations_beyond;
    if more > 0 || shown > folded.len().min(SHOWN) {
        let more = if more > 0 { format!("and {more} more; ") } else { String::new() };
        lines.push(format!("{more}`waxcell why {}` has them all", report.run_id));
    }
    lines
}

/// The first of those that one program tried to read at one place of one folder, and how many others there are: programs look for
/// one name after the other.
fn folded(violations: &[Violation]) -> Vec<(&Violation, usize)> {
    fn key(violation: &Violation) -> Option<impl PartialEq> {
        let (folder, _) = violation.target.rsplit_once('/').filter(|_| violation.target.starts_with('/'))?;
        let place = (&violation.file, violation.line, violation.script_line);
        (violation.operation == "fs.read").then_some((folder, &violation.program, place, &violation.rule))
    }
    let mut folded: Vec<(&Violation, usize)> = Vec::new();
    for violation in violations {
        let same =
            |(first, _): &&mut (&Violation, usize)| key(violation).is_some_and(|of| key(first) == Some(of));
        match folded.iter_mut().find(same) {
            Some((_, others)) => *others += 1,
            None => folded.push((violation, 0)),
        }
    }
    folded
}

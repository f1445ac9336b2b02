//! `waxcell run`.

use std::path::Path;
use std::time::SystemTime;

use waxcell::policy::{Found, LoadError, Policy};
use waxcell::{Interrupts, Report, Request, RunError, SignalSet, Verdict};

use crate::args::{Common, Run};
use crate::edge;
use crate::exit::Exit;

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
    let caller = match edge::caller() {
        Ok(caller) => caller,
        Err(error) => {
            edge::complain(&format!("cannot tell the working directory: {error}"));
            return Exit::FAILED;
        }
    };
    let start = edge::folder_of(&arguments.script, &caller.cwd);
    let policy = match load_policy(common, &start, &caller.cwd) {
        Ok(policy) => policy,
        Err(exit) => return exit,
    };
    let streams = match edge::streams(common.json) {
        Ok(streams) => streams,
        Err(message) => {
            edge::complain(&message);
            return Exit::FAILED;
        }
    };
    let Some(mut state) = edge::open_state(common) else { return Exit::FAILED };
    let taken = SignalSet::of(&FORWARDED);
    let signals = taken.block();
    let descriptor = match taken.descriptor() {
        Ok(descriptor) => descriptor,
        Err(error) => {
            edge::complain(&format!("cannot take signals for the script: {error}"));
            return Exit::FAILED;
        }
    };
    let request = Request {
        script: &arguments.script,
        args: &arguments.args,
        policy: &policy,
        caller: &caller,
        reason: arguments.reason.as_deref(),
        interrupts: Some(Interrupts(std::os::fd::AsFd::as_fd(&descriptor))),
        signals,
    };
    let report = match waxcell::run(&request, streams, &mut state, &SystemTime::now) {
        Ok(report) => report,
        Err(error) => {
            edge::complain_of(&error);
            if let RunError::Sandbox(error) = &error
                && let Some(help) = error.help()
            {
                eprintln!("waxcell: help: {help}");
            }
            return exit_of(&error);
        }
    };
    let exit = tell(&report, arguments.report.as_deref(), common);
    state.rest();
    exit
}

/// Finds and loads the policy for a script, or says what is wrong with it.
pub(crate) fn load_policy(common: &Common, start: &Path, cwd: &Path) -> Result<Policy, Exit> {
    let found =
        waxcell::policy::find(common.policy.as_deref(), edge::policy_variable().as_deref(), start, cwd)
            .map_err(|error| {
                edge::complain_of(&error);
                edge::complain(error.help());
                Exit::REFUSED
            })?;
    load_found(&found, common)
}

fn load_found(found: &Found, common: &Common) -> Result<Policy, Exit> {
    found.load().map_err(|error| {
        say_load_error(&error, common);
        Exit::REFUSED
    })
}

pub(crate) fn say_load_error(error: &LoadError, common: &Common) {
    eprintln!("{}", error.render(edge::color(common)).trim_end());
}

fn exit_of(error: &RunError) -> Exit {
    match error {
        RunError::Script(error) if error.is_not_found() => Exit::NOT_FOUND,
        RunError::Interpreter(error) if error.is_not_found() => Exit::NOT_FOUND,
        RunError::Script(_) | RunError::Interpreter(_) | RunError::Plan(_) => Exit::REFUSED,
        RunError::Sandbox(error) if error.is_refusal() => Exit::REFUSED,
        RunError::State(_) | RunError::Hash { .. } | RunError::Sandbox(_) => Exit::FAILED,
    }
}

/// Renders the report: JSON where it was asked for, else only what the script itself could not say.
fn tell(report: &Report, file: Option<&Path>, common: &Common) -> Exit {
    let exit = Exit::of_run(report.return_code);
    let json = || serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
    if let Some(file) = file
        && let Err(error) = std::fs::write(file, json())
    {
        edge::complain(&format!("cannot write the report to `{}`: {error}", file.display()));
        return Exit::FAILED;
    }
    if common.json {
        edge::print(&json());
    } else if !common.quiet {
        for line in notes(report) {
            eprintln!("waxcell: {}", edge::printable(&line));
        }
    }
    exit
}

fn notes(report: &Report) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut lines = Vec::new();
    match report.verdict {
        // The script speaks for itself, and so does a signal that somebody sent it.
        Verdict::Ok | Verdict::Failed | Verdict::Killed => {}
        verdict => lines.push(format!("{}: {}", verdict.name(), report.cause)),
    }
    if report.verdict == Verdict::Refused {
        lines.extend(
            report
                .findings
                .iter()
                .filter(|finding| !finding.help.is_empty())
                .map(|f| format!("help: {}", f.help)),
        );
    }
    for violation in report.violations.iter().take(SHOWN) {
        let times = if violation.count > 1 { format!(" ({} times)", violation.count) } else { String::new() };
        lines.push(format!(
            "denied {} on {}{times}: {}",
            violation.operation, violation.target, violation.rule
        ));
    }
    let more = report.violations.len().saturating_sub(SHOWN) as u64 + report.violations_beyond;
    if more > 0 {
        lines.push(format!("and {more} more; `waxcell audit show {}` has them all", report.run_id));
    }
    lines
}

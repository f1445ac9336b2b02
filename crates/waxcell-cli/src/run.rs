//! `waxcell run`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
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
    let (script, args) = arguments.command();
    let start = edge::folder_of(script, &caller.cwd);
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
        script,
        args,
        policy: &policy,
        caller: &caller,
        reason: arguments.reason.as_deref(),
        interrupts: Some(Interrupts(std::os::fd::AsFd::as_fd(&descriptor))),
        signals,
        only_waits: true,
    };
    // Before the run, so that a report that cannot be written is known while nothing has happened.
    let file = match arguments.report.as_deref().map(ReportFile::open).transpose() {
        Ok(file) => file,
        Err(message) => {
            edge::complain(&message);
            return Exit::FAILED;
        }
    };
    let report = match waxcell::run(&request, streams, &mut state, &SystemTime::now) {
        Ok(report) => report,
        Err(error) => {
            edge::complain_of(&error);
            for help in error.help() {
                eprintln!("waxcell: help: {help}");
            }
            return exit_of(&error);
        }
    };
    let exit = tell(&report, file, common);
    state.rest();
    exit
}

/// The file of `--report`: opened before the run, not through a link that an earlier script may have planted, and gone
/// again if it was made for nothing.
struct ReportFile<'a> {
    path: &'a Path,
    file: File,
    made: bool,
}

impl<'a> ReportFile<'a> {
    fn open(path: &'a Path) -> Result<ReportFile<'a>, String> {
        let made = path.symlink_metadata().is_err();
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(flags.bits() as i32)
            .open(path);
        let file = open.map_err(|error| {
            let why = match rustix::io::Errno::from_io_error(&error) {
                Some(rustix::io::Errno::LOOP) => "it is a symbolic link; name the file itself".to_owned(),
                Some(rustix::io::Errno::NXIO) => "nobody reads from it".to_owned(),
                _ => error.to_string(),
            };
            format!("cannot write the report to `{}`: {why}", path.display())
        })?;
        Ok(ReportFile { path, file, made })
    }

    fn write(mut self, text: &str) -> Result<(), String> {
        let cut = self.file.metadata().is_ok_and(|meta| meta.is_file()).then(|| self.file.set_len(0));
        let written = cut.transpose().and_then(|_| self.file.write_all(text.as_bytes()));
        self.made = false;
        written.map_err(|error| format!("cannot write the report to `{}`: {error}", self.path.display()))
    }
}

impl Drop for ReportFile<'_> {
    fn drop(&mut self) {
        if self.made {
            // Only what this process made, and nothing was written to.
            let _ = std::fs::remove_file(self.path);
        }
    }
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
fn tell(report: &Report, file: Option<ReportFile<'_>>, common: &Common) -> Exit {
    let exit = Exit::of_run(report.return_code);
    let json = || serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
    let written = file.map_or(Ok(()), |file| file.write(&json()));
    if common.json {
        edge::print(&json());
    } else if !common.quiet {
        for line in notes(report) {
            eprintln!("waxcell: {}", edge::printable(&line));
        }
    }
    if let Err(message) = written {
        edge::complain(&message);
        return Exit::FAILED;
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
        let mut help: Vec<String> = report
            .findings
            .iter()
            .filter(|f| !f.help.is_empty())
            .map(|f| format!("help: {}", f.help))
            .collect();
        help.dedup();
        lines.extend(help);
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

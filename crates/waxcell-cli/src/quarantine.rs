//! `waxcell quarantine`: what runs wrote to layers, for people and programs.

use std::time::SystemTime;

use serde_json::json;
use waxcell::State;
use waxcell::quarantine::{self as library, Change, Done, Line, QuarantineError, Standing, Waiting};

use crate::args::{Common, Quarantine};
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(command: &Quarantine, common: &Common) -> Exit {
    let mut state = State::at(edge::state_directory(common));
    let done = match command {
        Quarantine::List => list(&mut state, common),
        Quarantine::Show { run, names } => show(&mut state, run, !names, common),
        Quarantine::Commit { run, allow_links } => caller().and_then(|caller| {
            let done = library::commit(&mut state, run, &caller, *allow_links, SystemTime::now())?;
            Ok(tell("committed", &done, common))
        }),
        Quarantine::Discard { run } => caller().and_then(|caller| {
            let done = library::discard(&mut state, run, &caller, SystemTime::now())?;
            Ok(tell("discarded", &done, common))
        }),
    };
    let exit = done.unwrap_or_else(|failure| failure.say(common));
    edge::rest(&state);
    exit
}

enum Failure {
    Quarantine(QuarantineError),
    Caller(String),
}

impl From<QuarantineError> for Failure {
    fn from(error: QuarantineError) -> Failure {
        Failure::Quarantine(error)
    }
}

impl Failure {
    fn say(self, common: &Common) -> Exit {
        let error = match self {
            Failure::Caller(message) => {
                edge::complain(&message);
                return Exit::FAILED;
            }
            Failure::Quarantine(error) => error,
        };
        edge::complain_of(&error);
        if let Some(help) = error.help() {
            eprintln!("waxcell: help: {}", edge::printable(&help));
        }
        let exit = if error.is_refusal() { Exit::FOUND } else { Exit::FAILED };
        match error {
            QuarantineError::Refused(blockers, beyond) if common.json => {
                edge::print(&format!("{}\n", json!({"refused": blockers, "beyond": beyond})), exit)
            }
            _ => exit,
        }
    }
}

fn caller() -> Result<waxcell::Caller, Failure> {
    edge::caller().map_err(|error| Failure::Caller(format!("cannot tell the working directory: {error}")))
}

fn list(state: &mut State, common: &Common) -> Result<Exit, Failure> {
    let waiting = library::list(state)?;
    if waiting.is_empty() && !common.json && !common.quiet {
        eprintln!("waxcell: nothing waits in quarantine");
    }
    let text: String = waiting.iter().map(|waiting| line(waiting, common.json)).collect();
    Ok(edge::print(&text, Exit::SUCCESS))
}

fn line(waiting: &Waiting, is_json: bool) -> String {
    if is_json {
        return json_line(waiting);
    }
    let state = match waiting.state {
        Standing::Waiting => "waiting",
        Standing::Running => "running",
        Standing::Lost => "lost",
        Standing::HalfCommitted => "half committed",
    };
    let changes = waiting.changes.map_or(String::new(), |changes| format!("  {}", counted(changes)));
    let known = |text: &Option<String>| edge::printable(text.as_deref().unwrap_or("?"));
    format!("{}  {}  {state}{changes}  {}\n", waiting.run, known(&waiting.started), known(&waiting.script))
}

fn json_line(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

fn counted(changes: u64) -> String {
    if changes == 1 { "1 change".to_owned() } else { format!("{changes} changes") }
}

/// Lines of differences that are shown of one run, and of one file.
const MOST_LINES: usize = 4000;
const MOST_OF_ONE: usize = 400;

fn show(state: &mut State, run: &str, with_lines: bool, common: &Common) -> Result<Exit, Failure> {
    let mut room = MOST_LINES;
    let mut exit = Exit::SUCCESS;
    let waiting = library::show(state, run, with_lines && !common.json, &mut |change| {
        let text = if common.json { json_line(&change) } else { told(&change, &mut room) };
        // As it comes: there may be very many.
        if exit == Exit::SUCCESS {
            exit = edge::print(&text, Exit::SUCCESS);
        }
    })?;
    if let Some(why) = &waiting.partly {
        eprintln!("waxcell: this is not all: {}", edge::printable(why));
    }
    if waiting.state != Standing::Waiting {
        eprintln!("waxcell: {}", line(&waiting, false).trim_end());
    }
    Ok(exit)
}

fn told(change: &Change, room: &mut usize) -> String {
    let mut text = format!("{:<8} {:<7} {}", change.change, change.kind, edge::printable(&change.path));
    let mut add = |what: String| text.push_str(&format!("  {what}"));
    match (change.size_before, change.size) {
        (Some(before), Some(after)) => add(format!("{before} -> {after} bytes")),
        (None, Some(size)) | (Some(size), None) => add(format!("{size} bytes")),
        (None, None) => {}
    }
    match (change.mode_before, change.mode) {
        (Some(before), Some(after)) if before != after => add(format!("mode {before:04o} -> {after:04o}")),
        _ => {}
    }
    if let Some(target) = &change.target {
        add(format!("-> {}", edge::printable(target)));
    }
    if let Some(why) = &change.refused {
        add(format!("[not committed: {}]", edge::printable(why)));
    }
    text.push('\n');
    let lines = change.lines.as_deref().unwrap_or_default();
    let most = lines.len().min(MOST_OF_ONE).min(*room);
    *room -= most;
    for line in &lines[..most] {
        let (mark, line) = match line {
            Line::Place([old, gone, new, added]) => ("@@", format!(" -{old},{gone} +{new},{added} @@")),
            Line::Same(line) => (" ", edge::printable(line)),
            Line::Gone(line) => ("-", edge::printable(line)),
            Line::New(line) => ("+", edge::printable(line)),
        };
        text.push_str(&format!("    {mark}{line}\n"));
    }
    if lines.len() > most {
        text.push_str(&format!("    ({} more lines)\n", lines.len() - most));
    }
    text
}

fn tell(what: &str, done: &Done, common: &Common) -> Exit {
    for path in &done.left {
        eprintln!("waxcell: cannot remove what was put aside: `{}`", edge::printable(path));
    }
    if common.json {
        return edge::print(&json_line(done), Exit::SUCCESS);
    }
    if common.quiet {
        return Exit::SUCCESS;
    }
    edge::print(
        &format!("{what} run {}: {} (record {})\n", done.run, counted(done.changes), done.record.index),
        Exit::SUCCESS,
    )
}

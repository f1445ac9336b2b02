//! `waxcell approve`: a person lets a script through the gate as it is, takes that back, or asks what is approved.

use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use waxcell::policy::{Date, Policy};
use waxcell::{Approval, ApprovalError, Approving, Caller, Given, State};

use crate::args::{Approve, Common};
use crate::edge;
use crate::exit::Exit;
use crate::run::{load_policy, say_load_error};

pub(crate) fn run(command: &Approve, common: &Common) -> Exit {
    if command.list {
        return list(common);
    }
    let caller = match edge::caller() {
        Ok(caller) => caller,
        Err(error) => {
            edge::complain(&format!("cannot tell the working directory: {error}"));
            return Exit::FAILED;
        }
    };
    let script = command.script.as_deref().unwrap_or(Path::new(""));
    let reason = command.reason.as_deref().unwrap_or_default();
    if command.withdraw {
        return withdraw(script, reason, &caller, common);
    }
    let folder = edge::folder_of(script, &caller.cwd);
    match load_policy(common, &folder, &caller.cwd) {
        Ok(policy) => approve(script, reason, command.until, &policy, &caller, common),
        Err(error) => {
            say_load_error(&error, common);
            Exit::REFUSED
        }
    }
}

fn approve(
    script: &Path,
    reason: &str,
    until: Option<Date>,
    policy: &Policy,
    caller: &Caller,
    common: &Common,
) -> Exit {
    let now = SystemTime::now();
    if until.is_some_and(|until| until.is_past(Date::of(now))) {
        edge::complain("the day that `--until` names is over");
        return Exit::USAGE;
    }
    let mut state = State::at(edge::state_directory(common));
    let asked = Approving { script, policy, caller, reason, until };
    let exit = match waxcell::approve(&mut state, &asked, now) {
        Ok(given) if common.json => {
            let Given { sha256, in_the_way, record } = given;
            let text = json!({"sha256": sha256, "in_the_way": in_the_way, "until": until, "record": record});
            edge::print(&format!("{text}\n"), Exit::SUCCESS)
        }
        Ok(given) => {
            if !common.quiet {
                tell(script, &given, until);
            }
            Exit::SUCCESS
        }
        Err(error) => say(&error),
    };
    edge::rest(&state);
    exit
}

fn tell(script: &Path, given: &Given, until: Option<Date>) {
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let (name, index) = (script.display(), given.record.index);
    edge::note(&format!("approved{until}: {name}, sha256 {}: record {index}", given.sha256));
    match &given.in_the_way {
        Some(reason) => edge::note(&format!("it would have been refused: {reason}")),
        None => edge::note("nothing of it would have been refused by this policy"),
    }
}

fn withdraw(script: &Path, reason: &str, caller: &Caller, common: &Common) -> Exit {
    let mut state = State::at(edge::state_directory(common));
    let exit = match waxcell::withdraw(&mut state, script, caller, reason, SystemTime::now()) {
        Ok(record) if common.json => edge::print(&format!("{}\n", json!({"record": record})), Exit::SUCCESS),
        Ok(record) => {
            if !common.quiet {
                edge::note(&format!("no longer approved: {}: record {}", script.display(), record.index));
            }
            Exit::SUCCESS
        }
        Err(error) => say(&error),
    };
    edge::rest(&state);
    exit
}

fn say(error: &ApprovalError) -> Exit {
    edge::complain_of(error);
    error.help().iter().for_each(|help| edge::advise(help));
    match error {
        ApprovalError::Nothing(_) => Exit::FOUND,
        ApprovalError::Final(_) => Exit::REFUSED,
        ApprovalError::Script(error) if error.is_not_found() => Exit::NOT_FOUND,
        ApprovalError::Interpreter(error) if error.is_not_found() => Exit::NOT_FOUND,
        ApprovalError::Script(_) | ApprovalError::Interpreter(_) => Exit::REFUSED,
        ApprovalError::Keep { .. } | ApprovalError::State(_) => Exit::FAILED,
    }
}

fn list(common: &Common) -> Exit {
    let Some(directory) = edge::state_directory(common) else {
        edge::complain(crate::audit::NO_PLACE);
        return Exit::FAILED;
    };
    let all = waxcell::approvals(&directory, Date::of(SystemTime::now()));
    if all.is_empty() && !common.json && !common.quiet {
        edge::note("nothing is approved");
    }
    edge::print(&all.iter().map(|approval| line(approval, common.json)).collect::<String>(), Exit::SUCCESS)
}

fn line(approval: &Approval, is_json: bool) -> String {
    if is_json {
        return serde_json::to_string(approval).unwrap_or_default() + "\n";
    }
    let until = match approval.until {
        None => String::new(),
        Some(until) if approval.is_over => format!("  over with {until}"),
        Some(until) => format!("  until {until}"),
    };
    let Approval { path, sha256, by, reason, time, record, .. } = approval;
    let index = record.index;
    edge::printable(&format!("{sha256}  {time}  {by}{until}  {path}  record {index}: {reason}")) + "\n"
}

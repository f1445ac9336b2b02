//! `waxcell why`.

use std::fmt::Write;

use waxcell::{Denied, Limit, LimitUnit, Outcome, Patch, PatchError, Why, WhyError};

use crate::args::{Common, WhyArgs};
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(arguments: &WhyArgs, common: &Common) -> Exit {
    let Some(state) = edge::state_directory(common) else {
        edge::complain("no record to look at: set HOME, XDG_STATE_HOME or WAXCELL_STATE, or use --state DIR");
        return Exit::UNCHECKED;
    };
    let archive = edge::archive(&state, arguments.archive.as_deref());
    let records = match waxcell::records_of(&state, &archive, arguments.run.as_deref()) {
        Ok(records) => records,
        Err(error) => {
            edge::complain_of(&error);
            edge::advise(&error.help());
            let is_unreadable = matches!(error, WhyError::Read(_) | WhyError::Foreign { .. });
            return if is_unreadable { Exit::UNCHECKED } else { Exit::FOUND };
        }
    };
    let Some(why) = Why::of(&state, &records) else {
        edge::complain("the record does not say how this run began");
        return Exit::UNCHECKED;
    };
    let cwd = std::env::current_dir().unwrap_or_default();
    match (common.json, arguments.patch) {
        (true, _) => edge::print(&json(&why, why.patch(&cwd)), Exit::SUCCESS),
        (false, true) => patch(why.patch(&cwd), common),
        (false, false) => edge::print(&text(&why), Exit::SUCCESS),
    }
}

/// The answer and the patch, for programs.
fn json(why: &Why, patch: Result<Patch, PatchError>) -> String {
    let mut value = serde_json::to_value(why).unwrap_or_default();
    let (patch, none) = match patch {
        Ok(patch) => {
            let left =
                patch.left.iter().map(|left| serde_json::json!({"number": left.number, "why": left.why}));
            let patch = serde_json::json!({
                "file": patch.file.to_string_lossy(),
                "folder": patch.folder.to_string_lossy(),
                "diff": patch.diff,
                "left": left.collect::<Vec<_>>(),
            });
            (patch, serde_json::Value::Null)
        }
        Err(error) => (serde_json::Value::Null, error.to_string().into()),
    };
    if let serde_json::Value::Object(fields) = &mut value {
        fields.insert("patch".to_owned(), patch);
        fields.insert("no_patch".to_owned(), none);
    }
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}

/// The diff alone on standard output, what there is to say about it on standard error.
fn patch(patch: Result<Patch, PatchError>, common: &Common) -> Exit {
    let patch = match patch {
        Ok(patch) => patch,
        Err(error) => {
            edge::complain(&error.to_string());
            return if matches!(error, PatchError::Policy(_)) { Exit::REFUSED } else { Exit::FOUND };
        }
    };
    for left in &patch.left {
        let what = match left.number {
            0 => "the run itself".to_owned(),
            number => format!("number {number}"),
        };
        edge::advise(&format!("{what} is not in the patch: {}", left.why));
    }
    if !common.quiet {
        let (file, folder) = (patch.file.display(), patch.folder.display());
        edge::advise(&match (patch.diff.is_empty(), patch.left.is_empty()) {
            (true, true) => format!("`{file}` allows all of it by now"),
            (true, false) => format!("nothing of it can be changed in `{file}` by machine"),
            (false, _) => format!("apply it in `{folder}` with `patch -p0` or `git apply -p0`"),
        });
    }
    edge::print(&patch.diff, if patch.left.is_empty() { Exit::SUCCESS } else { Exit::FOUND })
}

/// The answer for people. Whatever comes from the record is escaped: names in it may be hostile.
fn text(why: &Why) -> String {
    let mut out = String::new();
    let line = edge::printable;
    let script = why.script.path.as_deref().unwrap_or("a script that is not known");
    let _ = writeln!(out, "run {}\n  {}, begun {}", line(&why.run), line(script), line(&why.time));
    let end = match (why.outcome, &why.verdict) {
        (Outcome::Finished | Outcome::Refused, Some(verdict)) => {
            format!("{verdict}: {}", why.cause.as_deref().unwrap_or_default())
        }
        (Outcome::Lost, _) => {
            "lost: what watched it was killed, and what it did until then is not known".to_owned()
        }
        (Outcome::Open, _) => {
            "it is going on, or waits to be found lost: what it was refused is told at its end".to_owned()
        }
        _ => "it does not say how it ended".to_owned(),
    };
    let _ = writeln!(out, "  {}", line(&end));
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(out, "     {name:<9}{}", line(value));
    };
    if let Some(help) = &why.help {
        field("help", help);
    }
    if let Some(limit) = &why.limit {
        field("because", &because(limit));
    }
    for edit in &why.edits {
        let guess =
            if why.limit.is_some() { " (twice as much; how much it takes, nobody can tell)" } else { "" };
        field("allow", &format!("{edit}{guess}"));
    }
    for (number, denied) in why.violations.iter().enumerate() {
        out.push('\n');
        push_denied(&mut out, number + 1, denied, why);
    }
    push_rest(&mut out, why);
    out
}

fn push_denied(out: &mut String, number: usize, denied: &Denied, why: &Why) {
    let line = edge::printable;
    let what = match denied.summary {
        Some(summary) => format!("tried to {summary} ({})", denied.operation),
        None => format!("tried {}", denied.operation),
    };
    let _ = writeln!(out, "{number:>3}  {}", line(&what));
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(out, "     {name:<9}{}", line(value));
    };
    field("what", &denied.target);
    let seconds = |ms: u64| format!("{}.{:03} s", ms / 1000, ms % 1000);
    let (first, last) = (seconds(denied.first_ms), seconds(denied.last_ms));
    field(
        "when",
        &match denied.count {
            1 => format!("once, {first} after the start"),
            count => format!("{count} times, {first} to {last} after the start"),
        },
    );
    let script = why.script.path.as_deref().unwrap_or("the script");
    let source = denied.source.as_deref().map(|source| format!(": {}", cut(source))).unwrap_or_default();
    match (&denied.file, denied.line, denied.script_line) {
        (_, None, _) => {}
        (None, Some(at), _) => field("where", &format!("{script}:{at}{source}")),
        (Some(file), Some(at), led) => {
            field("where", &format!("{file}:{at}"));
            if let Some(led) = led {
                field("", &format!("from {script}:{led}{source}"));
            }
        }
    }
    match (denied.process, &denied.program) {
        (Some(process), Some(program)) => field("who", &format!("process {process}, which ran {program}")),
        (Some(process), None) => field("who", &format!("process {process}")),
        _ => {}
    }
    let got = match denied.errno {
        // A question about a name has no error of the system's.
        0 => "no such name".to_owned(),
        errno => std::io::Error::from_raw_os_error(errno).to_string(),
    };
    field("stopped", &format!("by the {}; the script got: {got}", denied.layer));
    field("because", &denied.rule);
    field("allow", denied.allow.as_deref().unwrap_or("no policy can"));
}

/// What there is to say behind the list.
fn push_rest(out: &mut String, why: &Why) {
    let mut say = |text: String| {
        let _ = writeln!(out, "\n{}", edge::printable(&text));
    };
    let ran = why.outcome == Outcome::Finished;
    if ran && why.violations.is_empty() && why.limit.is_none() {
        say("nothing was refused".to_owned());
    }
    if why.violations_left_out > 0 {
        say(format!("and {} more, for which the record had no room", why.violations_left_out));
    }
    if why.violations_beyond > 0 {
        say(format!("and {} times more, on targets too many to be told apart", why.violations_beyond));
    }
    if why.script_unchanged == Some(false) {
        say("the script has been changed since: its lines are not shown".to_owned());
    }
    if why.policy_unchanged == Some(false) {
        say("the policy has been changed since".to_owned());
    }
    let has_edits = |denied: &Denied| denied.edits.as_ref().is_some_and(|edits| !edits.is_empty());
    if !why.edits.is_empty() || why.violations.iter().any(has_edits) {
        say(format!("`waxcell why {} --patch` prints the change of the policy as a diff", why.run));
    }
}

fn because(limit: &Limit) -> String {
    let amount = |value: u64| match limit.unit {
        LimitUnit::Microseconds => format!("{} s", rounded(value as f64 / 1e6)),
        LimitUnit::Bytes => format!("{} MiB", rounded(value as f64 / f64::from(1 << 20))),
        LimitUnit::Count => value.to_string(),
    };
    let used = match limit.used {
        Some(used) => format!("{} used", amount(used)),
        None => "more was asked for".to_owned(),
    };
    format!("{}: {} allowed, {used}", limit.rule, amount(limit.allowed))
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// A line of a script as it fits beside others.
fn cut(source: &str) -> String {
    const LONGEST: usize = 100;
    match source.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &source[..end]),
        None => source.to_owned(),
    }
}

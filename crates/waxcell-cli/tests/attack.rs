//! The attack corpus against the built binary: every case is contained, with the record that it must leave.

mod support;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use support::{Place, Said, skip};

/// All cases take minutes on a slow machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(900);

/// Cases look at what there is one of on a host.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[expect(
    clippy::disallowed_methods,
    reason = "where the cases of an ordinary user can lie is known to who starts the tests"
)]
fn attack(args: &[&str]) -> Said {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new("");
    let mut command = place.waxcell(&["--json", "attack"]);
    command.args(args);
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME") {
        command.env("XDG_CACHE_HOME", cache);
    }
    support::Running::start(&mut command).end_within(PATIENCE)
}

fn cases(report: &Value) -> impl Iterator<Item = (&str, &str, String)> {
    report["cases"].as_array().expect("a list").iter().map(|case| {
        let why = case["why"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let why = why.collect::<Vec<_>>().join("; ");
        (case["name"].as_str().expect("a name"), case["outcome"].as_str().expect("an outcome"), why)
    })
}

#[test]
fn every_case_is_contained() {
    let said = attack(&[]);
    let report = said.report();
    let mut wrong = BTreeMap::new();
    let mut lacking: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, outcome, why) in cases(&report) {
        match outcome {
            "contained" => {}
            "not_holdable" => lacking.entry(why).or_default().push(name),
            _ => drop(wrong.insert(name, format!("{outcome}: {why}"))),
        }
    }
    // Announced by what they need: a new case with the same need is no new skip.
    lacking.iter().for_each(|(need, names)| skip(&format!("attack {need}"), &names.join(", ")));
    // What got through, got through. What came too late on a busy machine may come in time.
    let late = wrong.iter().filter(|(_, why)| !why.starts_with("escaped")).map(|(name, _)| *name);
    let late: Vec<&str> = late.collect();
    if !late.is_empty() {
        let again = attack(&["--case", &late.join(",")]).report();
        cases(&again).filter(|(_, outcome, _)| *outcome == "contained").for_each(|(name, _, _)| {
            wrong.remove(name);
        });
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), cases(&report).count());
}

#[test]
fn every_attack_succeeds_where_nobody_holds_it() {
    // `env` is the sandbox that does nothing.
    let said = attack(&["--against", "/usr/bin/env"]);
    let report = said.report();
    let failed = |report: &Value| -> Vec<(String, String)> {
        let failed = cases(report).filter(|(_, outcome, _)| !["escaped", "not_holdable"].contains(outcome));
        failed.map(|(name, outcome, why)| (name.to_owned(), format!("{outcome}: {why}"))).collect()
    };
    let mut missed = failed(&report);
    if !missed.is_empty() {
        // On a busy machine an attack may come too late as well.
        let names: Vec<&str> = missed.iter().map(|(name, _)| name.as_str()).collect();
        missed = failed(&attack(&["--against", "/usr/bin/env", "--case", &names.join(",")]).report());
    }
    assert!(missed.is_empty(), "the judge does not see the success of {missed:#?}");
    assert_eq!(said.code, 1);
}

#[test]
fn what_one_command_line_cannot_say_is_not_tried_with_another_sandbox() {
    let report = attack(&["--case", "A12-rename-over", "--against", "/usr/bin/env"]).report();
    assert_eq!(report["outcomes"], serde_json::json!({"not_holdable": 1}));
}

#[test]
fn the_report_says_where_it_was_made() {
    let report = attack(&["--case", "A01-absolute-path"]).report();
    assert_eq!(report["waxcell"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["kernel"], rustix::system::uname().release().to_str().expect("text"));
    assert_eq!(report["host"]["root"], support::is_root());
    assert_eq!(report["outcomes"], serde_json::json!({"contained": 1}));
    assert_eq!(report["classes"]["A"]["layers"]["mounts"], 1);
    assert_eq!(report["layers"]["mounts"], serde_json::json!({"cases": 1, "contained": 1}));
    assert_eq!(report["cases"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_case_that_is_not_there_is_told() {
    let said = attack(&["--case", "Z99"]);
    assert_eq!(said.code, 125);
    assert!(said.err().contains("no such case"), "{said:?}");
    let unreadable = attack(&["--against", "bwrap 'x"]);
    assert_eq!(unreadable.code, 125);
    assert!(unreadable.err().contains("is not closed"), "{unreadable:?}");
    // Under these every attack fails.
    for nothing in ["true", "no-such-program", "sh -c 'exit 1'"] {
        let said = attack(&["--case", "A01-absolute-path", "--against", nothing]);
        assert_eq!(said.code, 125, "{said:?}");
    }
}

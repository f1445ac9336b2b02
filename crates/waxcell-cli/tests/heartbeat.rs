//! That nothing happened, proved: a heartbeat once and at an interval, how it ends, what is a gap, and clocks that jump.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use support::{Place, Running, Said, say};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";

fn verify(place: &Place, more: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["audit", "verify"], more].concat()))
}

/// What the heartbeats say, in order.
fn states(place: &Place) -> Vec<String> {
    let records = place.records().into_iter().filter(|record| record["type"] == "heartbeat");
    records.map(|record| record["state"].as_str().unwrap_or("?").to_owned()).collect()
}

/// Starts a service and waits until so many heartbeats more are on record.
fn beat(place: &Place, mut command: Command, more: usize) -> Running {
    let wanted = states(place).len() + more;
    let running = Running::start(&mut command);
    support::until(support::PATIENCE, "heartbeats", || states(place).len() >= wanted && is_signed(place));
    running
}

/// Whether all that is on record is signed.
fn is_signed(place: &Place) -> bool {
    let note = fs::read_to_string(place.journal().join("tlog/checkpoint")).unwrap_or_default();
    let signed = note.lines().nth(1).and_then(|size| size.parse::<usize>().ok());
    signed.is_some_and(|signed| signed >= place.records().len())
}

fn every(place: &Place, interval: &str) -> Command {
    place.waxcell(&["audit", "heartbeat", "--every", interval])
}

/// A host with one run on record.
fn host() -> Place {
    let place = Place::new(POLICY);
    assert_eq!(place.run("print(1)").code, 0);
    place
}

#[test]
fn a_service_beats_until_it_is_told_to_end() {
    let place = host();
    let once = say(&mut place.waxcell(&["audit", "heartbeat"]));
    assert_eq!((once.code, once.out(), once.err()), (0, String::new(), String::new()));
    for signal in [Signal::TERM, Signal::INT] {
        let service = beat(&place, every(&place, "1s"), 3);
        let second = say(&mut every(&place, "1s"));
        assert!(second.code == 125 && second.err().contains("already"), "{second:?}");
        // Nobody has to wait for it, and runs are between its heartbeats.
        assert_eq!(place.run("print(1)").code, 0);
        service.signal(signal);
        assert_eq!(service.end().code, 0);
    }
    let states = states(&place);
    assert_eq!(states[0], "once");
    assert_eq!(states.iter().filter(|state| *state == "begin").count(), 2, "{states:?}");
    assert_eq!(states.last().map(String::as_str), Some("end"), "{states:?}");
    let sound = verify(&place, &["--complete"]);
    assert_eq!(sound.code, 0, "{sound:?}");
    // After its end nothing is promised.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(verify(&place, &["--complete"]).code, 0);
    // What is shown by default is a run all the same.
    let shown = say(&mut place.waxcell(&["audit", "show", "--json"]));
    assert!(shown.code == 0 && !shown.out().contains("heartbeat"), "{shown:?}");
    for wrong in ["0s", "40days", "soon", "999ms"] {
        assert_eq!(say(&mut every(&place, wrong)).code, 2, "{wrong}");
    }
}

#[test]
fn a_service_that_was_killed_leaves_a_gap() {
    let place = host();
    let service = beat(&place, every(&place, "1s"), 2);
    let code = || verify(&place, &["--complete"]).code;
    support::until(support::PATIENCE, "control: while it goes on", || code() == 0);
    let promised = verify(&place, &[]);
    assert!(promised.out().contains("a heartbeat every 1s"), "{promised:?}");
    service.signal(Signal::KILL);
    assert_eq!(service.end().code, 137);
    let last = place.records().last().cloned().unwrap_or_default();
    std::thread::sleep(Duration::from_secs(5));
    let gap = verify(&place, &["--complete"]);
    let (index, time) = (&last["index"], last["time"].as_str().unwrap_or("?"));
    let since = format!("no heartbeat since record {index} ({time})");
    assert!(gap.code == 2 && gap.err().contains(&since), "{gap:?}");
    // It is told, and no fault of the record, where nobody asks for more.
    let sound = verify(&place, &[]);
    assert!(sound.code == 0 && sound.out().contains("1 times without"), "{sound:?}");
    // A copy is as old as it is, and is not measured by the clock of whoever looks at it.
    let log = place.journal().join("tlog").display().to_string();
    assert_eq!(verify(&place, &["--complete", "--log", &log]).code, 0);

    // Whoever begins anew does not hide it.
    let service = beat(&place, every(&place, "1s"), 2);
    service.signal(Signal::TERM);
    assert_eq!(service.end().code, 0);
    let gap = verify(&place, &["--complete"]);
    let from = format!("no heartbeat from record {index} ({time}) to record ");
    assert!(gap.code == 2 && gap.err().contains(&from), "{gap:?}");
    let told = verify(&place, &["--complete", "--json"]).report();
    assert_eq!(told["gaps"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!((&told["sound"], &told["heartbeat"]), (&Value::Bool(true), &Value::Null), "{told}");
    assert_eq!(verify(&place, &["--complete", "--log", &log]).code, 2);
    // Of what was looked at before, nothing is said again.
    let after = place.records().len().to_string();
    assert_eq!(verify(&place, &["--complete", "--since", &after]).code, 0);
}

/// A program under a clock that is so far off.
fn off(place: &Place, off: &str, args: &[&str]) -> Command {
    let mut command = place.command("/usr/bin/faketime");
    command.env("WAXCELL_STATE", place.state()).args(["-f", off]).arg(support::waxcell()).args(args);
    command
}

#[test]
fn a_clock_that_jumps_refuses_nothing_and_hides_nothing() {
    let name = "heartbeat::a_clock_that_jumps_refuses_nothing_and_hides_nothing";
    if !Path::new("/usr/bin/faketime").exists() {
        return support::skip(name, "no `faketime`");
    }
    let place = host();
    let script = place.write("s.py", "print(1)").display().to_string();
    // Back and forth by a day: order is that of the numbers.
    for by in ["-1d", "+1d", "-1d", "+0"] {
        let run = say(&mut off(&place, by, &["run", &script]));
        assert!(run.code == 0 && run.out() == "1\n", "{by}: {run:?}");
        let beats = say(&mut off(&place, by, &["audit", "heartbeat"]));
        assert_eq!(beats.code, 0, "{by}: {beats:?}");
    }
    let days: Vec<String> =
        place.records().iter().map(|record| record["time"].to_string()[1..11].to_owned()).collect();
    if days.iter().all(|day| *day == days[0]) {
        return support::skip(name, "the binary is static");
    }
    assert!(!days.is_sorted(), "control: the clock was off: {days:?}");
    assert_eq!(verify(&place, &["--complete"]).code, 0);

    // A service whose machine's clock is set while it goes on: three processes stand for it, since one clock stays as it is.
    let served = |by: &str, interval: &str, signal: Signal| {
        let service = beat(&place, off(&place, by, &["audit", "heartbeat", "--every", interval]), 1);
        // `faketime` executes the program in its own place.
        service.signal(signal);
        service.end();
    };
    served("+0", "1h", Signal::KILL);
    served("-1d", "1h", Signal::KILL);
    served("+1d", "1h", Signal::KILL);
    let promised = verify(&place, &["--complete"]);
    assert!(promised.code == 0, "{promised:?}");
    served("+0", "1h", Signal::TERM);
    assert_eq!(states(&place).last().map(String::as_str), Some("end"));
    assert_eq!(verify(&place, &["--complete"]).code, 0);

    // Set back by just as long as there was no heartbeat, it looks as if there had been no gap.
    served("+0", "1s", Signal::KILL);
    std::thread::sleep(Duration::from_secs(5));
    served("-5s", "1s", Signal::TERM);
    let gap = verify(&place, &["--complete"]);
    assert!(gap.code == 2 && gap.err().contains("no heartbeat from record"), "{gap:?}");
    let times: Vec<Value> = place.records().iter().map(|record| record["time"].clone()).collect();
    let between = |at: usize| times[at].as_str().and_then(|time| humantime::parse_rfc3339(time).ok());
    let jump = between(times.len() - 2).zip(between(times.len() - 3));
    let jump = jump.and_then(|(later, earlier)| later.duration_since(earlier).ok());
    assert!(jump.is_none_or(|jump| jump < Duration::from_secs(3)), "control: {jump:?}");
}

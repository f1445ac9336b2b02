//! That nothing happened, proved: a heartbeat once and at an interval, how it ends, what is a gap, and clocks that jump.

mod support;

use std::fs;
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

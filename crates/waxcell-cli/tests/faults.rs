//! Faults from outside: every call that changes files fails once, or the process is killed at it, in the first run of a journal, in a
//! later one, when keys change, when a checkpoint is made, when another log begins, when old records are packed and taken away, and when values are
//! erased. Whatever happens: what was said to be on record is, the next run goes
//! on, and the whole record is sound and signed.

mod host;
mod many;
mod support;

use std::path::Path;

use support::{Place, Said, say, types};

const STRACE: &str = "/usr/bin/strace";

/// Calls that change files, as the journal makes them.
const CALLS: [&str; 10] = [
    "pwrite64",
    "fdatasync",
    "fsync",
    "renameat",
    "renameat2",
    "unlinkat",
    "unlink",
    "mkdir",
    "ftruncate",
    "rmdir",
];

/// What becomes of the call: not made, and an error or the end of the process. (That it is made and fails all the same, and that half
/// of it is made, the tests of the journal's crate order from inside.)
const FAULTS: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=KILL"];

struct Scenario {
    name: &'static str,
    command: &'static [&'static str],
    /// Whether its journal is there before.
    begun: bool,
    /// Whether threads are followed: the journal is opened by one.
    threads: bool,
    /// At most so many of each call.
    most: usize,
}

const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "first run", command: &["run", "script.py"], begun: false, threads: true, most: 14 },
    Scenario { name: "run", command: &["run", "script.py"], begun: true, threads: false, most: 14 },
    Scenario {
        name: "rotate",
        command: &["audit", "key", "--rotate"],
        begun: true,
        threads: false,
        most: 30,
    },
    Scenario {
        name: "recover",
        command: &["audit", "recover", "--accept-loss"],
        begun: true,
        threads: false,
        most: 8,
    },
    Scenario { name: "archive", command: &["audit", "archive"], begun: true, threads: true, most: 7 },
    Scenario { name: "prune", command: &["audit", "prune"], begun: true, threads: true, most: 7 },
    Scenario {
        name: "redact",
        command: &["audit", "redact", "--record", "0", "--reason", "asked for"],
        begun: true,
        threads: true,
        most: 5,
    },
    Scenario { name: "checkpoint", command: &["audit", "checkpoint"], begun: true, threads: false, most: 14 },
];

#[test]
fn no_fault_loses_what_was_acknowledged() {
    if !Path::new(STRACE).exists() {
        return support::skip("faults::no_fault_loses_what_was_acknowledged", "no `strace`");
    }
    // Where all of it was tried already, as another user: the first calls of each.
    let is_short = host::variable("WAXCELL_FAULTS").is_some_and(|asked| asked.as_os_str() == "few");
    let mut points = 0;
    for scenario in &SCENARIOS {
        let most = if is_short { 2 } else { scenario.most };
        for call in CALLS {
            for fault in FAULTS {
                points += (1..=most).take_while(|nth| strikes(scenario, call, fault, *nth)).count();
            }
        }
    }
    assert!(points >= if is_short { 50 } else { 300 }, "{points} faults were met");
}

/// Runs a scenario with one fault; says whether it was met.
fn strikes(scenario: &Scenario, call: &str, fault: &str, nth: usize) -> bool {
    let what = format!("{}: {fault} at {call} {nth}", scenario.name);
    let place = Place::new("filesystem: {allowed_paths: [./data]}\n");
    place.write("script.py", "print('ran')");
    let mut acknowledged = 0;
    let old = ["archive", "prune"].contains(&scenario.name);
    if old {
        // More than one segment, and two bundles.
        many::runs(&place, 290);
        acknowledged = 580;
        if scenario.name == "prune" {
            assert_eq!(say(&mut place.waxcell(&["audit", "archive"])).code, 0);
            acknowledged += 1;
        }
    } else if scenario.name == "redact" {
        assert_eq!(say(&mut place.waxcell(&["run", "script.py", "an argument"])).code, 0);
        acknowledged = 2;
    } else if scenario.begun {
        for _ in 0..2 {
            assert_eq!(say(&mut place.waxcell(&["run", "script.py"])).code, 0);
        }
        acknowledged = 4;
    }
    if scenario.name == "checkpoint" {
        // A record that is not signed yet: its run died before that.
        let killed = inject(&place, &["run", "script.py"], false, "renameat", "signal=KILL", 1).0;
        assert_ne!(killed.code, 0, "{killed:?}");
        acknowledged = place.records().len();
        assert!(acknowledged >= 5, "{acknowledged}");
    }
    if scenario.name == "recover" {
        let segment = place.journal().join("00000000.log");
        let short = std::fs::read(&segment).expect("a segment");
        assert_eq!(say(&mut place.waxcell(&["run", "script.py"])).code, 0);
        std::fs::write(&segment, short).expect("a segment");
    }
    let (said, met) = inject(&place, scenario.command, scenario.threads, call, fault, nth);
    if !met {
        return false;
    }
    if scenario.command[0] == "run" {
        // Nothing runs that is not on record.
        let records = place.records();
        assert!(
            !said.out().contains("ran")
                || types(&records[acknowledged.min(records.len())..]).contains(&"started"),
            "{what}: {said:?}"
        );
        if said.code == 0 {
            acknowledged += 2;
        }
    }
    if scenario.name == "recover" {
        // Either it was done, and there is nothing more to recover from, or it can be done now.
        let again = say(&mut place.waxcell(scenario.command));
        assert!([0, 1].contains(&again.code), "{what}: {said:?}, then {again:?}");
        let kept = std::fs::read_dir(place.state()).expect("a folder").flatten();
        assert_eq!(kept.filter(|entry| entry.path().join("journal/head").exists()).count(), 1, "{what}");
        acknowledged = 1;
    }
    let next = say(&mut place.waxcell(&["run", "script.py"]));
    assert_eq!((next.code, next.out()), (0, "ran\n".to_owned()), "{what}: {said:?}, then {next:?}");
    let records = place.records();
    let all = waxcell_journal::verify(&place.journal()).expect("a journal").next as usize;
    assert!(all >= acknowledged + 2, "{what}: {:?}", types(&records));
    let verified = say(&mut place.waxcell(&["audit", "verify", "--complete"]));
    assert_eq!(verified.code, 0, "{what}: {said:?}, then {verified:?}");
    if old {
        // What was cut off is finished by who does it again.
        let again = say(&mut place.waxcell(scenario.command));
        assert!([0, 1].contains(&again.code), "{what}: {said:?}, then {again:?}");
        let verified = say(&mut place.waxcell(&["audit", "verify", "--complete"]));
        assert_eq!(verified.code, 0, "{what}: {said:?}, then {verified:?}");
        let is_there = place.journal().join("tlog/tile/entries/000").exists();
        assert_eq!(is_there, scenario.name == "archive", "{what}");
    }
    true
}

fn inject(
    place: &Place,
    command: &[&str],
    threads: bool,
    call: &str,
    fault: &str,
    nth: usize,
) -> (Said, bool) {
    let log = place.root().join("strace.log");
    let mut strace = place.command(STRACE);
    strace.env("WAXCELL_STATE", place.state());
    if threads {
        strace.arg("-f");
    }
    let said = say(strace
        .arg("-qq")
        .arg("-o")
        .arg(&log)
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}:when={nth}")])
        .arg(support::waxcell())
        .args(command));
    let told = std::fs::read_to_string(&log).unwrap_or_default();
    let killed = fault.starts_with("signal") && said.code == 137 && told.contains("+++ killed by SIGKILL");
    (said, killed || told.contains("(INJECTED)"))
}

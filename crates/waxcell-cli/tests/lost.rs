//! Waxcell is killed, at any moment: nothing of the run is alive or left behind, and the record says what can be said.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Place, Running, alive, marker, say, types, until};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";

#[test]
fn a_killed_supervisor_leaves_nothing_alive_and_its_run_is_lost() {
    let place = Place::new(POLICY);
    let marker = marker();
    place.write(
        "script.py",
        "import os, sys, time\nif os.fork() == 0: os.setsid()\nopen('data/began', 'a').write('x')\ntime.sleep(60)\n",
    );
    let mut running = Running::start(&mut place.waxcell(&["run", "script.py", &marker]));
    until(Duration::from_secs(10), "both began", || {
        place.has("data/began") && place.read("data/began").len() == 2
    });
    assert!(alive(&marker).len() >= 3, "control: they are found while they live");
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    until(Duration::from_secs(2), "nothing is alive", || alive(&marker).is_empty());
    assert_eq!(types(&place.records()), ["started"]);
    assert_eq!(say(&mut place.waxcell(&["audit", "verify", "--complete"])).code, 2);
    assert_eq!(place.run("pass").code, 0);
    let records = place.records();
    assert_eq!(types(&records), ["started", "lost", "started", "finished"]);
    assert_eq!(records[0]["run"], records[1]["run"]);
    assert_eq!(records[1]["started_index"], 0);
    place.check_journal();
    let events = place.view("security_events.log");
    assert!(
        events.iter().any(|event| event["event_type"] == "LOST" && event["run_id"] == records[0]["run"]),
        "{events:?}"
    );
    // Nothing is lost twice.
    place.run("pass");
    assert_eq!(types(&place.records())[4..], ["started", "finished"]);
}

#[test]
fn a_killed_supervisor_leaves_no_placeholder_for_ever() {
    let place = Place::new("filesystem:\n  allowed_paths: [./later/on]\n");
    let marker = marker();
    place.write("script.py", "import time\ntime.sleep(60)");
    let mut running = Running::start(&mut place.waxcell(&["run", "script.py", &marker]));
    until(Duration::from_secs(10), "it began", || {
        types(&place.records()) == ["started"] && alive(&marker).len() >= 2
    });
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    until(Duration::from_secs(2), "nothing is alive", || alive(&marker).is_empty());
    place.run("pass");
    assert!(!place.has("later"), "a folder that no script made is left behind");
}

/// Numbers that are spread evenly and are the same each time.
fn spread(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// The names of all control groups on this host.
fn groups(folder: &Path) -> Vec<String> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.flat_map(|entry| {
        let mut names = groups(&entry.path());
        names.push(entry.file_name().to_string_lossy().into_owned());
        names
    });
    names.collect()
}

#[test]
fn killed_at_any_moment() {
    let place = Place::new("filesystem:\n  allowed_paths: [./data, ./later/on, ./file.json]\n");
    place.write("data/x", "");
    place.write("pass.py", "");
    place.write(
        "script.py",
        "import os, time\nif os.fork() == 0: os.setsid()\nopen('data/x', 'a').write('x')\ntime.sleep(0.05)\n",
    );
    let marker = marker();
    let before = place.tree();
    let one = Instant::now();
    assert_eq!(say(&mut place.waxcell(&["run", "script.py", &marker])).code, 0, "control");
    let longest = one.elapsed().as_micros() as u64;
    let mut chance = 1;
    for _ in 0..100 {
        let mut running = Running::start(&mut place.waxcell(&["run", "script.py", &marker]));
        std::thread::sleep(Duration::from_micros(spread(&mut chance) % longest));
        let _ = running.child.kill();
        running.child.wait().unwrap();
    }
    until(Duration::from_secs(5), "nothing is alive", || alive(&marker).is_empty());
    assert_eq!(say(&mut place.waxcell(&["run", "pass.py"])).code, 0);
    let names = |tree: BTreeMap<std::path::PathBuf, _>| tree.into_keys().collect::<Vec<_>>();
    assert_eq!(names(place.tree()), names(before), "places that no script made are gone");
    assert_eq!(fs::read_dir(place.state().join("runs")).unwrap().count(), 0, "and so are the locks");
    place.check_journal();
    let groups = groups(Path::new("/sys/fs/cgroup"));
    let mut runs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in place.records() {
        runs.entry(record["run"].as_str().unwrap().to_owned()).or_default().push(record);
    }
    let mut lost = 0;
    for (run, records) in runs {
        assert!(!groups.iter().any(|name| name.contains(&run)), "its control group is gone: {run}");
        let zeros = run.bytes().all(|digit| digit == b'0');
        match types(&records)[..] {
            ["started", "lost"] => lost += 1,
            ["started", "finished"] => {}
            _ => assert!(zeros, "one beginning and one end: {records:#?}"),
        }
    }
    assert!(lost > 10, "control: it was killed while runs were going on ({lost})");
}

/// Before `started` is on record nobody knows of the run; its lock names what it made.
#[test]
fn what_a_run_made_before_it_was_on_record_is_cleared_away() {
    let place = Place::new(POLICY);
    assert_eq!(place.run("pass").code, 0);
    let folder = place.project().join("made/for/it");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(place.project().join("made/by/hand")).unwrap();
    let note: Vec<u8> = ["made", "made/for", "made/for/it"]
        .iter()
        .flat_map(|path| [place.project().join(path).into_os_string().into_encoded_bytes(), vec![0]].concat())
        .collect();
    let lock = place.state().join("runs").join("0123456789abcdef".repeat(2));
    fs::write(&lock, note).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&lock, mode).unwrap();
    assert_eq!(place.run("pass").code, 0);
    assert!(!lock.exists() && !place.has("made/for") && place.has("made/by/hand"));
}

#[test]
fn stopped_and_continued() {
    use rustix::process::Signal;
    let place = Place::new(POLICY);
    place.write("script.py", "import time\nopen('data/began', 'w')\ntime.sleep(0.3)\nprint('ran')");
    let running = Running::start(&mut place.waxcell(&["run", "script.py"]));
    until(Duration::from_secs(10), "it began", || place.has("data/began"));
    running.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(500));
    running.signal(Signal::CONT);
    let said = running.end();
    assert_eq!((said.code, said.out()), (0, "ran\n".to_owned()), "{said:?}");
    place.check_journal();
}

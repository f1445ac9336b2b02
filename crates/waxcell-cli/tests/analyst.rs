//! The process that analyses: it has nothing, and whatever becomes of it is a refusal that says why.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Place, say};

/// A script whose analysis takes long enough to be met.
fn long() -> String {
    format!("x = [{}]\n", "1, ".repeat(700_000))
}

fn place() -> Place {
    let place = Place::new("filesystem: {allowed_paths: [./data]}\n");
    place.write("long.py", long());
    place.write("short.py", "eval(input())\n");
    place
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What `/proc` says of the process that analyses for this one, once it is at work.
fn at_work(program: &Child) -> (i32, String) {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody is at work");
        let id = program.id();
        // Each thread has its own.
        let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten();
        let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        let children: String = children.collect();
        for child in children.split_whitespace() {
            let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
            let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
            let resident = value("VmRSS:").and_then(|size| size.trim().trim_end_matches(" kB").parse().ok());
            // More than it needs to get ready.
            if value("Name:").is_some_and(|name| name.trim() == "waxcell-worker") && resident > Some(50_000) {
                return (child.parse().unwrap(), status);
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn ends_it(program: &Child, signal: Signal) {
    kill_process(Pid::from_raw(at_work(program).0).unwrap(), signal).unwrap();
}

#[test]
fn a_file_whose_analysis_ends_is_not_analysed_and_the_next_one_is() {
    let place = place();
    let mut command = place.waxcell(&["--json", "check", "long.py", "short.py"]);
    let program = start(&mut command);
    ends_it(&program, Signal::ILL);
    let output = program.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &report["files"][0]["findings"][0];
    let told = "the analysis of `long.py` ended with signal 4 (illegal instruction): what cannot be analysed is not run";
    assert_eq!((&finding["rule"], &finding["message"]), (&"analysis-ended".into(), &told.into()));
    assert_eq!(report["files"][1]["findings"][0]["rule"], "B307", "{report:#}");
}

#[test]
fn a_script_whose_analysis_ends_is_not_run() {
    let place = place();
    let program = start(&mut place.waxcell(&["--json", "run", "long.py"]));
    ends_it(&program, Signal::KILL);
    let output = program.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(126));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "refused");
    let cause = report["cause"].as_str().unwrap();
    assert!(cause.contains("the analysis of `long.py` ended with signal 9 (killed)"), "{report:#}");
    assert!(!report["record"].is_null(), "{report:#}");
}

#[test]
fn a_script_that_takes_more_memory_than_there_is_is_not_run() {
    let place = place();
    let [shell, set] = ["/bin/sh", "ulimit -v 100000; exec \"$@\""];
    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    let mut command = Command::new(shell);
    let waxcell = place.waxcell(&["--json", "check", "long.py", "short.py"]);
    command.args(["-c", set, shell]).arg(waxcell.get_program()).args(waxcell.get_args());
    let folder = waxcell.get_current_dir().unwrap();
    let said = say(command.current_dir(folder));
    let report: Value = serde_json::from_str(&said.out()).unwrap();
    assert_eq!(said.code, 3);
    let message = report["files"][0]["findings"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("ended with signal 6 (aborted, as where memory or stack is used up)"),
        "{message}"
    );
    assert_eq!(report["files"][1]["findings"][0]["rule"], "B307", "{report:#}");
}

#[test]
fn it_has_no_rights_no_files_and_nothing_of_the_caller() {
    let place = place();
    let mut program = start(place.waxcell(&["check", "long.py"]).env("OF_THE_CALLER", "1"));
    let (process, status) = at_work(&program);
    let read = |name: &str| fs::read(format!("/proc/{process}/{name}"));
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapPrm:\t0000000000000000", "Threads:\t1"] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    let limits = String::from_utf8(read("limits").unwrap()).unwrap();
    for name in ["open files", "processes", "file size"] {
        let line = limits.lines().find(|line| line.starts_with(&format!("Max {name}"))).unwrap();
        assert!(line.split_whitespace().filter(|word| *word == "0").count() == 2, "{line}");
    }
    // Whoever is no root may not look: it is closed to those who read processes.
    if let (Ok(environment), Ok(files)) = (read("environ"), fs::read_dir(format!("/proc/{process}/fd"))) {
        assert_eq!(environment, b"");
        assert_eq!(files.count(), 3);
    }
    program.kill().unwrap();
    program.wait().unwrap();
    // It does not stay behind.
    let begun = Instant::now();
    while fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

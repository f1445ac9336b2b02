//! What the tests of bad input share: a project that would leave a mark if anything of it ran, paths of every wrong kind,
//! and what an error has to look like.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Place, Running, Said};

/// Says so by itself if it ran: in a writable path of the policy.
pub(crate) const MARKS: &str = "open('data/ran', 'w').write('x')\nprint('ran')\n";
/// Its path is missing, so that a placeholder would be made for it.
pub(crate) const POLICY: &str = "filesystem:\n  allowed_paths: [./data, ./deep/er, ./out.json]\n";

pub(crate) fn place() -> Place {
    let place = Place::new(POLICY);
    place.write("script.py", MARKS);
    place
}

/// One error, what and where, and nothing else.
#[track_caller]
pub(crate) fn check_said(said: &Said, code: i32, words: &[&str]) {
    let err = said.err();
    assert_eq!(said.code, code, "{said:?}");
    assert_eq!(said.out(), "", "{said:?}");
    let errors =
        err.lines().filter(|line| line.starts_with("waxcell: error:") || line.starts_with("error:")).count();
    assert_eq!(errors, 1, "one error: {said:?}");
    assert!(!err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{said:?}");
    assert!(err.lines().count() <= 16, "short: {said:?}");
    assert!(!err.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
    for word in words {
        assert!(err.contains(word), "`{word}` is not in it: {said:?}");
    }
}

/// As [`check_said`], and the project is as it was.
#[track_caller]
pub(crate) fn refuses(place: &Place, command: &mut Command, code: i32, words: &[&str]) -> Said {
    let before = place.tree();
    let said = Running::start(command).end_within(Duration::from_secs(15));
    check_said(&said, code, words);
    assert_eq!(place.tree(), before, "something was left or changed: {said:?}");
    if place.journal().is_dir() {
        place.check_journal();
    }
    said
}

/// The same under `--json`: the report takes the place of the script's output, and the error is said all the same.
#[track_caller]
pub(crate) fn refuses_with_report(place: &Place, command: &mut Command, code: i32, words: &[&str]) {
    let before = place.tree();
    let said = Running::start(command).end_within(Duration::from_secs(15));
    let report = said.report_of_nothing_run(code);
    for word in words {
        assert!(report["cause"].as_str().unwrap().contains(word), "`{word}` is not in it: {report:#}");
    }
    check_said(&Said { out: Vec::new(), ..said }, code, words);
    assert_eq!(place.tree(), before);
}

pub(crate) fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
}

/// A path of every kind that is no usable file; the name of the kind first.
pub(crate) fn no_files(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    fs::create_dir_all(folder.join("folder")).unwrap();
    fifo(&folder.join("fifo"));
    symlink("loop", folder.join("loop")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap());
    vec![
        ("missing", folder.join("missing")),
        ("folder", folder.join("folder")),
        ("fifo", folder.join("fifo")),
        ("loop", folder.join("loop")),
        ("dangling", folder.join("dangling")),
        ("socket", folder.join("socket")),
        ("null", PathBuf::from("/dev/null")),
        ("zero", PathBuf::from("/dev/zero")),
        ("below a file", folder.join("../script.py/below")),
    ]
}

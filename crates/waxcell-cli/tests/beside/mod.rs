//! A script beside itself: bare and held, both must say the same.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::process::Command;

use crate::support::{Place, Said, bytes, say};

pub(crate) const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n  blocked_operations: []\n";

/// The script with these arguments, bare and held, after `change`; both must say the same.
#[track_caller]
pub(crate) fn same_as(place: &Place, script: &str, args: &[&[u8]], change: impl Fn(&mut Command)) -> Said {
    let front = |mut command: Command, words: &[&str]| {
        command.args(words).arg(bytes(script.as_bytes())).args(args.iter().map(|arg| bytes(arg)));
        change(&mut command);
        say(&mut command)
    };
    // By name, as waxcell finds it too.
    let bare = front(place.command("/usr/bin/env"), &["python3"]);
    let held = front(place.waxcell(&["run"]), &[]);
    assert_eq!(held, bare, "held is left, bare is right");
    held
}

#[track_caller]
pub(crate) fn same(text: &str) -> Said {
    let place = Place::new(POLICY);
    place.write("script.py", text);
    place.write("data/x", "x");
    same_as(&place, "script.py", &[], |_| {})
}

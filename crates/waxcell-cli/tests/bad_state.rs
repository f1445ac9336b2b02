//! A state directory, journal or disk that cannot be used: nothing runs that is not on record.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod bad;
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use bad::{check_said, fifo, no_files, place, refuses};
use support::{Running, is_root, say, skip};

#[test]
fn state_of_every_wrong_kind() {
    let place = place();
    for (kind, path) in no_files(&place.project().join("kinds")) {
        // These it can make.
        if ["missing", "folder"].contains(&kind) {
            continue;
        }
        println!("{kind}");
        let path = path.to_str().unwrap();
        refuses(
            &place,
            &mut place.waxcell(&["--state", path, "run", "script.py"]),
            125,
            &["state", path, "--state"],
        );
    }
}

#[test]
fn state_in_a_folder_of_everybodys() {
    let place = place();
    let open = place.root().join("open");
    fs::create_dir(&open).unwrap();
    let state = open.join("below/state");
    let run = || place.waxcell(&["--state", state.to_str().unwrap(), "run", "script.py"]);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    refuses(&place, &mut run(), 125, &["below/state", "anybody", "--state"]);
    assert!(!open.join("below").exists(), "what is refused is not made");
    // Nor is one that a link leads to, from a folder that is in order.
    fs::create_dir_all(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(open.join("below"), place.root().join("link")).unwrap();
    for link in [place.root().join("link"), place.root().join("link/state")] {
        let link = link.to_str().unwrap();
        refuses(&place, &mut place.waxcell(&["--state", link, "run", "script.py"]), 125, &[link, "--state"]);
    }
    fs::create_dir_all(&state).unwrap();
    refuses(&place, &mut run(), 125, &["below/state", "anybody", "--state"]);
    // As `/tmp` is: nobody but its owner renames what is there.
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(say(&mut run()).code, 0);
}

#[test]
fn state_that_cannot_be_written() {
    let place = place();
    let home = place.root().join("home");
    // Where an ordinary user may not write, and nobody at all.
    refuses(
        &place,
        &mut place.waxcell(&["--state", "/proc/waxcell", "run", "script.py"]),
        125,
        &["/proc/waxcell"],
    );
    refuses(
        &place,
        place.waxcell(&["run", "script.py"]).env("WAXCELL_STATE", "/sys/waxcell"),
        125,
        &["/sys/waxcell"],
    );
    if is_root() {
        return skip("bad_state::state_that_cannot_be_written", "root may write into a read-only folder");
    }
    let before = place.tree();
    fs::create_dir(home.join("state")).unwrap();
    fs::set_permissions(home.join("state"), fs::Permissions::from_mode(0o500)).unwrap();
    let path = home.join("state");
    refuses(
        &place,
        &mut place.waxcell(&["--state", path.to_str().unwrap(), "run", "script.py"]),
        125,
        &["state"],
    );
    assert_eq!(place.tree(), before);
    // A journal that was good and is read-only now.
    assert_eq!(support::say(&mut place.waxcell(&["run", "script.py"])).code, 0);
    fs::remove_file(place.project().join("data/ran")).unwrap();
    fs::set_permissions(place.journal(), fs::Permissions::from_mode(0o500)).unwrap();
    for entry in fs::read_dir(place.journal()).unwrap().flatten() {
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o400)).unwrap();
    }
    refuses(&place, &mut place.waxcell(&["run", "script.py"]), 125, &["journal", "--state"]);
}

#[test]
fn state_without_a_place() {
    let place = place();
    if is_root() {
        return skip("bad_state::state_without_a_place", "root has /var/lib/waxcell");
    }
    refuses(
        &place,
        place.waxcell(&["run", "script.py"]).env_remove("WAXCELL_STATE").env_remove("HOME"),
        125,
        &["--state"],
    );
}

#[test]
fn journal_that_is_a_file_or_was_damaged() {
    let place = place();
    fs::create_dir(place.state()).unwrap();
    fs::write(place.journal(), "text").unwrap();
    let before = place.tree();
    let said = Running::start(&mut place.waxcell(&["run", "script.py"])).end();
    check_said(&said, 125, &["journal", "--state"]);
    assert_eq!(place.tree(), before);
    fs::remove_file(place.journal()).unwrap();
    assert_eq!(support::say(&mut place.waxcell(&["run", "script.py"])).code, 0);
    fs::remove_file(place.project().join("data/ran")).unwrap();
    let segments = || fs::read_dir(place.journal()).unwrap().flatten().map(|entry| entry.path());
    let first = segments().filter(|path| path.metadata().unwrap().len() > 4096).min().unwrap();
    let mut contents = fs::read(&first).unwrap();
    let at = contents.windows(9).position(|window| window == b"\"started\"").unwrap();
    contents[at + 1] ^= 1;
    fs::write(&first, contents).unwrap();
    let verified = support::say(&mut place.waxcell(&["audit", "verify"]));
    assert_eq!(verified.code, 1, "{verified:?}");
    let before = place.tree();
    let said = Running::start(&mut place.waxcell(&["run", "script.py"])).end();
    check_said(&said, 125, &["journal", "audit verify", "--state"]);
    assert_eq!(place.tree(), before);
}

#[test]
fn full_disk() {
    let name = "bad_state::full_disk";
    if !is_root() {
        return skip(name, "only root may mount a small file system");
    }
    let place = place();
    let small = place.root().join("small");
    fs::create_dir(&small).unwrap();
    let inner = format!(
        "mount -t tmpfs -o size=64k none {small} || exit 99; {waxcell} --state {small}/state run script.py",
        small = small.display(),
        waxcell = support::waxcell().display()
    );
    let before = place.tree();
    let said = Running::start(place.command("/usr/bin/unshare").args(["-m", "/bin/sh", "-c", &inner]))
        .end_within(Duration::from_secs(20));
    if said.code == 99 || said.err().contains("unshare failed") {
        return skip(name, "no private mount namespace here");
    }
    check_said(&said, 125, &["journal", "--state"]);
    assert!(said.err().contains("space"), "{said:?}");
    assert_eq!(place.tree(), before);
}

/// A disk with room for the journal's first part alone: at some run it is full. Each run is whole or did not begin.
#[test]
fn a_disk_that_fills_up() {
    let name = "bad_state::a_disk_that_fills_up";
    if !is_root() {
        return skip(name, "only root may mount a small file system");
    }
    let place = place();
    place.write("script.py", "print('ran')\nopen('data/count', 'a').write('x')\n");
    place.write("data/count", "");
    let small = place.root().join("small");
    fs::create_dir(&small).unwrap();
    let inner = format!(
        "mount -t tmpfs -o size=12m none {small} || exit 99
         {waxcell} --state {small}/state run script.py || exit 98
         cat /dev/zero > {small}/filler 2>/dev/null
         for i in 1 2 3 4 5 6; do {waxcell} --state {small}/state run script.py; echo code $?; done
         {waxcell} --state {small}/state audit verify --complete; echo verify $?",
        small = small.display(),
        waxcell = support::waxcell().display()
    );
    let said = Running::start(place.command("/usr/bin/unshare").args(["-m", "/bin/sh", "-c", &inner])).end();
    if [98, 99].contains(&said.code) || said.err().contains("unshare failed") {
        return skip(name, "no private mount namespace here, or none of that size");
    }
    println!("{said:?}");
    let (out, ran) = (said.out(), place.read("data/count").len());
    assert!(out.contains("verify 0"), "{said:?}");
    assert_eq!(out.matches("code 0").count() + 1, ran, "what ran said so, what did not run is 125: {said:?}");
    assert_eq!(out.matches("code 0").count() + out.matches("code 125").count(), 6, "{said:?}");
}

#[test]
fn state_that_others_may_write_to() {
    let place = place();
    let state = place.root().join("loose");
    fs::create_dir(&state).unwrap();
    let run = |mode: u32| {
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
        say(&mut place.waxcell(&["--state", state.to_str().unwrap(), "run", "script.py"]))
    };
    for mode in [0o777, 0o775, 0o702] {
        let said = run(mode);
        assert_eq!((said.code, said.out()), (125, String::new()), "{mode:o}: {said:?}");
        assert!(said.err().contains("loose") && said.err().contains("chmod go-w"), "{said:?}");
        assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing half-written");
    }
    assert_eq!(run(0o755).code, 0, "control: it is the right to write");
    if is_root() {
        std::os::unix::fs::chown(&state, Some(23456), None).unwrap();
        let said = run(0o755);
        assert!(said.code == 125 && said.err().contains("belongs to somebody else"), "{said:?}");
    }
}

/// The views and what is remembered are not needed: whatever stands in their place, the run goes on without them.
#[test]
fn odd_files_in_the_state_directory() {
    let place = place();
    let outside = place.root().join("outside");
    fs::write(&outside, "mine").unwrap();
    assert_eq!(say(&mut place.waxcell(&["run", "script.py"])).code, 0);
    let views = ["execution_audit.log", "security_events.log", "resource_usage.log"]
        .map(|name| place.state().join("logs").join(name));
    let cache = place.state().join("cache/interpreters.json");
    for path in views.iter().chain([&cache]) {
        let _ = fs::remove_file(path);
        fifo(path);
    }
    let said = Running::start(&mut place.waxcell(&["run", "script.py"])).end_within(Duration::from_secs(10));
    assert_eq!((said.code, said.out()), (0, "ran\n".to_owned()), "no wait for a reader: {said:?}");
    for path in &views {
        fs::remove_file(path).unwrap();
        symlink(&outside, path).unwrap();
    }
    assert_eq!(say(&mut place.waxcell(&["run", "script.py"])).code, 0);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine", "not through a link");
    fs::remove_dir_all(place.state().join("runs")).unwrap();
    fifo(&place.state().join("runs"));
    refuses(&place, &mut place.waxcell(&["run", "script.py"]), 125, &["runs", "--state"]);
    place.check_journal();
}

#[test]
fn journal_that_is_lost_during_the_run() {
    let place = place();
    place.write("script.py", "import time\nopen('data/began', 'w')\ntime.sleep(0.5)\nprint('ran')");
    let running = Running::start(&mut place.waxcell(&["run", "--json", "script.py"]));
    support::until(Duration::from_secs(10), "it began", || place.has("data/began"));
    let segment = fs::read_dir(place.journal()).unwrap().flatten().map(|entry| entry.path());
    let segment = segment.filter(|path| path.extension().is_some_and(|end| end == "log")).min().unwrap();
    fs::OpenOptions::new().write(true).open(segment).unwrap().set_len(100).unwrap();
    let said = running.end();
    let report = said.report();
    assert_eq!((said.code, &report["verdict"], &report["success"]), (125, &"error".into(), &false.into()));
    assert_eq!((&report["stdout"], &report["record"]), (&"ran\n".into(), &serde_json::Value::Null));
    let told = report["cause"].as_str().unwrap();
    assert!(told.contains("the script ran (ok: exit code 0)") && told.contains("journal"), "{told}");
    assert!(said.err().contains(told), "{said:?}");
}

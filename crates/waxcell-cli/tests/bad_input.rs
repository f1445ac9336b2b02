//! Input that cannot be used: one clear error, the documented exit code, nothing run and nothing half-written. Long because it is a list: one short test an input.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod bad;
mod support;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;
use std::time::Duration;

use bad::{MARKS, POLICY, check_said, fifo, no_files, place, refuses, refuses_with_report};
use support::{Running, bytes, is_root, skip};

#[test]
fn control_the_same_project_runs() {
    let place = place();
    let said = support::say(&mut place.waxcell(&["run", "script.py"]));
    assert_eq!((said.code, said.out(), said.err()), (0, "ran\n".to_owned(), String::new()));
    assert!(place.has("data/ran"));
    assert!(!place.has("deep") && !place.has("out.json"));
    place.check_journal();
}

#[test]
fn script_of_every_wrong_kind() {
    let place = place();
    for (kind, path) in no_files(&place.project().join("kinds")) {
        println!("{kind}");
        let code = if ["missing", "dangling", "below a file"].contains(&kind) { 127 } else { 126 };
        let path = path.to_str().unwrap();
        refuses(&place, &mut place.waxcell(&["run", path]), code, &["script", path]);
        refuses_with_report(&place, &mut place.waxcell(&["--json", "run", path]), code, &["script", path]);
    }
}

#[test]
fn script_unreadable() {
    if is_root() {
        return skip("bad_input::script_unreadable", "root may read every file");
    }
    let place = place();
    fs::set_permissions(place.project().join("script.py"), fs::Permissions::from_mode(0o0)).unwrap();
    let said = Running::start(&mut place.waxcell(&["run", "script.py"])).end();
    check_said(&said, 126, &["script.py", "permissions"]);
}

#[test]
fn script_huge() {
    let place = place();
    place.write("huge.py", vec![b'#'; 9 << 20]);
    refuses(&place, &mut place.waxcell(&["run", "huge.py"]), 126, &["huge.py", "bytes"]);
    place.write("large.py", [&b"#".repeat(7 << 20), MARKS.as_bytes()].join(&b'\n'));
    assert_eq!(
        support::say(&mut place.waxcell(&["run", "large.py"])).out(),
        "ran\n",
        "control: it is the size"
    );
}

#[test]
fn script_malformed() {
    let place = place();
    let cases: [(&str, &[u8]); 4] = [
        ("syntax.py", b"open('data/ran', 'w')\nif True print(1)\n"),
        ("latin.py", b"open('data/ran', 'w')\nx = '\xff\xfe'\n"),
        ("nul.py", b"open('data/ran', 'w')\nx = '\0'\n"),
        ("codec.py", b"# -*- coding: no-such-codec -*-\nopen('data/ran', 'w')\n"),
    ];
    for (name, text) in cases {
        place.write(name, text);
        assert_ne!(
            support::say(place.command(support::PYTHON).arg(name)).code,
            0,
            "control: bare Python refuses {name}"
        );
        let before = place.tree();
        let said = Running::start(&mut place.waxcell(&["run", name])).end();
        assert_eq!((said.code, said.out()), (126, String::new()), "{said:?}");
        assert!(said.err().contains("refused") && said.err().contains(name), "which file: {said:?}");
        assert_eq!(place.tree(), before);
        let record = place.records().pop().unwrap();
        assert_eq!(
            (record["type"].as_str(), record["script"]["path"].as_str()),
            (Some("refused"), place.project().join(name).to_str())
        );
        assert!(!record["findings"].as_array().unwrap().is_empty(), "{record:#}");
        place.check_journal();
    }
}

#[test]
fn script_empty_is_a_script() {
    let place = place();
    place.write("empty.py", "");
    let said = support::say(&mut place.waxcell(&["run", "empty.py"]));
    assert_eq!((said.code, said.out(), said.err()), (0, String::new(), String::new()));
}

#[test]
fn policy_of_every_wrong_kind() {
    let place = place();
    for (kind, path) in no_files(&place.project().join("kinds")) {
        println!("{kind}");
        let path = path.to_str().unwrap();
        refuses(&place, &mut place.waxcell(&["--policy", path, "run", "script.py"]), 126, &["policy", path]);
        refuses(
            &place,
            place.waxcell(&["run", "script.py"]).env("WAXCELL_POLICY", path),
            126,
            &["policy", path],
        );
        let records = place.records();
        assert!(records.iter().all(|record| record["type"] == "refused"), "{kind}: nothing was begun");
        assert!(!place.has("data"), "{kind}");
    }
}

#[test]
fn policy_malformed() {
    let place = place();
    let huge = format!("# {}\n{POLICY}", "x".repeat(2 << 20));
    let cases: [(&[u8], &str); 12] = [
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"execution: {timeout_seconds: \xff}\n", "UTF-8"),
        (b"execution: {timeout_seconds: 1\0}\n", "security_policy.yml"),
        (b"execution: {timeout_seconds: [}\n", "1:"),
        (b"execution: {timeout_second: 1}\n", "timeout_seconds"),
        (b"execution: {timeout_seconds: -1}\n", "1:30"),
        (b"execution: {timeout_seconds: 1, timeout_seconds: 2}\n", "timeout_seconds"),
        (b"filesystem: {allowed_paths: ['../..']}\n", ".."),
        (b"a: &a [x, x]\nb: &b [*a, *a]\n", "security_policy.yml"),
        (b"- 1\n", "keys"),
        (huge.as_bytes(), "1 MiB"),
    ];
    for (text, word) in cases {
        std::fs::write(place.project().join("security_policy.yml"), text).unwrap();
        let said =
            Running::start(&mut place.waxcell(&["run", "script.py"])).end_within(Duration::from_secs(15));
        assert_eq!((said.code, said.out()), (126, String::new()), "{said:?}");
        assert!(said.err().contains(word) && said.err().contains("security_policy.yml"), "{word}: {said:?}");
        assert!(!said.err().contains("panicked"), "{said:?}");
        assert!(!place.has("data"), "{said:?}");
        let record = place.records().pop().unwrap();
        assert_eq!((&record["type"], &record["exit_code"]), (&"refused".into(), &126.into()), "{record:#}");
    }
}

#[test]
fn policy_unreadable() {
    if is_root() {
        return skip("bad_input::policy_unreadable", "root may read every file");
    }
    let place = place();
    fs::set_permissions(place.project().join("security_policy.yml"), fs::Permissions::from_mode(0o0))
        .unwrap();
    let said = Running::start(&mut place.waxcell(&["run", "script.py"])).end();
    check_said(&said, 126, &["security_policy.yml", "read"]);
    assert!(!place.has("data"));
}

#[test]
fn policy_over_the_whole_host_says_one_error() {
    let place = place();
    let said = Running::start(
        place.waxcell(&["--policy", "/security_policy.yml", "run", "script.py"]).current_dir("/"),
    )
    .end();
    assert_eq!(said.out(), "");
    assert!(said.code == 126 || said.code == 127, "{said:?}");
    let errors = said.err().lines().filter(|line| line.contains("error:")).count();
    assert_eq!(errors, 1, "{said:?}");
}

#[test]
fn interpreter_of_every_wrong_kind() {
    let place = place();
    for (kind, path) in no_files(&place.project().join("kinds")) {
        println!("{kind}");
        let path = if kind == "below a file" { place.project().join("script.py/below") } else { path };
        let code = if ["missing", "dangling", "below a file"].contains(&kind) { 127 } else { 126 };
        place.write("security_policy.yml", format!("interpreter: {}\n{POLICY}", path.display()));
        // What is no path for an interpreter at all is a mistake of the policy.
        let help = if path.starts_with("/dev") { "leave the entry out" } else { "active environment" };
        refuses(&place, &mut place.waxcell(&["run", "script.py"]), code, &[path.to_str().unwrap(), help]);
    }
}

#[test]
fn interpreter_that_is_no_python() {
    let place = place();
    let odd = place.project().join("bin");
    fs::create_dir(&odd).unwrap();
    let cases: [(&str, &[u8], u32); 4] = [
        ("plain", b"text", 0o644),
        ("empty", b"", 0o755),
        ("shell", b"#!/bin/sh\necho ran\n", 0o755),
        ("elf", b"\x7fELF\x02\x01\x01", 0o755),
    ];
    for (name, contents, mode) in cases {
        let path = odd.join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        place.write("security_policy.yml", format!("interpreter: ./bin/{name}\n{POLICY}"));
        refuses(&place, &mut place.waxcell(&["run", "script.py"]), 126, &[path.to_str().unwrap()]);
    }
    place.write("security_policy.yml", format!("interpreter: /usr/bin/true\n{POLICY}"));
    refuses(&place, &mut place.waxcell(&["run", "script.py"]), 126, &["/usr/bin/true"]);
}

#[test]
fn interpreter_nowhere_on_path() {
    let place = place();
    refuses(&place, place.waxcell(&["run", "script.py"]).env("PATH", "/nowhere"), 127, &["python3", "PATH"]);
    refuses(
        &place,
        place.waxcell(&["run", "script.py"]).env_remove("PATH").env("PATH", ""),
        127,
        &["python3"],
    );
}

#[test]
fn report_file_that_is_a_fifo_without_a_reader() {
    let place = place();
    fifo(&place.project().join("report"));
    let said = Running::start(&mut place.waxcell(&["run", "--report", "report", "script.py"]))
        .end_within(Duration::from_secs(5));
    check_said(&said, 125, &["report"]);
}

#[test]
fn report_file_of_every_wrong_kind() {
    let place = place();
    let kinds = no_files(&place.project().join("kinds"));
    for (kind, path) in kinds {
        if ["missing", "dangling", "null", "zero", "fifo"].contains(&kind) {
            continue;
        }
        println!("{kind}");
        let path = path.to_str().unwrap();
        let said = refuses(
            &place,
            &mut place.waxcell(&["run", "--report", path, "script.py"]),
            125,
            &["report", path],
        );
        assert!(!said.out().contains("ran") && !place.has("data/ran"), "{kind}: told before it is run");
    }
    let missing = "no/such/folder/report.json";
    refuses(
        &place,
        &mut place.waxcell(&["run", "--report", missing, "script.py"]),
        125,
        &["report", missing],
    );
}

#[test]
fn wrong_usage() {
    let place = place();
    let cases: [&[&str]; 11] = [
        &["run", "--"],
        &["run", "-c", "print('ran')"],
        &["run", "-m", "json.tool"],
        &["run", "-"],
        &["run"],
        &["run", "--no-such", "script.py"],
        &["run", "--report"],
        &["--color", "sometimes", "run", "script.py"],
        &["no-such-command"],
        &["audit", "show", "--last", "many"],
        &["run", "--policy", "a", "--policy", "b", "script.py"],
    ];
    for args in cases {
        refuses(&place, &mut place.waxcell(args), 2, &["error"]);
    }
    // A command of a later version is not called unknown.
    for args in [&["stats"][..], &["policy", "diff", "a", "b"], &["events"]] {
        refuses(&place, &mut place.waxcell(args), 2, &["is not part of this version yet"]);
    }
    // Each says what there is instead.
    for option in ["-c", "-m", "-"] {
        let said = support::say(&mut place.waxcell(&["run", option, "x"]));
        assert!(said.err().contains("lies in a file"), "{said:?}");
    }
    // Half a command is answered with how it goes on.
    for args in [&[][..], &["policy"], &["audit"]] {
        let said = support::say(&mut place.waxcell(args));
        assert_eq!((said.code, said.out()), (2, String::new()));
        assert!(said.err().contains("Usage:"), "{said:?}");
    }
}

#[test]
fn arguments_of_bytes() {
    let place = place();
    let said = Running::start(place.waxcell(&["run"]).arg(bytes(b"no-\xff-such.py"))).end();
    check_said(&said, 127, &["script"]);
    let said = Running::start(place.waxcell(&["run"]).arg("")).end();
    assert!(said.code == 2 && said.err().contains("empty"), "{said:?}");
    assert_eq!(said.out(), "");
    let long = OsString::from_vec(vec![b'x'; 5000]);
    let said = Running::start(place.waxcell(&["run"]).arg(long)).end();
    assert!([126, 127].contains(&said.code), "{}", said.code);
    let said = Running::start(place.waxcell(&["run"]).arg("no\x1b[31m\nsuch.py")).end();
    assert_eq!(said.code, 127);
    assert!(!said.err().contains('\x1b'), "{said:?}");
}

#[test]
fn a_name_is_on_one_line() {
    let place = place();
    let said = Running::start(place.waxcell(&["run"]).arg("no\nwaxcell: error: forged.py")).end();
    assert_eq!((said.code, said.err().lines().count()), (127, 1), "{said:?}");
}

#[test]
fn stdin_that_is_a_folder() {
    let place = place();
    let folder = || Stdio::from(fs::File::open(place.root()).unwrap());
    refuses(&place, place.waxcell(&["run", "script.py"]).stdin(folder()), 125, &["standard input"]);
    refuses_with_report(
        &place,
        place.waxcell(&["--json", "run", "script.py"]).stdin(folder()),
        125,
        &["standard input"],
    );
}

#[test]
fn closed_streams() {
    let place = place();
    let line = format!("{} run script.py", support::waxcell().display());
    for (closed, code) in [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)] {
        let _ = fs::remove_dir_all(place.project().join("data"));
        let said = Running::start(&mut place.waxcell_shell(&format!("{line} {closed}")))
            .end_within(Duration::from_secs(15));
        let bare = Running::start(
            &mut place.waxcell_shell(&format!("mkdir data; {} script.py {closed}", support::PYTHON)),
        )
        .end();
        println!("{closed}: {said:?} bare {bare:?}");
        assert_eq!(said.code, code, "{closed}: {said:?}");
        assert!(place.has("data/ran"), "{closed}");
    }
}

#[test]
fn working_directory_that_is_gone() {
    let place = place();
    let script = place.project().join("script.py");
    let line = format!(
        "mkdir gone && cd gone && rmdir ../gone && exec {} run {}",
        support::waxcell().display(),
        script.display()
    );
    let before = place.tree();
    let said = Running::start(&mut place.waxcell_shell(&line)).end();
    check_said(&said, 125, &["working directory"]);
    assert_eq!(place.tree(), before);
}

#[test]
fn allowed_path_that_cannot_be_made() {
    let place = place();
    symlink("nowhere-at-all", place.project().join("dangling")).unwrap();
    place.write("file", "");
    for entry in ["./file/below", "./dangling/below"] {
        place.write(
            "security_policy.yml",
            format!("filesystem:\n  allowed_paths: [./data, ./new/er, {entry}]\n"),
        );
        let before = place.tree();
        let said = Running::start(&mut place.waxcell(&["run", "script.py"])).end();
        println!("{entry}: {said:?}");
        assert!(!said.err().contains("panicked"), "{said:?}");
        if said.code != 0 {
            check_said(&said, 126, &[entry.trim_start_matches("./")]);
            assert_eq!(place.tree(), before, "no placeholder is left");
            place.check_journal();
        }
    }
}

#[test]
fn other_commands_over_nothing() {
    let place = place();
    for args in [&["audit", "show"][..], &["audit", "verify"], &["audit", "show", "no-such-run"]] {
        let said = Running::start(&mut place.waxcell(args)).end();
        assert_ne!(said.code, 0, "{args:?} {said:?}");
        assert_eq!(said.out(), "", "{args:?}");
        assert!(said.err().starts_with("waxcell: error:"), "{args:?} {said:?}");
        assert!(!place.state().exists(), "{args:?}: looking makes nothing");
    }
    for (kind, path) in no_files(&place.project().join("kinds")) {
        println!("{kind}");
        let path = path.to_str().unwrap();
        for args in [&["policy", "lint", path][..], &["policy", "explain", path]] {
            let said = Running::start(&mut place.waxcell(args)).end_within(Duration::from_secs(15));
            assert_ne!(said.code, 0, "{said:?}");
            assert!(said.err().contains(path), "{said:?}");
        }
    }
}

#[test]
fn a_name_like_an_option_is_a_name() {
    let place = place();
    place.write("-c", "import sys\nprint(sys.argv)");
    let said = support::say(&mut place.waxcell(&["run", "--", "-c", "--json", "--"]));
    assert_eq!((said.code, said.out()), (0, "['-c', '--json', '--']\n".to_owned()), "{said:?}");
    let odd = "new\nline and \u{202e} ü.py";
    place.write(odd, MARKS);
    assert_eq!(support::say(&mut place.waxcell(&["run", odd])).out(), "ran\n");
}

#[test]
fn audit_of_no_run() {
    let place = place();
    assert_eq!(support::say(&mut place.waxcell(&["run", "script.py"])).code, 0);
    for (args, code) in [(&["show", ""][..], 1), (&["show", "zz"], 1), (&["show", "--last", "0"], 2)] {
        let said = support::say(place.waxcell(&["audit"]).args(args));
        assert_eq!((said.code, said.out()), (code, String::new()), "{args:?}: {said:?}");
    }
}

#[test]
fn environment_without_a_path() {
    let place = place();
    let said = support::say(place.waxcell(&["run", "script.py"]).env_remove("PATH"));
    assert_eq!((said.code, said.out()), (0, "ran\n".to_owned()), "as a shell would find it: {said:?}");
}

#[test]
fn interpreter_that_is_huge() {
    let place = place();
    let path = place.write("python3.11", b"\x7fELF");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5 << 30).unwrap();
    place.write("security_policy.yml", format!("interpreter: ./python3.11\n{POLICY}"));
    let said = Running::start(&mut place.waxcell(&["run", "script.py"])).end_within(Duration::from_secs(10));
    check_said(&said, 125, &["python3.11", "bytes"]);
    assert!(!place.has("data"));
}

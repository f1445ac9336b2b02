//! Standard streams, held and bare: files, pipes, sockets and terminals; and the report beside or instead of them.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod beside;
mod support;

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use beside::{POLICY, same_as};
use support::{PYTHON, Place, Running, on_a_terminal, say, say_with};

#[test]
fn standard_input() {
    let place = Place::new(POLICY);
    place.write("script.py", "import os, stat, sys\nm = os.fstat(0).st_mode\nprint(stat.S_ISFIFO(m), stat.S_ISREG(m), stat.S_ISCHR(m), sys.stdin.isatty())\nprint(repr(sys.stdin.read()[:50]))");
    place.write("input", "from a file");
    same_as(&place, "script.py", &[], |_| {});
    let project = place.project();
    same_as(&place, "script.py", &[], |c| {
        c.stdin(fs::File::open(project.join("input")).unwrap());
    });
    let large = "x\n".repeat(200_000);
    let bare = say_with(place.command(PYTHON).arg("script.py"), large.as_bytes());
    assert_eq!(say_with(&mut place.waxcell(&["run", "script.py"]), large.as_bytes()), bare);
    assert_eq!(
        say_with(&mut place.waxcell(&["run", "script.py"]), b""),
        say_with(place.command(PYTHON).arg("script.py"), b"")
    );
    // A script that reads nothing leaves what is there for the next program.
    place.write("first.py", "import os; os.read(0, 5)");
    let line = |first: &str| format!("(echo 'one\ntwo'; sleep 0.2) | ({first}; cat)");
    let bare = say(&mut place.waxcell_shell(&line(&format!("{PYTHON} first.py"))));
    let held =
        say(&mut place.waxcell_shell(&line(&format!("{} run first.py", support::waxcell().display()))));
    assert_eq!(held, bare);
}

#[test]
fn output_into_a_file_and_in_order() {
    let place = Place::new(POLICY);
    place.write("script.py", "import os, sys\nfor n in range(300):\n    os.write(1, b'o%d\\n' % n); os.write(2, b'e%d\\n' % n)\nprint(sys.stdout.isatty())");
    let waxcell = support::waxcell();
    for redirect in [
        "2>&1",
        "> ../out 2>&1; cat ../out",
        "> ../out; cat ../out",
        "2> ../err; cat ../err",
        "2>&1 | cat",
        ">> ../appended 2>&1; cat ../appended; rm ../appended",
    ] {
        let bare = say(&mut place.waxcell_shell(&format!("{PYTHON} script.py {redirect}")));
        let held = say(&mut place.waxcell_shell(&format!("{} run script.py {redirect}", waxcell.display())));
        assert_eq!(held, bare, "{redirect}");
    }
}

#[test]
fn output_comes_while_the_script_runs() {
    let place = Place::new(POLICY);
    let text = "import sys, time\nprint('first', flush=True)\ntime.sleep(1.5)\nprint('second')";
    place.write("script.py", text);
    let line = format!(
        "{} run script.py | (head -n 1; date +%s.%N; cat; date +%s.%N)",
        support::waxcell().display()
    );
    let said = say(&mut place.waxcell_shell(&line));
    let out = said.out();
    let lines: Vec<&str> = out.lines().collect();
    let between = lines[lines.len() - 1].parse::<f64>().unwrap() - lines[1].parse::<f64>().unwrap();
    assert!((1.0..3.0).contains(&between), "{said:?}");
}

#[test]
fn a_reader_that_goes_away() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys\nfor n in range(200000): print('line', n)\n");
    place.write("quiet.py", "import os, sys\ntry:\n    for n in range(200000): os.write(1, b'x' * 1000)\nexcept BrokenPipeError: sys.exit(7)\n");
    for script in ["script.py", "quiet.py"] {
        // Without `pipefail` in every `sh`: the code goes into a file.
        let line =
            |program: &str| format!("({program} {script}; echo $? > ../code) | head -c 10; cat ../code");
        let bare = say(&mut place.waxcell_shell(&line(PYTHON)));
        let held = say(&mut place.waxcell_shell(&line(&format!("{} run", support::waxcell().display()))));
        assert_eq!(held, bare, "{script}");
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    let place = Place::new(&format!("{POLICY}execution: {{output_mb: 64}}\n"));
    place.write(
        "script.py",
        "import sys\nsys.stdout.write('x' * (5 << 20)); sys.stderr.write('y' * (1 << 20))",
    );
    let line =
        format!("{} run script.py 2>../err | (sleep 1; wc -c); wc -c < ../err", support::waxcell().display());
    assert_eq!(say(&mut place.waxcell_shell(&line)).out(), format!("{}\n{}\n", 5 << 20, 1 << 20));
}

#[test]
fn a_socket_as_standard_input_ends_with_the_script() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys; print(sys.stdin.readline())");
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    (&ours).write_all(b"over a socket\n").unwrap();
    let theirs: std::os::fd::OwnedFd = theirs.into();
    let said = Running::start(place.waxcell(&["run", "script.py"]).stdin(Stdio::from(theirs)))
        .end_within(Duration::from_secs(10));
    assert_eq!(
        (said.code, said.out()),
        (0, "over a socket\n\n".to_owned()),
        "the other end stays open: {said:?}"
    );
    drop(ours);
}
#[track_caller]
fn same_on_a_terminal(text: &str, keys: &str) -> String {
    let place = Place::new(POLICY);
    place.write("script.py", text);
    let bare = on_a_terminal(&place, &[PYTHON, "script.py"], keys);
    let waxcell = support::waxcell();
    let state = place.state();
    let held = on_a_terminal(
        &place,
        &[waxcell.to_str().unwrap(), "--state", state.to_str().unwrap(), "run", "script.py"],
        keys,
    );
    assert_eq!(held, bare, "held is left, bare is right");
    held
}

#[test]
fn a_terminal_is_a_terminal() {
    let said = same_on_a_terminal(
        "import os, sys\nprint([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)], os.get_terminal_size(), sys.stdout.line_buffering)\nprint('READY', flush=True)\nprint(repr(input('name? ')))",
        "bee\\n",
    );
    assert!(said.contains("columns=99, lines=33") && said.contains("bee"), "{said}");
}

#[test]
fn an_interrupt_from_the_terminal() {
    let said = same_on_a_terminal(
        "import time\nprint('READY', flush=True)\ntry: time.sleep(10)\nexcept KeyboardInterrupt: print('interrupted'); raise SystemExit(8)",
        "\\x03",
    );
    assert!(said.contains("interrupted") && said.trim_end().ends_with(" 8"), "{said}");
}

#[test]
fn an_interrupt_from_the_terminal_without_a_handler() {
    let said = same_on_a_terminal("import time\nprint('READY', flush=True)\ntime.sleep(10)", "\\x03");
    assert!(said.contains("KeyboardInterrupt"), "{said}");
}

#[test]
fn the_end_of_input_from_the_terminal() {
    let said = same_on_a_terminal(
        "import sys\nprint('READY', flush=True)\nprint(repr(sys.stdin.read()))",
        "one\\n\\x04",
    );
    assert!(said.contains("'one"), "{said}");
}

#[test]
fn a_terminal_cannot_be_typed_into_by_the_script() {
    let place = Place::new(POLICY);
    place.write("script.py", "import fcntl, termios\ntry: fcntl.ioctl(0, termios.TIOCSTI, b'x'); print('TYPED')\nexcept OSError as e: print('refused')\ntry: open('/dev/tty'); print('OPENED')\nexcept OSError: print('none')\n");
    let (waxcell, state) = (support::waxcell(), place.state());
    let held = on_a_terminal(
        &place,
        &[waxcell.to_str().unwrap(), "--state", state.to_str().unwrap(), "run", "script.py"],
        "",
    );
    assert!(held.contains("refused") && held.contains("none"), "{held}");
}

#[test]
fn json_prints_one_report_and_report_writes_it_beside_the_streams() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys\nprint('ü'); print('err', file=sys.stderr); sys.exit(3)");
    let said = say(&mut place.waxcell(&["--json", "run", "script.py"]));
    let report = said.report();
    let keys = [
        "success",
        "return_code",
        "stdout",
        "stderr",
        "execution_time",
        "resource_usage",
        "verdict",
        "cause",
        "run_id",
        "script",
        "policy",
        "findings",
        "violations",
        "files_changed",
        "network",
        "enforced",
        "record",
    ];
    for key in keys {
        assert!(report.get(key).is_some_and(|value| !value.is_null()), "{key}");
    }
    assert_eq!(
        (said.code, said.err(), report["stdout"].as_str(), report["stderr"].as_str()),
        (3, String::new(), Some("ü\n"), Some("err\n"))
    );
    let said = say(&mut place.waxcell(&["run", "--report", "../report.json", "script.py"]));
    assert_eq!((said.code, said.out(), said.err()), (3, "ü\n".to_owned(), "err\n".to_owned()));
    let written: serde_json::Value =
        serde_json::from_slice(&fs::read(place.root().join("report.json")).unwrap()).unwrap();
    assert_eq!(
        (written["verdict"].as_str(), written["stdout_sha256"].as_str()),
        (Some("failed"), report["stdout_sha256"].as_str())
    );
    // The options may stand on either side of `run`, but not behind the script.
    assert_eq!(say(&mut place.waxcell(&["run", "--json", "script.py"])).report()["verdict"], "failed");
    assert_eq!(say(&mut place.waxcell(&["run", "script.py", "--json"])).out(), "ü\n");
}

//! `waxcell run SCRIPT` beside `python3 SCRIPT`: what a script and its caller can see is the same, but for what the
//! policy takes away. Long because it is a list: one short test a behaviour, one beside the other.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::{PYTHON, Place, Running, Said, alive, bytes, marker, on_a_terminal, say, say_with, until};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n  blocked_operations: []\n";

/// The script with these arguments, bare and held, after `change`; both must say the same.
#[track_caller]
fn same_as(place: &Place, script: &str, args: &[&[u8]], change: impl Fn(&mut Command)) -> Said {
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
fn same(text: &str) -> Said {
    let place = Place::new(POLICY);
    place.write("script.py", text);
    place.write("data/x", "x");
    same_as(&place, "script.py", &[], |_| {})
}

#[test]
fn what_python_says_of_itself() {
    let said = same(
        "
import os, sys, site, locale
for name in ('flags', 'path', 'executable', 'prefix', 'base_prefix', 'exec_prefix', 'argv', 'orig_argv', 'version', 'platform',
             'byteorder', 'dont_write_bytecode', 'pycache_prefix', 'hash_info', 'float_repr_style', 'meta_path'):
    if name not in ('hash_info', 'meta_path'): print(name, getattr(sys, name, None))
print(__file__, __name__, __package__, __spec__, __cached__ if '__cached__' in globals() else None)
print(os.getcwd(), sys.getfilesystemencoding(), sys.getdefaultencoding(), locale.getpreferredencoding())
print([(s.encoding, s.errors, s.line_buffering, s.isatty(), s.write_through) for s in (sys.stdin, sys.stdout, sys.stderr)])
print(oct(os.umask(0)), sorted(sys.modules) == sorted(sys.modules), len(sys.modules))
import signal
print([(s.name, str(signal.getsignal(s))) for s in sorted(signal.valid_signals()) if hasattr(s, 'name') and s.name not in ()])
print(os.getpriority(os.PRIO_PROCESS, 0), sorted(os.listdir('.')))
",
    );
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn the_signal_mask_is_the_callers() {
    // But for SIGXFSZ, which Python ignores anyway and whose blocking is how a verdict is found (docs/decisions/0006).
    same("import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []) - {signal.SIGXFSZ})");
}

#[test]
fn everything_behind_the_script_belongs_to_it() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys; print(sys.argv[1:])");
    for argument in [
        "--json",
        "--quiet",
        "-q",
        "--help",
        "-h",
        "--version",
        "-V",
        "--policy=/nowhere",
        "--state=/nowhere",
        "--report=data/r",
        "--reason=x",
        "--color=x",
        "--",
    ] {
        let args: [&[u8]; 2] = [argument.as_bytes(), b"--json"];
        same_as(&place, "script.py", &args, |_| {});
    }
}

#[test]
fn executable_is_the_name_that_the_caller_would_have_typed() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys; print(sys.executable, sys.argv)");
    let bare = say(place.command("/usr/bin/env").args(["python3", "script.py", "-c", "--x=1", "--", "-"]));
    let held = say(&mut place.waxcell(&["run", "script.py", "-c", "--x=1", "--", "-"]));
    assert_eq!(held, bare);
}

#[test]
fn arguments_of_any_bytes() {
    let place = Place::new(POLICY);
    place.write("script.py", "import os, sys; print([os.fsencode(a) for a in sys.argv])");
    let args: [&[u8]; 9] =
        [b"", b" ", b"--json", b"--help", b"-h", b"\xff\xfe", "ü\u{202e}".as_bytes(), b"a\nb", b"--"];
    let said = same_as(&place, "script.py", &args, |_| {});
    assert!(said.out().contains("xff"), "{said:?}");
}

#[test]
fn paths_to_the_script() {
    let place = Place::new(POLICY);
    let text = "import sys; print(__file__, sys.argv[0], sys.path[0])\nimport beside; print(beside.__file__)";
    place.write("scripts/tool.py", text);
    place.write("scripts/beside.py", "");
    place.write("other/beside.py", "");
    symlink("../scripts/tool.py", place.project().join("other/link.py")).unwrap();
    fs::create_dir(place.project().join("deep")).unwrap();
    let absolute = place.project().join("scripts/tool.py");
    for script in [
        "scripts/tool.py",
        "./scripts/tool.py",
        "other/../scripts//tool.py",
        absolute.to_str().unwrap(),
        "other/link.py",
    ] {
        println!("{script}");
        assert_eq!(
            same_as(&place, script, &[], |c| {
                c.env("PYTHONDONTWRITEBYTECODE", "1");
            })
            .code,
            0
        );
    }
    for script in ["../scripts/tool.py", "../other/link.py"] {
        let deep = place.project().join("deep");
        let said = same_as(&place, script, &[], |c| {
            c.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&deep);
        });
        assert_eq!(said.code, 0, "{said:?}");
    }
}

#[test]
fn the_working_directory_may_be_a_link() {
    let place = Place::new(POLICY);
    place.write("scripts/tool.py", "import os; print(os.getcwd(), os.environ.get('PWD'))");
    symlink("scripts", place.project().join("link")).unwrap();
    let link = place.project().join("link");
    let script = "tool.py";
    let bare = say(place.command(PYTHON).arg(script).current_dir(&link));
    let held = say(place.waxcell(&["run", script]).current_dir(&link));
    assert_eq!(held, bare);
}

#[test]
fn a_script_outside_of_the_project_and_a_working_directory_elsewhere() {
    let place = Place::new(POLICY);
    let outside = place.root().join("elsewhere");
    fs::create_dir(&outside).unwrap();
    fs::write(
        outside.join("tool.py"),
        "import os; print(__file__, os.getcwd())\nprint(os.path.exists('security_policy.yml'))",
    )
    .unwrap();
    let policy = place.project().join("security_policy.yml");
    let script = outside.join("tool.py");
    let held = say(place.waxcell(&["--policy", policy.to_str().unwrap(), "run"]).arg(&script));
    let bare = say(place.command(PYTHON).arg(&script));
    assert_eq!(held, bare);
    let held =
        say(place.waxcell(&["--policy", policy.to_str().unwrap(), "run"]).arg(&script).current_dir(&outside));
    let bare = say(place.command(PYTHON).arg(&script).current_dir(&outside));
    assert_eq!(held, bare);
}

#[test]
fn line_endings_no_x_bit_byte_order_mark_and_encodings() {
    let place = Place::new(POLICY);
    let cases: [(&str, &[u8]); 5] = [
        ("crlf.py", b"#!/usr/bin/env python3\r\nx = '''a\r\nb'''\r\nprint(repr(x))\r\n"),
        ("bom.py", b"\xef\xbb\xbfprint('bom')\n"),
        ("latin.py", b"# -*- coding: latin-1 -*-\nprint(ascii('\xfc'))\n"),
        ("tail.py", b"print('no newline at the end')"),
        ("form.py", b"\x0cprint('form feed')\n"),
    ];
    for (name, text) in cases {
        let path = place.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(same_as(&place, name, &[], |_| {}).code, 0);
    }
}

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
fn exit_codes() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys; sys.exit(int(sys.argv[1]))");
    for code in (0..=255).step_by(5).chain([1, 2, 3, 124, 125, 126, 127, 128, 129, 137, 139, 143, 152, 254]) {
        let said = say(&mut place.waxcell(&["run", "script.py", &code.to_string()]));
        assert_eq!((said.code, said.err()), (code, String::new()));
    }
    for exit in [
        "sys.exit('a message')",
        "sys.exit(None)",
        "sys.exit(-1)",
        "sys.exit(256)",
        "sys.exit(1.5)",
        "raise SystemExit(True)",
        "1/0",
        "os._exit(9)",
        "raise KeyboardInterrupt",
        "print('x'); sys.stdout.close(); os.close(1)",
    ] {
        same(&format!("import os, sys\n{exit}"));
    }
}

#[test]
fn death_by_signal() {
    let place = Place::new(POLICY);
    for signal in
        [Signal::TERM, Signal::SEGV, Signal::ABORT, Signal::KILL, Signal::HUP, Signal::USR1, Signal::PIPE]
    {
        place.write("script.py", format!("import os, signal\nsignal.signal({0}, signal.SIG_DFL) if {0} != 9 else 0\nos.kill(os.getpid(), {0})\nimport time; time.sleep(5)", signal.as_raw()));
        let held = say(&mut place.waxcell(&["run", "script.py"]));
        assert_eq!(held.code, 128 + signal.as_raw(), "{held:?}");
        assert_eq!(held.code, say(place.command(PYTHON).arg("script.py")).code, "{signal:?}");
    }
    place.write("script.py", "import ctypes; ctypes.string_at(0)");
    let held = say(&mut place.waxcell(&["run", "script.py"]));
    assert_eq!((held.code, held.out()), (139, String::new()), "{held:?}");
}

/// Sends a signal to the running script, bare and held.
#[track_caller]
fn signalled(text: &str, signal: Signal) -> [Said; 2] {
    let place = Place::new(POLICY);
    fs::create_dir(place.project().join("data")).unwrap();
    place.write("script.py", text);
    [place.command(PYTHON), place.waxcell(&["run"])].map(|mut command| {
        let _ = fs::remove_file(place.project().join("data/ready"));
        let running = Running::start(command.arg("script.py"));
        until(Duration::from_secs(10), "ready", || place.has("data/ready"));
        std::thread::sleep(Duration::from_millis(50));
        running.signal(signal);
        running.end_within(Duration::from_secs(10))
    })
}

#[test]
fn signals_reach_the_script() {
    let handled = "
import signal, sys, time
def handler(number, frame): print('got', number); sys.exit(9)
for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT): signal.signal(s, handler)
open('data/ready', 'w').close()
try: time.sleep(10)
except KeyboardInterrupt: print('interrupted'); sys.exit(8)
";
    let unhandled = "import time\nopen('data/ready', 'w').close()\ntime.sleep(10)";
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2, Signal::QUIT] {
        for text in [handled, unhandled] {
            let [bare, held] = signalled(text, signal);
            assert_eq!(
                (held.code, held.out(), held.err()),
                (bare.code, bare.out(), bare.err()),
                "{signal:?} {text}"
            );
        }
    }
}

#[test]
fn an_interrupt_without_a_handler_ends_as_python_does() {
    let [bare, held] = signalled("import time\nopen('data/ready', 'w').close()\ntime.sleep(10)", Signal::INT);
    assert_eq!(held.code, 130);
    assert_eq!(held, bare);
    assert!(held.err().contains("KeyboardInterrupt"));
}

#[test]
fn encodings_follow_the_callers_locale() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys, locale\nprint(sys.stdout.encoding, sys.stdout.errors, sys.getfilesystemencoding(), sys.flags.utf8_mode, locale.setlocale(locale.LC_ALL, ''))\nprint('ü → 蜂')");
    let cases: [&[(&str, &str)]; 7] = [
        &[("LANG", "C")],
        &[("LANG", "C.UTF-8")],
        &[("LC_ALL", "C")],
        &[("LC_ALL", "POSIX"), ("PYTHONCOERCECLOCALE", "0")],
        &[("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")],
        &[("PYTHONIOENCODING", "latin-1:replace")],
        &[("PYTHONUTF8", "1")],
    ];
    for variables in cases {
        println!("{variables:?}");
        same_as(&place, "script.py", &[], |c| {
            c.env_remove("LANG").envs(variables.iter().copied());
        });
    }
    same_as(&place, "script.py", &[], |c| {
        c.env_remove("LANG");
    });
}

#[test]
fn packages_of_a_virtual_environment() {
    let place = Place::new(POLICY);
    let made = say(place.command(PYTHON).args(["-m", "venv", "--without-pip", ".venv"]));
    assert_eq!(made.code, 0, "{made:?}");
    let site = say(place
        .command(place.project().join(".venv/bin/python3"))
        .args(["-c", "import site; print(site.getsitepackages()[0])"]))
    .out();
    fs::write(Path::new(site.trim()).join("ours.py"), "WORD = 'from the venv'").unwrap();
    fs::write(Path::new(site.trim()).join("more.pth"), "../more\n").unwrap();
    fs::create_dir(Path::new(site.trim()).join("../more")).unwrap();
    fs::write(Path::new(site.trim()).join("../more/further.py"), "").unwrap();
    place.write("script.py", "import sys, ours, further; print(ours.WORD, ours.__file__, sys.prefix, sys.base_prefix, sys.executable, sys.path, further.__file__)");
    let venv = place.project().join(".venv");
    let path = format!("{}/bin:/usr/bin:/bin", venv.display());
    let active = |command: &mut Command| {
        command.env("PATH", &path).env("VIRTUAL_ENV", &venv).env("PYTHONDONTWRITEBYTECODE", "1");
    };
    let mut bare = place.command("/usr/bin/env");
    active(bare.args(["python3", "script.py"]));
    // `env` looks at the new PATH by itself.
    let bare = say(&mut bare);
    let mut held = place.waxcell(&["run", "script.py"]);
    active(&mut held);
    let held = say(&mut held);
    assert_eq!(bare.code, 0, "control: {bare:?}");
    assert_eq!(held, bare);
    // The same by the policy, whatever is active.
    place.write("security_policy.yml", format!("interpreter: .venv/bin/python3\n{POLICY}"));
    let named = say(place.waxcell(&["run", "script.py"]).env("PYTHONDONTWRITEBYTECODE", "1"));
    assert_eq!(named, bare);
}

#[test]
fn the_environment_is_an_allow_list() {
    let place = Place::new(&format!(
        "{POLICY}environment: {{pass: [GITHUB_ACTOR, NOT_THERE], set: {{PYTHONHASHSEED: \"7\", OURS: x}}}}\n"
    ));
    place.write("script.py", "import json, os; print(json.dumps(dict(os.environ)))");
    place.write("evil/json.py", "print('EVIL')");
    let library = place.project().join("evil.so");
    let said = say(place
        .waxcell(&["run", "script.py"])
        .envs([
            ("GITHUB_ACTOR", "bee"),
            ("GITHUB_TOKEN", "t0ken"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("AWS_PROFILE", "x"),
        ])
        .envs([
            ("PYTHONSTARTUP", "evil/json.py"),
            ("PYTHONHOME", "/nowhere"),
            ("PYTHONWARNINGS", "error"),
            ("PYTHONBREAKPOINT", "evil"),
        ])
        .env("PYTHONPATH", place.project().join("evil"))
        .env("LD_LIBRARY_PATH", "/nowhere")
        .env("BASH_ENV", "x")
        .env("SSH_AUTH_SOCK", &library)
        .env("TZ", "Europe/Vienna")
        .env("VIRTUAL_ENV", "/nowhere/venv")
        .env("PYTHONNODEBUGRANGES", "1")
        .env("LC_TIME", "C"));
    assert_eq!(said.code, 0, "{said:?}");
    let inside: serde_json::Value = serde_json::from_slice(&said.out).unwrap();
    let mut names: Vec<&str> = inside.as_object().unwrap().keys().map(String::as_str).collect();
    names.retain(|name| *name != "PYTHONUSERBASE");
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "GITHUB_ACTOR",
            "HOME",
            "LANG",
            "LC_TIME",
            "OURS",
            "PATH",
            "PYTHONHASHSEED",
            "PYTHONNODEBUGRANGES",
            "TZ",
            "VIRTUAL_ENV"
        ],
        "{inside:#}"
    );
    assert_eq!(
        (inside["PYTHONHASHSEED"].as_str(), inside["OURS"].as_str(), inside["TZ"].as_str()),
        (Some("7"), Some("x"), Some("Europe/Vienna"))
    );
    assert_ne!(inside["HOME"].as_str(), place.root().join("home").to_str());
    let secrets = ["t0ken", "s3cret"];
    let record =
        fs::read(fs::read_dir(place.journal()).unwrap().flatten().map(|e| e.path()).min().unwrap()).unwrap();
    let record = String::from_utf8_lossy(&record);
    assert!(secrets.iter().all(|secret| !record.contains(secret)));
}

#[test]
fn tmp_is_private_unless_it_is_shared() {
    let name = format!("/tmp/waxcell-test-{}", std::process::id());
    let seen = format!("{name}-seen");
    let text = format!(
        "import os\nprint(os.path.exists('{seen}'))\nopen('{name}', 'w').write('x')\nprint(os.path.exists('{name}'))"
    );
    fs::write(&seen, "").unwrap();
    let private = Place::new(POLICY);
    assert_eq!(private.run(&text).out(), "False\nTrue\n");
    assert!(!Path::new(&name).exists());
    let listed = Place::new("filesystem: {allowed_paths: [/tmp]}\n");
    assert_eq!(listed.run(&text).out(), "False\nTrue\n");
    assert!(!Path::new(&name).exists());
    let shared = Place::new("filesystem:\n  allowed_paths: [{path: /tmp, shared: true}]\n");
    let said = shared.run(&text);
    println!("{said:?}");
    // Here the project lies in /tmp itself, so that the policy would be writable: refused, and it is said why.
    if shared.root().starts_with("/tmp") {
        assert_eq!(said.code, 126, "{said:?}");
        assert!(said.err().contains("policy"), "{said:?}");
    }
    fs::remove_file(&seen).unwrap();
}

#[test]
fn tmp_shared_by_a_project_elsewhere() {
    let Some(elsewhere) =
        ["/var/tmp", "/dev/shm"].into_iter().find_map(|folder| tempfile::tempdir_in(folder).ok())
    else {
        return support::skip("behaviour::tmp_shared_by_a_project_elsewhere", "nowhere to write but /tmp");
    };
    let root = elsewhere.path();
    let name = format!("/tmp/waxcell-shared-{}", std::process::id());
    fs::write(
        root.join("security_policy.yml"),
        "filesystem:\n  allowed_paths: [{path: /tmp, shared: true}]\n  blocked_operations: []\n",
    )
    .unwrap();
    fs::write(root.join("script.py"), format!("open('{name}', 'w').write('x')")).unwrap();
    let place = Place::new(POLICY);
    let said =
        say(place.waxcell(&["run", "script.py"]).current_dir(root).env("WAXCELL_STATE", root.join("state")));
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fs::read(&name).unwrap(), b"x");
    let meta = fs::metadata(&name).unwrap();
    assert_eq!(meta.uid(), rustix::process::geteuid().as_raw());
    fs::remove_file(&name).unwrap();
}

#[test]
fn the_host_is_not_there() {
    let place = Place::new(POLICY);
    let home = place.root().join("home");
    fs::write(home.join("secret"), "secret").unwrap();
    fs::write(place.root().join("beside"), "secret").unwrap();
    let text = format!(
        "
import os
for path in ('{home}/secret', '{root}/beside', '{root}/state/journal', '/root', '/sys', '/etc/shadow', '/var/run', '/run', '/proc/1/environ', '/boot'):
    try: os.listdir(path) if os.path.isdir(path) else open(path).read(1); print('SEEN', path)
    except OSError: pass
print(sorted(p for p in os.listdir('/proc') if p.isdigit() and int(p) > 2))
",
        home = home.display(),
        root = place.root().display()
    );
    assert_eq!(place.run(&text).out(), "[]\n");
    assert!(place.bare(&text).out().contains("SEEN"), "control");
}

#[test]
fn credentials_are_covered_unless_they_are_named() {
    let names = [
        ".env",
        ".git/config",
        ".git/hooks/pre-commit",
        "lib/x.pth",
        "deep/.netrc",
        "sitecustomize.py",
        "deep/id_rsa",
    ];
    let open = [".env.example", ".git/HEAD", "deep/config"];
    let text = "
import os, sys
for name in sys.argv[1:]:
    try: content = open(name).read()
    except OSError as e: content = type(e).__name__
    print(name, content)
    try: open(name, 'w').close(); print('WRITTEN')
    except OSError: pass
    try: os.rename(name, 'data/moved'); print('MOVED')
    except OSError: pass
";
    let run = |policy: &str| {
        let place = Place::new(policy);
        for name in names.iter().chain(&open) {
            place.write(name, "# secret");
        }
        place.write("script.py", text);
        let said = say(place.waxcell(&["run", "script.py"]).args(names).args(open));
        assert_eq!(said.code, 0, "{said:?}");
        for name in names.iter().chain(&open) {
            assert_eq!(place.read(name), "# secret");
        }
        said.out()
    };
    let covered = run(POLICY);
    assert_eq!(covered.matches("# secret").count(), open.len(), "{covered}");
    assert!(!covered.contains("WRITTEN") && !covered.contains("MOVED"), "{covered}");
    let list = names.map(|name| format!("{{path: ./{}, access: read}}", name.replace("/pre-commit", "")));
    let named = run(&format!("filesystem:\n  allowed_paths: [{}]\n", list.join(", ")));
    assert_eq!(named.matches("# secret").count(), names.len() + open.len(), "{named}");
}

#[test]
fn what_lies_in_a_writable_path_is_covered_as_well() {
    let place = Place::new("filesystem:\n  allowed_paths: [./data]\n  blocked_operations: []\n");
    place.write("data/.env", "secret");
    place.write("data/sub/x.pth", "secret");
    let said = place.run(
        "
import os, shutil
for name in ('data/.env', 'data/sub/x.pth'):
    for f in (lambda: print(open(name).read()), lambda: open(name, 'w').close(), lambda: os.unlink(name), lambda: os.rename(name, 'data/y')):
        try: f(); print('DONE')
        except OSError: pass
try: os.rename('data/sub', 'data/sub2')
except OSError: pass
shutil.rmtree('data/sub', ignore_errors=True)
",
    );
    assert!(!said.out().contains("secret") && !said.out().contains("DONE"), "{said:?}");
    assert_eq!((place.read("data/.env"), said.code), ("secret".to_owned(), 0));
}

#[test]
fn access_none_and_the_most_specific_entry() {
    let place = Place::new(
        "filesystem:\n  allowed_paths:\n    - ./data\n    - {path: ./data/private, access: none}\n    - {path: ./data/fixed, access: read}\n    - ./data/fixed/open\n    - {path: ./secret.txt, access: none}\n",
    );
    for name in ["data/private/x", "data/fixed/x", "data/fixed/open/x", "data/x", "secret.txt", "plain.txt"] {
        place.write(name, "text");
    }
    let said = place.run(
        "
import os
for name in ('data/private/x', 'data/fixed/x', 'data/fixed/open/x', 'data/x', 'secret.txt', 'plain.txt'):
    def t(f):
        try: f(); return 'y'
        except OSError: return 'n'
    print(name, t(lambda: open(name).read()), t(lambda: open(name, 'a').write('+')))
try: print(os.listdir('data/private'))
except OSError: print('closed')
",
    );
    assert_eq!(
        said.out(),
        "data/private/x n n\ndata/fixed/x y n\ndata/fixed/open/x y y\ndata/x y y\nsecret.txt n n\nplain.txt y n\nclosed\n",
        "{said:?}"
    );
}

#[test]
fn the_project_is_read_only() {
    let place = Place::new(POLICY);
    let script = "
import os
def t(f):
    try: f(); print('DONE')
    except OSError as e: print(e.strerror)
t(lambda: open('new', 'w')); t(lambda: open('script.py', 'a')); t(lambda: os.mkdir('dir')); t(lambda: os.rename('script.py', 'data/s'))
t(lambda: os.link('script.py', 'data/link')); t(lambda: os.unlink('script.py')); t(lambda: os.chmod('script.py', 0o777)); t(lambda: os.truncate('script.py', 0))
t(lambda: open('security_policy.yml', 'a')); t(lambda: os.utime('script.py')); t(lambda: os.symlink('x', 'y'))
";
    fs::create_dir(place.project().join("data")).unwrap();
    place.write("script.py", script);
    let before = place.tree();
    let said = say(&mut place.waxcell(&["run", "script.py"]));
    assert!(!said.out().contains("DONE") && said.out().lines().count() == 11, "{said:?}");
    assert_eq!(place.tree(), before);
}

#[test]
fn a_missing_allowed_path_is_made_by_the_script_alone() {
    let ways = [
        ("os.mkdir('fresh'); print(os.listdir('fresh'))", true),
        ("os.makedirs('fresh'); os.makedirs('fresh', exist_ok=True)", true),
        ("os.makedirs('fresh/a/b')", true),
        ("pathlib.Path('fresh').mkdir(parents=True, exist_ok=True)", true),
        ("pathlib.Path('fresh').mkdir(); open('fresh/x', 'w').close()", true),
        ("pass", false),
        ("open('README').read()", false),
    ];
    for (way, stays) in ways {
        let run = |held: bool| {
            let place = Place::new("filesystem:\n  allowed_paths: [./fresh]\n");
            place.write("README", "");
            place.write("script.py", format!("import os, pathlib\n{way}\n"));
            let said = if held {
                say(&mut place.waxcell(&["run", "script.py"]))
            } else {
                say(place.command(PYTHON).arg("script.py"))
            };
            let files: Vec<String> = place
                .tree()
                .into_keys()
                .map(|path| path.strip_prefix(place.project()).unwrap().display().to_string())
                .collect();
            (said.code, said.out(), said.err(), files)
        };
        let (bare, held) = (run(false), run(true));
        assert_eq!(held, bare, "{way}");
        assert_eq!(bare.3.contains(&"fresh".to_owned()), stays, "control: {way}");
    }
    // A second `mkdir` fails as it does bare, and an absent path does not seem to be there.
    for way in [
        "os.mkdir('fresh'); os.mkdir('fresh')",
        "print(os.path.exists('fresh'))",
        "print(os.path.isfile('out.json'))",
        "open('out.json').read()",
        "print(sorted(os.listdir('.')))",
        "open('fresh/x', 'w')",
    ] {
        let run = |held: bool| {
            let place = Place::new("filesystem:\n  allowed_paths: [./fresh, ./out.json]\n");
            place.write("script.py", format!("import os\n{way}\n"));
            let said = if held {
                say(&mut place.waxcell(&["run", "script.py"]))
            } else {
                say(place.command(PYTHON).arg("script.py"))
            };
            (said.code, said.out())
        };
        let (bare, held) = (run(false), run(true));
        println!("{}{way}: bare {bare:?} held {held:?}", if bare == held { "" } else { "DIFFERS " });
    }
}

#[test]
fn a_missing_allowed_file_is_made_by_open() {
    let place = Place::new("filesystem:\n  allowed_paths: [./out.json, ./new/log.txt]\n");
    let said = place.run("open('out.json', 'w').write('{}')");
    assert_eq!(
        (said.code, place.read("out.json"), place.has("new")),
        (0, "{}".to_owned(), false),
        "{said:?}"
    );
    let said = place.run("import os\nos.makedirs('new', exist_ok=True)\nopen('new/log.txt', 'a').write('x')");
    assert_eq!((said.code, place.read("new/log.txt")), (0, "x".to_owned()), "{said:?}");
    // Through a temporary file beside it: only the entry itself is writable.
    let said = place.run("open('out.json', 'w').write('[]')");
    assert_eq!((said.code, place.read("out.json")), (0, "[]".to_owned()));
}

#[test]
fn blocked_operations_hold_data_and_not_scratch() {
    let place = Place::new("filesystem:\n  allowed_paths: [./data]\n");
    let said = place.run(
        "
import os, subprocess, tempfile
os.makedirs('data', exist_ok=True)
with tempfile.TemporaryDirectory() as folder:
    for where in ('data', folder):
        f = where + '/f'
        def t(g):
            open(f, 'a').close()
            try: g(); return 'done'
            except OSError as e: return e.strerror
        print(t(lambda: os.unlink(f)), t(lambda: os.chmod(f, 0o600)), t(lambda: os.chown(f, os.getuid(), -1)),
              subprocess.run(['rm', '-f', f], stderr=subprocess.DEVNULL).returncode,
              t(lambda: (open(f + '.new', 'w').close(), os.replace(f + '.new', f))), t(lambda: os.rename(f, where + '/g')))
print(os.path.exists(folder), os.path.exists('data/g'))
",
    );
    let denied = "Operation not permitted";
    assert!(said.out().ends_with("done done done 0 done done\nFalse True\n"), "{said:?}");
    assert!(said.out().starts_with(&format!("{denied} {denied} {denied} 1 done done\n")), "{said:?}");
    assert!(said.err().lines().all(|line| line.starts_with("waxcell: denied")), "{said:?}");
}

#[test]
fn files_belong_to_the_caller_with_the_callers_mask() {
    let text = "import os\nos.makedirs('data/a', exist_ok=True); open('data/a/b', 'w').close(); os.mkdir('data/c', 0o777); os.symlink('x', 'data/l')";
    for mask in ["022", "077", "002"] {
        let run = |program: &str| {
            let place = Place::new(POLICY);
            place.write("script.py", text);
            let said = say(&mut place.waxcell_shell(&format!("umask {mask}; {program} script.py")));
            assert_eq!(said.code, 0, "{said:?}");
            ["data", "data/a", "data/a/b", "data/c", "data/l"].map(|name| {
                let meta = fs::symlink_metadata(place.project().join(name)).unwrap();
                (name, meta.mode(), meta.uid(), meta.gid())
            })
        };
        assert_eq!(run(&format!("{} run", support::waxcell().display())), run(PYTHON), "{mask}");
    }
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
fn a_caller_that_ends_takes_its_run_along() {
    let place = Place::new(POLICY);
    let marker = marker();
    place.write("script.py", "import time; time.sleep(60)");
    let running = Running::start(&mut place.waxcell(&["run", "script.py", &marker]));
    until(Duration::from_secs(10), "it runs", || alive(&marker).len() >= 2);
    let begun = Instant::now();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
    assert!(begun.elapsed() < Duration::from_secs(2) && alive(&marker).is_empty());
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

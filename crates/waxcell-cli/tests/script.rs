//! What a script sees of the way it was called, held and bare: arguments, paths, encodings, interpreter, environment.

mod beside;
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use beside::{POLICY, same, same_as};
use support::{PYTHON, Place, say};

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

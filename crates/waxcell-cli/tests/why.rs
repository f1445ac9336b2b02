//! `waxcell why`: which run, what it says of it, and the patch, which is applied and tried.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{PYTHON, Place, Running, Said, is_root, say, say_with, types, until, waxcell};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";
const DELETE: &str = "
import os
open('data/x', 'w').close()
try: os.unlink('data/x')
except PermissionError: pass
";

fn why(place: &Place, args: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["why"], args].concat()))
}

fn why_json(place: &Place, args: &[&str]) -> Value {
    let said = say(&mut place.waxcell(&[&["--json", "why"], args].concat()));
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out()).unwrap()
}

/// Applies the patch of the last run with a program that people use.
#[track_caller]
fn apply(place: &Place, with: &[&str]) {
    let patch = why(place, &["--patch"]);
    assert_eq!(patch.code, 0, "{patch:?}");
    let mut command = place.command(with[0]);
    let said = say_with(command.args(&with[1..]).stdin(Stdio::piped()), &patch.out);
    assert_eq!(said.code, 0, "{said:?} {patch:?}");
}

#[track_caller]
fn patch_p0(place: &Place) {
    apply(place, &["patch", "-p0"]);
}

#[test]
fn a_denial_is_explained_in_plain_words() {
    let place = Place::new(POLICY);
    assert_eq!(place.run(DELETE).code, 0);
    let said = why(&place, &[]);
    assert_eq!((said.code, said.err()), (0, String::new()));
    let project = place.project().display().to_string();
    let expected = [
        "ok: exit code 0".to_owned(),
        "  1  tried to remove a file or directory by name (fs.delete)".to_owned(),
        format!("     what     {project}/data/x"),
        "     when     once, 0.".to_owned(),
        format!("     where    {project}/script.py:4: try: os.unlink('data/x')"),
        "     who      process 2, which ran /".to_owned(),
        "     stopped  by the guard; the script got: Operation not permitted (os error 1)".to_owned(),
        "     because  filesystem.blocked_operations (the default)".to_owned(),
        "     allow    leave `delete` out of filesystem.blocked_operations".to_owned(),
    ];
    expected.iter().for_each(|line| assert!(said.out().contains(line), "{line}\n{}", said.out()));
    let json = why_json(&place, &[]);
    let violation = &json["violations"][0];
    assert_eq!((&json["script_unchanged"], &json["policy_unchanged"]), (&json!(true), &json!(true)));
    assert_eq!(violation["source"], "try: os.unlink('data/x')");
    assert_eq!(violation["summary"], "remove a file or directory by name");
    for (name, value) in place.records().pop().unwrap()["violations"][0].as_object().unwrap() {
        assert_eq!(&violation[name], value, "{name}");
    }
    assert_eq!(json["patch"]["left"], json!([]));
    assert!(json["patch"]["diff"].as_str().unwrap().starts_with("--- security_policy.yml\n"), "{json:#}");
}

#[test]
fn what_is_changed_since_is_not_taken_for_what_ran() {
    let place = Place::new(POLICY);
    place.run(DELETE);
    place.write("script.py", DELETE.replace("'data/x'", "'data/y'"));
    place.write("security_policy.yml", POLICY.replace("data", "other"));
    let said = why(&place, &[]);
    assert!(said.out().contains("script.py:4\n") && !said.out().contains("data/y"), "{said:?}");
    assert!(said.out().contains("the script has been changed since"), "{said:?}");
    assert!(said.out().contains("the policy has been changed since"), "{said:?}");
    // The patch is for the policy as it is now.
    let patch = why(&place, &["--patch"]);
    assert!(patch.out().contains("   allowed_paths: [./other]\n"), "{patch:?}");
    for path in ["script.py", "security_policy.yml"] {
        fs::remove_file(place.project().join(path)).unwrap();
    }
    assert_eq!(why(&place, &[]).code, 0);
    assert_eq!(why(&place, &["--patch"]).code, 126);
}

/// What is tried is refused; with the patch, it is done.
#[track_caller]
fn round_trip(policy: &str, script: &str, kept: &[&str]) {
    for with in [&["patch", "-p0"] as &[&str], &["git", "apply", "-p0"]] {
        let place = Place::new(policy);
        let (_, report) = place.report(script);
        let tried = report["violations"].as_array().unwrap();
        assert!(!tried.is_empty() && tried.iter().all(|tried| tried["allow"].is_string()), "{report:#}");
        apply(&place, with);
        let said = say(&mut place.waxcell(&["policy", "lint"]));
        assert_eq!(said.code, 0, "{said:?}");
        let text = place.read("security_policy.yml");
        kept.iter().for_each(|kept| assert!(text.contains(kept), "{kept:?} of {text:?}"));
        let (said, report) = place.report(script);
        assert_eq!((said.code, &report["violations"]), (0, &json!([])), "{text} {report:#}");
        assert_eq!(report["stdout"], "", "{report:#}");
        let again = why(&place, &[]);
        assert!(again.out().contains("nothing was refused"), "{again:?}");
        assert_eq!(why(&place, &["--patch"]).code, 1);
    }
}

#[test]
fn a_patched_policy_allows_what_was_tried() {
    let script = "
import os
def attempt(what, *args):
    try: what(*args)
    except OSError as error: print(error)
open('data/x', 'w').close()
attempt(os.chmod, 'data/x', 0o600)
attempt(os.setxattr, 'data/x', 'user.x', b'1')
attempt(os.unlink, 'data/x')
";
    for (policy, kept) in [
        (POLICY.to_owned(), &["  allowed_paths: [./data]\n", "  blocked_operations: [\"chown\"]\n"] as &[&str]),
        (
            "# first\nfilesystem:\n  allowed_paths: [./data] # data\n  blocked_operations:\n    # why\n    - delete # never\n    - fs.chmod\n    - fs.xattr\n# last\n".to_owned(),
            &["# first\n", " # data\n", "  blocked_operations: []\n", "# last\n"],
        ),
        (
            "security: {filesystem: {allowed_paths: [./data], blocked_operations: [delete, chmod, chown, fs.xattr]}}".to_owned(),
            &["security: {filesystem: {allowed_paths: [./data], blocked_operations: [chown]}}"],
        ),
        (
            "\u{feff}execution: {cpu_seconds: 30}\r\nfilesystem:\r\n  allowed_paths: [./data]\r\n".to_owned(),
            &["\u{feff}execution: {cpu_seconds: 30}\r\nfilesystem:\r\n  blocked_operations: [\"chown\"]\r\n  allowed_paths"],
        ),
    ] {
        round_trip(&policy, script, kept);
    }
}

#[test]
fn what_is_not_writable_either_gets_both() {
    let script = "
import os
try: os.chmod('kept.txt', 0o640)
except PermissionError as error: print(error)
";
    let place = Place::new(POLICY);
    place.write("kept.txt", "x");
    assert_ne!(place.report(script).1["stdout"], "");
    assert!(why(&place, &[]).out().contains(
        "leave `chmod` out of filesystem.blocked_operations, and add `./kept.txt` to filesystem.allowed_paths"
    ));
    patch_p0(&place);
    assert_eq!(place.report(script).1["stdout"], "", "{}", place.read("security_policy.yml"));
    assert_eq!(fs::metadata(place.project().join("kept.txt")).unwrap().permissions().mode() & 0o777, 0o640);
    // A name that no policy can write.
    place.write("odd*.txt", "x");
    let odd = script.replace("kept", "odd*").replace("chmod", "chown").replace("0o640", "os.getuid(), -1");
    let (_, report) = place.report(&odd);
    assert_eq!(report["violations"][0]["edits"], json!([]), "{report:#}");
    assert!(why(&place, &[]).out().contains("allow    no policy can"), "{:?}", why(&place, &[]));
    assert_eq!(why(&place, &["--patch"]).code, 1);
}

#[test]
fn files_that_are_not_shown_or_not_writable_are_after_the_patch() {
    let place = Place::new(POLICY);
    place.write("kept.txt", "x");
    // On every Debian, for everybody to read, and nothing that a run shows.
    let outside = "/etc/issue";
    let script = format!(
        "
def attempt(path, mode):
    try: open(path, mode).close()
    except OSError as error: print(error)
attempt({outside:?}, 'r')
attempt('kept.txt', 'a')
attempt('new, \"named\" file.txt', 'w')
"
    );
    let (_, report) = place.report(&script);
    assert_eq!(report["violations"].as_array().unwrap().len(), 3, "{report:#}");
    patch_p0(&place);
    let (_, report) = place.report(&script);
    let text = place.read("security_policy.yml");
    assert_eq!((&report["stdout"], &report["violations"]), (&json!(""), &json!([])), "{text} {report:#}");
    assert!(place.has("new, \"named\" file.txt"));
}

#[test]
fn without_a_policy_there_is_a_new_one() {
    let place = Place::new(POLICY);
    fs::remove_file(place.project().join("security_policy.yml")).unwrap();
    fs::create_dir(place.project().join(".git")).unwrap();
    place.write("kept.txt", "x");
    let script = "
import os
try: os.chmod('kept.txt', 0o640)
except PermissionError as error: print(error)
";
    assert_ne!(place.report(script).1["stdout"], "");
    let patch = why(&place, &["--patch"]);
    assert!(patch.out().starts_with("--- /dev/null\n+++ security_policy.yml\n@@ -0,0 +1,"), "{patch:?}");
    patch_p0(&place);
    assert_eq!(place.report(script).1["stdout"], "", "{}", place.read("security_policy.yml"));
    // Asked again about the first run: by now there is a policy, and it allows it.
    let first = place.records()[0]["run"].as_str().unwrap().to_owned();
    let again = why(&place, &[&first, "--patch"]);
    assert_eq!((again.code, again.out()), (0, String::new()));
    assert!(again.err().contains("allows all of it by now"), "{again:?}");
}

#[test]
fn a_limit_names_its_key_and_the_patch_is_a_guess() {
    let place = Place::with_gate("execution:\n  timeout_seconds: 1 # short\n");
    assert_eq!(place.run("import time\ntime.sleep(1.5)").code, 124);
    let said = why(&place, &[]).out();
    assert!(said.contains("timeout: the wall-clock limit was reached"), "{said}");
    assert!(said.contains("security_policy.yml:2): 1 s allowed, 1."), "{said}");
    assert!(said.contains("write `2` for execution.timeout_seconds (twice as much"), "{said}");
    let record = place.records().pop().unwrap();
    assert_eq!(record["limit"]["allowed"], 1_000_000, "{record:#}");
    assert!(record["limit"]["used"].as_u64().is_some_and(|used| used >= 1_000_000), "{record:#}");
    patch_p0(&place);
    assert_eq!(place.read("security_policy.yml"), "execution:\n  timeout_seconds: 2 # short\n");
    assert_eq!(place.run("import time\ntime.sleep(1.5)").code, 0);

    let place = Place::new("execution: {max_processes: 0}\n");
    let script = "import subprocess\nsubprocess.run(['true'])\n";
    assert_eq!(place.run(script).code, 137);
    assert!(why(&place, &[]).out().contains("0 allowed, more was asked for"), "{}", why(&place, &[]).out());
    patch_p0(&place);
    assert_eq!(place.run(script).code, 0);

    let place = Place::new("execution: {output_mb: 0.5, memory_mb: 128}\n");
    assert_eq!(place.run("print('x' * (700 << 10))").code, 137);
    assert!(why(&place, &[]).out().contains("0.5 MiB allowed"), "{}", why(&place, &[]).out());
    patch_p0(&place);
    assert_eq!(place.run("print('x' * (700 << 10))").code, 0);
    assert_eq!(place.run("x = b'x' * (200 << 20)").code, 137);
    patch_p0(&place);
    assert_eq!(place.run("x = b'x' * (200 << 20)").code, 0, "{}", place.read("security_policy.yml"));
}

#[test]
fn a_refused_run_says_why_and_what_would_let_it_begin() {
    let place = Place::new(POLICY);
    assert_eq!(place.run("(").code, 126);
    let said = why(&place, &[]);
    assert!(said.out().contains("refused: script.py:1:2") && said.out().contains("help"), "{said:?}");
    assert_eq!(why(&place, &["--patch"]).code, 1);
    place.write("security_policy.yml", "no: policy\n");
    assert_eq!(place.run("pass").code, 126);
    let said = why(&place, &[]);
    assert!(said.out().contains("unknown key `no`"), "{said:?}");
    // A layer that the host lacks: a filter around waxcell takes it away.
    let place = Place::with_gate(POLICY);
    place.write("script.py", "open('data/ran', 'w').close()");
    let run = || {
        let mut command = place.command(PYTHON);
        command.env("WAXCELL_STATE", place.state());
        let call = libc::SYS_landlock_create_ruleset.to_string();
        command.args(["-c", WITHOUT_CALL, &call]).arg(waxcell()).args(["run", "script.py"]);
        say(&mut command)
    };
    assert_eq!(run().code, 126);
    let said = why(&place, &[]);
    assert!(said.out().contains("add `landlock` to degrade"), "{said:?}");
    patch_p0(&place);
    assert_eq!(place.read("security_policy.yml"), format!("{POLICY}degrade: [landlock]\n"));
    assert_eq!(run().code, 0);
    assert!(place.has("data/ran"));
}

/// Has the kernel answer one call with `EOPNOTSUPP`, then becomes the rest of its arguments.
const WITHOUT_CALL: &str = r"
import ctypes, os, struct, sys
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (6, 0, 0, 0x5005f), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(steps), ctypes.addressof(code)))) == 0
os.execv(sys.argv[2], sys.argv[2:])
";

#[test]
fn an_edit_that_makes_no_policy_is_left_out_and_told() {
    let place = Place::new(POLICY);
    place.write("kept.txt", "x");
    // To remove a name, its folder has to be writable: and that holds the policy.
    let (_, report) = place.report(
        "
import os
for what in (lambda: os.unlink('kept.txt'), lambda: os.chmod('kept.txt', 0)):
    try: what()
    except PermissionError: pass
",
    );
    assert_eq!(report["violations"].as_array().unwrap().len(), 2, "{report:#}");
    let patch = why(&place, &["--patch"]);
    assert_eq!(patch.code, 1, "{patch:?}");
    assert!(
        patch.err().contains("number 1 is not in the patch") && patch.err().contains("its own rules"),
        "{patch:?}"
    );
    assert!(patch.out().contains("+  blocked_operations: [\"delete\", \"chown\"]"), "{patch:?}");
    assert_eq!(why_json(&place, &[])["patch"]["left"][0]["number"], 1);
}

#[test]
fn runs_are_named_by_their_first_digits() {
    let place = Place::new(POLICY);
    let none = why(&place, &[]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.err().contains("no run is on record in") && none.err().contains("--state"), "{none:?}");
    assert_eq!(place.run(DELETE).code, 0);
    assert_eq!(place.run("raise SystemExit(3)").code, 3);
    let records = place.records();
    let started = records.iter().filter(|record| record["type"] == "started");
    let names: Vec<String> = started.map(|record| record["run"].as_str().unwrap().to_owned()).collect();
    let run_of = |args: &[&str]| why_json(&place, args)["run"].as_str().unwrap().to_owned();
    assert_eq!([run_of(&[]), run_of(&["last"])], [names[1].clone(), names[1].clone()]);
    assert_eq!(run_of(&[&names[0]]), names[0]);
    let differ = names[0].bytes().zip(names[1].bytes()).take_while(|(a, b)| a == b).count();
    assert_eq!(run_of(&[&names[0][..=differ].to_ascii_uppercase()]), names[0]);
    let both = why(&place, &[&names[0][..differ]]);
    assert_eq!(both.code, 1);
    let told = both.err();
    assert!(told.contains("2 runs") && names.iter().all(|name| told.contains(name.as_str())), "{told}");
    for unknown in ["", "fff", "\u{1b}[31m", "01g"] {
        let said = why(&place, &[unknown]);
        assert_eq!(said.code, 1, "{unknown:?}");
        assert!(said.err().contains("is on record") && !said.err().contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn a_run_that_goes_on_or_is_lost_is_no_mystery() {
    let place = Place::new(POLICY);
    place.write("script.py", "import time\ntime.sleep(60)");
    let mut running = Running::start(&mut place.waxcell(&["run", "script.py"]));
    until(support::PATIENCE, "it began", || types(&place.records()) == ["started"]);
    assert!(why(&place, &[]).out().contains("it is going on, or waits to be found lost"));
    assert_eq!(why_json(&place, &[])["outcome"], "open");
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let lost = place.records()[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(place.run("pass").code, 0);
    let said = why(&place, &[&lost]);
    assert!(said.out().contains("lost: what watched it was killed"), "{said:?}");
}

#[test]
fn the_record_of_others_and_a_damaged_one_are_not_explained() {
    let place = Place::new(POLICY);
    assert_eq!(place.run(DELETE).code, 0);
    let segment = place.journal().join("00000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    let whole = bytes.clone();
    bytes[300] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let damaged = why(&place, &[]);
    assert_eq!(damaged.code, 3, "{damaged:?}");
    assert!(damaged.err().contains("damaged") && damaged.err().contains("audit verify"), "{damaged:?}");
    fs::write(&segment, whole).unwrap();
    assert_eq!(why(&place, &[]).code, 0);
    if !is_root() {
        fs::set_permissions(place.state(), fs::Permissions::from_mode(0o000)).unwrap();
        let closed = why(&place, &[]);
        fs::set_permissions(place.state(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(closed.code, 3, "{closed:?}");
        // To give files away takes root.
        return;
    }
    std::os::unix::fs::chown(place.journal(), Some(12345), None).unwrap();
    let foreign = why(&place, &[]);
    assert_eq!(foreign.code, 3, "{foreign:?}");
    assert!(foreign.err().contains("that of user 12345, not of user 0"), "{foreign:?}");
}

#[test]
fn hostile_names_do_nothing_to_a_terminal() {
    let place = Place::new(POLICY);
    let script = "
import os
os.chdir('data')
for _ in range(17):
    name = b'\\xff' * 200 + b'\\n' * 32; os.mkdir(name); os.chdir(name)
for name in (b'new\\nline', b'\\x1b[31mred', b'\\xff\\xfe', '\\u202eevil'.encode(), b'\\r\\x07', b'\"\\\\ '):
    open(name, 'w').close()
    try: exec(compile('\\nos.unlink(name)', os.path.join(os.fsdecode(os.getcwd()), os.fsdecode(name)), 'exec'))
    except PermissionError: pass
";
    assert_eq!(place.run(script).code, 0);
    let finished = place.records().pop().unwrap();
    for args in [&[] as &[&str], &["--patch"]] {
        let said = why(&place, args);
        assert_eq!(said.code, 0, "{said:?}");
        let text = said.out() + &said.err();
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
    let said = why(&place, &[]).out();
    assert_eq!(said.lines().filter(|line| line.starts_with("     what ")).count(), 6, "{said}");
    // Whole, in the record that has room for it.
    let told = why_json(&place, &[])["violations"].clone();
    let hex = told[2]["target_hex"].as_str().unwrap();
    assert!(hex.ends_with("2ffffe") && hex.len() > 2 * 3900, "{hex}");
    assert_eq!((&finished["violations_left_out"], finished["whole"].is_object()), (&Value::Null, true));
    place.check_journal();
}

#[test]
fn all_violations_are_on_record_however_many() {
    let place = Place::new(POLICY);
    let script = "
import os
for number in range(300):
    open(f'data/{number}', 'w').close()
    try: os.unlink(f'data/{number}')
    except PermissionError: pass
";
    let (_, report) = place.report(script);
    let records = place.records();
    assert_eq!(
        (report["violations"].as_array().unwrap().len(), &report["violations_beyond"]),
        (256, &json!(44))
    );
    assert_eq!(types(&records), ["started", "finished"]);
    assert_eq!(records[1]["violations"], report["violations"]);
    assert!(records[1]["whole"].is_object());
    let told = why_json(&place, &[]);
    assert_eq!(
        (told["violations"].as_array().unwrap().len(), &told["violations_left_out"]),
        (256, &json!(0))
    );
    let said = why(&place, &[]).out();
    assert!(said.contains("256  tried to") && said.contains("and 44 times more"), "{said}");
    patch_p0(&place);
    assert_eq!(place.report(&script.replace("300", "5")).1["violations"], json!([]));
    place.check_journal();
}

#[test]
fn a_patch_names_the_policy_from_where_it_is_asked_for() {
    let place = Place::new(POLICY);
    fs::create_dir(place.project().join(".git")).unwrap();
    fs::remove_file(place.project().join("security_policy.yml")).unwrap();
    place.write("scripts/config/security_policy.yml", POLICY);
    assert_eq!(place.run(DELETE).code, 0);
    let patch = why(&place, &["--patch"]);
    assert!(patch.out().starts_with("--- scripts/config/security_policy.yml\n"), "{patch:?}");
    let mut elsewhere = place.waxcell(&["why", "--patch"]);
    let elsewhere = say(elsewhere.current_dir(place.root().join("home")));
    assert!(elsewhere.out().starts_with("--- security_policy.yml\n"), "{elsewhere:?}");
    let folder = place.project().join("scripts/config");
    assert!(elsewhere.err().contains(folder.to_str().unwrap()), "{elsewhere:?}");
    patch_p0(&place);
    // Names that a diff has to quote.
    for name in ["my policy.yml", "a\"b\\c\u{e9}.yml", "tab\there.yml"] {
        let place = Place::new(POLICY);
        fs::rename(place.project().join("security_policy.yml"), place.project().join(name)).unwrap();
        place.write("script.py", DELETE);
        assert_eq!(say(&mut place.waxcell(&["--policy", name, "run", "script.py"])).code, 0);
        patch_p0(&place);
        assert!(place.read(name).contains("blocked_operations"), "{name}");
        assert!(!place.has("security_policy.yml"));
    }
}

//! By which program, and at which line of the script, something was tried that is refused. What the script says of its
//! own lines is asked of Python itself.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use serde_json::{Value, json};
use support::{Place, say};

const POLICY: &str = "filesystem: {allowed_paths: [./data]}";

/// `tried(name)` changes the mode of a file of that name, on its last line, which it prints.
const MODULE: &str = "
import os, sys
def tried(name):
    try:
        open('data/' + name, 'w').close()
        os.chmod('data/' + name, 0o600)
    except PermissionError: print(name, sys.exc_info()[2].tb_lineno)
";

/// File, line, and line of the script, by the name of the target.
fn places(report: &Value) -> Vec<(String, Value)> {
    let violations = report["violations"].as_array().unwrap().iter();
    let place = |violation: &Value| json!([violation["file"], violation["line"], violation["script_line"]]);
    let name =
        |violation: &Value| violation["target"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    violations.map(|violation| (name(violation), place(violation))).collect()
}

fn expect(script: &str, expected: impl Fn(&Place) -> Vec<(&'static str, Value)>) -> Value {
    let place = Place::new(POLICY);
    place.write("lib/module.py", MODULE);
    let (said, report) = place.report(script);
    assert_eq!((said.code, report["stderr"].as_str()), (0, Some("")), "{report:#}");
    let expected: Vec<(String, Value)> =
        expected(&place).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(places(&report), expected, "{report:#}");
    assert_eq!(place.records().pop().unwrap()["violations"], report["violations"]);
    report
}

#[test]
fn the_line_is_that_of_the_thread_that_tried() {
    let script = format!(
        "{MODULE}
import threading
tried('main')
thread = threading.Thread(target=tried, args=['thread'])
thread.start(); thread.join()
if not os.fork():
    tried('child')
    thread = threading.Thread(target=tried, args=['thread of child'])
    thread.start(); thread.join(); sys.stdout.flush(); os._exit(0)
os.wait()
exec(\"tried('main again')\")
open('data/made', 'w').close()
try: exec('\\n\\n\\nos.chmod(\"data/made\", 0)')
except PermissionError: pass
"
    );
    let line = script.lines().position(|line| line.contains("try: exec")).unwrap() + 1;
    let report = expect(&script, |_| {
        let tried = || json!([null, 6, null]);
        vec![
            ("main", tried()),
            ("thread", tried()),
            ("child", tried()),
            ("thread of child", tried()),
            ("main again", tried()),
            ("made", json!([null, line, null])),
        ]
    });
    let said = report["stdout"].as_str().unwrap();
    assert!(said.starts_with("main 6\n") && said.lines().all(|line| line.ends_with(" 6")), "{said}");
    let threads: Vec<_> = report["violations"].as_array().unwrap().iter().map(|v| &v["thread"]).collect();
    assert_ne!(threads[0], threads[1], "{report:#}");
}

#[test]
fn a_line_of_a_module_comes_with_the_line_that_led_there() {
    let script = "
import sys, threading
sys.path.insert(0, 'lib')
from module import tried
def call(name):

    tried(name)
call('called')
threading.Thread(target=tried, args=['thread']).start()
";
    expect(script, |place| {
        let module = place.project().join("lib/module.py");
        vec![("called", json!([module, 6, 7])), ("thread", json!([module, 6, null]))]
    });
}

#[test]
fn the_program_is_told_and_has_no_line() {
    let script = "
import subprocess, sys
open('data/a', 'w').close(); open('data/b', 'w').close(); open('data/c', 'w').close()
run = lambda *args: subprocess.run(args, stderr=subprocess.DEVNULL)
run('chmod', '600', 'data/a')
run('sh', '-c', 'echo && exec chmod 600 data/b')
run(sys.executable, '-c', '\\nimport os; os.chmod(\"data/c\", 0)')
";
    let nothing = json!([null, null, null]);
    let report = expect(script, |_| ["a", "b", "c"].map(|name| (name, nothing.clone())).to_vec());
    let programs: Vec<&str> =
        report["violations"].as_array().unwrap().iter().map(|v| v["program"].as_str().unwrap()).collect();
    assert_eq!(programs[..2], ["/usr/bin/chmod"; 2]);
    assert!(programs[2].contains("/python3"), "{programs:?}");
}

#[test]
fn a_script_by_another_name_is_the_script_all_the_same() {
    let place = Place::new(POLICY);
    place.write("scripts/deep/real.py", format!("{MODULE}tried('x')\n"));
    place.write("data/keep", "");
    std::os::unix::fs::symlink("deep/real.py", place.project().join("scripts/link.py")).unwrap();
    let absolute = place.project().join("scripts/deep/real.py");
    for name in ["scripts/link.py", "./scripts//deep/../link.py", absolute.to_str().unwrap()] {
        let said = say(&mut place.waxcell(&["--json", "run", name]));
        assert_eq!(places(&said.report()), [("x".to_owned(), json!([null, 6, null]))], "{name}: {said:?}");
    }
}

/// The names of files are the script's own choice, and so is all else that places are read from.
#[test]
fn a_script_that_lies_gets_a_wrong_line_and_nothing_more() {
    let script = "
import os, sys
names = ['data/\\u202e\\n\\x1b[31m.py', 'lib/\\udcff.py', 'x' * 5000, '', '/', '../../..', '<made>']
def attempt(code):
    try: exec(code)
    except OSError: pass
for number, name in enumerate(names):
    open(f'data/{number}', 'w').close()
    code = compile(f'\\nimport os; os.chmod(\"data/{number}\", 0)', os.path.join(os.getcwd(), name) if name[:1] != '<' else name, 'exec')
    table = {'co_lnotab': b'\\xff' * 99} if sys.version_info < (3, 10) else {'co_linetable': b'\\xff' * 99}
    attempt(code if number < 2 else code.replace(co_firstlineno=2**31 - 1, **table))
";
    let place = Place::new(POLICY);
    let (said, report) = place.report(script);
    assert_eq!((said.code, report["stderr"].as_str()), (0, Some("")), "{report:#}");
    let told = report["violations"].as_array().unwrap();
    assert_eq!(told.len(), 7, "{report:#}");
    let hostile = place.project().join("data/\u{202e}\n\u{1b}[31m.py");
    assert_eq!((&told[0]["file"], &told[0]["line"]), (&json!(hostile), &json!(2)), "{report:#}");
    let hex: String =
        format!("{}/lib/", place.project().display()).bytes().map(|b| format!("{b:02x}")).collect();
    assert_eq!(told[1]["file_hex"], format!("{hex}ff2e7079"), "{report:#}");
    // What is no file is gone by, to the line of the script.
    assert_eq!((&told[6]["file"], &told[6]["line"]), (&Value::Null, &json!(5)), "{report:#}");
}

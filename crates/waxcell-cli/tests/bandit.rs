//! `waxcell check` in the place of Bandit: its report is Bandit's field by field, and what Bandit's users ask for, on the
//! command line and in files, is found here as there. Bandit is run fresh.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and reports")]

#[path = "../../waxcell-analysis/tests/oracle_bandit/mod.rs"]
#[expect(dead_code, reason = "the tests of another crate ask it more")]
mod oracle_bandit;
mod support;

use std::collections::BTreeSet;
use std::fs;

use oracle_bandit::Bandit;
use serde_json::Value;
use support::{Place, say};

/// What is ours on purpose, as `docs/cli.md` lists it.
const OURS: [&str; 2] = ["issue_text", "more_info"];

fn place() -> Place {
    Place::new("filesystem: {allowed_paths: [./data]}\n")
}

fn ours(place: &Place, bandit: &Bandit, args: &[&str]) -> Value {
    let version = bandit.version.to_string();
    let args = [&["check", "--python", &version, "--format", "bandit"], args].concat();
    serde_json::from_str(&say(&mut place.waxcell(&args)).out()).unwrap()
}

/// File, line and rule of each result, with what else is said of it.
fn results(report: &Value) -> Vec<(String, Value)> {
    let mut results: Vec<(String, Value)> = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let key = format!(
                "{}:{:05}:{}:{}",
                result["filename"], result["line_number"], result["test_id"], result["code"]
            );
            (key, result.clone())
        })
        .collect();
    results.sort_by(|one, other| one.0.cmp(&other.0));
    results
}

#[test]
fn the_report_is_that_of_bandit() {
    let Some(bandit) = Bandit::find("the_report_is_that_of_bandit") else { return };
    let place = place();
    let examples = bandit.examples.to_str().unwrap();
    let (theirs, ours) = (bandit.json(&["-r", examples]), ours(&place, &bandit, &["-r", examples]));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(keys(&theirs), keys(&ours));
    assert_eq!(theirs["metrics"], ours["metrics"]);
    let unread = |report: &Value| -> BTreeSet<String> {
        report["errors"].as_array().unwrap().iter().map(|error| error["filename"].to_string()).collect()
    };
    assert_eq!(unread(&theirs), unread(&ours));

    let (theirs, ours) = (results(&theirs), results(&ours));
    assert!(theirs.len() > 500 && theirs.len() == ours.len(), "{} {}", theirs.len(), ours.len());
    let mut columns = 0;
    for ((key, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        assert_eq!(keys(theirs), keys(ours), "{key}");
        for field in keys(theirs).iter().map(String::as_str).filter(|field| !OURS.contains(field)) {
            // Of a function in a class or below a decorator, Bandit tells the column of what stands before it.
            let is_function = matches!(theirs["test_id"].as_str(), Some("B107" | "B503"));
            if field == "col_offset" && is_function && theirs[field] != ours[field] {
                columns += 1;
                continue;
            }
            assert_eq!(theirs[field], ours[field], "{field} of {key}");
        }
    }
    assert!(columns <= 6, "{columns}");
}

const SCRIPT: &str = "\
import subprocess
import pickle
password = 'secret'
assert password
try:
    subprocess.call(password, shell=True)
except ValueError:
    pass
eval(password)  # nosec
eval(password)  # nosec B101
open('/scratch/x')
";

/// Files of a project, arguments.
type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const CASES: &[Case] = &[
    (&[], &["-r", "t"]),
    (&[], &["-r", "t", "-ll"]),
    (&[], &["-r", "t", "-lll", "-iii"]),
    (&[], &["-r", "t", "-ii"]),
    (&[], &["-r", "t", "-t", "B101,B105"]),
    (&[], &["-r", "t", "-s", "B101,B602,B404"]),
    (&[], &["-r", "t", "-x", "t/tests"]),
    (&[], &["-r", "t", "-x", "*/b.py,tests"]),
    (&[], &["-r", "t", "--ignore-nosec"]),
    (&[], &["t/a.py", "t/tests/b.py"]),
    (&[("t/.bandit", "[bandit]\ntests: B101,B602\n")], &["-r", "t"]),
    (&[("t/.bandit", "[bandit]\nskips: B101\nexclude: t/tests\n")], &["-r", "t"]),
    (&[("my.ini", "[bandit]\nskips = B307,B403\n")], &["-r", "t", "--ini", "my.ini"]),
    (&[("b.yaml", "exclude_dirs: [tests]\nskips: [B404]\n")], &["-r", "t", "-c", "b.yaml"]),
    (&[("b.yaml", "tests: ['B101']\nassert_used:\n  skips: ['*/b.py']\n")], &["-r", "t", "-c", "b.yaml"]),
    (&[("b.yaml", "try_except_pass: {check_typed_exception: true}\n")], &["-r", "t", "-c", "b.yaml"]),
    (&[("b.yaml", "hardcoded_tmp_directory:\n  tmp_dirs:\n  - /scratch\n")], &["-r", "t", "-c", "b.yaml"]),
    (
        &[("pyproject.toml", "[tool.bandit]\nskips = ['B403']\nexclude_dirs = ['t/tests']\n")],
        &["-r", "t", "-c", "pyproject.toml"],
    ),
];

#[test]
fn what_is_asked_of_bandit_is_asked_of_us() {
    let Some(bandit) = Bandit::find("what_is_asked_of_bandit_is_asked_of_us") else { return };
    for (files, args) in CASES {
        let place = place();
        let project = place.project();
        fs::create_dir_all(project.join("t/tests")).unwrap();
        let scripts = [("t/a.py", SCRIPT), ("t/tests/b.py", SCRIPT)];
        for (name, text) in scripts.iter().chain(*files) {
            fs::write(project.join(name), text).unwrap();
        }
        let theirs = bandit.json_in(&project, args);
        let ours = ours(&place, &bandit, args);
        let found =
            |report: &Value| -> Vec<String> { results(report).into_iter().map(|(key, _)| key).collect() };
        assert_eq!(found(&theirs), found(&ours), "{files:?} {args:?}");
        assert_eq!(theirs["metrics"], ours["metrics"], "{files:?} {args:?}");
    }
}

#[test]
fn a_report_of_bandit_is_a_baseline() {
    let Some(bandit) = Bandit::find("a_report_of_bandit_is_a_baseline") else { return };
    let place = place();
    place.write("a.py", SCRIPT);
    let known = bandit.json_in(&place.project(), &["a.py"]);
    place.write("known.json", known.to_string());
    let new = || ours(&place, &bandit, &["-b", "known.json", "a.py"])["results"].as_array().unwrap().len();
    assert_eq!(new(), 0);
    place.write("a.py", format!("{SCRIPT}eval(input())\n"));
    assert_eq!(new(), 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = place();
    place.write("a.py", SCRIPT);
    for (name, text, told) in [
        ("b.yaml", "skips: B101\n", "`skips` of the configuration is to be a list of texts"),
        ("b.yaml", "tests: [B999]\n", "there is no rule `B999`"),
        ("b.yaml", "a: [\n", "cannot understand `b.yaml`"),
        ("b.yaml", "assert_used: {skip: []}\n", "in the configuration: unknown field `skip`"),
        ("b.toml", "[tool\n", "cannot understand `b.toml`"),
    ] {
        place.write(name, text);
        let said = say(&mut place.waxcell(&["check", "-c", name, "a.py"]));
        assert!(said.code == 2 && said.err().contains(told), "{text}: {} {}", said.code, said.err());
    }
    place.write("b.yaml", "any_other: {x: 1}\n");
    let said = say(&mut place.waxcell(&["check", "-c", "b.yaml", "a.py"]));
    assert!(
        said.code == 1 && said.err().contains("`any_other` of the configuration is unknown"),
        "{}",
        said.err()
    );
}

#[test]
fn comments_that_silence_nothing_are_told() {
    let place = place();
    place.write("a.py", "assert x  # nosec\nx = 1  # nosec B101\n");
    let said = say(&mut place.waxcell(&["check", "a.py"]));
    let told = "1 file, nothing found; 1 silenced by comments; 1 comment silences nothing\n";
    assert_eq!((said.code, said.out()), (0, told.to_owned()));
    let said = say(&mut place.waxcell(&["check", "--unused-nosec", "a.py"]));
    assert_eq!(said.out(), format!("note: the comment `nosec` in a.py:2 silences nothing\n\n{told}"));
}

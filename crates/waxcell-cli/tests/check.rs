//! `waxcell check`: files and trees, every form of report, what is known already, and what cannot be read.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;

use serde_json::Value;
use support::{Place, Said, say};

const SCRIPT: &str = "import subprocess\ndef run(command):\n    subprocess.call(command, shell=True)\n";

fn check(place: &Place, args: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["check"], args].concat()))
}

fn json_of(place: &Place, args: &[&str]) -> Value {
    serde_json::from_str(&check(place, &[&["--json"], args].concat()).out()).unwrap()
}

fn write(place: &Place, name: &str, text: impl AsRef<[u8]>) {
    let path = place.project().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Path, rule and line of each finding.
fn found(report: &Value) -> Vec<(String, String, u64)> {
    let of_file = |file: &Value| {
        let path = file["path"].as_str().unwrap().to_owned();
        let findings = file["findings"].as_array().unwrap().clone();
        findings.into_iter().map(move |finding| {
            (
                path.clone(),
                finding["rule"].as_str().unwrap().to_owned(),
                finding["span"]["line"].as_u64().unwrap(),
            )
        })
    };
    report["files"].as_array().unwrap().iter().flat_map(of_file).collect()
}

fn place() -> Place {
    Place::new("filesystem: {allowed_paths: [./data]}\n")
}

#[test]
fn a_finding_is_shown_in_its_line() {
    let place = place();
    write(&place, "tree/a.py", SCRIPT);
    let said = check(&place, &["tree"]);
    assert_eq!((said.code, said.err()), (1, String::new()));
    let expected = "\
error[B602]: a command is put together for a shell
 --> tree/a.py:3:36
  |
3 |     subprocess.call(command, shell=True)
  |                                    ^^^^
  |
  = help: pass a list of arguments, without a shell
";
    assert!(said.out().contains(expected), "{}", said.out());
    assert!(said.out().ends_with("1 file, 2 findings: 1 high, 0 medium, 1 low\n"), "{}", said.out());
    let said = check(&place, &["--select", "B101", "tree"]);
    assert_eq!((said.code, said.out()), (0, "1 file, nothing found\n".to_owned()));
}

#[test]
fn of_a_tree_all_of_python_is_looked_at_and_nothing_else() {
    let place = place();
    for name in [
        "t/b.py",
        "t/a/x.pyw",
        "t/a/data.txt",
        "t/.venv/lib.py",
        "t/a/__pycache__/c.py",
        "t/out/d.py",
        "t/z.py",
    ] {
        write(&place, name, "assert x\n");
    }
    std::os::unix::fs::symlink("a", place.project().join("t/link")).unwrap();
    let paths = |args: &[&str]| {
        let report = json_of(&place, args);
        found(&report).into_iter().map(|(path, ..)| path).collect::<Vec<_>>()
    };
    assert_eq!(paths(&["--exclude", "z.py", "--exclude", "t/out", "t"]), ["t/a/x.pyw", "t/b.py"]);
    assert_eq!(paths(&["t/a/data.txt"]), ["t/a/data.txt"], "what is named is looked at");
}

#[test]
fn what_is_told_can_be_chosen() {
    let place = place();
    write(&place, "a.py", format!("{SCRIPT}assert x  # nosec\n"));
    let rules = |args: &[&str]| {
        let report = json_of(&place, &[args, &["a.py"]].concat());
        found(&report).into_iter().map(|(_, rule, _)| rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(&[]), ["B404", "B602"]);
    assert_eq!(rules(&["--ignore-nosec"]), ["B404", "B602", "B101"]);
    assert_eq!(rules(&["--severity", "high"]), ["B602"]);
    assert_eq!(rules(&["--ignore", "B602,B607"]), ["B404"]);
    write(&place, "own.py", "import os, sys\nassert sys.argv\nexec(sys.argv[1])\n");
    for (classes, expected) in [("hygiene", &["B101", "B102"][..]), ("dynamic,threat", &["dynamic-code"])] {
        let report = json_of(&place, &["--class", classes, "own.py"]);
        let rules: Vec<_> = found(&report).into_iter().map(|(_, rule, _)| rule).collect();
        assert_eq!(rules, expected);
    }
    assert_eq!(check(&place, &["--class", "threat", "own.py"]).code, 0);
    assert_eq!(check(&place, &["--class", "threat", "--select", "B101", "own.py"]).code, 2);
    let said = check(&place, &["--select", "B999", "a.py"]);
    assert_eq!((said.code, said.err()), (2, "waxcell: error: there is no rule `B999`\n".to_owned()));
    assert_eq!(check(&place, &["--python", "2.7", "a.py"]).code, 2);
}

#[test]
fn what_cannot_be_read_or_analysed_is_told_and_is_no_success() {
    let place = place();
    write(&place, "t/good.py", "x = 1\n");
    write(&place, "t/bad.py", "def (:\n");
    assert_eq!(say(place.command("mkfifo").arg("t/fifo.py")).code, 0);
    std::os::unix::fs::symlink("nowhere", place.project().join("t/gone.py")).unwrap();
    let said = check(&place, &["t", "not_there"]);
    assert_eq!(said.code, 3, "{said:?}");
    for part in [
        "error[syntax-error]: expected an identifier",
        "`t/fifo.py` was not checked: not a file",
        "`t/gone.py` was not checked: No such file",
        "`not_there` was not checked: No such file",
        "; 4 NOT ANALYSED\n",
    ] {
        assert!(said.out().contains(part), "{part}: {}", said.out());
    }
    // Not even one that is known.
    let report = check(&place, &["--json", "t/bad.py"]);
    write(&place, "known.json", report.out());
    assert_eq!(check(&place, &["--baseline", "known.json", "t/bad.py"]).code, 3);
    assert_eq!(check(&place, &["--baseline", "t/good.py", "t/good.py"]).code, 3, "no report at all");
}

#[test]
fn a_baseline_knows_what_was_there_wherever_it_has_moved() {
    let place = place();
    write(&place, "a.py", SCRIPT);
    for format in ["json", "sarif"] {
        let said = check(&place, &["--format", format, "--output", "known", "a.py"]);
        assert_eq!((said.code, said.out()), (1, String::new()));
        // Elsewhere, moved and indented otherwise.
        let moved = SCRIPT.replace("    ", "\t\t");
        write(&place, "b.py", format!("\n\n{moved}"));
        let said = check(&place, &["--baseline", "known", "b.py"]);
        assert_eq!(
            (said.code, said.out()),
            (0, "1 file, nothing found; 2 more are in the baseline\n".to_owned())
        );
        // Known once is not known twice.
        write(&place, "b.py", format!("{SCRIPT}    subprocess.call(command, shell=True)\n"));
        let said = check(&place, &["--baseline", "known", "b.py"]);
        assert_eq!(said.code, 1);
        assert!(said.out().contains("b.py:4:36") && !said.out().contains("b.py:3:"), "{}", said.out());
    }
}

#[test]
fn other_software_gets_the_same_in_its_own_form() {
    let place = place();
    write(&place, "a b,c.py", SCRIPT);
    let said = check(&place, &["--format", "github", "a b,c.py"]);
    let line = "::error file=a b%2Cc.py,line=3,col=36,title=B602::a command is put together for a shell; pass a list";
    assert!(said.out().contains(line), "{}", said.out());

    let log: Value = serde_json::from_str(&check(&place, &["--format", "sarif", "a b,c.py"]).out()).unwrap();
    let run = &log["runs"][0];
    let result = &run["results"][1];
    assert_eq!(result["ruleId"], "B602");
    assert_eq!(run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize]["id"], "B602");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b%2Cc.py");
    let region = ["startLine", "startColumn", "endLine", "endColumn"]
        .map(|key| place["region"][key].as_u64().unwrap());
    assert_eq!(region, [3, 36, 3, 40]);
    assert!(result["baselineState"].is_null());
}

#[test]
fn nothing_of_a_script_reaches_the_terminal_as_a_command() {
    let place = place();
    write(&place, "a\u{1b}[2J.py", "eval('\u{1b}[2J \u{202e}')\n");
    let said = check(&place, &["a\u{1b}[2J.py"]);
    assert_eq!(said.code, 1);
    assert!(!said.out().contains(['\u{1b}', '\u{202e}']), "{:?}", said.out());
    for format in ["json", "sarif", "github", "bandit"] {
        let said = check(&place, &["--format", format, "a\u{1b}[2J.py"]);
        assert_eq!(said.code, 1, "{format}");
        assert!(!said.out().contains(['\u{1b}', '\u{202e}']), "{format}: {:?}", said.out());
    }
}

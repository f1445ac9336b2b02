//! A run that does not take place: its report under `--json` and in the file of `--report`, and its record.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::{Place, Said, is_root, say};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";

fn place() -> Place {
    let place = Place::new(POLICY);
    place.write("script.py", "open('data/ran', 'w')\nprint('ran')\n");
    place
}

/// Runs with `--json` and `--report`: both are the same report. Its record, if there is one.
#[track_caller]
fn not_run(place: &Place, args: &[&str], code: i32) -> (Said, Value, Option<Value>) {
    let file = place.root().join("report.json");
    let file = file.to_str().unwrap();
    let said = say(place.waxcell(&["run", "--json", "--report", file, "--reason", "why not"]).args(args));
    let report = said.report_of_nothing_run(code);
    assert_eq!(fs::read(file).unwrap(), said.out, "the file has the same");
    assert!(!said.err().is_empty() && !place.has("data/ran"), "{said:?}");
    let shown = say(&mut place.waxcell(&["--json", "audit", "show", report["run_id"].as_str().unwrap()]));
    let record = (shown.code == 0).then(|| serde_json::from_slice(&shown.out).unwrap());
    assert_eq!(record.is_some(), !report["record"].is_null(), "{shown:?}");
    if let Some(record) = &record {
        let record: &Value = record;
        assert_eq!(
            (&record["index"], &record["leaf_hash"]),
            (&report["record"]["index"], &report["record"]["leaf_hash"])
        );
        for field in ["cause", "verdict", "findings"] {
            assert_eq!(record[field], report[field], "{field}");
        }
        assert_eq!((&record["type"], &record["exit_code"]), (&json!("refused"), &json!(code)));
        assert_eq!(record["script"]["sha256"], report["script"]["sha256"]);
        assert_eq!(record["policy"]["sha256"], report["policy"]["sha256"]);
        assert_eq!(record["reason"], "why not");
        assert_eq!(record["actor"]["uid"], rustix::process::geteuid().as_raw());
        assert_eq!(place.view("execution_audit.log").last().unwrap()["run_id"], report["run_id"]);
        place.check_journal();
    }
    (said, report, record)
}

#[test]
fn control_the_same_runs() {
    let place = place();
    let said = say(&mut place.waxcell(&["run", "--json", "script.py"]));
    assert_eq!((said.code, said.report()["stdout"].as_str()), (0, Some("ran\n")));
}

#[test]
fn no_script_leaves_nothing_at_all() {
    let place = place();
    for script in ["missing.py", "no/such/folder/missing.py", "script.py/below"] {
        let (_, report, record) = not_run(&place, &[script], 127);
        assert_eq!((record, report["script"]["sha256"].is_null()), (None, true));
        assert!(report["cause"].as_str().unwrap().contains(script));
        assert!(!place.state().exists(), "not even a state directory");
    }
}

#[test]
fn script_that_cannot_be_read() {
    let place = place();
    let (_, report, record) = not_run(&place, &["/dev/null", "--an", "argument"], 126);
    assert_eq!(report["script"], json!({"path": "/dev/null", "sha256": null}));
    assert_eq!(record.unwrap()["args"], json!(["--an", "argument"]));
}

#[test]
fn script_that_python_cannot_read() {
    let place = place();
    place.write("script.py", "if True print(1)");
    let (said, report, record) = not_run(&place, &["script.py"], 126);
    assert!(said.err().starts_with("waxcell: refused: script.py:1:"), "{said:?}");
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    assert_eq!(record.unwrap()["script"]["bytes"], 16);
}

#[test]
fn policy_with_a_mistake() {
    let place = place();
    place.write("security_policy.yml", format!("{POLICY}execution: {{timeout_second: 5, memory_mb: -1}}\n"));
    let (said, report, record) = not_run(&place, &["script.py"], 126);
    assert!(said.err().contains("security_policy.yml:3:13"), "{said:?}");
    let cause = report["cause"].as_str().unwrap();
    assert!(cause.contains("2 errors: line 3, column 13: unknown key `timeout_second`"), "{cause}");
    assert_eq!(report["help"], "did you mean `timeout_seconds`?");
    let sum = say(place.command("/usr/bin/sha256sum").arg("security_policy.yml")).out();
    assert_eq!(report["policy"]["sha256"], sum[..64]);
    assert_eq!(report["policy"]["path"].as_str(), place.project().join("security_policy.yml").to_str());
    assert!(record.unwrap()["script"]["sha256"].is_string(), "which script was known");
}

#[test]
fn policy_that_is_not_there() {
    let place = place();
    let (_, report, record) = not_run(&place, &["--policy", "nowhere.yml", "script.py"], 126);
    assert_eq!(
        report["policy"],
        json!({"path": place.project().join("nowhere.yml").to_str(), "sha256": null})
    );
    assert!(record.is_some());
}

#[test]
fn policy_that_would_let_the_script_write_to_itself() {
    let place = place();
    place.write("security_policy.yml", "filesystem: {allowed_paths: [.]}\n");
    let (_, report, record) = not_run(&place, &["script.py"], 126);
    assert!(report["cause"].as_str().unwrap().contains("`.` holds this policy"), "{report:#}");
    assert!(record.is_some());
}

#[test]
fn what_no_plan_can_be_made_of() {
    let place = place();
    place.write("data/file", "");
    std::os::unix::fs::symlink("/etc", place.project().join("data/link")).unwrap();
    let link = "filesystem: {allowed_paths: [./data, ./data/link/out]}\n";
    for (policy, code, word) in
        [(link, 126, "symbolic link"), ("interpreter: /nowhere/python3\n", 127, "/nowhere/python3")]
    {
        place.write("security_policy.yml", policy);
        let (_, report, record) = not_run(&place, &["script.py"], code);
        assert!(report["cause"].as_str().unwrap().contains(word), "{report:#}");
        assert!(record.unwrap()["policy"]["project_root"].is_string(), "the policy was good");
    }
}

#[test]
fn state_that_cannot_be_used() {
    let place = place();
    place.write("file", "");
    let (said, report, _) = not_run(&place, &["--state", "file", "script.py"], 125);
    assert!(report["cause"].as_str().unwrap().contains("state directory `file`"), "{said:?}");
    // What is wrong before that is told first, with its own code.
    let (_, report, _) = not_run(&place, &["--state", "file", "--policy", "nowhere.yml", "script.py"], 126);
    let cause = report["cause"].as_str().unwrap();
    assert!(cause.starts_with("policy `nowhere.yml` does not exist; nor could that be recorded"), "{cause}");
}

#[test]
fn a_report_is_there_when_it_is_whole_and_not_before() {
    let place = place();
    place.write(
        "script.py",
        "import os\nprint(os.listdir('.'), os.path.exists('old.json') and open('old.json').read())\n",
    );
    let run = |report: &str| say(&mut place.waxcell(&["run", "--report", report, "script.py"]));
    assert!(!run("report.json").out().contains("report"), "nothing of it during the run");
    let report: Value = serde_json::from_str(&place.read("report.json")).unwrap();
    assert_eq!(report["verdict"], "ok");
    place.write("old.json", "x".repeat(100_000));
    fs::set_permissions(place.project().join("old.json"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(place.project().join("old.json"), place.project().join("same.json")).unwrap();
    assert!(run("old.json").out().contains("xxxx"), "the old one stays until there is a new one");
    let mode = fs::metadata(place.project().join("old.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "who may read it stays as it was");
    assert!(serde_json::from_str::<Value>(&place.read("old.json")).is_ok());
    assert_eq!(
        place.read("same.json").len(),
        100_000,
        "another file took its place; nothing was half written"
    );
    for name in ["folder/", ".", "..", "no/such/folder/x"] {
        fs::create_dir_all(place.project().join("folder")).unwrap();
        assert_eq!(run(name).code, 125, "{name}");
    }
    let left: Vec<_> =
        place.tree().into_keys().filter(|path| path.display().to_string().contains(".waxcell")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A link in a folder that scripts may write to is nobody's to follow; one elsewhere is the caller's.
#[test]
fn a_report_goes_the_callers_way_and_not_a_scripts() {
    let place = Place::new(POLICY);
    let outside = place.root().join("outside");
    fs::create_dir_all(&outside).unwrap();
    let plant = format!("import os\nos.symlink({:?}, 'data/folder')", outside.display().to_string());
    assert_eq!(place.run(&plant).code, 0);
    place.write("script.py", "open('data/ran', 'w')");
    let run = |report: &str| say(&mut place.waxcell(&["run", "--report", report, "script.py"]));
    for report in ["data/folder/report.json", "data/../data/folder/report.json"] {
        let said = run(report);
        assert_eq!(said.code, 125, "{said:?}");
        assert!(fs::read_dir(&outside).unwrap().next().is_none(), "nothing goes where a script led");
        assert!(!place.has("data/ran"), "known before anything is run");
    }
    let own = place.project().join("own");
    std::os::unix::fs::symlink(&outside, &own).unwrap();
    assert_eq!(run("own/report.json").code, 0);
    assert!(outside.join("report.json").is_file());
    // Who could tell whose it is, if not the policy?
    place.write("security_policy.yml", "nonsense: 1");
    let said = run("own/other.json");
    assert!(said.code == 125 && said.err().contains("without a policy"), "{said:?}");
    assert_eq!(run("other.json").code, 126, "where there is no link there is no doubt");
    assert!(place.has("other.json") && !outside.join("other.json").exists());
}

#[test]
fn a_report_in_a_folder_of_somebody_else_is_written_in_place() {
    if is_root() {
        return support::skip(
            "refused::a_report_in_a_folder_of_somebody_else_is_written_in_place",
            "root may write to every folder",
        );
    }
    let place = place();
    place.write("box/report.json", "old");
    let folder = place.project().join("box");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let said = say(&mut place.waxcell(&["run", "--report", "box/report.json", "script.py"]));
    let none = say(&mut place.waxcell(&["run", "--report", "box/new.json", "script.py"]));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!((said.code, none.code), (0, 125), "{said:?} {none:?}");
    assert!(serde_json::from_str::<Value>(&place.read("box/report.json")).is_ok());
}

#[test]
fn a_folder_that_roots_script_may_not_enter_is_named() {
    if !is_root() {
        return support::skip(
            "refused::a_folder_that_roots_script_may_not_enter_is_named",
            "an ordinary user's script is that user",
        );
    }
    let place = place();
    place.write("box/inner/script.py", "open('data/ran', 'w')\nprint('ran')\n");
    let folder = place.project().join("box");
    let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    let run = |policy: &str, script: &str| {
        place.write("security_policy.yml", policy);
        say(&mut place.waxcell(&["run", script]))
    };
    let inside = "filesystem:\n  allowed_paths: [./box/data]\n";
    let covered = "filesystem:\n  allowed_paths: [./data, {path: ./box/inner, access: none}]\n";
    // Of somebody else, and closed to others; root's own, and closed to everybody.
    for (owner, closed) in [(2000, 0o700), (0, 0o000)] {
        std::os::unix::fs::chown(&folder, Some(owner), Some(owner)).unwrap();
        mode(0o755);
        let said = run(POLICY, "box/inner/script.py");
        assert_eq!((said.code, said.out()), (0, "ran\n".to_owned()), "control: {said:?}");
        fs::remove_dir_all(place.project().join("data")).unwrap();
        mode(closed);
        for (policy, script) in [(POLICY, "box/inner/script.py"), (inside, "script.py")] {
            let said = run(policy, script);
            assert_eq!((said.code, said.out()), (126, String::new()), "{said:?}");
            let wanted = format!("may not enter `{}`", folder.display());
            assert!(said.err().contains(&wanted) && said.err().contains("chmod"), "{said:?}");
            assert!(!place.has("data") && !place.has("box/data"), "nothing half-made");
        }
        let said = run(covered, "script.py");
        assert_eq!((said.code, said.out()), (0, "ran\n".to_owned()), "nobody has to get in: {said:?}");
        fs::remove_dir_all(place.project().join("data")).unwrap();
        let mut within = place.waxcell(&["run", "../script.py"]);
        let said = say(within.current_dir(&folder));
        assert_eq!(said.code, 126, "{said:?}");
        assert!(said.err().contains("may not enter"), "{said:?}");
    }
}

#[test]
fn what_cannot_be_printed_is_an_error() {
    let place = place();
    place.run("print(1)");
    let lines = [
        "run --json script.py",
        "audit show",
        "audit verify --json",
        "policy schema",
        "policy init",
        "policy explain",
        "completions bash",
        "doctor --json",
    ];
    for line in lines {
        let line = format!("{} {line} > /dev/full", support::waxcell().display());
        let said = say(&mut place.waxcell_shell(&line));
        assert_eq!(said.code, 125, "{line}: {said:?}");
        assert!(said.err().contains("waxcell: error: cannot write to standard output"), "{line}: {said:?}");
        assert!(!said.err().contains("panicked"), "{said:?}");
    }
    // A reader that has seen enough is none.
    let line = format!("{} policy schema | head -c 1", support::waxcell().display());
    assert_eq!(say(&mut place.waxcell_shell(&line)).err(), "");
}

//! Approvals: who lets a script through the gate, what that covers, and what it does not.

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Place, policy, say, types};

const SCRIPT: &str = "print(eval('1 + 1'))\n";

fn place() -> Place {
    let place = Place::with_gate(&(policy(&[]) + "analysis: {rules: {B307: refuse}}\n"));
    place.write("a.py", SCRIPT);
    place
}

#[track_caller]
fn runs(place: &Place, code: i32) -> Value {
    let said = say(&mut place.waxcell(&["--json", "run", "a.py"]));
    assert_eq!(said.code, code, "{said:?}");
    said.report()
}

#[track_caller]
fn approve(place: &Place, more: &[&str]) -> Value {
    let said = say(place.waxcell(&["--json", "approve", "--reason", "read it"]).args(more));
    assert_eq!(said.code, 0, "{said:?}");
    said.report()
}

#[test]
fn an_approved_script_runs_as_it_is_and_the_run_names_the_approval() {
    let place = place();
    let refused = runs(&place, 126);
    assert!(refused["help"].as_str().unwrap().contains("waxcell approve --reason '...' a.py"), "{refused:#}");
    let given = approve(&place, &["a.py"]);
    assert_eq!(given["in_the_way"], refused["cause"]);

    let report = runs(&place, 0);
    let approval = &report["gate"]["approval"];
    assert_eq!(
        (&approval["index"], &approval["leaf_hash"]),
        (&given["record"]["index"], &given["record"]["leaf_hash"])
    );
    let suppressed = &report["findings"][0]["suppressed"];
    assert_eq!((&suppressed["by"], &suppressed["reason"]), (&json!("approval"), &json!("read it")));
    let records = place.records();
    assert_eq!(types(&records), ["refused", "approved", "started", "finished"]);
    assert_eq!(records[2]["gate"]["approval"]["index"], 1);
    assert_eq!(records[1]["script"]["sha256"], report["script"]["sha256"]);
    assert_eq!(records[1]["findings"][0]["rule"], "B307");
    assert_eq!(records[1]["actor"]["uid"], rustix::process::geteuid().as_raw());
    place.check_journal();

    // One byte more is another script.
    place.write("a.py", SCRIPT.to_owned() + "\n");
    runs(&place, 126);
    // The same bytes elsewhere are the same script.
    place.write("a.py", "pass\n");
    place.write("b/c.py", SCRIPT);
    assert_eq!(say(&mut place.waxcell(&["run", "b/c.py"])).code, 0);
    // Another record has its own approvals.
    let mut elsewhere = place.waxcell(&["run", "b/c.py"]);
    assert_eq!(say(elsewhere.env("WAXCELL_STATE", place.root().join("other"))).code, 126);
}

#[test]
fn an_approval_is_listed_and_taken_back() {
    let place = place();
    let given = approve(&place, &["a.py", "--until", "9999-12-31"]);
    let list = say(&mut place.waxcell(&["approve", "--list", "--json"])).report();
    let expected = (&given["sha256"], &json!("read it"), &json!("9999-12-31"), &json!(false));
    assert_eq!((&list["sha256"], &list["reason"], &list["until"], &list["is_over"]), expected);
    let said = say(&mut place.waxcell(&["approve", "--list"]));
    assert!(said.out().contains("a.py") && said.out().ends_with(": read it\n"), "{said:?}");

    // By the hash, since the file may be another by now.
    let sha256 = given["sha256"].as_str().unwrap();
    let withdraw = ["approve", "--withdraw", "--reason", "done", sha256];
    assert_eq!(say(&mut place.waxcell(&withdraw)).code, 0);
    runs(&place, 126);
    assert_eq!(say(&mut place.waxcell(&["approve", "--list"])).out(), "");
    let records = place.records();
    assert_eq!(types(&records), ["approved", "withdrawn", "refused"]);
    assert_eq!(records[1]["approval"]["index"], 0);
    assert_eq!(say(&mut place.waxcell(&withdraw)).code, 1);
    place.check_journal();
}

#[test]
fn an_approval_is_over_after_its_last_day() {
    let place = place();
    approve(&place, &["a.py", "--until", "9999-12-30"]);
    let over = |day: &str| waxcell::approvals(&place.state(), day.parse().unwrap())[0].is_over;
    assert!(!over("9999-12-30") && over("9999-12-31"));
    let said = say(&mut place.waxcell(&["approve", "a.py", "--reason", "x", "--until", "2020-01-01"]));
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn what_cannot_be_read_cannot_be_approved() {
    let place = place();
    place.write("a.py", "def f(:\n");
    let said = say(&mut place.waxcell(&["approve", "a.py", "--reason", "x"]));
    assert!(said.code == 126 && said.err().contains("this cannot be approved: a.py:1:7: "), "{said:?}");
    assert_eq!(place.records(), Vec::<Value>::new());
    for (args, code) in [
        (&["approve", "a.py"][..], 2),
        (&["approve", "a.py", "--reason", " "], 2),
        (&["approve", "--reason", "x"], 2),
        (&["approve", "no.py", "--reason", "x"], 127),
    ] {
        assert_eq!(say(&mut place.waxcell(args)).code, code, "{args:?}");
    }
}

#[test]
fn a_file_that_no_record_bears_out_approves_nothing() {
    let place = place();
    runs(&place, 126);
    place.write("other.py", "print(eval('2'))\n");
    let other = approve(&place, &["other.py"]);
    let folder = place.state().join("approvals");
    let kept = fs::read(folder.join(other["sha256"].as_str().unwrap())).unwrap();
    let sha256 = runs(&place, 126)["script"]["sha256"].as_str().unwrap().to_owned();
    // Of another script; of a refusal of this one; of no record; and no JSON.
    let refusal = waxcell_journal::Reader::open(&place.journal()).unwrap().next().unwrap().unwrap();
    let hash: String = refusal.leaf_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let forged = |index: u64, hash: &str| json!({"index": index, "leaf_hash": hash}).to_string().into_bytes();
    for file in [kept, forged(0, &hash), forged(7, &hash), forged(1, &"0".repeat(64)), b"{".to_vec()] {
        fs::write(folder.join(&sha256), file).unwrap();
        runs(&place, 126);
    }
    // Nor does the right record with another hash.
    let given = approve(&place, &["a.py"]);
    runs(&place, 0);
    fs::write(folder.join(&sha256), forged(given["record"]["index"].as_u64().unwrap(), &hash)).unwrap();
    runs(&place, 126);
}

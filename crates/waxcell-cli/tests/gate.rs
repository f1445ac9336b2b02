//! What `run` makes of what analysis says: levels, suppressions, baselines and comments.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use serde_json::Value;
use support::{Place, Said, policy, say, types};

/// `eval` is on line 2, `assert` on line 3.
const SCRIPT: &str = "import sys\nprint(eval('1 + 1'))  # nosec\nassert sys\n";

fn place(analysis: &str) -> Place {
    let place = Place::with_gate(&(policy(&[]) + analysis));
    place.write("scripts/a.py", SCRIPT);
    place
}

fn run(place: &Place) -> (Said, Value) {
    let said = say(&mut place.waxcell(&["--json", "run", "scripts/a.py"]));
    let report = said.report();
    (said, report)
}

/// Rule, level, and who suppressed it.
fn told(report: &Value) -> Vec<(&str, &str, &str)> {
    let text = |value: &'_ Value| -> &'static str {
        Box::leak(value.as_str().unwrap_or("nobody").to_owned().into_boxed_str())
    };
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|f| (text(&f["rule"]), text(&f["level"]), text(&f["suppressed"]["by"]))).collect()
}

#[test]
fn hygiene_is_reported_and_nobody_is_told_while_the_script_runs() {
    let place = place("");
    let said = say(&mut place.waxcell(&["run", "scripts/a.py"]));
    assert_eq!((said.code, said.out(), said.err()), (0, "2\n".to_owned(), String::new()));
    let (said, report) = run(&place);
    assert_eq!(said.code, 0);
    // A comment of the script's author silences nothing.
    assert_eq!(told(&report), [("B307", "report", "nobody"), ("B101", "report", "nobody")]);
    assert_eq!(report["findings"][0]["class"], "hygiene");
    assert_eq!(report["gate"]["approved"], true);
    assert_eq!(report["gate"]["rules_sha256"].as_str().unwrap().len(), 64);
    let records = place.records();
    assert_eq!(types(&records), ["started", "finished", "started", "finished"]);
    assert_eq!((&records[2]["gate"], &records[3]["findings"]), (&report["gate"], &report["findings"]));
    place.check_journal();
}

#[test]
fn a_finding_that_refuses_says_where_and_what_to_do_and_nothing_runs() {
    for (analysis, refuses) in [
        ("analysis: {rules: {B307: refuse}}\n", true),
        ("analysis: {hygiene: refuse}\n", true),
        ("analysis: {refuse_at: {severity: medium}}\n", true),
        ("analysis: {refuse_at: {severity: medium, confidence: high}}\n", true),
        ("analysis: {refuse_at: {severity: high}}\n", false),
        ("analysis: {refuse_at: {severity: low}, rules: {B307: report, B101: ignore}}\n", false),
        ("analysis: {hygiene: ignore}\n", false),
    ] {
        let place = place(analysis);
        let said = say(&mut place.waxcell(&["run", "scripts/a.py"]));
        assert_eq!(
            (said.code, said.out().is_empty()),
            if refuses { (126, true) } else { (0, false) },
            "{said:?}"
        );
        if refuses {
            let err = said.err();
            assert!(err.starts_with("waxcell: refused: scripts/a.py:2:7: "), "{err}");
            assert!(err.contains("waxcell approve --reason '...' scripts/a.py"), "{err}");
            let (_, report) = run(&place);
            assert_eq!((&report["verdict"], &report["gate"]["approved"]), (&"refused".into(), &false.into()));
            let records = place.records();
            assert_eq!(types(&records), ["refused", "refused"]);
            assert_eq!(
                (&records[1]["gate"], &records[1]["findings"]),
                (&report["gate"], &report["findings"])
            );
        }
    }
    let place = place("analysis: {hygiene: ignore, rules: {B101: report}}\n");
    assert_eq!(told(&run(&place).1), [("B101", "report", "nobody")]);
}

#[test]
fn what_is_suppressed_stays_in_the_report_and_does_not_refuse() {
    let refuse = "analysis:\n  refuse_at: {severity: medium}\n  suppressions: [{rule: B307, path: scripts/*.py, reason: ours";
    let place = place(&format!("{refuse}, until: 9999-12-31}}]\n"));
    let (said, report) = run(&place);
    assert_eq!((said.code, told(&report)[0]), (0, ("B307", "refuse", "policy")));
    let suppressed = &report["findings"][0]["suppressed"];
    assert_eq!((suppressed["reason"].as_str(), suppressed["line"].as_u64()), (Some("ours"), Some(18)));
    assert_eq!(place.records()[1]["findings"], report["findings"]);

    // Another script, and another day.
    place.write("b.py", SCRIPT);
    assert_eq!(say(&mut place.waxcell(&["run", "b.py"])).code, 126);
    place.write("security_policy.yml", policy(&[]) + refuse + ", until: 2020-12-31}]\n");
    let said = say(&mut place.waxcell(&["run", "scripts/a.py"]));
    assert!(
        said.code == 126 && said.err().contains("line 18 of the policy was over with 2020-12-31"),
        "{said:?}"
    );

    // By its fingerprint, wherever it is.
    let mark = report["findings"][0]["fingerprint"].as_str().unwrap();
    let by_mark = format!(
        "analysis:\n  hygiene: refuse\n  rules: {{B101: report}}\n  suppressions: [{{fingerprint: {mark}, reason: ours}}]\n"
    );
    place.write("security_policy.yml", policy(&[]) + &by_mark);
    assert_eq!(say(&mut place.waxcell(&["run", "b.py"])).code, 0);
    place.write("b.py", SCRIPT.replace("1 + 1", "1 + 2"));
    assert_eq!(say(&mut place.waxcell(&["run", "b.py"])).code, 126);
}

#[test]
fn comments_count_where_the_policy_honours_them() {
    let place = place("analysis: {hygiene: refuse, rules: {B101: report}, honour_comments: true}\n");
    let (said, report) = run(&place);
    assert_eq!(said.code, 0);
    assert_eq!(told(&report), [("B307", "refuse", "comment"), ("B101", "report", "nobody")]);
}

#[test]
fn what_a_baseline_has_is_known_once_and_without_it_nothing_runs() {
    let place = place("analysis: {hygiene: refuse, baseline: ./known.json}\n");
    let said = say(&mut place.waxcell(&["run", "scripts/a.py"]));
    assert!(
        said.code == 126 && said.err().contains("known.json") && said.err().contains("waxcell check"),
        "{said:?}"
    );
    let known = say(&mut place.waxcell(&["--json", "check", "--ignore-nosec", "scripts"]));
    place.write("known.json", known.out);
    let (said, report) = run(&place);
    assert_eq!(said.code, 0, "{report:#}");
    assert_eq!(told(&report), [("B307", "refuse", "baseline"), ("B101", "refuse", "baseline")]);
    assert_eq!(report["gate"]["baseline_sha256"].as_str().unwrap().len(), 64);
    // One more of the same is new.
    place.write("scripts/a.py", SCRIPT.to_owned() + "assert sys\n");
    let (said, report) = run(&place);
    assert_eq!((said.code, report["gate"]["reasons"].as_u64()), (126, Some(1)));
    assert!(report["cause"].as_str().unwrap().contains("a.py:4:1: "), "{report:#}");
}

#[test]
fn what_cannot_be_read_is_refused_whatever_the_policy_says() {
    let place =
        place("analysis: {capabilities: report, threats: report, dynamic_code: allow, hygiene: ignore}\n");
    place.write("scripts/a.py", "def f(:\n");
    let (said, report) = run(&place);
    assert_eq!(said.code, 126);
    assert_eq!(told(&report)[0], ("syntax-error", "refuse", "nobody"));
    assert!(!report["help"].to_string().contains("approve"), "{report:#}");
}

//! Whether waxcell said the right thing about an attempt.

use serde_json::Value;

use crate::attempt::Seen;
use crate::case::{Expect, Violation};

/// What is wrong with the report, one sentence each; and apart from that, what is wrong with the violations.
pub(crate) fn faults(expect: &Expect, seen: &Seen) -> (Vec<String>, Vec<String>) {
    let Some(report) = &seen.report else {
        let code =
            seen.code.map_or("none, it was killed at its deadline".to_owned(), |code| code.to_string());
        return (vec![format!("there is no report; exit code {code}; {}", seen.complaint)], Vec::new());
    };
    let mut faults = Vec::new();
    let said = |name: &str| report[name].as_str().unwrap_or_default();
    if said("verdict") != expect.verdict {
        let (verdict, cause) = (said("verdict"), said("cause"));
        faults.push(format!("verdict {verdict} ({cause}) instead of {}; {}", expect.verdict, seen.complaint));
    }
    if seen.code != Some(expect.exit) || report["return_code"] != expect.exit {
        faults.push(format!(
            "exit code {:?} and {} instead of {}",
            seen.code, report["return_code"], expect.exit
        ));
    }
    if let Some(part) = &expect.cause
        && !said("cause").contains(part)
    {
        faults.push(format!("cause `{}` without `{part}`", said("cause")));
    }
    for (name, most) in &expect.at_most {
        let used = report["resource_usage"][name].as_f64();
        if !used.is_some_and(|used| used <= *most) {
            faults.push(format!("{name} is {used:?}, more than {most}"));
        }
    }
    (faults, violations(expect, &seen.expected, report))
}

/// A violation of a report, in words.
pub(crate) fn words(told: &Value) -> String {
    let part = |name: &str| told[name].as_str().unwrap_or_default();
    let (operation, target, layer) = (part("operation"), part("target"), part("layer"));
    format!("{operation} on `{target}` ({layer}, {} times)", told["count"])
}

/// All of them.
pub(crate) fn recorded(report: &Value) -> Vec<String> {
    report["violations"].as_array().into_iter().flatten().map(words).collect()
}

fn violations(expect: &Expect, targets: &[Option<String>], report: &Value) -> Vec<String> {
    let Some(expected) = &expect.violations else { return Vec::new() };
    let mut told: Vec<&Value> = report["violations"].as_array().into_iter().flatten().collect();
    let mut faults = Vec::new();
    for (expected, target) in expected.iter().zip(targets) {
        match told.iter().position(|told| fits(expected, target.as_deref(), told)) {
            Some(at) => drop(told.remove(at)),
            None => faults.push(format!("no violation {}", wanted(expected, target.as_deref()))),
        }
    }
    if !expect.more_violations {
        faults.extend(told.into_iter().map(|told| format!("a violation {}", words(told))));
    }
    faults
}

fn fits(expected: &Violation, target: Option<&str>, told: &Value) -> bool {
    let is = |name: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| told[name] == wanted);
    let rule = told["rule"].as_str().unwrap_or_default();
    is("operation", Some(&expected.operation))
        && is("target", target)
        && is("layer", expected.layer.as_deref())
        && expected.count.is_none_or(|count| told["count"] == count)
        && expected.rule.as_ref().is_none_or(|part| rule.contains(part.as_str()))
}

fn wanted(expected: &Violation, target: Option<&str>) -> String {
    let mut text = expected.operation.clone();
    let part = |name: &str, value: Option<&str>| value.map(|value| format!(", {name} `{value}`"));
    text.extend(part("target", target));
    text.extend(part("layer", expected.layer.as_deref()));
    text.extend(part("rule", expected.rule.as_deref()));
    text.extend(expected.count.map(|count| format!(", {count} times")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expect: &str, report: Value, reported: &[&str], recorded: &[&str]) {
        let expect: Expect = toml::from_str(expect).expect("an expectation");
        let targets = expect.violations.iter().flatten().map(|violation| violation.target.clone()).collect();
        let code = report["return_code"].as_i64().map(|code| code as i32);
        let seen = Seen { report: Some(report), code, expected: targets, ..Seen::default() };
        let (faults, violations) = faults(&expect, &seen);
        let same = |told: &[String], parts: &[&str]| {
            told.len() == parts.len() && told.iter().zip(parts).all(|(told, part)| told.contains(part))
        };
        assert!(same(&faults, reported) && same(&violations, recorded), "{faults:?} {violations:?}");
    }

    #[test]
    fn each_part_of_a_report_is_compared() {
        let report = serde_json::json!({
            "verdict": "ok", "return_code": 0, "cause": "it ended", "resource_usage": {"memory_mb": 10.5},
            "violations": [
                {"operation": "fs.delete", "target": "/x", "rule": "filesystem.blocked_operations", "layer": "guard",
                 "count": 2},
            ],
        });
        let ok = "verdict = \"ok\"\nexit = 0\n";
        let delete = "[[violations]]\noperation = \"fs.delete\"\n";
        let check = |expect: String, reported: &[&str], recorded: &[&str]| {
            check(&expect, report.clone(), reported, recorded);
        };
        check(ok.to_owned(), &[], &[]);
        check(format!("{ok}violations = []"), &[], &["a violation fs.delete on `/x`"]);
        check(format!("{ok}{delete}target = \"/x\"\nlayer = \"guard\"\nrule = \"blocked\""), &[], &[]);
        check(format!("{ok}{delete}count = 2"), &[], &[]);
        check(format!("{ok}{delete}count = 3"), &[], &["no violation", "2 times"]);
        check(format!("{ok}{delete}target = \"/y\""), &[], &["no violation fs.delete", "a violation"]);
        check(format!("{ok}more_violations = true\n{delete}layer = \"filter\""), &[], &["no violation"]);
        check(format!("{ok}{delete}\n{delete}"), &[], &["no violation"]);
        check("verdict = \"killed\"\nexit = 1".to_owned(), &["verdict ok", "exit code"], &[]);
        check(format!("{ok}cause = \"memory\""), &["cause `it ended`"], &[]);
        check(format!("{ok}at_most = {{memory_mb = 10.0}}"), &["memory_mb"], &[]);
        check(format!("{ok}at_most = {{memory_mb = 11.0, other = 1.0}}"), &["other"], &[]);
    }
}

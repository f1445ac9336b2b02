//! Static Analysis Results Interchange Format 2.1.0 (OASIS), as code hosts and editors read it.

use std::path::Path;

use serde_json::{Value, json};
use waxcell::dependencies::Audit;
use waxcell_analysis::{Class, Confidence, RULES, Rule, Severity};

use super::json::in_ascii;
use super::{Checked, Told, dependencies};

/// Under which name [`fingerprints`](waxcell_analysis::fingerprints) stand in a result.
const FINGERPRINT: &str = waxcell::Baseline::IN_SARIF;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const HOME: &str = env!("CARGO_PKG_REPOSITORY");

pub(super) fn render(checked: &[Checked], has_baseline: bool, audit: Option<&Audit>) -> String {
    let told = |file| results(file, has_baseline);
    let results: Vec<Value> = checked.iter().flat_map(told).collect();
    let unread = checked.iter().filter_map(|file| file.unread.as_ref().map(|why| (file, why)));
    let mut notifications: Vec<Value> = unread
        .map(|(file, why)| {
            json!({
                "level": "error", "message": { "text": format!("The file was not checked: {why}.") },
                "locations": [{ "physicalLocation": { "artifactLocation": artifact(&file.path) } }],
            })
        })
        .collect();
    let is_successful = notifications.is_empty() && audit.is_none_or(Audit::is_complete);
    notifications.extend(dependencies::gaps(audit).into_iter().map(|(place, what)| {
        let mut notification = json!({ "level": "error", "message": { "text": sentence(&what) } });
        if let Some(place) = place {
            notification["locations"] = json!([{ "physicalLocation": {
                "artifactLocation": artifact(Path::new(&place.file)),
                "region": { "startLine": place.line, "startColumn": place.column },
            } }]);
        }
        notification
    }));
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Waxcell",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": HOME,
                "rules": RULES.iter().map(|one| rule(one)).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": is_successful,
                "toolExecutionNotifications": notifications,
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    in_ascii(&log) + "\n"
}

fn rule(rule: &Rule) -> Value {
    let precision = match rule.confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    };
    // What GitHub shows as critical begins at 9, high at 7, medium at 4.
    let weight = match rule.severity {
        Severity::High => "8.0",
        Severity::Medium => "5.0",
        Severity::Low => "2.0",
    };
    let mut tags = vec!["security".to_owned(), class(rule.class).to_owned()];
    if rule.cwe > 0 {
        tags.push(format!("external/cwe/cwe-{:03}", rule.cwe));
    }
    let mut descriptor = json!({
        "id": rule.id,
        "shortDescription": { "text": sentence(rule.summary) },
        "fullDescription": { "text": format!("{} {}", sentence(rule.summary), rule.why) },
        "help": { "text": sentence(rule.help) },
        "helpUri": page_of(rule.id),
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "tags": tags, "precision": precision, "security-severity": weight },
    });
    // A name that says no more than the id is left out.
    let name = pascal(rule.name);
    if !name.eq_ignore_ascii_case(rule.id) {
        descriptor["name"] = name.into();
    }
    descriptor
}

fn results(file: &Checked, has_baseline: bool) -> impl Iterator<Item = Value> {
    file.findings.iter().map(move |told| {
        let finding = &told.finding;
        let mut result = json!({
            "ruleId": finding.rule,
            "level": level(finding.severity),
            "message": { "text": format!("{} Help: {}", sentence(&finding.message), sentence(&finding.help)) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": artifact(&file.path),
                "region": region(file, told),
            } }],
            "partialFingerprints": { FINGERPRINT: told.fingerprint },
        });
        if let Some(at) = RULES.iter().position(|rule| rule.id == finding.rule) {
            result["ruleIndex"] = at.into();
        }
        if has_baseline {
            result["baselineState"] = if told.known { "unchanged" } else { "new" }.into();
        }
        result
    })
}

fn region(file: &Checked, told: &Told) -> Value {
    let span = told.finding.span;
    let about = file.source.get(span.start..span.end).unwrap_or_default();
    let lines: Vec<&[u8]> = about.split(|byte| *byte == b'\n').collect();
    let last = String::from_utf8_lossy(lines.last().copied().unwrap_or_default()).chars().count();
    let (below, column) = match lines.len() {
        0 | 1 => (0, span.column + last),
        more => (more - 1, last + 1),
    };
    let mut region = json!({ "startLine": span.line, "startColumn": span.column, "endLine": span.line + below, "endColumn": column });
    if !about.is_empty() {
        region["snippet"] = json!({ "text": String::from_utf8_lossy(about) });
    }
    region
}

/// A reference (RFC 3986): relative to where the program runs, as hosts of code resolve it, unless it is absolute.
fn artifact(path: &Path) -> Value {
    let cwd = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&cwd).unwrap_or(path);
    let path = path.strip_prefix(".").unwrap_or(path);
    let mut uri = String::from(if path.is_absolute() { "file://" } else { "" });
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    json!({ "uri": uri })
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Reading => "reading",
        Class::Hygiene => "hygiene",
        Class::Capability => "capability",
        Class::Threat => "threat",
        Class::Dynamic => "dynamic",
    }
}

/// Where a rule is explained.
pub(super) fn page_of(rule: &str) -> String {
    format!("{HOME}/blob/main/docs/rules.md#{}", rule.to_lowercase())
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// `try_except_pass` as `TryExceptPass`.
fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
            .unwrap_or_default()
    };
    name.split(['_', '-']).map(word).collect()
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{artifact, pascal};

    #[test]
    fn names_become_references_that_lead_to_them() {
        assert_eq!(artifact(Path::new("./a b/ü#.py"))["uri"], "a%20b/%C3%BC%23.py");
        assert_eq!(artifact(Path::new("/a/b"))["uri"], "file:///a/b");
        assert_eq!(pascal("try_except-pass"), "TryExceptPass");
    }
}

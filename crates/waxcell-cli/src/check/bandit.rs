//! The report that Bandit 1.9.4 writes with `-f json`, for programs that read it.
//!
//! Texts (`issue_text`) and addresses of explanations (`more_info`) are ours; everything else is what Bandit writes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use waxcell_analysis::{Confidence, Finding, RULES, Rule, Severity};

use super::json::in_ascii;
use super::sarif::page_of;
use super::{Checked, Told};

/// So many lines of a script are shown around a finding of one line.
const SHOWN: usize = 3;

/// Findings below the levels are counted and not shown, as there.
pub(super) fn render(checked: &[Checked], least: (Severity, Confidence), now: SystemTime) -> String {
    let mut errors = Vec::new();
    let mut metrics = BTreeMap::new();
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    let mut results = Vec::new();
    let mut files: Vec<&Checked> = checked.iter().collect();
    files.sort_by_key(|file| file.bandit_name());
    for file in files {
        let name = file.bandit_name();
        if let Some(why) = &file.unread {
            errors.push(json!({ "filename": name, "reason": why }));
            continue;
        }
        let counts = counts(file);
        if let Some(told) = file.findings.iter().find(|told| told.finding.blocks()) {
            errors.push(json!({ "filename": name, "reason": told.finding.message }));
        }
        for (key, count) in &counts {
            *totals.entry(key.clone()).or_default() += count;
        }
        metrics.insert(name.clone(), json!(counts));
        let shown = file.new_findings().map(|told: &Told| &told.finding).filter(|finding| {
            !finding.blocks() && finding.severity >= least.0 && finding.confidence >= least.1
        });
        let lines: Vec<&[u8]> = file.source.split_inclusive(|byte| *byte == b'\n').collect();
        results.extend(shown.map(|finding| result(&name, finding, &lines)));
    }
    for key in ranks() {
        totals.entry(key).or_default();
    }
    for key in ["loc", "nosec", "skipped_tests"] {
        totals.entry(key.to_owned()).or_default();
    }
    metrics.insert("_totals".to_owned(), json!(totals));
    let report = json!({
        "errors": errors,
        "generated_at": humantime::format_rfc3339_seconds(now).to_string(),
        "metrics": metrics,
        "results": results,
    });
    in_ascii(&report)
}

/// What Bandit calls a rule in its reports: mostly as in comments.
fn name_of(rule: &&'static Rule) -> &'static str {
    match rule.id {
        _ if rule.is_list() => "blacklist",
        "B324" => "hashlib",
        "B508" => "snmp_insecure_version_check",
        "B509" => "snmp_crypto_check",
        _ => rule.name,
    }
}

/// What Bandit counts; of a file that cannot be read as Python no findings.
fn counts(file: &Checked) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::from([
        ("loc".to_owned(), lines_of_code(&file.source)),
        ("nosec".to_owned(), file.silenced.all),
        ("skipped_tests".to_owned(), file.silenced.named),
    ]);
    if file.is_analysed() {
        counts.extend(ranks().map(|key| (key, 0)));
        for told in &file.findings {
            for key in [
                format!("SEVERITY.{}", capital(told.finding.severity)),
                format!("CONFIDENCE.{}", capital(told.finding.confidence)),
            ] {
                *counts.entry(key).or_default() += 1;
            }
        }
    }
    counts
}

fn ranks() -> impl Iterator<Item = String> {
    let of = |what: &'static str| {
        ["UNDEFINED", "LOW", "MEDIUM", "HIGH"].into_iter().map(move |rank| format!("{what}.{rank}"))
    };
    of("SEVERITY").chain(of("CONFIDENCE"))
}

/// Lines that are neither empty nor a comment.
fn lines_of_code(source: &[u8]) -> usize {
    let lines = source.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")).count()
}

fn capital(level: impl ToString) -> String {
    level.to_string().to_uppercase()
}

fn result(name: &str, finding: &Finding, lines: &[&[u8]]) -> Value {
    let about = finding.about;
    let rule = RULES.iter().find(|rule| rule.id == finding.rule);
    // Of a script as a whole, the place counts.
    let (line, place) = (finding.span.line, finding.span.column);
    let (range, column) = match about.first_line as usize {
        0 => (line..=line, place),
        first => (first..=about.last_line as usize, about.column as usize),
    };
    let first = line.saturating_sub(SHOWN / 2).max(1);
    let last = (first + range.clone().count() + SHOWN - 1).min(lines.len() + 1);
    let shown = |number: usize| {
        let text = lines.get(number - 1).map(|line| String::from_utf8_lossy(line)).unwrap_or_default();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        format!("{number} {text}{end}")
    };
    let mut weakness = Map::new();
    if let Some(cwe) = rule.map(|rule| rule.cwe).filter(|cwe| *cwe > 0) {
        weakness.insert("id".into(), cwe.into());
        weakness.insert("link".into(), format!("https://cwe.mitre.org/data/definitions/{cwe}.html").into());
    }
    json!({
        "code": (first..last).map(shown).collect::<String>(),
        "col_offset": column,
        "end_col_offset": about.end_column,
        "filename": name,
        "issue_confidence": capital(finding.confidence),
        "issue_cwe": weakness,
        "issue_severity": capital(finding.severity),
        "issue_text": finding.message,
        "line_number": line,
        "line_range": range.collect::<Vec<usize>>(),
        "more_info": page_of(finding.rule),
        "test_id": finding.rule,
        "test_name": rule.map_or(finding.rule, name_of),
    })
}

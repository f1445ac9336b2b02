//! Findings that are known already: those of an earlier report.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

/// How many of each are known, by fingerprint.
#[derive(Default)]
pub(super) struct Baseline(HashMap<String, usize>);

impl Baseline {
    /// Those of a report that `waxcell check` wrote as JSON or SARIF.
    pub(super) fn read(path: &Path) -> Result<Baseline, String> {
        let name = path.display();
        let bytes = std::fs::read(path).map_err(|error| format!("cannot read `{name}`: {error}"))?;
        let report: Value =
            serde_json::from_slice(&bytes).map_err(|error| format!("`{name}` is no report: {error}"))?;
        let ours = report["files"].as_array().map(|files| of_json(files));
        let found = ours.or_else(|| report["runs"].as_array().map(|runs| of_sarif(runs)));
        let marks = found
            .ok_or_else(|| format!("`{name}` is no report of `waxcell check`, neither JSON nor SARIF"))?;
        let mut known = HashMap::new();
        for mark in marks {
            *known.entry(mark).or_insert(0) += 1;
        }
        Ok(Baseline(known))
    }

    /// Whether this one is known; once for each time that it was found.
    pub(super) fn takes(&mut self, fingerprint: &str) -> bool {
        match self.0.get_mut(fingerprint) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

fn of_json(files: &[Value]) -> Vec<String> {
    let findings = files.iter().filter_map(|file| file["findings"].as_array()).flatten();
    findings.filter_map(|finding| finding["fingerprint"].as_str()).map(str::to_owned).collect()
}

fn of_sarif(runs: &[Value]) -> Vec<String> {
    let results = runs.iter().filter_map(|run| run["results"].as_array()).flatten();
    let mark =
        |result: &Value| result["partialFingerprints"][super::sarif::FINGERPRINT].as_str().map(str::to_owned);
    results.filter_map(mark).collect()
}

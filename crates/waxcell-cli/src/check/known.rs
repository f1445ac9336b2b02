//! What is known already: an earlier report, ours or Bandit's.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use waxcell::{Baseline, BaselineError};
use waxcell_analysis::Finding;

use super::{Checked, Told, files};

/// The largest report of Bandit that is read, in bytes.
const MOST: u64 = 64 << 20;

/// How often each is known.
#[derive(Default)]
pub(super) struct Known {
    ours: Baseline,
    bandit: HashMap<String, usize>,
}

impl Known {
    pub(super) fn read(path: &Path) -> Result<Known, String> {
        match Baseline::read(path) {
            Ok(ours) => Ok(Known { ours, ..Known::default() }),
            Err(error @ BaselineError::NoReport(_)) => of_bandit(path).ok_or_else(|| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether a finding is known; once for each time that it was found.
    pub(super) fn takes(&mut self, file: &Checked, told: &Told) -> bool {
        if self.ours.takes(&told.fingerprint) {
            return true;
        }
        let left = self.bandit.get_mut(&mark(&file.bandit_name(), &told.finding)).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }
}

/// Bandit writes no fingerprints: findings of one rule and its levels in one file are alike there, whatever their lines.
fn of_bandit(path: &Path) -> Option<Known> {
    let report: Value = serde_json::from_slice(&files::read(path, MOST).ok()?).ok()?;
    let mut bandit = HashMap::new();
    for result in report["results"].as_array()? {
        let word = |key: &str| result[key].as_str().unwrap_or_default();
        let (severity, confidence) = (word("issue_severity"), word("issue_confidence"));
        let levels = format!("{severity}:{confidence}").to_lowercase();
        *bandit.entry(mark_of(word("filename"), word("test_id"), &levels)).or_insert(0) += 1;
    }
    Some(Known { bandit, ..Known::default() })
}

fn mark(name: &str, finding: &Finding) -> String {
    mark_of(name, finding.rule, &format!("{}:{}", finding.severity, finding.confidence))
}

fn mark_of(name: &str, rule: &str, levels: &str) -> String {
    format!("{}:{rule}:{levels}", name.trim_start_matches("./"))
}

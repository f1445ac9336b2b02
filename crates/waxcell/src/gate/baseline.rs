//! Findings that are known already: those of an earlier report.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The largest report that is read, in bytes.
const MOST: u64 = 64 << 20;

/// How many findings of each fingerprint are known.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    known: HashMap<String, usize>,
    sha256: [u8; 32],
}

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no JSON.
    #[error("`{}` is no report: {source}", path.display())]
    NoJson {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is something else.
    #[error("`{}` is no report of `waxcell check`, neither JSON nor SARIF", .0.display())]
    NoReport(PathBuf),
}

impl Baseline {
    /// Under which name [`fingerprints`](waxcell_analysis::fingerprints) stand in a result of SARIF.
    pub const IN_SARIF: &'static str = "waxcellFingerprint/v1";

    /// The findings of a report that `waxcell check` wrote as JSON or SARIF.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Baseline, BaselineError> {
        let unread = |source| BaselineError::Unread { path: path.to_owned(), source };
        // NONBLOCK: a FIFO without a writer must not hold us.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unread)?;
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > MOST {
            return Err(unread(io::Error::other(format!("more than {MOST} bytes are no report"))));
        }
        let report: Value = serde_json::from_slice(&bytes)
            .map_err(|source| BaselineError::NoJson { path: path.to_owned(), source })?;
        let ours = report["files"].as_array().map(|files| of_json(files));
        let found = ours.or_else(|| report["runs"].as_array().map(|runs| of_sarif(runs)));
        let marks = found.ok_or_else(|| BaselineError::NoReport(path.to_owned()))?;
        let mut known = HashMap::new();
        for mark in marks {
            *known.entry(mark.to_owned()).or_insert(0) += 1;
        }
        Ok(Baseline { known, sha256: Sha256::digest(&bytes).into() })
    }

    /// Whether this one is known; once for each time that it was found.
    pub fn takes(&mut self, fingerprint: &str) -> bool {
        match self.known.get_mut(fingerprint) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// SHA-256 of the report.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

fn of_json(files: &[Value]) -> Vec<&str> {
    let findings = files.iter().filter_map(|file| file["findings"].as_array()).flatten();
    findings.filter_map(|finding| finding["fingerprint"].as_str()).collect()
}

fn of_sarif(runs: &[Value]) -> Vec<&str> {
    let results = runs.iter().filter_map(|run| run["results"].as_array()).flatten();
    results.filter_map(|result| result["partialFingerprints"][Baseline::IN_SARIF].as_str()).collect()
}

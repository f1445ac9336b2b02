//! Whether a script may run: `Approved` is a value that only this file can make.

use serde::Serialize;
use waxcell_analysis::{Analysis, Finding, Profile};
use waxcell_sandbox::{Switch, Switches};

use crate::script::Script;

/// A script that the gate has let through.
#[derive(Debug)]
pub struct Approved<'a> {
    script: &'a Script,
    findings: Vec<Finding>,
}

/// Why the gate has not.
#[derive(Clone, Debug, Serialize, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// One sentence for people.
    pub reason: String,
    /// What the analysis found.
    pub findings: Vec<Finding>,
}

impl Approved<'_> {
    /// The script.
    pub fn script(&self) -> &Script {
        self.script
    }

    /// What the analysis found all the same.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// What is looked for: whether the script can be read.
pub(crate) fn profile() -> Profile {
    Profile { tests: vec!["syntax-error".into()], nosec: false, ..Profile::default() }
}

/// Judges a script by what its analysis for the interpreter says. What cannot be understood is refused: nobody could say what it
/// does.
pub(crate) fn judge(
    script: &Script,
    analysis: Analysis,
    switches: Switches,
) -> Result<Approved<'_>, Refusal> {
    if !analysis.blocks() || switches.off(Switch::Gate) {
        return Ok(Approved { script, findings: analysis.findings });
    }
    let first = analysis.findings.iter().find(|finding| finding.blocks());
    let reason = first.map_or_else(
        || "the script could not be analysed".to_owned(),
        |finding| {
            let (line, column) = (finding.span.line, finding.span.column);
            format!("{}:{line}:{column}: {}", script.given.display(), finding.message)
        },
    );
    Err(Refusal { reason, findings: analysis.findings })
}

//! What is known of a script's dependencies, where the policy names a database.

use waxcell_analysis::Analysis;

use super::{Asked, Judged, Suppressed};
use crate::dependencies::{self, Audit, Importing, Question};
use crate::policy::Level;

/// What was audited, and what the policy makes of it. Nothing is asked of a script that cannot be read.
pub(super) fn judged(asked: &Asked<'_>, analysis: &Analysis) -> Option<(Audit, Vec<Judged>)> {
    let Asked { script, policy, interpreter, now, today, .. } = asked;
    let gate = &policy.analysis;
    let vulnerabilities = &gate.vulnerabilities;
    let database = vulnerabilities.database.as_ref().filter(|_| !analysis.blocks())?;
    let importing = Importing {
        path: script.path.clone(),
        source: script.bytes.clone(),
        imports: dependencies::imports(&analysis.capabilities),
        is_complete: analysis.capabilities.complete,
    };
    let audit = dependencies::audit(&Question {
        scripts: &[importing],
        files: &[],
        database,
        max_age_days: Some(vulnerabilities.max_age_days),
        interpreter: Some(interpreter),
        now: *now,
    });
    let file = script.path.to_string_lossy();
    let inside = script.path.strip_prefix(&policy.project_root).ok();
    let mut all = Vec::new();
    for (found, level) in [
        (dependencies::vulnerable(&audit, &file, &script.bytes), vulnerabilities.on_finding),
        (dependencies::unaudited(&audit, &file, &script.bytes), vulnerabilities.on_unaudited),
    ] {
        for (finding, fingerprint) in found {
            let level = gate.rules.get(finding.rule).copied().unwrap_or(level);
            let mut judged = Judged { finding, fingerprint, level, suppressed: None };
            judged.suppressed = Suppressed::by_policy(&judged, gate, inside, *today);
            all.push(judged);
        }
    }
    all.retain(|judged| judged.level != Level::Ignore);
    Some((audit, all))
}

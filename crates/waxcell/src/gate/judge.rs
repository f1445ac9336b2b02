//! Whether a script may run: `Approved` is a value that only this file can make.

use std::collections::HashSet;
use std::time::SystemTime;

use waxcell_analysis::{Analysis, Class, Profile, fingerprints, rules_sha256};
use waxcell_sandbox::{Switch, Switches};

use super::{Approver, Baseline, Judged, Judgement, Needed, Seen, Suppressed, dependencies, levels, outside};
use crate::edit::{self, Edit};
use crate::interpreter::Interpreter;
use crate::planning;
use crate::policy::{Date, Level, Policy};
use crate::record::hex;
use crate::run::Caller;
use crate::script::Script;

/// Reasons of a refusal for which it is said what to do.
const HELPED: usize = 3;

/// A script that the gate has let through.
#[derive(Debug)]
pub struct Approved<'a> {
    script: &'a Script,
    said: Said,
}

/// Why the gate has not.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// One sentence for people, with the place in the script.
    pub reason: String,
    /// What to do about it: one way out a line.
    pub help: Vec<String>,
    /// Changes of the policy that give what the script needs, where these are all that is in the way.
    pub edits: Vec<Edit>,
    /// Whether nobody can approve the script as it is.
    pub(crate) is_final: bool,
    pub(crate) said: Said,
}

/// What the gate has to say about a script, whatever its answer is.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) findings: Vec<Judged>,
    pub(crate) outside: Vec<Needed>,
    pub(crate) judgement: Judgement,
}

/// What is judged, and by what.
pub(crate) struct Asked<'a> {
    pub(crate) script: &'a Script,
    pub(crate) policy: &'a Policy,
    pub(crate) seen: Seen<'a>,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) now: SystemTime,
    pub(crate) today: Date,
    pub(crate) switches: Switches,
}

impl Approved<'_> {
    /// The script.
    pub fn script(&self) -> &Script {
        self.script
    }

    /// What analysis found all the same.
    pub fn findings(&self) -> &[Judged] {
        &self.said.findings
    }

    pub(crate) fn said(&self) -> &Said {
        &self.said
    }
}

/// Where a script finds what it names.
pub(crate) fn seen<'a>(
    script: &'a Script,
    policy: &'a Policy,
    caller: &'a Caller,
    interpreter: &'a Interpreter,
) -> Seen<'a> {
    let project = planning::project_shown(policy, caller);
    Seen { cwd: &caller.cwd, script: script.folder(), project, roots: &interpreter.roots }
}

/// Judges a script by what `analyse` says of its bytes. What cannot be understood is refused: nobody could say what it does.
/// `approval` is asked for only where something else is in the way.
///
/// # Errors
///
/// When the script must not be run; also when something that the policy names could not be looked at.
pub(crate) fn judge<'a>(
    asked: &Asked<'a>,
    analyse: impl FnMut(&Profile) -> Analysis,
    approval: impl FnOnce() -> Option<Approver>,
) -> Result<Approved<'a>, Box<Refusal>> {
    let Asked { script, policy, .. } = asked;
    let (analysis, mut findings) = findings(asked, analyse);
    let audited = dependencies::judged(asked, &analysis);
    let vulnerabilities = audited.as_ref().map(|(audit, _)| audit.database.clone());
    if let Some((_, judged)) = audited {
        findings.extend(judged);
        findings.sort_by_key(|judged| judged.finding.span.start);
    }
    // Of what cannot be analysed nobody knows what it needs.
    let needed = match analysis.blocks() {
        true => Vec::new(),
        false => outside::outside(&analysis.capabilities, policy, &asked.seen),
    };
    let needed = needed.into_iter().map(|outside| Needed {
        level: if outside.certain { policy.analysis.capabilities } else { Level::Report },
        outside,
        suppressed: None,
    });
    let judgement = Judgement {
        approved: false,
        rules_sha256: hex(&rules_sha256()),
        reasons: 0,
        approved_reasons: 0,
        approval: None,
        baseline_sha256: None,
        vulnerabilities,
    };
    let mut said = Said { findings, outside: needed.collect(), judgement };
    if asked.switches.off(Switch::Gate) {
        said.judgement.approved = true;
        return Ok(Approved { script, said });
    }

    // What does not count.
    if let Some(path) = &policy.analysis.baseline {
        match Baseline::read(path) {
            Ok(baseline) => said.take_known(baseline),
            Err(error) => {
                let reason = format!("the baseline of the policy cannot be used: {error}");
                let help =
                    "write it with `waxcell check --json`, or leave `analysis.baseline` out of the policy";
                return Err(Box::new(Refusal {
                    reason,
                    help: vec![help.to_owned()],
                    edits: vec![],
                    is_final: true,
                    said,
                }));
            }
        }
    }
    let is_final = said.findings.iter().any(|judged| judged.refuses() && judged.finding.blocks());
    if !is_final
        && said.reasons() > 0
        && let Some(approver) = approval()
    {
        said.approve(approver);
    }
    said.judgement.reasons = said.reasons();
    said.judgement.approved = said.judgement.reasons == 0;
    match said.judgement.approved {
        true => Ok(Approved { script, said }),
        false => Err(Box::new(said.refusal(asked, is_final))),
    }
}

/// What analysis finds, and what the policy makes of each finding.
fn findings(asked: &Asked<'_>, mut analyse: impl FnMut(&Profile) -> Analysis) -> (Analysis, Vec<Judged>) {
    let Asked { script, policy, today, .. } = asked;
    let gate = &policy.analysis;
    let inside = script.path.strip_prefix(&policy.project_root).ok();
    let ignored = gate.rules.iter().filter(|(_, level)| **level == Level::Ignore);
    let profile = Profile {
        skips: ignored.map(|(rule, _)| (*rule).to_owned()).collect(),
        // Its author must not silence who judges it.
        nosec: false,
        capabilities: true,
        ..Profile::default()
    };
    let analysis = analyse(&profile);
    let marks = fingerprints(&script.bytes, &analysis);
    let mut all = Vec::with_capacity(marks.len());
    for (finding, fingerprint) in analysis.findings.iter().zip(marks) {
        let level = levels::of(finding, gate);
        let mut judged = Judged { finding: finding.clone(), fingerprint, level, suppressed: None };
        if !finding.blocks() && finding.class != Class::Reading {
            judged.suppressed = Suppressed::by_policy(&judged, gate, inside, *today);
        }
        if level != Level::Ignore {
            all.push(judged);
        }
    }
    if gate.honour_comments && all.iter().any(Judged::is_hygiene) {
        let heard = analyse(&Profile { nosec: true, capabilities: false, ..profile });
        let kept: HashSet<_> = heard.findings.iter().map(|f| (f.rule, f.span.start, f.span.end)).collect();
        for judged in all.iter_mut().filter(|judged| judged.is_hygiene() && judged.suppressed.is_none()) {
            let place = (judged.finding.rule, judged.finding.span.start, judged.finding.span.end);
            judged.suppressed = (!kept.contains(&place)).then(Suppressed::commented);
        }
    }
    (analysis, all)
}

impl Said {
    fn reasons(&self) -> usize {
        self.findings.iter().filter(|judged| judged.refuses()).count()
            + self.outside.iter().filter(|needed| needed.refuses()).count()
    }

    fn take_known(&mut self, mut baseline: Baseline) {
        self.judgement.baseline_sha256 = Some(hex(&baseline.sha256()));
        for judged in self.findings.iter_mut().filter(|judged| judged.is_hygiene()) {
            if baseline.takes(&judged.fingerprint) && judged.suppressed.is_none() {
                judged.suppressed = Some(Suppressed::known());
            }
        }
    }

    fn approve(&mut self, approver: Approver) {
        self.judgement.approved_reasons = self.reasons();
        let suppressed = Suppressed::approved(&approver);
        for judged in self.findings.iter_mut().filter(|judged| judged.refuses()) {
            judged.suppressed = Some(suppressed.clone());
        }
        for needed in self.outside.iter_mut().filter(|needed| needed.refuses()) {
            needed.suppressed = Some(suppressed.clone());
        }
        self.judgement.approval = Some(approver);
    }

    /// The first reason in the order of the script, and what to do about the first few.
    fn refusal(self, asked: &Asked<'_>, is_final: bool) -> Refusal {
        let given = asked.script.given.display();
        let found =
            self.findings.iter().filter(|judged| judged.refuses()).map(|Judged { finding, .. }| {
                let place = (finding.span.line, finding.span.column);
                (place, finding.message.as_str(), finding.help.clone())
            });
        let needed =
            self.outside.iter().filter(|needed| needed.refuses()).map(|Needed { outside, .. }| {
                let give = edit::in_words(&outside.edits).unwrap_or_default();
                ((outside.line, outside.column), outside.what.as_str(), give)
            });
        let mut reasons: Vec<_> = found.chain(needed).collect();
        // Stable, so that those of one place stay in their order.
        reasons.sort_by_key(|(place, ..)| *place);
        let more = match reasons.len() {
            0 | 1 => String::new(),
            2 => " (and 1 more reason)".to_owned(),
            count => format!(" (and {} more reasons)", count - 1),
        };
        let reason = reasons.first().map_or_else(
            || "the script could not be analysed".to_owned(),
            |((line, column), what, _)| format!("{given}:{line}:{column}: {what}{more}"),
        );
        let mut help: Vec<String> = Vec::new();
        for (_, _, way) in reasons {
            if help.len() < HELPED && !way.is_empty() && !help.contains(&way) {
                help.push(way);
            }
        }
        if !is_final {
            help.push(format!(
                "or look at it, and let exactly these bytes through: waxcell approve --reason '...' {given}"
            ));
        }
        let over = asked.policy.analysis.suppressions.iter().filter(|one| one.is_past(asked.today));
        help.extend(over.map(|one| {
            let until = one.until.map_or_else(String::new, |until| format!(" with {until}"));
            format!("the suppression on line {} of the policy was over{until}", one.line)
        }));
        let only_needs = !self.findings.iter().any(Judged::refuses);
        let mut edits: Vec<Edit> = Vec::new();
        for needed in self.outside.iter().filter(|needed| only_needs && needed.refuses()) {
            edits.extend(
                needed.outside.edits.iter().filter(|edit| !edits.contains(edit)).cloned().collect::<Vec<_>>(),
            );
        }
        Refusal { reason, help, edits, is_final, said: self }
    }
}

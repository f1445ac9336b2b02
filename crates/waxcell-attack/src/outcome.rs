//! What became of a case.

use std::time::Instant;

use serde::Serialize;

use crate::attempt::{Seen, attempt};
use crate::case::{Case, Control};
use crate::layer::Layer;
use crate::need::Host;
use crate::record;
use crate::subject::{Subject, Tools};

/// Against what a case is run.
#[derive(Clone, Copy, Debug)]
pub enum Against<'a> {
    /// Waxcell: contained, and with the right record.
    Waxcell,
    /// A test build of waxcell with the case's layers switched off: the attack has to succeed; and with all of them off
    /// but one, whichever, it must not. With the variable that names them.
    WaxcellWithoutLayers(&'a str),
    /// Another sandbox's command line, in words; without a record to judge.
    Other(&'a [String]),
}

/// How it came out. Only `Contained` is what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing outside tells of a success, and what was reported is right.
    Contained,
    /// The attack succeeded.
    Escaped,
    /// Where the attack should have succeeded it did not, so its failure says nothing.
    ControlFailed,
    /// Nothing outside tells of a success, and what was reported is wrong.
    RecordWrong,
    /// One of the layers alone does not stop it, and the case says that it does.
    LayerWrong,
    /// This host lacks something that the case needs.
    NotHoldable,
    /// It could not be tried.
    Broken,
}

/// A case and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// The name of its folder.
    pub name: String,
    /// The id of the catalogue.
    pub id: String,
    /// What is tried.
    pub title: String,
    /// What stops it.
    pub layers: Vec<Layer>,
    /// How it came out.
    pub outcome: Outcome,
    /// Why, where it is not contained; one sentence each.
    pub why: Vec<String>,
    /// Violations that are known not to be on record yet.
    pub to_come: Vec<String>,
    /// The violations that waxcell has on record, in words.
    pub recorded: Vec<String>,
    /// How long it took, its control included.
    pub milliseconds: u64,
}

/// Runs a case: the attempt, and unless it came out wrong the control.
pub fn run(case: &Case, against: Against<'_>, host: &Host, tools: &Tools) -> CaseReport {
    let begun = Instant::now();
    let mut missing: Vec<String> = case.told.needs.iter().filter_map(|need| need.missing(host)).collect();
    if case.needs_world() {
        missing.extend(tools.world.missing(tools));
    }
    if matches!(against, Against::WaxcellWithoutLayers(_)) {
        missing.extend(case.told.layers.iter().filter_map(|layer| layer.stays(host)));
    }
    if matches!(against, Against::Other(_)) && !case.told.comparable {
        missing.push("no command line for all cases can ask another sandbox for this".to_owned());
    }
    let judged = if missing.is_empty() {
        judge(case, against, tools)
            .unwrap_or_else(|error| Judged::of(Outcome::Broken, format!("it could not be tried: {error}")))
    } else {
        Judged::of(Outcome::NotHoldable, missing.join(", "))
    };
    CaseReport {
        name: case.name.clone(),
        id: case.told.id.clone(),
        title: case.told.title.clone(),
        layers: case.told.layers.clone(),
        outcome: judged.outcome,
        why: judged.why,
        to_come: judged.to_come,
        recorded: judged.recorded,
        milliseconds: begun.elapsed().as_millis() as u64,
    }
}

/// The part of a case's report that is found out.
struct Judged {
    outcome: Outcome,
    why: Vec<String>,
    to_come: Vec<String>,
    recorded: Vec<String>,
}

impl Judged {
    fn of(outcome: Outcome, why: String) -> Judged {
        Judged { outcome, why: vec![why], to_come: Vec::new(), recorded: Vec::new() }
    }
}

fn judge(case: &Case, against: Against<'_>, tools: &Tools) -> std::io::Result<Judged> {
    let policy = case.deny.as_deref();
    let subject = match against {
        Against::Waxcell => Subject::Waxcell { policy, without: None },
        Against::WaxcellWithoutLayers(variable) => {
            Subject::Waxcell { policy, without: Some((variable, &case.told.layers)) }
        }
        Against::Other(words) => Subject::Other(words),
    };
    let seen = attempt(case, &subject, tools)?;
    if let Against::WaxcellWithoutLayers(variable) = against {
        return without_layers(case, variable, &seen, tools);
    }
    let recorded = seen.report.as_ref().map(record::recorded).unwrap_or_default();
    if !seen.evidence.is_empty() {
        let why = seen.evidence;
        return Ok(Judged { outcome: Outcome::Escaped, why, to_come: Vec::new(), recorded });
    }
    if seen.blind && matches!(against, Against::Other(_)) {
        let why = "the sandbox lets this user look at no process of the script";
        return Ok(Judged::of(Outcome::NotHoldable, why.to_owned()));
    }
    if let Some(why) = control(case, against, tools)? {
        return Ok(Judged { recorded, ..Judged::of(Outcome::ControlFailed, why) });
    }
    let (mut why, mut to_come) = (Vec::new(), Vec::new());
    if matches!(against, Against::Waxcell) {
        let (faults, violations) = record::faults(&case.told.expect, &seen);
        why.extend(faults);
        let due = case.told.expect.to_come.is_none();
        if due { &mut why } else { &mut to_come }.extend(violations);
    }
    let outcome = if why.is_empty() { Outcome::Contained } else { Outcome::RecordWrong };
    Ok(Judged { outcome, why, to_come, recorded })
}

/// What a test build shows that has seen the attempt with all of a case's layers off.
fn without_layers(case: &Case, variable: &str, seen: &Seen, tools: &Tools) -> std::io::Result<Judged> {
    if seen.evidence.is_empty() {
        return Ok(Judged::of(Outcome::Contained, ending(seen)));
    }
    let policy = case.deny.as_deref();
    for layer in &case.told.layers {
        let others: Vec<Layer> = case.told.layers.iter().copied().filter(|other| other != layer).collect();
        if others.is_empty() {
            break;
        }
        let seen = attempt(case, &Subject::Waxcell { policy, without: Some((variable, &others)) }, tools)?;
        if let Some(evidence) = seen.evidence.first() {
            return Ok(Judged::of(Outcome::LayerWrong, format!("with `{layer}` alone: {evidence}")));
        }
    }
    Ok(Judged::of(Outcome::Escaped, seen.evidence.join("; ")))
}

/// Why the positive control proves nothing, if so.
fn control(case: &Case, against: Against<'_>, tools: &Tools) -> std::io::Result<Option<String>> {
    let told = &case.told;
    // Another sandbox knows no policy of ours: the attack has to work where nobody holds it.
    let subject = match (told.control, against) {
        (Control::Allow, Against::Waxcell) => {
            Subject::Waxcell { policy: case.allow.as_deref(), without: None }
        }
        _ => Subject::Nothing,
    };
    let seen = attempt(case, &subject, tools)?;
    Ok(seen
        .evidence
        .is_empty()
        .then(|| format!("where it should succeed, nothing is seen: {}", ending(&seen))))
}

fn ending(seen: &Seen) -> String {
    let code =
        seen.code.map_or("it was killed at its deadline".to_owned(), |code| format!("exit code {code}"));
    if seen.complaint.is_empty() { code } else { format!("{code}; {}", seen.complaint) }
}

//! From a text that can be read to what the rules of a profile say about it.

use ruff_python_ast::Stmt;
use ruff_text_size::{TextRange, TextSize};

use crate::capabilities::{self, Capabilities};
use crate::checks::{Checks, Report};
use crate::context::Context;
use crate::finding::{About, Class, Problem, Silenced};
use crate::found::Found;
use crate::names::{Made, Names, STACK};
use crate::nosec::{self, Nosec};
use crate::parse;
use crate::profile::Profile;
use crate::rules::{self, Rule};
use crate::sight::{Nest, Payload, Sight, Sights, payloads};
use crate::version::PythonVersion;
use crate::walk::Walk;

/// A script that is scanned.
pub(crate) struct Script<'a> {
    /// Its path as it was given.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) target: PythonVersion,
}

/// What is known of a script that can be read.
#[derive(Default)]
pub(crate) struct Scanned {
    /// What the rules find.
    pub(crate) problems: Vec<Problem>,
    /// What comments silence of that.
    pub(crate) silenced: Silenced,
    /// What it can use, if the profile asks for it.
    pub(crate) capabilities: Capabilities,
}

/// What a syntax tree says.
pub(crate) fn scan(
    script: &Script<'_>,
    body: &[Stmt],
    comments: impl Iterator<Item = TextRange>,
    profile: &Profile,
    nest: &Nest,
) -> Scanned {
    let nosec =
        if profile.nosec && nest.depth == 0 { Nosec::new(script.text, comments) } else { Nosec::default() };
    let checks = Checks::new(profile);
    let mut report = Report::new(&nosec);
    let mut context = Context::new(script.file, script.text, script.target, &profile.options);
    let mut names = Names::new();
    let mut walk = Walk::new(body);
    while let Some(node) = walk.next(&mut context.path) {
        names.see(&context.path);
        walk.watch(&names.watched);
        checks.node(node, &mut context, &mut report);
    }
    checks.file(&context, &mut report);
    stacker::maybe_grow(STACK, STACK, || {
        let sight = Sight::new(&names, &context);
        Sights::new(profile).ask(&sight, &mut report);
        for payload in payloads(&sight, nest) {
            unpack(&payload, script, &sight, profile, &mut report);
        }
    });
    // Behind the rules: what names mean is worked out by then, and its budget is theirs first.
    let capabilities = profile.capabilities.then(|| capabilities::infer(body, script.text, &names));
    let silenced = report.silenced();
    let starts = if report.found.is_empty() { Vec::new() } else { nosec::starts(script.text) };
    let problems = report.found.into_iter().map(|(rule, found, about)| Problem {
        about: located(rule, found.range, about, &starts),
        start: found.range.start().to_usize(),
        end: found.range.end().to_usize(),
        column: None,
        severity: found.severity.unwrap_or(rule.severity),
        confidence: found.confidence.unwrap_or(rule.confidence),
        message: found.message.unwrap_or(rule.summary.into()).into_owned(),
        help: rule.help.into(),
        rule,
    });
    let is_told =
        |problem: &Problem| problem.severity >= profile.severity && problem.confidence >= profile.confidence;
    Scanned {
        problems: problems.filter(is_told).collect(),
        silenced,
        capabilities: capabilities.unwrap_or_default(),
    }
}

/// On which lines something lies; `starts` is where they begin.
fn located(rule: &Rule, place: TextRange, about: TextRange, starts: &[TextSize]) -> About {
    if about == TextRange::default() {
        return About::default();
    }
    let lines_until = |offset: TextSize| starts.partition_point(|start| *start <= offset);
    let line = |offset: TextSize| lines_until(offset) as u32;
    let column = |offset: TextSize| {
        let before = lines_until(offset).checked_sub(1).and_then(|line| starts.get(line)).copied();
        (offset - before.unwrap_or_default()).to_u32()
    };
    // A text has a place of its own within the lines of what is around it.
    let node = if rule.is_about_texts() { place } else { about };
    About {
        first_line: line(about.start()),
        last_line: line(about.end()),
        column: column(node.start()),
        end_column: column(node.end()),
    }
}

/// Scans a text that the script runs, and tells at the place where it is run what is found in it.
fn unpack(
    payload: &Payload,
    script: &Script<'_>,
    sight: &Sight<'_, '_>,
    profile: &Profile,
    report: &mut Report<'_>,
) {
    let line = sight.line(payload.range.start());
    let how = match payload.made {
        Made::Written | Made::Indirect => "runs",
        Made::Built => "puts together",
        Made::Decoded => "decodes",
    };
    let mut tell = |rule: &'static Rule, message: String| {
        if profile.selects(rule) {
            let found = Found::at(&payload.range).message(message);
            report.once(rule, found, payload.range);
        }
    };
    let Some(nest) = &payload.nest else {
        tell(&rules::DYNAMIC_CODE, format!("line {line} {how} more text than is looked at, and runs it"));
        return;
    };
    if payload.made == Made::Decoded {
        tell(&rules::HIDDEN_CODE, format!("line {line} decodes a text and runs it as code"));
    }
    let inner = Script {
        file: script.file,
        text: payload.text.trim_start_matches([' ', '\t']),
        target: script.target,
    };
    // What the inner text is judged by does not depend on what is told of it.
    let everything = Profile { nosec: false, options: profile.options.clone(), ..Profile::default() };
    let problems = parse::parse(inner.text, inner.target, |body, comments| {
        scan(&inner, body, comments, &everything, nest).problems
    });
    let mut told = 0;
    for problem in problems {
        let rule = match problem.rule.class {
            // A text that cannot be read is not run either.
            Class::Reading => continue,
            Class::Hygiene if !does_something(problem.rule.id) => continue,
            Class::Hygiene if payload.made == Made::Decoded => &rules::HIDDEN_CODE,
            Class::Hygiene => &rules::CODE_IN_TEXT,
            _ => problem.rule,
        };
        tell(rule, format!("in the text that line {line} {how}: {}", problem.message));
        told += 1;
        if told == MAX_TOLD {
            return;
        }
    }
}

/// Whether what this rule of Bandit's finds in a text is worth telling of who runs the text.
fn does_something(id: &str) -> bool {
    matches!(id, "B102" | "B301" | "B302" | "B307" | "B310" | "B312" | "B321")
        || (id.starts_with("B60") && id != "B608")
}

/// How many findings of one text that is run are told.
const MAX_TOLD: usize = 20;

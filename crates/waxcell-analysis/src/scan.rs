//! From a text that can be read to what the rules of a profile say about it.

use ruff_python_ast::Stmt;
use ruff_text_size::{TextRange, TextSize};

use crate::checks::{Checks, Report};
use crate::context::Context;
use crate::finding::{About, Problem, Silenced};
use crate::names::Names;
use crate::nosec::{self, Nosec};
use crate::profile::Profile;
use crate::rules::Rule;
use crate::version::PythonVersion;
use crate::walk::Walk;

/// A script that is scanned.
pub(crate) struct Script<'a> {
    /// Its path as it was given.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) target: PythonVersion,
}

/// What the rules find in a syntax tree, and what comments silence of it.
pub(crate) fn scan(
    script: &Script<'_>,
    body: &[Stmt],
    comments: impl Iterator<Item = TextRange>,
    profile: &Profile,
) -> (Vec<Problem>, Silenced) {
    let nosec = if profile.nosec { Nosec::new(script.text, comments) } else { Nosec::default() };
    let checks = Checks::new(profile);
    let mut report = Report::new(&nosec);
    let mut context = Context::new(script.file, script.text, script.target, &profile.options);
    let mut names = Names::new();
    let mut walk = Walk::new(body);
    while let Some(node) = walk.next(&mut context.path) {
        names.see(&context.path);
        checks.node(node, &mut context, &mut report);
    }
    checks.file(&context, &mut report);
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
    (problems.filter(is_told).collect(), silenced)
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

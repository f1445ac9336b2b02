//! From a text that can be read to what the rules of a profile say about it.

use ruff_python_ast::Stmt;
use ruff_text_size::TextRange;

use crate::checks::{Checks, Report};
use crate::context::Context;
use crate::finding::Problem;
use crate::names::Names;
use crate::nosec::Nosec;
use crate::profile::Profile;
use crate::version::PythonVersion;
use crate::walk::Walk;

/// A script that is scanned.
pub(crate) struct Script<'a> {
    /// Its path as it was given.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) target: PythonVersion,
}

/// What the rules find in a syntax tree and in comments.
pub(crate) fn scan(
    script: &Script<'_>,
    body: &[Stmt],
    comments: impl Iterator<Item = TextRange>,
    profile: &Profile,
) -> Vec<Problem> {
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
    let problems = report.found.into_iter().map(|(rule, found)| Problem {
        start: found.range.start().to_usize(),
        end: found.range.end().to_usize(),
        column: None,
        severity: found.severity.unwrap_or(rule.severity),
        confidence: found.confidence.unwrap_or(rule.confidence),
        message: found.message.unwrap_or(rule.summary.into()).into_owned(),
        help: rule.help.into(),
        rule,
    });
    problems
        .filter(|problem| problem.severity >= profile.severity && problem.confidence >= profile.confidence)
        .collect()
}

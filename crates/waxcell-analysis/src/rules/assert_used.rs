//! B101: assertions that a switch of the interpreter takes away.

use ruff_python_ast::StmtAssert;

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::glob;

pub(super) static RULE: Rule = Rule {
    id: "B101",
    class: Class::Hygiene,
    name: "assert_used",
    severity: Severity::Low,
    confidence: Confidence::High,
    cwe: 703,
    summary: "this check is gone when Python runs with `-O`",
    why: "Assertions are for tests and for the programmer's own mistakes; what protects something has to stay.",
    help: "raise an exception",
    fires: "assert user.is_admin\n",
    silent: "if not user.is_admin:\n    raise PermissionError\n",
    differs: None,
    check: Check::Assert(check),
};

fn check(assert: &StmtAssert, context: &Context<'_>) -> Option<Found> {
    let skips = &context.options.assert_used.skips;
    let wanted = skips.iter().any(|pattern| glob::matches(pattern, context.file));
    (!wanted).then(|| Found::at(assert))
}

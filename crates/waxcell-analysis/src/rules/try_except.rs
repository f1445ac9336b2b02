//! B110 and B112: exceptions that nobody hears of.

use ruff_python_ast::{ExceptHandlerExceptHandler, Expr, Stmt};

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

const SWALLOWED: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::Low,
    confidence: Confidence::High,
    cwe: 703,
    summary: "every exception is passed over in silence",
    why: "What goes wrong here, attacks included, is never seen.",
    help: "catch the exception that is expected, or log it",
    fires: "try:\n    work()\nexcept Exception:\n    pass\n",
    silent: "try:\n    work()\nexcept KeyError:\n    pass\n",
    differs: None,
    check: Check::Handler(pass),
};

pub(super) static PASS: Rule = Rule { id: "B110", name: "try_except_pass", ..SWALLOWED };

pub(super) static CONTINUE: Rule = Rule {
    id: "B112",
    class: Class::Hygiene,
    name: "try_except_continue",
    fires: "for x in y:\n    try:\n        work(x)\n    except:\n        continue\n",
    silent: "for x in y:\n    try:\n        work(x)\n    except KeyError:\n        continue\n",
    check: Check::Handler(next),
    ..SWALLOWED
};

fn pass(handler: &ExceptHandlerExceptHandler, context: &Context<'_>) -> Option<Found> {
    let typed = context.options.try_except_pass.check_typed_exception;
    let found = matches!(handler.body.as_slice(), [Stmt::Pass(_)]) && (typed || catches_all(handler));
    found.then(|| Found::at(handler))
}

fn next(handler: &ExceptHandlerExceptHandler, context: &Context<'_>) -> Option<Found> {
    let typed = context.options.try_except_continue.check_typed_exception;
    let found = matches!(handler.body.as_slice(), [Stmt::Continue(_)]) && (typed || catches_all(handler));
    found.then(|| Found::at(handler))
}

fn catches_all(handler: &ExceptHandlerExceptHandler) -> bool {
    match handler.type_.as_deref() {
        None => true,
        Some(Expr::Name(name)) => name.id == "Exception",
        Some(_) => false,
    }
}

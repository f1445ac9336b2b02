//! `format-string-walk`: texts in which objects are walked through.

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::text::Text;

pub(super) static RULE: Rule = Rule {
    id: "format-string-walk",
    class: Class::Threat,
    name: "format-string-walk",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 134,
    summary: "a text walks through an object to what was not given",
    why: "`str.format` and templates follow attributes and items wherever they lead.",
    help: "format values, not objects",
    fires: "print(\"{0.__init__.__globals__[KEY]}\".format(x))\n",
    silent: "print(\"{0.__class__.__name__}\".format(x))\n",
    differs: None,
    check: Check::Text(check),
};

/// A longer text is documentation.
const MAX_TEXT: usize = 500;

const INSIDE: &[&str] = &[
    "__globals__",
    "__builtins__",
    "__subclasses__",
    "__mro__",
    "__bases__",
    "__base__",
    "__code__",
    "__closure__",
];

fn check<'a>(text: &Text<'a>, _: &Context<'a>) -> Option<Found> {
    let value = &*text.value;
    if value.len() > MAX_TEXT || !value.contains("__") {
        return None;
    }
    let (at, walked) = INSIDE.iter().find_map(|name| Some((value.find(name)?, name)))?;
    // In braces behind a dot, or behind another attribute: `{x.__globals__}`, `''.__class__.__mro__`.
    let before = &value[..at];
    let in_braces = before.contains('{') && value[at..].contains('}');
    let is_walk = before.ends_with('.') && (in_braces || before.contains("__"));
    is_walk.then(|| text.found().message(format!("`{walked}` in a text leads out of what was given")))
}

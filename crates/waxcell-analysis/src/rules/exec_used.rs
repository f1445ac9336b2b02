//! B102: `exec`.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

pub(super) static RULE: Rule = Rule {
    id: "B102",
    class: Class::Hygiene,
    name: "exec_used",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 78,
    summary: "text is run as code",
    why: "Whoever can change the text decides what the script does.",
    help: "call a function; choose it from a table of those that may be called",
    fires: "exec(text)\n",
    silent: "connection.exec(text)\n",
    differs: None,
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    (call.qualified == "exec").then(|| call.found())
}

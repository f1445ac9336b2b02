//! B104: servers that listen to everybody.

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::text::Text;

pub(super) static RULE: Rule = Rule {
    id: "B104",
    class: Class::Hygiene,
    name: "hardcoded_bind_all_interfaces",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 605,
    summary: "the address of every network that the machine is in",
    why: "A server that is bound to it can be reached from networks that nobody thought of.",
    help: "listen to 127.0.0.1, or make the address a setting",
    fires: "server.bind(('0.0.0.0', 80))\n",
    silent: "server.bind(('127.0.0.1', 80))\n",
    differs: None,
    check: Check::Text(check),
};

fn check<'a>(text: &Text<'a>, _: &Context<'a>) -> Option<Found> {
    (text.value == "0.0.0.0").then(|| text.found())
}

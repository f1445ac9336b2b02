//! B612: a configuration of logging from whoever connects.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

pub(super) static RULE: Rule = Rule {
    id: "B612",
    class: Class::Hygiene,
    name: "logging_config_insecure_listen",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 94,
    summary: "whoever connects to this port may run code",
    why: "Parts of a configuration of logging are evaluated.",
    help: "pass `verify`, a function that lets only your own configurations through",
    fires: "import logging.config\nlogging.config.listen(9999)\n",
    silent: "import logging.config\nlogging.config.listen(9999, verify=check)\n",
    differs: None,
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    (call.qualified == "logging.config.listen" && call.keyword("verify").is_none()).then(|| call.found())
}

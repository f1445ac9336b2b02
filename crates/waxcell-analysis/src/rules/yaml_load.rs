//! B506: YAML that makes any object.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

pub(super) static RULE: Rule = Rule {
    id: "B506",
    class: Class::Hygiene,
    name: "yaml_load",
    severity: Severity::Medium,
    confidence: Confidence::High,
    cwe: 20,
    summary: "this way of reading YAML makes whatever objects the text names",
    why: "Making an object can run code, and the text says which one.",
    help: "use `yaml.safe_load`",
    fires: "import yaml\nyaml.load(text)\n",
    silent: "import yaml\nyaml.safe_load(text)\n",
    differs: None,
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    if call.name() != "load" || !call.has_part("yaml") || !context.imports.has("yaml") {
        return None;
    }
    let safe = ["SafeLoader", "CSafeLoader"]
        .iter()
        .any(|loader| call.value_is("Loader", loader) || call.arg(1).is_some_and(|value| value.is(loader)));
    (!safe).then(|| call.found())
}

//! B201: Flask's debugger, open to whoever finds it.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

pub(super) static RULE: Rule = Rule {
    id: "B201",
    class: Class::Hygiene,
    name: "flask_debug_true",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 94,
    summary: "the application serves a debugger, which runs what visitors type",
    why: "With `debug=True`, every error page of Flask has a console of Python.",
    help: "switch it on by a setting that the server in use does not have",
    fires: "from flask import Flask\napp = Flask('a')\napp.run(debug=True)\n",
    silent: "from flask import Flask\napp = Flask('a')\napp.run()\n",
    differs: None,
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let runs = call.qualified.ends_with(".run") && call.value_is("debug", "True");
    (runs && context.imports.mention("flask")).then(|| call.found_at("debug"))
}

//! B103: files that others may change or run.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::Value;

const OTHERS_WRITE: u64 = 0o002;
const GROUP_WRITES_OR_RUNS_OR_OTHERS_RUN: u64 = 0o031;

pub(super) static RULE: Rule = Rule {
    id: "B103",
    class: Class::Hygiene,
    name: "set_bad_file_permissions",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 732,
    summary: "others may change or run the file",
    why: "Who may write a file decides what its readers read. Of medium severity where only the group may write, or others may only run it.",
    help: "give a mode such as 0o600 or 0o644",
    fires: "import os\nos.chmod('run.sh', 0o777)\n",
    silent: "import os\nos.chmod('run.sh', 0o744)\n",
    differs: None,
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    if !call.name().contains("chmod") || call.args().len() != 2 {
        return None;
    }
    let Some(Value::Int(mode)) = call.arg(1) else { return None };
    if mode & OTHERS_WRITE != 0 {
        Some(call.found().message(format!("mode {mode:#o} lets everybody change the file")))
    } else if mode & GROUP_WRITES_OR_RUNS_OR_OTHERS_RUN != 0 {
        let message = format!("mode {mode:#o} lets more than the owner change or run the file");
        Some(call.found().severity(Severity::Medium).message(message))
    } else {
        None
    }
}

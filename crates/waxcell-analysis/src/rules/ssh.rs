//! B507 and B601: Paramiko.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

pub(super) static HOST_KEYS: Rule = Rule {
    id: "B507",
    class: Class::Hygiene,
    name: "ssh_no_host_key_verification",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 295,
    summary: "whatever key the other host shows is believed",
    why: "Anybody on the way can answer in the host's name.",
    help: "use `paramiko.RejectPolicy`, and put the host's key into `known_hosts`",
    fires: "import paramiko\nclient = paramiko.SSHClient()\nclient.set_missing_host_key_policy(paramiko.AutoAddPolicy)\n",
    silent: "import paramiko\nclient = paramiko.SSHClient()\nclient.set_missing_host_key_policy(paramiko.RejectPolicy)\n",
    differs: None,
    check: Check::Call(host_keys),
};

pub(super) static COMMAND: Rule = Rule {
    id: "B601",
    class: Class::Hygiene,
    name: "paramiko_calls",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 78,
    summary: "the command goes through a shell on the other host",
    why: "What is put into the command unquoted is part of it.",
    help: "quote every argument with `shlex.quote`",
    fires: "import paramiko\nparamiko.SSHClient().exec_command('ls ' + path)\n",
    silent: "import paramiko\nparamiko.SSHClient().open_sftp()\n",
    differs: None,
    check: Check::Call(command),
};

fn host_keys<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    if call.name() != "set_missing_host_key_policy" || !context.imports.mention("paramiko") {
        return None;
    }
    let policy = match call.args().first()? {
        Expr::Call(made) => &*made.func,
        named => named,
    };
    let name = match policy {
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => return None,
    };
    matches!(name, "AutoAddPolicy" | "WarningPolicy").then(|| call.found())
}

fn command<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    (call.name() == "exec_command" && context.imports.mention("paramiko")).then(|| call.found())
}

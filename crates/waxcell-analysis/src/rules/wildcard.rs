//! B609: stars that a shell turns into options.

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::Value;

/// Programs with options that run others or change who owns what.
const PROGRAMS: [&str; 4] = ["chown", "chmod", "tar", "rsync"];

pub(super) static RULE: Rule = Rule {
    id: "B609",
    class: Class::Hygiene,
    name: "linux_commands_wildcard_injection",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 155,
    summary: "names of files that the star stands for can be options of the program",
    why: "A file named `--checkpoint-action=exec=sh x` makes `tar *` run a script.",
    help: "write `./*`, or list the files and pass them behind `--`",
    fires: "import os\nos.system('/bin/tar cf a.tar *')\n",
    silent: "import os\nos.system('/bin/tar cf a.tar .')\n",
    differs: None,
    check: Check::Call(check),
};

fn check<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    let options = &context.options.shell_injection;
    let is_one = |names: &[String]| names.contains(&call.qualified);
    let through_shell =
        is_one(&options.shell) || (is_one(&options.subprocess) && call.value_is("shell", "True"));
    if !through_shell {
        return None;
    }
    let has = |part: &str| match call.arg(0) {
        Some(Value::Text(text)) => text.contains(part),
        Some(Value::List(words)) => {
            let mut words = words.iter().filter_map(Value::literal).filter_map(|word| word.text());
            words.any(|word| word.contains(part))
        }
        _ => false,
    };
    (has("*") && PROGRAMS.iter().any(|program| has(program))).then(|| call.found_at("shell"))
}

//! `dynamic-code`: what is run as code and cannot be known before.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Meaning, Values, code_of};
use crate::sight::{Sight, executed, only_runs};

pub(crate) static RULE: Rule = Rule {
    id: "dynamic-code",
    class: Class::Dynamic,
    name: "dynamic-code",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 95,
    summary: "text of unknown content is run as code",
    why: "What is run cannot be judged before it runs.",
    help: "call functions instead; or grant `dynamic_code` in the policy",
    fires: "exec(open(path).read())\n",
    silent: "exec(\"x = 1\")\nimport ast\nast.literal_eval(text)\n",
    differs: None,
    check: Check::Sight(check),
};

fn check<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        // What is compiled is told where it is run; what other programs run, by others.
        let runs = !used.name.contains("compile") && !used.starts_program();
        if call.arguments.is_empty() || !runs {
            continue;
        }
        let values = executed(sight, used, call);
        let is_unknown = |value: &Meaning<'_>| match value {
            Meaning::Pattern(_) => true,
            Meaning::Unknown(source) => source.is_some() || only_runs(&used.name),
            _ => only_runs(&used.name) && code_of(value).is_none(),
        };
        if (values.is_empty() && only_runs(&used.name)) || values.iter().any(is_unknown) {
            tell(Found::at(&used.range).message(message(sight, &used.name, &values)));
        }
    }
    for used in &sight.uses {
        if matches!(&*used.name, "code.interact" | "code.InteractiveConsole.interact" | "IPython.embed")
            && used.call().is_some()
        {
            tell(Found::at(&used.range).message(format!("`{}` runs what is typed", used.name)));
        }
    }
    if sight.names.is_exhausted() {
        let message = "the script is made so that it cannot be worked out within bounds what it does";
        tell(Found::at(&ruff_text_size::TextRange::default()).message(message));
    }
}

fn message<'a>(sight: &Sight<'a, '_>, name: &str, values: &Values<'a>) -> String {
    match sight.names.source(values) {
        Some(source) => format!("`{name}` runs text from {}", sight.source(source)),
        None => format!("`{name}` runs text of unknown content"),
    }
}

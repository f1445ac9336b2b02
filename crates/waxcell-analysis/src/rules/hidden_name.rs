//! `hidden-name` and `indirect-call`: dangerous functions that are reached by other ways than their names.

use ruff_python_ast::{Expr, ExprCall};

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Made, Meaning, UseKind, is_builtin};
use crate::sight::{Danger, Sight, Used, danger, is_sensitive, is_telling_word};

pub(super) static HIDDEN: Rule = Rule {
    id: "hidden-name",
    class: Class::Threat,
    name: "hidden-name",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 506,
    summary: "a name is put together so that it cannot be read",
    why: "Nobody writes a name in pieces but to hide it.",
    help: "write the name out",
    fires: "import os\ngetattr(os, \"sys\" + \"tem\")(x)\n",
    silent: "import os\ngetattr(os, \"name\")\n",
    differs: None,
    check: Check::Sight(hidden),
};

pub(super) static INDIRECT: Rule = Rule {
    id: "indirect-call",
    class: Class::Capability,
    name: "indirect-call",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 506,
    summary: "a function that runs programs or code is reached other than by its name",
    why: "Who looks for its name does not find what is called.",
    help: "call it by its name",
    fires: "import os\nrun = os.system\nrun(x)\n",
    silent: "import os\nos.system(x)\n",
    differs: None,
    check: Check::Sight(indirect),
};

fn hidden<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        let root = used.name.split('.').next().unwrap_or_default();
        let is_builtin = is_builtin(&used.name) && !matches!(used.kind, UseKind::Import);
        let is_dangerous = danger(&used.name).is_some() || is_sensitive(root) || is_builtin;
        if used.made >= Made::Built && is_dangerous && !used.name.contains('*') {
            tell(
                Found::at(&used.range)
                    .message(format!("`{}` is reached by a name that is put together", used.name)),
            );
        }
    }
    for &(expression, scope) in sight.names.made() {
        for value in sight.values(expression, scope) {
            let (text, made) = match &value {
                Meaning::Text(text, made) => (text.to_string(), *made),
                Meaning::Bytes(bytes, made) => (String::from_utf8_lossy(bytes).into_owned(), *made),
                _ => continue,
            };
            if made >= Made::Built && is_telling_word(&text) && is_in_parts(expression) {
                tell(Found::at(expression).message(format!("`{text}` is put together from parts")));
            }
        }
    }
}

/// Whether an expression takes more than a literal and its method to say what it says: not `"OS".lower()`.
fn is_in_parts(expression: &Expr) -> bool {
    match expression {
        Expr::Call(ExprCall { func, .. }) => match &**func {
            Expr::Attribute(attribute) => {
                !matches!(attribute.attr.as_str(), "format" | "decode" | "encode")
                    || !attribute.value.is_string_literal_expr() && !attribute.value.is_bytes_literal_expr()
            }
            Expr::Name(name) => name.id != "str" && name.id != "bytes",
            _ => true,
        },
        _ => true,
    }
}

fn indirect<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        if used.made >= Made::Built {
            continue;
        }
        let name = &used.name;
        if let Some((of, begin)) = name.strip_suffix('*').and_then(|name| name.rsplit_once('.'))
            && is_sensitive(of)
            && may_be_dangerous(of, begin)
        {
            tell(
                Found::at(&used.range)
                    .message(format!("which member of `{of}` this is, is chosen when the script runs")),
            );
            continue;
        }
        let Some(danger) = danger(name) else { continue };
        if danger == Danger::Native && matches!(used.kind, UseKind::Reference) && used.made == Made::Written {
            continue;
        }
        if reads_plainly(used, sight) {
            continue;
        }
        let what = danger.words();
        let message = match used.kind {
            UseKind::Reference => format!("`{name}`, {what}, is given away or kept under another name"),
            _ => format!("`{name}`, {what}, is called other than by its name"),
        };
        tell(Found::at(&used.range).message(message));
    }
}

/// Whether somebody who reads the place sees what is called.
fn reads_plainly<'a>(used: &Used<'a>, sight: &Sight<'a, '_>) -> bool {
    let Some(call) = used.call() else {
        // Types are mentioned all the time: in annotations, to compare with.
        return matches!(used.kind, UseKind::Import)
            || danger(&used.name) == Some(Danger::Code) && used.name.contains('.')
            || used.name.ends_with("Popen") && used.made == Made::Written;
    };
    sight.context.imports.qualified(&call.func) == *used.name
}

/// Whether a member of a module whose name begins in this way may do anything.
fn may_be_dangerous(module: &str, begin: &str) -> bool {
    match module {
        "os" => ["system", "popen", "exec", "spawn", "posix_spawn", "startfile"]
            .iter()
            .any(|name| name.starts_with(begin)),
        "subprocess" | "builtins" | "pty" | "_posixsubprocess" => begin.is_empty(),
        _ => false,
    }
}

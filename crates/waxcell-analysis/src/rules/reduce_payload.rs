//! `reduce-payload`: pickles that run something when they are read.

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Meaning, Values};
use crate::sight::{Sight, danger};

pub(super) static RULE: Rule = Rule {
    id: "reduce-payload",
    class: Class::Threat,
    name: "reduce-payload",
    severity: Severity::High,
    confidence: Confidence::High,
    cwe: 502,
    summary: "an object has something run when its pickle is read",
    why: "Whoever reads the pickle runs it.",
    help: "return the class and its arguments",
    fires: "import os\nclass A:\n    def __reduce__(self):\n        return os.system, (\"id\",)\n",
    silent: "class A:\n    def __reduce__(self):\n        return A, ()\n",
    differs: None,
    check: Check::Sight(check),
};

/// What a pickle has in it that calls something dangerous.
const SIGNS: &[&str] = &["os\nsystem", "posix", "subprocess", "builtins", "__builtin__", "system", "nt\n"];

fn check<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for (function, scope) in sight.names.functions() {
        if !matches!(function.name.as_str(), "__reduce__" | "__reduce_ex__") {
            continue;
        }
        for value in sight.names.returned(scope) {
            let Meaning::List(list) = value else { continue };
            let callee = list.iter().take(1).flatten().find_map(|value| match value {
                Meaning::Name(name, _) if danger(name).is_some() || is_means(name) => Some(name),
                // Of an object of the script, it is how honest classes come back.
                Meaning::Name(name, _) if &**name == "getattr" && of_module(&list) => Some(name),
                _ => None,
            });
            if let Some(name) = callee {
                tell(Found::at(&function.name).message(format!("reading a pickle of this calls `{name}`")));
            }
        }
    }
    // A pickle that is written out names what it calls.
    for used in &sight.uses {
        if !matches!(
            &*used.name,
            "pickle.loads" | "pickle.Unpickler" | "cloudpickle.loads" | "dill.loads" | "pickle.load"
        ) {
            continue;
        }
        for value in sight.given(used, 0, "") {
            let Meaning::Bytes(bytes, _) = &value else { continue };
            let text = String::from_utf8_lossy(bytes);
            if let Some(sign) = SIGNS.iter().find(|sign| text.contains(**sign)) {
                let message = format!("the pickle that is read here names `{}`", sign.replace('\n', "."));
                tell(Found::at(&used.range).message(message));
            }
        }
    }
}

/// Whether what is called is given a module first.
fn of_module(list: &[Values<'_>]) -> bool {
    let mut given = list.iter().skip(1).take(1).flatten();
    let is_module = |value: &Meaning<'_>| matches!(value, Meaning::Name(..));
    given.any(|value| match value {
        Meaning::List(given) => given.iter().take(1).flatten().any(is_module),
        _ => false,
    })
}

/// What does no harm by itself and is a means to everything else.
fn is_means(name: &str) -> bool {
    matches!(
        name,
        "open"
            | "compile"
            | "input"
            | "map"
            | "operator.attrgetter"
            | "operator.methodcaller"
            | "shutil.rmtree"
            | "os.remove"
            | "os.unlink"
            | "socket.socket"
    )
}

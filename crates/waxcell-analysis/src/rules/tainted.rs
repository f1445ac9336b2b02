//! `tainted-command`, `tainted-path`, `tainted-query`: data from outside where it is taken for more than data.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::names::{Meaning, Piece, SourceKind};
use crate::sight::Sight;

pub(super) static COMMAND: Rule = Rule {
    id: "tainted-command",
    class: Class::Hygiene,
    name: "tainted-command",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 78,
    summary: "data from outside reaches a shell",
    why: "Whoever gives the data decides what the shell does.",
    help: "give a list of words without a shell, or quote with `shlex.quote`",
    fires: "import os, sys\nos.system(\"ls \" + sys.argv[1])\n",
    silent: "import os, shlex, sys\nos.system(\"ls \" + shlex.quote(sys.argv[1]))\n",
    differs: None,
    check: Check::Sight(command),
};

pub(super) static PATH: Rule = Rule {
    id: "tainted-path",
    class: Class::Hygiene,
    name: "tainted-path",
    severity: Severity::Low,
    confidence: Confidence::Low,
    cwe: 22,
    summary: "data from outside is part of the path of a file",
    why: "With `..` in it, the path leads anywhere.",
    help: "resolve the path and look whether it is below the folder that is meant",
    fires: "import sys\nopen(\"data/\" + sys.argv[1])\n",
    silent: "import sys\nopen(sys.argv[1])\n",
    differs: None,
    check: Check::Sight(path),
};

pub(super) static QUERY: Rule = Rule {
    id: "tainted-query",
    class: Class::Hygiene,
    name: "tainted-query",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 89,
    summary: "data from outside becomes part of a query",
    why: "Whoever gives the data decides what the query does.",
    help: "pass values as parameters",
    fires: "name = input()\ncursor.execute(\"select * from t where name = '\" + name + \"'\")\n",
    silent: "name = input()\ncursor.execute(\"select * from t where name = ?\", [name])\n",
    differs: None,
    check: Check::Sight(query),
};

fn command<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for used in &sight.uses {
        let Some(call) = used.call() else { continue };
        let is_shell = match &*used.name {
            "os.system"
            | "os.popen"
            | "subprocess.getoutput"
            | "subprocess.getstatusoutput"
            | "asyncio.create_subprocess_shell"
            | "commands.getoutput" => true,
            name if name.starts_with("subprocess.") => {
                matches!(
                    sight.argument(call, used.scope, usize::MAX, "shell").as_slice(),
                    [Meaning::Bool(true)]
                )
            }
            _ => false,
        };
        if is_shell && let Some(source) = sight.names.source(&sight.argument(call, used.scope, 0, "args")) {
            tell(Found::at(&used.range).message(format!("{} reaches a shell", sight.source(source))));
        }
    }
}

fn path<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    const OPENERS: &[&str] =
        &["open", "io.open", "os.open", "os.remove", "os.unlink", "shutil.rmtree", "codecs.open"];
    for used in sight.uses.iter().filter(|used| OPENERS.contains(&&*used.name)) {
        let values = sight.given(used, 0, "file");
        // The whole path is the business of whoever calls the script; a part of one, or one from elsewhere, is not.
        let is_part = values.iter().any(|value| {
            matches!(value, Meaning::Pattern(pieces) if matches!(pieces.first(), Some(Piece::Text(_))))
        });
        let Some(source) = sight.names.source(&values) else { continue };
        let is_from_others = match source.kind {
            SourceKind::Network => true,
            SourceKind::Arguments | SourceKind::Input | SourceKind::Variable => is_part,
            _ => false,
        };
        if is_from_others {
            let message = format!("{} is part of the path of a file", sight.source(source));
            tell(Found::at(&used.range).message(message));
        }
    }
}

fn query<'a>(sight: &Sight<'a, '_>, tell: &mut dyn FnMut(Found)) {
    for &(call, scope) in sight.names.calls() {
        let Expr::Attribute(attribute) = &*call.func else { continue };
        if !matches!(attribute.attr.as_str(), "execute" | "executemany" | "executescript") {
            continue;
        }
        let values = sight.argument(call, scope, 0, "");
        let is_query = values.iter().any(|value| matches!(value, Meaning::Pattern(_)));
        if is_query && let Some(source) = sight.names.source(&values) {
            tell(Found::at(call).message(format!("{} becomes part of a query", sight.source(source))));
        }
    }
}

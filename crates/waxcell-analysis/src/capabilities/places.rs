//! Where a capability is used, and whether the script could do without.

use std::collections::HashMap;

use ruff_python_ast::{ExceptHandler, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use waxcell_operations::Operation;

use super::{Capabilities, Capability, Certainty, Evidence, Family, MOST_ENTRIES, MOST_PLACES, Target};
use crate::walk::Node;

/// A use, before it is known on which line it is.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) family: Family,
    pub(super) operation: Option<Operation>,
    pub(super) target: Target,
    pub(super) certainty: Certainty,
    pub(super) start: usize,
    pub(super) text: String,
    pub(super) optional: bool,
}

/// The longest text of a place, in characters.
const LONGEST: usize = 60;

/// The text of a place, in one line.
pub(super) fn excerpt(text: &str, range: TextRange) -> String {
    let piece = text.get(range.start().to_usize()..range.end().to_usize()).unwrap_or_default();
    let mut shown = String::new();
    // Four times as much is enough to fill a line, whatever is left out of it.
    let mut letters = 0;
    for word in piece.get(..piece.floor_char_boundary(LONGEST * 16)).unwrap_or_default().split_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        for letter in word.chars().filter(|letter| !letter.is_control()) {
            letters += 1;
            if letters > LONGEST {
                shown.push_str("...");
                return shown;
            }
            shown.push(letter);
        }
    }
    shown
}

/// Of more handlers and kinds of errors at one place, the first are looked at.
const MOST_ASKED: usize = 32;

/// Errors by which a refusal is told, or by which one that catches it catches more.
const CAUGHT: [&str; 22] = [
    "Exception",
    "BaseException",
    "OSError",
    "IOError",
    "EnvironmentError",
    "PermissionError",
    "FileNotFoundError",
    "ImportError",
    "ModuleNotFoundError",
    "ConnectionError",
    "ConnectionRefusedError",
    "TimeoutError",
    "error",
    "timeout",
    "gaierror",
    "URLError",
    "HTTPError",
    "RequestException",
    "SubprocessError",
    "CalledProcessError",
    "KeyError",
    "NotADirectoryError",
];

/// Whether the script goes on where `inner`, right below `outer`, is refused: it stands in a `try` that catches it, or behind
/// a question whether it is there, or which system this is.
pub(super) fn is_optional(outer: Node<'_>, inner: Node<'_>) -> bool {
    match (outer, inner) {
        (Node::Stmt(Stmt::Try(tried)), Node::Stmt(inner)) => {
            tried.body.last().is_some_and(|last| inner.start() <= last.start())
                && tried.handlers.iter().take(MOST_ASKED).any(goes_on)
        }
        (Node::Stmt(Stmt::If(asked)), Node::Stmt(_) | Node::Other(_)) => asks(&asked.test),
        (Node::Stmt(Stmt::With(with)), Node::Stmt(_)) => {
            with.items.iter().take(MOST_ASKED).any(|item| is_suppress(&item.context_expr))
        }
        _ => false,
    }
}

fn goes_on(handler: &ExceptHandler) -> bool {
    let ExceptHandler::ExceptHandler(handler) = handler;
    let catches = match handler.type_.as_deref() {
        None => true,
        Some(Expr::Tuple(kinds)) => kinds
            .elts
            .iter()
            .take(MOST_ASKED)
            .any(|kind| last_name(kind).is_some_and(|name| CAUGHT.contains(&name))),
        Some(kind) => last_name(kind).is_some_and(|name| CAUGHT.contains(&name)),
    };
    let ends = match handler.body.last() {
        Some(Stmt::Raise(_)) => true,
        Some(Stmt::Expr(stmt)) => match &*stmt.value {
            Expr::Call(call) => last_name(&call.func).is_some_and(|name| matches!(name, "exit" | "_exit")),
            _ => false,
        },
        _ => false,
    };
    catches && !ends
}

/// Whether a question is about what is there, or about the system.
fn asks(test: &Expr) -> bool {
    let mut at = test;
    // `not`, calls, comparisons and the first of several questions, one inside the other.
    for _ in 0..16 {
        at = match at {
            Expr::UnaryOp(unary) => &unary.operand,
            Expr::BoolOp(all) => match all.values.first() {
                Some(first) => first,
                None => return false,
            },
            Expr::Compare(compare) => &compare.left,
            Expr::Call(call) => match last_name(&call.func) {
                Some(
                    "exists" | "is_file" | "is_dir" | "isfile" | "isdir" | "access" | "lexists" | "which"
                    | "hasattr" | "system" | "find_spec",
                ) => return true,
                _ => &call.func,
            },
            Expr::Attribute(attribute) => match attribute.attr.as_str() {
                "platform" | "name" | "TYPE_CHECKING" | "version_info" => return true,
                _ => &attribute.value,
            },
            Expr::Subscript(subscript) => &subscript.value,
            Expr::Name(name) => return name.id == "TYPE_CHECKING",
            _ => return false,
        };
    }
    false
}

fn is_suppress(entered: &Expr) -> bool {
    let Expr::Call(call) = entered else { return false };
    last_name(&call.func) == Some("suppress")
        && call.arguments.args.iter().any(|kind| last_name(kind).is_some_and(|name| CAUGHT.contains(&name)))
}

pub(super) fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}

impl Capabilities {
    /// What was noted, each once; `place` says on which line and in which column an offset is, and is asked in their order.
    pub(super) fn of(
        mut noted: Vec<Noted>,
        complete: bool,
        mut place: impl FnMut(usize) -> (usize, usize),
    ) -> Capabilities {
        noted.sort_by_key(|noted| noted.start);
        let mut capabilities = Capabilities { entries: Vec::new(), complete };
        let mut known: HashMap<(Family, Option<Operation>, Target), usize> = HashMap::new();
        for Noted { family, operation, target, certainty, start, text, optional } in noted {
            let key = (family, operation, target);
            let at = match known.get(&key) {
                Some(at) => *at,
                None if capabilities.entries.len() == MOST_ENTRIES => {
                    capabilities.complete = false;
                    break;
                }
                None => {
                    let at = capabilities.entries.len();
                    known.insert(key.clone(), at);
                    let target = key.2;
                    capabilities.entries.push(Capability {
                        family,
                        operation,
                        target,
                        certainty,
                        places: Vec::new(),
                    });
                    at
                }
            };
            let places = &mut capabilities.entries[at].places;
            if places.len() < MOST_PLACES {
                let (line, column) = place(start);
                let same = places.iter_mut().find(|place| (place.line, place.column) == (line, column));
                match same {
                    Some(same) => same.optional &= optional,
                    None => places.push(Evidence { line, column, text, optional }),
                }
            } else if !optional && places.iter().all(|place| place.optional) {
                // Of many places, one where it is needed is worth more than one where it is not.
                let (line, column) = place(start);
                places[MOST_PLACES - 1] = Evidence { line, column, text, optional };
            }
        }
        capabilities
    }
}

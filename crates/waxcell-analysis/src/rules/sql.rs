//! B608: queries that are put together from text.

use ruff_python_ast::{Expr, ExprBinOp};

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::text::{Text, pieces};
use crate::walk::Node;

pub(super) static RULE: Rule = Rule {
    id: "B608",
    class: Class::Hygiene,
    name: "hardcoded_sql_expressions",
    severity: Severity::Medium,
    confidence: Confidence::Low,
    cwe: 89,
    summary: "a query of SQL seems to be put together from text",
    why: "What is put into the text of a query is part of the query. Of medium confidence where the text goes straight into `execute`.",
    help: "write the query out and pass values as parameters",
    fires: "cursor.execute('SELECT name FROM users WHERE id = %s' % id)\n",
    silent: "cursor.execute('SELECT name FROM users WHERE id = %s', [id])\n",
    differs: Some(
        "In a script with very many strings that are added up, only the first ones are read together: Bandit takes the square of their number.",
    ),
    check: Check::Text(check),
};

fn check<'a>(text: &Text<'a>, context: &Context<'a>) -> Option<Found> {
    let Node::Expr(parent) = text.parent else { return None };
    let (wrapper, statement, replaced) = match parent {
        Expr::BinOp(_) => {
            let mut above = context.path.iter().rev().skip(1).peekable();
            let mut root = None;
            while let Some(Node::Expr(Expr::BinOp(operation))) = above.peek() {
                root = context.spend(1).then_some(operation);
                above.next();
                if root.is_none() {
                    break;
                }
            }
            let statement = match root {
                Some(root) => joined(text, parent, root, context),
                None => text.value.to_string(),
            };
            (above.next().copied(), statement, false)
        }
        Expr::Attribute(attribute) if attribute.attr == *"format" || attribute.attr == *"replace" => {
            // Above the string: what of it is called, the call, and what has its result.
            let wrapper = context.path.iter().rev().nth(3).copied();
            (wrapper, text.value.to_string(), attribute.attr == *"replace")
        }
        Expr::FString(string) if text.leads => {
            let pieces = pieces(string, context.target);
            (text.grandparent, pieces.iter().map(|(piece, _)| &**piece).collect(), false)
        }
        _ => return None,
    };
    if !is_query(&statement) {
        return None;
    }
    let executed = matches!(wrapper, Some(Node::Expr(Expr::Call(call))) if executes(&call.func));
    let found = text.found();
    Some(if executed && !replaced { found.confidence(Confidence::Medium) } else { found })
}

fn executes(function: &Expr) -> bool {
    let name = match function {
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => return false,
    };
    matches!(name, "execute" | "executemany")
}

/// The string, and behind it what else is added up with it; but not its own neighbour.
fn joined(text: &Text<'_>, parent: &Expr, root: &ExprBinOp, context: &Context<'_>) -> String {
    let mut joined = text.value.to_string();
    let mut todo = Vec::new();
    let mut operation = Some(root);
    loop {
        match operation {
            Some(one) if matches!(parent, Expr::BinOp(parent) if std::ptr::eq(parent, one)) => {}
            Some(one) => todo.extend([&*one.right, &*one.left]),
            None => {}
        }
        let Some(next) = todo.pop() else { return joined };
        operation = None;
        match next {
            Expr::BinOp(inner) => operation = Some(inner),
            Expr::StringLiteral(string) => {
                joined.push(' ');
                joined.push_str(string.value.to_str());
            }
            _ => {}
        }
        if !context.spend(1 + joined.len() / 64) {
            return text.value.to_string();
        }
    }
}

/// Whether a text has the words of a query, in any case, with anything between them.
fn is_query(text: &str) -> bool {
    // Behind the first beginning is most text: where that has no end, no later one has.
    let (mut select, mut update, mut insert) = (true, true, true);
    for (at, byte) in text.bytes().enumerate() {
        let found = match byte | 0x20 {
            b's' if select => follow(text, at, "select").is_some_and(|rest| {
                select = false;
                has(rest, "from", "")
            }),
            b'u' if update => follow(text, at, "update").is_some_and(|rest| {
                update = false;
                has(rest, "set", "")
            }),
            b'i' if insert => {
                let into = follow(text, at, "insert").and_then(|rest| follow(rest.trim_start(), 0, "into"));
                into.is_some_and(|rest| {
                    insert = false;
                    has(rest, "values", "(")
                })
            }
            b'd' => {
                follow(text, at, "delete").is_some_and(|rest| follow(rest.trim_start(), 0, "from").is_some())
            }
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// What follows a word at this place and the blank behind it.
fn follow<'t>(text: &'t str, at: usize, word: &str) -> Option<&'t str> {
    let found = text.as_bytes().get(at..at + word.len())?;
    if !found.eq_ignore_ascii_case(word.as_bytes()) {
        return None;
    }
    let rest = &text[at + word.len()..];
    let blank = rest.chars().next().filter(|c| c.is_whitespace())?;
    Some(&rest[blank.len_utf8()..])
}

/// Whether a word is anywhere in the text, with a blank or one of these characters behind it.
fn has(text: &str, word: &str, or: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(word.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(word.as_bytes())
            && text[at + word.len()..].starts_with(|c: char| c.is_whitespace() || or.contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::is_query;

    #[test]
    fn queries_are_known_by_their_words() {
        for query in [
            "select * from t",
            "SELECT a\nFROM\tt",
            "é delete  from t ",
            "insert into t values (1)",
            "INSERT INTO t VALUES(1)",
            "update t set x = 1",
            "selected: select x from y",
            "with x as (select 1 from y )",
            "insert into t; insert into t values (1)",
            "select update t set x",
        ] {
            assert!(is_query(query), "{query}");
        }
        for text in [
            "selected from t",
            "select * from",
            "from t select ",
            "delete t from x",
            "deletefrom t ",
            "insert into t value (1)",
            "update x",
            "updates set x",
            "from select select ",
            "",
            "é",
        ] {
            assert!(!is_query(text), "{text}");
        }
    }
}

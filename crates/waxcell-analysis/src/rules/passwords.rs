//! B105, B106 and B107: passwords in the source, by the names of what holds them.

use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::imports::MAX_NAME;
use crate::text::Text;
use crate::value::{is_constant, string};
use crate::walk::Node;

const PASSWORD: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::Low,
    confidence: Confidence::Medium,
    cwe: 259,
    summary: "this looks like a password in the source",
    why: "Everybody who can read the script knows it, and it stays in the history when it is removed.",
    help: "read it from the environment or from a store of secrets",
    fires: "",
    silent: "",
    differs: None,
    check: Check::Text(written),
};

pub(super) static STRING: Rule = Rule {
    id: "B105",
    class: Class::Hygiene,
    name: "hardcoded_password_string",
    fires: "password = 'open sesame'\n",
    silent: "password = keyring.get_password('db', 'me')\n",
    ..PASSWORD
};

pub(super) static ARGUMENT: Rule = Rule {
    id: "B106",
    class: Class::Hygiene,
    name: "hardcoded_password_funcarg",
    fires: "log_in(user, password='open sesame')\n",
    silent: "log_in(user, password=ask())\n",
    check: Check::Call(passed),
    ..PASSWORD
};

pub(super) static DEFAULT: Rule = Rule {
    id: "B107",
    class: Class::Hygiene,
    name: "hardcoded_password_default",
    fires: "def log_in(user, password='open sesame'): pass\n",
    silent: "def log_in(user, password=None): pass\n",
    differs: Some(
        "Bandit takes the defaults of positional-only parameters for those of the ones that follow.",
    ),
    check: Check::Function(default),
    ..PASSWORD
};

fn written<'a>(text: &Text<'a>, _: &Context<'a>) -> Option<Found> {
    let holds = match text.parent {
        Node::Stmt(Stmt::Assign(assign)) => assign.targets.iter().any(is_named_so),
        Node::Item(item) => {
            let is_key = item.key.as_ref().is_some_and(|key| key.range() == text.range);
            is_key && is_constant(&item.value) && names_a_password(&text.value)
        }
        Node::Expr(Expr::Subscript(_)) => {
            let Some(Node::Stmt(Stmt::Assign(assign))) = text.grandparent else { return None };
            string(&assign.value).is_some() && names_a_password(&text.value)
        }
        Node::Expr(Expr::Compare(compare)) => {
            is_named_so(&compare.left) && compare.comparators.first().and_then(string).is_some()
        }
        _ => false,
    };
    holds.then(|| text.found())
}

fn passed<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    let keywords = &call.node.arguments.keywords;
    let password = keywords.iter().find(|keyword| {
        let named = keyword.arg.as_ref().is_some_and(|name| names_a_password(name));
        named && string(&keyword.value).is_some()
    })?;
    Some(Found::at(&password.value))
}

fn default(function: &StmtFunctionDef, _: &Context<'_>) -> Option<Found> {
    let has_one = function.parameters.args.iter().any(|parameter| {
        parameter.default.as_deref().and_then(string).is_some() && names_a_password(parameter.name())
    });
    has_one.then(|| Found::at(&function.name))
}

fn is_named_so(target: &Expr) -> bool {
    let name = match target {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return false,
    };
    // One name may be compared with many strings.
    name.len() <= MAX_NAME && names_a_password(name)
}

/// Whether one of the words of a name, which underscores part, is one for a password.
fn names_a_password(name: &str) -> bool {
    let name = name.strip_suffix('\n').unwrap_or(name);
    name.split('_').any(|word| {
        const WORDS: [&str; 6] = ["pass", "passphrase", "pwd", "token", "secret", "secrete"];
        WORDS.iter().any(|one| one.eq_ignore_ascii_case(word)) || is_password(word)
    })
}

/// `password`, or a way of writing it: `pas`, any more `s`, `w`, perhaps `o`, perhaps `r`, `d`.
fn is_password(word: &str) -> bool {
    let Some((start, rest)) = word.split_at_checked(3) else { return false };
    let rest = rest.trim_start_matches(['s', 'S']);
    let ends = ["word", "wrd", "wod", "wd"];
    start.eq_ignore_ascii_case("pas") && ends.iter().any(|end| end.eq_ignore_ascii_case(rest))
}

#[cfg(test)]
mod tests {
    use super::names_a_password;

    #[test]
    fn words_for_passwords_are_found_in_names() {
        for name in ["password", "PASSWD", "my_pwd", "pwd_", "a_token_b", "Secret", "pasword", "passphrase"] {
            assert!(names_a_password(name), "{name}");
        }
        for name in ["passwords", "tokens", "compass", "pass-word", "pas", "", "_", "passwordx", "éé"] {
            assert!(!names_a_password(name), "{name}");
        }
    }
}

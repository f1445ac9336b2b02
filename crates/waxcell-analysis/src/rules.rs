//! The registry of rules. One entry each; later rules bring a file of their own and one line here.

use crate::finding::{Confidence, Severity};

/// What is fixed about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name that policies, reports and documents use.
    pub id: &'static str,
    /// How bad a finding of this rule is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// Whether one finding of this rule keeps the script from being run, whatever a policy says: the interpreter
    /// could not read it either, or we could not analyse it.
    pub blocks: bool,
    /// What it means, in one sentence without a full stop.
    pub summary: &'static str,
}

const fn unreadable(id: &'static str, summary: &'static str) -> Rule {
    Rule { id, severity: Severity::High, confidence: Confidence::High, blocks: true, summary }
}

pub(crate) static NUL_BYTE: Rule =
    unreadable("nul-byte", "the script holds a NUL byte, which no interpreter reads alike");
pub(crate) static SYNTAX_ERROR: Rule = unreadable("syntax-error", "the script is not valid Python");
pub(crate) static TOO_DEEP: Rule =
    unreadable("too-deep", "brackets, blocks or operators are nested deeper than interpreters take");
pub(crate) static TOO_LARGE: Rule = unreadable("too-large", "the script is larger than what is analysed");
pub(crate) static UNDECODABLE: Rule =
    unreadable("undecodable", "the bytes are not text in the encoding that the script declares");
pub(crate) static UNSUPPORTED_SYNTAX: Rule =
    unreadable("unsupported-syntax", "the script uses syntax that the interpreter's version does not have");

/// Every rule, in the order of its id.
pub static RULES: &[&Rule] =
    &[&NUL_BYTE, &SYNTAX_ERROR, &TOO_DEEP, &TOO_LARGE, &UNDECODABLE, &UNSUPPORTED_SYNTAX];

pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn ids_are_unique_and_in_order() {
        assert!(RULES.is_sorted_by(|a, b| a.id < b.id));
    }
}

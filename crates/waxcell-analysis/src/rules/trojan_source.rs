//! B613: characters that make a script look different from what it is.

use ruff_text_size::{TextLen, TextRange, TextSize};

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;

pub(super) static RULE: Rule = Rule {
    id: "B613",
    class: Class::Hygiene,
    name: "trojansource",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 838,
    summary: "a character here changes the order in which the text is shown",
    why: "What a reader sees is not what Python reads: a comment may be code, and code a comment.",
    help: "remove the character; in a string, write it as an escape",
    fires: "if role != 'user\u{202e} \u{2066}# admin\u{2069} \u{2066}': pass\n",
    silent: "if role != 'user\\u202e': pass\n",
    differs: Some(
        "Bandit counts form feeds and some other characters as ends of lines, and so names a later line behind them.",
    ),
    check: Check::File(check),
};

fn check(context: &Context<'_>) -> Option<Found> {
    if context.text.is_ascii() {
        return None;
    }
    let is_bidirectional =
        |c: char| matches!(c, '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let at = context.text.find(is_bidirectional)?;
    let character = context.text[at..].chars().next()?;
    let range = TextRange::at(TextSize::try_from(at).ok()?, character.text_len());
    let message = format!("U+{:04X} here changes the order in which the text is shown", u32::from(character));
    Some(Found::at(&range).message(message))
}

//! `unicode-name`: names that look like others, or that Python reads as others.

use ruff_text_size::{TextRange, TextSize};

use super::{Check, Rule};
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::sight::{is_sensitive, is_telling_word};

pub(super) static RULE: Rule = Rule {
    id: "unicode-name",
    class: Class::Threat,
    name: "unicode-name",
    severity: Severity::High,
    confidence: Confidence::Medium,
    cwe: 1007,
    summary: "a name is written with characters that look like others",
    why: "Who searches for the name does not find it; Python does.",
    help: "write the name with plain letters",
    fires: "import \u{1d52}s\n",
    silent: "import os\n",
    differs: None,
    check: Check::File(check),
};

fn check(context: &Context<'_>) -> Option<Found> {
    let text = context.text;
    if text.is_ascii() {
        return None;
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || !c.is_ascii();
    let mut at = 0;
    while let Some(next) = text[at..].find(|c: char| !c.is_ascii()) {
        let middle = at + next;
        let start = text[at..middle].rfind(|c: char| !is_part(c)).map_or(at, |before| at + before + 1);
        let end = text[middle..].find(|c: char| !is_part(c)).map_or(text.len(), |after| middle + after);
        let word = &text[start..end];
        at = end;
        if word.len() > 200 || !context.spend(word.len()) {
            continue;
        }
        let plain: String = word.chars().filter_map(skeleton).collect();
        if plain.is_ascii() && is_of_note(&plain) && is_code(text, start) {
            let range = TextRange::new(TextSize::try_from(start).ok()?, TextSize::try_from(end).ok()?);
            let message = format!("this looks like `{plain}`, and is written with other characters");
            return Some(Found::at(&range).message(message));
        }
    }
    None
}

fn is_of_note(name: &str) -> bool {
    is_telling_word(name)
        || is_sensitive(name)
        || matches!(
            name,
            "open"
                | "input"
                | "print"
                | "environ"
                | "vars"
                | "locals"
                | "setattr"
                | "run"
                | "call"
                | "remove"
                | "unlink"
                | "rmtree"
                | "connect"
                | "getenv"
                | "read"
                | "write"
                | "bytes"
                | "chr"
                | "import"
                | "spawnl"
                | "execv"
        )
}

/// Whether what stands at a place is code: on its line, no quote and no `#` before it that is not closed.
fn is_code(text: &str, at: usize) -> bool {
    let near = text.floor_char_boundary(at.saturating_sub(1000));
    let before = &text[near..at];
    let before = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
    before.matches('\'').count().is_multiple_of(2)
        && before.matches('"').count().is_multiple_of(2)
        && !before.contains('#')
}

/// The plain letter that a character looks like, or is read as (NFKC, PEP 3131).
fn skeleton(c: char) -> Option<char> {
    let code = u32::from(c);
    let after = |first: u32, base: char| char::from_u32(u32::from(base) + (code - first));
    match code {
        0..0x80 => Some(c),
        // Full width.
        0xFF21..=0xFF3A => after(0xFF21, 'A'),
        0xFF41..=0xFF5A => after(0xFF41, 'a'),
        0xFF10..=0xFF19 => after(0xFF10, '0'),
        0xFF3F | 0xFE33 | 0xFE34 | 0xFE4D..=0xFE4F => Some('_'),
        // Mathematical alphabets, 52 letters each.
        0x1D400..=0x1D6A3 => {
            let at = (code - 0x1D400) % 52;
            char::from_u32(if at < 26 { 0x41 + at } else { 0x61 + at - 26 })
        }
        0x1D7CE..=0x1D7FF => char::from_u32(0x30 + (code - 0x1D7CE) % 10),
        0x24D0..=0x24E9 => after(0x24D0, 'a'),
        0x24B6..=0x24CF => after(0x24B6, 'A'),
        // Invisible.
        0x200B..=0x200D | 0x2060 | 0xFE00..=0xFE0F | 0xAD => None,
        _ => Some(LOOKALIKES.iter().find(|(_, all)| all.contains(c)).map_or(c, |(plain, _)| *plain)),
    }
}

/// Letters of other alphabets, raised and lowered ones, by what they look like.
const LOOKALIKES: &[(char, &str)] = &[
    ('a', "\u{430}\u{3b1}\u{aa}\u{1d43}\u{2090}\u{251}"),
    ('b', "\u{1d47}"),
    ('c', "\u{441}\u{3f2}\u{1d9c}\u{217d}"),
    ('d', "\u{501}\u{1d48}\u{2146}\u{217e}"),
    ('e', "\u{435}\u{212f}\u{1d49}\u{2091}\u{2147}"),
    ('f', "\u{1da0}"),
    ('g', "\u{210a}\u{1d4d}\u{261}"),
    ('h', "\u{4bb}\u{2b0}\u{210e}\u{2095}"),
    ('i', "\u{456}\u{131}\u{2139}\u{2071}\u{1d62}\u{2170}\u{2148}"),
    ('j', "\u{458}\u{2b2}\u{2c7c}\u{2149}"),
    ('k', "\u{1d4f}\u{2096}"),
    ('l', "\u{4cf}\u{2113}\u{2e1}\u{217c}\u{2097}"),
    ('m', "\u{1d50}\u{217f}\u{2098}"),
    ('n', "\u{207f}\u{2099}"),
    ('o', "\u{43e}\u{3bf}\u{ba}\u{1d52}\u{2092}\u{2134}"),
    ('p', "\u{440}\u{3c1}\u{1d56}\u{209a}"),
    ('q', "\u{51b}"),
    ('r', "\u{2b3}\u{1d63}"),
    ('s', "\u{455}\u{17f}\u{2e2}\u{209b}"),
    ('t', "\u{1d57}\u{209c}"),
    ('u', "\u{1d58}\u{1d64}\u{57d}"),
    ('v', "\u{3bd}\u{1d5b}\u{2174}\u{1d65}"),
    ('w', "\u{2b7}\u{51d}"),
    ('x', "\u{445}\u{2e3}\u{2179}\u{2093}"),
    ('y', "\u{443}\u{2b8}"),
    ('z', "\u{1dbb}"),
];

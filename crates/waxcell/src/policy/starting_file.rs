//! Policies written out from the key table: the built-in default and the file that `waxcell policy init` starts with.

use super::keys::{self, KEYS, Key, Kind};

/// Width to which comments are wrapped.
const WIDTH: usize = 96;

/// The built-in strict default: every key that has a default, with it.
pub(super) fn builtin_text() -> String {
    let mut out = String::new();
    for key in KEYS.iter().filter(|key| has_default_below(key)) {
        let indent = indent(key);
        match key.kind {
            Kind::Section => out.push_str(&format!("{indent}{}:\n", key.name())),
            _ => out.push_str(&format!("{indent}{}: {}\n", key.name(), key.default)),
        }
    }
    out
}

/// A commented file to start with: every key that this version enforces, with its default; keys without one are
/// commented out, as an example.
pub fn init() -> String {
    let mut out = String::from(
        "# Waxcell policy: what a script may do. The kernel holds it to that.\n\
         # Every value below is the default, so a line may be changed or removed. Relative paths are relative to the\n\
         # project root (the folder above this file that holds `.git`). Check with `waxcell policy lint`, see what it\n\
         # means on this host with `waxcell policy explain`.\n",
    );
    for key in KEYS.iter().filter(|key| key.is_enforced()) {
        let indent = indent(key);
        out.push('\n');
        for line in wrap(&comment(key), WIDTH - indent.len()) {
            out.push_str(&format!("{indent}# {line}\n"));
        }
        let mark = if has_default_below(key) { "" } else { "# " };
        match key.kind {
            Kind::Section => out.push_str(&format!("{indent}{mark}{}:\n", key.name())),
            _ if key.default.is_empty() => {
                out.push_str(&format!("{indent}{mark}{}: {}\n", key.name(), key.example))
            }
            _ => out.push_str(&format!("{indent}{}: {}\n", key.name(), key.default)),
        }
    }
    out
}

fn comment(key: &Key) -> String {
    let mut comment = format!("{}.", key.summary);
    let is_list = key.default.starts_with(['[', '{']);
    if is_list && key.example != key.default {
        comment.push_str(&format!(" Example: {}", key.example));
    }
    comment
}

/// Whether the key, or one below it, has a default to write.
fn has_default_below(key: &Key) -> bool {
    match key.kind {
        Kind::Section => keys::below(key.path).any(has_default_below),
        _ => key.is_enforced() && !key.default.is_empty(),
    }
}

fn indent(key: &Key) -> String {
    "  ".repeat(key.path.matches('.').count())
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

//! Values as a policy would have them: YAML that reads back as what it was made from.

use super::model::PathAccess;

/// An entry of `filesystem.allowed_paths`, to stand in a list of either style.
pub(crate) fn path_entry(path: &str, access: PathAccess) -> String {
    match access {
        // What a plain entry means.
        PathAccess::Write => text(path),
        _ => format!("{{path: {}, access: {}}}", text(path), access.name()),
    }
}

/// A text, in quotes where it would be read as something else without them.
pub(super) fn text(text: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '+' | '=' | '@' | '~');
    let starts_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '.' | '/' | '_'));
    let is_word = matches!(text.to_ascii_lowercase().as_str(), "null" | "true" | "false" | ".nan" | ".inf");
    if starts_plain && !is_word && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

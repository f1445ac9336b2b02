//! Paths as texts: put together, taken apart and brought into their one form, with gaps for what is not known.

use super::{Base, Certainty, Target};

/// Stands for any text. No path and no name has one.
pub(super) const GAP: char = '\0';
/// Stands for the path of the script's file, at the beginning of a text.
pub(super) const SCRIPT: char = '\u{1}';
/// Stands for the home folder, at the beginning of a text.
pub(super) const HOME: char = '\u{2}';

/// No text that means anything here is longer, in bytes.
pub(super) const MAX_TEXT: usize = 2048;

/// A text, not longer than any that means something.
pub(super) fn bounded(text: &str) -> String {
    match text.len() > MAX_TEXT {
        true => format!("{}{GAP}", &text[..text.floor_char_boundary(MAX_TEXT)]),
        false => text.to_owned(),
    }
}

/// `first + second`, gaps that meet are one.
pub(super) fn concat(first: &str, second: &str) -> String {
    let second = if first.ends_with(GAP) { second.trim_start_matches(GAP) } else { second };
    let room = MAX_TEXT.saturating_sub(first.len());
    match second.len() > room {
        true if first.ends_with(GAP) => first.to_owned(),
        true => format!("{first}{}{GAP}", &second[..second.floor_char_boundary(room)]),
        false => format!("{first}{second}"),
    }
}

/// `os.path.join`.
pub(super) fn join(first: &str, second: &str) -> String {
    let is_rooted = second.starts_with(['/', SCRIPT, HOME]);
    match first {
        _ if is_rooted => second.to_owned(),
        "" => second.to_owned(),
        _ if first.ends_with('/') => concat(first, second),
        _ => concat(&format!("{first}/"), second),
    }
}

/// `os.path.dirname`.
pub(super) fn parent(path: &str) -> String {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    match path.rfind('/') {
        _ if path == "/" => "/".into(),
        // Up from something that is a place in itself, or from where it is not known what is above.
        _ if path.ends_with([SCRIPT, HOME, GAP]) || path.ends_with("..") => format!("{path}/.."),
        Some(0) => "/".into(),
        Some(at) => path[..at].to_owned(),
        None => ".".into(),
    }
}

/// `os.path.basename`; of a place that has no name here, what is not known.
pub(super) fn base_name(path: &str) -> String {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if name.contains([SCRIPT, HOME]) || name == ".." { GAP.to_string() } else { name.to_owned() }
}

/// `expanduser`: only the own home folder is a place here.
pub(super) fn expand_user(path: &str) -> String {
    match path.strip_prefix('~') {
        Some("") => HOME.to_string(),
        Some(rest) if rest.starts_with('/') => format!("{HOME}{rest}"),
        _ => path.to_owned(),
    }
}

/// How well a text is known.
pub(super) fn certainty(text: &str) -> Certainty {
    match text.contains(GAP) {
        false => Certainty::Exact,
        true if text.chars().all(|letter| matches!(letter, GAP | '/' | '.')) => Certainty::Unknown,
        true => Certainty::Pattern,
    }
}

/// A text as it is shown, if anything of it is known.
pub(super) fn shown(text: &str) -> (Option<String>, Certainty) {
    let certainty = certainty(text);
    let text = (certainty != Certainty::Unknown)
        .then(|| text.replace(GAP, "*").replace(SCRIPT, "{script}").replace(HOME, "~"));
    (text, certainty)
}

/// The target that a path is.
pub(super) fn target(path: &str) -> (Target, Certainty) {
    let unknown = (Target::Path { path: None, base: Base::Cwd }, Certainty::Unknown);
    let (base, rest) = match path.chars().next() {
        Some(SCRIPT) => match path[1..].strip_prefix("/..") {
            // The folder, or something in it.
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                (Base::Script, &rest[rest.len().min(1)..])
            }
            _ if path.len() == 1 => {
                return (Target::Path { path: Some("*".into()), base: Base::Script }, Certainty::Pattern);
            }
            _ => return unknown,
        },
        Some(HOME) => (Base::Home, path[1..].trim_start_matches('/')),
        Some(GAP) | None => return unknown,
        _ => (Base::Cwd, path),
    };
    if rest.contains([SCRIPT, HOME]) {
        return unknown;
    }
    let normal = normal(rest);
    let certainty = if normal.contains(GAP) { Certainty::Pattern } else { Certainty::Exact };
    (Target::Path { path: Some(normal.replace(GAP, "*")), base }, certainty)
}

/// Without `.`, doubled slashes, and `..` behind a name.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let rooted = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                // What a gap stands for may be any number of folders.
                Some(last) if *last != ".." && !last.contains(GAP) => drop(parts.pop()),
                None if rooted => {}
                _ => parts.push(part),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if rooted { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_together_and_taken_apart() {
        assert_eq!(join("data", "x.json"), "data/x.json");
        assert_eq!(join("data/", "/etc"), "/etc");
        assert_eq!(parent("data/x.json"), "data");
        assert_eq!(parent("x"), ".");
        assert_eq!(parent("/x"), "/");
        assert_eq!(parent(&parent("\u{1}")), "\u{1}/../..");
        assert_eq!(concat("a\0", "\0b"), "a\0b");
        assert_eq!(base_name("a/b.txt"), "b.txt");
        assert_eq!(expand_user("~/x"), "\u{2}/x");
        assert_eq!(expand_user("~root/x"), "~root/x");
    }

    #[test]
    fn a_target_has_one_form() {
        let at = |path: &str| {
            let (target, certainty) = target(path);
            format!("{target} {certainty}")
        };
        for (path, form) in [
            ("./data//x.json", "data/x.json exact"),
            ("data/../x", "x exact"),
            ("../x", "../x exact"),
            ("/../etc/passwd", "/etc/passwd exact"),
            ("\u{1}/../data", "{script's folder}/data exact"),
            ("\u{1}/../../data", "{script's folder}/../data exact"),
            ("\u{2}/.ssh/id_rsa", "~/.ssh/id_rsa exact"),
            ("data/\0.json", "data/*.json pattern"),
            ("data/\0/../x", "data/*/../x pattern"),
            ("\0/x", "(not known before it runs) unknown"),
            ("", "(not known before it runs) unknown"),
            (".", ". exact"),
            ("x\u{1}", "(not known before it runs) unknown"),
        ] {
            assert_eq!(at(path), form, "{path:?}");
        }
    }
}

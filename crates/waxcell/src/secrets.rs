//! What looks like a secret: by its form, by the variable of the caller that holds it, or because the policy says so.
//!
//! A guess by nature. It errs on the side of what people read every day: hashes, names of runs, ordinary paths and
//! versions are no secrets, so a secret that looks like a SHA-256 is only known by its name.

mod chance;
mod format;
mod pair;

use std::ffi::OsString;

/// The secrets that one run could give away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    /// Values that are hidden wherever they occur.
    values: Vec<String>,
    /// Texts of the policy, in which `*` stands for anything but white space.
    patterns: Vec<String>,
}

/// A value shorter than this is hidden only where it stands by itself.
const LONG: usize = 8;
/// A value shorter than this is not hidden.
const SHORT: usize = 4;

impl Secrets {
    /// From the caller's variables, by their names, and from what the policy declares: `$NAME` (with `*` for any part of
    /// it) is a variable whose value is a secret, everything else a text.
    pub(crate) fn of(variables: &[(OsString, OsString)], declared: &[String]) -> Secrets {
        let is_declared = |name: &str| {
            let mut names = declared.iter().filter_map(|pattern| pattern.strip_prefix('$'));
            names.any(|pattern| is_like(name, pattern))
        };
        let mut values = Vec::new();
        for (name, value) in variables {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            if is_declared(&name) || (is_secret_name(&name) && !is_place(&value)) {
                // A key of several lines may be told line by line.
                let lines = value.lines().filter(|line| line.len() >= 2 * LONG);
                values.extend(lines.chain([value.trim()]).filter(|text| tells(text)).map(str::to_owned));
            }
        }
        let patterns = declared.iter().filter(|pattern| !pattern.starts_with('$')).cloned().collect();
        Secrets { values, patterns }
    }

    /// Whether a text has a secret in it.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.values.iter().any(|value| is_in(text, value))
            || self.patterns.iter().any(|pattern| has_like(text, pattern))
            || format::is_in(text)
            || pair::is_in(text)
            || chance::is_in(text)
    }
}

/// Whether what has this name is a secret: a variable, an option, a field.
fn is_secret_name(name: &str) -> bool {
    const PARTS: [&str; 11] = [
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "TOKEN",
        "APIKEY",
        "ACCESSKEY",
        "PRIVATEKEY",
        "CREDENTIAL",
        "SESSIONID",
        "SESSID",
    ];
    const WORDS: [&str; 6] = ["KEY", "PASS", "PWD", "AUTH", "COOKIE", "PAT"];
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let ends_so = words.len() > 1 && words.last().is_some_and(|last| WORDS.contains(last));
    PARTS.iter().any(|part| name.contains(part)) || ends_so
}

/// Whether a value says where the secret is, and is none.
fn is_place(value: &str) -> bool {
    value.starts_with(['/', '~', '.']) && !chance::is_in(value.trim_start_matches('/'))
}

/// Whether a value tells anything: everybody knows words such as `true`.
fn tells(value: &str) -> bool {
    let is_known = ["true", "false", "none", "null", "default", "disabled", "enabled", "auto"]
        .iter()
        .any(|known| value.eq_ignore_ascii_case(known));
    let is_small = value.len() < LONG && value.bytes().all(|byte| byte.is_ascii_digit());
    value.len() >= SHORT && !is_known && !is_small
}

fn is_in(text: &str, value: &str) -> bool {
    if value.len() >= LONG {
        return text.contains(value);
    }
    let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(value).any(|(at, found)| {
        is_end(text[..at].chars().next_back()) && is_end(text[at + found.len()..].chars().next())
    })
}

/// Whether a name is like a pattern, in which `*` stands for anything.
fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|name| {
            (0..=name.len()).filter_map(|at| name.get(at..)).any(|name| is_like(name, rest))
        }),
    }
}

/// Whether something like a pattern stands in a text; `*` stands for anything but white space.
fn has_like(text: &str, pattern: &str) -> bool {
    text.split_whitespace().any(|word| {
        let mut rest = word;
        pattern.split('*').all(|piece| match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], declared: &[&str]) -> Secrets {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Secrets::of(&variables, &declared.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_value_is_hidden_by_the_name_of_its_variable() {
        for name in ["DEPLOY_TOKEN", "PGPASSWORD", "stripe_secret", "MAIL_KEY", "GITHUB_PAT", "clientSecret"]
        {
            let secrets = of(&[(name, "plain words")], &[]);
            assert!(secrets.are_in("open `data/plain words.txt`"), "{name}");
            assert!(!secrets.are_in("open `data/plain-words.txt`"), "{name}");
        }
        for name in ["PWD", "KEYBOARD", "SSH_AUTH_SOCK", "HOME", "KEY", "PATH", "AUTHOR"] {
            assert!(!of(&[(name, "plain words")], &[]).are_in("plain words"), "{name}");
        }
    }

    #[test]
    fn a_short_value_is_hidden_where_it_stands_by_itself_and_a_known_one_nowhere() {
        let secrets = of(
            &[("DB_PASSWORD", "cat5"), ("A_TOKEN", "false"), ("B_TOKEN", "4711"), ("C_KEY", "/etc/key")],
            &[],
        );
        assert!(secrets.are_in("/data/cat5/x") && !secrets.are_in("/data/concat5/x"));
        assert!(!secrets.are_in("false") && !secrets.are_in("4711") && !secrets.are_in("/etc/key"));
    }

    #[test]
    fn the_policy_names_variables_and_texts() {
        let secrets = of(&[("HIVE_SEAL", "a bee"), ("HIVE_NAME", "hive one")], &["$HIVE_S*", "acme-*-key"]);
        assert!(secrets.are_in("for a bee") && !secrets.are_in("hive one"));
        assert!(secrets.are_in("data/acme-7-key.txt") && !secrets.are_in("acme- and key"));
    }
}

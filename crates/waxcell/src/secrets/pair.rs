//! Secrets that are given away by what is written before them: `--password=x`, `token: x`, `Authorization: Bearer x`.

use super::{is_secret_name, tells};

pub(super) fn is_in(text: &str) -> bool {
    text.match_indices(['=', ':']).any(|(at, sign)| {
        let name = name_before(&text[..at]);
        let value = value_after(&text[at + 1..]);
        let is_named = match sign {
            "=" => is_secret_name(name),
            // Sentences have colons too.
            _ => is_secret_name(name) && value.bytes().any(|byte| byte.is_ascii_digit()),
        };
        is_named && tells(value) && !stands_for_another(value)
    }) || has_scheme(text)
}

/// The word that ends where the sign stands, without quotes.
fn name_before(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches(['"', '\'', '`']);
    let begin = text.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
    let begin = begin.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[begin..]
}

/// The word behind the sign, or what stands in quotes there.
fn value_after(text: &str) -> &str {
    let text = text.trim_start_matches(' ');
    if let Some(quote) = text.chars().next().filter(|c| ['"', '\'', '`'].contains(c)) {
        return text[1..].split(quote).next().unwrap_or_default();
    }
    let end = text.find(|c: char| c.is_whitespace() || "\"'`&,;)}]".contains(c)).unwrap_or(text.len());
    &text[..end]
}

/// `$NAME`, `<name>`, `{name}`, `***`: no value.
fn stands_for_another(value: &str) -> bool {
    value.starts_with(['$', '<', '{', '*', '=', '%'])
}

/// `Bearer x`, `Basic x`.
fn has_scheme(text: &str) -> bool {
    ["Bearer ", "bearer ", "Basic ", "basic "].iter().any(|scheme| {
        text.match_indices(scheme).any(|(at, _)| {
            let value = value_after(&text[at + scheme.len()..]);
            value.len() >= 12 && value.bytes().skip(1).any(|byte| !byte.is_ascii_lowercase())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_gives_the_value_away() {
        for text in [
            "--password=hunter2",
            "token=abcdef",
            "/data/api_key=abcdef/x",
            "cannot read {\"client_secret\": \"s3cr3t-x\"}",
            "https://example.org/?access_token=abcdef&x=1",
            "PGPASSWORD='two words'",
            "Authorization: Bearer abcdef0123456789",
            "Authorization: Basic dXNlcjpwYXNz",
            "x-api-key: 12345678",
            "Cookie: sessionid=abcdefgh",
        ] {
            assert!(is_in(text), "{text}");
        }
    }

    #[test]
    fn a_sentence_gives_nothing_away() {
        for text in [
            "unexpected token: `name`",
            "password: ",
            "token=$TOKEN",
            "secret={value}",
            "monitoring.secrets: add a pattern",
            "no such key: execution.memory",
            "key=value",
            "if token == other",
            "filesystem.allowed_paths (security_policy.yml:3)",
            "add `API_TOKEN` to environment.pass",
            "PASSWORD=true",
            "XDG_SESSION_ID=c2000",
            "basic authentication",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }
}

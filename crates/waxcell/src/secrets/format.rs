//! Secrets that are made to be recognised.

/// What stands behind the beginning of a token.
#[derive(Clone, Copy)]
enum Rest {
    /// Letters and digits.
    Word,
    /// As in URLs: also `-` and `_`.
    Url,
    /// Also dots.
    Dotted,
}

/// How tokens begin, what stands behind that, and at least how much of it.
const TOKENS: [(&str, Rest, usize); 43] = [
    // Amazon
    ("AKIA", Rest::Word, 16),
    ("ASIA", Rest::Word, 16),
    // GitHub, GitLab
    ("ghp_", Rest::Word, 30),
    ("gho_", Rest::Word, 30),
    ("ghu_", Rest::Word, 30),
    ("ghs_", Rest::Word, 30),
    ("ghr_", Rest::Word, 30),
    ("github_pat_", Rest::Url, 22),
    ("glpat-", Rest::Url, 20),
    ("gldt-", Rest::Url, 20),
    ("glrt-", Rest::Url, 20),
    ("glcbt-", Rest::Url, 20),
    // Slack
    ("xoxa-", Rest::Url, 10),
    ("xoxb-", Rest::Url, 10),
    ("xoxe-", Rest::Url, 10),
    ("xoxp-", Rest::Url, 10),
    ("xoxr-", Rest::Url, 10),
    ("xoxs-", Rest::Url, 10),
    ("xapp-", Rest::Url, 10),
    // Stripe
    ("sk_live_", Rest::Word, 10),
    ("sk_test_", Rest::Word, 10),
    ("rk_live_", Rest::Word, 10),
    ("rk_test_", Rest::Word, 10),
    ("whsec_", Rest::Word, 16),
    // Google
    ("AIza", Rest::Url, 35),
    ("GOCSPX-", Rest::Url, 20),
    ("ya29.", Rest::Url, 20),
    // npm, PyPI, Hugging Face, DigitalOcean, Shopify, SendGrid, Twilio, Linear, Databricks, Mailgun, Docker, Vault
    ("npm_", Rest::Word, 30),
    ("pypi-AgE", Rest::Url, 20),
    ("hf_", Rest::Word, 30),
    ("dop_v1_", Rest::Word, 40),
    ("shpat_", Rest::Word, 30),
    ("shpss_", Rest::Word, 30),
    ("SG.", Rest::Dotted, 40),
    ("SK", Rest::Word, 32),
    ("lin_api_", Rest::Word, 30),
    ("dapi", Rest::Word, 32),
    ("key-", Rest::Word, 32),
    ("dckr_pat_", Rest::Url, 20),
    ("hvs.", Rest::Url, 20),
    // OpenAI and those who do as they do
    ("sk-", Rest::Url, 20),
    // JSON web tokens: the beginning of `{"` in base 64
    ("eyJ", Rest::Dotted, 24),
    // age
    ("AGE-SECRET-KEY-", Rest::Word, 20),
];

/// Letters in a row that are no word.
const LONGER_THAN_WORDS: usize = 16;

pub(super) fn is_in(text: &str) -> bool {
    let is_told = ["PRIVATE KEY-----", "hooks.slack.com/services/T"].iter().any(|known| text.contains(known));
    is_told || has_token(text) || has_password_in_url(text)
}

fn has_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = |at: usize| at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    // Names of hosts come in small letters.
    let is_at = |at: usize, head: &str| {
        bytes.get(at..at + head.len()).is_some_and(|found| match head.len() {
            0..=3 => found == head.as_bytes(),
            _ => found.eq_ignore_ascii_case(head.as_bytes()),
        })
    };
    (0..bytes.len()).filter(|at| begins(*at)).any(|at| {
        TOKENS.iter().filter(|(head, ..)| is_at(at, head)).any(|(head, rest_of, least)| {
            let rest: Vec<u8> =
                bytes[at + head.len()..].iter().copied().take_while(|byte| rest_of.has(*byte)).collect();
            // Words have hyphens between them as some tokens do, but no digits; without hyphens they are short.
            let is_drawn = rest.iter().any(u8::is_ascii_digit)
                || (matches!(rest_of, Rest::Word) && rest.len() >= LONGER_THAN_WORDS);
            rest.len() >= *least && is_drawn
        })
    })
}

impl Rest {
    fn has(self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
            || match self {
                Rest::Word => false,
                Rest::Url => b"-_".contains(&byte),
                Rest::Dotted => b"-_.".contains(&byte),
            }
    }
}

/// `scheme://user:password@host`.
fn has_password_in_url(text: &str) -> bool {
    text.match_indices("://").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'`<>".contains(c)).unwrap_or(rest.len());
        let account = rest[..end].rsplit_once('@').and_then(|(account, _)| account.split_once(':'));
        account.is_some_and(|(_, password)| !password.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_known_by_their_beginning() {
        let body = "0Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0Kk1Ll2Mm3Nn4Oo5Pp";
        for (head, ..) in TOKENS {
            assert!(is_in(&format!("{head}{body}")), "{head}");
            assert!(is_in(&format!("open `data/{head}{body}.txt`")), "{head}");
            // The end of this one is the beginning of another.
            assert!(head == "AGE-SECRET-KEY-" || !is_in(&format!("x{head}{body}")), "{head}");
            assert!(!is_in(head), "{head}");
        }
        assert!(is_in("akia0123456789abcdef.example.org"));
        // Of letters alone, as one in thirty is.
        assert!(is_in("AKIAVVMPJVBJNOOSSZAE") && is_in("/usr/share/sk_live_sxddYHUqEHKMUGspxLyHbSCM"));
        assert!(!is_in("sk_test_configuration"));
        assert!(is_in("-----BEGIN OPENSSH PRIVATE KEY-----\nabc"));
        assert!(is_in("https://hooks.slack.com/services/T0000/B0000/xxxx"));
        assert!(is_in("cannot reach postgres://app:hunter2@db.local/x"));
    }

    #[test]
    fn what_only_looks_a_little_like_one_is_none() {
        for text in [
            "https://example.org:8080/a@b",
            "https://example.org/x:y@z",
            "sk-learn-is-imported-as-sklearn-here",
            "/usr/lib/python3/SKIPPED",
            "task-0123456789-0123456789",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }
}

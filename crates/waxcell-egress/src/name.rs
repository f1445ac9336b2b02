//! The one door for names: whatever a script, a policy or a server wrote becomes a [`Name`] here, or is refused.

use std::fmt;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

/// A host name in its one form: lower case, no final dot, labels of letters, digits, `-` and `_`.
///
/// Other alphabets are in here as punycode (`xn--mnchen-3ya.de`); whoever takes names from people converts them first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// Why bytes are no host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// Nothing was written.
    #[error("the name is empty")]
    Empty,
    /// A byte that is in no host name: NUL, `%`, a space, a control character, a letter outside ASCII.
    #[error("the name contains a character that no host name has")]
    Character,
    /// Two dots in a row, or one at the beginning.
    #[error("the name has an empty label")]
    EmptyLabel,
    /// A label with `-` at one of its ends.
    #[error("a label begins or ends with `-`")]
    Hyphen,
    /// More than 253 characters, or a label of more than 63.
    #[error("a name has at most 253 characters, and each label 63")]
    TooLong,
    /// An address, or what a resolver takes for one: `[::1]`, `127.1`, `0x7f.1`, `2130706433`.
    #[error("the name is an address")]
    Address,
    /// `localhost`, or below it.
    #[error("the name is the run itself")]
    Localhost,
}

impl Name {
    /// The name that these bytes are, whatever their case, with or without a final dot.
    pub fn parse(written: impl AsRef<[u8]>) -> Result<Name, NameProblem> {
        let written = written.as_ref();
        let written = written.strip_suffix(b".").unwrap_or(written);
        if written.is_empty() {
            return Err(NameProblem::Empty);
        }
        if is_ipv6(written) {
            return Err(NameProblem::Address);
        }
        if written.len() > 253 {
            return Err(NameProblem::TooLong);
        }
        let mut name = String::with_capacity(written.len());
        for byte in written {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    name.push(char::from(byte.to_ascii_lowercase()));
                }
                _ => return Err(NameProblem::Character),
            }
        }
        for label in name.split('.') {
            if label.is_empty() {
                return Err(NameProblem::EmptyLabel);
            }
            if label.len() > 63 {
                return Err(NameProblem::TooLong);
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(NameProblem::Hyphen);
            }
        }
        let last = name.rsplit('.').next().unwrap_or(&name);
        if is_numeric(last) {
            return Err(NameProblem::Address);
        }
        if last == "localhost" {
            return Err(NameProblem::Localhost);
        }
        Ok(Name(name.into_boxed_str()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is below the other one, by whole labels.
    fn is_below(&self, other: &Name) -> bool {
        self.0.strip_suffix(&*other.0).is_some_and(|front| front.ends_with('.'))
    }
}

/// With or without brackets and a zone.
fn is_ipv6(written: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(written) else { return false };
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// As `inet_aton` reads it: decimal, octal or hexadecimal.
fn is_numeric(label: &str) -> bool {
    label.bytes().all(|b| b.is_ascii_digit())
        || label.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl TryFrom<String> for Name {
    type Error = NameProblem;

    fn try_from(written: String) -> Result<Name, NameProblem> {
        Name::parse(written)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A name, or all names below one (`*.example.org`: one or more labels more, not the name itself).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pattern {
    name: Name,
    below: bool,
}

/// Why a pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// What stands behind `*.`, or the whole, is no name.
    #[error(transparent)]
    Name(#[from] NameProblem),
    /// `*`, or `*.` before nothing.
    #[error("`*` is every name there is")]
    Everything,
    /// `*.` before a single label.
    #[error("`*` before a single label is too wide")]
    TooWide,
    /// A `*` elsewhere.
    #[error("`*` is only allowed as the whole first label")]
    InnerWildcard,
}

impl Pattern {
    /// `example.org` or `*.example.org`.
    pub fn parse(written: &str) -> Result<Pattern, PatternProblem> {
        if ["*", "*.", "*.."].contains(&written) {
            return Err(PatternProblem::Everything);
        }
        let (rest, below) = match written.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (written, false),
        };
        if rest.contains('*') {
            return Err(PatternProblem::InnerWildcard);
        }
        let name = Name::parse(rest)?;
        if below && !name.0.contains('.') {
            return Err(PatternProblem::TooWide);
        }
        Ok(Pattern { name, below })
    }

    /// The name, or the one that all of them are below.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it is about the names below, and not about the name itself.
    pub fn is_below(&self) -> bool {
        self.below
    }

    /// Whether it is about this name.
    pub fn matches(&self, name: &Name) -> bool {
        if self.below { name.is_below(&self.name) } else { *name == self.name }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{Name, NameProblem as P, Pattern, PatternProblem};

    #[test]
    fn a_name_has_one_form() {
        for written in ["api.example.org", "API.Example.ORG", "api.example.org.", "Api.example.org."] {
            assert_eq!(Name::parse(written).unwrap().as_str(), "api.example.org");
        }
        for same in
            ["db", "_dmarc.example.org", "a_b.example.org", "xn--mnchen-3ya.de", "1.example.org", "3com.com"]
        {
            assert_eq!(Name::parse(same).unwrap().as_str(), same);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.org", "a".repeat(64));
        let many = format!("{}.org", ["a"; 126].join("."));
        let cases: [(&[u8], P); 35] = [
            (b"", P::Empty),
            (b".", P::Empty),
            (b"..", P::EmptyLabel),
            (b"a..b", P::EmptyLabel),
            (b".a.b", P::EmptyLabel),
            (b"a.b..", P::EmptyLabel),
            (b"evil.org\0.example.org", P::Character),
            (b"example.org\0", P::Character),
            (b"a b.org", P::Character),
            (b"a%2eb.org", P::Character),
            (b"user@example.org", P::Character),
            (b"example.org:443", P::Character),
            (b"example.org/", P::Character),
            (b"example.org\\", P::Character),
            (b"example.org\r\n", P::Character),
            (b"\texample.org", P::Character),
            (b"*.example.org", P::Character),
            ("m\u{fc}nchen.de".as_bytes(), P::Character),
            ("ex\u{430}mple.org".as_bytes(), P::Character),
            ("example\u{3002}org".as_bytes(), P::Character),
            (b"\xff.org", P::Character),
            (b"[::1]", P::Address),
            (b"::1", P::Address),
            (b"fe80::1%eth0", P::Address),
            (b"::ffff:127.0.0.1", P::Address),
            (b"-a.org", P::Hyphen),
            (b"a-.org", P::Hyphen),
            (long.as_bytes(), P::TooLong),
            (many.as_bytes(), P::TooLong),
            (b"127.0.0.1", P::Address),
            (b"127.1", P::Address),
            (b"0x7f.1", P::Address),
            (b"2130706433", P::Address),
            (b"a.0x7F", P::Address),
            (b"foo.LOCALHOST.", P::Localhost),
        ];
        for (written, problem) in cases {
            assert_eq!(Name::parse(written), Err(problem), "{}", written.escape_ascii());
        }
        assert_eq!(Name::parse("localhost"), Err(P::Localhost));
        assert!(Name::parse(["a"; 126].join(".")).is_ok());
    }

    #[test]
    fn patterns_match_by_label() {
        let pattern = |written| Pattern::parse(written).unwrap();
        let matches = |written, name| pattern(written).matches(&Name::parse(name).unwrap());
        assert!(matches("example.org", "EXAMPLE.org."));
        for other in ["www.example.org", "example.org.evil.com", "evil-example.org", "xexample.org", "org"] {
            assert!(!matches("example.org", other), "{other}");
        }
        assert!(matches("*.example.org", "www.example.org"));
        assert!(matches("*.example.org", "a.b.example.org"));
        for other in
            ["example.org", "evil-example.org", "wwwexample.org", "example.org.evil.com", "a.example.com"]
        {
            assert!(!matches("*.example.org", other), "{other}");
        }
        assert_eq!(pattern("*.Example.Org.").to_string(), "*.example.org");
    }

    #[test]
    fn wide_patterns_are_refused() {
        for every in ["*", "*.", "*.."] {
            assert_eq!(Pattern::parse(every), Err(PatternProblem::Everything), "{every}");
        }
        for wide in ["*.com", "*.com."] {
            assert_eq!(Pattern::parse(wide), Err(PatternProblem::TooWide), "{wide}");
        }
        for inner in ["a.*.org", "*a.org", "**.a.org", "*.*.org"] {
            assert_eq!(Pattern::parse(inner), Err(PatternProblem::InnerWildcard), "{inner}");
        }
        assert_eq!(Pattern::parse(".example.org"), Err(PatternProblem::Name(P::EmptyLabel)));
        assert_eq!(Pattern::parse("*.*"), Err(PatternProblem::InnerWildcard));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_name_in_its_form_or_none(bytes in any::<Vec<u8>>()) {
            if let Ok(name) = Name::parse(&bytes) {
                prop_assert_eq!(&Name::parse(name.as_str()), &Ok(name.clone()));
                prop_assert!(name.as_str().len() <= 253);
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
                prop_assert!(name.as_str().bytes().all(plain));
            }
        }

        #[test]
        fn case_and_final_dot_do_not_count(name in "[a-z][a-z0-9_]{0,8}(\\.[a-z][a-z0-9]{0,8}){0,4}") {
            let Ok(parsed) = Name::parse(&name) else { return Ok(()) };
            prop_assert_eq!(Name::parse(format!("{}.", name.to_uppercase())), Ok(parsed));
        }
    }
}

//! Names of distributions, as indexes compare them.

use std::fmt;

use serde::{Serialize, Serializer};

/// A name in its normal form: `Zope.Interface`, `zope_interface` and `zope--interface` are all `zope-interface`.
///
/// Source: packaging specifications, *Names and normalization* (PEP 503).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The normal form; nothing if this is no name of a distribution.
    pub fn new(text: &str) -> Option<Name> {
        let bytes = text.as_bytes();
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !is_end(bytes.first()) || !is_end(bytes.last()) || !bytes.iter().all(is_part) {
            return None;
        }
        let mut normal = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                '-' | '_' | '.' if normal.ends_with('-') => {}
                '-' | '_' | '.' => normal.push('-'),
                letter => normal.push(letter.to_ascii_lowercase()),
            }
        }
        Some(Name(normal))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_compared_in_their_normal_form() {
        for name in ["Zope.Interface", "zope_interface", "ZOPE--interface", "zope-._interface"] {
            assert_eq!(Name::new(name).map(|name| name.to_string()).as_deref(), Some("zope-interface"));
        }
        for wrong in ["", "-a", "a-", "a b", "ä", "a/b", ".."] {
            assert_eq!(Name::new(wrong), None, "{wrong}");
        }
    }
}

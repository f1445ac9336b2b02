//! Which versions a requirement admits.

use std::fmt;

use crate::version::{Number, Version};

/// A list such as `>=1.0, !=1.3.*`, all of which has to hold; an empty one admits every version.
///
/// Source: packaging specifications, *Version specifiers* (PEP 440). Pre-releases are admitted: what is asked is whether
/// a version that is there fits, not which one to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specifiers(Vec<Specifier>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Specifier {
    operator: Operator,
    /// As it was written, without space.
    text: String,
    /// Nothing for `===`, which compares texts.
    version: Option<Version>,
    /// Whether it ends in `.*`.
    is_prefix: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Compatible,
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Less,
    Greater,
    Same,
}

/// Longer ones first where one begins with another.
const OPERATORS: [(&str, Operator); 8] = [
    ("~=", Operator::Compatible),
    ("===", Operator::Same),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Specifiers {
    /// The list that this is; nothing if it is none.
    pub fn parse(text: &str) -> Option<Specifiers> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Specifier::parse).collect::<Option<_>>().map(Specifiers)
    }

    /// Whether it admits this version.
    pub fn contains(&self, version: &Version) -> bool {
        self.0.iter().all(|one| one.contains(version))
    }

    /// Whether it admits every version.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one version that it admits, if it names one.
    pub fn pin(&self) -> Option<Version> {
        let [one] = self.0.as_slice() else { return None };
        match one.operator {
            Operator::Equal if !one.is_prefix => one.version.clone(),
            Operator::Same => Version::parse(&one.text),
            _ => None,
        }
    }
}

impl fmt::Display for Specifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.0.iter().enumerate() {
            let (sign, _) =
                OPERATORS.iter().find(|(_, operator)| *operator == one.operator).unwrap_or(&OPERATORS[0]);
            let star = if one.is_prefix { ".*" } else { "" };
            write!(f, "{}{sign}{}{star}", if at > 0 { "," } else { "" }, one.text)?;
        }
        Ok(())
    }
}

impl Specifier {
    fn parse(text: &str) -> Option<Specifier> {
        let (sign, operator) = *OPERATORS.iter().find(|(sign, _)| text.starts_with(sign))?;
        let text = text[sign.len()..].trim();
        if operator == Operator::Same {
            let is_word =
                !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter == ';');
            return is_word.then(|| Specifier {
                operator,
                text: text.to_owned(),
                version: None,
                is_prefix: false,
            });
        }
        let is_equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        let prefix = text.strip_suffix(".*").filter(|_| is_equality);
        let text = prefix.unwrap_or(text);
        let version = Version::parse(text)?;
        let is_release = version.pre.is_none() && version.post.is_none() && version.dev.is_none();
        let is_fit = match operator {
            Operator::Equal | Operator::NotEqual if prefix.is_none() => true,
            Operator::Equal | Operator::NotEqual => {
                is_release && !version.is_local() && !text.ends_with(['.', '-', '_'])
            }
            Operator::Compatible => version.release.len() >= 2 && !version.is_local(),
            _ => !version.is_local(),
        };
        is_fit.then(|| Specifier {
            operator,
            text: text.to_owned(),
            is_prefix: prefix.is_some(),
            version: Some(version),
        })
    }

    fn contains(&self, version: &Version) -> bool {
        let Some(bound) = &self.version else { return version.to_string().eq_ignore_ascii_case(&self.text) };
        let has_same_base = || version.base() == bound.base();
        match self.operator {
            Operator::Equal => self.equals(version, bound),
            Operator::NotEqual => !self.equals(version, bound),
            Operator::AtMost => version.public() <= *bound,
            Operator::AtLeast => version.public() >= *bound,
            Operator::Less => {
                let is_before_it = !bound.is_prerelease() && version.is_prerelease() && has_same_base();
                version < bound && !is_before_it
            }
            Operator::Greater => {
                let is_after_it = bound.post.is_none() && version.post.is_some() && has_same_base();
                version > bound && !is_after_it && !(version.is_local() && has_same_base())
            }
            Operator::Compatible => {
                let series = &bound.release[..bound.release.len() - 1];
                version.public() >= *bound && begins_with(version, bound, series)
            }
            Operator::Same => version.to_string().eq_ignore_ascii_case(&self.text),
        }
    }

    fn equals(&self, version: &Version, bound: &Version) -> bool {
        match () {
            () if self.is_prefix => begins_with(version, bound, &bound.release),
            () if bound.is_local() => version == bound,
            () => version.public() == *bound,
        }
    }
}

fn begins_with(version: &Version, bound: &Version, release: &[Number]) -> bool {
    let padded = version.release.iter().chain(std::iter::repeat(&Number::ZERO));
    version.epoch == bound.epoch && padded.zip(release).all(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::Specifiers;
    use crate::Version;

    #[test]
    fn a_list_admits_what_all_of_it_admits() {
        for (list, version, fits) in [
            ("", "1.0.dev1", true),
            (">=1.0, <2, !=1.3.*", "1.2", true),
            (">=1.0, <2, !=1.3.*", "1.3.1", false),
            ("~=2.2", "2.9", true),
            ("~=2.2", "3.0", false),
            ("~=2.2.0", "2.3", false),
            ("==1.1", "1.1+local", true),
            ("==1.1+a", "1.1", false),
            ("==1.*", "1!1.0", false),
            ("==1.0.*", "1", true),
            ("<2", "2rc1", false),
            ("<2rc2", "2rc1", true),
            (">1.7", "1.7.post1", false),
            (">1.7", "1.7+x", false),
            ("===1.0", "1.0", true),
        ] {
            let (list_read, version_read) =
                (Specifiers::parse(list).unwrap(), Version::parse(version).unwrap());
            assert_eq!(list_read.contains(&version_read), fits, "{version} in {list}");
        }
    }

    #[test]
    fn what_is_no_list_is_none_and_a_pin_names_a_version() {
        for wrong in ["1.0", "=1", "==", "~=1", ">=1.*", ">=1+x", "==1.0a1.*", "==1..*", "=>1", "== 1 2"] {
            assert_eq!(Specifiers::parse(wrong), None, "{wrong}");
        }
        let pin = |text| Specifiers::parse(text).unwrap().pin().map(|version| version.to_string());
        assert_eq!(pin("==1.0"), Some("1.0".to_owned()));
        assert_eq!(pin("===1.0"), Some("1.0".to_owned()));
        assert_eq!([pin("==1.*"), pin("==1,<2"), pin(">=1"), pin("")], [None, None, None, None]);
    }
}

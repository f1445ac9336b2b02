//! One requirement: a name, and which versions of it.

use crate::Name;
use crate::marker::{Applies, Environment, Marker};
use crate::specifier::Specifiers;

/// What a distribution or a script asks for: `requests[socks]>=2.8; python_version < "3.12"`.
///
/// Source: packaging specifications, *Dependency specifiers* (PEP 508).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Of what.
    pub name: Name,
    /// With which of its extras.
    pub extras: Vec<Name>,
    /// Which versions.
    pub specifiers: Specifiers,
    /// Where it comes from, if that is said; then no version is.
    pub url: Option<String>,
    marker: Option<Marker>,
}

impl Requirement {
    /// The requirement that this is; nothing if it is none.
    pub fn parse(text: &str) -> Option<Requirement> {
        let text = text.trim();
        let end =
            text.find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.'));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let name = Name::new(name)?;
        let mut rest = rest.trim_start();
        let mut extras = Vec::new();
        if let Some(list) = rest.strip_prefix('[') {
            let (list, behind) = list.split_once(']')?;
            if !list.trim().is_empty() {
                extras = list.split(',').map(|extra| Name::new(extra.trim())).collect::<Option<_>>()?;
            }
            rest = behind.trim_start();
        }
        if let Some(url) = rest.strip_prefix('@') {
            // What ends a URL is a semicolon behind a space, since it may have semicolons in it.
            let (url, marker) = match url.split_once(" ;") {
                Some((url, marker)) => (url, Some(Marker::parse(marker)?)),
                None => (url, None),
            };
            let url = Some(url.trim().to_owned())
                .filter(|url| !url.is_empty() && !url.contains(char::is_whitespace))?;
            return Some(Requirement {
                name,
                extras,
                specifiers: Specifiers::default(),
                url: Some(url),
                marker,
            });
        }
        let (versions, marker) = match rest.split_once(';') {
            Some((versions, marker)) => (versions, Some(Marker::parse(marker)?)),
            None => (rest, None),
        };
        let versions = Some(versions.trim()).filter(|versions| !versions.starts_with(','))?;
        let inner = versions.strip_prefix('(').map(|inner| inner.strip_suffix(')'));
        let specifiers = Specifiers::parse(inner.map_or(Some(versions), |inner| inner)?)?;
        Some(Requirement { name, extras, specifiers, url: None, marker })
    }

    /// Whether it applies there, to a distribution of which these extras were asked for.
    pub fn applies(&self, environment: &Environment, extras: &[Name]) -> Applies {
        self.marker.as_ref().map_or(Applies::Yes, |marker| marker.applies(environment, extras))
    }
}

#[cfg(test)]
mod tests {
    use super::Requirement;

    #[test]
    fn requirements_are_read() {
        let one =
            Requirement::parse("Requests [socks, Use_Chardet] >= 2.8.1, == 2.8.* ; python_version < '2.7'")
                .unwrap();
        assert_eq!(one.name.as_str(), "requests");
        assert_eq!(
            one.extras.iter().map(|extra| extra.as_str()).collect::<Vec<_>>(),
            ["socks", "use-chardet"]
        );
        assert_eq!(one.specifiers.to_string(), ">=2.8.1,==2.8.*");
        assert!(one.marker.is_some());
        let url = Requirement::parse("pip @ https://example.com/a;b.zip ; os_name == 'posix'").unwrap();
        assert_eq!(url.url.as_deref(), Some("https://example.com/a;b.zip"));
        assert_eq!(Requirement::parse("name(>=1)").unwrap().specifiers.to_string(), ">=1");
        for wrong in [
            "",
            "-e .",
            "./here",
            "a b",
            "a[",
            "a[b",
            "a[b c]",
            "a >= x",
            "a @",
            "a; b",
            "a (>=1",
            "https://x/y",
        ] {
            assert_eq!(Requirement::parse(wrong), None, "{wrong}");
        }
    }
}

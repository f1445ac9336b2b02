//! Versions of distributions, and their order.

use std::cmp::Ordering;
use std::fmt;

/// A version as PEP 440 has it; compared as it says, so that `1.0` and `v1.0.0` are equal.
///
/// Source: packaging specifications, *Version specifiers*, with what appendix B accepts. Numbers may be of any size.
#[derive(Clone, Debug)]
pub struct Version {
    pub(crate) epoch: Number,
    pub(crate) release: Vec<Number>,
    pub(crate) pre: Option<(Pre, Number)>,
    pub(crate) post: Option<Number>,
    pub(crate) dev: Option<Number>,
    local: Vec<Label>,
}

/// A number of any size: what fits into 64 bits comes before what does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Number {
    Small(u64),
    /// How many digits there are, and these.
    Large(usize, String),
}

/// The kinds of pre-releases, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pre {
    Alpha,
    Beta,
    Candidate,
}

/// A part of a local version. A number is larger than a word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Word(String),
    Number(Number),
}

impl Number {
    pub(crate) const ZERO: Number = Number::Small(0);

    fn new(digits: &str) -> Number {
        let digits = digits.trim_start_matches('0');
        match digits.parse() {
            _ if digits.is_empty() => Number::ZERO,
            Ok(number) => Number::Small(number),
            Err(_) => Number::Large(digits.len(), digits.to_owned()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Small(number) => write!(f, "{number}"),
            Number::Large(_, digits) => f.write_str(digits),
        }
    }
}

/// The rest of a text, in lower case, of which parts are taken from the front.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, what: &str) -> bool {
        self.0.strip_prefix(what).map(|rest| self.0 = rest).is_some()
    }

    fn take_one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        words.iter().find(|(word, _)| self.take(word)).map(|(_, meaning)| *meaning)
    }

    fn separator(&mut self) {
        let _ = self.take(".") || self.take("-") || self.take("_");
    }

    fn number(&mut self) -> Option<Number> {
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        (end > 0).then(|| {
            self.0 = rest;
            Number::new(digits)
        })
    }

    /// One of these words between separators that need not be there, and a number, which is 0 if it is not there.
    fn marked<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<(T, Number)> {
        let before = self.0;
        self.separator();
        let Some(word) = self.take_one_of(words) else {
            self.0 = before;
            return None;
        };
        self.separator();
        Some((word, self.number().unwrap_or(Number::ZERO)))
    }

    /// `-1`, as a post-release may be written.
    fn bare_post(&mut self) -> Option<Number> {
        let mut ahead = Rest(self.0.strip_prefix('-')?);
        let number = ahead.number()?;
        self.0 = ahead.0;
        Some(number)
    }
}

/// Longer words first where one begins with another.
const PRE: [(&str, Pre); 8] = [
    ("alpha", Pre::Alpha),
    ("a", Pre::Alpha),
    ("beta", Pre::Beta),
    ("b", Pre::Beta),
    ("preview", Pre::Candidate),
    ("pre", Pre::Candidate),
    ("rc", Pre::Candidate),
    ("c", Pre::Candidate),
];
const POST: [(&str, ()); 3] = [("post", ()), ("rev", ()), ("r", ())];
const DEV: [(&str, ()); 1] = [("dev", ())];

impl Version {
    /// The version that this is; nothing if it is none.
    pub fn parse(text: &str) -> Option<Version> {
        let lower = text.trim().to_ascii_lowercase();
        let mut rest = Rest(lower.strip_prefix('v').unwrap_or(&lower));
        let mut first = rest.number()?;
        let mut epoch = Number::ZERO;
        if rest.take("!") {
            epoch = std::mem::replace(&mut first, rest.number()?);
        }
        let mut release = vec![first];
        loop {
            let mut ahead = Rest(rest.0);
            let Some(number) = ahead.take(".").then(|| ahead.number()).flatten() else { break };
            release.push(number);
            rest = ahead;
        }
        let pre = rest.marked(&PRE);
        let post = rest.bare_post().or_else(|| rest.marked(&POST).map(|(_, number)| number));
        let dev = rest.marked(&DEV).map(|(_, number)| number);
        let local = if rest.take("+") { local(std::mem::take(&mut rest.0))? } else { Vec::new() };
        rest.0.is_empty().then_some(Version { epoch, release, pre, post, dev, local })
    }

    /// Whether this is one that comes before a release.
    pub fn is_prerelease(&self) -> bool {
        self.pre.is_some() || self.dev.is_some()
    }

    /// Whether it has a local part, as `1.0+cpu` has.
    pub fn is_local(&self) -> bool {
        !self.local.is_empty()
    }

    /// Without its local part.
    #[must_use]
    pub fn public(&self) -> Version {
        Version { local: Vec::new(), ..self.clone() }
    }

    /// Epoch and release alone.
    pub(crate) fn base(&self) -> Version {
        Version { pre: None, post: None, dev: None, ..self.public() }
    }

    /// Without the zeros at its end.
    fn significant(&self) -> &[Number] {
        let end = self.release.iter().rposition(|number| *number != Number::ZERO).map_or(0, |at| at + 1);
        &self.release[..end]
    }

    /// What is compared one after the other, between the release and the local part: without a mark, a version comes
    /// before its post-releases and after its pre-releases; one that is only a development release before these too.
    fn marks(&self) -> (Place<&(Pre, Number)>, Place<&Number>, Place<&Number>) {
        let pre = match &self.pre {
            Some(pre) => Place::At(pre),
            None if self.post.is_none() && self.dev.is_some() => Place::Before,
            None => Place::After,
        };
        let post = self.post.as_ref().map_or(Place::Before, Place::At);
        let dev = self.dev.as_ref().map_or(Place::After, Place::At);
        (pre, post, dev)
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place<T> {
    Before,
    At(T),
    After,
}

fn local(text: &str) -> Option<Vec<Label>> {
    let label = |part: &str| {
        let is_label = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        is_label
            .then(|| if is_number { Label::Number(Number::new(part)) } else { Label::Word(part.to_owned()) })
    };
    text.split(['.', '-', '_']).map(label).collect()
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let release = || self.significant().cmp(other.significant());
        let marks = || self.marks().cmp(&other.marks());
        self.epoch
            .cmp(&other.epoch)
            .then_with(release)
            .then_with(marks)
            .then_with(|| self.local.cmp(&other.local))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// In its normal form.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != Number::ZERO {
            write!(f, "{}!", self.epoch)?;
        }
        for (at, number) in self.release.iter().enumerate() {
            write!(f, "{}{number}", if at > 0 { "." } else { "" })?;
        }
        if let Some((kind, number)) = &self.pre {
            let kind = match kind {
                Pre::Alpha => "a",
                Pre::Beta => "b",
                Pre::Candidate => "rc",
            };
            write!(f, "{kind}{number}")?;
        }
        if let Some(number) = &self.post {
            write!(f, ".post{number}")?;
        }
        if let Some(number) = &self.dev {
            write!(f, ".dev{number}")?;
        }
        for (at, label) in self.local.iter().enumerate() {
            f.write_str(if at > 0 { "." } else { "+" })?;
            match label {
                Label::Word(word) => f.write_str(word)?,
                Label::Number(number) => write!(f, "{number}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_have_a_normal_form() {
        for (text, normal) in [
            ("1.0", "1.0"),
            (" v1.0 ", "1.0"),
            ("1!2.0RC1", "1!2.0rc1"),
            ("1.0-alpha_1", "1.0a1"),
            ("1.0pre", "1.0rc0"),
            ("1.0-1", "1.0.post1"),
            ("1.0rev", "1.0.post0"),
            ("1.0a.", "1.0a0"),
            ("01.002.DEV", "1.2.dev0"),
            ("1.0+Ubuntu-01_a", "1.0+ubuntu.1.a"),
            ("99999999999999999999999.1", "99999999999999999999999.1"),
        ] {
            assert_eq!(
                Version::parse(text).map(|version| version.to_string()).as_deref(),
                Some(normal),
                "{text}"
            );
        }
        for wrong in
            ["", "v", "1.", "1..2", "1!", "1.0-", "1.0.dev1.post1", "1.0+", "1.0+a..b", "a1", "1.0 a1", "1.x"]
        {
            assert!(Version::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn versions_have_the_order_of_the_specification() {
        let texts = [
            "1.dev0",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev456",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.0.15",
            "1.1.dev1",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999",
            "100000000000000000000",
            "1!0.1",
        ];
        let versions: Vec<Version> = texts.iter().filter_map(|text| Version::parse(text)).collect();
        assert_eq!(versions.len(), texts.len());
        assert!(versions.is_sorted_by(|one, other| one < other));
        assert_eq!(Version::parse("1.0.0"), Version::parse("1"));
    }
}

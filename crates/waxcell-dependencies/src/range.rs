//! Which versions an advisory is about.
//!
//! Source: OSV schema 1.7, *affected[].ranges[]*, *Evaluation*.

use crate::version::Version;

/// What an advisory says of one package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Affects {
    /// Versions that are named, as they are written.
    pub(crate) versions: Vec<String>,
    /// Ranges of versions, each by its events.
    pub(crate) ranges: Vec<Vec<Event>>,
    /// Ranges that say nothing of versions, by their kind: `GIT`, `SEMVER`.
    pub(crate) others: Vec<String>,
}

/// A place in the order of versions, and what begins or ends there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) at: String,
}

/// In the order in which they are taken at the same version: what begins there begins after what ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Fixed,
    LastAffected,
    Introduced,
    Limit,
}

/// Whether a version is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is; and the first version after it that is not, if that is said.
    Affected(Option<Version>),
    Unaffected,
    /// That cannot be said, and why.
    Unknown(String),
}

impl Affects {
    /// What is said of a version. A local one, such as `1.0+cpu`, is affected if its public version is: that somebody has
    /// mended it cannot be known.
    pub(crate) fn verdict(&self, version: &Version) -> Verdict {
        match self.verdict_of(version) {
            Verdict::Unaffected if version.is_local() => self.verdict_of(&version.public()),
            verdict => verdict,
        }
    }

    fn verdict_of(&self, version: &Version) -> Verdict {
        let mut verdict = Verdict::Unaffected;
        for events in &self.ranges {
            match within(version, events) {
                Verdict::Unaffected => {}
                // The first word about a repair is as good as any; one that is known is better than a doubt.
                affected @ Verdict::Affected(_) if !matches!(verdict, Verdict::Affected(Some(_))) => {
                    verdict = affected
                }
                unknown @ Verdict::Unknown(_) if verdict == Verdict::Unaffected => verdict = unknown,
                _ => {}
            }
        }
        if matches!(verdict, Verdict::Affected(_)) {
            return verdict;
        }
        let named = |text: &String| {
            Version::parse(text).map_or_else(|| *text == version.to_string(), |one| one == *version)
        };
        match verdict {
            _ if self.versions.iter().any(named) => Verdict::Affected(None),
            Verdict::Unaffected if self.versions.is_empty() && self.ranges.is_empty() => {
                match self.others.first() {
                    Some(kind) => Verdict::Unknown(format!("says it in {kind} alone, not in versions")),
                    None => Verdict::Unknown("names no versions".to_owned()),
                }
            }
            verdict => verdict,
        }
    }
}

/// A place in the order: before every version, at one, or after all.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Beginning,
    Version(Version),
    End,
}

fn within(version: &Version, events: &[Event]) -> Verdict {
    let mut places = Vec::with_capacity(events.len());
    for event in events {
        let at = match (event.kind, event.at.as_str()) {
            (Kind::Introduced, "0") => At::Beginning,
            (Kind::Limit, "*") => At::End,
            (_, text) => match Version::parse(text) {
                Some(version) => At::Version(version),
                None => return Verdict::Unknown(format!("has `{text}`, which is no version")),
            },
        };
        places.push((at, event.kind));
    }
    places.sort();
    let here = At::Version(version.clone());
    let mut limits = places.iter().filter(|(_, kind)| *kind == Kind::Limit).peekable();
    if limits.peek().is_some() && !limits.any(|(limit, _)| here < *limit) {
        return Verdict::Unaffected;
    }
    let (mut is_affected, mut fixed) = (false, None);
    for (at, kind) in places {
        match kind {
            Kind::Introduced if here >= at => is_affected = true,
            Kind::Fixed if here >= at => is_affected = false,
            Kind::LastAffected if here > at => is_affected = false,
            Kind::Fixed if fixed.is_none() => {
                fixed = if let At::Version(fixed) = at { Some(fixed) } else { None }
            }
            _ => {}
        }
    }
    if is_affected { Verdict::Affected(fixed) } else { Verdict::Unaffected }
}

#[cfg(test)]
mod tests {
    use super::{Affects, Event, Kind, Verdict};
    use crate::Version;

    fn affects(ranges: &[&str], versions: &[&str]) -> Affects {
        let event = |text: &str| {
            let (kind, at) = text.split_once('=').unwrap();
            let kind = match kind {
                "introduced" => Kind::Introduced,
                "fixed" => Kind::Fixed,
                "last" => Kind::LastAffected,
                _ => Kind::Limit,
            };
            Event { kind, at: at.to_owned() }
        };
        Affects {
            versions: versions.iter().map(|version| (*version).to_owned()).collect(),
            ranges: ranges.iter().map(|range| range.split_whitespace().map(event).collect()).collect(),
            others: vec!["GIT".to_owned()],
        }
    }

    #[test]
    fn ranges_and_lists_say_which_versions_are_meant() {
        let is_affected = |ranges: &[&str], versions: &[&str], version: &str| {
            matches!(
                affects(ranges, versions).verdict(&Version::parse(version).unwrap()),
                Verdict::Affected(_)
            )
        };
        for (ranges, versions, version, expected) in [
            (&["introduced=0 fixed=2.0"][..], &[][..], "0.dev1", true),
            (&["introduced=0 fixed=2.0"], &[], "2.0rc1", true),
            (&["introduced=0 fixed=2.0"], &[], "2.0", false),
            (&["introduced=1.0"], &[], "99!1", true),
            (&["introduced=1.0 last=1.5"], &[], "1.5", true),
            (&["introduced=1.0 last=1.5"], &[], "1.5.1", false),
            (&["introduced=1.0 last=1.5"], &[], "1.5+cpu", true),
            // In any order, and twice in one range.
            (&["fixed=2.0 introduced=1.0 introduced=3.0 fixed=2.5 fixed=3.1"], &[], "3.0.5", true),
            (&["introduced=0 fixed=1.0 introduced=1.0 fixed=1.1"], &[], "1.0", true),
            (&["introduced=0 limit=2.0"], &[], "2.1", false),
            (&["introduced=0 limit=2.0 limit=*"], &[], "2.1", true),
            (&["introduced=5"], &["1.0.0"], "1", true),
            (&["introduced=5"], &["1.0.0"], "1.1", false),
            (&["introduced=1", "introduced=0 fixed=0.5"], &[], "0.4", true),
        ] {
            assert_eq!(
                is_affected(ranges, versions, version),
                expected,
                "{version} in {ranges:?} {versions:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_compared_is_unknown_unless_another_word_decides() {
        let version = Version::parse("1.0").unwrap();
        let unknown = |affects: Affects| matches!(affects.verdict(&version), Verdict::Unknown(_));
        assert!(unknown(affects(&[], &[])));
        assert!(unknown(affects(&["introduced=0 fixed=abcdef"], &[])));
        assert!(!unknown(affects(&["introduced=0 fixed=abcdef"], &["1.0"])));
        assert!(!unknown(affects(&["introduced=0 fixed=abcdef", "introduced=0"], &[])));
        assert!(unknown(Affects::default()));
    }

    #[test]
    fn the_repair_is_the_next_one() {
        let affects = affects(&["introduced=0 fixed=1.1 introduced=2.0 fixed=2.2"], &[]);
        let fixed = |text: &str| match affects.verdict(&Version::parse(text).unwrap()) {
            Verdict::Affected(fixed) => fixed.map(|version| version.to_string()),
            _ => panic!("{text} is affected"),
        };
        assert_eq!((fixed("1.0").as_deref(), fixed("2.1").as_deref()), (Some("1.1"), Some("2.2")));
    }
}

//! One entry of a database, as the OSV schema has it, and what is kept of it.
//!
//! Source: *Open Source Vulnerability format*, version 1.7. Fields that nothing is made of are not looked at.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use crate::Name;
use crate::cvss::{Level, base_score};
use crate::range::{Affects, Event, Kind};

/// What is known about one vulnerability.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Advisory {
    pub(crate) id: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) summary: String,
    pub(crate) level: Option<Level>,
    pub(crate) score: Option<f64>,
    /// As it is written, the first of those that are.
    pub(crate) vector: Option<String>,
    /// What it says of each package.
    pub(crate) affects: Vec<(Name, Affects)>,
}

/// What was made of an entry.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) modified: SystemTime,
    pub(crate) withdrawn: bool,
    /// Whether it is about packages of Python.
    pub(crate) is_ours: bool,
    /// Nothing if it is withdrawn, or about no package that is asked for.
    pub(crate) advisory: Option<Advisory>,
}

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    schema_version: Option<Text<'a>>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    modified: Text<'a>,
    #[serde(borrow)]
    withdrawn: Option<Text<'a>>,
    #[serde(borrow)]
    aliases: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    summary: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Vec<Rating<'a>>>,
    #[serde(borrow)]
    affected: Option<Vec<Affected<'a>>>,
    database_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Rating<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    score: Text<'a>,
}

#[derive(Deserialize)]
struct Specific {
    /// Anything, since a database may put here what it likes.
    severity: Option<Value>,
}

#[derive(Deserialize)]
struct Affected<'a> {
    #[serde(borrow)]
    package: Option<Package<'a>>,
    #[serde(borrow)]
    severity: Option<Vec<Rating<'a>>>,
    #[serde(borrow)]
    ranges: Option<Vec<Range<'a>>>,
    #[serde(borrow)]
    versions: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    ecosystem: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Deserialize)]
struct Range<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    events: Vec<Happening<'a>>,
}

#[derive(Deserialize)]
struct Happening<'a> {
    #[serde(borrow)]
    introduced: Option<Text<'a>>,
    #[serde(borrow)]
    fixed: Option<Text<'a>>,
    #[serde(borrow)]
    last_affected: Option<Text<'a>>,
    #[serde(borrow)]
    limit: Option<Text<'a>>,
}

/// Reads an entry; keeps what it says about the packages that are asked for.
pub(crate) fn read(bytes: &[u8], is_asked: &dyn Fn(&Name) -> bool) -> Result<Read, String> {
    let document: Document<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let version = document.schema_version.as_ref().map_or("1.0.0", |version| &version.0);
    if version.split('.').next() != Some("1") {
        return Err(format!("it is of version `{version}` of the schema; 1 is read"));
    }
    let modified = humantime::parse_rfc3339(&document.modified.0)
        .map_err(|_| format!("`modified` is `{}`, which is no time", document.modified.0))?;
    let withdrawn = document.withdrawn.is_some();
    let mut read = Read { modified, withdrawn, is_ours: false, advisory: None };
    let mut affects = Vec::new();
    let mut ratings: Vec<&Rating<'_>> = document.severity.iter().flatten().collect();
    for affected in document.affected.iter().flatten() {
        let Some(package) = &affected.package else { continue };
        if package.ecosystem.0.split(':').next() != Some("PyPI") {
            continue;
        }
        read.is_ours = true;
        let name = Name::new(&package.name.0)
            .ok_or_else(|| format!("`{}` is no name of a package", package.name.0.escape_debug()))?;
        if is_asked(&name) {
            ratings.extend(affected.severity.iter().flatten());
            affects.push((name, said(affected)));
        }
    }
    if !withdrawn && !affects.is_empty() {
        let id = document.id.0.into_owned();
        let score = ratings.iter().filter_map(|rating| base_score(&rating.score.0)).reduce(f64::max);
        let word = document.database_specific.and_then(|specific| specific.severity);
        let word = word.as_ref().and_then(Value::as_str).and_then(Level::of_word);
        let vector =
            ratings.iter().max_by_key(|rating| &rating.kind.0).map(|rating| rating.score.0.to_string());
        let level =
            if id.starts_with("MAL-") { Some(Level::Critical) } else { score.map(Level::of_score).or(word) };
        read.advisory = Some(Advisory {
            id,
            aliases: document.aliases.into_iter().flatten().map(|alias| alias.0.into_owned()).collect(),
            summary: document.summary.map(|summary| summary.0.into_owned()).unwrap_or_default(),
            level,
            score,
            vector,
            affects,
        });
    }
    Ok(read)
}

fn said(affected: &Affected<'_>) -> Affects {
    let mut affects = Affects::default();
    affects.versions.extend(affected.versions.iter().flatten().map(|version| version.0.to_string()));
    for range in affected.ranges.iter().flatten() {
        if range.kind.0 != "ECOSYSTEM" {
            affects.others.push(range.kind.0.to_string());
            continue;
        }
        let events = range.events.iter().flat_map(|event| {
            [
                (Kind::Introduced, &event.introduced),
                (Kind::Fixed, &event.fixed),
                (Kind::LastAffected, &event.last_affected),
                (Kind::Limit, &event.limit),
            ]
        });
        let event =
            |(kind, at): (Kind, &Option<Text<'_>>)| Some(Event { kind, at: at.as_ref()?.0.to_string() });
        affects.ranges.push(events.filter_map(event).collect());
    }
    affects
}

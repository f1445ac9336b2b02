//! A database of vulnerabilities: what it says of the packages that are asked for, how old it is, and what of it could
//! not be read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::Name;
use crate::cvss::Level;
use crate::osv::{self, Advisory};
use crate::range::Verdict;
use crate::version::Version;

/// No entry that anybody publishes is larger, in bytes.
pub const MAX_ENTRY: usize = 8 << 20;

/// How much all entries may be, in bytes.
pub const MAX_TOTAL: u64 = 4 << 30;

/// How many entries there may be.
pub const MAX_ENTRIES: usize = 2_000_000;

/// So many faults are told with their names, and of all how many there are.
const MOST_FAULTS: usize = 20;

/// What is kept of a database.
#[derive(Debug, Default)]
pub struct Database {
    advisories: HashMap<Name, Vec<Advisory>>,
    /// How many entries were read, and how many of them are about packages of Python.
    pub entries: usize,
    /// Those about packages of Python.
    pub about_python: usize,
    /// Those that were taken back; they are not matched.
    pub withdrawn: usize,
    /// When the last of them was changed.
    pub newest: Option<SystemTime>,
    /// What could not be read, by the name of its file; the first of them.
    pub faults: Vec<Fault>,
    /// How many could not be read.
    pub fault_count: usize,
}

/// Something of a database that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file, as it is named in its folder or archive.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

/// A vulnerability of a version, told once, under whatever names it has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vulnerability {
    /// Its name, as `GHSA-…` or `PYSEC-…`.
    pub id: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// What it is, in one line; empty if nobody says.
    pub summary: String,
    /// How bad it is, if somebody says.
    pub level: Option<Level>,
    /// Its base score by CVSS 3, from 0 to 10.
    pub score: Option<f64>,
    /// The vector of its rating, of whichever version.
    pub vector: Option<String>,
    /// The version that repairs it.
    pub fixed: Option<String>,
}

/// What is said of a version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    /// What is known to be wrong with it, the worst first.
    pub found: Vec<Vulnerability>,
    /// Advisories of which nobody can say whether they are about it, and why.
    pub undecided: Vec<String>,
}

/// Takes entries, as threads read them.
#[derive(Debug)]
pub struct Collector<'a> {
    wanted: &'a HashSet<Name>,
    now: SystemTime,
    database: Database,
}

impl<'a> Collector<'a> {
    /// Keeps what is said about these packages. `now` is the time of the caller's clock: what claims to be from the
    /// future says nothing about how old a database is.
    pub fn new(wanted: &'a HashSet<Name>, now: SystemTime) -> Collector<'a> {
        Collector { wanted, now, database: Database::default() }
    }

    /// Takes an entry; `file` is its name.
    pub fn add(&mut self, file: &str, bytes: &[u8]) {
        let read = match osv::read(bytes, &|name| self.wanted.contains(name)) {
            Ok(read) => read,
            Err(why) => return self.fault(file, why),
        };
        let database = &mut self.database;
        database.entries += 1;
        database.about_python += usize::from(read.is_ours);
        database.withdrawn += usize::from(read.is_ours && read.withdrawn);
        if let Some(advisory) = read.advisory {
            let names: BTreeSet<Name> = advisory.affects.iter().map(|(name, _)| name.clone()).collect();
            for name in names {
                database.advisories.entry(name).or_default().push(advisory.clone());
            }
        }
        if !read.is_ours {
            return;
        }
        if read.modified > self.now + A_DAY {
            return self.fault(file, "it says that it was changed in the future".to_owned());
        }
        database.newest = database.newest.max(Some(read.modified));
    }

    /// Notes that a file could not be read.
    pub fn fault(&mut self, file: &str, why: String) {
        self.database.fault_count += 1;
        self.database.faults.push(Fault { file: file.to_owned(), why });
        // Twice as many are kept for a while, so that which ones are told does not depend on which thread was first.
        if self.database.faults.len() >= 2 * MOST_FAULTS {
            self.database.faults.sort();
            self.database.faults.truncate(MOST_FAULTS);
        }
    }
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Database {
    /// What these have taken together.
    pub fn of<'a>(collectors: impl IntoIterator<Item = Collector<'a>>) -> Database {
        let mut whole = Database::default();
        for part in collectors.into_iter().map(|collector| collector.database) {
            for (name, advisories) in part.advisories {
                whole.advisories.entry(name).or_default().extend(advisories);
            }
            whole.entries += part.entries;
            whole.about_python += part.about_python;
            whole.withdrawn += part.withdrawn;
            whole.newest = whole.newest.max(part.newest);
            whole.faults.extend(part.faults);
            whole.fault_count += part.fault_count;
        }
        whole.faults.sort();
        whole.faults.truncate(MOST_FAULTS);
        whole
    }

    /// How many days ago the last of its entries about packages of Python was changed.
    pub fn age_days(&self, now: SystemTime) -> Option<u64> {
        let newest = self.newest?;
        Some(now.duration_since(newest).unwrap_or_default().as_secs() / A_DAY.as_secs())
    }

    /// What it says of a version of a package that was asked for.
    pub fn matches(&self, name: &Name, version: &Version) -> Matches {
        let mut matches = Matches::default();
        let mut found: Vec<Hit<'_>> = Vec::new();
        for advisory in self.advisories.get(name).into_iter().flatten() {
            let about = advisory.affects.iter().filter(|(about, _)| about == name);
            let verdicts: Vec<Verdict> = about.map(|(_, affects)| affects.verdict(version)).collect();
            let fixed = verdicts.iter().filter_map(|verdict| match verdict {
                Verdict::Affected(fixed) => Some(fixed.clone()),
                _ => None,
            });
            if let Some(fixed) = fixed.reduce(Option::or) {
                found.push((advisory, fixed));
            } else if let Some(why) = verdicts.iter().find_map(|verdict| match verdict {
                Verdict::Unknown(why) => Some(why),
                _ => None,
            }) {
                matches.undecided.push(format!("{} {why}", advisory.id));
            }
        }
        matches.found = once_each(&found);
        matches.undecided.sort();
        matches.undecided.dedup();
        matches
    }
}

/// An advisory about a version, and the version that repairs it.
type Hit<'a> = (&'a Advisory, Option<Version>);

/// The same vulnerability is written down by several, each with a name of its own: those that share one are one.
fn once_each(found: &[Hit<'_>]) -> Vec<Vulnerability> {
    // To which group each belongs: the first of it, reached by going on until one is its own.
    let mut group: Vec<usize> = (0..found.len()).collect();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (at, (advisory, _)) in found.iter().enumerate() {
        for name in names(advisory) {
            let other = *by_name.entry(name).or_insert(at);
            let (one, other) = (first_of(&mut group, at), first_of(&mut group, other));
            group[one.max(other)] = one.min(other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<&Hit<'_>>> = BTreeMap::new();
    for (at, hit) in found.iter().enumerate() {
        groups.entry(first_of(&mut group, at)).or_default().push(hit);
    }
    let mut vulnerabilities: Vec<Vulnerability> = groups.into_values().map(|group| told(&group)).collect();
    vulnerabilities.sort_by(|one, other| other.level.cmp(&one.level).then_with(|| one.id.cmp(&other.id)));
    vulnerabilities
}

/// The first of a group; the way there is halved for whoever asks next.
fn first_of(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}

fn names(advisory: &Advisory) -> impl Iterator<Item = &str> {
    advisory.aliases.iter().chain([&advisory.id]).map(String::as_str)
}

fn told(group: &[&Hit<'_>]) -> Vulnerability {
    let names: BTreeSet<&str> = group.iter().flat_map(|(advisory, _)| names(advisory)).collect();
    // By the name that says most: that it is malicious, or the database that rates and summarises.
    let rank = |id: &str| (!id.starts_with("MAL-"), !id.starts_with("GHSA-"), !id.starts_with("PYSEC-"));
    let mut advisories: Vec<&Advisory> = group.iter().map(|(advisory, _)| *advisory).collect();
    advisories.sort_by_key(|advisory| (rank(&advisory.id), &advisory.id));
    let id = advisories.first().map(|advisory| advisory.id.clone()).unwrap_or_default();
    Vulnerability {
        aliases: names.iter().filter(|name| **name != id).map(|name| (*name).to_owned()).collect(),
        summary: advisories
            .iter()
            .map(|advisory| one_line(&advisory.summary))
            .find(|text| !text.is_empty())
            .unwrap_or_default(),
        level: advisories.iter().filter_map(|advisory| advisory.level).max(),
        score: advisories.iter().filter_map(|advisory| advisory.score).reduce(f64::max),
        vector: advisories.iter().find_map(|advisory| advisory.vector.clone()),
        // The last of the repairs is one by everybody's word.
        fixed: group.iter().filter_map(|(_, fixed)| fixed.as_ref()).max().map(Version::to_string),
        id,
    }
}

/// A summary is a sentence; somebody hostile may have written more.
fn one_line(text: &str) -> String {
    const MOST: usize = 200;
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

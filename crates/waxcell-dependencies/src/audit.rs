//! The judgement: which dependencies are known to be vulnerable, which are not, and of which nobody knows.

use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::Name;
use crate::database::{Database, Fault, Vulnerability};
use crate::resolve::{Resolver, Source};

/// What is known about all dependencies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// What was asked for, in the order of the names.
    pub entries: Vec<Entry>,
    /// By what it was judged.
    pub database: Data,
    /// Why this is not all, beside what entries say: then nothing of it is clean.
    pub gaps: Vec<String>,
}

/// One version of one distribution, or something of which that is not known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The name; of what is no distribution, as it is written.
    pub name: String,
    /// The version.
    pub version: Option<String>,
    /// Who asks for it, in the order of files and lines.
    pub sources: Vec<Source>,
    /// What is known.
    #[serde(flatten)]
    pub status: Status,
}

/// What is known about a dependency.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It is vulnerable.
    Vulnerable {
        /// To what, the worst first.
        vulnerabilities: Vec<Vulnerability>,
        /// Advisories that could not be compared.
        undecided: Vec<String>,
    },
    /// The database says nothing against it.
    Ok,
    /// Nobody knows. It is not clean.
    NotAudited {
        /// Why not.
        reason: String,
    },
}

/// The database that was asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    /// Where it is.
    pub path: String,
    /// How many entries were read.
    pub entries: usize,
    /// How many of them are about packages of Python.
    pub about_python: usize,
    /// How many of these were taken back.
    pub withdrawn: usize,
    /// When the last of them was changed.
    #[serde(serialize_with = "time")]
    pub newest: Option<SystemTime>,
    /// How many days ago that was.
    pub age_days: Option<u64>,
    /// The first files that could not be read.
    pub faults: Vec<Fault>,
    /// How many there are of these.
    pub fault_count: usize,
}

fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(&humantime::format_rfc3339_seconds(*time)),
        None => serializer.serialize_none(),
    }
}

impl Audit {
    /// Judges what was resolved. Of a database that cannot be read at all there is only why not; then nothing is audited.
    /// `path` is where it is, `now` the caller's time, `most_days` how old it may be, and `gaps` what is missing already.
    pub fn new(
        resolver: Resolver<'_>,
        database: Result<&Database, String>,
        path: &str,
        now: SystemTime,
        most_days: Option<u64>,
        mut gaps: Vec<String>,
    ) -> Audit {
        let (database, unread) = match database {
            Ok(database) => (database, None),
            Err(why) => (&Database::default(), Some(why)),
        };
        let age_days = database.age_days(now);
        match (age_days, most_days) {
            _ if unread.is_some() => {
                gaps.extend(unread.iter().map(|why| format!("the database cannot be read: {why}")))
            }
            (None, _) => gaps.push("the database has no entry about packages of Python".to_owned()),
            (Some(age), Some(most)) if age > most => {
                gaps.push(format!("the database is {age} days old; at most {most} are allowed"));
            }
            _ => {}
        }
        match database.fault_count {
            0 => {}
            1 => gaps.push("a file of the database could not be read".to_owned()),
            count => gaps.push(format!("{count} files of the database could not be read")),
        }
        let data = Data {
            path: path.to_owned(),
            entries: database.entries,
            about_python: database.about_python,
            withdrawn: database.withdrawn,
            newest: database.newest,
            age_days,
            faults: database.faults.clone(),
            fault_count: database.fault_count,
        };
        let entries = resolver.into_items().map(|item| {
            let (version, status) = match (item.version, Name::new(&item.name)) {
                (Err(reason), _) => (None, Status::NotAudited { reason }),
                (Ok(version), _) if unread.is_some() => (
                    Some(version.to_string()),
                    Status::NotAudited { reason: "there is no database".to_owned() },
                ),
                (Ok(version), None) => (
                    Some(version.to_string()),
                    Status::NotAudited { reason: "it is no name of a package".to_owned() },
                ),
                (Ok(version), Some(name)) => {
                    let matches = database.matches(&name, &version);
                    let status = match (matches.found.is_empty(), matches.undecided.first()) {
                        (false, _) => Status::Vulnerable {
                            vulnerabilities: matches.found,
                            undecided: matches.undecided,
                        },
                        (true, Some(_)) => Status::NotAudited { reason: matches.undecided.join("; ") },
                        (true, None) => Status::Ok,
                    };
                    (Some(version.to_string()), status)
                }
            };
            let sources =
                item.sources.into_iter().map(|(place, through)| Source { place, through }).collect();
            Entry { name: item.name, version, sources, status }
        });
        Audit { entries: entries.collect(), database: data, gaps }
    }

    /// Those that are vulnerable, and to what.
    pub fn vulnerable(&self) -> impl Iterator<Item = (&Entry, &[Vulnerability])> {
        self.entries.iter().filter_map(|entry| match &entry.status {
            Status::Vulnerable { vulnerabilities, .. } => Some((entry, vulnerabilities.as_slice())),
            _ => None,
        })
    }

    /// Those of which nobody knows, and why.
    pub fn not_audited(&self) -> impl Iterator<Item = (&Entry, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.status {
            Status::NotAudited { reason } => Some((entry, reason.as_str())),
            _ => None,
        })
    }

    /// Whether everything that was asked for was compared with a whole and recent database.
    pub fn is_complete(&self) -> bool {
        let is_decided = |entry: &Entry| match &entry.status {
            Status::Ok => true,
            Status::Vulnerable { undecided, .. } => undecided.is_empty(),
            Status::NotAudited { .. } => false,
        };
        self.gaps.is_empty() && self.entries.iter().all(is_decided)
    }
}

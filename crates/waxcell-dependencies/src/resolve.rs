//! From imports and requirements to the distributions and versions that they stand for.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde::Serialize;

use crate::Name;
use crate::installed::{Distribution, Installed};
use crate::marker::{Applies, Environment};
use crate::requirement::Requirement;
use crate::standard::is_standard;
use crate::version::Version;
use crate::wanted::Ask;

/// Where something is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// What is to be audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The name of a distribution; of what is none, as it is written.
    pub(crate) name: String,
    pub(crate) version: Result<Version, String>,
    /// Where it is asked for, and through which distributions: the shortest way there.
    pub(crate) sources: BTreeMap<Place, Vec<Name>>,
}

/// How something is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Source {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// Through which distributions, the one that is named there first; nothing if that is the one itself.
    pub through: Vec<Name>,
}

/// Resolves what is asked for; what comes of it does not depend on any database.
#[derive(Debug)]
pub struct Resolver<'a> {
    installed: &'a Installed,
    environment: &'a Environment,
    items: BTreeMap<(String, String), Item>,
}

impl<'a> Resolver<'a> {
    /// Against what is installed for an interpreter.
    pub fn new(installed: &'a Installed, environment: &'a Environment) -> Resolver<'a> {
        Resolver { installed, environment, items: BTreeMap::new() }
    }

    /// Takes an import of a module that no file beside the script has. One that the script goes on without is left out
    /// where it is not there.
    pub fn import(&mut self, module: &str, is_optional: bool, place: &Place) {
        if is_standard(module, self.environment.python.1) {
            return;
        }
        let providers = self.installed.providers(module);
        if providers.is_empty() && !is_optional {
            let top = module.split('.').next().unwrap_or_default();
            let why = format!("no installed distribution has the module `{top}`");
            self.add(top, Err(why), place, &[]);
        }
        for distribution in providers {
            self.closure(distribution, &[], place);
        }
    }

    /// Takes what a file asks for; of a requirement that names no version, one that `constraints` names.
    pub fn ask(&mut self, ask: &Ask, constraints: &BTreeMap<Name, Version>, place: &Place) {
        match ask {
            Ask::Locked(name, version) => {
                let version = Version::parse(version).ok_or_else(|| format!("`{version}` is no version"));
                self.add(name.as_str(), version, place, &[]);
            }
            Ask::Requirement(requirement) => self.requirement(requirement, constraints, place),
            Ask::Unknown(text, why) => self.add(text, Err(why.clone()), place, &[]),
            Ask::File(_) | Ask::Constraints(_) => {}
        }
    }

    fn requirement(
        &mut self,
        requirement: &Requirement,
        constraints: &BTreeMap<Name, Version>,
        place: &Place,
    ) {
        if requirement.applies(self.environment, &[]) == Applies::No {
            return;
        }
        let name = &requirement.name;
        if requirement.url.is_some() {
            return self.add(
                name.as_str(),
                Err("it is named by a URL, not by a version".to_owned()),
                place,
                &[],
            );
        }
        let there = self.installed.get(name);
        let installed = self.installed.version(name);
        let constrained = constraints.get(name).filter(|version| requirement.specifiers.contains(version));
        let pin = requirement.specifiers.pin().or_else(|| constrained.cloned());
        match (pin, there, installed) {
            (Some(pin), there, installed) if installed.as_ref() != Some(&pin) || there.is_none() => {
                self.add(name.as_str(), Ok(pin), place, &[]);
            }
            (_, Some(there), Some(installed)) if requirement.specifiers.contains(&installed) => {
                self.closure(there, &requirement.extras, place);
            }
            (_, Some(there), _) => {
                let why =
                    format!("no version is pinned, and {}, which is installed, does not fit", there.version);
                self.add(name.as_str(), Err(why), place, &[]);
            }
            (_, None, _) => {
                self.add(
                    name.as_str(),
                    Err("no version is pinned, and none is installed".to_owned()),
                    place,
                    &[],
                );
            }
        }
    }

    /// Takes an installed distribution, and all that it asks for, as far as it is installed.
    fn closure(&mut self, first: &'a Distribution, extras: &[Name], place: &Place) {
        let mut ahead = VecDeque::from([(first, extras.to_vec(), Vec::<Name>::new())]);
        let mut seen: HashSet<(&Name, Vec<Name>)> = HashSet::new();
        while let Some((distribution, extras, through)) = ahead.pop_front() {
            if !seen.insert((&distribution.name, extras.clone())) {
                continue;
            }
            let version = Version::parse(&distribution.version);
            let version = version.ok_or_else(|| format!("`{}` is no version", distribution.version));
            self.add(distribution.name.as_str(), version, place, &through);
            let through: Vec<Name> = through.into_iter().chain([distribution.name.clone()]).collect();
            for text in &distribution.unread {
                self.add(text, Err("it is no requirement".to_owned()), place, &through);
            }
            for requirement in &distribution.requires {
                let applies = requirement.applies(self.environment, &extras);
                match self.installed.get(&requirement.name) {
                    _ if applies == Applies::No => {}
                    Some(next) => ahead.push_back((next, requirement.extras.clone(), through.clone())),
                    None if applies == Applies::Yes => {
                        let why = "it is asked for and not installed".to_owned();
                        self.add(requirement.name.as_str(), Err(why), place, &through);
                    }
                    None => {}
                }
            }
        }
    }

    fn add(&mut self, name: &str, version: Result<Version, String>, place: &Place, through: &[Name]) {
        let key = match &version {
            Ok(version) => version.to_string(),
            Err(why) => format!("?{why}"),
        };
        let item = self.items.entry((name.to_owned(), key));
        let item = item.or_insert_with(|| Item { name: name.to_owned(), version, sources: BTreeMap::new() });
        item.sources.entry(place.clone()).or_insert_with(|| through.to_vec());
    }

    /// The names that a database is to be asked about.
    pub fn names(&self) -> HashSet<Name> {
        let known = self.items.values().filter(|item| item.version.is_ok());
        known.filter_map(|item| Name::new(&item.name)).collect()
    }

    pub(crate) fn into_items(self) -> impl Iterator<Item = Item> {
        self.items.into_values()
    }
}

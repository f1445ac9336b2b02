//! Lists of requirements and lock files, with the lists that they name.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use waxcell_dependencies::{Ask, Lock, Name, Place, Resolver, Version, Wanted, requirements};

use super::bounded_text;

/// The largest file that is read: a lock file of some thousand packages, with all their hashes, has some megabytes.
const MAX_FILE: u64 = 64 << 20;

/// A list may name others; so many are read.
const MAX_FILES: usize = 100;

/// Has a resolver take what a file asks for.
pub(super) fn read(path: &Path, resolver: &mut Resolver<'_>, gaps: &mut Vec<String>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(lock) = Lock::of_file(&name) {
        match bounded_text(path, MAX_FILE).and_then(|text| lock.read(&text)) {
            Ok(wanted) => ask(path, &wanted, &BTreeMap::new(), resolver),
            Err(why) => gaps.push(format!("`{}` cannot be read: {why}", path.display())),
        }
        return;
    }
    let mut lists = Lists {
        root: path.parent().unwrap_or(Path::new("")),
        read: Vec::new(),
        constraints: BTreeMap::new(),
        gaps,
    };
    lists.follow(path);
    for (path, wanted) in &lists.read {
        ask(path, wanted, &lists.constraints, resolver);
    }
}

fn ask(path: &Path, wanted: &[Wanted], constraints: &BTreeMap<Name, Version>, resolver: &mut Resolver<'_>) {
    for one in wanted {
        let place = Place { file: path.to_string_lossy().into_owned(), line: one.line, column: 1 };
        resolver.ask(&one.ask, constraints, &place);
    }
}

/// A list and those that it names.
struct Lists<'a> {
    /// The folder of the first; what is outside of it is not read because a list says so.
    root: &'a Path,
    read: Vec<(PathBuf, Vec<Wanted>)>,
    constraints: BTreeMap<Name, Version>,
    gaps: &'a mut Vec<String>,
}

impl Lists<'_> {
    fn follow(&mut self, first: &Path) {
        let mut seen = HashSet::new();
        let mut ahead = vec![(first.to_owned(), false)];
        while let Some((path, only_versions)) = ahead.pop() {
            if !seen.insert((path.clone(), only_versions)) {
                continue;
            }
            if seen.len() > MAX_FILES {
                self.gaps.push(format!("`{}` names more than {MAX_FILES} other lists", first.display()));
                return;
            }
            let text = match bounded_text(&path, MAX_FILE) {
                Ok(text) => text,
                Err(why) => {
                    self.gaps.push(format!("`{}` cannot be read: {why}", path.display()));
                    continue;
                }
            };
            let wanted = requirements(&text);
            for one in &wanted {
                let (named, only) = match &one.ask {
                    Ask::File(named) => (named, only_versions),
                    Ask::Constraints(named) => (named, true),
                    Ask::Requirement(requirement) if only_versions => {
                        if let Some(pin) = requirement.specifiers.pin() {
                            self.constraints.insert(requirement.name.clone(), pin);
                        }
                        continue;
                    }
                    _ => continue,
                };
                match self.within(&path, named) {
                    Some(named) => ahead.push((named, only)),
                    None => self.gaps.push(format!(
                        "{}:{}: `{named}` is not in the folder of `{}`, and not read",
                        path.display(),
                        one.line,
                        first.display()
                    )),
                }
            }
            if !only_versions {
                self.read.push((path, wanted));
            }
        }
    }

    /// A list that another names, if it lies in the folder, whatever links are on the way.
    fn within(&self, from: &Path, named: &str) -> Option<PathBuf> {
        if named.contains("://") {
            return None;
        }
        let path = from.parent().unwrap_or(Path::new("")).join(named);
        let root = if self.root.as_os_str().is_empty() { Path::new(".") } else { self.root };
        let (root, real) = (root.canonicalize().ok()?, path.canonicalize());
        // One that is not there is told when it is read.
        real.map_or(true, |real| real.starts_with(&root)).then_some(path)
    }
}

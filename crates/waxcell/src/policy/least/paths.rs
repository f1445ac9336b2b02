//! Which entries of `filesystem.allowed_paths` it takes for what scripts do to paths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use waxcell_analysis::{Base, Capability, Target};
use waxcell_operations::Operation;

use super::{Least, Used};
use crate::credentials;
use crate::edit::Edit;
use crate::gate::plain;
use crate::policy::amend::FILE_NAME;
use crate::policy::{HOME, PathAccess};
use crate::view;

/// Places that every run has for itself.
const SCRATCH: [&str; 5] = ["/tmp", "/var/tmp", "/dev", "/proc", HOME];

/// What paths of scripts take.
#[derive(Default)]
pub(super) struct Grants {
    /// Entries, as they are written.
    pub(super) paths: BTreeMap<String, Grant>,
    /// Operations that must not be blocked.
    pub(super) operations: BTreeMap<Operation, Vec<String>>,
    /// What no entry is made for, and where.
    pub(super) notes: Vec<(String, Vec<String>)>,
}

pub(super) struct Grant {
    pub(super) access: PathAccess,
    pub(super) evidence: Vec<String>,
}

pub(super) fn grants(least: &Least<'_>) -> Grants {
    let mut grants = Grants::default();
    let mut writes: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut reads: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for (script, entry) in least.entries() {
        let (Target::Path { path, base }, Some(operation)) = (&entry.target, entry.operation) else {
            continue;
        };
        if operation == Operation::IpcUnix {
            continue;
        }
        let evidence = least.evidence(script, &entry.places);
        let Some(path) = path else {
            let verb = if operation == Operation::FsRead { "reads" } else { "changes" };
            let what = format!(
                "{verb} a path that is only known when it runs; name it here if it lies beyond the project"
            );
            note(&mut grants, what, evidence);
            continue;
        };
        let is_lasting =
            place(least, script, path, *base).is_some_and(|place| !is_scratch(&place, least.root));
        match operation {
            _ if !is_lasting => {
                if *base == Base::Home && operation == Operation::FsRead {
                    let what = format!(
                        "reads `~/{path}`; a run has a home folder of its own, so name it by its absolute path"
                    );
                    note(&mut grants, what, evidence);
                }
            }
            Operation::FsRead => {
                if let Some(place) = place(least, script, path, *base)
                    && is_hidden(&place, least.root, entry.places.iter().any(|place| !place.optional))
                {
                    reads.entry(place).or_default().extend(evidence);
                }
            }
            _ => {
                grants.operations.entry(operation).or_default().extend(evidence.clone());
                if let Some(place) = written(least, script, path, *base, entry, operation) {
                    writes.entry(place).or_default().extend(evidence);
                }
            }
        }
    }
    writes.retain(|path, evidence| {
        let can_be = Edit::add_path(path, PathAccess::Write, least.root).is_some();
        if !can_be {
            note(&mut grants, cannot(path), std::mem::take(evidence));
        }
        can_be
    });
    // What lies within another is there with it.
    let outer: BTreeSet<PathBuf> = writes.keys().cloned().collect();
    let is_within = |path: &Path| path.ancestors().skip(1).any(|above| outer.contains(above));
    for (path, evidence) in &writes {
        let at = match path.ancestors().skip(1).filter(|above| outer.contains(*above)).last() {
            Some(outermost) => outermost.to_owned(),
            None => path.clone(),
        };
        grants.add(&at, PathAccess::Write, evidence.clone(), least.root);
    }
    if outer.iter().any(|path| least.root.starts_with(path)) {
        // It lies there itself, and no script may change the rules that it is held to.
        let own = least.root.join(FILE_NAME);
        grants.add(&own, PathAccess::Read, vec!["the policy itself".to_owned()], least.root);
    }
    for (path, evidence) in reads {
        if !outer.contains(&path) && !is_within(&path) {
            grants.add(&path, PathAccess::Read, evidence, least.root);
        }
    }
    grants
}

fn note(grants: &mut Grants, what: String, evidence: Vec<String>) {
    match grants.notes.iter_mut().find(|(known, _)| *known == what) {
        Some((_, all)) => all.extend(evidence),
        None => grants.notes.push((what, evidence)),
    }
}

impl Grants {
    fn add(&mut self, path: &Path, access: PathAccess, evidence: Vec<String>, root: &Path) {
        match Edit::add_path(path, access, root) {
            Some(Edit::AddPath { path, access }) => {
                let grant = self.paths.entry(path).or_insert(Grant { access, evidence: Vec::new() });
                grant.evidence.extend(evidence);
            }
            _ => {
                let what =
                    format!("needs `{}`, which no policy can give", super::line(&path.to_string_lossy()));
                note(self, what, evidence);
            }
        }
    }
}

fn cannot(path: &Path) -> String {
    format!("needs `{}`, which no policy can give", super::line(&path.to_string_lossy()))
}

/// The path, or the folder that everything of a pattern lies in.
fn place(least: &Least<'_>, script: &Used, path: &str, base: Base) -> Option<PathBuf> {
    let known = match path.find('*') {
        None => path,
        Some(at) => &path[..path[..at].rfind('/').map_or(0, |slash| slash.max(1))],
    };
    match base {
        Base::Cwd => plain(&least.cwd.join(known)),
        Base::Script => plain(&script.folder.join(known)),
        Base::Home => None,
    }
}

/// What has to be writable for an operation.
fn written(
    least: &Least<'_>,
    script: &Used,
    path: &str,
    base: Base,
    entry: &Capability,
    operation: Operation,
) -> Option<PathBuf> {
    let at = place(least, script, path, base)?;
    if path.contains('*') {
        return Some(at);
    }
    let folder = at.parent().map(Path::to_owned).unwrap_or_else(|| at.clone());
    let is_sure = entry.places.iter().any(|place| !place.optional);
    let writes_it =
        |other: &Capability| other.operation == Some(Operation::FsWrite) && other.target == entry.target;
    let is_file = script.capabilities.entries.iter().any(writes_it);
    Some(match operation {
        // Names are changed in their folder.
        Operation::FsDelete | Operation::FsRename | Operation::FsLink => folder,
        // A folder that must not be there before, or may be.
        Operation::FsCreate if !is_file && is_sure => folder,
        Operation::FsCreate if !is_file => at,
        // Before it is there, a file that is named can be made, and nothing else be done to it.
        Operation::FsChmod | Operation::FsChown | Operation::FsXattr => match at.exists() {
            true => at,
            false => folder,
        },
        Operation::FsWrite | Operation::FsCreate => {
            match at.is_file() || at.extension().is_some() && folder.is_dir() {
                true => at,
                false => folder,
            }
        }
        _ => at,
    })
}

fn is_scratch(path: &Path, root: &Path) -> bool {
    SCRATCH.iter().any(|scratch| path.starts_with(scratch)) && !path.starts_with(root)
}

/// Whether no run sees it unless a policy names it. What is not there, and can be done without, needs no entry.
fn is_hidden(path: &Path, root: &Path, is_needed: bool) -> bool {
    let is_one = match path.strip_prefix(root) {
        Ok(inside) => credentials::is_in_one(inside),
        Err(_) => !view::shows_of_system(path) && !root.starts_with(path),
    };
    is_one && (is_needed || path.exists())
}

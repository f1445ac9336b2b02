//! Paths that are not there for a run, or not for this.

use std::path::{Path, PathBuf};

use waxcell_analysis::{Base, Capabilities, Target};
use waxcell_operations::Operation;

use super::{Need, Seen};
use crate::credentials;
use crate::edit::Edit;
use crate::policy::{HOME, PathAccess, PathRule, Policy};
use crate::view;

/// Scratch space and devices: there in every run, and writable.
const SCRATCH: [&str; 5] = ["/tmp", "/var/tmp", "/dev", "/proc", HOME];

pub(super) fn needs(
    operation: Operation,
    path: &str,
    base: Base,
    all: &Capabilities,
    policy: &Policy,
    seen: &Seen<'_>,
) -> Option<Need> {
    let place = Place::of(path, base, seen)?;
    let shown = if base == Base::Home { format!("~/{path}") } else { path.to_owned() };
    let shown = if shown.is_empty() { ".".to_owned() } else { shown };
    match operation {
        Operation::FsRead if base == Base::Home => home(&shown, all),
        Operation::FsRead => read(&place, &shown, policy, seen),
        Operation::FsMknod | Operation::FsMount | Operation::FsLock => Some((
            format!("would {}, and no run may do that (`{operation}`)", operation.summary()),
            Vec::new(),
        )),
        _ if base == Base::Home => None,
        _ => write(operation, &place, &shown, policy),
    }
}

/// A path, or what all paths of a pattern have in common.
struct Place {
    /// The path itself; of a pattern, the folder that all of them lie in.
    path: PathBuf,
    is_whole: bool,
}

impl Place {
    fn of(path: &str, base: Base, seen: &Seen<'_>) -> Option<Place> {
        let known = match path.find('*') {
            None => path,
            Some(at) => &path[..path[..at].rfind('/').map_or(0, |slash| slash.max(1))],
        };
        let base = match base {
            Base::Cwd => seen.cwd,
            Base::Script => seen.script,
            Base::Home => Path::new(HOME),
        };
        Some(Place { path: plain(&base.join(known))?, is_whole: !path.contains('*') })
    }

    /// The path, and what it is if links are followed.
    fn both(&self) -> impl Iterator<Item = PathBuf> {
        let above = self.path.parent().and_then(|folder| folder.canonicalize().ok());
        let real = above.and_then(|folder| Some(folder.join(self.path.file_name()?)));
        [Some(self.path.clone()), self.path.canonicalize().ok(), real].into_iter().flatten()
    }
}

/// Without `..`; nothing for what leads above `/`.
pub(crate) fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            std::path::Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain.is_absolute().then_some(plain)
}

/// A file in the home folder. A run has a new one of its own: what it does not write there is not there.
fn home(shown: &str, all: &Capabilities) -> Option<Need> {
    let writes = all.entries.iter().any(|entry| {
        matches!(&entry.target, Target::Path { base: Base::Home, .. })
            && entry.operation.is_some_and(|operation| operation != Operation::FsRead)
    });
    // The folder itself is there.
    let is_file = shown != "~/" && shown != "~/*";
    (is_file && !writes).then(|| {
        let why = "and a run has a home folder of its own, which is empty: name what it needs by its absolute path in filesystem.allowed_paths";
        (format!("reads `{shown}`, {why}"), Vec::new())
    })
}

fn read(place: &Place, shown: &str, policy: &Policy, seen: &Seen<'_>) -> Option<Need> {
    let root = &policy.project_root;
    let edits = || Edit::add_path(&place.path, PathAccess::Read, root).into_iter().collect::<Vec<_>>();
    let rule = rule_of(policy, &place.path);
    if let Some(rule) = rule.filter(|rule| rule.access == PathAccess::None) {
        let is_named = place.is_whole || !has_below(policy, &place.path);
        return is_named
            .then(|| (format!("reads `{shown}`, and this policy withholds `{}`", rule.written), edits()));
    }
    if rule.is_some() {
        return None;
    }
    let in_project = seen.project.and_then(|project| place.path.strip_prefix(project).ok());
    if place.is_whole && in_project.is_some_and(credentials::is_in_one) {
        return Some((
            format!("reads `{shown}`, which may hold credentials, and this policy does not name it"),
            edits(),
        ));
    }
    if place.both().any(|path| is_shown(&path, policy, seen)) {
        return None;
    }
    Some((format!("reads `{shown}`, which no run sees unless its policy names it"), edits()))
}

fn write(operation: Operation, place: &Place, shown: &str, policy: &Policy) -> Option<Need> {
    let does = match operation {
        Operation::FsDelete => "removes",
        Operation::FsRename => "renames",
        Operation::FsLink => "links",
        Operation::FsChmod => "changes the mode of",
        Operation::FsChown => "changes the owner of",
        Operation::FsXattr => "changes attributes of",
        _ => "writes to",
    };
    let is_scratch = |path: &Path| {
        rule_of(policy, path).is_none_or(PathRule::is_private)
            && SCRATCH.iter().any(|scratch| path.starts_with(scratch))
            && !path.starts_with(&policy.project_root)
    };
    let writable = |path: PathBuf| {
        is_scratch(&path) || rule_of(policy, &path).is_some_and(|rule| rule.access == PathAccess::Write)
    };
    let is_writable = place.both().any(writable) || !place.is_whole && has_below(policy, &place.path);
    if !is_writable {
        let mut edits: Vec<Edit> =
            Edit::add_path(&place.path, PathAccess::Write, &policy.project_root).into_iter().collect();
        if policy.filesystem.blocked.contains(&operation) {
            edits.push(Edit::unblock(operation));
        }
        return Some((format!("{does} `{shown}`, where this policy allows no writing"), edits));
    }
    let is_lasting = rule_of(policy, &place.path).is_some_and(PathRule::is_lasting_write);
    let is_blocked = is_lasting && policy.filesystem.blocked.contains(&operation);
    is_blocked.then(|| {
        let name = operation.aliases().first().copied().unwrap_or(operation.name());
        (format!("{does} `{shown}`, and this policy blocks `{name}`"), vec![Edit::unblock(operation)])
    })
}

/// The entry of the policy that holds for a path.
fn rule_of<'p>(policy: &'p Policy, path: &Path) -> Option<&'p PathRule> {
    policy.filesystem.paths.iter().rev().find(|rule| path.starts_with(&rule.path))
}

/// Whether the policy says something about a part of this folder.
fn has_below(policy: &Policy, folder: &Path) -> bool {
    policy
        .filesystem
        .paths
        .iter()
        .any(|rule| rule.access == PathAccess::Write && rule.path.starts_with(folder))
}

/// Whether a run sees this path without its policy naming it.
fn is_shown(path: &Path, policy: &Policy, seen: &Seen<'_>) -> bool {
    let is_on_the_way = |shown: &Path| shown.starts_with(path);
    let shown = seen
        .project
        .into_iter()
        .chain(seen.roots.iter().map(PathBuf::as_path))
        .chain([seen.cwd, seen.script]);
    let of_policy = policy.filesystem.paths.iter().map(|rule| rule.path.as_path());
    SCRATCH.iter().any(|scratch| path.starts_with(scratch))
        || seen.project.is_some_and(|project| path.starts_with(project))
        || seen.roots.iter().any(|root| path.starts_with(root))
        || view::shows_of_system(path)
        || shown.chain(of_policy).any(is_on_the_way)
}

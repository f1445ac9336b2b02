//! Planning for a host that lets nobody make namespaces: no file system can be put together, so what a script may
//! reach is a list of rules for Landlock (decision 0015).
//!
//! Such rules add up along a path, and none takes anything away. What lies below an allowed folder and may do less
//! than it ([`show`]) is therefore gone around: the folder is allowed only what all below it may have in common, and
//! its entries get the rest one by one. Where that cannot be, there is no run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use waxcell_sandbox::{Access, HostFeatures, Mount};

use crate::plan_error::PlanError;
use crate::policy::{Degradation, Policy};
use crate::run::Caller;

/// Entries of folders that are gone around, at most.
const MOST_ENTRIES: usize = 20_000;

/// Whether a run under this policy has to do without namespaces here. Only a policy that accepts it costs the trial.
pub(crate) fn is_needed(policy: &Policy) -> bool {
    policy.degrade.contains(&Degradation::Namespaces) && !HostFeatures::quick().user_namespaces
}

/// What the policy allows and root cannot have without namespaces: the script is another user then, and what it writes
/// would be that user's.
pub(crate) fn refuse_for_root(policy: &Policy, caller: &Caller) -> Result<(), PlanError> {
    match policy.filesystem.paths.iter().find(|rule| rule.is_lasting_write()) {
        Some(rule) if caller.uid == 0 => {
            Err(PlanError::ForeignFiles { written: rule.written.clone(), line: rule.line })
        }
        _ => Ok(()),
    }
}

/// Folders for scratch space in the run's own folder: what stands for `/tmp`, and the home folder.
pub(crate) fn scratch(folder: &Path) -> [(PathBuf, u32); 2] {
    [(folder.join("tmp"), 0o700), (folder.join("home"), 0o700)]
}

/// What may be done in a place; `None`: nothing but to list it.
type Wanted = BTreeMap<PathBuf, Option<Access>>;

/// From binds of which the most specific holds, and covers, to rules that add up.
pub(crate) fn show(binds: &[Mount], covers: &[PathBuf]) -> Result<Vec<Mount>, PlanError> {
    let mut wanted = Wanted::new();
    for mount in binds {
        if let Mount::Bind { target, access, .. } = mount {
            wanted.insert(target.clone(), Some(*access));
        }
    }
    wanted.extend(covers.iter().map(|path| (path.clone(), None)));
    let mut shown = Shown { wanted: &wanted, rules: Vec::new(), left: MOST_ENTRIES };
    shown.inside(Path::new("/"), None)?;
    Ok(shown.rules)
}

struct Shown<'w> {
    wanted: &'w Wanted,
    rules: Vec<Mount>,
    left: usize,
}

impl Shown<'_> {
    /// Allows `access` at and below `path`, where `above` is allowed already.
    fn place(&mut self, path: &Path, access: Access, above: Option<Access>) -> Result<(), PlanError> {
        let mut common = access;
        for (inner, wanted) in self.below(path) {
            common = meet(common, wanted.unwrap_or(Access::List));
            if matches!(access, Access::Write | Access::WriteExecute) && common != access {
                return Err(PlanError::HoleInWritable { path: path.to_owned(), hole: inner.to_owned() });
            }
        }
        if above.is_none_or(|above| meet(above, common) != common) {
            self.rules.push(rule(path, common));
        }
        if common == access {
            // Only what lies below and may do more is left.
            return self.inside(path, Some(common));
        }
        let entries = fs::read_dir(path)
            .and_then(|entries| entries.collect::<io::Result<Vec<_>>>())
            .map_err(|source| PlanError::Unlisted { path: path.to_owned(), source })?;
        self.left =
            self.left.checked_sub(entries.len()).ok_or_else(|| PlanError::TooManyRules(path.to_owned()))?;
        for entry in entries {
            let inner = entry.path();
            match self.wanted.get(&inner) {
                Some(None) => self.inside(&inner, Some(common))?,
                Some(Some(wanted)) => self.place(&inner, *wanted, Some(common))?,
                // Where a link leads is decided by what is allowed there.
                None if entry.file_type().is_ok_and(|kind| kind.is_symlink()) => {}
                None => self.place(&inner, access, Some(common))?,
            }
        }
        Ok(())
    }

    /// Allows what is named below `path`, and nothing for `path` itself.
    fn inside(&mut self, path: &Path, above: Option<Access>) -> Result<(), PlanError> {
        for (inner, wanted) in self.nearest_below(path) {
            match wanted {
                Some(wanted) => self.place(&inner, wanted, above)?,
                None => self.inside(&inner, above)?,
            }
        }
        Ok(())
    }

    fn below<'p>(&self, path: &'p Path) -> impl Iterator<Item = (&PathBuf, &Option<Access>)> + use<'_, 'p> {
        self.wanted
            .range(path.to_owned()..)
            .skip_while(move |(inner, _)| *inner == path)
            .take_while(move |(inner, _)| inner.starts_with(path))
    }

    /// Those below `path` with no other in between.
    fn nearest_below(&self, path: &Path) -> Vec<(PathBuf, Option<Access>)> {
        let mut found: Vec<(PathBuf, Option<Access>)> = Vec::new();
        for (inner, wanted) in self.below(path) {
            // What lies within another comes right behind it.
            if !found.last().is_some_and(|(other, _)| inner.starts_with(other)) {
                found.push((inner.clone(), *wanted));
            }
        }
        found
    }
}

/// What both allow.
fn meet(a: Access, b: Access) -> Access {
    match (a, b) {
        (a, b) if a == b => a,
        (Access::List, _) | (_, Access::List) => Access::List,
        (Access::WriteExecute, Access::Write | Access::ReadExecute) => b,
        (Access::Write | Access::ReadExecute, Access::WriteExecute) => a,
        // Reading is all that executing and writing have in common.
        _ => Access::Read,
    }
}

fn rule(path: &Path, access: Access) -> Mount {
    Mount::Bind { source: path.to_owned(), target: path.to_owned(), access, owned: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules for a tree: `allow` and `cover` below a folder, as (path, access).
    fn rules(allow: &[(&str, Access)], cover: &[&str]) -> Result<Vec<(String, Access)>, PlanError> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for folder in ["project/scripts", "project/data/inner", "project/.git/hooks"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["project/.env", "project/README", "project/.git/config", "project/data/x"] {
            fs::write(root.join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.join("project/link")).unwrap();
        let binds: Vec<Mount> = allow.iter().map(|(path, access)| rule(&root.join(path), *access)).collect();
        let covers: Vec<PathBuf> = cover.iter().map(|path| root.join(path)).collect();
        let mut found: Vec<(String, Access)> = show(&binds, &covers)?
            .into_iter()
            .map(|mount| match mount {
                Mount::Bind { target, access, .. } => {
                    (target.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), access)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        found.sort();
        Ok(found)
    }

    fn list(entries: &[(&str, Access)]) -> Vec<(String, Access)> {
        entries.iter().map(|(path, access)| ((*path).to_owned(), *access)).collect()
    }

    #[test]
    fn what_may_do_more_is_added() {
        let found = rules(&[("project", Access::Read), ("project/data", Access::Write)], &[]).unwrap();
        assert_eq!(found, list(&[("project", Access::Read), ("project/data", Access::Write)]));
        // Executing what can be written adds to executing what cannot.
        let with = [("project", Access::ReadExecute), ("project/data", Access::WriteExecute)];
        assert_eq!(rules(&with, &[]).unwrap(), list(&with));
    }

    #[test]
    fn what_may_be_written_is_not_executed_for_lying_in_the_project() {
        let found = rules(&[("project", Access::ReadExecute), ("project/data", Access::Write)], &[]).unwrap();
        let expected = list(&[
            ("project", Access::Read),
            ("project/.env", Access::ReadExecute),
            ("project/.git", Access::ReadExecute),
            ("project/README", Access::ReadExecute),
            ("project/data", Access::Write),
            ("project/scripts", Access::ReadExecute),
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_covered_is_gone_around() {
        let found = rules(
            &[("project", Access::ReadExecute), ("project/data", Access::Write)],
            &["project/.env", "project/.git/hooks"],
        );
        let expected = list(&[
            ("project", Access::List),
            ("project/.git/config", Access::ReadExecute),
            ("project/README", Access::ReadExecute),
            ("project/data", Access::Write),
            ("project/scripts", Access::ReadExecute),
        ]);
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn a_hole_in_what_may_be_written_is_refused() {
        for (allow, cover) in [
            (vec![("project/data", Access::Write)], vec!["project/data/x"]),
            (vec![("project/data", Access::Write), ("project/data/inner", Access::ReadExecute)], vec![]),
            (vec![("project/data", Access::WriteExecute), ("project/data/inner", Access::Write)], vec![]),
        ] {
            let refused = rules(&allow, &cover);
            assert!(matches!(refused, Err(PlanError::HoleInWritable { .. })), "{refused:?}");
        }
    }

    #[test]
    fn an_allowed_folder_in_a_covered_one_is_allowed() {
        let found =
            rules(&[("project", Access::Read), ("project/.git/hooks", Access::Read)], &["project/.git"])
                .unwrap();
        assert!(found.contains(&("project/.git/hooks".to_owned(), Access::Read)), "{found:?}");
        assert!(!found.iter().any(|(path, _)| path == "project/.git" || path == "project/.git/config"));
    }
}

//! Folders that a script may write to and must not rename: those between a writable path and what is withheld below it.
//!
//! What is withheld is mounted over its place, and goes with its folder. A script that renamed the folder could put
//! another into its place, with content of its own where the policy says that it may not write. A mount point cannot be
//! renamed, so each of these folders becomes one, of itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use waxcell_sandbox::{Access, Mount};

/// The folders that stay in their place. `withheld` are places that the script may not write to, beside
/// those that `binds` say it of; what lies within one that is covered is out of reach.
pub(crate) fn pins(binds: &[Mount], covers: &[PathBuf], script: &Path) -> Vec<Mount> {
    let access = |mount: &Mount| match mount {
        Mount::Bind { target, access, .. } => Some((target.clone(), *access)),
        _ => None,
    };
    let binds: Vec<(PathBuf, Access)> = binds.iter().filter_map(access).collect();
    let is_writable = |access: Access| matches!(access, Access::Write | Access::WriteExecute);
    let shown = binds.iter().filter(|(_, access)| !is_writable(*access)).map(|(path, _)| path.as_path());
    let mut pinned: BTreeSet<PathBuf> = binds.iter().map(|(path, _)| path.clone()).collect();
    let mut pins = Vec::new();
    for path in shown.chain(covers.iter().map(PathBuf::as_path)).chain([script]) {
        let above = |other: &Path| path != other && path.starts_with(other);
        let around = binds.iter().filter(|(bind, _)| above(bind));
        let Some((writable, access)) = around.max_by_key(|(bind, _)| bind.components().count()) else {
            continue;
        };
        let is_hidden = covers.iter().any(|cover| above(cover) && cover.starts_with(writable));
        if !is_writable(*access) || is_hidden {
            continue;
        }
        for folder in path.ancestors().skip(1).take_while(|folder| folder != writable) {
            if pinned.insert(folder.to_owned()) {
                pins.push(Mount::Pin { target: folder.to_owned() });
            }
        }
    }
    pins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::bind;

    #[track_caller]
    fn check(binds: &[(&str, Access)], covers: &[&str], expected: &[&str]) {
        let bind = |(path, access): &(&str, Access)| bind(Path::new(path), *access, true);
        let binds: Vec<Mount> = binds.iter().map(bind).collect();
        let covers: Vec<PathBuf> = covers.iter().map(PathBuf::from).collect();
        let mut found = pins(&binds, &covers, Path::new("/p/scripts/x.py"));
        found.sort_by_key(|mount| mount.target().map(Path::to_owned));
        let pin = |path: &&str| Mount::Pin { target: PathBuf::from(path) };
        assert_eq!(found, expected.iter().map(pin).collect::<Vec<_>>());
    }

    #[test]
    fn folders_between_a_writable_path_and_what_is_withheld_are_pinned() {
        use Access::{ReadExecute, Write, WriteExecute};
        let project = ("/p", ReadExecute);
        check(&[project, ("/p/data", Write)], &["/p/.git/hooks"], &[]);
        check(&[project, ("/p/data", Write), ("/p/data/votes", ReadExecute)], &["/p/data/.env"], &[]);
        check(
            &[project, ("/p/data", Write), ("/p/data/a/b/votes", ReadExecute)],
            &["/p/data/a/.env", "/p/data/keys/id_rsa"],
            &["/p/data/a", "/p/data/a/b", "/p/data/keys"],
        );
        check(&[("/p", Write)], &["/p/.git/hooks"], &["/p/.git", "/p/scripts"]);
        check(&[project, ("/p/a", Write), ("/p/a/b", WriteExecute)], &["/p/a/b/c/.env"], &["/p/a/b/c"]);
        // What is covered is not opened again for something in it.
        check(&[project, ("/p/data", Write)], &["/p/data/no", "/p/data/no/deep/.env"], &[]);
        check(
            &[project, ("/p/data", Write), ("/p/data/no/yes", Write)],
            &["/p/data/no", "/p/data/no/yes/a/.env"],
            &["/p/data/no/yes/a"],
        );
    }
}

//! Folders that a script may write to and must not rename: those between a writable path and what is withheld below it.
//!
//! What is withheld is mounted over its place, and goes with its folder. A script that renamed the folder could put
//! another into its place, with content of its own where the policy says that it may not write. A mount point cannot be
//! renamed, so each of these folders becomes one, of itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use waxcell_sandbox::{Access, Mount, PathMap};

/// The folders that stay in their place. `covers` and the script are places that it may not write to, beside
/// those that `binds` say it of; what lies within one that is covered is out of reach.
pub(crate) fn pins(binds: &PathMap<'_, Access>, covers: &[PathBuf], script: &Path) -> Vec<Mount> {
    let is_writable = |access: Access| matches!(access, Access::Write | Access::WriteExecute);
    let shown = binds.iter().filter(|(_, access)| !is_writable(**access)).map(|(path, _)| path);
    let covers: PathMap<'_, ()> = covers.iter().map(|path| (path.as_path(), ())).collect();
    let mut pinned: BTreeSet<&Path> = BTreeSet::new();
    let mut pins = Vec::new();
    for path in shown.chain(covers.iter().map(|(path, ())| path)).chain([script]) {
        let Some((writable, access)) = binds.above(path).next() else { continue };
        let is_hidden = covers.above(path).next().is_some_and(|(cover, ())| cover.starts_with(writable));
        if !is_writable(*access) || is_hidden {
            continue;
        }
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != writable) {
            if pinned.insert(folder) {
                pins.push(Mount::Pin { target: folder.to_owned() });
            }
        }
    }
    pins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(binds: &[(&str, Access)], covers: &[&str], expected: &[&str]) {
        let binds: PathMap<'_, Access> =
            binds.iter().map(|(path, access)| (Path::new(*path), *access)).collect();
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

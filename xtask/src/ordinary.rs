//! The tests that face the kernel, a second time, as a user without any privilege. Root may do so much that a test
//! that passes as root says little about everybody else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::shell::{Done, at, program, root, run};
use crate::skips::{self, List};
use crate::test::Built;

/// A user that exists nowhere else, not even as the foreign owner in a test.
pub(crate) const USER: u32 = 23456;

/// Whose integration tests run again.
const PACKAGES: [&str; 4] = ["waxcell-sandbox", "waxcell-cli", "waxcell-journal", "waxcell-egress"];

/// Copies what the tests need to where everybody can read it, and runs them there.
pub(crate) fn test(built: &[Built], python: &Path, skipped: &mut List) -> Done {
    let place = Place::new()?;
    let tree = place.0.join("tree");
    for part in ["examples", "docs", "attacks/world"] {
        copy(&root().join(part), &tree.join(part))?;
    }
    for package in PACKAGES.map(|package| Path::new("crates").join(package)) {
        copy(&root().join(&package), &tree.join(&package))?;
    }
    let environment = python.parent().and_then(Path::parent).ok_or("the test Python is in no environment")?;
    copy(environment, &place.0.join("python"))?;
    let waxcell = place.take(built, "waxcell")?;
    // Tests look for it beside themselves.
    place.take(built, "waxcell-verify")?;
    let skips = place.0.join("tmp/skips.txt");

    let mut failed = Vec::new();
    let tests = built.iter().filter(|built| built.is_test && PACKAGES.contains(&built.package.as_str()));
    for test in tests {
        let executable = place.0.join(format!("{}-{}", test.package, test.name));
        at(&executable, fs::copy(&test.executable, &executable))?;
        let package = tree.join("crates").join(&test.package);
        let mut command = as_ordinary_user(&executable);
        command
            .current_dir(&package)
            .env("CARGO_MANIFEST_DIR", &package)
            .env("HOME", place.0.join("home"))
            .env("TMPDIR", place.0.join("tmp"))
            .env("XDG_CACHE_HOME", place.cache())
            .env("WAXCELL_BIN", &waxcell)
            .env("WAXCELL_TREE", &tree)
            .env("WAXCELL_TEST_PYTHON", place.0.join("python/bin/python3"))
            // All of it takes minutes, and it ran as root already.
            .env("WAXCELL_STDLIB", "few")
            .env("WAXCELL_FAULTS", "few")
            .envs(skips::VARIABLES.map(|name| (name, &skips)));
        if let Err(why) = run(&mut command) {
            failed.push(why);
        }
    }
    skipped.take_in(&skips)?;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// A program under the ordinary user's ids, without a group or privilege of ours.
pub(crate) fn as_ordinary_user(executable: &Path) -> std::process::Command {
    let mut command = program("setpriv");
    command
        .args([format!("--reuid={USER}"), format!("--regid={USER}")])
        .arg("--clear-groups")
        .arg(executable);
    for secret in ["XDG_STATE_HOME", "XDG_RUNTIME_DIR", "WAXCELL_STATE", "WAXCELL_POLICY"] {
        command.env_remove(secret);
    }
    command
}

/// A folder that everybody can read, with a home and a place for temporary files that the ordinary user can write; and
/// one that is no scratch space to a run.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Done<Place> {
        let folder = PathBuf::from(format!("/tmp/waxcell-ordinary-{}", std::process::id()));
        at(&folder, fs::create_dir(&folder))?;
        let place = Place(folder);
        at(&place.0, fs::set_permissions(&place.0, fs::Permissions::from_mode(0o755)))?;
        for name in ["home", "tmp"] {
            let folder = place.0.join(name);
            at(&folder, fs::create_dir(&folder).and_then(|()| chown(&folder, Some(USER), Some(USER))))?;
        }
        let cache = place.cache();
        at(&cache, fs::create_dir(&cache).and_then(|()| chown(&cache, Some(USER), Some(USER))))?;
        Ok(place)
    }

    /// A copy of a binary that cargo built.
    fn take(&self, built: &[Built], name: &str) -> Done<PathBuf> {
        let binary = built.iter().find(|built| built.name == name && !built.is_test);
        let binary = binary.ok_or_else(|| format!("cargo built no binary `{name}`"))?;
        let copy = self.0.join(name);
        at(&copy, fs::copy(&binary.executable, &copy)).map(|_| copy)
    }

    /// A folder of the ordinary user that is not below `/tmp`.
    pub(crate) fn cache(&self) -> PathBuf {
        Path::new("/var/cache").join(self.0.file_name().unwrap_or_default())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed stays in /tmp; the tests have told what matters.
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_dir_all(self.cache());
    }
}

/// Copies a folder, readable by everybody.
pub(crate) fn copy(from: &Path, to: &Path) -> Done {
    at(to, fs::create_dir_all(to))?;
    for entry in at(from, fs::read_dir(from))? {
        let path = at(from, entry)?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_symlink() {
            at(&target, fs::read_link(&path).and_then(|link| symlink(link, &target)))?;
        } else if path.is_dir() {
            copy(&path, &target)?;
        } else {
            at(&path, fs::copy(&path, &target))?;
            let mode = at(&path, fs::metadata(&path))?.permissions().mode();
            at(&target, fs::set_permissions(&target, fs::Permissions::from_mode(mode | 0o444)))?;
        }
    }
    Ok(())
}

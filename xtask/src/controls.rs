//! The negative controls of the attack corpus: in a build whose layers can be switched off, each case without those that
//! stop it. An attack that fails even then cannot tell whether they hold.

use std::fs;
use std::path::PathBuf;

use crate::ordinary::{Place, as_ordinary_user};
use crate::shell::{Done, at, cargo, is_root, program, run, target};

/// Builds and runs them, as root a second time as an ordinary user.
pub(crate) fn test() -> Done {
    let waxcell = build()?;
    let words = ["attack", "--without-layers"];
    let ours = run(program(&waxcell).args(words));
    if !is_root() {
        return ours;
    }
    let place = Place::new()?;
    let copy = place.0.join("waxcell");
    at(&copy, fs::copy(&waxcell, &copy))?;
    let mut command = as_ordinary_user(&copy);
    command
        .args(words)
        .current_dir("/")
        .env("HOME", place.0.join("home"))
        .env("XDG_CACHE_HOME", place.cache());
    ours.and(run(&mut command))
}

/// The test build, out of the way of the one that everything else uses.
fn build() -> Done<PathBuf> {
    let folder = target().join("switches");
    let (ordinary, waxcell) = (target().join("debug/waxcell"), folder.join("waxcell"));
    let words = ["build", "--package", "waxcell-cli", "--bin", "waxcell"];
    // In the same folder, where all that has no switches is there already. Cargo gives both builds one name.
    run(cargo(&words).args(["--features", "switches"]))?;
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::copy(&ordinary, &waxcell));
    run(&mut cargo(&words))?;
    at(&waxcell, kept).map(|_| waxcell)
}

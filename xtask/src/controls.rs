//! The negative controls of the attack corpus: in a build whose layers can be switched off, each case without those that
//! stop it. An attack that fails even then cannot tell whether they hold.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::ordinary::{Place, as_ordinary_user};
use crate::shell::{Done, at, cargo, is_root, program, run, target};

/// Builds and runs them, as root a second time as an ordinary user.
pub(crate) fn test() -> Done {
    let waxcell = build()?;
    let ours = all_turn_red(&|| program(&waxcell));
    if !is_root() {
        return ours;
    }
    let place = Place::new()?;
    let copy = place.0.join("waxcell");
    at(&copy, fs::copy(&waxcell, &copy))?;
    let home = place.0.join("home");
    let theirs = all_turn_red(&|| {
        let mut command = as_ordinary_user(&copy);
        command.current_dir("/").env("HOME", &home).env("XDG_CACHE_HOME", place.cache());
        command
    });
    ours.and(theirs)
}

/// Runs every case; those that did not turn red once more, since on a busy machine an attack can come too late.
fn all_turn_red(waxcell: &dyn Fn() -> Command) -> Done {
    let mut command = waxcell();
    println!("$ {command:?} attack --without-layers");
    let report = command.args(["--json", "attack", "--without-layers"]).output();
    let report = report.map_err(|error| format!("{command:?}: {error}"))?.stdout;
    let report: serde_json::Value =
        serde_json::from_slice(&report).map_err(|error| format!("{command:?}: no report: {error}"))?;
    let cases = report["cases"].as_array().map_or(&[][..], Vec::as_slice);
    let is_red = |case: &serde_json::Value| case["outcome"] == "escaped" || case["outcome"] == "not_holdable";
    let late: Vec<&str> =
        cases.iter().filter(|case| !is_red(case)).filter_map(|case| case["name"].as_str()).collect();
    println!("{} cases: {}", cases.len(), report["outcomes"]);
    match (cases.is_empty(), late.is_empty()) {
        (true, _) => Err("there are no cases".to_owned()),
        (_, true) => Ok(()),
        _ => run(waxcell().args(["attack", "--without-layers", "--case", &late.join(",")])),
    }
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

//! Licences, sources, duplicates and advisories of the dependencies, by cargo-deny.

use std::path::PathBuf;

use crate::shell::{Done, cargo, program, run, succeeds, target};

const VERSION: &str = "0.20.2";

pub(crate) fn check() -> Done {
    let deny = installed()?;
    let mut checked = vec!["licenses", "bans", "sources"];
    if succeeds(program(&deny).args(["fetch", "db"])) {
        checked.push("advisories");
    } else {
        println!("\n!! the advisory database cannot be fetched here: ADVISORIES WERE NOT CHECKED\n");
    }
    run(program(&deny).args(["--all-features", "check", "--hide-inclusion-graph"]).args(checked))
}

/// The cargo-deny of this workspace. A debug build: it takes a third of the time, and it runs for a second.
fn installed() -> Done<PathBuf> {
    let root = target().join("tools");
    let deny = root.join("bin/cargo-deny");
    if !succeeds(program(&deny).arg("--version")) {
        let mut install = cargo(&["install", "cargo-deny", "--version", VERSION, "--locked", "--debug"]);
        run(install
            .arg("--root")
            .arg(&root)
            .env_remove("CARGO_TARGET_DIR")
            .env("CARGO_PROFILE_DEV_DEBUG", "false"))?;
    }
    Ok(deny)
}

//! `cargo xtask foreign --sarif`, and a part of `cargo xtask foreign`: Microsoft's validator finds no fault with our SARIF, by its
//! own rules and by those of GitHub.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::shell::{Done, at, cargo, program, root, run, succeeds, target};
use crate::skips::List;

const PACKAGE: &str = "@microsoft/sarif-multitool@5.7.0";
/// The program itself; the package's own starts it by a name that depends on the machine.
const PROGRAM: &str = "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";

/// By itself, with the binary that is built then.
pub(crate) fn alone() -> Done {
    run(&mut cargo(&["build", "--package", "waxcell-cli"]))?;
    test(&target().join("debug/waxcell"), &List::new()?)
}

pub(crate) fn test(waxcell: &Path, skipped: &List) -> Done {
    let folder = target().join("foreign/sarif");
    let validator = folder.join(PROGRAM);
    if !validator.exists() {
        if !succeeds(program("npm").arg("--version")) {
            return skipped.add("foreign sarif", "the machine has no npm");
        }
        run(program("npm")
            .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
            .arg(&folder)
            .arg(PACKAGE))?;
    }
    let (log, said) = (folder.join("log.sarif"), folder.join("said.sarif"));
    // That something is found is what it is for.
    let mut check = program(waxcell);
    check.args(["check", "--format", "sarif", "--output"]).arg(&log);
    let status = check.args(["attacks", "examples", "crates"]).current_dir(root()).status();
    status.map_err(|error| format!("{check:?}: {error}"))?;
    run(program(&validator)
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .arg("validate")
        .arg(&log)
        .args(["--rule-kind", "Sarif;Ghas", "--log", "ForceOverwrite", "--output"])
        .arg(&said))?;
    let results = |path: &Path| -> Done<Vec<Value>> {
        let text = at(path, fs::read_to_string(path))?;
        // It begins with a byte-order mark.
        let log: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(log["runs"][0]["results"].as_array().cloned().unwrap_or_default())
    };
    let found = results(&log)?.len();
    match results(&said)?.first() {
        _ if found == 0 => Err("nothing was found, so that nothing was validated".to_owned()),
        Some(fault) => Err(format!("the validator finds fault with our SARIF: {fault:#}")),
        None => {
            println!("SARIF: {found} results, with which the validator finds no fault");
            Ok(())
        }
    }
}

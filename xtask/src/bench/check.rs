//! What `waxcell check` takes for a tree of scripts and for one script, against ruff and Bandit from PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::PYTHON;
use super::numbers::{median, milliseconds};
use crate::shell::{Done, at, output, program, run, target};

const PACKAGES: [&str; 2] = ["bandit==1.9.4", "ruff==0.17.6"];

/// So many lines has the one script.
const LINES: usize = 500;

/// Prints the folder of the interpreter's own library.
const LIBRARY: &str = "import os; print(os.path.dirname(os.__file__), end='')";

/// Tables for `docs/performance.md`: all in turn, so that the drift of the machine meets them alike; Bandit once.
pub(crate) fn check(waxcell: &Path, place: &Path, turns: usize) -> Done<String> {
    let venv = target().join("bench-venv");
    if !venv.join("bin/ruff").exists() {
        run(program(PYTHON).args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(program(venv.join("bin/pip")).args(["install", "--quiet"]).args(PACKAGES))?;
    }
    let library = PathBuf::from(output(program(PYTHON).args(["-c", LIBRARY]))?);
    let written = place.join("written");
    let ours = |path: &Path| {
        let mut command = program(waxcell);
        command.args(["check", "--quiet", "--output"]).arg(&written).arg(path);
        command
    };
    let ruff = || {
        let mut command = program(venv.join("bin/ruff"));
        command.args(["check", "--no-cache", "--isolated", "--select", "S", "--quiet", "--output-file"]);
        command.arg(&written).arg(&library);
        command
    };
    let mut bandit = program(venv.join("bin/bandit"));
    bandit.args(["-q", "-r", "-f", "json", "-o"]).arg(&written).arg(&library);

    let (mut one, mut other) = (Vec::new(), Vec::new());
    for _ in 0..=turns {
        one.push(seconds(&mut ours(&library))?);
        other.push(seconds(&mut ruff())?);
    }
    // The first of each fills the caches.
    let (one, other) = (median(&one[1..]), median(&other[1..]));
    let theirs = seconds(&mut bandit)?;

    let text = at(&library, fs::read_to_string(library.join("argparse.py")))?;
    let script = place.join("script.py");
    let lines: String = text.split_inclusive('\n').take(LINES).collect();
    at(&script, fs::write(&script, lines))?;
    let mut small = Vec::new();
    for _ in 0..10 * turns {
        small.push(seconds(&mut ours(&script))?);
    }
    let row = |name: &str, time: f64| format!("| {name} | {} | {:.2} |\n", milliseconds(time), time / one);
    Ok("| the standard library | ms | of waxcell |\n|---|---|---|\n".to_owned()
        + &row("waxcell check", one)
        + &row("ruff check --select S", other)
        + &row("bandit -r", theirs)
        + &format!("\n{LINES} lines, the whole process: {} ms\n", milliseconds(median(&small))))
}

/// How long it takes. That something was found is no failure.
fn seconds(command: &mut Command) -> Done<f64> {
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.map_err(|error| format!("{command:?}: {error}"))?;
    Ok(begun.elapsed().as_secs_f64())
}

//! How fast scripts are read and scanned: `cargo run --release -p waxcell-analysis --example speed -- FOLDER...`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a developer's measurement")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use waxcell_analysis::{Analysis, Profile, PythonVersion, analyse, scan};

const TARGET: PythonVersion = PythonVersion::new(3, 13);

fn main() {
    let mut scripts = Vec::new();
    for folder in std::env::args().skip(1) {
        below(Path::new(&folder), &mut scripts);
    }
    let bytes: usize = scripts.iter().map(Vec::len).sum();
    let profile = Profile::default();
    let measure = |name: &str, read: &dyn Fn(&[u8]) -> Analysis| {
        let mut findings = 0;
        let mut slowest = Duration::ZERO;
        let started = processor_time();
        for script in &scripts {
            let one = Instant::now();
            findings += read(script).findings.len();
            slowest = slowest.max(one.elapsed());
        }
        let took = processor_time() - started;
        let megabytes = bytes as f64 / 1e6;
        println!(
            "{name}: {} scripts, {megabytes:.1} MB in {took:.2} s of a core: {:.1} MB/s, {findings} findings, slowest {slowest:.2?}",
            scripts.len(),
            megabytes / took
        );
    };
    for _ in 0..3 {
        measure("analyse", &|script| analyse(script, TARGET));
        measure("scan", &|script| scan("script.py", script, TARGET, &profile));
    }
}

/// What this process has had of a core so far, in seconds: on a machine with other work, the clock says nothing.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.split_whitespace().nth(13).unwrap();
    ticks.parse::<f64>().unwrap() / 100.0
}

fn below(path: &Path, scripts: &mut Vec<Vec<u8>>) {
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().flatten().for_each(|entry| below(&entry.path(), scripts));
    } else if path.is_file() && path.extension().is_some_and(|extension| extension == "py") {
        scripts.push(fs::read(path).unwrap());
    }
}

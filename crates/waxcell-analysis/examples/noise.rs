//! What is told of scripts that are taken to be honest, beside hygiene, and how much of it for a thousand lines:
//! `cargo run --release -p waxcell-analysis --example noise -- FOLDER...`. Folders of tests are passed over.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a developer's measurement")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use waxcell_analysis::{Class, Profile, PythonVersion, scan};

fn main() {
    let (mut lines, mut count, mut refused, mut files) = (0, 0, 0, 0);
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    let mut scripts = Vec::new();
    for folder in std::env::args().skip(1) {
        below(Path::new(&folder), &mut scripts);
    }
    for (path, source) in scripts {
        let started = Instant::now();
        let analysis = scan(&path, &source, PythonVersion::NEWEST, &Profile::default());
        let took = started.elapsed();
        if took.as_millis() > 200 {
            println!("{path}: {took:.2?}");
        }
        lines += analysis.lines;
        files += 1;
        let is_grave = |class| matches!(class, Class::Threat | Class::Capability | Class::Dynamic);
        let grave: Vec<_> = analysis.findings.iter().filter(|finding| is_grave(finding.class)).collect();
        refused += usize::from(grave.iter().any(|finding| finding.class != Class::Capability));
        for finding in grave {
            println!("{path}:{}: {} {}: {}", finding.span.line, finding.class, finding.rule, finding.message);
            *by_rule.entry(finding.rule).or_default() += 1;
            count += 1;
        }
    }
    println!("{by_rule:#?}");
    println!(
        "{count} findings in {lines} lines of {files} scripts: {:.2} for a thousand lines; {refused} scripts with a threat or dynamic code",
        1000.0 * count as f64 / lines as f64
    );
}

fn below(path: &Path, scripts: &mut Vec<(String, Vec<u8>)>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.is_dir() && !path.is_symlink() {
        if !matches!(&*name, "test" | "tests" | "idle_test" | "site-packages" | "dist-packages") {
            fs::read_dir(path).unwrap().flatten().for_each(|entry| below(&entry.path(), scripts));
        }
    } else if path.is_file() && path.extension().is_some_and(|extension| extension == "py") {
        scripts.push((path.display().to_string(), fs::read(path).unwrap()));
    }
}

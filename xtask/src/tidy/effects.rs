//! Invariants 3 and 6: who prints, who starts sandboxes, who reads clock and environment.

use super::Faults;
use super::source::{Source, has};

/// Where people and their machines are met.
const EDGE: [&str; 2] = ["crates/waxcell-cli", "xtask"];

/// Build scripts talk to cargo, by variables and printed lines, and are in no program.
const BUILD_SCRIPT: &str = "/build.rs";

const PRINTING: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];

const AMBIENT: [(&str, &str); 6] = [
    ("SystemTime::now", "the clock"),
    ("env::var(", "the environment"),
    ("env::var_os(", "the environment"),
    ("env::vars(", "the environment"),
    ("env::vars_os(", "the environment"),
    ("env::current_dir(", "the working directory"),
];

/// The story of one run.
const STORY: &str = "crates/waxcell/src/run.rs";

pub(crate) fn printing(sources: &[Source]) -> Faults {
    find(sources.iter().filter(behind_the_edge), |line| {
        let word = PRINTING.into_iter().find(|word| has(line, word))?;
        Some(format!("`{word}` belongs into {}", EDGE.join(" or ")))
    })
}

pub(crate) fn ambient(sources: &[Source]) -> Faults {
    find(sources.iter().filter(behind_the_edge), |line| {
        let (_, what) = AMBIENT.into_iter().find(|(word, _)| has(line, word))?;
        Some(format!("{what} is read at the edge alone, and handed in as an argument"))
    })
}

fn behind_the_edge(source: &&Source) -> bool {
    // Programs of their own: one that measures a crate, and the auditor's.
    let is_program = source.path.contains("/examples/") || source.path.contains("/src/bin/");
    !EDGE.contains(&source.home()) && !source.path.ends_with(BUILD_SCRIPT) && !is_program
}

/// Who may name `spawn` of the sandbox: the story, and the sandbox's own tests, which are not shipped. A file that does
/// not name the sandbox's crate cannot reach it, since nobody hands it on.
pub(crate) fn spawning(sources: &[Source]) -> Faults {
    let knows_it = |source: &&Source| source.text.contains("waxcell_sandbox") && source.path != STORY;
    find(sources.iter().filter(knows_it), |line| {
        // Threads and commands have a `spawn` of their own.
        let line = line.replace("thread::spawn", "").replace(".spawn", "");
        has(&line, "spawn").then(|| format!("`spawn` of the sandbox is for {STORY} alone"))
    })
}

/// The lines of shipped code that `judge` finds fault with.
fn find<'a>(sources: impl Iterator<Item = &'a Source>, judge: impl Fn(&str) -> Option<String>) -> Faults {
    let mut faults = Vec::new();
    for source in sources {
        for (number, line) in source.shipped() {
            faults.extend(judge(line).map(|fault| format!("{}:{number}: {fault}", source.path)));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{ambient, printing, spawning};
    use crate::tidy::source::Source;

    #[test]
    fn printing_inside_is_found() {
        let code = "fn a() {\n    println!(\"x\");\n    // print!()\n}\n#[cfg(test)]\nmod tests {\n    fn b() { dbg!(1); }\n}\n";
        let check = |path: &str| printing(&[Source::new(path, code)]);
        assert_eq!(
            check("crates/waxcell/src/a.rs"),
            ["crates/waxcell/src/a.rs:2: `println!` belongs into crates/waxcell-cli or xtask"]
        );
        assert_eq!(
            (check("crates/waxcell-cli/src/a.rs").len(), check("crates/waxcell/tests/a.rs").len()),
            (0, 0)
        );
    }

    #[test]
    fn clock_and_environment_inside_are_found() {
        let code = "use std::time::SystemTime;\nlet a = SystemTime::now();\nlet b = std::env::var(\"X\");\n";
        let check = |path: &str| ambient(&[Source::new(path, code)]);
        assert_eq!(
            check("crates/waxcell/src/a.rs"),
            [
                "crates/waxcell/src/a.rs:2: the clock is read at the edge alone, and handed in as an argument",
                "crates/waxcell/src/a.rs:3: the environment is read at the edge alone, and handed in as an argument",
            ]
        );
        assert_eq!(check("xtask/src/a.rs"), [""; 0]);
        assert_eq!(check("crates/waxcell/build.rs"), [""; 0]);
    }

    #[test]
    fn a_second_caller_of_the_sandbox_is_found() {
        let check = |path: &str, code: &str| spawning(&[Source::new(path, code)]).len();
        let direct = "fn a() { waxcell_sandbox::spawn(&plan); }\n";
        assert_eq!(check("crates/waxcell/src/pool.rs", direct), 1);
        assert_eq!(check("crates/waxcell/src/pool.rs", "use waxcell_sandbox::spawn as begin;\n"), 1);
        assert_eq!(
            check("crates/waxcell/src/pool.rs", "use waxcell_sandbox::{Plan};\nfn a() { spawn(&plan); }\n"),
            1
        );
        assert_eq!(check("crates/waxcell/src/run.rs", direct), 0);
        assert_eq!(
            check("crates/waxcell/src/pool.rs", "use waxcell_sandbox::Plan;\nstd::thread::spawn(a);\n"),
            0
        );
        assert_eq!(check("crates/waxcell-sandbox/tests/run.rs", direct), 0);
    }
}

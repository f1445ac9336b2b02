//! The form of files: how long, how they begin, how tests say that they did not take place.

use super::Faults;
use super::source::Source;
use crate::skips::VARIABLES;

const MOST_LINES: usize = 600;

/// At most so many lines of head are read for the reason.
const HEAD: usize = 20;

pub(crate) fn check(sources: &[Source]) -> Faults {
    let mut faults = Vec::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().collect();
        let head = lines.iter().take(HEAD).take_while(|line| line.starts_with("//!"));
        let says_why = head.into_iter().any(|line| line.to_lowercase().contains("long"));
        if lines.len() > MOST_LINES && !says_why {
            faults.push(format!(
                "{}: {} lines; split it at its second noun, or say at the top why it is that long",
                source.path,
                lines.len()
            ));
        }
        let is_root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs");
        if is_root && !lines.first().is_some_and(|line| line.starts_with("//! ")) {
            faults.push(format!("{}: the first line says with `//!` what this crate is", source.path));
        }
    }
    faults
}

/// Whoever prints a skip also writes it where `cargo xtask test` counts it.
pub(crate) fn skips(sources: &[Source]) -> Faults {
    let counts = |source: &Source| VARIABLES.iter().any(|name| source.text.contains(name));
    let silent = |source: &&Source| source.text.contains("\"SKIPPED") && !counts(source);
    let ours = sources.iter().filter(|source| source.home() != "xtask");
    ours.filter(silent)
        .map(|source| {
            format!("{}: a skip is not appended to the file that `{}` names", source.path, VARIABLES[0])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{check, skips};
    use crate::tidy::source::Source;

    #[test]
    fn long_files_and_silent_roots_are_found() {
        let long = "x\n".repeat(601);
        let faults = check(&[
            Source::new("crates/a/src/long.rs", long.as_str()),
            Source::new(
                "crates/a/src/table.rs",
                format!("//! A table, as long as the system has calls.\n{long}"),
            ),
            Source::new("crates/a/src/lib.rs", "mod a;\n"),
            Source::new("crates/b/src/main.rs", "//! The edge.\n"),
        ]);
        assert_eq!(
            faults,
            [
                "crates/a/src/long.rs: 601 lines; split it at its second noun, or say at the top why it is that long",
                "crates/a/src/lib.rs: the first line says with `//!` what this crate is",
            ]
        );
    }

    #[test]
    fn a_skip_that_is_not_counted_is_found() {
        let silent = Source::new("crates/a/tests/x.rs", "eprintln!(\"SKIPPED: not today\");\n");
        let counted =
            Source::new("crates/a/tests/y.rs", "// WAXCELL_SKIP_LOG\nprintln!(\"SKIPPED {name}\");\n");
        assert_eq!(skips(&[silent, counted]).len(), 1);
    }
}

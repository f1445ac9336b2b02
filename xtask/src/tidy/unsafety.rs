//! Invariant 2: `unsafe` in one file, each block argued by a fact.

use super::Faults;
use super::source::{Source, has};

const HOME: &str = "crates/waxcell-sandbox/src/sys.rs";

pub(crate) fn check(sources: &[Source]) -> Faults {
    let mut faults = Vec::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.numbered().filter(|(_, line)| has(line, "unsafe")) {
            let at = format!("{}:{number}", source.path);
            if source.path != HOME {
                faults.push(format!("{at}: `unsafe` belongs into {HOME}"));
            } else if is_block(line) && !is_argued(&lines, number - 1) {
                faults.push(format!("{at}: no `SAFETY:` comment says which fact makes this sound"));
            }
        }
    }
    faults
}

/// A block or an implementation needs an argument; a declaration says what its callers owe.
fn is_block(line: &str) -> bool {
    let after = line.split("unsafe").nth(1).unwrap_or_default().trim_start();
    !(after.starts_with("fn") || after.starts_with("extern") || after.starts_with('('))
}

/// Whether the comment just above, or above the statement that goes on here, argues.
fn is_argued(lines: &[&str], at: usize) -> bool {
    let above = lines[..at].iter().rev().take_while(|line| {
        let line = line.trim();
        // Up to the end of the statement before.
        line.starts_with("//")
            || line.starts_with('#')
            || !(line.ends_with(';') || line.ends_with('}') || line.is_empty())
    });
    lines[at].contains("SAFETY:") || above.into_iter().any(|line| line.contains("// SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::{HOME, check};
    use crate::tidy::source::Source;

    #[test]
    fn unsafe_elsewhere_or_without_an_argument_is_found() {
        let faults = check(&[
            Source::new("crates/waxcell/src/a.rs", "// unsafe is a word here\nfn a() { unsafe { b() } }\n"),
            Source::new("crates/waxcell/tests/a.rs", "const A: &str = \"unsafe\";\n"),
            Source::new(
                HOME,
                "fn a() {\n    // SAFETY: it is so.\n    let x = unsafe { b() };\n    let y = unsafe { b() };\n}\n\
                 // SAFETY: all fields are.\nunsafe impl Send for A {}\nunsafe fn c() {}\n",
            ),
        ]);
        assert_eq!(
            faults,
            [
                format!("crates/waxcell/src/a.rs:2: `unsafe` belongs into {HOME}"),
                format!("{HOME}:4: no `SAFETY:` comment says which fact makes this sound"),
            ]
        );
    }
}

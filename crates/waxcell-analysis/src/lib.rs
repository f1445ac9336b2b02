//! Static analysis of one script: bytes in, findings out.
//!
//! Rule of this crate: it is pure and total. It reads nothing but its arguments, knows no clock and no environment,
//! and has no way to fail: whatever stops it from understanding a script is itself a finding, one that
//! [blocks](Finding::blocks). A caller that runs nothing while [`Analysis::blocks`] is true fails closed.
//!
//! For now it answers one question: could the interpreter read this file, and can we? The parser stands behind one
//! file, `parse.rs`; nothing of it is visible outside.

mod codec;
mod decode;
mod finding;
mod lines;
mod parse;
mod rules;
mod version;

pub use finding::{Analysis, Confidence, Finding, Severity, Span};
pub use rules::{RULES, Rule};
pub use version::{ParseVersionError, PythonVersion};

use lines::Lines;

/// The largest script that is analysed, in bytes; a larger one is refused unread.
pub const MAX_SOURCE: usize = 8 << 20;

/// The most findings of one rule that are reported; what follows is mostly an echo of the first.
pub const MAX_PER_RULE: usize = 10;

/// What there is to say about `source` if an interpreter of version `target` is to run it.
pub fn analyse(source: &[u8], target: PythonVersion) -> Analysis {
    let lines = Lines::new(source);
    let problems = problems(source, target);
    let mut findings: Vec<Finding> = problems.into_iter().map(|problem| problem.located(&lines)).collect();
    findings.sort_by_key(|finding| (finding.span.start, finding.rule));
    Analysis { findings, lines: lines.count() }
}

/// The steps, each of which needs the one before: a bounded size, text, a bounded depth, a syntax tree.
fn problems(source: &[u8], target: PythonVersion) -> Vec<finding::Problem> {
    if source.len() > MAX_SOURCE {
        return vec![finding::Problem {
            rule: &rules::TOO_LARGE,
            start: 0,
            end: 0,
            column: None,
            message: format!("the script is {} bytes long; at most {MAX_SOURCE} are analysed", source.len()),
            help: "move embedded data into a file that the script reads".into(),
        }];
    }
    let decoded = match decode::decode(source) {
        Ok(decoded) => decoded,
        Err(problem) => return vec![problem],
    };
    let mut problems = parse::parse(&decoded.text, target);
    for problem in &mut problems {
        decoded.place(problem);
    }
    problems
}

//! Static analysis of one script: bytes in, findings out.
//!
//! Rule of this crate: it is pure and total. It reads nothing but its arguments, knows no clock and no environment,
//! and has no way to fail: whatever stops it from understanding a script is itself a finding, one that
//! [blocks](Finding::blocks). A caller that runs nothing while [`Analysis::blocks`] is true fails closed.
//!
//! Two questions are asked. [`analyse`]: could the interpreter read this file, and can we? [`scan`]: which [rules](RULES)
//! does it break? The parser stands behind one file, `parse.rs`; of its tree nothing is visible outside.

mod call;
mod capabilities;
mod checks;
mod codec;
mod context;
mod decode;
mod dismantle;
mod finding;
mod fingerprint;
mod found;
mod glob;
mod imports;
mod lines;
mod names;
mod nosec;
mod options;
mod parse;
mod profile;
mod rules;
mod scan;
mod sight;
mod text;
mod value;
mod version;
mod walk;

pub use capabilities::{Base, Capabilities, Capability, Certainty, Evidence, Family, MOST_PLACES, Target};
pub use finding::{About, Analysis, Class, Confidence, Finding, RuleId, Severity, Silenced, Span};
pub use fingerprint::{fingerprint_of, fingerprints};
pub use glob::matches as path_matches;
pub use options::{
    AssertUsed, HardcodedTmpDirectory, MarkupsafeXss, Options, ShellInjection, SslWithBadVersion, TryExcept,
    WeakCryptographicKey,
};
pub use profile::{Profile, ProfileError};
pub use rules::{RULES, Rule, rules_sha256};
pub use version::{ParseVersionError, PythonVersion};

use finding::Problem;
use lines::Lines;
use scan::Script;
use sight::Nest;

/// The largest script that is analysed, in bytes; a larger one is refused unread.
pub const MAX_SOURCE: usize = 8 << 20;

/// The most findings of one rule about what cannot be read that are reported; what follows is mostly an echo of the
/// first.
pub const MAX_PER_RULE: usize = 10;

/// Whether an interpreter of version `target` can read `source`, and we can: each finding is a reason why not.
pub fn analyse(source: &[u8], target: PythonVersion) -> Analysis {
    analysis(source, problems(source, |text| parse::parse(text, target, |_, _| Vec::new())))
}

/// What [`analyse`] says; and if that is nothing, what the rules of `profile` say. `file` is the script's path, of which
/// only patterns of the profile make anything.
pub fn scan(file: &str, source: &[u8], target: PythonVersion, profile: &Profile) -> Analysis {
    let mut capabilities = Capabilities::default();
    let mut silenced = Silenced::default();
    let scan = |text: &str| {
        let script = Script { file, text, target };
        parse::parse(text, target, |body, comments| {
            let scanned = scan::scan(&script, body, comments, profile, &Nest::outermost());
            (silenced, capabilities) = (scanned.silenced, scanned.capabilities);
            scanned.problems
        })
    };
    let found = analysis(source, problems(source, scan));
    Analysis { capabilities, silenced, ..found }
}

fn analysis(source: &[u8], problems: Vec<Problem>) -> Analysis {
    let mut lines = Lines::new(source);
    let count = lines.count();
    let findings = problems.into_iter().map(|problem| problem.located(&mut lines)).collect();
    Analysis { findings, lines: count, ..Analysis::default() }
}

/// The steps, each of which needs the one before: a bounded size, text, and what `read` finds in it. In the order of
/// their places.
fn problems(source: &[u8], read: impl FnOnce(&str) -> Vec<Problem>) -> Vec<Problem> {
    if source.len() > MAX_SOURCE {
        return vec![Problem {
            message: format!("the script is {} bytes long; at most {MAX_SOURCE} are analysed", source.len()),
            ..Problem::of(&rules::TOO_LARGE)
        }];
    }
    let decoded = match decode::decode(source) {
        Ok(decoded) => decoded,
        Err(problem) => return vec![problem],
    };
    let mut problems = read(&decoded.text);
    decoded.place(&mut problems);
    problems
}

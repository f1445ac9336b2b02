//! Scripts that hide what they do, and honest ones that look like them: `evasions.txt`.

use waxcell_analysis::{Class, Finding, Profile, PythonVersion, scan};

const TARGET: PythonVersion = PythonVersion::new(3, 13);

/// A name, a script that hides something, and one that does not.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    include_str!("evasions.txt").split("\n=== ").skip(1).map(|block| {
        let (name, rest) = block.split_once('\n').unwrap_or((block, ""));
        let (evasion, twin) = rest.split_once("\n---\n").unwrap_or((rest, ""));
        (name, evasion, twin)
    })
}

fn findings(source: &str) -> Vec<Finding> {
    scan("script.py", source.as_bytes(), TARGET, &Profile::default()).findings
}

fn is_grave(finding: &Finding) -> bool {
    matches!(finding.class, Class::Threat | Class::Capability | Class::Dynamic)
}

/// Of the imports of dangerous modules Bandit warns whatever is done with them, so they do not count.
fn is_seen(finding: &Finding) -> bool {
    is_grave(finding) || (finding.rule.starts_with('B') && !finding.rule.starts_with("B4"))
}

#[test]
fn what_hides_is_seen_and_what_does_not_is_not() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, evasion, twin) in pairs() {
        count += 1;
        let found = findings(evasion);
        if !found.iter().any(is_seen) {
            wrong.push(format!("{name}: not seen\n{evasion}\n{found:?}"));
        }
        if found.iter().any(Finding::blocks) {
            wrong.push(format!("{name}: cannot be read: {found:?}"));
        }
        let found: Vec<_> = findings(twin).into_iter().filter(is_grave).collect();
        if !found.is_empty() {
            wrong.push(format!("{name}: an honest script\n{twin}\n{found:?}"));
        }
    }
    assert!(count > 100, "{count} pairs");
    assert!(wrong.is_empty(), "{} of {count}:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn unusual_encodings_are_not_read() {
    for cookie in ["utf-7", "rot13", "unicode_escape", "punycode", "base64", "custom"] {
        let found = findings(&format!("# coding: {cookie}\nx = 1\n"));
        assert!(found.iter().any(Finding::blocks), "{cookie}: {found:?}");
    }
}

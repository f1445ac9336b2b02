//! Bandit is the oracle: what it finds, run fresh, is what the rules of its ids find. `docs/rules.md` lists where they
//! differ on purpose.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and reports")]

mod oracle_bandit;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use oracle_bandit::{Bandit, Issue};
use waxcell_analysis::{Class, Profile, scan};

/// A place, or a file, with how often it is told.
type Counts<K> = BTreeMap<K, usize>;

fn ours(bandit: &Bandit, files: &BTreeSet<PathBuf>, profile: &Profile) -> Vec<Issue> {
    let mut issues = Vec::new();
    for file in files {
        let path = file.to_str().unwrap();
        let analysis = scan(path, &fs::read(file).unwrap(), bandit.version, profile);
        assert!(!analysis.blocks(), "{path}: {:?}", analysis.findings);
        let bandits = analysis.findings.into_iter().filter(|finding| finding.rule.starts_with('B'));
        issues.extend(bandits.map(|finding| Issue {
            file: file.clone(),
            line: finding.span.line,
            id: finding.rule.to_owned(),
            severity: finding.severity.to_string(),
            confidence: finding.confidence.to_string(),
        }));
    }
    issues
}

fn count<K: Ord>(keys: impl Iterator<Item = K>) -> Counts<K> {
    keys.fold(Counts::new(), |mut counts, key| {
        *counts.entry(key).or_default() += 1;
        counts
    })
}

/// How many of `one` are in `other`, and those that are not.
fn missing<K: Ord + Clone>(one: &Counts<K>, other: &Counts<K>) -> (usize, Vec<(K, usize)>) {
    let mut found = 0;
    let mut missing = Vec::new();
    for (key, &count) in one {
        let there = count.min(other.get(key).copied().unwrap_or(0));
        found += there;
        if there < count {
            missing.push((key.clone(), count - there));
        }
    }
    (found, missing)
}

/// The part of Bandit's findings that we have, and the part of ours that it has.
fn agreement<K: Ord + Clone + std::fmt::Debug>(
    name: &str,
    theirs: &Counts<K>,
    ours: &Counts<K>,
) -> (f64, f64) {
    let (common, only_theirs) = missing(theirs, ours);
    let (_, only_ours) = missing(ours, theirs);
    only_theirs.iter().for_each(|(key, count)| println!("{name}: only Bandit finds {count} of {key:?}"));
    only_ours.iter().for_each(|(key, count)| println!("{name}: only waxcell finds {count} of {key:?}"));
    let part = |all: &Counts<K>| common as f64 / all.values().sum::<usize>() as f64;
    let (recall, precision) = (part(theirs), part(ours));
    let all = theirs.values().sum::<usize>();
    println!("{name}: {all} findings of Bandit, recall {recall:.4}, precision {precision:.4}");
    (recall, precision)
}

#[test]
fn bandits_own_examples_are_judged_as_bandit_judges_them() {
    let Some(bandit) = Bandit::find("bandits_own_examples_are_judged_as_bandit_judges_them") else { return };
    let theirs = bandit.run(&[], std::slice::from_ref(&bandit.examples));
    assert!(theirs.issues.len() > 500, "{}", theirs.issues.len());
    let ours = ours(&bandit, &theirs.files, &Profile::default());

    let place = |issue: &Issue| (issue.name(), issue.line, issue.id.clone());
    let (recall, precision) =
        agreement("examples", &count(theirs.issues.iter().map(place)), &count(ours.iter().map(place)));
    assert!(recall >= 0.99 && precision >= 0.99, "{recall} {precision}");

    // The levels of each file, as Bandit's own tests count them.
    let levels = |issues: &[Issue]| {
        count(issues.iter().flat_map(|issue| {
            let severity = format!("severity {}", issue.severity);
            let confidence = format!("confidence {}", issue.confidence);
            [(issue.name(), severity), (issue.name(), confidence)]
        }))
    };
    let (theirs, ours) = (levels(&theirs.issues), levels(&ours));
    let wrong: BTreeSet<_> =
        theirs.keys().chain(ours.keys()).filter(|key| theirs.get(*key) != ours.get(*key)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Honest scripts hardly hear of anything but hygiene.
fn quiet(bandit: &Bandit, files: &[PathBuf]) {
    let (mut lines, mut count) = (0, 0);
    for file in files {
        let path = file.to_str().unwrap();
        let analysis = scan(path, &fs::read(file).unwrap(), bandit.version, &Profile::default());
        let is_grave = |class| matches!(class, Class::Threat | Class::Capability | Class::Dynamic);
        lines += analysis.lines;
        count += analysis.findings.iter().filter(|finding| is_grave(finding.class)).count();
    }
    println!("{count} findings beside hygiene in {lines} lines of the standard library");
    assert!(count * 2000 <= lines, "{count} findings in {lines} lines");
}

#[test]
fn the_standard_library_is_judged_as_bandit_judges_it() {
    let Some(bandit) = Bandit::find("the_standard_library_is_judged_as_bandit_judges_it") else { return };
    let files = bandit.standard_library();
    assert!(files.len() > 500, "{}", files.len());
    quiet(&bandit, &files);
    let theirs = bandit.run(&[], &files);
    let ours = ours(&bandit, &theirs.files, &Profile::default());

    let place = |issue: &Issue| (issue.file.clone(), issue.line, issue.id.clone());
    agreement("library by line", &count(theirs.issues.iter().map(place)), &count(ours.iter().map(place)));
    let rule = |issue: &Issue| (issue.file.clone(), issue.id.clone());
    let (recall, precision) =
        agreement("library", &count(theirs.issues.iter().map(rule)), &count(ours.iter().map(rule)));
    assert!(recall >= 0.97 && precision >= 0.97, "{recall} {precision}");
}

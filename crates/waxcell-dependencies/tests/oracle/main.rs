//! PyPA's `packaging` is the oracle: what it says of versions, specifiers, markers and ranges, we say.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails where it stands, and reports")]

mod chance;

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use chance::Chance;
use serde_json::{Value, json};
use waxcell_dependencies::{
    Applies, Collector, Database, Environment, Name, Requirement, Specifiers, Version,
};

/// Not by its path: whoever runs the tests need not be able to read where they were built.
const SCRIPT: &str = include_str!("oracle.py");

fn skip(name: &str, why: &str) {
    println!("SKIPPED {name}: {why}");
    if let Some(list) = variable("WAXCELL_SKIPS") {
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        list.write_all(format!("SKIPPED {name}: {why}\n").as_bytes()).unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "the Python of the tests is named by a variable")]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Asks `packaging`; nothing if it is not there.
#[expect(clippy::disallowed_methods, reason = "tests start programs")]
fn ask(test: &str, questions: &[Value]) -> Option<Vec<Value>> {
    let python = variable("WAXCELL_TEST_PYTHON").unwrap_or_else(|| "/usr/bin/python3".into());
    let has_it = Command::new(&python).args(["-c", "import packaging"]).stderr(Stdio::null()).status();
    if !has_it.is_ok_and(|status| status.success()) {
        skip(test, &format!("`packaging` is not installed for {}", python.display()));
        return None;
    }
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), questions.len());
    Some(answers)
}

/// Compares all answers, and tells the first that differ.
fn compare(test: &str, questions: &[Value], ours: &[Value]) {
    let Some(theirs) = ask(test, questions) else { return };
    let differ: Vec<String> = questions
        .iter()
        .zip(ours.iter().zip(&theirs))
        .filter(|(_, (ours, theirs))| ours != theirs)
        .map(|(question, (ours, theirs))| format!("{question}: we say {ours}, `packaging` says {theirs}"))
        .collect();
    let yes = theirs.iter().filter(|answer| !answer.is_null() && **answer != false).count();
    println!(
        "{test}: {} questions, {yes} of them answered with more than no, {} differ",
        theirs.len(),
        differ.len()
    );
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ[..differ.len().min(20)].join("\n"));
}

#[test]
fn versions_are_read_and_written_as_packaging_does() {
    let mut chance = Chance::new();
    let texts: Vec<String> = (0..6000).map(|_| chance.text_like_a_version()).collect();
    let questions: Vec<Value> = texts.iter().map(|text| json!(["normal", text])).collect();
    let ours: Vec<Value> =
        texts.iter().map(|text| json!(Version::parse(text).map(|version| version.to_string()))).collect();
    compare("versions_are_read_and_written_as_packaging_does", &questions, &ours);
}

#[test]
fn versions_are_ordered_as_packaging_does() {
    let mut chance = Chance::new();
    let pairs: Vec<(String, String)> = (0..6000).map(|_| (chance.version(), chance.version())).collect();
    let questions: Vec<Value> = pairs.iter().map(|(one, other)| json!(["order", one, other])).collect();
    let order =
        |one: &str, other: &str| Version::parse(one).unwrap().cmp(&Version::parse(other).unwrap()) as i8;
    let ours: Vec<Value> = pairs.iter().map(|(one, other)| json!(order(one, other))).collect();
    compare("versions_are_ordered_as_packaging_does", &questions, &ours);
}

#[test]
fn specifiers_admit_what_packaging_admits() {
    let mut chance = Chance::new();
    let mut pair = |_| {
        let list = chance.specifiers();
        let version = chance.near(&list);
        (list, version)
    };
    let pairs: Vec<(String, String)> = (0..10_000).map(&mut pair).collect();
    let questions: Vec<Value> =
        pairs.iter().map(|(list, version)| json!(["contains", list, version])).collect();
    let contains = |list: &str, version: &str| {
        Specifiers::parse(list).map(|list| list.contains(&Version::parse(version).unwrap()))
    };
    let ours: Vec<Value> = pairs.iter().map(|(list, version)| json!(contains(list, version))).collect();
    compare("specifiers_admit_what_packaging_admits", &questions, &ours);
}

#[test]
fn markers_apply_where_packaging_says() {
    let mut chance = Chance::new();
    let markers: Vec<String> = (0..4000).map(|_| chance.marker()).collect();
    let questions: Vec<Value> =
        markers.iter().map(|marker| json!(["applies", marker, "3.11", "http"])).collect();
    let environment = Environment { python: (3, 11), machine: "x86_64".into() };
    let extras = [Name::new("http").unwrap()];
    let applies = |marker: &str| {
        let requirement = Requirement::parse(&format!("name; {marker}"))?;
        match requirement.applies(&environment, &extras) {
            Applies::Yes => Some(true),
            Applies::No => Some(false),
            Applies::Maybe => None,
        }
    };
    let ours: Vec<Value> = markers.iter().map(|marker| json!(applies(marker))).collect();
    compare("markers_apply_where_packaging_says", &questions, &ours);
}

#[test]
fn requirements_are_read_as_packaging_does() {
    let mut chance = Chance::new();
    let texts: Vec<String> = (0..4000).map(|_| chance.requirement()).collect();
    let questions: Vec<Value> = texts.iter().map(|text| json!(["requirement", text])).collect();
    let read = |text: &str| {
        let requirement = Requirement::parse(text)?;
        let mut extras: Vec<String> = requirement.extras.iter().map(Name::to_string).collect();
        extras.sort();
        extras.dedup();
        Some(json!([requirement.name, extras]))
    };
    let ours: Vec<Value> = texts.iter().map(|text| json!(read(text))).collect();
    compare("requirements_are_read_as_packaging_does", &questions, &ours);
}

/// Versions that are tried against ranges: of few numbers, so that they lie in, between and on them.
fn places(chance: &mut Chance) -> String {
    let release = ["0", "0.1", "1", "1.0", "1.0.1", "1.1", "1.5", "2.0", "2.0.0", "2.1", "3"];
    let suffix = ["", "", "", "", "a1", "rc1", ".dev1", ".post1", "+cpu"];
    format!("{}{}{}", chance.of(&["", "", "", "", "", "1!"]), chance.of(&release), chance.of(&suffix))
}

#[test]
fn advisories_are_about_the_versions_that_packaging_says() {
    let mut chance = Chance::new();
    let name = Name::new("sprocket").unwrap();
    let wanted = HashSet::from([name.clone()]);
    let (mut questions, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..6000 {
        let mut ranges: Vec<Vec<Value>> = Vec::new();
        for _ in 0..chance.below(3) {
            let mut events = vec![
                json!({ "introduced": if chance.one_in(2) { "0".into() } else { places(&mut chance) } }),
            ];
            for _ in 0..chance.below(4) {
                let kind = chance.of(&["introduced", "fixed", "fixed", "last_affected"]);
                events.push(json!({ kind: places(&mut chance) }));
            }
            if chance.one_in(8) {
                events.push(
                    json!({ "limit": if chance.one_in(3) { "*".into() } else { places(&mut chance) } }),
                );
            }
            let at = chance.below(events.len());
            events.rotate_left(at);
            ranges.push(events);
        }
        let mut versions: Vec<String> = (0..chance.below(4)).map(|_| places(&mut chance)).collect();
        if ranges.is_empty() && versions.is_empty() {
            versions.push("1.0".to_owned());
        }
        let version = places(&mut chance);
        let typed: Vec<Value> =
            ranges.iter().map(|events| json!({ "type": "ECOSYSTEM", "events": events })).collect();
        let entry = json!({
            "id": "TEST-1", "modified": "2026-01-01T00:00:00Z",
            "affected": [{ "package": { "ecosystem": "PyPI", "name": "Sprocket" }, "ranges": typed, "versions": versions }],
        });
        let mut collector =
            Collector::new(&wanted, SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000));
        collector.add("TEST-1.json", entry.to_string().as_bytes());
        let database = Database::of([collector]);
        let matches = database.matches(&name, &Version::parse(&version).unwrap());
        assert!(database.faults.is_empty() && matches.undecided.is_empty(), "{entry}");
        questions.push(json!(["affected", version, ranges, versions]));
        ours.push(json!(!matches.found.is_empty()));
    }
    compare("advisories_are_about_the_versions_that_packaging_says", &questions, &ours);
}

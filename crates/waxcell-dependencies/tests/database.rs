//! A database as it is published: entries of all kinds, in archives, some of them hostile.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::HashSet;
use std::io::Write;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use waxcell_dependencies::{Archive, Collector, Database, Level, Matches, Name, Version};

/// 2026-06-01.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_272_000)
}

fn entry(id: &str, rest: Value) -> Value {
    let mut entry =
        json!({ "id": id, "modified": "2026-05-01T00:00:00Z", "affected": [affected("sprocket", "2.0")] });
    for (key, value) in rest.as_object().unwrap() {
        entry[key] = value.clone();
    }
    entry
}

fn affected(name: &str, fixed: &str) -> Value {
    json!({
        "package": { "ecosystem": "PyPI", "name": name },
        "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": fixed }] }],
    })
}

fn wanted() -> HashSet<Name> {
    ["sprocket", "gear-box"].into_iter().map(|name| Name::new(name).unwrap()).collect()
}

fn database(entries: &[Value]) -> Database {
    let wanted = wanted();
    let mut collector = Collector::new(&wanted, now());
    for (at, entry) in entries.iter().enumerate() {
        collector.add(&format!("{at}.json"), entry.to_string().as_bytes());
    }
    Database::of([collector])
}

fn ask(database: &Database, name: &str, version: &str) -> Matches {
    database.matches(&Name::new(name).unwrap(), &Version::parse(version).unwrap())
}

fn ids(matches: &Matches) -> Vec<&str> {
    matches.found.iter().map(|one| one.id.as_str()).collect()
}

#[test]
fn what_several_have_written_down_is_told_once() {
    let database = database(&[
        entry("PYSEC-2026-1", json!({ "aliases": ["CVE-2026-1"] })),
        entry("OTHER-1", json!({ "aliases": ["CVE-2026-9"] })),
        entry(
            "GHSA-aaaa-bbbb-cccc",
            json!({
                "aliases": ["CVE-2026-1"], "summary": "Gears\n slip", "affected": [affected("Sprocket", "2.1")],
                "severity": [
                    { "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" },
                    { "type": "CVSS_V4", "score": "CVSS:4.0/AV:N" },
                ],
            }),
        ),
        // The same file twice, and one that joins the two others.
        entry("PYSEC-2026-1", json!({})),
        entry("LATER-1", json!({ "aliases": ["CVE-2026-9", "CVE-2026-8"] })),
    ]);
    let matches = ask(&database, "sprocket", "1.0");
    assert_eq!(ids(&matches), ["GHSA-aaaa-bbbb-cccc", "LATER-1"]);
    let first = &matches.found[0];
    assert_eq!(first.aliases, ["CVE-2026-1", "PYSEC-2026-1"]);
    assert_eq!(
        (first.summary.as_str(), first.score, first.level),
        ("Gears slip", Some(7.5), Some(Level::High))
    );
    // Mended is what everybody says is.
    assert_eq!((first.fixed.as_deref(), first.vector.as_deref()), (Some("2.1"), Some("CVSS:4.0/AV:N")));
    assert_eq!(matches.found[1].aliases, ["CVE-2026-8", "CVE-2026-9", "OTHER-1"]);
    assert_eq!(ids(&ask(&database, "sprocket", "2.0")), ["GHSA-aaaa-bbbb-cccc"]);
    assert_eq!(ids(&ask(&database, "gear-box", "1.0")), [""; 0]);
}

#[test]
fn twenty_thousand_names_are_compared_soon() {
    let chain = |at: usize| entry(&format!("A-{at}"), json!({ "aliases": [format!("A-{}", at + 1)] }));
    let database = database(&(0..20_000).map(chain).collect::<Vec<_>>());
    let begun = std::time::Instant::now();
    let matches = ask(&database, "sprocket", "1.0");
    assert_eq!((matches.found.len(), matches.found[0].aliases.len()), (1, 20_000));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn what_was_taken_back_or_is_about_others_is_not_told() {
    let mut elsewhere = affected("sprocket", "2.0");
    elsewhere["package"]["ecosystem"] = "npm".into();
    let database = database(&[
        entry("A-1", json!({ "withdrawn": "2026-05-02T00:00:00Z" })),
        entry("A-2", json!({ "affected": [elsewhere] })),
        entry("A-3", json!({ "affected": [affected("sprocket-extra", "2.0")] })),
        entry("A-4", json!({ "affected": null })),
    ]);
    assert_eq!(ask(&database, "sprocket", "1.0"), Matches::default());
    assert_eq!(
        (database.entries, database.about_python, database.withdrawn, database.fault_count),
        (4, 2, 1, 0)
    );
}

#[test]
fn what_is_malicious_is_so_in_every_version() {
    let all = json!([{ "package": { "ecosystem": "PyPI", "name": "Gear_Box" },
        "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }] }] }]);
    let database = database(&[entry("MAL-2026-7", json!({ "affected": all }))]);
    for version in ["0.dev0", "1.0", "9!9"] {
        assert_eq!(ask(&database, "gear-box", version).found[0].level, Some(Level::Critical), "{version}");
    }
}

#[test]
fn what_cannot_be_compared_is_told() {
    let only = |kind: &str| {
        json!([{ "package": { "ecosystem": "PyPI", "name": "sprocket" },
        "ranges": [{ "type": kind, "events": [{ "introduced": "0" }, { "fixed": "abc" }] }] }])
    };
    let database = database(&[
        entry("A-1", json!({ "affected": only("GIT") })),
        entry("A-2", json!({ "affected": only("SEMVER") })),
        entry("A-3", json!({ "affected": only("ECOSYSTEM") })),
    ]);
    let matches = ask(&database, "sprocket", "1.0");
    assert_eq!(matches.found, []);
    assert_eq!(
        matches.undecided,
        [
            "A-1 says it in GIT alone, not in versions",
            "A-2 says it in SEMVER alone, not in versions",
            "A-3 has `abc`, which is no version",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_named_and_counted() {
    let wanted = wanted();
    let mut collector = Collector::new(&wanted, now());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (file, text) in [
        ("cut.json", r#"{"id": "A-1", "#.to_owned()),
        ("list.json", "[]".to_owned()),
        ("untimely.json", entry("A-1", json!({ "modified": "yesterday" })).to_string()),
        ("version.json", entry("A-1", json!({ "schema_version": "2.0.0" })).to_string()),
        ("name.json", entry("A-1", json!({ "affected": [affected("a/b", "1")] })).to_string()),
        ("twice.json", r#"{"id": "A", "id": "B", "modified": "2026-05-01T00:00:00Z"}"#.to_owned()),
        (
            "deep.json",
            format!(
                r#"{{"id": "A-1", "modified": "2026-05-01T00:00:00Z", "details": {deep}, "database_specific": {{"severity": {deep}}}}}"#
            ),
        ),
        ("future.json", entry("A-1", json!({ "modified": "2036-01-01T00:00:00Z" })).to_string()),
        ("bytes.json", "\u{fffd}".to_owned()),
        ("good.json", entry("A-2", json!({})).to_string()),
    ] {
        collector.add(file, text.as_bytes());
    }
    let database = Database::of([collector]);
    let files: Vec<&str> = database.faults.iter().map(|fault| fault.file.as_str()).collect();
    assert_eq!(
        files,
        [
            "bytes.json",
            "cut.json",
            "deep.json",
            "future.json",
            "list.json",
            "name.json",
            "twice.json",
            "untimely.json",
            "version.json"
        ]
    );
    // What claims to be of the future is matched, and makes the database no younger.
    assert_eq!(ids(&ask(&database, "sprocket", "1.0")), ["A-1", "A-2"]);
    assert_eq!(database.age_days(now()), Some(31));
}

#[test]
fn of_many_faults_the_first_are_told_and_all_are_counted() {
    let wanted = wanted();
    let mut collector = Collector::new(&wanted, now());
    (0..10_000).for_each(|at| collector.add(&format!("{:05}", 9_999 - at), b"{"));
    let database = Database::of([collector]);
    assert_eq!((database.fault_count, database.faults.len()), (10_000, 20));
    assert_eq!(database.faults[0].file, "00000");
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in files {
        let (mut entry, config) =
            archive.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE).start().unwrap();
        let mut writer = config.wrap(Vec::new());
        writer.write_all(content).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.write_all(&miniz_oxide::deflate::compress_to_vec(content, 6)).unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

fn read_all(bytes: &[u8]) -> Vec<(String, Result<Vec<u8>, String>)> {
    let archive = Archive::open(bytes).unwrap();
    let mut buffer = Vec::new();
    let read = |entry: &waxcell_dependencies::Member| {
        (entry.name.clone(), archive.read(entry, &mut buffer).map(<[u8]>::to_vec))
    };
    archive.members().iter().map(read).collect()
}

#[test]
fn archives_are_read_whatever_their_files_are_called() {
    let mut bytes = zip(&[
        ("A.json", b"1"),
        ("xx/xx/etc/B.json", b"2"),
        ("xabs.json", b"3"),
        ("README.md", b"x"),
        ("A.json", b"4"),
    ]);
    // The writer would not write such names.
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(b"xx/") {
            bytes[at..at + 2].copy_from_slice(b"..");
        } else if bytes[at..].starts_with(b"xabs") {
            bytes[at] = b'/';
        }
    }
    let read = read_all(&bytes);
    let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["A.json", "../../etc/B.json", "/abs.json", "A.json"]);
    assert_eq!(read[1].1.as_deref(), Ok(&b"2"[..]));
    let again: Vec<bool> =
        Archive::open(&bytes).unwrap().members().iter().map(|entry| entry.is_again).collect();
    assert_eq!(again, [false, false, false, true]);
}

/// Where the sizes of the only file are in the central directory, and of its name.
fn set(bytes: &mut [u8], at: usize, value: u32) {
    let directory = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    bytes[directory + at..directory + at + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn bombs_and_lies_are_not_believed() {
    let bomb = zip(&[("A.json", &vec![b' '; 50 << 20])]);
    assert!(read_all(&bomb)[0].1.as_ref().is_err_and(|why| why.contains("at most")), "50 MB");

    let mut lie = bomb.clone();
    set(&mut lie, 24, 100);
    assert!(read_all(&lie)[0].1.is_err(), "more than it says");

    let mut longer = zip(&[("A.json", b"{}")]);
    set(&mut longer, 24, 100);
    assert!(read_all(&longer)[0].1.is_err(), "less than it says");

    let mut other = zip(&[("A.json", b"{}")]);
    set(&mut other, 16, 0xDEAD_BEEF);
    assert!(read_all(&other)[0].1.is_err(), "another checksum");

    let mut huge = zip(&[("A.json", b"{}"), ("B.json", b"{}")]);
    set(&mut huge, 24, u32::MAX - 1);
    let first = huge.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    huge[first + 24..first + 28].copy_from_slice(&(u32::MAX - 1).to_le_bytes());
    assert!(Archive::open(&huge).is_err(), "8 GiB in all");
}

#[test]
fn a_broken_archive_is_an_error_or_has_broken_files() {
    let whole = zip(&[("A.json", br#"{"id": "A-1"}"#), ("B.json", b"{}")]);
    for length in 0..whole.len() {
        assert!(Archive::open(&whole[..length]).is_err(), "{length} bytes");
    }
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        let Ok(archive) = Archive::open(&broken) else { continue };
        let mut buffer = Vec::new();
        archive.members().iter().for_each(|entry| drop(archive.read(entry, &mut buffer).map(<[u8]>::len)));
    }
}

//! How long a database takes: `cargo run --release -p waxcell-dependencies --example load [ENTRIES]`. Entries are made up,
//! with as many versions and as much text as those about packages of Python have.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::collections::HashSet;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use waxcell_dependencies::{Archive, Collector, Database, Name, Version};

fn entry(nth: usize) -> String {
    let versions: Vec<String> = (0..40).map(|minor| format!("{}.{minor}.{}", nth % 7, nth % 11)).collect();
    let name = format!("package-{}", nth % 6000);
    let range = json!({ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": format!("{}.20", nth % 7) }] });
    json!({
        "schema_version": "1.7.0",
        "id": format!("GHSA-{nth:012}"),
        "modified": "2026-05-01T00:00:00.123456Z",
        "published": "2026-04-01T00:00:00Z",
        "aliases": [format!("CVE-2026-{nth}")],
        "summary": "A summary of some length, as they have",
        "details": "Words of an advisory, with \"quotes\" and\nlines. ".repeat(30),
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }],
        "references": (0..6).map(|at| json!({ "type": "WEB", "url": format!("https://example.com/{nth}/{at}") })).collect::<Vec<_>>(),
        "affected": [{ "package": { "ecosystem": "PyPI", "name": name, "purl": format!("pkg:pypi/{name}") }, "ranges": [range], "versions": versions }],
    })
    .to_string()
}

fn zip(entries: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (at, text) in entries.iter().enumerate() {
        let name = format!("GHSA-{at}.json");
        let builder = archive.new_file(&name).compression_method(rawzip::CompressionMethod::DEFLATE);
        let (mut file, config) = builder.start().unwrap();
        let mut writer = config.wrap(Vec::new());
        writer.write_all(text.as_bytes()).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        file.write_all(&miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6)).unwrap();
        file.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

fn main() {
    let count = std::env::args().nth(1).map_or(20_000, |text| text.parse().unwrap());
    let entries: Vec<String> = (0..count).map(entry).collect();
    let archive = zip(&entries);
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    let all = megabytes(entries.iter().map(String::len).sum());
    println!("{count} entries, {all:.1} MB, {:.1} MB as an archive", megabytes(archive.len()));
    let wanted: HashSet<Name> = (0..100).filter_map(|nth| Name::new(&format!("package-{nth}"))).collect();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);

    let begun = Instant::now();
    let opened = Archive::open(&archive).unwrap();
    let (mut collector, mut buffer) = (Collector::new(&wanted, now), Vec::new());
    for member in opened.members() {
        collector.add(&member.name, opened.read(member, &mut buffer).unwrap());
    }
    let database = Database::of([collector]);
    let took = begun.elapsed();
    println!(
        "archive: {took:.1?} on one processor, {} entries, {} faults",
        database.entries, database.fault_count
    );

    let begun = Instant::now();
    let mut collector = Collector::new(&wanted, now);
    entries.iter().for_each(|entry| collector.add("", entry.as_bytes()));
    drop(collector);
    println!("without inflating: {:.1?}", begun.elapsed());

    let folder = std::env::temp_dir().join(format!("waxcell-load-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let file = |at: usize| folder.join(format!("GHSA-{at}.json"));
    entries.iter().enumerate().for_each(|(at, entry)| std::fs::write(file(at), entry).unwrap());
    let begun = Instant::now();
    let mut collector = Collector::new(&wanted, now);
    (0..count).for_each(|at| collector.add("", &std::fs::read(file(at)).unwrap()));
    drop(collector);
    println!("folder, from the cache of the kernel: {:.1?}", begun.elapsed());
    std::fs::remove_dir_all(&folder).unwrap();

    let version = Version::parse("3.5").unwrap();
    let begun = Instant::now();
    let found: usize = wanted.iter().map(|name| database.matches(name, &version).found.len()).sum();
    println!("{} requirements matched: {:.2?}, {found} vulnerabilities", wanted.len(), begun.elapsed());
}

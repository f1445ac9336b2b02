//! `waxcell audit export`, from outside. Whether others read what it writes, `cargo xtask foreign` asks.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use serde_json::{Value, json};
use support::{Place, say};
use waxcell_journal::{Entry, Journal, Mark, SpanId, leaf_hash};

const POLICY: &str = "filesystem: {allowed_paths: [./data]}\n";
/// Looks like a secret, so that it is sealed wherever it stands.
const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
const SCRIPT: &str = "
try: open('/etc/shadow')
except OSError: pass
open('data/x', 'w').write('hi')
";

/// A project with one run on record, and that run.
fn recorded() -> (Place, String) {
    let place = Place::new(POLICY);
    fs::create_dir(place.project().join("data")).unwrap();
    place.write("script.py", SCRIPT);
    assert_eq!(say(&mut place.waxcell(&["--quiet", "run", "script.py", "one", TOKEN])).code, 0);
    let run = place.records()[0]["run"].as_str().unwrap().to_owned();
    (place, run)
}

#[track_caller]
fn export(place: &Place, options: &[&str]) -> Vec<Value> {
    let said = say(&mut place.waxcell(&[&["audit", "export"], options].concat()));
    assert_eq!((said.code, said.err()), (0, String::new()), "{options:?}");
    said.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn json_lines_are_the_leaves_with_their_hashes() {
    let (place, run) = recorded();
    let lines = export(&place, &[]);
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let mut leaf = line.clone();
        let hash = leaf.as_object_mut().unwrap().remove("leaf_hash").unwrap();
        let computed: String =
            leaf_hash(leaf.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, computed);
    }
    assert_eq!(export(&place, &[&run[..12]]), lines);
    assert_eq!(export(&place, &["--since", "1"]), lines[1..]);
    assert_eq!(export(&place, &["--since", "2"]), Vec::<Value>::new());
}

#[test]
fn what_is_sealed_stays_sealed_unless_it_is_disclosed() {
    let (place, run) = recorded();
    for format in ["jsonl", "ocsf", "cloudevents", "in-toto"] {
        let options = ["--format", format, &run];
        let text = |disclose: &[&str]| {
            let events = export(&place, &[&options[..], disclose].concat());
            match events[0]["payload"].as_str() {
                Some(payload) => String::from_utf8(base64(payload)).unwrap(),
                None => events.iter().map(Value::to_string).collect(),
            }
        };
        assert!(!text(&[]).contains(TOKEN), "{format}");
        assert!(text(&["--disclose"]).contains(TOKEN), "{format}");
    }
    let erased = say(&mut place.waxcell(&["--quiet", "audit", "redact", &run, "--reason", "test"]));
    assert_eq!(erased.code, 0, "{erased:?}");
    let after = export(&place, &["--disclose"]);
    assert_eq!(after[0]["args"], json!(["<erased>", "<erased>"]));
    assert_eq!(export(&place, &["--format", "ocsf"]).pop().unwrap()["metadata"]["event_code"], "redact");
}

#[test]
fn ocsf_has_a_run_as_one_activity_and_its_violations_as_a_finding() {
    let (place, run) = recorded();
    let started = &place.records()[0];
    let events = export(&place, &["--format", "ocsf"]);
    let classes: Vec<&Value> = events.iter().map(|event| &event["class_uid"]).collect();
    assert_eq!(classes, [1009, 2004]);
    let activity = &events[0];
    for (field, value) in [
        ("/category_uid", json!(1)),
        ("/activity_id", json!(1)),
        ("/type_uid", json!(100_901)),
        ("/severity_id", json!(1)),
        ("/status_id", json!(1)),
        ("/status_code", json!("0")),
        ("/script/type_id", json!(3)),
        ("/script/hashes/0/value", started["script"]["sha256"].clone()),
        ("/script/file/path", started["script"]["path"].clone()),
        ("/script/script_content/value", json!("")),
        ("/actor/user/uid", json!(rustix::process::geteuid().as_raw().to_string())),
        ("/device/hostname", started["actor"]["host"].clone()),
        ("/metadata/correlation_uid", json!(run)),
        ("/metadata/sequence", json!(1)),
        ("/unmapped/started/policy/sha256", started["policy"]["sha256"].clone()),
        ("/unmapped/finished/verdict", json!("ok")),
    ] {
        assert_eq!(activity.pointer(field), Some(&value), "{field}: {activity:#}");
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let time = activity["time"].as_u64().unwrap();
    assert!(time <= now && now - time < 600_000, "{time} is in milliseconds");
    assert!(activity["start_time"].as_u64().unwrap() <= time);
    assert_eq!(events[1]["evidences"][0]["data"]["target"], "/etc/shadow", "{:#}", events[1]);
    // How the run began is known also where only its end is asked for.
    assert_eq!(export(&place, &["--format", "ocsf", "--since", "1"]), events);
}

#[test]
fn a_run_that_was_refused_says_all_by_itself() {
    let place = Place::new(POLICY);
    assert_eq!(place.run("def").code, 126);
    let refused = &place.records()[0];
    let events = export(&place, &["--format", "ocsf"]);
    let [event] = &events[..] else { panic!("{events:#?}") };
    assert_eq!(
        (&event["class_uid"], &event["status"], &event["severity_id"]),
        (&json!(1009), &json!("Failure"), &json!(3))
    );
    assert_eq!(event["script"]["hashes"][0]["value"], refused["script"]["sha256"]);
    assert_eq!(event["actor"]["user"]["name"], refused["actor"]["user"]);
    let run = refused["run"].as_str().unwrap();
    assert_eq!(export(&place, &["--format", "in-toto", run]).len(), 1);
}

#[test]
fn cloud_events_are_named_by_log_and_number() {
    let (place, run) = recorded();
    let key = say(&mut place.waxcell(&["audit", "key"])).out();
    let origin = key.split('+').next().unwrap();
    let leaves = export(&place, &[]);
    for (index, event) in export(&place, &["--format", "cloudevents"]).iter().enumerate() {
        assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!(origin)));
        assert_eq!((&event["id"], &event["subject"]), (&json!(format!("{origin}/{index}")), &json!(run)));
        assert_eq!(
            (&event["leafhash"], &event["time"]),
            (&leaves[index]["leaf_hash"], &leaves[index]["time"])
        );
        assert_eq!(event["type"], format!("io.waxcell.record.{}", leaves[index]["type"].as_str().unwrap()));
        assert_eq!(event["data"]["index"], index);
    }
}

#[test]
fn a_statement_is_about_the_script_of_one_run() {
    let (place, run) = recorded();
    let envelope = export(&place, &["--format", "in-toto", &run]).remove(0);
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let key = say(&mut place.waxcell(&["audit", "key"])).out();
    assert_eq!(envelope["signatures"][0]["keyid"].as_str(), key.split('+').nth(1));
    let statement: Value = serde_json::from_slice(&base64(envelope["payload"].as_str().unwrap())).unwrap();
    let started = &place.records()[0];
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(
        statement["subject"],
        json!([{"name": started["script"]["path"], "digest": {"sha256": started["script"]["sha256"]}}])
    );
    let log = &statement["predicate"]["monitorLog"];
    assert_eq!(log["fileAccess"][0]["annotations"]["change"], "created", "{log:#}");
    assert_eq!(log["process"][0]["end"]["exit_code"], 0);
}

#[test]
fn what_cannot_be_exported_is_told_and_leaves_no_file() {
    let (place, run) = recorded();
    place.run("pass");
    let told = |options: &[&str]| {
        let said = say(&mut place.waxcell(&[&["audit", "export"], options].concat()));
        assert!(said.out.is_empty(), "{said:?}");
        (said.code, said.err())
    };
    let (code, err) = told(&["--format", "xml"]);
    assert!(code == 2 && err.contains("in-toto"), "{err}");
    let (code, err) = told(&["--format", "in-toto"]);
    assert!(code == 2 && err.contains("name it"), "{err}");
    assert_eq!(told(&["--format", "in-toto", "--since", "0", &run]).0, 2);
    let (code, err) = told(&["ffff", "--output", "none.jsonl"]);
    assert!(code == 1 && err.contains("no run of that name") && !place.has("none.jsonl"), "{err}");
    assert_eq!(told(&[""]).0, 1);
    let (code, err) = told(&["--format", "in-toto", "0"]);
    assert!(code == 1 && err.contains("several runs"), "{err}");
    assert_eq!(told(&["--output", "all.jsonl"]), (0, String::new()));
    assert_eq!(place.read("all.jsonl").lines().count(), 4);
    let (code, err) = told(&["--output", "all.jsonl"]);
    assert!(code == 125 && err.contains("all.jsonl"), "a file that is there: {err}");
    assert_eq!(told(&["--output", "no/such/folder"]).0, 125);
    let full =
        say(&mut place.waxcell_shell(&format!("{} audit export > /dev/full", support::waxcell().display())));
    assert!(full.code == 125 && full.err().contains("standard output"), "{full:?}");
    let gone =
        say(&mut place.waxcell_shell(&format!("{} audit export | true", support::waxcell().display())));
    assert_eq!((gone.code, gone.err()), (0, String::new()));
    let elsewhere = say(&mut place.waxcell(&["audit", "export", "--state", "/nowhere"]));
    assert!(elsewhere.code == 3 && elsewhere.err().contains("no journal"), "{elsewhere:?}");
}

/// Some 30 MB of records, in less memory than that.
#[test]
fn long_journals_are_not_held_in_memory() {
    const RECORDS: u64 = 2000;
    const KIB: u32 = 48 * 1024;
    let place = Place::new(POLICY);
    fs::DirBuilder::new().mode(0o700).create(place.state()).unwrap();
    let mut journal = Journal::open(&place.journal()).unwrap();
    for index in 0..RECORDS {
        let (mark, kind) = if index % 2 == 0 { (Mark::Open, "started") } else { (Mark::Close, "finished") };
        let span = SpanId::new((index as u128 / 2 + 1).to_be_bytes());
        let record = json!({
            "type": kind, "v": 1, "index": index, "run": span.to_string(), "time": "2026-01-02T03:04:05.000000Z",
            "script": {"path": "/s.py", "sha256": "ab"}, "cause": "x".repeat(15_000),
        });
        journal.append(Entry { mark, span, payload: record.to_string().as_bytes() }).unwrap();
    }
    drop(journal);
    assert_eq!(say(&mut place.waxcell(&["audit", "checkpoint"])).code, 0);
    let bounded = |words: &str| {
        say(&mut place
            .waxcell_shell(&format!("ulimit -v {KIB}; exec {} {words}", support::waxcell().display())))
    };
    let held = bounded(&format!("--json audit show --last {RECORDS}"));
    assert_ne!(held.code, 0, "the bound bounds nothing");
    for (format, lines) in [("jsonl", RECORDS), ("cloudevents", RECORDS), ("ocsf", RECORDS / 2)] {
        let said = bounded(&format!("audit export --format {format}"));
        assert_eq!((said.code, said.err()), (0, String::new()), "{format}");
        assert_eq!(said.out().lines().count() as u64, lines, "{format}");
    }
}

/// RFC 4648, section 4.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(value).collect();
    let bits = digits.iter().flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
}

//! `docs/journal-format.md` says byte for byte what this crate writes, and reads what the page says.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::support::{check, scratch, segment_file, span};
use crate::frame::{Frame, seed};
use crate::header::Header;
use crate::state::State;
use crate::tlog::{
    Checkpoint, Frontier, KeyName, Note, PrivateKey, VerifierKey, encode_bundle, to_canonical,
};
use crate::{Log, MAX_PAYLOAD, Mark, OpenSpan, SEGMENT_BYTES, SpanId, leaf_hash, verify};

const JOURNAL: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/journal-format.md");
    fs::read_to_string(path).unwrap()
}

/// The blocks of hexadecimal digits on the page, by the name that stands after `hex` in the fence.
fn vectors() -> HashMap<String, Vec<u8>> {
    let page = page();
    let mut vectors = HashMap::new();
    let mut current: Option<(String, Vec<u8>)> = None;
    for line in page.lines() {
        match (&mut current, line.strip_prefix("```")) {
            (None, Some(fence)) if fence.starts_with("hex ") => {
                current = Some((fence["hex ".len()..].to_owned(), Vec::new()));
            }
            (Some(_), Some(_)) => vectors.extend(current.take()),
            (Some((_, bytes)), None) => {
                let digits = line.split('#').next().unwrap_or_default();
                bytes.extend(digits.split_whitespace().map(|pair| u8::from_str_radix(pair, 16).unwrap()));
            }
            (None, _) => {}
        }
    }
    vectors
}

fn records() -> [(Mark, SpanId, &'static [u8]); 3] {
    [
        (Mark::None, SpanId::NONE, b"first"),
        (Mark::Open, span(0xaa), b"{\"type\":\"started\"}"),
        (Mark::None, span(0xaa), b""),
    ]
}

/// What the writer writes for these records, with the chain value after each.
fn written() -> (State, Vec<Vec<u8>>) {
    let mut state = State::empty(&JOURNAL);
    let mut frames = Vec::new();
    for (index, (mark, span, payload)) in (0..).zip(records()) {
        let unsettled = u32::from(index == 2);
        let mut frame = Frame { index, mark, unsettled, span, chain: [0; 32], payload };
        frame.chain = frame.chain_after(&state.chain, &leaf_hash(payload));
        let mut out = Vec::new();
        frame.encode(seed(&JOURNAL), &mut out);
        frames.push(out);
        state.take(&frame);
    }
    (state, frames)
}

#[test]
fn the_page_and_the_code_agree() {
    let vectors = vectors();
    let (state, frames) = written();
    assert_eq!(vectors["header-0"], Header::of(JOURNAL, 0, &State::empty(&JOURNAL)).encode());
    for (nth, frame) in frames.iter().enumerate() {
        assert_eq!(vectors[&format!("record-{nth}")], *frame);
    }
    assert_eq!(vectors["header-1"], Header::of(JOURNAL, 1, &state).encode());
    assert_eq!(vectors["genesis"], State::empty(&JOURNAL).chain);
    for (nth, (_, _, payload)) in records().iter().enumerate() {
        assert_eq!(vectors[&format!("leaf-{nth}")], leaf_hash(payload));
    }
}

#[test]
fn a_journal_made_from_the_page_is_sound() {
    let vectors = vectors();
    let home = scratch();
    let directory = home.path();
    let mut first: Vec<u8> = ["header-0", "record-0", "record-1", "record-2"]
        .iter()
        .flat_map(|name| vectors[*name].clone())
        .collect();
    first.resize(SEGMENT_BYTES, 0);
    let mut second = vectors["header-1"].clone();
    second.resize(SEGMENT_BYTES, 0);
    fs::write(segment_file(directory, 0), &first).unwrap();
    fs::write(segment_file(directory, 1), &second).unwrap();
    let kept: Vec<_> = records().map(|(mark, span, payload)| (mark, span, payload.to_vec())).into();
    check(directory, &kept);
    let report = verify(directory).unwrap();
    assert_eq!(report.open, [OpenSpan { span: span(0xaa), opened_at: 1 }]);
    assert_eq!(report.head, vectors["record-2"][40..72]);
}

#[test]
fn the_numbers_on_the_page_hold() {
    let page = page();
    for (what, value) in [
        ("bytes in a segment", SEGMENT_BYTES),
        ("longest payload", MAX_PAYLOAD),
        ("most bytes in a group", crate::MAX_GROUP),
        ("most open spans", crate::MAX_OPEN_SPANS),
        ("payload that an open span is owed", crate::CLOSING_RESERVE),
        ("bytes of a frame before the payload", crate::frame::FRAME_HEADER),
    ] {
        assert!(page.contains(&format!("| {what} | {value} |")), "{what}: {value}");
    }
}

/// `cargo test -p waxcell-journal -- --ignored --nocapture print_the_vectors` when the format changes.
#[test]
#[ignore = "writes the blocks for the page"]
fn print_the_vectors() {
    let (state, frames) = written();
    let show = |name: &str, bytes: &[u8]| {
        println!("```hex {name}");
        for line in bytes.chunks(16) {
            let pairs: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{}", pairs.join(" "));
        }
        println!("```\n");
    };
    for (name, text) in recovery() {
        println!("```text {name}\n{text}```\n");
    }
    show("genesis", &State::empty(&JOURNAL).chain);
    show("header-0", &Header::of(JOURNAL, 0, &State::empty(&JOURNAL)).encode());
    for (nth, frame) in frames.iter().enumerate() {
        show(&format!("leaf-{nth}"), &leaf_hash(records()[nth].2));
        show(&format!("record-{nth}"), frame);
    }
    show("header-1", &Header::of(JOURNAL, 1, &state).encode());
}

/// The blocks of text on the page, by the name that stands after `text` in the fence.
fn texts() -> HashMap<String, String> {
    let page = page();
    let mut texts = HashMap::new();
    for block in page.split("\n```text ").skip(1) {
        if let Some((name, text)) = block.split_once('\n')
            && let Some((text, _)) = text.split_once("```")
        {
            texts.insert(name.to_owned(), text.to_owned());
        }
    }
    texts
}

/// A log of two records: the first names its recovery key, by which the second ends the first epoch.
fn recovery() -> [(&'static str, String); 5] {
    let name = KeyName::new("host/waxcell-00010203").unwrap();
    let key = |seed| PrivateKey::from_seed(name.clone(), &[seed; 32]);
    let (log, recovery, next) = (key(1), key(2), key(3));
    let naming = json!({
        "v": 1, "type": "recovery", "index": 0, "run": "0".repeat(32), "time": "2026-11-28T12:00:00.000000Z",
        "vkey": recovery.verifier().to_string(),
    });
    let ending = json!({
        "v": 1, "type": "key", "index": 1, "run": "0".repeat(32), "time": "2026-11-29T12:00:00.000000Z",
        "epoch": 2, "previous": log.verifier().to_string(), "vkey": next.verifier().to_string(),
        "recovery": recovery.verifier().to_string(),
    });
    let records = [naming, ending].map(|record| to_canonical(&record).unwrap());
    let mut frontier = Frontier::new();
    let mut signed = |record: &[u8], by: &PrivateKey| {
        frontier.append(leaf_hash(record));
        let checkpoint = Checkpoint::new(&name, frontier.size(), frontier.root());
        let mut note = Note::new(checkpoint.to_string()).unwrap();
        note.sign(by);
        note.to_string()
    };
    let notes = [signed(&records[0], &log), signed(&records[1], &recovery)];
    let [naming, ending] = records.map(|record| format!("{}\n", String::from_utf8(record).unwrap()));
    let keys = format!("{}\n{}\n{}\n", log.verifier(), recovery.verifier(), next.verifier());
    let [named, seal] = notes;
    [
        ("recovery-keys", keys),
        ("recovery-record", naming),
        ("recovery", named),
        ("recovery-key-record", ending),
        ("recovery-seal", seal),
    ]
}

#[test]
fn the_recovery_statement_on_the_page_is_what_is_written_and_is_accepted() {
    let texts = texts();
    for (name, text) in recovery() {
        assert_eq!(texts.get(name), Some(&text), "{name}");
    }
    // A log out of these, by the first key alone.
    let home = scratch();
    let put = |path: &str, bytes: &[u8]| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let record = |name: &str| texts[name].trim_end().as_bytes().to_vec();
    let records = [record("recovery-record"), record("recovery-key-record")];
    put("tile/entries/000.p/2", &encode_bundle(&records).unwrap());
    put("tile/0/000.p/2", records.each_ref().map(|record| leaf_hash(record)).as_flattened());
    put("recovery", texts["recovery"].as_bytes());
    put("seals/1", texts["recovery-seal"].as_bytes());
    put("checkpoint", texts["recovery-seal"].as_bytes());
    let keys: Vec<VerifierKey> = texts["recovery-keys"].lines().map(|line| line.parse().unwrap()).collect();
    let log = Log::at(home.path());
    assert!(super::epoch::verify(&log, &keys[0]).unwrap().is_sound());
    assert!(super::epoch::verify(&log, &keys[2]).is_err(), "that key has signed nothing yet");
    assert_eq!(log.successors(&keys[..1]).unwrap(), keys);
}

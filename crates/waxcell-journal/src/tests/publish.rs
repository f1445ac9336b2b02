//! Publishing: one checker for the whole log, called after every step, and every call that changes the disk fails once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::{self, Frontier, Kind, SignedCheckpoint, TileReader, VerifierKey, decode_bundle};
use crate::{Entry, Journal, KeyFileError, Mark, PublishError, Publisher, Reader, SpanId};

const EIO: i32 = 5;

fn payload(nth: u64) -> Vec<u8> {
    format!("{{\"index\":{nth}}}").into_bytes()
}

fn append(journal: &mut Journal, count: u64) {
    let first = journal.next_index();
    let payloads: Vec<_> = (first..first + count).map(payload).collect();
    let entries: Vec<_> =
        payloads.iter().map(|payload| Entry { mark: Mark::None, span: SpanId::NONE, payload }).collect();
    for group in entries.chunks(1000) {
        journal.append_all(group).unwrap();
    }
}

fn open(directory: &Path) -> (Publisher, Journal) {
    (Publisher::open(directory, "host").unwrap(), Journal::open(directory).unwrap())
}

/// The folder is a whole log of the first `size` records of the journal, and holds nothing else.
#[track_caller]
fn check(directory: &Path, key: &VerifierKey) -> u64 {
    let log = directory.join("tlog");
    let read = |path: &str| Ok::<_, std::io::Error>(fs::read(log.join(path)).ok());
    let note = fs::read(log.join("checkpoint")).unwrap();
    let signed = SignedCheckpoint::open(&note, std::slice::from_ref(key), &[]).unwrap();
    let size = signed.checkpoint.size();
    let mut records = Reader::open(directory).unwrap();
    let mut expected = vec!["checkpoint".to_owned(), "vkeys".to_owned()];
    let mut frontier = Frontier::new();
    for tile in tlog::tiles_of(size) {
        expected.push(tile.path(Kind::Hashes));
        if tile.level == 0 {
            expected.push(tile.path(Kind::Entries));
            let bundle = fs::read(log.join(tile.path(Kind::Entries))).unwrap();
            for entry in decode_bundle(&bundle, tile.width).unwrap() {
                let record = records.next().unwrap().unwrap();
                assert_eq!(record.payload, entry);
                frontier.append(record.leaf_hash);
            }
        }
    }
    assert_eq!((frontier.size(), frontier.root()), (size, *signed.checkpoint.root()));
    let mut tiles = TileReader::new(size, read);
    assert_eq!(tlog::root(size, &mut |node| tiles.node(node)).unwrap(), frontier.root());
    expected.sort();
    assert_eq!(files(&log), expected);
    size
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn whatever_is_appended_between_the_log_is_whole() {
    let home = scratch();
    let directory = home.path().join("state/journal");
    let (publisher, mut journal) = open(&directory);
    let key = publisher.verifier().unwrap();
    assert!(key.name().as_str().starts_with("host/waxcell-"), "{key}");
    let mut size = 0;
    for count in [1, 1, 2, 200, 51, 1, 1, 256, 512, 255, 3, 0, 1, 700] {
        append(&mut journal, count);
        size += count;
        let note = publisher.publish(size).unwrap();
        assert_eq!(note.as_bytes(), fs::read(publisher.folder().join("checkpoint")).unwrap());
        assert_eq!(check(&directory, &key), size);
        // Whoever comes later goes on in the same way, and with the same key.
        assert_eq!(Publisher::open(&directory, "other").unwrap().verifier().unwrap(), key);
    }
    // Only what the caller knows to be durable is signed.
    append(&mut journal, 5);
    publisher.publish(size + 2).unwrap();
    assert_eq!(check(&directory, &key), size + 2);
    // What was signed is never taken back.
    publisher.publish(3).unwrap();
    assert_eq!(check(&directory, &key), size + 2);
}

#[test]
fn a_log_with_tiles_of_three_levels_is_whole() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    for size in [65_000, 65_536, 65_537, 66_000] {
        let more = size - journal.next_index();
        append(&mut journal, more);
        publisher.publish(size).unwrap();
        assert_eq!(check(&directory, &publisher.verifier().unwrap()), size);
    }
}

#[test]
fn whatever_fails_the_next_one_goes_on_and_nothing_smaller_is_ever_signed() {
    let mut points = 0;
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for then_dead in [false, true] {
            for after in 0.. {
                let home = scratch();
                let directory = home.path().join("journal");
                let (publisher, mut journal) = open(&directory);
                append(&mut journal, 250);
                publisher.publish(250).unwrap();
                append(&mut journal, 20);
                let plan = Plan { after, manner, errno: EIO, then_dead };
                let (published, struck) = under(plan, || publisher.publish(270));
                if !struck {
                    published.unwrap();
                    assert!(after >= 12, "{after} calls change the disk");
                    break;
                }
                points += 1;
                let signed = publisher.signed().unwrap();
                assert!([250, 270].contains(&signed));
                drop(publisher);
                let publisher = Publisher::open(&directory, "host").unwrap();
                assert!(publisher.signed().unwrap() >= signed);
                publisher.publish(270).unwrap();
                let whole = |name: &String| !name.ends_with("/new") && name != "new";
                // What a dead writer had not put into its place is written over by whoever writes there next.
                for left in files(&directory.join("tlog")).iter().filter(|name| !whole(name)) {
                    fs::remove_file(directory.join("tlog").join(left)).unwrap();
                }
                assert_eq!(check(&directory, &publisher.verifier().unwrap()), 270, "{plan:?}");
            }
        }
    }
    assert!(points > 60, "{points}");
}

#[test]
fn a_beginning_that_fails_is_begun_again() {
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for after in 0.. {
            let home = scratch();
            let directory = home.path().join("journal");
            let plan = Plan { after, manner, errno: EIO, then_dead: true };
            let (opened, struck) = under(plan, || Publisher::open(&directory, "host").map(|_| ()));
            assert_eq!(opened.is_err(), struck, "{plan:?}");
            if !struck {
                break;
            }
            let (publisher, mut journal) = open(&directory);
            append(&mut journal, 3);
            publisher.publish(3).unwrap();
            assert_eq!(check(&directory, &publisher.verifier().unwrap()), 3);
        }
    }
}

#[test]
fn records_that_were_signed_and_are_gone_or_others_are_never_signed_over() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 10);
    publisher.publish(10).unwrap();
    let elsewhere = home.path().join("elsewhere");
    let (_, mut other) = open(&elsewhere);
    append(&mut other, 4);
    let segment = "00000000.log";
    fs::copy(elsewhere.join(segment), directory.join(segment)).unwrap();
    let shrunk = publisher.publish(12);
    assert!(matches!(shrunk, Err(PublishError::Shrunk { records: 4, signed: 10 })), "{shrunk:?}");
    other.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"another" }).unwrap();
    append(&mut other, 8);
    fs::copy(elsewhere.join(segment), directory.join(segment)).unwrap();
    let rewritten = publisher.publish(12);
    assert!(matches!(rewritten, Err(PublishError::Rewritten { signed: 10 })), "{rewritten:?}");
}

/// Else whoever takes the head away could have another tree signed.
#[test]
fn nothing_is_signed_from_the_beginning_where_something_was_shown() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 3);
    publisher.publish(3).unwrap();
    let kept = fs::read(directory.join("head")).unwrap();
    let refused = || {
        let (publisher, mut journal) = open(&directory);
        append(&mut journal, 1);
        let refused = publisher.publish(journal.next_index());
        assert!(matches!(refused, Err(PublishError::Head(_))), "{refused:?}");
    };
    fs::write(directory.join("head"), vec![0; kept.len()]).unwrap();
    refused();
    fs::remove_file(directory.join("head")).unwrap();
    refused();
    fs::write(directory.join("head"), kept).unwrap();
    let (publisher, journal) = open(&directory);
    publisher.publish(journal.next_index()).unwrap();
    assert_eq!(check(&directory, &publisher.verifier().unwrap()), 5);
}

#[test]
fn a_key_that_is_gone_or_known_or_none_is_named() {
    let home = scratch();
    let directory = home.path().join("journal");
    drop(open(&directory));
    let key = directory.join("key");
    let text = fs::read(&key).unwrap();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let refused = || match Publisher::open(&directory, "host") {
        Err(PublishError::Key(error)) => error,
        other => panic!("{other:?}"),
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(refused(), KeyFileError::Readable { mode: 0o640, .. }));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, &text[..text.len() - 3]).unwrap();
    assert!(matches!(refused(), KeyFileError::Form { .. }));
    fs::remove_file(&key).unwrap();
    assert!(matches!(refused(), KeyFileError::Missing(_)));
    fs::write(&key, text).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    Publisher::open(&directory, "host").unwrap();
}

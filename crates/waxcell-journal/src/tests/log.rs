//! Checking a published log: every mutation is seen and named, and what is right is never called wrong.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::scratch;
use crate::tlog::{Checkpoint, Kind, Note, PrivateKey, SignedCheckpoint, Tile, decode_bundle, encode_bundle};
use crate::{
    Demands, Entry, Journal, Log, LogError, LogFaultKind, LogReport, Mark, Objects, Publisher, SpanId,
};

fn record(index: u64) -> String {
    let run = format!("{:032x}", 0x0123_4567_0000_0000_0000_0000_0000_0000 + u128::from(index / 2));
    let kind = if index.is_multiple_of(2) { "started" } else { "finished" };
    format!(r#"{{"index":{index},"run":"{run}","type":"{kind}","v":1}}"#)
}

struct Place {
    _home: tempfile::TempDir,
    publisher: Publisher,
    journal: Journal,
}

impl Place {
    fn new() -> Place {
        let home = scratch();
        let directory = home.path().join("journal");
        let publisher = Publisher::open(&directory, "host").unwrap();
        let journal = Journal::open(&directory).unwrap();
        Place { _home: home, publisher, journal }
    }

    /// Appends records up to this number, and publishes them.
    fn grow(&mut self, to: u64, record: impl Fn(u64) -> String) {
        let payloads: Vec<_> = (self.journal.next_index()..to).map(record).collect();
        for group in payloads.chunks(500) {
            let entry = |payload: &'_ String| Entry {
                mark: Mark::None,
                span: SpanId::NONE,
                payload: Box::leak(payload.clone().into_boxed_str()).as_bytes(),
            };
            self.journal.append_all(&group.iter().map(entry).collect::<Vec<_>>()).unwrap();
        }
        self.publisher.publish(to).unwrap();
    }

    fn log(&self) -> Log {
        Log::at(self.publisher.folder())
    }

    fn signed(&self) -> SignedCheckpoint {
        self.log().checkpoint(&[self.publisher.verifier().unwrap()]).unwrap()
    }

    fn verify(&self, against: Option<&Checkpoint>, since: u64) -> LogReport {
        let signed = self.signed();
        let demands = Demands { signed: &signed, against, since, records: true, progress: &mut |_| {} };
        self.log().verify(demands).unwrap()
    }

    fn path(&self, tile: Tile, kind: Kind) -> PathBuf {
        self.publisher.folder().join(tile.path(kind))
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn tile(level: u8, index: u64, width: u16) -> Tile {
    Tile { level, index, width }
}

#[test]
fn a_log_that_nobody_touched_is_sound() {
    let mut place = Place::new();
    let mut kept: Vec<Checkpoint> = Vec::new();
    for size in [1, 2, 255, 256, 257, 700, 66_000] {
        place.grow(size, record);
        let report = place.verify(None, 0);
        assert_eq!(report.faults, [], "{size}");
        assert_eq!((report.records, report.open_runs), (size, size % 2), "{size}");
        for checkpoint in kept.iter().filter(|_| size < 1000) {
            assert_eq!(place.verify(Some(checkpoint), checkpoint.size()).faults, [], "{size}");
        }
        kept.push(place.signed().checkpoint);
    }
}

#[test]
fn what_was_changed_is_named() {
    type Change = fn(&Place);
    let cases: [(&str, Change, LogFaultKind, Option<u64>); 12] = [
        (
            "a byte of a record",
            |place| change(&place.path(tile(0, 1, 256), Kind::Entries), |b| b[100] ^= 1),
            LogFaultKind::Record,
            Some(257),
        ),
        (
            "a byte of a hash",
            |place| change(&place.path(tile(0, 1, 256), Kind::Hashes), |b| b[33] ^= 1),
            LogFaultKind::Hash,
            Some(257),
        ),
        (
            "a hash above",
            |place| change(&place.path(tile(1, 0, 2), Kind::Hashes), |b| b[33] ^= 1),
            LogFaultKind::Hash,
            Some(256),
        ),
        (
            "a bundle that is gone",
            |place| fs::remove_file(place.path(tile(0, 0, 256), Kind::Entries)).unwrap(),
            LogFaultKind::Missing,
            None,
        ),
        (
            "a tile that is gone",
            |place| fs::remove_file(place.path(tile(0, 0, 256), Kind::Hashes)).unwrap(),
            LogFaultKind::Missing,
            None,
        ),
        (
            "a tile above that is gone",
            |place| fs::remove_file(place.path(tile(1, 0, 2), Kind::Hashes)).unwrap(),
            LogFaultKind::Missing,
            None,
        ),
        (
            "a bundle cut short",
            |place| {
                change(&place.path(tile(0, 2, 88), Kind::Entries), |b| {
                    b.pop();
                })
            },
            LogFaultKind::Bundle(crate::tlog::BundleError::Truncated { entry: 87, offset: 6916 }),
            None,
        ),
        (
            "a tile cut short",
            |place| {
                change(&place.path(tile(0, 2, 88), Kind::Hashes), |b| {
                    b.pop();
                })
            },
            LogFaultKind::Length { expected: 88 * 32, found: 88 * 32 - 1 },
            None,
        ),
        (
            "a tile too long",
            |place| change(&place.path(tile(0, 0, 256), Kind::Hashes), |b| b.push(0)),
            LogFaultKind::Length { expected: 8192, found: 8193 },
            None,
        ),
        ("two records swapped", |place| swap(place, false), LogFaultKind::Record, Some(4)),
        ("two records and their hashes swapped", |place| swap(place, true), LogFaultKind::Hash, Some(0)),
        (
            "a record twice",
            |place| {
                change(&place.path(tile(0, 0, 256), Kind::Entries), |bundle| {
                    let entries = decode_bundle(bundle, 256).unwrap();
                    let mut entries: Vec<_> = entries.into_iter().map(<[u8]>::to_vec).collect();
                    entries[9] = entries[8].clone();
                    *bundle = encode_bundle(entries).unwrap();
                })
            },
            LogFaultKind::Record,
            Some(9),
        ),
    ];
    for (name, mutate, kind, index) in cases {
        let mut place = Place::new();
        place.grow(600, record);
        mutate(&place);
        let report = place.verify(None, 0);
        let found = report.faults.iter().any(|fault| fault.kind == kind && fault.index == index);
        assert!(found, "{name}: {:#?}", report.faults);
    }
}

fn swap(place: &Place, hashes: bool) {
    change(&place.path(tile(0, 0, 256), Kind::Entries), |bundle| {
        let mut entries: Vec<_> =
            decode_bundle(bundle, 256).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        entries.swap(4, 5);
        *bundle = encode_bundle(entries).unwrap();
    });
    if hashes {
        change(&place.path(tile(0, 0, 256), Kind::Hashes), |tile| {
            let mut all: Vec<[u8; 32]> = tile.as_chunks().0.to_vec();
            all.swap(4, 5);
            *tile = all.as_flattened().to_vec();
        });
    }
}

#[test]
fn every_flipped_bit_is_seen() {
    let mut place = Place::new();
    place.grow(300, record);
    let signed = place.signed();
    let files = [
        (tile(0, 0, 256), Kind::Entries),
        (tile(0, 0, 256), Kind::Hashes),
        (tile(0, 1, 44), Kind::Entries),
        (tile(0, 1, 44), Kind::Hashes),
        (tile(1, 0, 1), Kind::Hashes),
    ];
    for (tile, kind) in files {
        let path = place.path(tile, kind);
        let length = fs::metadata(&path).unwrap().len();
        for at in (0..length).step_by(if cfg!(debug_assertions) { 101 } else { 1 }) {
            change(&path, |bytes| bytes[at as usize] ^= 1 << (at % 8));
            let demands =
                Demands { signed: &signed, against: None, since: 0, records: true, progress: &mut |_| {} };
            assert!(!place.log().verify(demands).unwrap().is_sound(), "{path:?}, byte {at}");
            change(&path, |bytes| bytes[at as usize] ^= 1 << (at % 8));
        }
    }
    assert!(place.verify(None, 0).is_sound());
}

#[test]
fn a_log_that_was_rolled_back_or_forked_is_not_the_one_that_was_kept() {
    let mut place = Place::new();
    place.grow(300, record);
    let early = place.signed().checkpoint;
    place.grow(400, record);
    let late = place.signed().checkpoint;
    let mut other = Place::new();
    other.grow(350, |index| record(index).replace("\"v\"", "\"u\":2,\"v\""));
    let kinds = |report: &LogReport| report.faults.iter().map(|fault| fault.kind.clone()).collect::<Vec<_>>();
    let rolled_back = other.verify(Some(&late), 0);
    assert_eq!(kinds(&rolled_back), [LogFaultKind::RolledBack { kept: 400, found: 350 }]);
    let forked = other.verify(Some(&early), 0);
    assert_eq!(kinds(&forked), [LogFaultKind::Against { size: 300 }]);
    // A checkpoint by another key says nothing at all.
    let refused = other.log().checkpoint(&[place.publisher.verifier().unwrap()]);
    assert!(matches!(refused, Err(LogError::Checkpoint { .. })), "{refused:?}");
}

#[test]
fn a_size_that_nobody_can_have_is_given_up_soon() {
    let mut place = Place::new();
    place.grow(300, record);
    let signed = place.signed();
    let key = fs::read_to_string(place.publisher.folder().with_file_name("key")).unwrap();
    let key = PrivateKey::from_text(key.trim_end()).unwrap();
    let promise = Checkpoint::new(key.name(), 1 << 62, *signed.checkpoint.root());
    let mut note = Note::new(promise.to_string()).unwrap();
    note.sign(&key);
    fs::write(place.publisher.folder().join("checkpoint"), note.to_string()).unwrap();
    let report = place.verify(None, 0);
    let missing = |fault: &&crate::LogFault| fault.kind == LogFaultKind::Missing;
    assert!(report.faults.iter().filter(missing).count() > 90, "{:?}", report.faults);
    assert!(report.more_faults < 1000, "{}", report.more_faults);
}

#[test]
fn records_that_are_none_and_runs_that_do_not_add_up_are_named() {
    let mut place = Place::new();
    let odd = |index| match index {
        3 => "no JSON".to_owned(),
        4 => record(9),
        5 => record(5).replace("\"v\":1", "\"v\":0"),
        8 => record(6).replace("\"index\":6", "\"index\":8"),
        11 => record(11).replace("finished", "violation"),
        13 => record(13).replace(",", ", "),
        _ => record(index),
    };
    place.grow(15, odd);
    // The journal takes none that is too long.
    change(&place.path(tile(0, 0, 15), Kind::Entries), |bundle| {
        let mut entries: Vec<_> =
            decode_bundle(bundle, 15).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        entries[14].resize(crate::MAX_PAYLOAD + 1, b' ');
        *bundle = encode_bundle(entries).unwrap();
    });
    let report = place.verify(None, 0);
    let found: Vec<_> =
        report.faults.iter().map(|fault| (fault.index.unwrap(), fault.kind.to_string())).collect();
    let expect = |at: usize, index: u64, what: &str| {
        assert!(found.get(at).is_some_and(|f| f.0 == index && f.1.contains(what)), "{at}: {found:#?}");
    };
    expect(0, 3, "is no record");
    expect(1, 4, "that it is record 9");
    expect(2, 4, "ends without having begun");
    expect(3, 5, "its version is 0");
    expect(4, 5, "ends without having begun");
    expect(5, 8, "begins again after its end");
    expect(6, 9, "ends twice");
    expect(7, 13, "not in its canonical form from byte 12 on");
    expect(8, 14, "16384 are the most");
}

#[test]
fn a_record_of_a_newer_version_is_no_fault_and_not_sound() {
    let mut place = Place::new();
    let odd = |index| match index {
        // It may mean anything, and may have ended or begun what follows.
        3 => r#"{"index":"three","v":2}"#.to_owned(),
        6 => record(6).replace("\"v\":1", "\"v\":3"),
        _ => record(index),
    };
    place.grow(10, odd);
    let report = place.verify(None, 0);
    assert_eq!((report.faults, report.newer), (vec![], Some((3, 2))));
    // What is signed is what counts, whatever it calls itself.
    change(&place.path(tile(0, 0, 10), Kind::Entries), |bundle| {
        let mut entries: Vec<_> =
            decode_bundle(bundle, 10).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        entries[4] = record(4).replace("\"v\":1", "\"v\":2").into_bytes();
        *bundle = encode_bundle(entries).unwrap();
    });
    let report = place.verify(None, 0);
    assert!(report.faults.iter().any(|fault| fault.index == Some(4)), "{report:#?}");
}

#[test]
fn the_object_of_a_long_record_is_there_and_what_was_signed() {
    let mut place = Place::new();
    let objects = Objects::of_log(place.publisher.folder());
    let hash = objects.put(b"all of it").unwrap();
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let whole = |bytes: u64, sha256: &str| {
        let whole = format!("\"v\":1,\"whole\":{{\"bytes\":{bytes},\"sha256\":\"{sha256}\"}}");
        move |index| record(index).replace("\"v\":1", &whole)
    };
    place.grow(1, whole(9, &digits));
    assert_eq!(place.verify(None, 0).faults, []);

    place.grow(2, whole(8, &digits));
    place.grow(3, whole(9, "../../key"));
    let path = place.publisher.folder().join(Objects::path(&hash));
    let faults = |place: &Place| {
        let report = place.verify(None, 0);
        report.faults.iter().map(|fault| (fault.index, fault.kind.clone())).collect::<Vec<_>>()
    };
    let no_hash = (Some(2), LogFaultKind::Form("`../../key` is no hash".to_owned()));
    let changed = |index| (Some(index), LogFaultKind::Object(digits.clone()));
    let missing = |index| (Some(index), LogFaultKind::ObjectMissing(digits.clone()));
    assert_eq!(faults(&place), [changed(1), no_hash.clone()]);
    change(&path, |bytes| bytes[0] ^= 1);
    assert_eq!(faults(&place), [changed(0), changed(1), no_hash.clone()]);
    fs::remove_file(&path).unwrap();
    assert_eq!(faults(&place), [no_hash, missing(0), missing(1)]);
    // What was checked before is not looked at again.
    assert_eq!(place.verify(None, 3).faults, []);
}

#[test]
fn runs_are_counted_however_many_there_are() {
    let mut place = Place::new();
    // More than one pass remembers in tests.
    place.grow(9001, record);
    let report = place.verify(None, 0);
    assert_eq!((report.faults.len(), report.open_runs), (0, 1));
    assert_eq!(report.open[0].1, 9000);
    place.grow(9002, record);
    place.grow(9003, |_| record(20).replace("\"index\":20", "\"index\":9002"));
    let report = place.verify(None, 0);
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert_eq!(report.faults[0].index, Some(9002));
}

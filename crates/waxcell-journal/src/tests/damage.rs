//! What crashes leave is cleared and reported; all other damage is named and never repaired.

use std::fs;
use std::path::Path;

use super::support::{Kept, append, check, scratch, segment_file, small, span};
use crate::frame::padded;
use crate::segment::{SEGMENT_BYTES, used};
use crate::{Entry, FaultKind, Journal, Mark, OpenError, ReadError, Reader, SpanId, verify};

/// Where each frame starts, and where the last one ends.
fn starts(kept: &[Kept]) -> Vec<usize> {
    let mut starts = vec![88];
    for (_, _, payload) in kept {
        starts.push(starts[starts.len() - 1] + padded(payload.len()));
    }
    starts
}

/// The journal opens, keeps exactly the first `survive` records, and says what it removed.
#[track_caller]
fn recovers(directory: &Path, kept: &[Kept], survive: usize, context: &str) {
    assert!(!verify(directory).unwrap().is_sound(), "{context}: seen before recovery");
    let mut journal = Journal::open(directory).unwrap_or_else(|error| panic!("{context}: {error}"));
    let recovered = journal.take_recovered();
    assert_eq!(recovered.len(), 1, "{context}");
    assert_eq!(recovered[0].index, survive as u64, "{context}");
    let mut kept = kept[..survive].to_vec();
    check(directory, &kept);
    append(&mut journal, &mut kept, Mark::None, SpanId::NONE, b"after recovery");
    check(directory, &kept);
}

#[test]
fn the_tail_may_be_torn_at_every_byte() {
    let home = scratch();
    let directory = home.path().join("journal");
    let kept = small(&directory);
    let file = segment_file(&directory, 0);
    let whole = fs::read(&file).unwrap();
    let starts = starts(&kept);
    // The last two frames: a cut in the first of them takes both.
    for cut in starts[2]..starts[4] {
        let survive = if cut < starts[3] { 2 } else { 3 };
        let begun = starts[survive];
        let truncated = whole[..cut].to_vec();
        let mut zeroed = whole.clone();
        zeroed[cut..].fill(0);
        let mut garbled = whole.clone();
        garbled[cut..starts[4]].iter_mut().for_each(|byte| *byte ^= 0xa5);
        for (how, bytes) in [("truncated", truncated), ("zeroed", zeroed), ("garbled", garbled)] {
            if how == "zeroed" && used(&bytes) <= begun {
                continue; // Nothing is left of it: as if it had never been written.
            }
            if how == "zeroed" && bytes == whole {
                continue; // The padding is zeros anyway.
            }
            fs::write(&file, bytes).unwrap();
            recovers(&directory, &kept, survive, &format!("{how} at {cut}"));
        }
    }
}

#[test]
fn a_write_may_reach_the_disk_without_its_beginning() {
    let home = scratch();
    let directory = home.path().join("journal");
    let kept = small(&directory);
    let mut journal = Journal::open(&directory).unwrap();
    let entry = Entry { mark: Mark::None, span: SpanId::NONE, payload: b"one of a group" };
    journal.append_all(&[entry; 4]).unwrap();
    let file = segment_file(&directory, 0);
    let mut bytes = fs::read(&file).unwrap();
    let group = starts(&kept)[4];
    // The second frame of the group is gone; the others came through.
    bytes[group + padded(14)..group + 2 * padded(14)].fill(0);
    fs::write(&file, bytes).unwrap();
    assert!(verify(&directory).unwrap().is_only_torn());
    let mut expected = kept.clone();
    expected.push((Mark::None, SpanId::NONE, b"one of a group".to_vec()));
    let mut journal = Journal::open(&directory).unwrap();
    assert_eq!(journal.take_recovered()[0].bytes as usize, 3 * padded(14) - 2);
    check(&directory, &expected);
}

#[test]
fn every_flipped_bit_is_seen() {
    let home = scratch();
    let directory = home.path().join("journal");
    let kept = small(&directory);
    let file = segment_file(&directory, 0);
    let whole = fs::read(&file).unwrap();
    let last = starts(&kept)[3];
    let end = starts(&kept)[4];
    let beyond = [end, end + 1, end + 71, end + 4096, SEGMENT_BYTES / 2, SEGMENT_BYTES - 1];
    for at in (0..end).chain(beyond) {
        for bit in [0, 1 + at % 7] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&file, &bytes).unwrap();
            let report = verify(&directory).unwrap();
            assert!(!report.is_sound(), "byte {at} bit {bit}");
            // Recovery never touches what cannot come from a crash.
            if at < last {
                let refused = Journal::open(&directory).unwrap_err();
                assert!(matches!(refused, OpenError::Corrupt(_)), "byte {at}: {refused}");
                assert_eq!(fs::read(&file).unwrap(), bytes);
            }
        }
    }
}

#[test]
fn damage_is_named_and_the_rest_stays_readable() {
    let home = scratch();
    let directory = home.path().join("journal");
    let kept = small(&directory);
    let file = segment_file(&directory, 0);
    let whole = fs::read(&file).unwrap();
    let starts = starts(&kept);
    let mut bytes = whole.clone();
    bytes[starts[1] + 80] ^= 1;
    fs::write(&file, bytes).unwrap();
    let report = verify(&directory).unwrap();
    assert_eq!(report.records, 3);
    assert_eq!(report.faults.len(), 1);
    assert_eq!(
        report.faults[0].to_string(),
        format!(
            "`00000000.log`, byte {}, record 1: the record cannot be read; the next one that can is 2",
            starts[1]
        )
    );
    let error = Journal::open(&directory).unwrap_err().to_string();
    assert!(
        error.ends_with(&format!(
            "00000000.log` is damaged at byte {}, record 1: the record is unreadable, and later ones prove that it \
             was whole",
            starts[1]
        )),
        "{error}"
    );
    let read: Vec<_> = Reader::open(&directory).unwrap().collect();
    assert!(matches!(read[..], [Ok(_), Err(_)]), "{read:?}");
}

/// Somebody who can compute checksums removes, swaps or repeats records.
#[test]
fn forged_frames_break_index_or_chain() {
    let home = scratch();
    let directory = home.path().join("journal");
    let kept = small(&directory);
    let file = segment_file(&directory, 0);
    let whole = fs::read(&file).unwrap();
    let at = starts(&kept);
    let header = crate::header::Header::decode(&whole).unwrap();
    let seed = crate::frame::seed(&header.journal);
    let with = |frames: &[Vec<u8>]| {
        let mut bytes = whole[..88].to_vec();
        frames.iter().for_each(|frame| bytes.extend(frame));
        bytes.resize(SEGMENT_BYTES, 0);
        bytes
    };
    let frame = |nth: usize| whole[at[nth]..at[nth + 1]].to_vec();
    // With another payload and index, and a checksum that fits.
    let forged = |nth: usize, index: u64, payload: &[u8]| {
        let bytes = frame(nth);
        let original = crate::frame::decode(seed, &bytes).unwrap();
        let mut out = Vec::new();
        crate::frame::Frame { index, payload, ..original }.encode(seed, &mut out);
        out
    };
    let cases = [
        ("edited", with(&[frame(0), forged(1, 1, b"a run be_ins"), frame(2), frame(3)]), 1, FaultKind::Chain),
        ("removed", with(&[frame(0), forged(3, 1, b"")]), 1, FaultKind::Chain),
        ("removed, not renumbered", with(&[frame(1), frame(2)]), 0, FaultKind::Index { found: 1 }),
        ("repeated", with(&[frame(0), frame(0)]), 1, FaultKind::Index { found: 0 }),
        ("swapped", with(&[frame(0), frame(1), frame(3), frame(2)]), 2, FaultKind::Index { found: 3 }),
    ];
    for (what, bytes, index, kind) in cases {
        fs::write(&file, bytes).unwrap();
        let report = verify(&directory).unwrap();
        let first = &report.faults[0];
        assert_eq!((first.index, &first.kind), (index, &kind), "{what}: {report:?}");
    }
}

#[test]
fn a_segment_that_is_cut_missing_or_foreign_is_named() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut journal = Journal::open(&directory).unwrap();
    let mut kept = Vec::new();
    append(&mut journal, &mut kept, Mark::Open, span(9), b"over all segments");
    let big = vec![b'b'; 15 * 1024];
    while crate::directory::Directory::to_read(&directory).unwrap().segments().unwrap().len() < 4 {
        append(&mut journal, &mut kept, Mark::None, span(9), &big);
    }
    check(&directory, &kept);
    let first_of = |number| {
        let bytes = fs::read(segment_file(&directory, number)).unwrap();
        crate::header::Header::decode(&bytes).unwrap().first_index
    };
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Change<'_>, FaultKind, u64); 4] = [
        ("removed", &|path| fs::remove_file(path).unwrap(), FaultKind::Missing, first_of(1)),
        (
            "emptied",
            &|path| fs::write(path, vec![0; SEGMENT_BYTES]).unwrap(),
            FaultKind::Header("this is not the header of a segment"),
            first_of(1),
        ),
        (
            "replaced by another",
            &|path| assert!(fs::copy(segment_file(&directory, 2), path).is_ok()),
            FaultKind::Continuation("the number of the segment"),
            first_of(1),
        ),
        (
            "cut",
            &|path| fs::File::options().write(true).open(path).unwrap().set_len(400_000).unwrap(),
            FaultKind::Length(400_000),
            first_of(1),
        ),
    ];
    for (what, change, kind, index) in cases {
        let path = segment_file(&directory, 1);
        let before = fs::read(&path).unwrap();
        change(&path);
        let report = verify(&directory).unwrap();
        let fault = &report.faults[0];
        assert_eq!((&fault.file[..], fault.index, &fault.kind), ("00000001.log", index, &kind), "{what}");
        let all: Vec<_> = Reader::open(&directory).unwrap().collect();
        assert!(all.iter().any(Result::is_err), "{what}: the reader must not pass over it");
        fs::write(&path, before).unwrap();
    }
    // The tail of a sealed segment, cleanly taken away, shows in the header that follows.
    let path = segment_file(&directory, 1);
    let mut bytes = fs::read(&path).unwrap();
    let frame = padded(big.len());
    let end = used(&bytes).next_multiple_of(8);
    bytes[end - frame..].fill(0);
    fs::write(&path, bytes).unwrap();
    let fault = verify(&directory).unwrap().faults.remove(0);
    assert_eq!(
        (fault.file.as_str(), fault.kind),
        ("00000002.log", FaultKind::Continuation("the first record"))
    );
    // A hole is refused at the start, too.
    fs::remove_file(&path).unwrap();
    assert!(matches!(Journal::open(&directory), Err(OpenError::Corrupt(_))));
}

/// What a later version wrote was not tampered with; a flipped bit in the number of the version is damage.
#[test]
fn a_format_that_is_not_known_cannot_be_checked() {
    let home = scratch();
    let directory = home.path().join("journal");
    small(&directory);
    let file = segment_file(&directory, 0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = 2;
    fs::write(&file, &bytes).unwrap();
    assert!(!verify(&directory).unwrap().is_sound());
    let crc = crc32c::crc32c(&bytes[..84]);
    bytes[84..88].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    let refused = verify(&directory).unwrap_err();
    assert!(matches!(&refused, ReadError::Version(path) if *path == file), "{refused}");
    assert!(Journal::open(&directory).is_err());
}

#[test]
fn bytes_behind_the_end_of_a_sealed_segment_are_seen() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut journal = Journal::open(&directory).unwrap();
    for _ in 0..80 {
        journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: &[1; 15 * 1024] }).unwrap();
    }
    let path = segment_file(&directory, 0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[SEGMENT_BYTES - 1] = 1;
    fs::write(&path, bytes).unwrap();
    let fault = verify(&directory).unwrap().faults.remove(0);
    assert!(matches!(fault.kind, FaultKind::Trailing { .. }), "{fault}");
}

/// A journal is opened without the lock; the record it saw last may be taken back by the writer whose sync failed.
#[test]
fn a_record_that_is_taken_back_is_forgotten() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut kept = small(&directory);
    let file = segment_file(&directory, 0);
    let mut early = Journal::open(&directory).unwrap();
    let end = starts(&kept)[4];
    let last = starts(&kept)[3];
    let mut bytes = fs::read(&file).unwrap();
    bytes[last..end].fill(0);
    fs::write(&file, &bytes).unwrap();
    kept.pop();
    append(&mut early, &mut kept, Mark::None, SpanId::NONE, b"in its place");
    check(&directory, &kept);
    // A record that was durable does not go by itself.
    fs::write(&file, &bytes).unwrap();
    let entry = Entry { mark: Mark::None, span: SpanId::NONE, payload: b"refused" };
    assert!(matches!(early.append(entry), Err(crate::AppendError::Corrupt(_))));
    assert!(matches!(early.append(entry), Err(crate::AppendError::Poisoned)));
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

/// A writer knows only its segment; the verifier remembers all spans, also when they are too many for one pass.
#[test]
fn a_span_that_is_opened_again_in_another_segment_is_seen() {
    for others in [0, 40] {
        let home = scratch();
        let directory = home.path().join("journal");
        let mut journal = Journal::open(&directory).unwrap();
        let mut append = |mark, span, payload: &[u8]| {
            journal.append(Entry { mark, span, payload }).unwrap();
        };
        for name in (101..=101 + others).chain([1]) {
            append(Mark::Open, span(name), b"");
            append(Mark::Close, span(name), b"");
        }
        for _ in 0..80 {
            append(Mark::None, SpanId::NONE, &[0; 15 * 1024]);
        }
        assert!(verify(&directory).unwrap().is_sound());
        let again = 2 * (u64::from(others) + 2) + 80;
        append(Mark::Open, span(1), b"once more");
        append(Mark::Open, span(2), b"for the first time");
        let report = verify(&directory).unwrap();
        let kind = FaultKind::Mark { span: span(1), fault: crate::MarkFault::AlreadyClosed };
        assert_eq!(
            report.faults.iter().map(|fault| (fault.index, &fault.kind)).collect::<Vec<_>>(),
            [(again, &kind)]
        );
    }
}

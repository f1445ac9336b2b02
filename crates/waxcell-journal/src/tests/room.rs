//! Rotation, spare segments, and the room that open spans are owed.

use std::fs;

use super::support::{append, check, scratch, segment_file, span};
use crate::disk::faults::{Manner, Plan, under};
use crate::spare::{CLOSING_RESERVE, closings_per_spare};
use crate::{AppendError, Entry, Journal, MAX_GROUP, MAX_OPEN_SPANS, MAX_PAYLOAD, Mark, MarkFault, SpanId};

fn numbered(number: u32) -> SpanId {
    let mut name = [1; 16];
    name[..4].copy_from_slice(&number.to_le_bytes());
    SpanId::new(name)
}

#[test]
fn spans_are_carried_over_segments() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut kept = Vec::new();
    let mut journal = Journal::open(&directory).unwrap();
    append(&mut journal, &mut kept, Mark::Open, span(1), b"one");
    for round in 0..240u8 {
        append(&mut journal, &mut kept, Mark::Open, numbered(round.into()), b"short");
        append(&mut journal, &mut kept, Mark::None, span(1), &vec![round; MAX_PAYLOAD]);
        if round % 2 == 0 {
            append(&mut journal, &mut kept, Mark::Close, numbered(round.into()), b"");
        }
    }
    assert!(segment_file(&directory, 3).exists());
    check(&directory, &kept);
    let mut fresh = Journal::open(&directory).unwrap();
    append(&mut fresh, &mut kept, Mark::Close, span(1), b"one ends");
    append(&mut journal, &mut kept, Mark::Close, numbered(1), b"so does another");
    check(&directory, &kept);
}

#[test]
fn a_writer_finds_the_others_behind_several_segments() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut kept = Vec::new();
    let mut left_behind = Journal::open(&directory).unwrap();
    let mut journal = Journal::open(&directory).unwrap();
    for _ in 0..160 {
        append(&mut journal, &mut kept, Mark::None, SpanId::NONE, &[2; MAX_PAYLOAD]);
    }
    append(&mut left_behind, &mut kept, Mark::Open, span(4), b"here I am");
    append(&mut journal, &mut kept, Mark::Close, span(4), b"so are we");
    check(&directory, &kept);
}

#[test]
fn rules_of_spans_and_sizes_leave_no_trace() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut kept = Vec::new();
    let mut journal = Journal::open(&directory).unwrap();
    append(&mut journal, &mut kept, Mark::Open, span(1), b"");
    append(&mut journal, &mut kept, Mark::Open, span(2), b"");
    append(&mut journal, &mut kept, Mark::Close, span(2), b"");
    let refuse =
        |journal: &mut Journal, entries: &[Entry<'_>], fault: MarkFault| match journal.append_all(entries) {
            Err(AppendError::Mark { fault: found, .. }) => assert_eq!(found, fault),
            other => panic!("{other:?}"),
        };
    let entry = |mark, span| Entry { mark, span, payload: b"refused" };
    let good = entry(Mark::None, SpanId::NONE);
    refuse(&mut journal, &[good, entry(Mark::Open, span(1))], MarkFault::AlreadyOpen);
    refuse(&mut journal, &[good, entry(Mark::Open, span(2))], MarkFault::AlreadyClosed);
    refuse(&mut journal, &[good, entry(Mark::Close, span(2))], MarkFault::AlreadyClosed);
    refuse(&mut journal, &[good, entry(Mark::Close, span(3))], MarkFault::NeverOpened);
    refuse(&mut journal, &[good, entry(Mark::Open, SpanId::NONE)], MarkFault::Nameless);
    let [open, close] = [entry(Mark::Open, span(5)), entry(Mark::Close, span(5))];
    refuse(&mut journal, &[open, open], MarkFault::AlreadyOpen);
    refuse(&mut journal, &[open, close, close], MarkFault::AlreadyClosed);
    let too_large = vec![0; MAX_PAYLOAD + 1];
    assert!(matches!(
        journal.append(Entry { payload: &too_large, ..good }),
        Err(AppendError::TooLarge(size)) if size == MAX_PAYLOAD + 1
    ));
    let large = Entry { payload: &too_large[1..], ..good };
    let most = MAX_GROUP / crate::frame::MAX_FRAME;
    assert!(matches!(journal.append_all(&vec![large; most + 1]), Err(AppendError::GroupTooLarge(_))));
    check(&directory, &kept);
    assert_eq!(journal.append_all(&[]).unwrap(), []);
    journal.append_all(&[open, close]).unwrap();
    journal.append_all(&vec![large; most]).unwrap();
    let mut index = 0;
    journal
        .append_with(Mark::None, SpanId::NONE, |next| {
            index = next;
            format!("I am {next}")
        })
        .unwrap();
    assert_eq!(index, 5 + most as u64);
}

#[test]
fn a_group_opens_no_more_spans_than_there_may_be() {
    let home = scratch();
    let mut journal = Journal::open(&home.path().join("journal")).unwrap();
    let entries: Vec<_> = (0..)
        .map(|number| Entry { mark: Mark::Open, span: numbered(number), payload: b"" })
        .take(MAX_OPEN_SPANS)
        .collect();
    journal.append_all(&entries).unwrap();
    let one_more = Entry { mark: Mark::Open, span: span(77), payload: b"" };
    assert!(matches!(journal.append(one_more), Err(AppendError::Mark { fault: MarkFault::TooMany, .. })));
    // The longest header there can be, in the next segment.
    for _ in 0..64 {
        journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: &[0; MAX_PAYLOAD] }).unwrap();
    }
    let mut fresh = Journal::open(&home.path().join("journal")).unwrap();
    assert_eq!(fresh.open_spans().unwrap().len(), MAX_OPEN_SPANS);
    assert!(crate::verify(&home.path().join("journal")).unwrap().is_sound());
}

/// From the first refusal for want of room on, every span that was allowed to open can still be closed.
#[test]
fn open_spans_can_be_closed_on_a_full_disk() {
    for spans_first in [1, 20, 150] {
        let home = scratch();
        let directory = home.path().join("journal");
        let mut kept = Vec::new();
        let mut journal = Journal::open(&directory).unwrap();
        for number in 0..spans_first {
            append(&mut journal, &mut kept, Mark::Open, numbered(number), b"started");
        }
        // No more spares from here on: a directory stands where one would be begun.
        fs::create_dir(directory.join("spare.tmp")).unwrap();
        let mut number = spans_first;
        loop {
            let (mark, span, payload) = (Mark::Open, numbered(number), vec![7; 9_000]);
            match journal.append(Entry { mark, span, payload: &payload }) {
                Ok(_) => kept.push((mark, span, payload)),
                Err(AppendError::NoRoom(_)) => break,
                Err(other) => panic!("{other}"),
            }
            number += 1;
        }
        // Nothing else may use what is left for them.
        let none = Entry { mark: Mark::None, span: SpanId::NONE, payload: &[0; 100] };
        while journal.append(none).is_ok() {
            kept.push((Mark::None, SpanId::NONE, vec![0; 100]));
        }
        assert!(matches!(journal.append(none), Err(AppendError::NoRoom(_))));
        check(&directory, &kept);
        for closing in (0..number).rev() {
            append(&mut journal, &mut kept, Mark::Close, numbered(closing), &[8; CLOSING_RESERVE]);
        }
        check(&directory, &kept);
    }
    assert!(closings_per_spare() > 60);
}

#[test]
fn a_segment_made_ahead_is_used_and_made_once() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut journal = Journal::open(&directory).unwrap();
    let mut kept = Vec::new();
    journal.prepare_next().unwrap();
    assert!(!directory.join("spare-0").exists(), "there is room enough");
    for _ in 0..52 {
        append(&mut journal, &mut kept, Mark::None, SpanId::NONE, &[3; MAX_PAYLOAD]);
    }
    journal.prepare_next().unwrap();
    journal.prepare_next().unwrap();
    assert!(directory.join("spare-0").exists() && !directory.join("spare-1").exists());
    fs::create_dir(directory.join("spare.tmp")).unwrap();
    for _ in 0..16 {
        append(&mut journal, &mut kept, Mark::None, SpanId::NONE, &[3; MAX_PAYLOAD]);
    }
    assert!(segment_file(&directory, 1).exists() && !directory.join("spare-0").exists());
    check(&directory, &kept);
}

#[test]
fn a_spare_that_is_not_blank_is_thrown_away() {
    for content in [vec![0; 100], [vec![0; crate::SEGMENT_BYTES - 1], vec![1]].concat()] {
        let home = scratch();
        let directory = home.path().join("journal");
        let mut kept = Vec::new();
        let mut journal = Journal::open(&directory).unwrap();
        fs::write(directory.join("spare-0"), content).unwrap();
        fs::write(directory.join("spare.tmp"), b"left by a crash").unwrap();
        for _ in 0..80 {
            append(&mut journal, &mut kept, Mark::None, SpanId::NONE, &[3; MAX_PAYLOAD]);
        }
        check(&directory, &kept);
    }
}

/// A panic of the caller while it makes its payload costs it nothing but that record.
#[test]
fn a_panic_in_the_payload_leaves_the_journal_usable() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut journal = Journal::open(&directory).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let payload = |_| -> Vec<u8> { panic!("on purpose") };
        drop(journal.append_with(Mark::None, SpanId::NONE, payload));
    }));
    assert!(caught.is_err());
    let mut other = Journal::open(&directory).unwrap();
    let mut kept = Vec::new();
    append(&mut other, &mut kept, Mark::None, SpanId::NONE, b"not locked out");
    append(&mut journal, &mut kept, Mark::None, SpanId::NONE, b"neither am I");
    check(&directory, &kept);
}

#[test]
fn want_of_room_does_not_poison() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut kept = Vec::new();
    let mut journal = Journal::open(&directory).unwrap();
    for _ in 0..63 {
        append(&mut journal, &mut kept, Mark::None, SpanId::NONE, &[3; MAX_PAYLOAD]);
    }
    let big = Entry { mark: Mark::None, span: SpanId::NONE, payload: &[3; MAX_PAYLOAD] };
    let plan = Plan { after: 0, manner: Manner::Lost, errno: 28, then_dead: false };
    let (refused, struck) = under(plan, || journal.append(big));
    assert!(struck);
    let Err(AppendError::NoRoom(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.fault, crate::DiskFault::Full);
    append(&mut journal, &mut kept, Mark::None, SpanId::NONE, b"a small one fits");
    append(&mut journal, &mut kept, Mark::None, SpanId::NONE, &[4; MAX_PAYLOAD]);
    check(&directory, &kept);
}

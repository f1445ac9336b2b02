//! Every call that changes the disk fails once: not made, half made, made all the same; and the process goes on or
//! is dead from there. Whatever happens, a record with a receipt stays, and the next start finds a sound journal.

use super::support::{Kept, check, scratch, span};
use crate::disk::faults::{Manner, Plan, under};
use crate::{AppendError, Entry, Journal, Mark, Reader, SpanId, verify};
use std::path::Path;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What a run of the scenario got receipts for, and what it tried next.
#[derive(Default)]
struct Story {
    kept: Vec<Kept>,
    tried: Vec<Kept>,
    /// Did the last step fail?
    failed: bool,
}

impl Story {
    fn step(&mut self, journal: &mut Journal, entries: &[Kept]) -> bool {
        let borrowed: Vec<_> =
            entries.iter().map(|(mark, span, payload)| Entry { mark: *mark, span: *span, payload }).collect();
        match journal.append_all(&borrowed) {
            Ok(receipts) => {
                assert_eq!(receipts.len(), entries.len());
                self.kept.extend_from_slice(entries);
            }
            Err(error) => {
                assert!(
                    matches!(error, AppendError::Disk(_) | AppendError::NoRoom(_)),
                    "{error}: the fault is named"
                );
                let again = journal.append_all(&borrowed[..1]);
                match error {
                    AppendError::NoRoom(_) => {}
                    _ => assert!(matches!(again, Err(AppendError::Poisoned)), "{again:?}"),
                }
                if let (Ok(_), Some(first)) = (&again, entries.first()) {
                    self.kept.push(first.clone());
                } else {
                    self.tried.extend_from_slice(entries);
                }
                self.failed = true;
            }
        }
        !self.failed
    }
}

/// Beginning a journal, a span over two segments, a group, a segment made ahead.
fn scenario(directory: &Path) -> Story {
    let mut story = Story::default();
    let Ok(mut journal) = Journal::open(directory) else {
        story.failed = true;
        return story;
    };
    let big = vec![b'b'; 15 * 1024];
    let mut steps = vec![vec![(Mark::Open, span(1), b"started".to_vec())]];
    steps.extend((0..2).map(|_| (0..32).map(|_| (Mark::None, span(1), big.clone())).collect::<Vec<_>>()));
    let more = (0..4).map(|_| (Mark::None, SpanId::NONE, big.clone()));
    steps.push(more.chain([(Mark::Open, span(2), b"two".to_vec())]).collect());
    steps.push(vec![(Mark::Close, span(1), b"finished".to_vec())]);
    for step in steps {
        if !story.step(&mut journal, &step) {
            return story;
        }
        if journal.prepare_next().is_err() {
            // Only an attempt: the journal goes on.
            assert!(journal.open_spans().is_ok());
        }
    }
    story
}

/// All that has a receipt is there; beyond it nothing but the first few of what was being written.
fn survivors(directory: &Path, story: &Story) -> Vec<Kept> {
    let read: Vec<Kept> = Reader::open(directory)
        .unwrap()
        .map(|record| record.map(|record| (record.mark, record.span, record.payload)).unwrap())
        .collect();
    assert!(read.len() >= story.kept.len(), "a record with a receipt is lost");
    let attempted: Vec<_> = story.kept.iter().chain(&story.tried).cloned().collect();
    assert!(read.len() <= attempted.len());
    assert!(read == attempted[..read.len()]);
    read
}

fn each_fault(mut test: impl FnMut(Plan) -> bool) {
    let mut points = 0;
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for (errno, then_dead) in [(EIO, false), (EIO, true), (ENOSPC, false)] {
            let reached = (0..).take_while(|&after| test(Plan { after, manner, errno, then_dead })).count();
            assert!(reached >= 12, "{reached} calls change the disk");
            points += reached;
        }
    }
    assert!(points > 100, "{points}");
}

#[test]
fn no_fault_loses_a_record_that_has_a_receipt() {
    each_fault(|plan| {
        let home = scratch();
        let directory = home.path().join("state/journal");
        let (story, struck) = under(plan, || scenario(&directory));
        assert!(struck || !story.failed, "{plan:?}");
        let mut journal = Journal::open(&directory).unwrap();
        let torn = journal.take_recovered();
        assert!(torn.len() <= 1);
        let mut kept = survivors(&directory, &story);
        check(&directory, &kept);
        super::support::append(&mut journal, &mut kept, Mark::None, SpanId::NONE, b"life goes on");
        check(&directory, &kept);
        struck
    });
}

/// Another process has the journal open all the while: it must neither trust what the failed write left in the page
/// cache nor stumble over it.
#[test]
fn a_second_writer_goes_on_after_the_first_one_failed() {
    each_fault(|plan| {
        let home = scratch();
        let directory = home.path().join("journal");
        let mut other = Journal::open(&directory).unwrap();
        let (story, struck) = under(plan, || scenario(&directory));
        let receipt =
            other.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"me too" }).unwrap();
        assert_eq!(verify(&directory).unwrap().faults, [], "{plan:?}");
        let last = Reader::last(&directory, 1).unwrap();
        assert_eq!((last[0].index, &last[0].payload[..]), (receipt.index(), &b"me too"[..]));
        assert!(receipt.index() >= story.kept.len() as u64);
        struck
    });
}

#[test]
fn recovery_that_fails_is_begun_again() {
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for after in 0..2 {
            let home = scratch();
            let directory = home.path().join("journal");
            let kept = super::support::small(&directory);
            let file = super::support::segment_file(&directory, 0);
            let mut bytes = std::fs::read(&file).unwrap();
            let end = crate::segment::used(&bytes).next_multiple_of(8);
            bytes[end..end + 100].fill(7);
            std::fs::write(&file, bytes).unwrap();
            let plan = Plan { after, manner, errno: EIO, then_dead: false };
            let (opened, struck) = under(plan, || Journal::open(&directory));
            assert!(struck && opened.is_err());
            drop(Journal::open(&directory).unwrap());
            check(&directory, &kept);
        }
    }
}

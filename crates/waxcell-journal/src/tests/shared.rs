//! Many writers at once, in one process and in several.

use std::thread;

use super::support::{check, scratch, span};
use crate::disk::faults::{Manner, Plan, under};
use crate::{AppendError, Entry, Journal, Mark, MarkFault, Pending, Reader, SharedJournal, SpanId, verify};

fn pending(mark: Mark, span: SpanId, text: String) -> Pending {
    Pending { mark, span, payload: Box::new(move |index| format!("{index} {text}").into_bytes()) }
}

#[test]
fn every_thread_gets_the_receipt_of_its_own_record() {
    let home = scratch();
    let directory = home.path().join("journal");
    let shared = SharedJournal::new(Journal::open(&directory).unwrap()).unwrap();
    // Another writer, as another process would be.
    let mut beside = Journal::open(&directory).unwrap();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..64)
            .map(|writer| {
                let shared = &shared;
                scope.spawn(move || {
                    (0..20)
                        .map(|nth| {
                            let text = format!("{writer}/{nth}");
                            let receipt =
                                shared.append(pending(Mark::None, SpanId::NONE, text.clone())).unwrap();
                            (receipt, text)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for _ in 0..20 {
            beside.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"beside" }).unwrap();
        }
        let records: Vec<_> = Reader::open(&directory).unwrap().map(Result::unwrap).collect();
        assert!(records.len() >= 20);
        for (receipt, text) in writers.into_iter().flat_map(|writer| writer.join().unwrap()) {
            let mut at = Reader::from_index(&directory, receipt.index()).unwrap();
            let record = at.next().unwrap().unwrap();
            assert_eq!(record.payload, format!("{} {text}", record.index).as_bytes());
            assert_eq!((record.index, record.leaf_hash), (receipt.index(), receipt.leaf_hash()));
        }
    });
    let report = verify(&directory).unwrap();
    assert_eq!((report.faults, report.records), (vec![], 64 * 20 + 20));
}

#[test]
fn who_breaks_a_rule_is_left_out_of_the_group_alone() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut journal = Journal::open(&directory).unwrap();
    let too_large = Pending {
        mark: Mark::None,
        span: SpanId::NONE,
        payload: Box::new(|_| vec![0; crate::MAX_PAYLOAD + 1]),
    };
    let group = [
        pending(Mark::Open, span(1), "a".to_owned()),
        pending(Mark::Close, span(2), "b".to_owned()),
        too_large,
        pending(Mark::Close, span(1), "c".to_owned()),
        pending(Mark::Close, span(1), "d".to_owned()),
    ];
    let results = journal.append_pending(&group);
    let fault = |result: &Result<_, AppendError>| match result {
        Err(AppendError::Mark { fault, .. }) => Some(*fault),
        _ => None,
    };
    assert_eq!(results.len(), group.len());
    assert_eq!(results[0].as_ref().unwrap().index(), 0);
    assert_eq!(fault(&results[1]), Some(MarkFault::NeverOpened));
    assert!(matches!(results[2], Err(AppendError::TooLarge(_))));
    assert_eq!(results[3].as_ref().unwrap().index(), 1);
    assert_eq!(fault(&results[4]), Some(MarkFault::AlreadyClosed));
    drop(journal);
    let kept = [(Mark::Open, "0 a"), (Mark::Close, "1 c")];
    check(&directory, &kept.map(|(mark, text)| (mark, span(1), text.as_bytes().to_vec())));
}

#[test]
fn a_group_larger_than_one_write_is_several() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut journal = Journal::open(&directory).unwrap();
    let large = |_| vec![7; crate::MAX_PAYLOAD];
    let group: Vec<_> =
        (0..20).map(|_| Pending { mark: Mark::None, span: SpanId::NONE, payload: Box::new(large) }).collect();
    let indices: Vec<_> =
        journal.append_pending(&group).into_iter().map(|result| result.unwrap().index()).collect();
    assert_eq!(indices, (0..20).collect::<Vec<_>>());
    assert_eq!(verify(&directory).unwrap().faults, []);
}

#[test]
fn when_the_disk_fails_nobody_of_the_group_gets_a_receipt() {
    let home = scratch();
    let directory = home.path().join("journal");
    let mut journal = Journal::open(&directory).unwrap();
    let group: Vec<_> = (0..3).map(|nth| pending(Mark::None, SpanId::NONE, nth.to_string())).collect();
    let plan = Plan { after: 3, manner: Manner::Done, errno: 5, then_dead: false };
    let (results, struck) = under(plan, || journal.append_pending(&group));
    assert!(struck);
    assert!(results.iter().all(|result| matches!(result, Err(AppendError::Group(_)))), "{results:?}");
    let again = journal.append_pending(&group);
    assert!(again.iter().all(Result::is_err), "{again:?}");
}

#[test]
fn nobody_waits_for_a_writer_that_is_gone() {
    let home = scratch();
    let shared = SharedJournal::new(Journal::open(&home.path().join("journal")).unwrap()).unwrap();
    thread::scope(|scope| {
        let before = scope.spawn(|| shared.append(pending(Mark::None, SpanId::NONE, "sound".to_owned())));
        assert!(before.join().unwrap().is_ok());
        let hurt = Pending {
            mark: Mark::None,
            span: SpanId::NONE,
            payload: Box::new(|_| panic!("a payload that panics, as the test wants")),
        };
        assert!(matches!(shared.append(hurt), Err(AppendError::Poisoned)));
        assert!(matches!(
            shared.append(pending(Mark::None, SpanId::NONE, "late".to_owned())),
            Err(AppendError::Poisoned)
        ));
    });
    assert!(shared.into_inner().is_none());
}

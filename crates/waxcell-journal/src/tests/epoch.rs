//! Epochs of keys: whoever has a later key cannot say otherwise about what an earlier one signed.

use std::fs;
use std::path::Path;

use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::{Policy, VerifierKey, leaf_hash};
use crate::{Demands, Journal, Log, LogError, LogFaultKind, LogReport, Mark, Publisher, Reader, SpanId};

pub(super) const TIME: &str = "2026-11-28T12:00:00.000000Z";

pub(super) fn open(directory: &Path) -> (Publisher, Journal) {
    (Publisher::open(directory, "host").unwrap(), Journal::open(directory).unwrap())
}

pub(super) fn append(journal: &mut Journal, count: usize) {
    for _ in 0..count {
        let record = |index| {
            format!(r#"{{"index":{index},"run":"{:032x}","type":"refused","v":1}}"#, index + 1).into_bytes()
        };
        journal.append_with(Mark::None, SpanId::NONE, record).unwrap();
    }
}

pub(super) fn verify(log: &Log, key: &VerifierKey) -> Result<LogReport, LogError> {
    let signed = log.checkpoint(std::slice::from_ref(key))?;
    log.verify(Demands { signed: &signed, against: None, since: 0, records: true, progress: &mut |_| {} })
}

#[test]
fn every_key_leads_to_the_last_one_and_each_record_is_proved_by_the_key_of_its_time() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    let mut keys = vec![publisher.verifier().unwrap()];
    let mut old = vec![fs::read(directory.join("key")).unwrap()];
    for count in [3, 300, 0, 1] {
        append(&mut journal, count);
        publisher.publish(journal.next_index()).unwrap();
        keys.push(publisher.rotate(&mut journal, TIME).unwrap());
        let log = Log::at(publisher.folder());
        // Also right after the change, when the seal is the newest that was signed.
        for key in &keys[..keys.len() - 1] {
            assert_eq!(verify(&log, key).unwrap().faults, [], "{}", keys.len());
        }
        old.push(fs::read(directory.join("key")).unwrap());
        assert!(!directory.join("key.next").exists());
    }
    append(&mut journal, 5);
    // A process that was there before the changes signs with the key of today.
    publisher.publish(journal.next_index()).unwrap();
    let log = Log::at(publisher.folder());
    for key in &keys {
        assert_eq!(verify(&log, key).unwrap().faults, []);
    }
    assert_eq!(log.keys().unwrap(), keys);
    assert_eq!(log.successors(&keys[..1]).unwrap(), keys);
    assert_eq!(log.successors(&keys[2..3]).unwrap(), keys[2..]);
    for (at, one) in old.iter().enumerate() {
        assert!(old[at + 1..].iter().all(|other| other != one), "a key of its own for each epoch");
    }
    let signed = log.checkpoint(&keys[..1]).unwrap();
    for (index, epoch) in [(0, 0), (3, 0), (4, 1), (304, 1), (305, 2), (306, 3), (307, 3), (308, 4), (312, 4)]
    {
        let proof = log.prove(index, &signed).unwrap();
        let leaf = leaf_hash(proof.extra.as_deref().unwrap());
        for (nth, key) in keys.iter().enumerate() {
            let proved = proof.verify(&leaf, &Policy::of_logs(std::slice::from_ref(key)));
            assert_eq!(proved.is_ok(), nth == epoch, "record {index}, key {nth}: {proved:?}");
        }
    }
}

#[test]
fn whoever_has_the_new_key_cannot_rewrite_what_the_old_one_sealed() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    let first = publisher.verifier().unwrap();
    append(&mut journal, 10);
    let second = publisher.rotate(&mut journal, TIME).unwrap();
    append(&mut journal, 3);
    publisher.publish(journal.next_index()).unwrap();

    // The machine is taken: all files, with the second key, to make another past.
    let forged = home.path().join("forged");
    fs::create_dir(&forged).unwrap();
    fs::copy(directory.join("key"), forged.join("key")).unwrap();
    let (forger, mut other) = open(&forged);
    append(&mut other, 9);
    forger.publish(9).unwrap();
    let log = Log::at(forger.folder());
    assert!(verify(&log, &second).unwrap().is_sound(), "control: by the second key alone it is a log");
    assert!(matches!(verify(&log, &first), Err(LogError::Checkpoint { .. })));
    // With the old seal beside it, it does not fit; nor with one that the new key made.
    fs::create_dir(forger.folder().join("seals")).unwrap();
    fs::copy(publisher.folder().join("seals/1"), forger.folder().join("seals/1")).unwrap();
    assert!(verify(&log, &first).is_err());
    append(&mut other, 6);
    forger.publish(15).unwrap();
    assert!(verify(&log, &first).is_err());
    // Ten other records, then the very record that names the second key.
    let twin = home.path().join("twin");
    fs::create_dir(&twin).unwrap();
    fs::copy(directory.join("key"), twin.join("key")).unwrap();
    let (forger, mut other) = open(&twin);
    let others = |index| {
        format!(r#"{{"index":{index},"run":"{:032x}","type":"refused","v":1}}"#, index + 99).into_bytes()
    };
    (0..10).for_each(|_| assert!(other.append_with(Mark::None, SpanId::NONE, others).is_ok()));
    let naming = Reader::from_index(&directory, 10).unwrap().next().unwrap().unwrap().payload;
    other.append_with(Mark::None, SpanId::NONE, |_| &naming).unwrap();
    append(&mut other, 3);
    forger.publish(other.next_index()).unwrap();
    fs::create_dir(forger.folder().join("seals")).unwrap();
    fs::copy(publisher.folder().join("seals/1"), forger.folder().join("seals/1")).unwrap();
    let log = Log::at(forger.folder());
    for key in [&first, &second] {
        let faults = verify(&log, key).unwrap().faults;
        assert_eq!((faults.len(), &faults[0].kind), (1, &LogFaultKind::Seal { epoch: 1 }), "{faults:?}");
    }
    // The same number of records up to the same record that names the second key, but others before it.
    let log = Log::at(publisher.folder());
    assert_eq!(verify(&log, &first).unwrap().faults, []);
    let bundle = publisher.folder().join("tile/entries/000.p/14");
    let mut bytes = fs::read(&bundle).unwrap();
    let at = bytes.windows(7).position(|part| part == b"refused").unwrap();
    bytes[at..at + 7].copy_from_slice(b"allowed");
    fs::write(&bundle, bytes).unwrap();
    let faults = verify(&log, &first).unwrap().faults;
    assert!(
        faults.iter().any(|fault| fault.kind == LogFaultKind::Record && fault.index == Some(0)),
        "{faults:?}"
    );
}

#[test]
fn an_epoch_without_its_seal_is_a_gap() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    let first = publisher.verifier().unwrap();
    append(&mut journal, 2);
    let second = publisher.rotate(&mut journal, TIME).unwrap();
    append(&mut journal, 2);
    let third = publisher.rotate(&mut journal, TIME).unwrap();
    append(&mut journal, 2);
    publisher.publish(journal.next_index()).unwrap();
    let log = Log::at(publisher.folder());
    let seals = publisher.folder().join("seals");
    let kept = fs::read(seals.join("2")).unwrap();
    fs::remove_file(seals.join("2")).unwrap();
    assert!(verify(&log, &first).is_err() && verify(&log, &second).is_err());
    let faults = verify(&log, &third).unwrap().faults;
    assert_eq!((faults.len(), &faults[0].kind, faults[0].index), (1, &LogFaultKind::Unsealed, Some(5)));
    // The seal of another epoch in its place.
    fs::copy(seals.join("1"), seals.join("2")).unwrap();
    assert!(matches!(verify(&log, &third), Err(LogError::Seal { epoch: 2, .. })));
    fs::write(seals.join("2"), kept).unwrap();
    assert!(verify(&log, &first).unwrap().is_sound());
}

#[test]
fn a_change_of_keys_that_is_cut_off_anywhere_is_finished_or_undone() {
    let mut points = 0;
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for after in 0.. {
            let home = scratch();
            let directory = home.path().join("journal");
            let (publisher, mut journal) = open(&directory);
            let first = publisher.verifier().unwrap();
            append(&mut journal, 3);
            publisher.publish(3).unwrap();
            let plan = Plan { after, manner, errno: 5, then_dead: true };
            let (rotated, struck) = under(plan, || publisher.rotate(&mut journal, TIME).map(|_| ()));
            if !struck {
                rotated.unwrap();
                break;
            }
            points += 1;
            drop((publisher, journal));
            let before = verify(&Log::at(&directory.join("tlog")), &first).unwrap();
            assert_eq!(before.faults, [], "{plan:?}: nobody has tampered with it");
            let (publisher, mut journal) = open(&directory);
            append(&mut journal, 2);
            publisher.publish(journal.next_index()).unwrap();
            let log = Log::at(publisher.folder());
            let report = verify(&log, &first).unwrap();
            assert_eq!(report.faults, [], "{plan:?}");
            assert!(!directory.join("key.next").exists(), "{plan:?}");
            // And once more, whole.
            publisher.rotate(&mut journal, TIME).unwrap();
            assert_eq!(verify(&log, &first).unwrap().faults, [], "{plan:?}");
        }
    }
    assert!(points > 60, "{points}");
}

//! The recovery key: it ends an epoch whose key is lost, where the log had named it before, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use super::epoch::{TIME, append, open, verify};
use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::{Note, Policy, PrivateKey, VerifierKey, leaf_hash};
use crate::{Journal, Log, LogFaultKind, PublishError, Publisher, RecoveryError, new_recovery_key};

/// A recovery key in a file, with the name of a log.
fn drawn(home: &Path, publisher: &Publisher) -> (PathBuf, VerifierKey) {
    let file = home.join("recovery.key");
    let _ = fs::remove_file(&file);
    let key = new_recovery_key(&file, publisher.verifier().unwrap().name().clone()).unwrap();
    (file, key)
}

/// A journal of some records that has named a recovery key.
fn named(home: &Path) -> (PathBuf, PathBuf, VerifierKey, VerifierKey) {
    let directory = home.join("journal");
    let (publisher, mut journal) = open(&directory);
    let first = publisher.verifier().unwrap();
    append(&mut journal, 3);
    let (file, key) = drawn(home, &publisher);
    publisher.name_recovery(&mut journal, &key, TIME).unwrap();
    append(&mut journal, 2);
    publisher.publish(journal.next_index()).unwrap();
    (directory, file, first, key)
}

#[test]
fn a_lost_key_is_followed_by_the_word_of_the_recovery_key_and_each_record_has_a_key_that_proves_it() {
    let home = scratch();
    let (directory, file, first, recovery) = named(home.path());
    let mut last = first.clone();
    // Also twice, and where an epoch of the usual kind lies between.
    for (nth, rotates) in [false, false, true].into_iter().enumerate() {
        if rotates {
            let (publisher, mut journal) = open(&directory);
            last = publisher.rotate(&mut journal, TIME).unwrap();
            append(&mut journal, 1);
            publisher.publish(journal.next_index()).unwrap();
        }
        fs::remove_file(directory.join("key")).unwrap();
        assert!(matches!(Publisher::open(&directory, "host"), Err(PublishError::Key(_))));
        let next = Publisher::recover(&directory, &file, TIME).unwrap();
        assert_ne!(next, last);
        last = next;
        let log = Log::at(&directory.join("tlog"));
        // The recovery statement is what is shown, and then what the new key signs.
        assert_eq!(verify(&log, &first).unwrap().faults, [], "{nth}");
        let (publisher, mut journal) = open(&directory);
        append(&mut journal, 2);
        publisher.publish(journal.next_index()).unwrap();
        assert_eq!(verify(&log, &first).unwrap().faults, [], "{nth}");
        assert_eq!(verify(&log, &recovery).unwrap().faults, [], "whoever noted that key alone");
        assert!(log.successors(std::slice::from_ref(&first)).unwrap().contains(&recovery));
        assert!(!log.keys().unwrap().contains(&recovery));
    }
    let log = Log::at(&directory.join("tlog"));
    let signed = log.checkpoint(std::slice::from_ref(&first)).unwrap();
    let policy = Policy::of_logs(&log.successors(std::slice::from_ref(&first)).unwrap());
    for index in 0..signed.checkpoint.size() {
        let proof = log.prove(index, &signed).unwrap();
        proof.verify(&leaf_hash(proof.extra.as_deref().unwrap()), &policy).unwrap();
    }
}

#[test]
fn a_taken_key_is_ended_and_what_it_signs_afterwards_is_refused() {
    let home = scratch();
    let (directory, file, first, _) = named(home.path());
    let taken = fs::read(directory.join("key")).unwrap();
    Publisher::recover(&directory, &file, TIME).unwrap();
    assert_ne!(fs::read(directory.join("key")).unwrap(), taken);
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 1);
    publisher.publish(journal.next_index()).unwrap();
    let log = Log::at(publisher.folder());
    assert!(verify(&log, &first).unwrap().is_sound());
    // The old key signs the same checkpoint: that is a key of before in an epoch of today.
    let text = String::from_utf8(taken).unwrap();
    let old = PrivateKey::from_text(&text).unwrap();
    let checkpoint = publisher.folder().join("checkpoint");
    let mut note = Note::new(Note::parse(&fs::read(&checkpoint).unwrap()).unwrap().text()).unwrap();
    note.sign(&old);
    fs::write(&checkpoint, note.to_string()).unwrap();
    assert!(verify(&log, &first).is_err());
    // And so is the recovery key, which signs the ends of epochs alone.
    let key = PrivateKey::from_text(fs::read_to_string(&file).unwrap().trim()).unwrap();
    let mut note = Note::new(note.text()).unwrap();
    note.sign(&key);
    fs::write(&checkpoint, note.to_string()).unwrap();
    assert!(verify(&log, &first).is_err());
    assert!(verify(&log, &key.verifier()).is_err(), "even for whoever trusts it");
}

#[test]
fn only_the_recovery_key_that_was_named_before_ends_an_epoch() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    let first = publisher.verifier().unwrap();
    append(&mut journal, 3);
    publisher.publish(3).unwrap();
    let (file, key) = drawn(home.path(), &publisher);
    // None is named.
    let none = Publisher::recover(&directory, &file, TIME);
    assert!(matches!(none, Err(PublishError::Recovery(RecoveryError::None))), "{none:?}");
    assert_eq!(journal.next_index(), 3);
    // A key of another name, or one that signs already, is none.
    let strange = new_recovery_key(&home.path().join("strange"), crate::tlog::KeyName::new("x/y").unwrap());
    for wrong in [strange.unwrap(), first.clone()] {
        let refused = publisher.name_recovery(&mut journal, &wrong, TIME);
        assert!(matches!(refused, Err(PublishError::Recovery(_))), "{refused:?}");
    }
    publisher.name_recovery(&mut journal, &key, TIME).unwrap();
    let again = publisher.name_recovery(&mut journal, &key, TIME);
    assert!(matches!(again, Err(PublishError::Recovery(RecoveryError::Named(_)))));
    // Another one than was named.
    let (other, _) = drawn(home.path(), &publisher);
    let refused = Publisher::recover(&directory, &other, TIME);
    assert!(matches!(refused, Err(PublishError::Recovery(RecoveryError::Other { .. }))));
    let log = Log::at(publisher.folder());
    assert_eq!(verify(&log, &first).unwrap().faults, []);
    assert_eq!(verify(&log, &first).unwrap().records, 4);
}

#[test]
fn whoever_has_no_key_cannot_name_a_recovery_key_nor_end_an_epoch_by_one() {
    let home = scratch();
    let (directory, file, first, recovery) = named(home.path());
    Publisher::recover(&directory, &file, TIME).unwrap();
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 2);
    publisher.publish(journal.next_index()).unwrap();
    let log = Log::at(publisher.folder());
    assert!(verify(&log, &first).unwrap().is_sound(), "control");
    let folder = publisher.folder();
    let kept = |name: &str| fs::read(folder.join(name)).unwrap();
    let (naming, seal) = (kept("recovery"), kept("seals/1"));
    // Without what names it, its word counts nothing; nor with a seal that another key has signed in its place.
    fs::remove_file(folder.join("recovery")).unwrap();
    assert!(verify(&log, &first).is_err());
    let unsigned = String::from_utf8(naming.clone()).unwrap();
    let (text, _) = unsigned.split_once("\n\n").unwrap();
    let stranger = PrivateKey::from_seed(recovery.name().clone(), &[9; 32]);
    let mut note = Note::new(format!("{text}\n")).unwrap();
    note.sign(&stranger);
    fs::write(folder.join("recovery"), note.to_string()).unwrap();
    assert!(verify(&log, &first).is_err(), "named by a stranger");
    fs::write(folder.join("recovery"), &seal).unwrap();
    assert!(verify(&log, &first).is_err(), "its record names no recovery key");
    fs::write(folder.join("recovery"), &naming).unwrap();
    let sealed = String::from_utf8(seal.clone()).unwrap();
    let mut note = Note::new(format!("{}\n", sealed.split_once("\n\n").unwrap().0)).unwrap();
    note.sign(&stranger);
    fs::write(folder.join("seals/1"), note.to_string()).unwrap();
    assert!(verify(&log, &first).is_err(), "ended by a stranger");
    fs::write(folder.join("seals/1"), &seal).unwrap();
    assert!(verify(&log, &first).unwrap().is_sound(), "as it was");
    // A second statement for the same epoch, and a gap.
    fs::copy(folder.join("seals/1"), folder.join("seals/2")).unwrap();
    assert!(verify(&log, &first).is_err());
    fs::remove_file(folder.join("seals/2")).unwrap();
    fs::remove_file(folder.join("seals/1")).unwrap();
    assert!(verify(&log, &first).is_err());
}

#[test]
fn a_second_recovery_key_and_a_second_statement_on_record_are_faults() {
    let home = scratch();
    let (directory, _, first, recovery) = named(home.path());
    // Whoever has the present key writes such records by hand, and has them signed.
    let (publisher, mut journal) = open(&directory);
    let key = serde_json::json!({ "vkey": recovery.to_string() });
    publisher.note(&mut journal, "recovery", TIME, key).unwrap();
    publisher.publish(journal.next_index()).unwrap();
    let log = Log::at(publisher.folder());
    let faults = verify(&log, &first).unwrap().faults;
    assert_eq!((faults.len(), &faults[0].kind), (1, &LogFaultKind::OtherRecovery), "{faults:?}");
    let key = serde_json::json!({
        "epoch": 2, "vkey": first.to_string(), "previous": first.to_string(), "recovery": recovery.to_string(),
    });
    publisher.note(&mut journal, "key", TIME, key).unwrap();
    append(&mut journal, 1);
    publisher.publish(journal.next_index()).unwrap();
    let faults = verify(&log, &first).unwrap().faults;
    assert!(faults.iter().any(|fault| fault.kind == LogFaultKind::Unsealed), "{faults:?}");
}

#[test]
fn a_journal_that_is_not_what_was_signed_is_not_recovered() {
    let home = scratch();
    let (directory, file, first, _) = named(home.path());
    let segment = directory.join("00000000.log");
    let short = fs::read(&segment).unwrap();
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 2);
    publisher.publish(journal.next_index()).unwrap();
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &short).unwrap();
    let refused = Publisher::recover(&directory, &file, TIME);
    assert!(matches!(refused, Err(PublishError::Shrunk { .. })), "{refused:?}");
    assert_eq!(fs::read(&segment).unwrap(), short);
    fs::write(&segment, whole).unwrap();
    Publisher::recover(&directory, &file, TIME).unwrap();
    assert!(verify(&Log::at(publisher.folder()), &first).unwrap().is_sound());
}

#[test]
fn naming_and_recovering_that_are_cut_off_anywhere_are_finished_or_undone() {
    let mut points = 0;
    for recovers in [false, true] {
        for manner in [Manner::Lost, Manner::Half, Manner::Done] {
            for after in 0.. {
                let home = scratch();
                let directory = home.path().join("journal");
                let (publisher, mut journal) = open(&directory);
                let first = publisher.verifier().unwrap();
                append(&mut journal, 3);
                publisher.publish(3).unwrap();
                let (file, key) = drawn(home.path(), &publisher);
                if recovers {
                    publisher.name_recovery(&mut journal, &key, TIME).unwrap();
                    fs::remove_file(directory.join("key")).unwrap();
                }
                let plan = Plan { after, manner, errno: 5, then_dead: true };
                let (done, struck) = match recovers {
                    false => under(plan, || publisher.name_recovery(&mut journal, &key, TIME)),
                    true => under(plan, || Publisher::recover(&directory, &file, TIME).map(|_| ())),
                };
                if !struck {
                    done.unwrap();
                    break;
                }
                points += 1;
                drop((publisher, journal));
                if recovers && Publisher::open(&directory, "host").is_err() {
                    Publisher::recover(&directory, &file, TIME).unwrap();
                }
                let (publisher, mut journal) = open(&directory);
                append(&mut journal, 2);
                publisher.publish(journal.next_index()).unwrap();
                let log = Log::at(publisher.folder());
                assert_eq!(verify(&log, &first).unwrap().faults, [], "{plan:?}");
                assert!(!directory.join("recovery.next").exists(), "{plan:?}");
                if log.recovery().unwrap().is_none() {
                    publisher.name_recovery(&mut journal, &key, TIME).unwrap();
                }
                fs::remove_file(directory.join("key")).unwrap();
                Publisher::recover(&directory, &file, TIME).unwrap();
                assert_eq!(verify(&log, &first).unwrap().faults, [], "{plan:?}");
                let _ = Journal::open(&directory).unwrap();
            }
        }
    }
    assert!(points > 60, "{points}");
}

//! Beginning anew: only where something is lost, with all of the old kept, and whole at any moment.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::epoch::{TIME, append, open, verify};
use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::{KeyName, PrivateKey};
use crate::{Journal, Log, Loss, LossError, PublishError, Publisher, Reader, verify as verify_journal};

/// A journal of five records of which three are left, of which all were signed.
fn shrunk(state: &Path) {
    let directory = state.join("journal");
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 3);
    let short = fs::read(directory.join("00000000.log")).unwrap();
    append(&mut journal, 2);
    publisher.publish(5).unwrap();
    fs::write(directory.join("00000000.log"), short).unwrap();
}

fn usable(directory: &Path) -> bool {
    let opened = || {
        let publisher = Publisher::open(directory, "host").ok()?;
        let mut journal = Journal::open(directory).ok()?;
        (journal.next_index() >= publisher.signed().ok()?).then_some(())?;
        publisher.publish(journal.durable().ok()?).ok()
    };
    opened().is_some()
}

fn first(directory: &Path) -> Value {
    let record = Reader::open(directory).unwrap().next().unwrap().unwrap();
    serde_json::from_slice(&record.payload).unwrap()
}

#[test]
fn what_was_lost_is_told_by_the_first_record_of_another_log_and_the_old_one_is_kept() {
    let home = scratch();
    let directory = home.path().join("journal");
    shrunk(home.path());
    let old = Log::at(&directory.join("tlog"));
    let (key, checkpoint) =
        (old.keys().unwrap().remove(0), fs::read(directory.join("tlog/checkpoint")).unwrap());
    let loss = Loss::of(&directory, "host").unwrap();
    assert_eq!((loss.signed, loss.records), (5, 3));
    assert_eq!(loss.checkpoint.as_deref().map(str::as_bytes), Some(&checkpoint[..]));
    let kept = loss.accept(&directory, "host", TIME, json!({ "reason": "a test" })).unwrap();
    assert_eq!(kept, home.path().join("lost-2026-11-28T12-00-00.000000Z"));
    assert!(!home.path().join("recovering").exists());
    // The old one, as it was.
    assert_eq!(fs::read(kept.join("journal/tlog/checkpoint")).unwrap(), checkpoint);
    let report = verify(&Log::at(&kept.join("journal/tlog")), &key).unwrap();
    assert_eq!((report.faults.len(), report.records), (0, 5));
    assert!(Publisher::open(&kept.join("journal"), "host").unwrap().signed().unwrap() == 5);
    // The new one.
    assert!(usable(&directory) && verify_journal(&directory).unwrap().is_sound());
    let (publisher, mut journal) = open(&directory);
    let new = publisher.verifier().unwrap();
    assert_ne!(new.name(), key.name());
    append(&mut journal, 1);
    publisher.publish(2).unwrap();
    assert_eq!(verify(&Log::at(publisher.folder()), &new).unwrap().faults, []);
    let record = first(&directory);
    assert_eq!(
        (&record["type"], &record["lost"], &record["kept"]),
        (&json!("begun"), &json!(2), &json!("lost-2026-11-28T12-00-00.000000Z"))
    );
    assert_eq!(record["before"]["checkpoint"].as_str().map(str::as_bytes), Some(&checkpoint[..]));
    assert_eq!(record["before"]["vkey"], key.to_string());
    assert_eq!(record["about"]["reason"], "a test");
    assert!(record["why"].as_str().unwrap().contains("5 were signed"), "{record}");
    // There is nothing more to accept.
    assert!(matches!(Loss::of(&directory, "host"), Err(LossError::Nothing(_))));
}

#[test]
fn each_kind_of_loss_is_one_and_what_can_be_put_right_is_none() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm, Option<&str>); 9] = [
        ("nothing", |_| {}, None),
        ("head", |at| fs::write(at.join("head"), vec![7; 16384]).unwrap(), Some("damaged")),
        ("key", |at| fs::remove_file(at.join("key")).unwrap(), Some("missing")),
        ("key in ruins", |at| fs::write(at.join("key"), "x").unwrap(), Some("holds no key")),
        ("segments", |at| fs::remove_file(at.join("00000000.log")).unwrap(), Some("were signed")),
        ("rewritten", |at| rewrite(at), Some("rewritten")),
        (
            "evidence",
            |at| {
                fs::create_dir(at.join("evidence")).unwrap();
                fs::write(at.join("evidence/rollback-1"), "signed here:\n").unwrap();
            },
            Some("witness"),
        ),
        (
            "key of others",
            |at| {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(at.join("key"), fs::Permissions::from_mode(0o644)).unwrap();
            },
            None,
        ),
        ("no journal", |at| fs::remove_dir_all(at).unwrap(), None),
    ];
    for (name, harm, expected) in harms {
        let home = scratch();
        let directory = home.path().join("journal");
        let (publisher, mut journal) = open(&directory);
        append(&mut journal, 4);
        publisher.publish(4).unwrap();
        drop((publisher, journal));
        harm(&directory);
        match (Loss::of(&directory, "host"), expected) {
            (Ok(loss), Some(part)) => {
                assert!(loss.why.contains(part), "{name}: {}", loss.why);
                assert_eq!(loss.signed, 4, "{name}");
                loss.accept(&directory, "host", TIME, Value::Null).unwrap();
                assert!(usable(&directory), "{name}");
            }
            (Err(_), None) => {}
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

/// Other records in the place of those that were signed.
fn rewrite(directory: &Path) {
    fs::remove_file(directory.join("00000000.log")).unwrap();
    let mut journal = Journal::open(directory).unwrap();
    for _ in 0..6 {
        journal
            .append_with(crate::Mark::None, crate::SpanId::NONE, |index| format!("other {index}"))
            .unwrap();
    }
}

#[test]
fn cut_off_anywhere_either_the_old_or_the_new_one_is_in_its_place() {
    let (mut before, mut after_it) = (0, 0);
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for after in 0.. {
            let home = scratch();
            let directory = home.path().join("journal");
            shrunk(home.path());
            let loss = Loss::of(&directory, "host").unwrap();
            let plan = Plan { after, manner, errno: 5, then_dead: true };
            let (done, struck) =
                under(plan, || loss.accept(&directory, "host", TIME, Value::Null).map(|_| ()));
            if !struck {
                done.unwrap();
                break;
            }
            let later = "2026-11-28T13:00:00.000000Z";
            Loss::settle(&directory).unwrap();
            assert!(!home.path().join("recovering").exists(), "{plan:?}");
            let kept = home.path().join("lost-2026-11-28T12-00-00.000000Z/journal");
            if usable(&directory) {
                after_it += 1;
                assert_eq!(first(&directory)["type"], "begun", "{plan:?}");
                assert!(matches!(Loss::of(&directory, "host"), Err(LossError::Nothing(_))));
            } else {
                before += 1;
                assert!(!kept.exists(), "{plan:?}");
                let again = Loss::of(&directory, "host").unwrap();
                assert_eq!(again, loss, "{plan:?}");
                again.accept(&directory, "host", later, Value::Null).unwrap();
                assert!(usable(&directory), "{plan:?}");
                assert_eq!(first(&directory)["type"], "begun", "{plan:?}");
                continue;
            }
            let report = verify_journal(&kept).unwrap();
            assert_eq!((report.records, report.signed), (3, 5), "{plan:?}");
        }
    }
    assert!(before > 60 && after_it > 3, "{before} {after_it}");
}

#[test]
fn the_witnesses_are_taken_over_and_what_they_have_shown_is_told() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 2);
    let note = publisher.publish(2).unwrap();
    let key = PrivateKey::from_seed(KeyName::new("birch/witness").unwrap(), &[3; 32]).cosigner();
    let policy = format!("witness w {key} http://127.0.0.1:1\nquorum w\n");
    crate::Witnesses::new(policy.as_bytes(), Some(60)).unwrap().set(&directory).unwrap();
    fs::create_dir(directory.join("evidence")).unwrap();
    let larger = note.replacen("\n2\n", "\n9\n", 1);
    let text = format!("rollback of x\n\nsigned here:\n{note}\nshown by the witness:\n{larger}");
    fs::write(directory.join("evidence/rollback-0011"), text).unwrap();
    assert!(matches!(publisher.publish(2), Err(PublishError::Evidence(_))));
    let loss = Loss::of(&directory, "host").unwrap();
    assert_eq!((loss.signed, loss.records, loss.evidence.len()), (9, 2, 1));
    let kept = loss.accept(&directory, "host", TIME, Value::Null).unwrap();
    assert_eq!(first(&directory)["before"]["evidence"][0]["name"], "rollback-0011");
    let of = |at: &Path| crate::Witnesses::of(at).unwrap().unwrap();
    assert_eq!(of(&directory), of(&kept.join("journal")));
    assert!(kept.join("journal/evidence/rollback-0011").exists());
    assert!(usable(&directory));
}

//! Having a log cosigned: what is asked, what is believed, what is kept where the disk fails, and what is demanded.

use std::fs;
use std::time::Duration;

use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::*;
use crate::{
    Claim, Entry, Journal, Log, Mark, Patience, PublishError, Publisher, SpanId, Witnesses, WitnessesError,
};

const NOW: u64 = 1_790_000_000;
const PATIENCE: Patience = Patience { longest: Duration::from_millis(100), insists: true };

/// A journal with its publisher, and two witnesses beside it.
struct Watched {
    home: tempfile::TempDir,
    publisher: Publisher,
    journal: Journal,
    witnesses: Vec<crate::Witness>,
}

impl Watched {
    fn new(quorum: &str, within: Option<u64>) -> Watched {
        let home = scratch();
        let place = home.path().join("journal");
        let publisher = Publisher::open(&place, "host").unwrap();
        let journal = Journal::open(&place).unwrap();
        let key = publisher.verifier().unwrap();
        let witness = |name: &str| {
            crate::Witness::open(&home.path().join(name), None, name, vec![key.clone()]).unwrap()
        };
        let witnesses = vec![witness("a"), witness("b")];
        let mut policy = String::new();
        for (name, witness) in ["a", "b"].iter().zip(&witnesses) {
            policy += &format!("witness {name} {} http://192.0.2.1\n", witness.verifier());
        }
        policy += &format!("group both {quorum} a b\nquorum both\n");
        Witnesses::new(policy.as_bytes(), within).unwrap().set(&place).unwrap();
        Watched { home, publisher, journal, witnesses }
    }

    fn place(&self) -> std::path::PathBuf {
        self.home.path().join("journal")
    }

    fn grow(&mut self, count: u64) {
        for _ in 0..count {
            let payload = format!("{{\"index\":{}}}", self.journal.next_index());
            let entry = Entry { mark: Mark::None, span: SpanId::NONE, payload: payload.as_bytes() };
            self.journal.append(entry).unwrap();
        }
        self.publisher.publish(self.journal.next_index()).unwrap();
    }

    /// Asks the first `count` witnesses at a time; how many signatures came.
    fn ask(&self, count: usize, now: u64) -> Result<usize, PublishError> {
        let Some(mut asking) = self.publisher.ask(PATIENCE)? else { return Ok(0) };
        let mut taken = 0;
        for (one, witness) in asking.open().iter().zip(&self.witnesses).take(count) {
            let mut old = asking.last_of(one);
            for _ in 0..2 {
                let body = asking.submission(asking.newest(), old)?.to_string();
                match witness.add_checkpoint(body.as_bytes(), now).outcome {
                    Ok(line) => {
                        assert!(asking.take(asking.newest(), one, &format!("{line}\n")));
                        taken += 1;
                        break;
                    }
                    Err(crate::Refusal::Conflict { size }) => old = size,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        asking.finish()?;
        Ok(taken)
    }

    /// The log is whole, whoever has signed its checkpoint; how many witnesses did.
    #[track_caller]
    fn check(&self) -> (usize, bool) {
        let log = Log::at(&self.place().join("tlog"));
        let signed = log.checkpoint(&log.keys().unwrap()).unwrap();
        assert_eq!(signed.checkpoint.size(), self.publisher.signed().unwrap());
        let (note, cosigned) = self.publisher.newest().unwrap().unwrap();
        assert_eq!(note, signed.note.to_string(), "what is shown is what is kept");
        let cosigned = cosigned.unwrap();
        (cosigned.by, cosigned.quorum)
    }
}

#[test]
fn signatures_are_kept_until_there_is_more_to_sign() {
    let mut watched = Watched::new("all", None);
    for (grown, count, expected) in
        [(3, 2, (2, true)), (1, 1, (1, false)), (300, 0, (0, false)), (700, 2, (2, true)), (1, 2, (2, true))]
    {
        watched.grow(grown);
        assert_eq!(watched.check(), (0, false), "a new checkpoint begins without");
        assert_eq!(watched.ask(count, NOW).unwrap(), expected.0);
        assert_eq!(watched.check(), expected);
        // Publishing nothing changes nothing, and another process finds the same.
        watched.publisher.publish(watched.journal.next_index()).unwrap();
        let again = Publisher::open(&watched.place(), "host").unwrap();
        assert_eq!(again.newest().unwrap().unwrap().1.unwrap().by, expected.0);
        assert_eq!(watched.check(), expected);
    }
    assert!(watched.publisher.ask(PATIENCE).unwrap().is_none(), "nobody is left to be asked");
}

#[test]
fn what_is_no_right_signature_does_not_get_in() {
    let mut watched = Watched::new("all", None);
    watched.grow(5);
    let mut asking = watched.publisher.ask(PATIENCE).unwrap().unwrap();
    let [a, b] = asking.open().try_into().unwrap();
    let body = asking.submission(asking.newest(), 0).unwrap().to_string();
    let right = watched.witnesses[0].add_checkpoint(body.as_bytes(), NOW).outcome.unwrap().to_string();
    let other = watched.witnesses[1].add_checkpoint(body.as_bytes(), NOW).outcome.unwrap().to_string();
    let end = right.len() - 5;
    let wrong =
        format!("{}{}{}", &right[..end], if &right[end..=end] == "A" { "B" } else { "A" }, &right[end + 1..]);
    for answer in ["", "\n\n", "nonsense", "\u{2014} a b", &wrong, &other] {
        assert!(!asking.take(asking.newest(), &a, answer), "{answer}");
    }
    assert!(asking.take(asking.newest(), &a, &format!("nonsense\n{wrong}\n{other}\n{right}\n")));
    assert!(!asking.take(asking.newest(), &b, &right), "somebody else's");
    assert_eq!(asking.finish().unwrap().by, 1);
    assert_eq!(watched.check(), (1, false));
    let note = watched.publisher.newest().unwrap().unwrap().0;
    assert_eq!(Note::parse(note.as_bytes()).unwrap().signatures().len(), 2, "{note}");
}

#[test]
fn signatures_for_a_checkpoint_of_before_are_not_put_under_another() {
    let mut watched = Watched::new("any", Some(60));
    watched.grow(3);
    let first = Publisher::open(&watched.place(), "host").unwrap();
    let mut asking = first.ask(PATIENCE).unwrap().unwrap();
    let witness = asking.open().remove(0);
    let body = asking.submission(asking.newest(), 0).unwrap().to_string();
    let line = watched.witnesses[0].add_checkpoint(body.as_bytes(), NOW).outcome.unwrap().to_string();
    // One at a time.
    assert!(watched.publisher.ask(PATIENCE).unwrap().is_none());
    watched.grow(400);
    // A proof can still be made, from the tiles of the larger tree.
    assert_eq!(asking.submission(asking.newest(), 2).unwrap().proof.len(), 1);
    assert!(asking.take(asking.newest(), &witness, &line));
    assert!(asking.finish().unwrap().quorum);
    assert_eq!(watched.check(), (0, false));
    // That it was seen then is known all the same.
    assert!(watched.publisher.demand_witnesses(403, NOW + 60).is_ok());
    assert!(watched.publisher.demand_witnesses(403, NOW + 61).is_err());
}

#[test]
fn what_is_demanded_goes_by_the_time_of_a_quorum() {
    let mut watched = Watched::new("all", Some(100));
    let demand =
        |watched: &Watched, now| watched.publisher.demand_witnesses(watched.journal.next_index(), now);
    assert!(demand(&watched, NOW).is_ok(), "nothing is on record");
    watched.grow(2);
    assert!(matches!(demand(&watched, NOW), Err(PublishError::NeverSeen { within: 100 })));
    assert_eq!(watched.ask(1, NOW).unwrap(), 1);
    assert!(matches!(demand(&watched, NOW), Err(PublishError::NeverSeen { .. })), "one is no quorum");
    // The other one's clock is far ahead: the time is that of the first.
    watched.witnesses.swap(0, 1);
    assert_eq!(watched.ask(1, NOW + 5000).unwrap(), 1);
    assert_eq!(watched.check(), (2, true));
    assert!(demand(&watched, NOW + 9000).is_ok(), "all of it was seen, however long ago");
    watched.grow(1);
    assert!(demand(&watched, NOW + 100).is_ok());
    let late = demand(&watched, NOW + 101);
    assert!(matches!(late, Err(PublishError::Unseen { records: 1, seconds: 101, within: 100 })), "{late:?}");
    assert!(demand(&watched, NOW - 9).is_ok(), "a clock that went back");
    // Others, set later, have seen nothing of this.
    let own = Witnesses::of(&watched.place()).unwrap().unwrap();
    let stranger = crate::Witness::open(&watched.home.path().join("c"), None, "c", Vec::new()).unwrap();
    let policy = format!("witness c {} http://192.0.2.1\nquorum c\n", stranger.verifier());
    Witnesses::new(policy.as_bytes(), Some(100)).unwrap().set(&watched.place()).unwrap();
    assert!(matches!(demand(&watched, NOW), Err(PublishError::NeverSeen { .. })));
    own.set(&watched.place()).unwrap();
    assert!(demand(&watched, NOW).is_ok());
    // A file that was made up is none.
    let file = watched.place().join("cosigned");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\n2\n", "\n3\n", 1)).unwrap();
    assert!(matches!(demand(&watched, NOW), Err(PublishError::NeverSeen { .. })));
    fs::write(watched.place().join("witnesses.within"), "soon\n").unwrap();
    let unreadable = demand(&watched, NOW);
    assert!(matches!(unreadable, Err(PublishError::Witnesses(WitnessesError::Seconds(_)))), "{unreadable:?}");
    Witnesses::none(&watched.place()).unwrap();
    assert!(demand(&watched, NOW).is_ok());
}

#[test]
fn what_a_witness_shows_is_judged_by_its_signatures() {
    let mut watched = Watched::new("any", None);
    watched.grow(9);
    let asking = watched.publisher.ask(PATIENCE).unwrap().unwrap();
    let witness = asking.open().remove(0);
    let judge = |note: &str| asking.judge(&witness, note.as_bytes()).unwrap();
    let own = watched.publisher.newest().unwrap().unwrap().0;
    assert!(matches!(judge(&own), Claim::Harmless));
    let key = crate::publish::key_file::load(
        &crate::directory::Directory::private(&watched.place()).unwrap(),
        "key",
    );
    let key = key.unwrap().unwrap();
    let note = |name: &KeyName, size, root, by: &PrivateKey| {
        let mut note = Note::new(Checkpoint::new(name, size, root).to_string()).unwrap();
        note.sign(by);
        note.to_string()
    };
    let stranger = PrivateKey::from_seed(key.name().clone(), &[3; 32]);
    let evidence = watched.place().join("evidence");
    for unproved in [
        String::new(),
        "nonsense\n".to_owned(),
        note(key.name(), 20, [1; 32], &stranger),
        note(&KeyName::new("another/log").unwrap(), 20, [1; 32], &key),
        own.replacen("\n9\n", "\n10\n", 1),
    ] {
        assert!(matches!(judge(&unproved), Claim::Unproved), "{unproved}");
    }
    assert!(!evidence.exists() && watched.publisher.publish(9).is_ok());
    for (size, name) in [(20, "rollback"), (9, "split-view"), (4, "split-view")] {
        let shown = note(key.name(), size, [1; 32], &key);
        let Claim::Proved(path) = judge(&shown) else { panic!("{size}") };
        assert!(path.starts_with(&evidence) && path.to_string_lossy().contains(name), "{path:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&shown) && text.contains(&own), "{text}");
        for refused in [
            watched.publisher.publish(9).map(drop),
            watched.publisher.ask(PATIENCE).map(drop),
            watched.publisher.demand_witnesses(9, NOW),
        ] {
            assert!(
                matches!(refused, Err(PublishError::Evidence(ref found)) if *found == path),
                "{refused:?}"
            );
        }
        let key = fs::read(watched.place().join("key")).unwrap();
        let rotated = watched.publisher.rotate(&mut watched.journal, "2026-11-28T12:00:00Z");
        assert!(matches!(rotated, Err(PublishError::Evidence(_))), "{rotated:?}");
        assert_eq!(fs::read(watched.place().join("key")).unwrap(), key);
        fs::remove_file(path).unwrap();
        assert!(watched.publisher.publish(9).is_ok());
    }
}

#[test]
fn the_end_of_an_epoch_is_cosigned_for_good() {
    let mut watched = Watched::new("all", None);
    watched.grow(5);
    let first = watched.publisher.verifier().unwrap();
    watched.publisher.rotate(&mut watched.journal, "2026-11-28T12:00:00Z").unwrap();
    let log = Log::at(&watched.place().join("tlog"));
    let seal = log.folder().join("seals/1");
    let alone = fs::read(&seal).unwrap();
    assert_eq!(watched.ask(2, NOW).unwrap(), 2);
    assert_eq!(watched.check(), (2, true));
    // Whoever has signed the one and not the other, as a crash between may leave it.
    let cosigned = fs::read(&seal).unwrap();
    fs::write(&seal, &alone).unwrap();
    assert_ne!(alone, cosigned);
    assert!(log.checkpoint(std::slice::from_ref(&first)).is_ok());
    fs::write(&seal, cosigned).unwrap();
    let signed = log.checkpoint(std::slice::from_ref(&first)).unwrap();
    assert_eq!(signed.checkpoint.size(), 6);
    let policy = Witnesses::of(&watched.place()).unwrap().unwrap().policy.with_logs(&[first]);
    let proof = log.prove(2, &signed).unwrap();
    proof.verify(&leaf_hash(proof.extra.as_deref().unwrap()), &policy).unwrap();
    // In the next epoch too, with the witnesses told of its key.
    watched.grow(3);
    let keys = log.keys().unwrap();
    assert_eq!(keys.len(), 2);
    watched.witnesses = ["a", "b"]
        .map(|name| crate::Witness::open(&watched.home.path().join(name), None, name, keys.clone()).unwrap())
        .into();
    assert_eq!(watched.ask(2, NOW).unwrap(), 2);
    assert_eq!(watched.check(), (2, true));
    let signed = log.checkpoint(&keys[..1]).unwrap();
    let proof = log.prove(2, &signed).unwrap();
    proof.verify(&leaf_hash(proof.extra.as_deref().unwrap()), &policy).unwrap();
    let proof = log.prove(7, &signed).unwrap();
    let policy = policy.with_logs(&keys[1..]);
    proof.verify(&leaf_hash(proof.extra.as_deref().unwrap()), &policy).unwrap();
}

/// Every call that changes the disk fails once while signatures are put in: the log stays whole, and the next time they are in.
#[test]
fn a_disk_that_fails_leaves_a_whole_log() {
    let mut struck = 0;
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for then_dead in [false, true] {
            for after in 0.. {
                let mut watched = Watched::new("all", None);
                watched.grow(3);
                let plan = Plan { after, manner, errno: 5, then_dead };
                // The witnesses have disks of their own.
                let mut asking = watched.publisher.ask(PATIENCE).unwrap().unwrap();
                for (one, witness) in asking.open().iter().zip(&watched.witnesses) {
                    let body = asking.submission(asking.newest(), 0).unwrap().to_string();
                    let line = witness.add_checkpoint(body.as_bytes(), NOW).outcome.unwrap().to_string();
                    assert!(asking.take(asking.newest(), one, &line));
                }
                let (done, reached) = under(plan, || asking.finish());
                if !reached {
                    assert!(done.unwrap().quorum);
                    break;
                }
                struck += 1;
                watched.publisher = Publisher::open(&watched.place(), "host").unwrap();
                watched.journal = Journal::open(&watched.place()).unwrap();
                watched.publisher.publish(3).unwrap();
                assert!([0, 2].contains(&watched.check().0), "{plan:?}");
                watched.ask(2, NOW).unwrap();
                assert_eq!(watched.check(), (2, true), "{plan:?}");
                watched.grow(1);
                watched.ask(2, NOW).unwrap();
                assert_eq!(watched.check(), (2, true), "{plan:?}");
            }
        }
    }
    assert!(struck >= 20, "{struck}");
}

#[test]
fn of_many_witnesses_as_many_sign_as_there_is_room_for() {
    let mut watched = Watched::new("any", None);
    watched.grow(1);
    let names: Vec<String> = (0..32).map(|nth| format!("{}{nth}", "w".repeat(200))).collect();
    let keys: Vec<PrivateKey> = (0..32)
        .map(|nth| PrivateKey::from_seed(KeyName::new(&names[nth]).unwrap(), &[nth as u8 + 1; 32]))
        .collect();
    let lines = keys
        .iter()
        .enumerate()
        .map(|(nth, key)| format!("witness w{nth} {} http://192.0.2.1\n", key.cosigner()));
    let policy = lines.collect::<String>() + "quorum w0\n";
    Witnesses::new(policy.as_bytes(), None).unwrap().set(&watched.place()).unwrap();
    let mut asking = watched.publisher.ask(PATIENCE).unwrap().unwrap();
    let checkpoint = asking.submission(asking.newest(), 0).unwrap().checkpoint;
    let mut taken = 0;
    for (one, key) in asking.open().iter().zip(&keys) {
        taken += usize::from(asking.take(
            asking.newest(),
            one,
            &cosign(key, &checkpoint, NOW).unwrap().to_string(),
        ));
    }
    assert!((15..32).contains(&taken), "{taken}");
    asking.finish().unwrap();
    assert_eq!(watched.check(), (taken, true));
    watched.grow(300);
    let more = format!("{policy}witness x {} http://192.0.2.1\n", watched.witnesses[0].verifier());
    let more = more.replacen("quorum w0\n", "", 1) + "quorum w0\n";
    assert!(matches!(Witnesses::new(more.as_bytes(), None), Err(WitnessesError::TooMany(33))));
}

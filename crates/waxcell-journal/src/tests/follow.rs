//! A witness as time goes on: its clock is set, and logs change their keys.

use std::fs;

use super::support::scratch;
use super::witness::{NOW, checkpoint, honest, leaves, log, open, reader, status, submit};
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::*;
use crate::{Answer, Refusal};

#[test]
fn a_clock_that_was_set_back_takes_no_time_back() {
    let home = scratch();
    let witness = open(home.path());
    let time = |answer: Answer, size| {
        let mut note = checkpoint(&log(1), &leaves(size, u64::MAX));
        note.add(answer.outcome.unwrap());
        let keys = ([log(1).verifier()], [witness.verifier()]);
        let signed = SignedCheckpoint::open(note.to_string().as_bytes(), &keys.0, &keys.1).unwrap();
        signed.cosignatures[0].time.unwrap()
    };
    let day = 86_400;
    let mut last = 0;
    for (size, now, expected) in [
        (3, NOW, NOW),
        (5, NOW - day, NOW),
        (5, NOW - day, NOW),
        (8, NOW + day, NOW + day),
        (9, NOW, NOW + day),
        (9, NOW + 2 * day, NOW + 2 * day),
    ] {
        let sent = honest(last, size).to_string();
        assert_eq!(time(witness.add_checkpoint(sent.as_bytes(), now), size), expected, "{size}");
        last = size;
    }
}

/// A log whose record `size - 1` names another key, and what shows that.
fn change_of_keys(by: &PrivateKey, next: &VerifierKey, size: u64) -> (Note, Proof) {
    let record = format!(r#"{{"epoch":2,"index":{},"run":"","type":"key","v":1,"vkey":"{next}"}}"#, size - 1);
    let mut leaves = leaves(size - 1, u64::MAX);
    leaves.push(leaf_hash(record.as_bytes()));
    let path = inclusion_proof(size - 1, size, &mut reader(&leaves)).unwrap();
    let note = checkpoint(by, &leaves);
    let proof = Proof { extra: Some(record.into()), index: size - 1, path, checkpoint: note.to_string() };
    (note, proof)
}

#[test]
fn the_next_key_of_a_log_is_known_by_its_last_record_alone() {
    let home = scratch();
    let witness = open(home.path());
    let next = log(2).verifier();
    let (seal, proof) = change_of_keys(&log(1), &next, 6);
    let follow = |proof: &Proof| match witness.follow(proof.to_string().as_bytes()).outcome {
        Ok(key) => Ok(key),
        Err(Refusal::Conflict { size }) => Err((409, size)),
        Err(refusal) => Err((refusal.status(), 0)),
    };
    // Not before the end of the epoch is what was cosigned last.
    assert_eq!(follow(&proof), Err((409, 0)));
    submit(&witness, &honest(0, 4)).outcome.unwrap();
    assert_eq!(follow(&proof), Err((409, 4)));
    let sent = |checkpoint: Note| {
        let leaves: Vec<Hash> = leaves(5, u64::MAX).into_iter().chain([[0; 32]]).collect();
        let proof = consistency_proof(4, 6, &mut reader(&leaves)).unwrap();
        Submission { old: 4, proof, checkpoint }
    };
    // The proof from 4 to 6 has the hash of the fifth leaf and the sixth together: those of the log that was sealed.
    let mut submission = sent(seal);
    let with_key = leaf_hash(proof.extra.as_deref().unwrap());
    let pair = [leaves(5, u64::MAX)[4], with_key];
    submission.proof[0] = root(2, &mut reader(&pair)).unwrap();
    submit(&witness, &submission).outcome.unwrap();

    let change = |change: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        follow(&changed)
    };
    let other = log(3).verifier().to_string();
    let forged = |text: &str| text.replace(&next.to_string(), &other);
    assert_eq!(
        change(&|p| p.extra = Some(forged(&String::from_utf8(p.extra.clone().unwrap()).unwrap()).into())),
        Err((422, 0))
    );
    assert_eq!(change(&|p| p.extra = None), Err((422, 0)));
    assert_eq!(change(&|p| p.index = 4), Err((422, 0)));
    assert_eq!(change(&|p| p.checkpoint = p.checkpoint.replacen("/a", "/b", 1)), Err((404, 0)));
    assert_eq!(follow(&change_of_keys(&log(3), &next, 6).1), Err((422, 0)), "signed by somebody else");
    assert_eq!(follow(&change_of_keys(&log(1), &log(3).verifier(), 6).1), Err((409, 6)), "another tree");
    assert_eq!(witness.follow(b"nonsense").outcome.unwrap_err().status(), 400);
    let by_next = |witness: &crate::Witness| {
        let mut note = Note::new(submission.checkpoint.text()).unwrap();
        note.sign(&log(2));
        let again = Submission { old: 6, proof: vec![], checkpoint: note };
        status(&submit(witness, &again)).0
    };
    assert_eq!(by_next(&witness), 403, "control: nothing of that has made the key known");

    assert_eq!(follow(&proof), Ok(next.clone()));
    assert_eq!(follow(&proof), Ok(next));
    assert_eq!(follow(&change_of_keys(&log(1), &log(3).verifier(), 6).1), Err((409, 6)), "no second end");
    assert_eq!(by_next(&witness), 200);
    // The old key ends there. Another process knows as much.
    let again = open(home.path());
    assert_eq!(by_next(&again), 200);
    let old = Submission { old: 6, ..honest(6, 9) };
    for witness in [&witness, &again] {
        let refused = submit(witness, &old).outcome.unwrap_err();
        assert!(matches!(refused, Refusal::Over { end: 6 }) && refused.status() == 403, "{refused}");
    }
    // What is kept is looked at anew: nobody can put another key there.
    let folder = home.path().join("seals");
    let kept = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::write(&kept, fs::read_to_string(&kept).unwrap().replacen("index 5", "index 4", 1)).unwrap();
    assert_eq!(by_next(&open(home.path())), 403);
}

/// Every call that changes the disk fails once while a witness follows: it knows the key or can be shown it again, and
/// whatever it has said it stands by after a new start.
#[test]
fn a_disk_that_fails_loses_no_way_to_the_next_key() {
    let mut struck = 0;
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for after in 0.. {
            let home = scratch();
            let (seal, proof) = change_of_keys(&log(1), &log(2).verifier(), 3);
            let first = Submission { old: 0, proof: vec![], checkpoint: seal };
            let witness = open(home.path());
            submit(&witness, &first).outcome.unwrap();
            let body = proof.to_string();
            let plan = Plan { after, manner, errno: 5, then_dead: true };
            let (followed, reached) = under(plan, || witness.follow(body.as_bytes()).outcome);
            let mut note = Note::new(first.checkpoint.text()).unwrap();
            note.sign(&log(2));
            let next = Submission { old: 3, proof: vec![], checkpoint: note };
            let again = open(home.path());
            if followed.is_ok() {
                assert_eq!(status(&submit(&again, &next)).0, 200, "{plan:?}");
            }
            again.follow(body.as_bytes()).outcome.unwrap();
            assert_eq!(status(&submit(&again, &next)).0, 200, "{plan:?}");
            if !reached {
                break;
            }
            struck += 1;
        }
    }
    assert!(struck >= 6, "{struck}");
}

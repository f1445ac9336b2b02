//! A witness: each status of the specification, the situations of torchwood's litewitness, what is left where the disk
//! fails, and any bytes.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::*;
use crate::{Answer, Refusal, Sign, WitnessError};

pub(super) const NOW: u64 = 1_790_000_000;

pub(super) fn log(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(KeyName::new("log.example/a").unwrap(), &[seed; 32])
}

pub(super) fn open(home: &Path) -> crate::Witness {
    let name = KeyName::new("watch.example/w").unwrap();
    crate::Witness::open(home, Some(&name), "host", vec![log(1).verifier()]).unwrap()
}

/// The leaves of a log; from `fork` on they are others.
pub(super) fn leaves(size: u64, fork: u64) -> Vec<Hash> {
    (0..size).map(|nth| leaf_hash(format!("{nth}{}", if nth < fork { "" } else { "'" }).as_bytes())).collect()
}

pub(super) fn reader(leaves: &[Hash]) -> impl FnMut(Node) -> Result<Hash, ()> {
    move |node| {
        let mut part = Frontier::new();
        let first = (node.index << node.level) as usize;
        leaves[first..first + (1 << node.level)].iter().for_each(|leaf| part.append(*leaf));
        Ok(part.root())
    }
}

pub(super) fn checkpoint(key: &PrivateKey, leaves: &[Hash]) -> Note {
    let root = root(leaves.len() as u64, &mut reader(leaves)).unwrap();
    let mut note = Note::new(Checkpoint::new(key.name(), leaves.len() as u64, root).to_string()).unwrap();
    note.sign(key);
    note
}

/// What an honest log would send that has `size` leaves and says that `old` were signed; a fork of it from `fork` on.
fn sent(old: u64, size: u64, fork: u64) -> Submission {
    let leaves = leaves(size, fork);
    let proof = consistency_proof(old, size, &mut reader(&leaves)).unwrap();
    Submission { old, proof, checkpoint: checkpoint(&log(1), &leaves) }
}

pub(super) fn honest(old: u64, size: u64) -> Submission {
    sent(old, size, u64::MAX)
}

pub(super) fn submit(witness: &crate::Witness, submission: &Submission) -> Answer {
    witness.add_checkpoint(submission.to_string().as_bytes(), NOW)
}

/// The status; of 409 also the size.
pub(super) fn status(answer: &Answer) -> (u16, Option<u64>) {
    match &answer.outcome {
        Ok(_) => (200, None),
        Err(Refusal::Conflict { size }) => (409, Some(*size)),
        Err(refusal) => (refusal.status(), None),
    }
}

/// The witness cosigned this checkpoint, rightly, and remembers nothing else.
#[track_caller]
fn cosigned(witness: &crate::Witness, answer: &Answer, submission: &Submission) {
    let signature = answer.outcome.as_ref().unwrap();
    let mut note = submission.checkpoint.clone();
    note.add(signature.clone());
    let signed =
        SignedCheckpoint::open(note.to_string().as_bytes(), &[log(1).verifier()], &[witness.verifier()])
            .unwrap();
    assert_eq!(signed.cosignatures[0].time, Some(NOW));
    let hash = crate::witness::hash_of("log.example/a");
    assert_eq!(witness.checkpoint(&hash).unwrap().unwrap(), signed.note);
}

#[test]
fn each_status_of_the_specification() {
    let home = scratch();
    let witness = open(home.path());
    let first = honest(0, 3);
    cosigned(&witness, &submit(&witness, &first), &first);
    let on = honest(3, 8);
    cosigned(&witness, &submit(&witness, &on), &on);
    // The same again is as good as the first time.
    let again = honest(8, 8);
    cosigned(&witness, &submit(&witness, &again), &again);

    let with = |old: u64, change: &dyn Fn(&mut Submission)| {
        let mut submission = honest(old, 9);
        change(&mut submission);
        status(&submit(&witness, &submission))
    };
    let note_of = |key: &PrivateKey| checkpoint(key, &leaves(9, u64::MAX));
    assert_eq!(with(0, &|_| ()), (409, Some(8)));
    assert_eq!(with(7, &|_| ()), (409, Some(8)));
    assert_eq!(with(9, &|_| ()), (409, Some(8)));
    assert_eq!(with(8, &|s| s.old = 10), (400, None));
    assert_eq!(with(8, &|s| s.proof.clear()), (422, None));
    assert_eq!(with(8, &|s| s.proof.push([1; 32])), (422, None));
    assert_eq!(with(8, &|s| s.proof[0][0] ^= 1), (422, None));
    assert_eq!(with(8, &|s| s.checkpoint = note_of(&log(2))), (403, None));
    let other = PrivateKey::from_seed(KeyName::new("log.example/b").unwrap(), &[1; 32]);
    assert_eq!(with(8, &|s| s.checkpoint = note_of(&other)), (404, None));
    // Signed by nobody who is known, or by somebody else as well, who does not matter.
    let alone = note_of(&log(2));
    assert_eq!(with(8, &|s| s.checkpoint = alone.clone()), (403, None));
    // Right id, wrong signature: the text is another.
    let broken = honest(8, 9).to_string().replace("\n9\n", "\n11\n");
    assert_eq!(status(&witness.add_checkpoint(broken.as_bytes(), NOW)), (403, None));
    // A tree without leaves that has a root all the same.
    let empty = format!("log.example/a\n0\n{}\n", base64(&[7; 32]));
    let mut empty = Note::new(empty).unwrap();
    empty.sign(&log(1));
    let fresh = scratch();
    let fresh = open(fresh.path());
    let of_nothing = |old| Submission { old, proof: Vec::new(), checkpoint: empty.clone() };
    assert_eq!(status(&submit(&fresh, &of_nothing(0))), (422, None));
    assert_eq!(status(&submit(&fresh, &of_nothing(1))), (400, None));
    // The first time has no proof.
    let mut first = honest(0, 4);
    first.proof.push([1; 32]);
    assert_eq!(status(&submit(&fresh, &first)), (422, None));
    for (body, why) in [
        ("", "nothing"),
        ("old 8", "no line"),
        ("old 08\n\n", "a zero in front"),
        ("old -8\n\n", "a sign"),
        ("old 8 \n\n", "a space"),
        ("Old 8\n\n", "another word"),
        ("old 9223372036854775808\n\n", "too large"),
        ("old 8\nAAAA\n\n", "no hash"),
        ("old 8\n\n", "no note"),
        ("old 8\n\nlog.example/a\n9\n", "no signature"),
    ] {
        assert_eq!(status(&witness.add_checkpoint(body.as_bytes(), NOW)), (400, None), "{why}");
    }
    let mut long = honest(8, 9);
    long.proof = vec![[1; 32]; 64];
    assert_eq!(status(&submit(&witness, &long)), (400, None));
    long.proof.pop();
    assert_eq!(status(&submit(&witness, &long)), (422, None), "63 are not too many");
    let huge = format!("{}{}", honest(8, 9), "x".repeat(MAX_SUBMISSION));
    assert_eq!(status(&witness.add_checkpoint(huge.as_bytes(), NOW)), (400, None));
    // After all of this it is where it was.
    assert_eq!(status(&submit(&witness, &honest(8, 9))), (200, None));
}

fn base64(hash: &Hash) -> String {
    let text = Checkpoint::new(&KeyName::new("a").unwrap(), 1, *hash).to_string();
    text.lines().nth(2).unwrap().to_owned()
}

/// The nine requests of `litewitness.txt` in torchwood, in its order, with a log of our own: what is asked, and the status.
/// Its answer to an unknown log is 403; the specification says 404 by now.
#[test]
fn the_situations_of_litewitness() {
    let home = scratch();
    let witness = open(home.path());
    let flipped = |mut submission: Submission| {
        submission.proof.last_mut().unwrap()[31] ^= 0x10;
        submission
    };
    let wrong_signature = {
        let text = honest(1, 3).to_string();
        let end = text.trim_end().len() - 3;
        format!("{}{}{}", &text[..end], if &text[end..=end] == "A" { "B" } else { "A" }, &text[end + 1..])
    };
    let other_log = honest(1, 3).to_string().replace("log.example/a\n3", "log.example/b\n3");
    let no_proof = Submission { proof: Vec::new(), ..honest(1, 3) };
    let requests = [
        (honest(0, 1).to_string(), (200, None)),
        (wrong_signature, (403, None)),
        (other_log, (404, None)),
        (no_proof.to_string(), (422, None)),
        (flipped(honest(1, 3)).to_string(), (422, None)),
        (honest(1, 3).to_string(), (200, None)),
        (honest(1, 5).to_string(), (409, Some(3))),
        (honest(3, 5).to_string(), (200, None)),
        (Submission { old: 0, proof: Vec::new(), ..honest(3, 5) }.to_string(), (409, Some(5))),
    ];
    for (nth, (body, expected)) in requests.iter().enumerate() {
        assert_eq!(status(&witness.add_checkpoint(body.as_bytes(), NOW)), *expected, "request {nth}");
    }
}

#[test]
fn what_speaks_against_a_log_is_kept_and_never_cosigned() {
    let home = scratch();
    let witness = open(home.path());
    assert_eq!(status(&submit(&witness, &honest(0, 6))), (200, None));
    let files = || fs::read_dir(home.path().join("evidence")).unwrap().count();
    assert_eq!(status(&submit(&witness, &honest(0, 9))), (409, Some(6)));
    assert_eq!(files(), 0, "control: asking with a wrong size is nothing");
    // Two trees of one size, however they are brought in.
    for old in [0, 6] {
        let forked = Submission { old, proof: Vec::new(), ..sent(0, 6, 4) };
        let answer = submit(&witness, &forked);
        assert_eq!(status(&answer), if old == 6 { (422, None) } else { (409, Some(6)) });
        let evidence = answer.evidence.unwrap();
        assert_eq!(evidence.sign, Sign::SplitView);
        let text = fs::read_to_string(evidence.file.unwrap().unwrap()).unwrap();
        assert!(text.contains(&forked.checkpoint.to_string()), "{text}");
        let kept = witness.checkpoint(&crate::witness::hash_of("log.example/a")).unwrap().unwrap();
        assert!(text.contains(&kept.to_string()) && kept.text() == honest(0, 6).checkpoint.text(), "{text}");
    }
    assert_eq!(files(), 1, "once, however often it is shown");
    // A log that went back.
    let answer = submit(&witness, &honest(0, 4));
    assert_eq!((status(&answer), answer.evidence.unwrap().sign), ((409, Some(6)), Sign::Smaller));
    // A fork that has grown past what was seen cannot be proved to continue it.
    let answer = submit(&witness, &sent(6, 9, 4));
    assert_eq!(status(&answer), (422, None));
    assert_eq!(files(), 2);
    // What is not signed by the log says nothing about it.
    let mut strange = Note::new(sent(0, 6, 3).checkpoint.text()).unwrap();
    strange.sign(&log(2));
    let answer = submit(&witness, &Submission { old: 6, proof: Vec::new(), checkpoint: strange });
    assert!(status(&answer) == (403, None) && answer.evidence.is_none());
    assert_eq!(status(&submit(&witness, &honest(6, 9))), (200, None), "the log itself goes on");
}

#[test]
fn lines_of_others_do_not_get_into_what_is_kept() {
    let home = scratch();
    let witness = open(home.path());
    let mut submission = honest(0, 5);
    // As if this witness had signed, and as if anybody had.
    let own = cosign(
        &PrivateKey::from_seed(witness.verifier().name().clone(), &[9; 32]),
        &submission.checkpoint,
        NOW,
    );
    submission.checkpoint.add(own.unwrap());
    submission.checkpoint.sign(&log(7));
    let answer = submit(&witness, &submission);
    assert_eq!(status(&answer), (200, None));
    let kept = witness.checkpoint(&crate::witness::hash_of("log.example/a")).unwrap().unwrap();
    assert_eq!(kept.signatures().len(), 2, "the log's and its own: {kept}");
    assert_eq!(status(&submit(&witness, &honest(5, 6))), (200, None));
}

#[test]
fn what_was_signed_last_outlives_the_process_and_is_not_made_up() {
    let home = scratch();
    let verifier = {
        let witness = open(home.path());
        assert_eq!(status(&submit(&witness, &honest(0, 5))), (200, None));
        witness.verifier()
    };
    assert_eq!(crate::Witness::key_in(home.path()).unwrap(), verifier);
    let witness = open(home.path());
    assert_eq!(witness.verifier(), verifier);
    assert_eq!(status(&submit(&witness, &honest(0, 7))), (409, Some(5)));
    let other = KeyName::new("watch.example/x").unwrap();
    let renamed = crate::Witness::open(home.path(), Some(&other), "host", Vec::new());
    assert!(matches!(renamed, Err(WitnessError::Name { .. })));
    // Whatever else lies there is not believed: neither a smaller checkpoint nor nothing readable.
    let file = home.path().join("logs").join(crate::witness::hash_of("log.example/a"));
    let whole = fs::read(&file).unwrap();
    for content in [Vec::new(), whole[..whole.len() / 2].to_vec(), honest(0, 2).checkpoint.to_string().into()]
    {
        fs::write(&file, content).unwrap();
        assert_eq!(status(&submit(&witness, &honest(0, 7))), (500, None));
        assert_eq!(status(&submit(&witness, &honest(5, 7))), (500, None));
    }
    fs::write(&file, whole).unwrap();
    assert_eq!(status(&submit(&witness, &honest(5, 7))), (200, None));
}

/// Every call that changes the disk fails once, made or not, and the witness goes on, or dies with it and another comes:
/// either way it knows what it has signed, and signs no other.
#[test]
fn a_disk_that_fails_never_makes_it_forget() {
    let mut struck = 0;
    for manner in [Manner::Lost, Manner::Half, Manner::Done] {
        for then_dead in [false, true] {
            for after in 0.. {
                let home = scratch();
                let witness = open(home.path());
                assert_eq!(status(&submit(&witness, &honest(0, 3))), (200, None));
                let plan = Plan { after, manner, errno: 5, then_dead };
                let (answer, reached) = under(plan, || submit(&witness, &honest(3, 5)));
                if !reached {
                    assert_eq!(status(&answer), (200, None));
                    break;
                }
                struck += 1;
                assert_eq!(status(&answer), (500, None), "nobody sees a signature that may be forgotten");
                drop(witness);
                let witness = open(home.path());
                let (code, size) = status(&submit(&witness, &honest(0, 6)));
                assert!(code == 409 && [Some(3), Some(5)].contains(&size), "{plan:?}: {code} {size:?}");
                // The log finds out, and goes on.
                let last = size.unwrap();
                assert_eq!(status(&submit(&witness, &honest(last, 6))), (200, None), "{plan:?}");
                assert_eq!(status(&submit(&witness, &sent(last, 7, 2))).0, 409, "{plan:?}");
                assert_eq!(status(&submit(&witness, &sent(6, 7, 2))).0, 422, "{plan:?}");
            }
        }
    }
    assert!(struck >= 20, "{struck}");
}

/// Of two who say that they continue the same checkpoint, one does; as in the race that the specification tells of.
#[test]
fn of_two_at_once_one_comes_first() {
    let home = scratch();
    let witness = open(home.path());
    // Another process with the same directory, as it should not be.
    let beside = open(home.path());
    assert_eq!(status(&submit(&witness, &honest(0, 2))), (200, None));
    let mut last = 2;
    for round in 0..100 {
        let sizes = [last + 1 + round % 3, last + 2, last + 1, last + 1 + round % 2];
        let all = std::sync::Barrier::new(sizes.len());
        let answers: Vec<_> = std::thread::scope(|scope| {
            let spawned: Vec<_> = (sizes.iter().zip([&witness, &beside, &witness, &beside]))
                .map(|(&size, witness)| {
                    let (body, all) = (honest(last, size).to_string(), &all);
                    scope.spawn(move || {
                        all.wait();
                        status(&witness.add_checkpoint(body.as_bytes(), NOW))
                    })
                })
                .collect();
            spawned.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let won: Vec<u64> = (0..4).filter(|&nth| answers[nth] == (200, None)).map(|nth| sizes[nth]).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        last = won[0];
        assert!(
            answers.iter().all(|answer| [(200, None), (409, Some(last))].contains(answer)),
            "{answers:?}"
        );
    }
}

#[test]
fn a_key_that_others_may_read_is_none() {
    use std::os::unix::fs::PermissionsExt;
    let home = scratch();
    drop(open(home.path()));
    let key = home.path().join("key");
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let name = KeyName::new("watch.example/w").unwrap();
    let loose = crate::Witness::open(home.path(), Some(&name), "host", Vec::new());
    assert!(matches!(loose, Err(WitnessError::Key(crate::KeyFileError::Readable { .. }))), "{loose:?}");
    // Two keys for one purpose each.
    let wrong = crate::Witness::open(&home.path().join("b"), None, "host", vec![log(1).cosigner()]);
    assert!(matches!(wrong, Err(WitnessError::Kind(_))));
    let own = crate::Witness::open(&home.path().join("b"), None, "host", vec![]).unwrap();
    assert!(own.verifier().name().as_str().starts_with("host/witness-"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let home = scratch();
        prop_assert!([400, 403, 404].contains(&status(&open(home.path()).add_checkpoint(&bytes, NOW)).0));
    }

    #[test]
    fn a_body_is_read_as_it_was_written(old in 0u64..30, more in 0u64..30, cut in any::<prop::sample::Index>(), byte: u8) {
        let submission = honest(old, old + more.max(1));
        let text = submission.to_string();
        prop_assert_eq!(Submission::parse(text.as_bytes()), Ok(submission));
        let mut changed = text.into_bytes();
        let at = cut.index(changed.len());
        changed[at] = byte;
        if let Ok(read) = Submission::parse(&changed) {
            prop_assert_eq!(read.to_string().into_bytes(), changed);
        }
    }
}

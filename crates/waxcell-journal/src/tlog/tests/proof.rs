//! Files of proofs: written, read, changed, and checked against a policy.

use super::{leaf, naive_root, nodes};
use crate::tlog::*;

const SIZE: u64 = 11;

fn key(name: &str, seed: u8) -> PrivateKey {
    PrivateKey::from_seed(KeyName::new(name).unwrap(), &[seed; 32])
}

fn log() -> PrivateKey {
    key("host/log", 1)
}

/// The proof of a leaf of a small log with one witness.
fn proof(index: u64) -> Proof {
    let leaves: Vec<Hash> = (0..SIZE).map(leaf).collect();
    let text = Checkpoint::new(log().name(), SIZE, naive_root(&leaves)).to_string();
    let mut note = Note::new(text).unwrap();
    note.sign(&log());
    note.add(cosign(&key("witness", 2), &note, 1).unwrap());
    let path = inclusion_proof(index, SIZE, &mut nodes(&leaves)).unwrap();
    Proof { extra: None, index, path, checkpoint: note.to_string() }
}

fn policy(quorum: &str) -> Policy {
    let file = format!(
        "log {}\nwitness w {}\nwitness v {}\nquorum {quorum}\n",
        log().verifier(),
        key("witness", 2).cosigner(),
        key("other", 3).cosigner()
    );
    Policy::parse(file.as_bytes()).unwrap()
}

#[test]
fn proofs_are_written_read_and_hold() {
    for index in 0..SIZE {
        for extra in [None, Some(Vec::new()), Some(b"{}".to_vec())] {
            let proof = Proof { extra, ..proof(index) };
            let file = proof.to_string();
            assert_eq!(Proof::parse(file.as_bytes()).as_ref(), Ok(&proof));
            let signed = proof.verify(&leaf(index), &policy("w")).unwrap();
            assert_eq!((signed.checkpoint.size(), signed.cosignatures[0].time), (SIZE, Some(1)));
            assert!(proof.verify(&leaf(index), &Policy::of_logs(&[log().verifier()])).is_ok());
        }
    }
}

#[test]
fn the_form_is_that_of_the_specification() {
    let proof =
        Proof { extra: Some(b"age".to_vec()), index: 73_894, path: vec![[0; 32]], checkpoint: "c\n".into() };
    let file = "c2sp.org/tlog-proof@v1\nextra YWdl\nindex 73894\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nc\n";
    assert_eq!(proof.to_string(), file);
    assert_eq!(Proof::parse(file.as_bytes()), Ok(proof));
}

#[test]
fn what_does_not_hold_is_said() {
    let (good, with_witness) = (proof(4), policy("w"));
    let inclusion = |source| VerifyProofError::Inclusion { index: 4, source };
    assert_eq!(good.verify(&leaf(5), &with_witness), Err(inclusion(ProofError::Root)));
    let mut short = good.clone();
    short.path.pop();
    let length = ProofError::Length { expected: 4, found: 3 };
    assert_eq!(short.verify(&leaf(4), &with_witness), Err(inclusion(length)));
    let elsewhere = Proof { index: 5, ..good.clone() };
    assert!(elsewhere.verify(&leaf(4), &with_witness).is_err());
    let beyond = Proof { index: SIZE, path: vec![], ..good.clone() };
    let none = ProofError::NoSuchLeaf { index: SIZE, size: SIZE };
    assert_eq!(
        beyond.verify(&leaf(4), &with_witness),
        Err(VerifyProofError::Inclusion { index: SIZE, source: none })
    );
    let quorum = QuorumError { quorum: "v".to_owned(), cosigned: 1, known: 2 };
    assert_eq!(good.verify(&leaf(4), &policy("v")), Err(VerifyProofError::Quorum(quorum)));
    let stranger = Policy::of_logs(&[key("host/log", 9).verifier()]);
    let untrusted = OpenCheckpointError::Note(NoteError::Untrusted);
    assert_eq!(good.verify(&leaf(4), &stranger), Err(VerifyProofError::Checkpoint(untrusted)));
    let stripped = good.checkpoint.rsplit_once("\u{2014} witness").unwrap().0.to_owned();
    let stripped = Proof { checkpoint: stripped, ..good };
    assert!(matches!(stripped.verify(&leaf(4), &with_witness), Err(VerifyProofError::Quorum(_))));
}

/// No byte of the file can be changed.
#[test]
fn every_other_byte_is_refused() {
    let (file, policy) = (proof(6).to_string().into_bytes(), policy("w"));
    let refused = |bytes: &[u8]| match Proof::parse(bytes) {
        Ok(proof) => {
            assert_eq!(proof.to_string().into_bytes(), bytes);
            proof.verify(&leaf(6), &policy).is_err()
        }
        Err(_) => true,
    };
    assert!(!refused(&file));
    for at in 0..file.len() {
        assert!(refused(&file[..at]), "cut at {at}");
        for flip in [1, 2, 0x20, 0x80] {
            let mut other = file.clone();
            other[at] ^= flip;
            assert!(refused(&other), "byte {at}");
        }
    }
}

#[test]
fn where_the_form_is_wrong_is_said() {
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let head = "c2sp.org/tlog-proof@v1\n";
    let line = |line, expected| ProofFileError::Line { line, expected };
    for (file, error) in [
        (String::new(), line(1, "the name of this format")),
        ("c2sp.org/tlog-proof@v2\n".to_owned(), line(1, "the name of this format")),
        (head.trim_end().to_owned(), line(1, "the name of this format")),
        (head.to_owned(), line(2, "`index` and a number")),
        (format!("{head}extra !\nindex 0\n\n"), line(2, "`extra` and base 64")),
        (format!("{head}index 00\n\n"), line(2, "`index` and a number")),
        (format!("{head}index -1\n\n"), line(2, "`index` and a number")),
        (format!("{head}index 0\nextra AAAA\n\n"), line(3, "the base 64 of a hash, or empty")),
        (format!("{head}index 0\nAAAA\n\n"), line(3, "the base 64 of a hash, or empty")),
        (format!("{head}index 0\n{hash}"), line(4, "the base 64 of a hash, or empty")),
        (format!("{head}extra AAAA\nindex 0\n{}\n", hash.repeat(64)), line(67, "empty")),
    ] {
        assert_eq!(Proof::parse(file.as_bytes()), Err(error), "{file}");
    }
    assert!(Proof::parse(format!("{head}index 0\n{}\n", hash.repeat(63)).as_bytes()).is_ok());
    assert_eq!(Proof::parse(b"c2sp\xff"), Err(ProofFileError::NotUtf8 { offset: 4 }));
    assert_eq!(Proof::parse(&vec![b'a'; MAX_PROOF + 1]), Err(ProofFileError::TooLong(MAX_PROOF + 1)));
}

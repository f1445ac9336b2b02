//! Cosignatures: those of real witnesses, and our own.

use proptest::prelude::*;

use crate::tlog::*;

/// A checkpoint of a log of Certificate Transparency in May 2026, as four public witnesses had signed it.
const PUBLIC: &str = "arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

\u{2014} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
\u{2014} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
\u{2014} transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
\u{2014} witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
\u{2014} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
\u{2014} witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
";
const PUBLIC_LOG: &str =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const PUBLIC_WITNESSES: [&str; 4] = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
];

fn key(name: &str, seed: u8) -> PrivateKey {
    PrivateKey::from_seed(KeyName::new(name).unwrap(), &[seed; 32])
}

fn checkpoint(log: &PrivateKey, size: u64) -> Note {
    let mut note = Note::new(Checkpoint::new(log.name(), size, [7; 32]).to_string()).unwrap();
    note.sign(log);
    note
}

#[test]
fn public_witnesses_are_understood() {
    let log: VerifierKey = PUBLIC_LOG.parse().unwrap();
    let witnesses = PUBLIC_WITNESSES.map(|key| key.parse::<VerifierKey>().unwrap());
    let open = |bytes: &str| SignedCheckpoint::open(bytes.as_bytes(), std::slice::from_ref(&log), &witnesses);
    let signed = open(PUBLIC).unwrap();
    assert_eq!((signed.checkpoint.size(), signed.signatures.len()), (1_432_088_532, 1));
    let cosigned: Vec<_> = signed.cosignatures.iter().map(|verified| verified.time).collect();
    assert_eq!(cosigned, [Some(1_779_573_024); 4]);
    // Of another time, another text, or another key it is no signature: the sixth byte from the left is the time's last.
    let later = PUBLIC.replacen("2net5wAAAABqEiEg", "2net5wAAAABqEiEh", 1);
    let larger = PUBLIC.replacen("1432088532", "1432088533", 1);
    for other in [later, larger] {
        assert!(matches!(open(&other), Err(OpenCheckpointError::Note(NoteError::Wrong(..)))));
    }
}

/// Worked out with another implementation of Ed25519 (`cryptography` of PyPI) from the text of the specification.
#[test]
fn our_cosignature_is_that_of_others() {
    let witness = key("witness.example/w1", 2);
    let note = checkpoint(&key("host/log", 1), 3);
    let signature = cosign(&witness, &note, 1_679_315_147).unwrap();
    assert_eq!(signature.to_string(), EXPECTED);
    assert_eq!(witness.cosigner().to_string(), EXPECTED_KEY);
}
const EXPECTED: &str = "\u{2014} witness.example/w1 3xwKNQAAAABkGFDL8pauBUXEi9Avx7JJHU+SH2+/R5wqzckg4jaW0KQt67nidJXRHgnLWLlW/Y7mBrWxZif4SyX3yjHVvuMjc/xiDg==";
const EXPECTED_KEY: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";

#[test]
fn a_cosignature_is_not_a_signature() {
    let (log, witness) = (key("host/log", 1), key("witness", 2));
    let mut note = checkpoint(&log, 3);
    note.add(cosign(&witness, &note, 5).unwrap());
    note.add(cosign(&log, &note, 6).unwrap());
    let opened = note.open(&[witness.cosigner(), log.verifier(), log.cosigner()]).unwrap();
    let times: Vec<_> = opened.verified.iter().map(|verified| verified.time).collect();
    assert_eq!(times, [None, Some(5), Some(6)]);
    // Nobody's cosignature makes a checkpoint the log's, not even its own.
    let opened = SignedCheckpoint::open(note.to_string().as_bytes(), &[], &[log.cosigner()]);
    assert_eq!(opened, Err(OpenCheckpointError::Unsigned("host/log".to_owned())));
    // Bytes that one kind of key made do not pass for the other.
    let bytes = |signature: &str| signature.rsplit_once(' ').map(|(_, bytes)| bytes.to_owned()).unwrap();
    let author = bytes(&checkpoint(&witness, 3).signatures()[0].to_string());
    let as_witness = format!("\u{2014} witness {author}");
    let mut other = checkpoint(&log, 3);
    other.add(Signature::parse(&as_witness).unwrap());
    assert_eq!(other.open(&[witness.cosigner()]), Err(NoteError::Untrusted));
}

#[test]
fn only_checkpoints_are_cosigned() {
    let note = Note::new("a letter\n").unwrap();
    assert_eq!(cosign(&key("witness", 2), &note, 1), Err(CheckpointError { line: 2, fault: Line::Missing }));
}

#[test]
fn times() {
    let witness = key("witness", 2);
    for (time, read) in [(0, 0), (i64::MAX as u64, i64::MAX as u64), (u64::MAX, i64::MAX as u64)] {
        let mut note = checkpoint(&key("host/log", 1), 3);
        note.add(cosign(&witness, &note, time).unwrap());
        let opened = note.open(&[witness.cosigner()]).unwrap();
        assert_eq!(opened.verified[0].time, Some(read));
    }
    // Past what the specification allows, though signed.
    let mut note = checkpoint(&key("host/log", 1), 3);
    let time = i64::MAX as u64 + 1;
    let signed = witness.sign_bytes(format!("cosignature/v1\ntime {time}\n{}", note.text()).as_bytes());
    note.add(Signature::new(&witness.cosigner(), [&time.to_be_bytes(), signed.as_slice()].concat()));
    assert!(matches!(note.open(&[witness.cosigner()]), Err(NoteError::Wrong(..))));
}

proptest! {
    /// Every bit of a cosignature counts, its time included.
    #[test]
    fn changed_cosignatures(bit in 0..72 * 8_usize) {
        let witness = key("witness", 2);
        let note = checkpoint(&key("host/log", 1), 3);
        let line = cosign(&witness, &note, 1_700_000_000).unwrap().to_string();
        let (start, bytes) = line.rsplit_once(' ').unwrap();
        let mut bytes = super::super::base64::decode(bytes).unwrap();
        bytes[4 + bit / 8] ^= 1 << (bit % 8);
        let mut other = note.clone();
        other.add(Signature::parse(&format!("{start} {}", super::super::base64::encode(&bytes))).unwrap());
        prop_assert!(matches!(other.open(&[witness.cosigner()]), Err(NoteError::Wrong(..))));
    }
}

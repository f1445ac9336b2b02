//! What has to hold for any bytes: called by the fuzz targets in `fuzz/`, and by a test with their seeds.

use std::str::FromStr;

use crate::apart::Proven;
use crate::tlog::{
    Checkpoint, Frontier, Kind, MAX_SIZE, Note, Policy, PrivateKey, Proof, SignedCheckpoint, Submission,
    Tile, VerifierKey, decode_bundle, encode_bundle, from_canonical, leaf_hash, to_canonical,
};

/// A key of each kind, for notes that are opened.
const LOG: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const WITNESS: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

fn keys(text: &str) -> Vec<VerifierKey> {
    VerifierKey::from_str(text).into_iter().collect()
}

/// A bundle of as many entries as its first byte says, the state of a tree, and the path of a tile: what is read is
/// written as it was.
pub fn fuzz_bundle(bytes: &[u8]) {
    let (width, bundle) =
        bytes.split_first().map_or((0, bytes), |(width, rest)| (u16::from(*width) + 1, rest));
    if let Ok(entries) = decode_bundle(bundle, width) {
        assert!(entries.len() == usize::from(width), "as many entries as there should be");
        assert!(encode_bundle(entries).is_ok_and(|again| again == bundle), "one form");
    }
    if let Ok(mut frontier) = Frontier::from_bytes(bytes) {
        assert!(frontier.to_bytes() == bytes && frontier.size() <= MAX_SIZE, "one form");
        frontier.append(frontier.root());
    }
    if let Some((kind, tile)) = std::str::from_utf8(bytes).ok().and_then(Tile::at) {
        assert!(tile.path(kind).as_bytes() == bytes && (kind == Kind::Hashes || tile.level == 0), "one form");
    }
}

/// A note: what is read is written as it was, and what changes is not signed.
pub fn fuzz_note(bytes: &[u8]) {
    let Ok(note) = Note::parse(bytes) else { return };
    assert!(note.to_string().as_bytes() == bytes, "one form");
    assert!(note.open(&[]).is_err(), "nobody signed it");
    let _ = note.open(&[keys(LOG), keys(WITNESS)].concat());
}

/// The text of a checkpoint, and one that has to be signed.
pub fn fuzz_checkpoint(bytes: &[u8]) {
    if let Ok(Ok(checkpoint)) = std::str::from_utf8(bytes).map(str::parse::<Checkpoint>) {
        assert!(checkpoint.to_string().as_bytes() == bytes && checkpoint.size() <= MAX_SIZE, "one form");
    }
    if let Ok(signed) = SignedCheckpoint::open(bytes, &keys(LOG), &keys(WITNESS)) {
        assert!(signed.checkpoint.origin() == "PeterNeumann", "only a log speaks for itself");
        assert!(signed.note.to_string().as_bytes() == bytes, "one form");
    }
}

/// The file of a proof.
pub fn fuzz_proof(bytes: &[u8]) {
    let Ok(proof) = Proof::parse(bytes) else { return };
    assert!(proof.to_string().as_bytes() == bytes, "one form");
    let _ = proof.verify(&leaf_hash(bytes), &Policy::of_logs(&keys(LOG)));
    let _ = Proven::of(bytes).values();
}

/// What a log sends a witness.
pub fn fuzz_submission(bytes: &[u8]) {
    let Ok(submission) = Submission::parse(bytes) else { return };
    assert!(submission.to_string().as_bytes() == bytes, "one form");
    assert!(submission.proof.len() <= 63 && submission.old <= MAX_SIZE, "within bounds");
}

/// The file of a policy.
pub fn fuzz_policy(bytes: &[u8]) {
    let Ok(policy) = Policy::parse(bytes) else { return };
    assert!(policy.witness_keys().len() == policy.witnesses().count(), "each has a key");
    assert!(policy.log_keys().len() == policy.logs().len(), "each has a key");
}

/// The texts of keys.
pub fn fuzz_key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert!(key.to_string().eq_ignore_ascii_case(text), "one form, but for the case of the id");
    }
    if let Ok(key) = PrivateKey::from_text(text) {
        assert!(key.to_text().eq_ignore_ascii_case(text), "one form, but for the case of the id");
    }
}

/// Canonical JSON.
pub fn fuzz_canonical(bytes: &[u8]) {
    if let Ok(value) = from_canonical(bytes) {
        assert!(to_canonical(&value).is_ok_and(|again| again == bytes), "one form");
    }
}

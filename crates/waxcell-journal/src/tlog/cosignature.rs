//! What a witness signs: that a checkpoint was the largest consistent one it had seen by a certain time (C2SP
//! `tlog-cosignature`, the form with Ed25519).

use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::{PrivateKey, VerifierKey};
use super::note::{Note, Signature};

/// The latest time that can be signed, in seconds since 1970.
const MAX_TIME: u64 = i64::MAX as u64;

/// A witness's signature for a checkpoint, at a time in seconds since 1970. It says what the witness must have made
/// sure of before: that this checkpoint continues the largest one it signed for this log.
///
/// A time past `2^63 - 1` is taken for that one.
///
/// # Errors
///
/// The note is not a checkpoint.
pub fn cosign(key: &PrivateKey, note: &Note, time: u64) -> Result<Signature, CheckpointError> {
    let _: Checkpoint = note.text().parse()?;
    let time = time.min(MAX_TIME);
    let signature = key.sign_bytes(message(time, note.text()).as_bytes());
    Ok(Signature::new(&key.cosigner(), [&time.to_be_bytes(), signature.as_slice()].concat()))
}

/// When the key signed this text, if it did.
pub(super) fn verify(key: &VerifierKey, text: &str, signature: &[u8]) -> Option<u64> {
    let (time, signature) = signature.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    let right = key.signed(message(time, text).as_bytes(), signature.try_into().ok()?);
    (right && time <= MAX_TIME).then_some(time)
}

fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

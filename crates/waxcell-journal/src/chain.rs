//! The two hashes: of one record as a leaf (RFC 6962), and of the whole journal up to a record.

use sha2::{Digest, Sha256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The leaf hash of RFC 6962, section 2.1: SHA-256 over a zero byte and the payload.
///
/// It is what the Merkle tree over the journal is built from, so a receipt given out today stays provable then.
#[must_use]
pub fn leaf_hash(payload: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(payload).finalize().into()
}

/// The chain value before the first record: it binds every later value to this one journal.
pub(crate) fn genesis(journal: &[u8; 16]) -> Hash {
    Sha256::new().chain_update(b"waxcell-journal/1\n").chain_update(journal).finalize().into()
}

/// The chain value after a record. `fields` are the frame's own fields apart from the two that check it.
pub(crate) fn link(before: &Hash, fields: &[u8; 36], leaf: &Hash) -> Hash {
    // RFC 6962 takes 0x00 for leaves and 0x01 for nodes: no chain value can be passed off as either.
    Sha256::new()
        .chain_update([2])
        .chain_update(before)
        .chain_update(fields)
        .chain_update(leaf)
        .finalize()
        .into()
}

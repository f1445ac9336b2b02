//! Base 64 as notes have it: the standard alphabet with padding (RFC 4648, section 4).

use base64ct::{Base64, Encoding};

use super::tree::Hash;

pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Only what [`encode`] gives is read: otherwise one signature or hash would have several texts.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}

pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    decode(text)?.try_into().ok()
}

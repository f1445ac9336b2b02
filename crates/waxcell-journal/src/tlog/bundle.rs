//! Entries as they lie in a bundle: each after its length, two bytes with the larger first (C2SP `tlog-tiles`).

/// The longest entry, in bytes.
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// Bytes are not the bundle that they should be, or entries cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bundle ends before the entry does.
    #[error("the bundle ends in entry {entry} of it, which begins at byte {offset}")]
    Truncated {
        /// Which entry of the bundle, from 0.
        entry: usize,
        /// Where its length stands.
        offset: usize,
    },
    /// Something follows the last entry.
    #[error("the bundle goes on at byte {offset} after its {width} entries")]
    Trailing {
        /// How many entries it should have.
        width: u16,
        /// Where they end.
        offset: usize,
    },
    /// An entry is longer than [`MAX_ENTRY`].
    #[error("entry {entry} of the bundle has {length} bytes; {MAX_ENTRY} are the most")]
    TooLong {
        /// Which entry of the bundle, from 0.
        entry: usize,
        /// How long it is.
        length: usize,
    },
}

/// The bundle of these entries.
///
/// # Errors
///
/// An entry is too long.
pub fn encode_bundle<T: AsRef<[u8]>>(entries: impl IntoIterator<Item = T>) -> Result<Vec<u8>, BundleError> {
    let mut bundle = Vec::new();
    for (entry, bytes) in entries.into_iter().enumerate() {
        let bytes = bytes.as_ref();
        let too_long = BundleError::TooLong { entry, length: bytes.len() };
        bundle.extend_from_slice(&u16::try_from(bytes.len()).map_err(|_| too_long)?.to_be_bytes());
        bundle.extend_from_slice(bytes);
    }
    Ok(bundle)
}

/// The entries of a bundle that has `width` of them: as many as its [`Tile`](super::Tile) says, at most 256.
///
/// # Errors
///
/// There are fewer or more, or the last one is not there whole.
pub fn decode_bundle(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let (mut entries, mut offset) = (Vec::new(), 0);
    for entry in 0..usize::from(width) {
        let bytes = entry_at(&bundle[offset..]).ok_or(BundleError::Truncated { entry, offset })?;
        entries.push(bytes);
        offset += 2 + bytes.len();
    }
    if offset < bundle.len() { Err(BundleError::Trailing { width, offset }) } else { Ok(entries) }
}

fn entry_at(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

//! A tree that grows, kept as the few hashes that its next leaf needs.

use super::tree::{Hash, MAX_SIZE, Node, fold, node_hash};

/// The state of a tree: how many leaves it has, and the roots of the largest whole nodes that cover them, from the left.
/// It takes at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    whole: Vec<Hash>,
}

/// Bytes are not the state of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The length is not the one that follows from the size.
    #[error("the state of a tree has {found} bytes where {expected} are needed")]
    Length {
        /// How many there must be; 8 when there is no size.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The size is more than [`MAX_SIZE`].
    #[error("a tree of {0} leaves is too large")]
    TooLarge(u64),
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// The state of the first `size` leaves of a tree. `read` gives the hashes of its nodes.
    ///
    /// # Errors
    ///
    /// What `read` says.
    pub fn read<E>(size: u64, read: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Frontier, E> {
        let mut whole = Vec::new();
        for level in (0..64).rev().filter(|level| size >> level & 1 == 1) {
            whole.push(read(Node { level, index: (size >> level) - 1 })?);
        }
        Ok(Frontier { size, whole })
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.whole)
    }

    /// Adds a leaf, by its hash.
    pub fn append(&mut self, leaf: Hash) {
        self.append_each(leaf, |_, _| {});
    }

    /// Adds a leaf and tells of every node that it makes whole, itself first: two each time, on average.
    pub fn append_each(&mut self, leaf: Hash, mut made: impl FnMut(Node, &Hash)) {
        let mut hash = leaf;
        let mut node = Node { level: 0, index: self.size };
        made(node, &hash);
        while node.index & 1 == 1 {
            let Some(left) = self.whole.pop() else { break };
            hash = node_hash(&left, &hash);
            node = Node { level: node.level + 1, index: node.index >> 1 };
            made(node, &hash);
        }
        self.whole.push(hash);
        self.size += 1;
    }

    /// The state as bytes: the size, 8 bytes with the largest first, and the hashes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.size.to_be_bytes(), self.whole.as_flattened()].concat()
    }

    /// The state from what [`to_bytes`](Self::to_bytes) gave. Whether it is that of a certain tree only its root tells.
    ///
    /// # Errors
    ///
    /// The length does not follow from the size, or the size is too large.
    pub fn from_bytes(bytes: &[u8]) -> Result<Frontier, FrontierError> {
        let fault = |expected| FrontierError::Length { expected, found: bytes.len() };
        let (size, hashes) = bytes.split_first_chunk().ok_or(fault(8))?;
        let size = u64::from_be_bytes(*size);
        if size > MAX_SIZE {
            return Err(FrontierError::TooLarge(size));
        }
        let (whole, rest) = hashes.as_chunks();
        if whole.len() != size.count_ones() as usize || !rest.is_empty() {
            return Err(fault(8 + 32 * size.count_ones() as usize));
        }
        Ok(Frontier { size, whole: whole.to_vec() })
    }
}

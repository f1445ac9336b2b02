//! The Merkle tree: its hashes, and proofs made from its nodes and checked without them.
//!
//! Hashes and the shape of the tree are those of RFC 6962, section 2.1; proofs are checked as RFC 9162 says in sections
//! 2.1.3.2 and 2.1.4.2.

use std::ops::Range;

use sha2::{Digest, Sha256};

pub use crate::chain::{Hash, leaf_hash};

/// The most leaves a tree may have here, `2^63 - 1`: as many as other software can count.
pub const MAX_SIZE: u64 = i64::MAX as u64;

/// A node above `2^level` leaves, all of them there: those from `index << level` on. Level 0 is the leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// How far above the leaves; less than 64.
    pub level: u8,
    /// Which one of its level, from the left.
    pub index: u64,
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf.
    #[error("the tree has {size} leaves, so there is no leaf {index}")]
    NoSuchLeaf {
        /// The leaf.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// A later tree is smaller.
    #[error("the tree went from {old} leaves to {new}; it may only grow")]
    Shrinks {
        /// Leaves before.
        old: u64,
        /// Leaves after.
        new: u64,
    },
    /// The number of hashes is not the one that follows from the sizes.
    #[error("the proof has {found} hashes where {expected} are needed")]
    Length {
        /// How many it must have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The hashes do not lead to the root; for consistency, to the later one.
    #[error("the proof does not lead to the root of the tree")]
    Root,
    /// The hashes do not lead to the root of the earlier tree.
    #[error("the proof does not lead to the root of the earlier tree")]
    OldRoot,
}

/// The root of the tree without leaves: SHA-256 over nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The hash of a node: SHA-256 over a byte 1 and the hashes of its two halves.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the first `size` leaves. `read` gives the hashes of nodes.
///
/// # Errors
///
/// What `read` says.
pub fn root<E>(size: u64, read: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    subtree(0..size, read)
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves, from the leaf's neighbour upwards.
///
/// # Errors
///
/// What `read` says. Without such a leaf the proof is empty, and [`verify_inclusion`] refuses it.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    inclusion_ranges(index, size).into_iter().map(|range| subtree(range, read)).collect()
}

/// The hashes that show the first `old` of `new` leaves to be the leaves of the tree with the root of then.
///
/// # Errors
///
/// What `read` says. When `old` is more than `new` the proof is empty, and [`verify_consistency`] refuses it.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    read: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    consistency_ranges(old, new).into_iter().map(|range| subtree(range, read)).collect()
}

/// Checks that a leaf with this hash is leaf `index` of the tree of `size` leaves with this root.
///
/// # Errors
///
/// Why it is not shown to be.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    check_length(inclusion_ranges(index, size).len(), proof)?;
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for other in proof {
        if on_the_right(node, last) {
            hash = node_hash(other, &hash);
            climb(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, other);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `new` leaves begins with the leaves of the tree of `old` leaves.
///
/// Every tree begins with the empty one; the proof of that is empty, as that between trees of one size is.
///
/// # Errors
///
/// Why it is not shown to.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrinks { old, new });
    }
    check_length(consistency_ranges(old, new).len(), proof)?;
    if old == 0 {
        return if *old_root == empty_root() { Ok(()) } else { Err(ProofError::OldRoot) };
    }
    if old == new {
        return if old_root == new_root { Ok(()) } else { Err(ProofError::Root) };
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    // Where the earlier tree is one whole node, its root stands for the first hash.
    let (first, rest) = match proof.split_first() {
        Some(split) if !old.is_power_of_two() => split,
        _ => (old_root, proof),
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for other in rest {
        if on_the_right(node, last) {
            old_hash = node_hash(other, &old_hash);
            new_hash = node_hash(other, &new_hash);
            climb(&mut node, &mut last);
        } else {
            new_hash = node_hash(&new_hash, other);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if old_hash != *old_root {
        return Err(ProofError::OldRoot);
    }
    if new_hash == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// Whether the next hash of a proof stands to the left of this node. The last node of a level has nothing to its right.
fn on_the_right(node: u64, last: u64) -> bool {
    node & 1 == 1 || node == last
}

/// The last node of a level that is a left one has no neighbour: it stands for itself in the levels above.
fn climb(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        (*node, *last) = (*node >> 1, *last >> 1);
    }
}

fn check_length(expected: usize, proof: &[Hash]) -> Result<(), ProofError> {
    if proof.len() == expected { Ok(()) } else { Err(ProofError::Length { expected, found: proof.len() }) }
}

/// The leaves below each hash of an inclusion proof (PATH of RFC 6962, 2.1.1).
fn inclusion_ranges(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut tree, mut ranges) = (0..size, Vec::new());
    if index >= size {
        return ranges;
    }
    while tree.end - tree.start > 1 {
        let middle = middle(&tree);
        let (kept, other) = halves(&tree, middle, index < middle);
        ranges.push(other);
        tree = kept;
    }
    ranges.reverse();
    ranges
}

/// The leaves below each hash of a consistency proof (PROOF of RFC 6962, 2.1.2).
fn consistency_ranges(old: u64, new: u64) -> Vec<Range<u64>> {
    let (mut tree, mut ranges) = (0..new, Vec::new());
    if old == 0 || old > new {
        return ranges;
    }
    while tree.end != old {
        let middle = middle(&tree);
        let (kept, other) = halves(&tree, middle, old <= middle);
        ranges.push(other);
        tree = kept;
    }
    // From the first leaf on it is the earlier tree itself, whose root whoever checks has.
    if tree.start != 0 {
        ranges.push(tree);
    }
    ranges.reverse();
    ranges
}

/// The half to go on with and the other one.
fn halves(tree: &Range<u64>, middle: u64, left: bool) -> (Range<u64>, Range<u64>) {
    let (first, second) = (tree.start..middle, middle..tree.end);
    if left { (first, second) } else { (second, first) }
}

/// Where a tree of two leaves or more divides: the largest power of two below its size to the left.
fn middle(tree: &Range<u64>) -> u64 {
    tree.start + (1 << (tree.end - tree.start - 1).ilog2())
}

/// The root over a part of the leaves that is a subtree: it begins where a node of its size would.
fn subtree<E>(leaves: Range<u64>, read: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    let mut whole = Vec::new();
    let mut at = leaves.start;
    while at < leaves.end {
        let level = (leaves.end - at).ilog2();
        whole.push(read(Node { level: level as u8, index: at >> level })?);
        at += 1 << level;
    }
    Ok(fold(&whole))
}

/// The root over whole nodes that follow each other, each smaller than the one before.
pub(super) fn fold(whole: &[Hash]) -> Hash {
    let hash = whole.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    hash.unwrap_or_else(empty_root)
}

//! What the transparency log is held to: other people's vectors, definitions followed word by word, and changed proofs.

mod canonical;
mod checkpoint;
mod cosignature;
mod key;
mod note;
mod policy;
mod proof;
mod tile;
mod tree;

use std::convert::Infallible;

use super::tree::{Hash, Node, empty_root, leaf_hash, node_hash};

/// The hash of the leaf of this number.
fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_le_bytes())
}

/// MTH as RFC 6962 writes it down.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// Reads the nodes of a tree with these leaves, and only whole ones.
fn nodes(leaves: &[Hash]) -> impl FnMut(Node) -> Result<Hash, Infallible> {
    |node| {
        let first = (node.index as usize) << node.level;
        Ok(naive_root(&leaves[first..first + (1 << node.level)]))
    }
}

fn hex(text: &str) -> Hash {
    let digits = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(digits)
}

//! Roots and proofs against the definitions of RFC 6962, for all small trees and for large ones of any size.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;

use proptest::prelude::*;

use super::{hex, leaf, nodes};
use crate::tlog::*;

/// The most leaves of the trees that are tried exhaustively.
const SMALL: u64 = 300;

/// MTH, PATH and SUBPROOF as RFC 6962 writes them down, over parts of one row of leaves. Roots are kept.
struct Naive {
    roots: HashMap<Range<u64>, Hash>,
}

impl Naive {
    fn new() -> Naive {
        Naive { roots: HashMap::new() }
    }

    fn root(&mut self, leaves: Range<u64>) -> Hash {
        if let Some(root) = self.roots.get(&leaves) {
            return *root;
        }
        let root = match leaves.end - leaves.start {
            0 => empty_root(),
            1 => leaf(leaves.start),
            _ => {
                let (left, right) = halves(&leaves);
                node_hash(&self.root(left), &self.root(right))
            }
        };
        self.roots.insert(leaves, root);
        root
    }

    fn path(&mut self, index: u64, leaves: Range<u64>) -> Vec<Hash> {
        if leaves.end - leaves.start == 1 {
            return Vec::new();
        }
        let (left, right) = halves(&leaves);
        let (kept, other) = if left.contains(&index) { (left, right) } else { (right, left) };
        let mut path = self.path(index, kept);
        path.push(self.root(other));
        path
    }

    /// The proof for the leaves before `old`; `whole` says whether `leaves` begin with the first leaf of all.
    fn subproof(&mut self, old: u64, leaves: Range<u64>, whole: bool) -> Vec<Hash> {
        if old == leaves.end {
            return if whole { Vec::new() } else { vec![self.root(leaves)] };
        }
        let (left, right) = halves(&leaves);
        let (mut proof, other) = if old <= left.end {
            (self.subproof(old, left, whole), right)
        } else {
            (self.subproof(old, right, false), left)
        };
        proof.push(self.root(other));
        proof
    }

    /// Gives the nodes of a tree of this size, and only whole ones.
    fn nodes(&mut self, size: u64) -> impl FnMut(Node) -> Result<Hash, Infallible> {
        move |node| {
            let leaves = node.index << node.level..(node.index + 1) << node.level;
            assert!(leaves.end <= size, "{node:?} is not whole in a tree of {size}");
            Ok(self.root(leaves))
        }
    }
}

fn halves(leaves: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let middle = leaves.start + (leaves.end - leaves.start).next_power_of_two() / 2;
    (leaves.start..middle, middle..leaves.end)
}

/// Sizes whose proofs are changed in every way; for the others that would take minutes.
fn is_thorough(size: u64) -> bool {
    size < 70 || [127, 128, 129, 255, 256, 257, SMALL].contains(&size)
}

/// All that is one change away from a proof.
fn changed(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut changed = Vec::new();
    for at in 0..=proof.len() {
        let mut longer = proof.to_vec();
        longer.insert(at, leaf(7));
        changed.push(longer);
    }
    for at in 0..proof.len() {
        let mut other = proof.to_vec();
        other[at][at % 32] ^= 1 << (at % 8);
        changed.push(other);
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        changed.push(shorter);
        let mut twice = proof.to_vec();
        twice.insert(at, proof[at]);
        changed.push(twice);
        if at > 0 && proof[at - 1] != proof[at] {
            let mut swapped = proof.to_vec();
            swapped.swap(at - 1, at);
            changed.push(swapped);
        }
    }
    changed
}

#[test]
fn roots_are_those_of_the_definition() {
    let mut naive = Naive::new();
    let mut frontier = Frontier::new();
    for size in 0..=SMALL {
        let expected = naive.root(0..size);
        assert_eq!(root(size, &mut naive.nodes(size)), Ok(expected));
        assert_eq!((frontier.size(), frontier.root()), (size, expected));
        assert_eq!(Frontier::read(size, &mut naive.nodes(size)).as_ref(), Ok(&frontier));
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).as_ref(), Ok(&frontier));
        let mut made = Vec::new();
        frontier.append_each(leaf(size), |node, hash| made.push((node, *hash)));
        assert_eq!(made.len(), (size + 1).trailing_zeros() as usize + 1);
        let mut read = naive.nodes(size + 1);
        made.iter().for_each(|(node, hash)| assert_eq!(read(*node), Ok(*hash)));
    }
}

#[test]
fn inclusion_in_all_small_trees() {
    let mut naive = Naive::new();
    for size in 0..=SMALL {
        let root = naive.root(0..size);
        for index in 0..size {
            let proof = naive.path(index, 0..size);
            assert_eq!(inclusion_proof(index, size, &mut naive.nodes(size)).as_ref(), Ok(&proof));
            let check = |found: u64, root: &Hash, proof: &[Hash]| {
                verify_inclusion(&leaf(found), index, size, root, proof)
            };
            assert_eq!(check(index, &root, &proof), Ok(()));
            assert_eq!(check(size, &root, &proof), Err(ProofError::Root), "a leaf that is not there");
            assert_eq!(check(index, &leaf(999), &proof), Err(ProofError::Root), "another root");
            if is_thorough(size) {
                changed(&proof).iter().for_each(|proof| assert!(check(index, &root, proof).is_err()));
            }
        }
        let beyond = verify_inclusion(&leaf(size), size, size, &root, &[]);
        assert_eq!(beyond, Err(ProofError::NoSuchLeaf { index: size, size }));
        assert_eq!(inclusion_proof(size, size, &mut naive.nodes(size)), Ok(vec![]));
    }
}

/// The place of a leaf is proved as much as its being there.
#[test]
fn a_proof_of_inclusion_is_for_one_place() {
    let mut naive = Naive::new();
    for size in 1..=40 {
        let root = naive.root(0..size);
        for index in 0..size {
            let proof = naive.path(index, 0..size);
            for claimed in (0..size + 2).filter(|&claimed| claimed != index) {
                assert!(verify_inclusion(&leaf(index), claimed, size, &root, &proof).is_err());
            }
        }
    }
}

#[test]
fn consistency_of_all_small_trees() {
    let mut naive = Naive::new();
    for new in 0..=SMALL {
        let after = naive.root(0..new);
        for old in 0..=new {
            let before = naive.root(0..old);
            let proof = if old == 0 { Vec::new() } else { naive.subproof(old, 0..new, true) };
            assert_eq!(consistency_proof(old, new, &mut naive.nodes(new)).as_ref(), Ok(&proof));
            let check = |before: &Hash, after: &Hash, proof: &[Hash]| {
                verify_consistency(old, before, new, after, proof)
            };
            assert_eq!(check(&before, &after, &proof), Ok(()));
            assert!(check(&leaf(999), &after, &proof).is_err(), "another root of {old} of {new}");
            if old > 0 {
                assert!(check(&before, &leaf(999), &proof).is_err(), "another root of {new} after {old}");
            }
            if is_thorough(new) {
                changed(&proof).iter().for_each(|proof| assert!(check(&before, &after, proof).is_err()));
            }
            if old < new {
                let back = verify_consistency(new, &after, old, &before, &proof);
                assert_eq!(back, Err(ProofError::Shrinks { old: new, new: old }));
            }
        }
    }
}

/// A tree in which one old leaf was changed has no proof, not even one made by whoever changed it.
#[test]
fn a_changed_leaf_breaks_consistency() {
    for old in 1..20 {
        for at in 0..old {
            let (mut naive, mut other) = (Naive::new(), Naive::new());
            other.roots.insert(at..at + 1, leaf(100));
            let proof = other.subproof(old, 0..20, true);
            let (before, after) = (naive.root(0..old), other.root(0..20));
            assert!(verify_consistency(old, &before, 20, &after, &proof).is_err());
        }
    }
}

#[test]
fn bytes_that_are_no_frontier() {
    assert_eq!(Frontier::from_bytes(&[0; 7]), Err(FrontierError::Length { expected: 8, found: 7 }));
    assert_eq!(Frontier::from_bytes(&[0; 8]), Ok(Frontier::new()));
    let mut three = Frontier::new();
    (0..3).for_each(|index| three.append(leaf(index)));
    let bytes = three.to_bytes();
    for length in 0..bytes.len() {
        assert!(Frontier::from_bytes(&bytes[..length]).is_err());
    }
    assert!(Frontier::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    let all = [[0xff; 8].as_slice(), &[0; 64 * 32]].concat();
    assert_eq!(Frontier::from_bytes(&all), Err(FrontierError::TooLarge(u64::MAX)));
}

/// The tree that the software of Certificate Transparency is tested with.
#[test]
fn the_reference_tree() {
    let inputs: [&[u8]; 8] = [
        b"",
        b"\0",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    for (input, root) in inputs.iter().zip(roots) {
        assert_eq!(frontier.root(), hex(root));
        frontier.append(leaf_hash(input));
    }
    assert_eq!(frontier.root(), hex(roots[8]));

    let leaves: Vec<Hash> = inputs.iter().map(|input| leaf_hash(input)).collect();
    let right = hex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
    let inclusion =
        [hex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"), right, hex(roots[4])];
    assert_eq!(inclusion_proof(5, 8, &mut nodes(&leaves)).unwrap(), inclusion);
    let consistency =
        [hex("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"), right, hex(roots[4])];
    assert_eq!(consistency_proof(6, 8, &mut nodes(&leaves)).unwrap(), consistency);
}

/// A tree of any size whose leaves are all alike: each of its nodes depends on the level alone.
fn uniform(node: Node) -> Result<Hash, Infallible> {
    Ok((0..node.level).fold(leaf(0), |hash, _| node_hash(&hash, &hash)))
}

proptest! {
    #[test]
    fn proofs_in_large_trees(size in 1..=MAX_SIZE, at in any::<u64>(), byte in any::<usize>()) {
        let index = at % size;
        let whole = root(size, &mut uniform).unwrap();
        let proof = inclusion_proof(index, size, &mut uniform).unwrap();
        prop_assert!(proof.len() <= 63);
        prop_assert_eq!(verify_inclusion(&leaf(0), index, size, &whole, &proof), Ok(()));
        let old = index + 1;
        let before = root(old, &mut uniform).unwrap();
        let grown = consistency_proof(old, size, &mut uniform).unwrap();
        prop_assert_eq!(verify_consistency(old, &before, size, &whole, &grown), Ok(()));
        for (proof, inclusion) in [(proof, true), (grown, false)] {
            if proof.is_empty() {
                continue;
            }
            let mut other = proof.clone();
            other[byte % proof.len()][byte % 32] ^= 1 << (byte % 8);
            let refused = if inclusion {
                verify_inclusion(&leaf(0), index, size, &whole, &other).is_err()
            } else {
                verify_consistency(old, &before, size, &whole, &other).is_err()
            };
            prop_assert!(refused);
        }
    }

    #[test]
    fn large_trees_that_grow(size in 0..MAX_SIZE) {
        let mut frontier = Frontier::read(size, &mut uniform).unwrap();
        prop_assert_eq!(frontier.root(), root(size, &mut uniform).unwrap());
        frontier.append(leaf(0));
        prop_assert_eq!(&frontier, &Frontier::read(size + 1, &mut uniform).unwrap());
    }

    #[test]
    fn any_numbers_are_refused_or_right(numbers in any::<[u64; 2]>(), length in 0..70_usize) {
        let proof = vec![leaf(0); length];
        let _ = verify_inclusion(&leaf(0), numbers[0], numbers[1], &leaf(1), &proof);
        let _ = verify_consistency(numbers[0], &leaf(1), numbers[1], &leaf(1), &proof);
    }
}

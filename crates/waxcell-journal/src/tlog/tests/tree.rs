//! Roots and proofs against the definitions of RFC 6962, for all small trees and for large ones of any size.

use proptest::prelude::*;

use super::{hex, leaf, naive_root, nodes};
use crate::tlog::*;

/// The most leaves of the trees that are tried exhaustively.
const SMALL: u64 = 300;

/// PATH as RFC 6962 writes it down.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, other) = if index < left.len() {
        (naive_path(index, left), right)
    } else {
        (naive_path(index - left.len(), right), left)
    };
    path.push(naive_root(other));
    path
}

/// SUBPROOF as RFC 6962 writes it down.
fn naive_subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, other) = if old <= left.len() {
        (naive_subproof(old, left, whole), right)
    } else {
        (naive_subproof(old - left.len(), right, false), left)
    };
    proof.push(naive_root(other));
    proof
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
    let leaves: Vec<Hash> = (0..SMALL).map(leaf).collect();
    let mut frontier = Frontier::new();
    for size in 0..=SMALL {
        let these = &leaves[..size as usize];
        let expected = naive_root(these);
        assert_eq!(root(size, &mut nodes(these)), Ok(expected));
        assert_eq!((frontier.size(), frontier.root()), (size, expected));
        assert_eq!(Frontier::read(size, &mut nodes(these)).as_ref(), Ok(&frontier));
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).as_ref(), Ok(&frontier));
        let mut made = Vec::new();
        frontier.append_each(leaf(size), |node, hash| made.push((node, *hash)));
        assert_eq!(made.len(), (size + 1).trailing_zeros() as usize + 1);
        if size < SMALL {
            let mut read = nodes(&leaves);
            made.iter().for_each(|(node, hash)| assert_eq!(read(*node), Ok(*hash)));
        }
    }
}

#[test]
fn inclusion_in_all_small_trees() {
    let leaves: Vec<Hash> = (0..SMALL).map(leaf).collect();
    for size in (0..70).chain([127, 128, 129, 255, 256, 257, SMALL]) {
        let these = &leaves[..size as usize];
        let root = naive_root(these);
        for index in 0..size {
            let proof = naive_path(index as usize, these);
            assert_eq!(inclusion_proof(index, size, &mut nodes(these)).as_ref(), Ok(&proof));
            let check =
                |index, size, proof: &[Hash]| verify_inclusion(&leaf(index), index, size, &root, proof);
            assert_eq!(check(index, size, &proof), Ok(()));
            assert_eq!(
                verify_inclusion(&leaf(size), index, size, &root, &proof),
                Err(ProofError::Root),
                "a leaf that is not there"
            );
            assert_eq!(verify_inclusion(&leaf(index), index, size, &leaf(0), &proof).is_ok(), size == 1);
            changed(&proof).iter().for_each(|proof| assert!(check(index, size, proof).is_err()));
        }
        let beyond = verify_inclusion(&leaf(size), size, size, &root, &[]);
        assert_eq!(beyond, Err(ProofError::NoSuchLeaf { index: size, size }));
        assert_eq!(inclusion_proof(size, size, &mut nodes(these)), Ok(vec![]));
    }
}

/// The place of a leaf is proved as much as its being there.
#[test]
fn a_proof_of_inclusion_is_for_one_place() {
    let leaves: Vec<Hash> = (0..40).map(leaf).collect();
    for size in 1..=40 {
        let these = &leaves[..size as usize];
        let root = naive_root(these);
        for index in 0..size {
            let proof = naive_path(index as usize, these);
            for claimed in (0..size + 2).filter(|&claimed| claimed != index) {
                assert!(verify_inclusion(&leaf(index), claimed, size, &root, &proof).is_err());
            }
        }
    }
}

#[test]
fn consistency_of_all_small_trees() {
    let leaves: Vec<Hash> = (0..SMALL).map(leaf).collect();
    let roots: Vec<Hash> = (0..=SMALL).map(|size| naive_root(&leaves[..size as usize])).collect();
    for new in (0..70).chain([127, 128, 129, 255, 256, 257, SMALL]) {
        let these = &leaves[..new as usize];
        for old in 0..=new {
            let (before, after) = (&roots[old as usize], &roots[new as usize]);
            let proof = if old == 0 { Vec::new() } else { naive_subproof(old as usize, these, true) };
            assert_eq!(consistency_proof(old, new, &mut nodes(these)).as_ref(), Ok(&proof));
            assert_eq!(verify_consistency(old, before, new, after, &proof), Ok(()));
            for proof in changed(&proof) {
                assert!(verify_consistency(old, before, new, after, &proof).is_err());
            }
            assert!(verify_consistency(old, &leaf(999), new, after, &proof).is_err(), "{old} {new}");
            if old > 0 {
                assert!(verify_consistency(old, before, new, &leaf(999), &proof).is_err(), "{old} {new}");
            }
            if old < new {
                let back = verify_consistency(new, after, old, before, &proof);
                assert_eq!(back, Err(ProofError::Shrinks { old: new, new: old }));
            }
        }
    }
}

/// A tree in which one old leaf was changed has no proof, not even one made by whoever changed it.
#[test]
fn a_changed_leaf_breaks_consistency() {
    let leaves: Vec<Hash> = (0..20).map(leaf).collect();
    for old in 1..20 {
        for at in 0..old {
            let mut other = leaves.clone();
            other[at] = leaf(100);
            let proof = naive_subproof(old, &other, true);
            let (before, after) = (naive_root(&leaves[..old]), naive_root(&other));
            assert!(verify_consistency(old as u64, &before, 20, &after, &proof).is_err());
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
fn uniform(node: Node) -> Result<Hash, std::convert::Infallible> {
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

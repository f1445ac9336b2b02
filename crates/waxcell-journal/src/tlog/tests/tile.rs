//! Paths and shapes of tiles as the specification gives them, and nodes read out of tiles.

use std::collections::HashMap;

use super::{leaf, naive_root};
use crate::tlog::*;

fn tile(level: u8, index: u64, width: u16) -> Tile {
    Tile { level, index, width }
}

#[test]
fn paths() {
    for (tile, path) in [
        (tile(0, 0, 256), "tile/0/000"),
        (tile(0, 0, 1), "tile/0/000.p/1"),
        (tile(0, 67, 255), "tile/0/067.p/255"),
        (tile(0, 999, 256), "tile/0/999"),
        (tile(1, 1000, 256), "tile/1/x001/000"),
        (tile(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (tile(3, 1_234_067, 8), "tile/3/x001/x234/067.p/8"),
        (tile(0, u64::MAX, 256), "tile/0/x018/x446/x744/x073/x709/x551/615"),
    ] {
        assert_eq!(tile.path(Kind::Hashes), path);
        assert_eq!(Tile::at(path), Some((Kind::Hashes, tile)));
    }
    let bundle = tile(0, 1_234_067, 9);
    assert_eq!(bundle.path(Kind::Entries), "tile/entries/x001/x234/067.p/9");
    assert_eq!(Tile::at("tile/entries/x001/x234/067.p/9"), Some((Kind::Entries, bundle)));
}

#[test]
fn what_is_no_path() {
    for path in [
        "",
        "checkpoint",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/+0/000",
        "tile/8/000",
        "tile/64/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x001/x000",
        "tile/0/001/000",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/1/",
        "tile/0/001.p",
        "tile/0//001",
        "tile/entries/../000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/000",
    ] {
        assert_eq!(Tile::at(path), None, "`{path}`");
    }
}

/// The example of the specification: 70,000 leaves.
#[test]
fn tiles_of_a_tree() {
    let tiles: Vec<Tile> = tiles_of(70_000).collect();
    let at = |level| tiles.iter().filter(move |tile| tile.level == level);
    assert_eq!(
        (at(0).filter(|tile| tile.is_full()).count(), at(0).next_back()),
        (273, Some(&tile(0, 273, 112)))
    );
    assert_eq!(at(1).collect::<Vec<_>>(), [&tile(1, 0, 256), &tile(1, 1, 17)]);
    assert_eq!(at(2).collect::<Vec<_>>(), [&tile(2, 0, 1)]);
    assert_eq!(at(3).next(), None);
    assert_eq!(tiles_of(256).collect::<Vec<_>>(), [tile(0, 0, 256), tile(1, 0, 1)]);
    assert_eq!(tiles_of(0).next(), None);
    assert_eq!(tiles_of(1).collect::<Vec<_>>(), [tile(0, 0, 1)]);
}

/// What grows between two sizes is what the later one has and the earlier one has not.
#[test]
fn tiles_that_grow_are_those_that_differ() {
    let sizes = [0, 1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000];
    for old in sizes {
        let before: Vec<Tile> = tiles_of(old).collect();
        for new in sizes {
            let grown: Vec<Tile> = tiles_that_grow(old, new).collect();
            let differ = tiles_of(new).filter(|tile| !before.contains(tile));
            let expected: Vec<Tile> = if new > old { differ.collect() } else { Vec::new() };
            assert_eq!(grown, expected, "{old} {new}");
        }
    }
}

#[test]
fn the_largest_tree_has_its_tiles() {
    let last: Vec<Tile> = tiles_that_grow(MAX_SIZE - 1, MAX_SIZE).collect();
    assert_eq!(last, [tile(0, MAX_SIZE >> 8, 255)]);
    assert_eq!(tiles_that_grow(u64::MAX - 1, u64::MAX).last(), Some(tile(0, u64::MAX >> 8, 255)));
    assert_eq!(tiles_of(MAX_SIZE).take(3).count(), 3);
}

#[test]
fn bundles() {
    let entries: [&[u8]; 3] = [b"one", b"", &[7; MAX_ENTRY]];
    let bundle = encode_bundle(entries).unwrap();
    assert_eq!(&bundle[..7], b"\0\x03one\0\0");
    assert_eq!(decode_bundle(&bundle, 3).unwrap(), entries);
    for length in 0..bundle.len() {
        assert!(matches!(decode_bundle(&bundle[..length], 3), Err(BundleError::Truncated { .. })));
    }
    let cut = decode_bundle(&bundle[..6], 3);
    assert_eq!(cut, Err(BundleError::Truncated { entry: 1, offset: 5 }));
    assert_eq!(decode_bundle(&bundle, 2), Err(BundleError::Trailing { width: 2, offset: 7 }));
    assert_eq!(decode_bundle(b"\0", 0), Err(BundleError::Trailing { width: 0, offset: 0 }));
    let long = encode_bundle([vec![0; MAX_ENTRY + 1]]);
    assert_eq!(long, Err(BundleError::TooLong { entry: 0, length: MAX_ENTRY + 1 }));
}

/// A log in memory: all its tiles of a size, by path.
fn log(leaves: &[Hash], size: u64) -> HashMap<String, Vec<u8>> {
    let of = |tile: Tile| {
        let across = 256_usize.pow(tile.level.into());
        let hashes = leaves.chunks_exact(across).map(naive_root).skip(256 * tile.index as usize);
        hashes.take(tile.width.into()).collect::<Vec<_>>().concat()
    };
    tiles_of(size).map(|tile| (tile.path(Kind::Hashes), of(tile))).collect()
}

type Never = std::convert::Infallible;

#[test]
fn nodes_out_of_tiles() {
    let leaves: Vec<Hash> = (0..66_000).map(leaf).collect();
    for size in [1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 65_535, 65_536, 66_000] {
        let these = &leaves[..size as usize];
        let files = log(these, size);
        let mut asked = 0;
        let mut reader = TileReader::new(size, |path: &str| {
            asked += 1;
            Ok::<_, Never>(files.get(path).cloned())
        });
        let whole = root(size, &mut |node| reader.node(node)).unwrap();
        assert_eq!(whole, naive_root(these));
        for index in [0, size / 3, size / 2, size - 1] {
            let proof = inclusion_proof(index, size, &mut |node| reader.node(node)).unwrap();
            assert_eq!(verify_inclusion(&leaf(index), index, size, &whole, &proof), Ok(()));
            let before = naive_root(&leaves[..=index as usize]);
            let proof = consistency_proof(index + 1, size, &mut |node| reader.node(node)).unwrap();
            assert_eq!(verify_consistency(index + 1, &before, size, &whole, &proof), Ok(()));
        }
        if size <= 513 {
            for level in 0..12 {
                for index in 0..=size >> level {
                    let expected = these.get((index as usize) << level..(index as usize + 1) << level);
                    let node = reader.node(Node { level, index });
                    match expected {
                        Some(below) => assert_eq!(node, Ok(naive_root(below))),
                        None => {
                            let none = TileError::NoSuchNode { node: Node { level, index }, size };
                            assert_eq!(node, Err(none));
                        }
                    }
                }
            }
        }
        assert_eq!(
            reader.node(Node { level: 255, index: 0 }),
            Err(TileError::NoSuchNode { node: Node { level: 255, index: 0 }, size })
        );
        assert!(reader.node(Node { level: 0, index: u64::MAX }).is_err());
    }
}

#[test]
fn each_tile_is_read_once_from_left_to_right() {
    let leaves: Vec<Hash> = (0..1000).map(leaf).collect();
    let files = log(&leaves, 1000);
    let mut asked = 0;
    let mut reader = TileReader::new(1000, |path: &str| {
        asked += 1;
        Ok::<_, Never>(files.get(path).cloned())
    });
    for index in 0..1000 {
        assert_eq!(reader.node(Node { level: 0, index }), Ok(leaf(index)));
    }
    drop(reader);
    assert_eq!(asked, 4);
}

#[test]
fn tiles_that_are_missing_or_have_another_length() {
    let leaves: Vec<Hash> = (0..512).map(leaf).collect();
    let mut files = log(&leaves, 300);
    let last = Node { level: 0, index: 299 };
    let read = |files: &HashMap<String, Vec<u8>>| {
        TileReader::new(300, |path: &str| Ok::<_, Never>(files.get(path).cloned())).node(last)
    };
    assert_eq!(read(&files), Ok(leaf(299)));
    let path = "tile/0/001.p/44".to_owned();
    files.insert(path.clone(), vec![0; 44 * 32 + 1]);
    let length = TileError::Length { path: path.clone(), expected: 44 * 32, found: 44 * 32 + 1 };
    assert_eq!(read(&files), Err(length));
    files.remove(&path);
    assert_eq!(read(&files), Err(TileError::Missing { path }));
    // The log has grown since, and keeps the full tile alone.
    files.insert("tile/0/001".to_owned(), leaves[256..512].concat());
    assert_eq!(read(&files), Ok(leaf(299)));
    let beyond = TileReader::new(300, |path: &str| Ok::<_, Never>(files.get(path).cloned()))
        .node(Node { level: 0, index: 300 });
    assert!(matches!(beyond, Err(TileError::NoSuchNode { .. })));
    let broken = TileReader::new(300, |_: &str| Err("no disk")).node(last);
    assert_eq!(broken, Err(TileError::Read("no disk")));
}

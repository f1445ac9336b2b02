//! A log written with the pure modules alone, for verifiers that others wrote: no durability, no concurrency.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::path::Path;

use waxcell_journal::tlog::*;

/// Where the files are, and who signed.
pub(crate) struct Log {
    pub(crate) key: PrivateKey,
    pub(crate) leaves: Vec<Hash>,
}

/// The record of this number, as JSON; every hundredth is long.
pub(crate) fn record(index: u64) -> Vec<u8> {
    let padding = "x".repeat(if index.is_multiple_of(100) { 16_000 } else { 200 });
    format!("{{\"n\":{index},\"text\":\"{padding}\"}}").into_bytes()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

impl Log {
    /// Writes a log of `size` records below `directory`, in two steps, so that tiles have grown.
    pub(crate) fn write(directory: &Path, size: u64) -> Log {
        let key = PrivateKey::from_seed(KeyName::new("host.example/waxcell").unwrap(), &[42; 32]);
        let mut log = Log { key, leaves: Vec::new() };
        let mut hashes = HashMap::new();
        let mut frontier = Frontier::new();
        for next in [size / 3, size] {
            let before = frontier.size();
            while frontier.size() < next {
                let leaf = leaf_hash(&record(frontier.size()));
                log.leaves.push(leaf);
                frontier.append_each(leaf, |node, hash| {
                    if node.level % 8 == 0 {
                        hashes.insert(node, *hash);
                    }
                });
            }
            for tile in tiles_that_grow(before, next) {
                let first = tile.index * u64::from(TILE_WIDTH);
                let indexes = first..first + u64::from(tile.width);
                let of = |index| hashes[&Node { level: 8 * tile.level, index }];
                let bytes: Vec<Hash> = indexes.clone().map(of).collect();
                write(&directory.join(tile.path(Kind::Hashes)), bytes.as_flattened());
                if tile.level == 0 {
                    let bundle = encode_bundle(indexes.map(record)).unwrap();
                    write(&directory.join(tile.path(Kind::Entries)), &bundle);
                }
            }
            let checkpoint = Checkpoint::new(log.key.name(), next, frontier.root());
            let mut note = Note::new(checkpoint.to_string()).unwrap();
            note.sign(&log.key);
            let witness = PrivateKey::from_seed(KeyName::new("witness.example").unwrap(), &[43; 32]);
            note.add(cosign(&witness, &note, 1_700_000_000).unwrap());
            write(&directory.join("checkpoint"), note.to_string().as_bytes());
        }
        write(&directory.join("vkey"), log.key.verifier().to_string().as_bytes());
        log
    }

    /// Hashes out of the tiles on disk.
    pub(crate) fn nodes(
        directory: &Path,
        size: u64,
    ) -> impl FnMut(Node) -> Result<Hash, TileError<Infallible>> {
        let mut reader = TileReader::new(size, move |path: &str| Ok(fs::read(directory.join(path)).ok()));
        move |node| reader.node(node)
    }
}

/// The file of a proof for one record, made of what is on disk.
pub(crate) fn prove(directory: &Path, index: u64) -> Proof {
    let checkpoint = fs::read_to_string(directory.join("checkpoint")).unwrap();
    let key: VerifierKey = fs::read_to_string(directory.join("vkey")).unwrap().parse().unwrap();
    let size = SignedCheckpoint::open(checkpoint.as_bytes(), &[key], &[]).unwrap().checkpoint.size();
    let path = inclusion_proof(index, size, &mut Log::nodes(directory, size)).unwrap();
    let proof = Proof { extra: None, index, path, checkpoint };
    write(&directory.join(format!("proofs/{index}.tlog-proof")), proof.to_string().as_bytes());
    proof
}

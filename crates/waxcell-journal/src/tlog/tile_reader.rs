//! Hashes of any node, read out of tiles.

use super::tile::{Kind, TILE_WIDTH, Tile, tile_of};
use super::tree::{Hash, Node, fold};

/// How many levels of the tree one level of tiles spans.
const HEIGHT: u8 = 8;

/// Gives the nodes of a tree of a certain size from its tiles. It keeps one tile of each level, 64 KiB in all: reading
/// from left to right asks for each tile once.
///
/// What it gives is what the tiles say. Whether they belong to the tree, only its root tells.
#[derive(Debug)]
pub struct TileReader<R> {
    size: u64,
    read: R,
    kept: Vec<(Tile, Vec<Hash>)>,
}

/// A node could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// The tree has no such node, or not whole.
    #[error("a tree of {size} leaves has no whole node {} at level {}", node.index, node.level)]
    NoSuchNode {
        /// The node.
        node: Node,
        /// Leaves in the tree.
        size: u64,
    },
    /// The tile is not there, neither as wide as the tree needs it nor full.
    #[error("`{path}` is missing")]
    Missing {
        /// Its path below the folder of the log.
        path: String,
    },
    /// The tile has the wrong length.
    #[error("`{path}` has {found} bytes where {expected} are needed")]
    Length {
        /// Its path below the folder of the log.
        path: String,
        /// How many bytes it must have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// Reading failed.
    #[error(transparent)]
    Read(E),
}

impl<E, R: FnMut(&str) -> Result<Option<Vec<u8>>, E>> TileReader<R> {
    /// The tree of `size` leaves. `read` gives the content of a path below the folder of the log, and nothing when
    /// nothing is there.
    pub fn new(size: u64, read: R) -> Self {
        TileReader { size, read, kept: Vec::new() }
    }

    /// The hash of a node.
    ///
    /// # Errors
    ///
    /// The tree has no such node, or its tile cannot be read or has the wrong length.
    pub fn node(&mut self, node: Node) -> Result<Hash, TileError<E>> {
        let none = TileError::NoSuchNode { node, size: self.size };
        let (level, above) = (node.level / HEIGHT, node.level % HEIGHT);
        let across = HEIGHT - above;
        let Some(tile) = tile_of(self.size, level, node.index >> across) else { return Err(none) };
        let first = (node.index as usize % (1 << across)) << above;
        let hashes = self.tile(tile)?;
        match hashes.get(first..first + (1 << above)) {
            Some(below) => Ok(subroot(below)),
            None => Err(none),
        }
    }

    /// The hashes of a tile.
    fn tile(&mut self, tile: Tile) -> Result<&[Hash], TileError<E>> {
        let at = match self.kept.iter().position(|(kept, _)| *kept == tile) {
            Some(at) => at,
            None => {
                let hashes = self.load(tile)?;
                self.kept.retain(|(kept, _)| kept.level != tile.level);
                self.kept.push((tile, hashes));
                self.kept.len() - 1
            }
        };
        Ok(&self.kept[at].1)
    }

    fn load(&mut self, tile: Tile) -> Result<Vec<Hash>, TileError<E>> {
        // A log may have thrown away a tile that is full by now: the full one begins with the same hashes.
        for stored in [tile, tile.full()] {
            let path = stored.path(Kind::Hashes);
            let Some(bytes) = (self.read)(&path).map_err(TileError::Read)? else { continue };
            let expected = usize::from(stored.width) * size_of::<Hash>();
            if bytes.len() != expected {
                return Err(TileError::Length { path, expected, found: bytes.len() });
            }
            let mut hashes = bytes.as_chunks().0.to_vec();
            hashes.truncate(usize::from(tile.width));
            return Ok(hashes);
        }
        Err(TileError::Missing { path: tile.path(Kind::Hashes) })
    }
}

/// The root over `2^n` hashes.
fn subroot(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two() && hashes.len() <= usize::from(TILE_WIDTH));
    match hashes {
        [left, right] => fold(&[*left, *right]),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            fold(&[subroot(left), subroot(right)])
        }
    }
}

//! Writing the tiles and bundles of a tree that grows.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::PublishError;
use crate::directory::Directory;
use crate::disk;
use crate::tlog::{Frontier, Hash, Kind, Node, TILE_WIDTH, Tile, TileReader, encode_bundle};
use crate::whole;

/// How far apart the levels of the tree are whose hashes stand in tiles.
const HEIGHT: u8 = 8;

/// The folder that anybody may have: a log as C2SP `tlog-tiles` says.
#[derive(Debug)]
pub(crate) struct Public {
    path: PathBuf,
}

impl Public {
    pub(crate) fn new(path: PathBuf) -> Public {
        Public { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What lies at a path, if it has no more than `most` bytes, as nothing of the log has.
    pub(crate) fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, crate::disk::DiskError> {
        crate::log::read_file(&self.path.join(path), most)
    }

    /// Puts a file into its place. Until it is `durable`, a power cut may leave something else there.
    pub(crate) fn place(&self, path: &str, bytes: &[u8], durable: bool) -> Result<(), PublishError> {
        const NEW: &str = "new";
        let place = self.path.join(path);
        let (Some(folder), Some(name)) = (place.parent(), place.file_name().and_then(|name| name.to_str()))
        else {
            return Ok(());
        };
        let folder = Directory::private(folder)?;
        whole::replace(&folder, NEW, name, bytes, durable)?;
        if durable { Ok(folder.sync(false)?) } else { Ok(()) }
    }

    /// Takes away the part of a tile that is there in a wider form now, if it is there.
    pub(crate) fn remove(&self, part: Tile, kind: Kind) -> Result<(), PublishError> {
        let path = self.path.join(part.path(kind));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(disk::DiskError::new("remove", &path, error).into());
            }
            _ => {}
        }
        // The folder of parts stays while there are some.
        let _ = path.parent().map(fs::remove_dir);
        Ok(())
    }
}

/// A tree that grows from a multiple of 256 leaves, and the tiles that come of it.
pub(crate) struct Growth<'a> {
    public: &'a Public,
    pub(crate) frontier: Frontier,
    /// Per level of tiles: the last one as far as it goes.
    levels: Vec<Level>,
    /// The entries of the last tile.
    entries: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Level {
    index: u64,
    hashes: Vec<Hash>,
    /// Whether hashes have come that are not on the disk.
    grown: bool,
}

impl<'a> Growth<'a> {
    /// Goes on from the tree with this state, whose size is a multiple of 256 and whose tiles are there.
    pub(crate) fn from(public: &'a Public, frontier: Frontier) -> Result<Growth<'a>, PublishError> {
        let size = frontier.size();
        let mut reader = TileReader::new(size, |path| public.read(path, 1 << 16));
        let mut levels = vec![Level { index: size >> HEIGHT, ..Level::default() }];
        for level in 1..HEIGHT {
            let there = size >> (HEIGHT * level);
            if there == 0 {
                break;
            }
            let first = there - there % u64::from(TILE_WIDTH);
            let hashes = (first..there)
                .map(|index| reader.node(Node { level: HEIGHT * level, index }))
                .collect::<Result<_, _>>()
                .map_err(|error| PublishError::Tile(error.to_string()))?;
            levels.push(Level { index: first >> HEIGHT, hashes, grown: false });
        }
        Ok(Growth { public, frontier, levels, entries: Vec::new() })
    }

    /// Takes in the next record.
    pub(crate) fn take(&mut self, payload: Vec<u8>, leaf: Hash) -> Result<(), PublishError> {
        self.entries.push(payload);
        let levels = &mut self.levels;
        self.frontier.append_each(leaf, |node, hash| {
            if node.level.is_multiple_of(HEIGHT) {
                let level = usize::from(node.level / HEIGHT);
                if level == levels.len() {
                    levels.push(Level::default());
                }
                levels[level].hashes.push(*hash);
                levels[level].grown = true;
            }
        });
        if self.entries.len() == usize::from(TILE_WIDTH) {
            self.place_entries(true)?;
            self.entries.clear();
        }
        for level in 0..self.levels.len() {
            if self.levels[level].hashes.len() == usize::from(TILE_WIDTH) {
                self.place_hashes(level, true)?;
                let index = self.levels[level].index + 1;
                self.levels[level] = Level { index, ..Level::default() };
            }
        }
        Ok(())
    }

    /// Puts the last tile of each level into its place. Those of level 0 and the bundle change with every record and
    /// are not waited for: whoever goes on makes them anew from the journal. Those above change every 256 records.
    pub(crate) fn finish(&mut self) -> Result<(), PublishError> {
        if !self.entries.is_empty() {
            self.place_entries(false)?;
        }
        for level in 0..self.levels.len() {
            if self.levels[level].grown {
                self.place_hashes(level, level > 0)?;
            }
        }
        Ok(())
    }

    fn place_entries(&self, durable: bool) -> Result<(), PublishError> {
        let bundle = encode_bundle(&self.entries).map_err(|error| PublishError::Tile(error.to_string()))?;
        let tile = Tile { level: 0, index: self.levels[0].index, width: self.entries.len() as u16 };
        self.public.place(&tile.path(Kind::Entries), &bundle, durable)
    }

    fn place_hashes(&self, level: usize, durable: bool) -> Result<(), PublishError> {
        let Level { index, hashes, .. } = &self.levels[level];
        let tile = Tile { level: level as u8, index: *index, width: hashes.len() as u16 };
        self.public.place(&tile.path(Kind::Hashes), hashes.as_flattened(), durable)
    }
}

//! Which tiles a tree has, and where they lie (C2SP `tlog-tiles`).

/// How many hashes a full tile has, and how many entries a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Leaves below a hash of a level are 256 times those below a hash of the level before.
const HEIGHT: u32 = 8;

/// How many levels of tiles a tree of at most `2^64` leaves can have.
const LEVELS: u8 = 8;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Hashes, 32 bytes each.
    Hashes,
    /// The entries behind the hashes of level 0: a bundle.
    Entries,
}

/// A tile, or the bundle beside a tile of level 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// How many tiles are below it: its hashes are those of nodes `8 * level` above the leaves.
    pub level: u8,
    /// Which one of its level, from the left.
    pub index: u64,
    /// How many hashes it has, 1 to 256; only the last of a level has fewer than 256.
    pub width: u16,
}

impl Tile {
    /// Whether it will not change any more.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The tile of the same place with all its hashes.
    #[must_use]
    pub fn full(self) -> Tile {
        Tile { width: TILE_WIDTH, ..self }
    }

    /// Where it lies below the folder of the log. A bundle's path has no level.
    #[must_use]
    pub fn path(self, kind: Kind) -> String {
        let mut path = match kind {
            Kind::Hashes => format!("tile/{}", self.level),
            Kind::Entries => "tile/entries".to_owned(),
        };
        // Three digits a folder, all but the last behind an x: no folder has the name of a file.
        let digits = [18, 15, 12, 9, 6, 3, 0].map(|power| self.index / 10_u64.pow(power) % 1000);
        let zeros = digits.iter().take(6).take_while(|&&three| three == 0).count();
        for three in &digits[zeros..6] {
            path += &format!("/x{three:03}");
        }
        path += &format!("/{:03}", digits[6]);
        if !self.is_full() {
            path += &format!(".p/{}", self.width);
        }
        path
    }

    /// The tile that lies at a path, if one lies there: only the form that [`path`](Self::path) gives is one.
    #[must_use]
    pub fn at(path: &str) -> Option<(Kind, Tile)> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (kind, level) = match level {
            "entries" => (Kind::Entries, 0),
            level => (Kind::Hashes, level.parse().ok().filter(|&level| level < LEVELS)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|&width| width < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let index = index.replace("/x", "");
        let index = index.strip_prefix('x').unwrap_or(&index).replace('/', "").parse().ok()?;
        let tile = Tile { level, index, width };
        (width > 0 && tile.path(kind) == path).then_some((kind, tile))
    }
}

/// All tiles of hashes of a tree with `size` leaves, level by level. Bundles are beside those of level 0.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    tiles_that_grow(0, size)
}

/// The tiles of hashes that a tree of `new` leaves has and one of `old` leaves had not, or not with this width.
pub fn tiles_that_grow(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS).flat_map(move |level| {
        let (before, after) = (hashes_at(level, old), hashes_at(level, new));
        let tiles = before / u64::from(TILE_WIDTH)..after.div_ceil(u64::from(TILE_WIDTH));
        tiles.filter(move |_| before < after).filter_map(move |index| tile_of(new, level, index))
    })
}

/// The tile of this place in a tree of `size` leaves.
pub(crate) fn tile_of(size: u64, level: u8, index: u64) -> Option<Tile> {
    let first = index.checked_mul(u64::from(TILE_WIDTH))?;
    let width = hashes_at(level, size).saturating_sub(first).min(u64::from(TILE_WIDTH));
    (width > 0).then_some(Tile { level, index, width: width as u16 })
}

/// How many hashes stand in the tiles of a level.
fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0)
}

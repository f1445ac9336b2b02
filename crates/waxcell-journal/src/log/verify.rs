//! The verdict on a published log: one pass, one tile of each level in memory at a time.

use super::fault::{LogFault, LogFaultKind, LogReport, MOST_FAULTS};
use super::heartbeats::{HEARTBEAT, Heartbeats};
use super::missing::Missing;
use super::record::{
    Archived, Effect, Fields, KEY, MAX_RECORD, Pruned, RECOVERY as RECOVERY_RECORD, VERSION, Whole,
    newer_version,
};
use super::runs::{PER_PASS, Runs};
use super::seals::{Recovery, Seal};
use super::{Log, LogError, MAX_TILE, RECOVERY, SEALS};
use sha2::{Digest, Sha256};

use crate::archive::{ARCHIVE, ArchiveError, Bundles, Manifest, Packed};
use crate::chain::hex;
use crate::error::ReadError;
use crate::objects::{GetError, Objects};
use crate::tlog::{
    Checkpoint, Frontier, Hash, Kind, Node, SignedCheckpoint, TILE_WIDTH, Tile, decode_bundle,
    from_canonical, leaf_hash, tile_of, tiles_of,
};

const HEIGHT: u8 = 8;

/// What a log is held to.
pub struct Demands<'a> {
    /// The head that was signed: see [`Log::checkpoint`].
    pub signed: &'a SignedCheckpoint,
    /// A head of before that somebody kept.
    pub against: Option<&'a Checkpoint>,
    /// Records below this number were checked before: of them only the hashes are looked at.
    pub since: u64,
    /// Whether what stands in the log are records of runs, to be looked at one by one.
    pub records: bool,
    /// Told how many records are done.
    pub progress: &'a mut dyn FnMut(u64),
}

impl Log {
    /// Checks every record and every hash of the log against its signed head, and changes nothing.
    ///
    /// # Errors
    ///
    /// When it could not check. What is wrong with the log is no error but a fault of the report.
    pub fn verify<'a>(&'a self, demands: Demands<'a>) -> Result<LogReport, LogError> {
        let size = demands.signed.checkpoint.size();
        let mut pass = Pass {
            log: self,
            report: LogReport { records: size, ..LogReport::default() },
            runs: Runs::part(0, 1, demands.since == 0),
            by_records: Frontier::new(),
            by_tiles: Frontier::new(),
            above: Vec::new(),
            readable: true,
            seals: self.seals()?,
            recovery: self.recovery()?,
            naming: Vec::new(),
            heartbeats: Heartbeats::default(),
            naming_recovery: Vec::new(),
            bundles: None,
            missing: Missing::default(),
            demands,
        };
        pass.archives()?;
        pass.all(size)?;
        pass.report.promise = pass.heartbeats.promise();
        Ok(pass.report)
    }
}

struct Pass<'a> {
    log: &'a Log,
    demands: Demands<'a>,
    report: LogReport,
    runs: Runs,
    /// The tree that follows from the records; where they could not be read, from the tiles.
    by_records: Frontier,
    /// The tree that follows from the tiles of level 0.
    by_tiles: Frontier,
    /// Per level of tiles above 0: its last tile as far as it follows from the records.
    above: Vec<Vec<Hash>>,
    /// Whether all records could be read.
    readable: bool,
    seals: Vec<Seal>,
    recovery: Option<Recovery>,
    /// The records that name keys.
    naming: Vec<u64>,
    heartbeats: Heartbeats,
    /// Those that name a recovery key.
    naming_recovery: Vec<u64>,
    /// What lies in archives, if there are any.
    bundles: Option<Bundles>,
    /// The bundles that are nowhere.
    missing: Missing,
}

/// A bundle, and the objects that its records name where they come with it.
type Found = (Vec<u8>, Option<Vec<(u64, Hash, Vec<u8>)>>);

impl Pass<'_> {
    fn all(&mut self, size: u64) -> Result<(), LogError> {
        let kept = self.demands.against.map(|kept| (kept.size(), *kept.root()));
        if let Some((kept, _)) = kept.filter(|(kept, _)| *kept > size) {
            let kind = LogFaultKind::RolledBack { kept, found: size };
            self.report.fault(super::CHECKPOINT, None, kind);
        }
        let mut kept_is_ours = kept.is_none_or(|(size, root)| size == 0 && root == crate::tlog::empty_root());
        let (mut tiles, mut lacking) = (0, 0);
        while let Some(tile) = tile_of(size, 0, tiles) {
            let hashes = self.hashes(tile)?;
            let leaves = self.leaves(tile)?;
            // A signed size is no promise that so much is there: it may be more than anybody can ask for.
            if hashes.is_none() && leaves.is_none() {
                lacking += 1;
                if lacking > MOST_FAULTS {
                    return Ok(());
                }
            }
            for at in 0..usize::from(tile.width) {
                let index = self.by_records.size();
                let (by_tile, by_record) =
                    (hashes.as_ref().map(|all| all[at]), leaves.as_ref().map(|all| all[at]));
                if let (Some(theirs), Some(ours)) = (by_tile, by_record)
                    && theirs != ours
                {
                    // Which of both is right, the root tells in the end.
                    self.report.fault(&tile.path(Kind::Entries), Some(index), LogFaultKind::Record);
                }
                let ours = by_record.or(by_tile).unwrap_or_default();
                self.grow(ours)?;
                self.by_tiles.append(by_tile.or(by_record).unwrap_or_default());
                self.at_seal();
                if let Some((size, root)) = kept
                    && self.by_records.size() == size
                {
                    kept_is_ours = self.by_records.root() == root || self.by_tiles.root() == root;
                }
            }
            self.at_end_of_archive();
            (self.demands.progress)(self.by_records.size());
            tiles += 1;
        }
        self.last_above(size)?;
        self.root();
        if let Some((kept, _)) = kept.filter(|(kept, _)| *kept <= size && !kept_is_ours) {
            self.report.fault(super::CHECKPOINT, None, LogFaultKind::Against { size: kept });
        }
        self.epochs();
        self.missing.judge(&mut self.report);
        self.rest_of_runs(size)
    }

    /// Looks for archives.
    fn archives(&mut self) -> Result<(), LogError> {
        self.bundles = None;
        let Some(archive) = &self.log.archive else { return Ok(()) };
        match Bundles::of(archive) {
            Ok((bundles, wrong)) => {
                self.bundles = Some(bundles);
                wrong.into_iter().try_for_each(|error| self.wrong_archive(error))
            }
            Err(error) => self.wrong_archive(error),
        }
    }

    fn wrong_archive(&mut self, error: ArchiveError) -> Result<(), LogError> {
        let (file, what) = match error {
            ArchiveError::Disk(error) | ArchiveError::Read(ReadError::Disk(error)) => {
                return Err(error.into());
            }
            ArchiveError::Manifest { file, what } | ArchiveError::Damaged { file, what } => (file, what),
            error => (ARCHIVE.to_owned(), error.to_string()),
        };
        self.archive_fault(&file, None, what);
        Ok(())
    }

    /// Once, however often the archive is looked at.
    fn archive_fault(&mut self, file: &str, index: Option<u64>, what: String) {
        let kind = LogFaultKind::Archive(what);
        if !self.report.faults.iter().any(|fault| fault.path == file && fault.kind == kind) {
            self.report.fault(file, index, kind);
        }
    }

    /// Whether the tree so far is the one that the manifest of an archive ends with.
    fn at_end_of_archive(&mut self) {
        let (size, all) = (self.by_records.size(), self.bundles.as_ref().map_or(&[][..], Bundles::all));
        let (ours, theirs) = (hex(&self.by_records.root()), hex(&self.by_tiles.root()));
        let wrong = all.iter().filter(|one| one.end() == size && one.root != ours && one.root != theirs);
        for name in wrong.map(Manifest::name).collect::<Vec<_>>() {
            self.archive_fault(&name, Some(size - 1), "it ends with another tree".to_owned());
        }
    }

    /// The bundle, from the folder or an archive.
    fn bundle(&mut self, tile: Tile) -> Result<Option<Found>, LogError> {
        let bundle = self.log.read(&tile.path(Kind::Entries), MAX_TILE)?;
        if let Some(bundle) = bundle {
            return Ok(Some((bundle, None)));
        }
        let Some(bundles) = self.bundles.as_mut().filter(|_| tile.is_full()) else { return Ok(None) };
        match bundles.get(tile.index) {
            Ok(packed) => Ok(packed.map(|Packed { bytes, objects, .. }| (bytes, Some(objects)))),
            Err(error) => {
                self.wrong_archive(error)?;
                Ok(None)
            }
        }
    }

    /// Whether the archive on hand is the one that is on record, which has the hash of its manifest.
    fn archived(&mut self, index: u64, on_record: &Archived) {
        let all = self.bundles.as_ref().map_or(&[][..], Bundles::all);
        let named = all.iter().find(|one| one.first == on_record.first && one.last == on_record.last);
        if let Some(name) = named.filter(|named| hex(&named.hash()) != on_record.manifest).map(Manifest::name)
        {
            let what = "its manifest is not the one that is on record".to_owned();
            self.archive_fault(&name, Some(index), what);
        }
    }

    /// Whether the tree so far is the one that was sealed.
    fn at_seal(&mut self) {
        let size = self.by_records.size();
        let is_ours = |root: &Hash| *root == self.by_records.root() || *root == self.by_tiles.root();
        if self.recovery.as_ref().is_some_and(|named| named.size == size && !is_ours(&named.root)) {
            self.report.fault(RECOVERY, Some(size - 1), LogFaultKind::Recovery);
        }
        let Some(seal) = self.seals.iter().find(|seal| seal.size == size) else { return };
        if !is_ours(&seal.root) {
            let (path, epoch) = (format!("{SEALS}/{}", seal.epoch), seal.epoch);
            self.report.fault(&path, Some(size - 1), LogFaultKind::Seal { epoch });
        }
    }

    /// Whether every record that names a key ends an epoch, and epochs follow each other; and whether there is one recovery key.
    fn epochs(&mut self) {
        let ends: Vec<u64> = self.seals.iter().map(|seal| seal.size - 1).collect();
        if !ends.is_sorted_by(|a, b| a < b) {
            self.report.fault(SEALS, None, LogFaultKind::Epochs);
        }
        // Before it becomes the seal, the checkpoint that ends an epoch is shown, and nothing follows it yet.
        let last = self.report.records.checked_sub(1);
        for index in std::mem::take(&mut self.naming) {
            if !ends.contains(&index) && Some(index) != last {
                self.report.fault(SEALS, Some(index), LogFaultKind::Unsealed);
            }
        }
        let named = self.recovery.as_ref().map(|named| named.size - 1);
        for index in std::mem::take(&mut self.naming_recovery) {
            if named != Some(index) && (named.is_some() || Some(index) != last) {
                self.report.fault(RECOVERY, Some(index), LogFaultKind::OtherRecovery);
            }
        }
    }

    /// The hashes of a tile of level 0, if they can be read.
    fn hashes(&mut self, tile: Tile) -> Result<Option<Vec<Hash>>, LogError> {
        let (path, bytes) = match self.log.read(&tile.path(Kind::Hashes), MAX_TILE)? {
            None => {
                (tile.full().path(Kind::Hashes), self.log.read(&tile.full().path(Kind::Hashes), MAX_TILE)?)
            }
            bytes => (tile.path(Kind::Hashes), bytes),
        };
        let Some(bytes) = bytes else {
            self.report.fault(&tile.path(Kind::Hashes), None, LogFaultKind::Missing);
            return Ok(None);
        };
        let width = if path == tile.path(Kind::Hashes) { tile.width } else { TILE_WIDTH };
        let expected = usize::from(width) * size_of::<Hash>();
        if bytes.len() != expected {
            let kind = LogFaultKind::Length { expected, found: bytes.len() };
            self.report.fault(&path, None, kind);
            return Ok(None);
        }
        let mut hashes = bytes.as_chunks().0.to_vec();
        hashes.truncate(usize::from(tile.width));
        Ok(Some(hashes))
    }

    /// The leaf hashes of the records of a bundle, if they can be read; the records are looked at on the way.
    fn leaves(&mut self, tile: Tile) -> Result<Option<Vec<Hash>>, LogError> {
        let first = tile.index * u64::from(TILE_WIDTH);
        if first + u64::from(tile.width) <= self.demands.since {
            return Ok(None);
        }
        let path = tile.path(Kind::Entries);
        let Some((bundle, mut objects)) = self.bundle(tile)? else {
            // Whether it may be away, the log says further on.
            self.missing.add(tile);
            self.runs.skip();
            self.heartbeats = Heartbeats::default();
            return Ok(None);
        };
        if objects.is_some() {
            self.report.archived += u64::from(tile.width);
        }
        let entries = match decode_bundle(&bundle, tile.width) {
            Ok(entries) => entries,
            Err(error) => {
                self.report.fault(&path, None, error.into());
                self.readable = false;
                return Ok(None);
            }
        };
        if self.demands.records {
            for (index, entry) in (first..).zip(&entries) {
                let Some(fields) = look(&mut self.report, &mut self.runs, &path, index, entry) else {
                    continue;
                };
                if fields.kind == KEY {
                    self.naming.push(index);
                }
                if fields.kind == HEARTBEAT {
                    match self.heartbeats.take(index, entry) {
                        Ok(gap) => gap.into_iter().for_each(|gap| self.report.gap(gap)),
                        Err(what) => self.report.fault(&path, Some(index), LogFaultKind::Form(what)),
                    }
                }
                if fields.kind == RECOVERY_RECORD {
                    self.naming_recovery.push(index);
                }
                if let Some(pruned) = Pruned::of(entry).filter(|pruned| pruned.before <= index) {
                    self.missing.may_be_before(pruned.before);
                }
                if let Some(on_record) = Archived::of(entry) {
                    self.archived(index, &on_record);
                }
                if let Some(whole) = fields.whole {
                    let packed = objects.as_mut().and_then(|all| take_object(all, index - first));
                    self.object(index, &whole, packed)?;
                }
            }
        }
        Ok(Some(entries.into_iter().map(leaf_hash).collect()))
    }

    /// Looks at the object that has all of a record.
    fn object(&mut self, index: u64, whole: &Whole, packed: Option<Vec<u8>>) -> Result<(), LogError> {
        let name = || whole.sha256.clone();
        let Some(hash) = whole.hash() else {
            let kind = LogFaultKind::Form(format!("`{}` is no hash", whole.sha256));
            self.report.fault(super::CHECKPOINT, Some(index), kind);
            return Ok(());
        };
        let object = match packed {
            Some(bytes) if Hash::from(Sha256::digest(&bytes)) == hash => Ok(bytes),
            Some(_) => Err(GetError::Changed(name())),
            None => Objects::of_log(&self.log.folder).get(&hash),
        };
        let kind = match object {
            Ok(bytes) if bytes.len() as u64 == whole.bytes => return Ok(()),
            Ok(_) | Err(GetError::Changed(_)) => LogFaultKind::Object(name()),
            Err(GetError::Missing(_)) => {
                let (path, kind) = (Objects::path(&hash), LogFaultKind::ObjectMissing(name()));
                if self.missing.add_object(LogFault { path, index: Some(index), kind: kind.clone() }) {
                    return Ok(());
                }
                kind
            }
            Err(GetError::Disk(error)) => return Err(error.into()),
        };
        self.report.fault(&Objects::path(&hash), Some(index), kind);
        Ok(())
    }

    /// Adds a leaf, and checks each tile above that it completes.
    fn grow(&mut self, leaf: Hash) -> Result<(), LogError> {
        let above = &mut self.above;
        self.by_records.append_each(leaf, |node: Node, hash| {
            if node.level > 0 && node.level.is_multiple_of(HEIGHT) {
                let level = usize::from(node.level / HEIGHT) - 1;
                if above.len() == level {
                    above.push(Vec::new());
                }
                above[level].push(*hash);
            }
        });
        for level in 0..self.above.len() {
            if self.above[level].len() == usize::from(TILE_WIDTH) {
                let hashes = std::mem::take(&mut self.above[level]);
                let index = (self.by_records.size() >> (usize::from(HEIGHT) * (level + 2))) - 1;
                self.compare(Tile { level: level as u8 + 1, index, width: TILE_WIDTH }, &hashes)?;
            }
        }
        Ok(())
    }

    fn last_above(&mut self, size: u64) -> Result<(), LogError> {
        for tile in tiles_of(size).filter(|tile| tile.level > 0 && !tile.is_full()).collect::<Vec<_>>() {
            if let Some(hashes) = self.above.get(usize::from(tile.level) - 1).cloned() {
                self.compare(tile, &hashes)?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, tile: Tile, expected: &[Hash]) -> Result<(), LogError> {
        if let Some(hashes) = self.hashes(tile)?
            && let Some(at) = (0..expected.len()).find(|&at| hashes.get(at) != expected.get(at))
        {
            let below = 1_u64 << (HEIGHT * tile.level);
            let first = (tile.index * u64::from(TILE_WIDTH) + at as u64) * below;
            self.report.fault(&tile.path(Kind::Hashes), Some(first), LogFaultKind::Hash);
        }
        Ok(())
    }

    /// Who is right, and whether anybody is.
    fn root(&mut self) {
        let signed = *self.demands.signed.checkpoint.root();
        let (records, tiles) = (self.by_records.root() == signed, self.by_tiles.root() == signed);
        if records && !tiles {
            // The records are as they were signed, so it is the tile that was changed.
            for fault in &mut self.report.faults {
                if fault.kind == LogFaultKind::Record {
                    fault.kind = LogFaultKind::Hash;
                    let index = fault.index.unwrap_or_default() / u64::from(TILE_WIDTH);
                    let size = self.demands.signed.checkpoint.size();
                    fault.path =
                        tile_of(size, 0, index).map_or(fault.path.clone(), |tile| tile.path(Kind::Hashes));
                }
            }
        } else if !records && self.report.is_sound() {
            self.report.fault(super::CHECKPOINT, None, LogFaultKind::Root);
        }
    }

    /// What is open at the end; and with more runs than one pass remembers, the other parts of them.
    fn rest_of_runs(&mut self, size: u64) -> Result<(), LogError> {
        if !self.demands.records || !self.readable {
            return Ok(());
        }
        let parts = self.runs.ended / PER_PASS + 1;
        for part in 0..parts {
            if parts > 1 {
                self.runs = Runs::part(part, parts, self.demands.since == 0);
                let mut report = LogReport::default();
                self.archives()?;
                for tile in (0..).map_while(|index| tile_of(size, 0, index)) {
                    let path = tile.path(Kind::Entries);
                    let Some((bundle, _)) = self.bundle(tile)? else {
                        self.runs.skip();
                        continue;
                    };
                    let first = tile.index * u64::from(TILE_WIDTH);
                    let entries = decode_bundle(&bundle, tile.width).unwrap_or_default();
                    for (index, entry) in (first..).zip(entries) {
                        look(&mut report, &mut self.runs, &path, index, entry);
                    }
                }
                for fault in report.faults.into_iter().filter(|f| matches!(f.kind, LogFaultKind::Run { .. }))
                {
                    if !self.report.faults.contains(&fault) {
                        self.report.fault(&fault.path, fault.index, fault.kind);
                    }
                }
            }
            let open = std::mem::take(&mut self.runs.open);
            self.report.open_runs += open.len() as u64;
            self.report.open.extend(open.iter().map(|(name, index)| (name.to_string(), *index)));
        }
        self.report.open.sort_by_key(|(_, index)| *index);
        self.report.open.truncate(MOST_FAULTS);
        Ok(())
    }
}

/// Takes out the object of the record at this place of its bundle.
fn take_object(objects: &mut Vec<(u64, Hash, Vec<u8>)>, at: u64) -> Option<Vec<u8>> {
    let place = objects.iter().position(|(of, ..)| *of == at)?;
    Some(objects.swap_remove(place).2)
}

/// Looks at one record by itself, and at what it does to its run. Gives the object that it names.
fn look<'a>(
    report: &mut LogReport,
    runs: &mut Runs,
    path: &str,
    index: u64,
    entry: &'a [u8],
) -> Option<Fields<'a>> {
    if entry.len() > MAX_RECORD {
        let what = format!("it has {} bytes, and {MAX_RECORD} are the most", entry.len());
        report.fault(path, Some(index), LogFaultKind::Form(what));
        return None;
    }
    let fields = Fields::of(entry);
    if fields.as_ref().map_or(true, |fields| fields.v != VERSION)
        && let Some(version) = newer_version(entry)
    {
        report.newer.get_or_insert((index, version));
        return None;
    }
    let fields: Fields<'_> = match fields {
        Ok(fields) => fields,
        Err(error) => {
            report.fault(path, Some(index), LogFaultKind::Form(error.to_string()));
            return None;
        }
    };
    if let Err(error) = from_canonical(entry) {
        report.fault(path, Some(index), LogFaultKind::Form(error.to_string()));
    }
    if fields.v != VERSION {
        let what = format!("its version is {}, and {VERSION} is known here", fields.v);
        report.fault(path, Some(index), LogFaultKind::Form(what));
    }
    if fields.index != index {
        report.fault(path, Some(index), LogFaultKind::Index(fields.index));
    }
    let effect = fields.effect();
    if effect != Effect::None
        && let Some(what) = runs.take(&fields.run, index, effect)
        // A record that was not understood may have begun or ended it.
        && report.newer.is_none()
    {
        let run = fields.run.to_string();
        report.fault(path, Some(index), LogFaultKind::Run { run, what });
    }
    Some(fields)
}

//! One change of one thing in a journal's folder, drawn by lot.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use waxcell_journal::tlog::{decode_bundle, encode_bundle};
use waxcell_journal::{Entry, Journal, Reader, SEGMENT_BYTES};

/// Numbers that are the same in every run (Knuth's multiplier).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// All files of a folder as they were, by their paths in it.
pub(crate) struct Pristine {
    folder: PathBuf,
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
}

/// What was changed: the file or folder, and how.
#[derive(Debug)]
pub(crate) struct Mutant {
    pub(crate) path: PathBuf,
    pub(crate) how: String,
}

impl Pristine {
    pub(crate) fn of(folder: &Path) -> Pristine {
        let mut files = BTreeMap::new();
        collect(folder, folder, &mut files);
        Pristine { folder: folder.to_owned(), files }
    }

    /// Puts everything below a path back.
    pub(crate) fn restore(&self, path: &Path) {
        let place = self.folder.join(path);
        match fs::symlink_metadata(&place) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&place).unwrap(),
            Ok(_) => fs::remove_file(&place).unwrap(),
            Err(_) => {}
        }
        for (name, bytes) in self.files.iter().filter(|(name, _)| name.starts_with(path)) {
            let place = self.folder.join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(&place, bytes).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    fn bytes(&self, path: &Path) -> Vec<u8> {
        self.files[path].clone()
    }

    fn write(&self, path: &Path, bytes: &[u8]) {
        fs::write(self.folder.join(path), bytes).unwrap();
    }

    /// Changes something; nothing where the change would be none.
    pub(crate) fn mutate(&self, older: &Pristine, chance: &mut Chance) -> Option<Mutant> {
        let all: Vec<_> = self.files.keys().cloned().collect();
        let path = chance.of(&all).clone();
        let (path, how) = match chance.below(20) {
            0 => self.without(path),
            1 => self.without(chance.of(&self.folders()).clone()),
            2 => self.exchanged(path, chance),
            3 => self.other_kind(path, chance),
            4 => self.back(path, older, chance),
            5 => self.records_of_bundle(chance)?,
            6 => self.frames(chance)?,
            7 if chance.below(10) == 0 => self.rewritten(chance),
            8 | 9 => self.lines(chance)?,
            _ => self.bytes_of(path, chance)?,
        };
        Some(Mutant { path, how })
    }

    fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<_> = self.files.keys().filter_map(|path| path.parent()).collect();
        folders.push(Path::new("tlog"));
        folders.sort();
        folders.dedup();
        folders.into_iter().filter(|folder| *folder != Path::new("")).map(Path::to_owned).collect()
    }

    fn without(&self, path: PathBuf) -> (PathBuf, String) {
        let place = self.folder.join(&path);
        if place.is_dir() { fs::remove_dir_all(place) } else { fs::remove_file(place) }.unwrap();
        (path, "removed".to_owned())
    }

    /// Gets the bytes of another file.
    fn exchanged(&self, path: PathBuf, chance: &mut Chance) -> (PathBuf, String) {
        let others = || self.files.keys().filter(|other| **other != path);
        let near: Vec<_> = others().filter(|other| other.parent() == path.parent()).collect();
        let other = *chance.of(&if near.is_empty() { others().collect() } else { near });
        self.write(&path, &self.files[other]);
        (path, format!("replaced by `{}`", other.display()))
    }

    /// No plain file any more.
    fn other_kind(&self, path: PathBuf, chance: &mut Chance) -> (PathBuf, String) {
        let place = self.folder.join(&path);
        fs::remove_file(&place).unwrap();
        let how = match chance.below(3) {
            0 => {
                fs::create_dir(&place).unwrap();
                "a folder"
            }
            1 => {
                std::os::unix::fs::symlink("/dev/zero", &place).unwrap();
                "a link to a device"
            }
            _ => {
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                rustix::fs::mkfifoat(rustix::fs::CWD, &place, mode).unwrap();
                "a FIFO"
            }
        };
        (path, how.to_owned())
    }

    /// Something is as it was before, or everything.
    fn back(&self, path: PathBuf, older: &Pristine, chance: &mut Chance) -> (PathBuf, String) {
        let tlog = Path::new("tlog").to_owned();
        let everything = PathBuf::new();
        let path = match chance.below(4) {
            0 => everything,
            1 => tlog,
            2 => Path::new("tlog/checkpoint").to_owned(),
            _ => path,
        };
        for name in self.files.keys().filter(|name| name.starts_with(&path)) {
            fs::remove_file(self.folder.join(name)).unwrap();
        }
        for (name, bytes) in older.files.iter().filter(|(name, _)| name.starts_with(&path)) {
            let place = self.folder.join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
        (path, "as it was before".to_owned())
    }

    fn matching(&self, what: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        self.files.keys().filter(|path| path.to_str().is_some_and(&what)).cloned().collect()
    }

    fn records_of_bundle(&self, chance: &mut Chance) -> Option<(PathBuf, String)> {
        let path = chance.of(&self.matching(|name| name.starts_with("tlog/tile/entries"))).clone();
        let bytes = self.bytes(&path);
        let width = (1..=256).find(|width| decode_bundle(&bytes, *width).is_ok())?;
        let mut records: Vec<_> =
            decode_bundle(&bytes, width).ok()?.into_iter().map(<[u8]>::to_vec).collect();
        let how = reorder(&mut records, chance);
        let changed = encode_bundle(records).ok()?;
        self.write(&path, &changed);
        (changed != bytes).then_some((path, format!("a record {how}")))
    }

    /// Frames of a segment, whole.
    fn frames(&self, chance: &mut Chance) -> Option<(PathBuf, String)> {
        let path = chance.of(&self.matching(|name| name.ends_with(".log"))).clone();
        let bytes = self.bytes(&path);
        let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
        let mut at = number(12)?;
        let (header, mut frames) = (bytes[..at].to_vec(), Vec::new());
        while let Some(length) = number(at).filter(|length| *length > 0) {
            let end = at + length.next_multiple_of(8);
            frames.push(bytes.get(at..end)?.to_vec());
            at = end;
        }
        let how = reorder(&mut frames, chance);
        let mut changed = [header, frames.concat()].concat();
        changed.resize(SEGMENT_BYTES, 0);
        self.write(&path, &changed);
        (changed != bytes).then_some((path, format!("a frame {how}")))
    }

    /// The journal is written anew with a record changed: frames and segments agree with each other.
    fn rewritten(&self, chance: &mut Chance) -> (PathBuf, String) {
        let mut records: Vec<_> = Reader::open(&self.folder).unwrap().map(Result::unwrap).collect();
        let how = reorder(&mut records, chance);
        let home = tempfile::tempdir().unwrap();
        let forged = home.path().join("journal");
        let mut journal = Journal::open(&forged).unwrap();
        let mut records = records.iter();
        // What the rules of spans do not allow is left out.
        for record in &mut records {
            let entry = Entry { mark: record.mark, span: record.span, payload: &record.payload };
            let _ = journal.append(entry);
        }
        for name in self.matching(|name| name.ends_with(".log")) {
            fs::remove_file(self.folder.join(&name)).unwrap();
            if forged.join(&name).exists() {
                fs::copy(forged.join(&name), self.folder.join(&name)).unwrap();
            }
        }
        (PathBuf::new(), format!("written anew with a record {how}"))
    }

    /// Whole lines of files of text.
    fn lines(&self, chance: &mut Chance) -> Option<(PathBuf, String)> {
        let is_text = |name: &str| {
            ["tlog/checkpoint", "tlog/vkeys", "tlog/seals", "disclosures", "witnesses", "cosigned", "key"]
                .iter()
                .any(|part| name.starts_with(part))
        };
        let path = chance.of(&self.matching(is_text)).clone();
        let bytes = self.bytes(&path);
        let mut lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let how = match chance.below(4) {
            // A number, as of a checkpoint, in place of a line.
            0 => {
                let number = format!("{}\n", chance.below(400)).into_bytes();
                let at = chance.below(lines.len());
                lines[at] = number;
                format!("is a number, {at}")
            }
            _ => reorder(&mut lines, chance),
        };
        let changed = lines.concat();
        self.write(&path, &changed);
        (changed != bytes).then_some((path, format!("a line {how}")))
    }

    fn bytes_of(&self, path: PathBuf, chance: &mut Chance) -> Option<(PathBuf, String)> {
        let mut bytes = self.bytes(&path);
        let before = bytes.clone();
        // Most of a segment is zeros, and few changes shall fall there.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let most = if chance.below(8) == 0 { bytes.len() } else { used };
        let at = chance.below(most);
        let how = match chance.below(8) {
            0 => {
                bytes.truncate(at);
                "cut at"
            }
            1 => {
                bytes.push(chance.below(256) as u8);
                "a byte more than"
            }
            2 if !bytes.is_empty() => {
                bytes.remove(at);
                "without"
            }
            3 => {
                bytes.insert(at, chance.below(256) as u8);
                "one inserted at"
            }
            4 if at + 64 <= bytes.len() => {
                bytes[at..at + 64].rotate_left(32);
                "32 exchanged with the next 32 at"
            }
            5 => {
                let end = (at + 1 + chance.below(200)).min(bytes.len());
                bytes[at..end].fill(0);
                "zeros from"
            }
            _ if !bytes.is_empty() => {
                bytes[at] ^= 1 << chance.below(8);
                "a bit of"
            }
            _ => return None,
        };
        self.write(&path, &bytes);
        (bytes != before).then_some((path, format!("{how} byte {at}")))
    }
}

/// Takes one away, doubles one, or exchanges two; says which.
fn reorder<T: Clone>(all: &mut Vec<T>, chance: &mut Chance) -> String {
    let (one, other) = (chance.below(all.len()), chance.below(all.len()));
    match chance.below(4) {
        0 => {
            all.remove(one);
            format!("less, {one}")
        }
        1 => {
            let twice = all[one].clone();
            all.insert(other, twice);
            format!("twice, {one} at {other}")
        }
        2 => {
            all[one] = all[other].clone();
            format!("in place of another, {other} of {one}")
        }
        _ => {
            all.swap(one, other);
            format!("exchanged with another, {one} and {other}")
        }
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
}

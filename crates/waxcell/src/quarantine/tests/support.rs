//! A project with a layer over it, and a state directory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use serde_json::Value;
use waxcell_journal::{Mark, SpanId};

use crate::changes::Before;
use crate::quarantine::{Layers, Left, Note};
use crate::run::Caller;
use crate::state::State;

pub(super) const NOW: SystemTime = SystemTime::UNIX_EPOCH;

pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) run: SpanId,
}

/// Path to kind, mode, link count and content.
pub(super) type Seen = BTreeMap<PathBuf, (char, u32, Vec<u8>)>;

impl World {
    pub(super) fn new() -> World {
        World::with_run(1)
    }

    pub(super) fn with_run(number: u8) -> World {
        let world = World { folder: tempfile::tempdir().unwrap(), run: SpanId::new([number; 16]) };
        fs::create_dir_all(world.data()).unwrap();
        world
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// What the script may write to.
    pub(super) fn data(&self) -> PathBuf {
        self.root().join("project/data")
    }

    pub(super) fn state(&self) -> State {
        let mut state = State::at(Some(self.root().join("state")));
        state.begin().unwrap();
        state
    }

    pub(super) fn layer(&self) -> PathBuf {
        self.folder_of_run().join("0/upper")
    }

    pub(super) fn folder_of_run(&self) -> PathBuf {
        self.root().join("state/quarantine").join(self.run.to_string())
    }

    /// Runs a "script", which gets the folder of the layer, and seals what it leaves.
    pub(super) fn run(&self, script: impl FnOnce(&Path)) -> Left {
        self.run_over(&[self.data()], script)
    }

    /// The same over several places.
    pub(super) fn run_over(&self, places: &[PathBuf], script: impl FnOnce(&Path)) -> Left {
        // Far enough from what was made for the test to be older.
        std::thread::sleep(Duration::from_millis(30));
        let before = Before::note(places.to_vec());
        let mut layers = Layers::begin(&self.folder_of_run()).unwrap();
        for place in places {
            let missing = crate::placeholders::missing(place);
            if !missing.is_empty() {
                fs::create_dir_all(place).unwrap();
            }
            layers.add(place, place.is_file(), &missing).unwrap();
            for made in missing.iter().rev() {
                fs::remove_dir(made).unwrap();
            }
        }
        let note = Note::new("then".to_owned(), Path::new("/script.py"), Path::new("/project"));
        layers.note(note, places.to_vec()).unwrap();
        script(&self.layer());
        layers.seal(&before, &[]).unwrap()
    }

    /// Records of this run.
    pub(super) fn records(&self) -> Vec<Value> {
        let reader = waxcell_journal::Reader::open(&self.root().join("state/journal"));
        let records = reader.into_iter().flatten().flatten().filter(|record| record.span == self.run);
        records.map(|record| serde_json::from_slice(&record.payload).unwrap()).collect()
    }

    /// What there is in the project.
    pub(super) fn seen(&self) -> Seen {
        seen(&self.root().join("project"))
    }
}

pub(super) fn seen(root: &Path) -> Seen {
    let mut found = Seen::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let meta = entry.path().symlink_metadata().unwrap();
            let path = entry.path();
            let (kind, content) = if meta.is_dir() {
                folders.push(path.clone());
                ('d', Vec::new())
            } else if meta.is_symlink() {
                ('l', fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
            } else {
                ('f', fs::read(&path).unwrap_or_default())
            };
            let mode = if meta.is_symlink() { 0 } else { meta.mode() & 0o7777 };
            found.insert(path, (kind, mode, content));
        }
    }
    found
}

pub(super) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// As overlayfs marks what is gone.
pub(super) fn whiteout(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
}

/// As overlayfs marks a folder that was made where another had been.
pub(super) fn opaque(path: &Path) {
    fs::create_dir_all(path).unwrap();
    rustix::fs::setxattr(path, "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
}

pub(super) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn caller() -> Caller {
    Caller {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        user: None,
        group: None,
        login_uid: None,
        pid: 1,
        host: "host".to_owned(),
        boot: String::new(),
        cwd: PathBuf::from("/"),
        umask: 0o022,
        env: Vec::new(),
    }
}

/// A journal with a record in it.
pub(super) fn begin_journal(state: &mut State) {
    state.record(Mark::None, SpanId::NONE, serde_json::json!({})).unwrap();
}

//! The folder of all runs that wait, and what is under way in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use waxcell_journal::{SpanId, SpanLock};
use waxcell_sandbox::{LAYER_PARTS, remove_all};

use super::error::QuarantineError;
use super::note::Note;
use super::sealed::Sealed;
use crate::own_files;
use crate::state::State;

/// Nobody else changes what waits as long as this lives.
pub(super) struct Store {
    folder: PathBuf,
    /// Where the locks of runs are that are going on.
    runs: PathBuf,
    _lock: File,
}

const LOCK: &str = "lock";
const COMMITTING: &str = "committing";
/// At the end of the name of a folder that only has to be removed.
const GONE: &str = ".gone";

/// A commit that was begun. There is at most one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) run: String,
    /// What is to be on record. `None`: nothing has been decided, and everything beside the files goes again.
    pub(super) record: Option<Value>,
}

impl Store {
    /// Opens it; `None` if there is none, or, unless `wait`, if somebody else has it open.
    pub(super) fn open(state: &mut State, wait: bool) -> Result<Option<Store>, QuarantineError> {
        match fs::metadata(state.quarantine()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(QuarantineError::Io { path: state.quarantine(), source }),
            Ok(_) => {}
        }
        state.begin()?;
        let folder = state.quarantine();
        let path = folder.join(LOCK);
        let locked = || -> io::Result<Option<File>> {
            let file = own_files::open_to_append(&path)?;
            let how =
                if wait { FlockOperation::LockExclusive } else { FlockOperation::NonBlockingLockExclusive };
            match rustix::fs::flock(&file, how) {
                Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
                other => Ok(other.map(|()| Some(file))?),
            }
        };
        let lock = locked().map_err(|source| QuarantineError::Io { path: path.clone(), source })?;
        Ok(lock.map(|_lock| Store { folder, runs: state.runs(), _lock }))
    }

    pub(super) fn folder(&self, run: &str) -> PathBuf {
        self.folder.join(run)
    }

    /// The names of all runs, the oldest first.
    pub(super) fn names(&self) -> Result<Vec<String>, QuarantineError> {
        let read = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(&self.folder)?.collect::<io::Result<Vec<_>>>()?;
            let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
            let mut names: Vec<String> = names.filter(|name| SpanId::from_hex(name).is_some()).collect();
            names.sort();
            Ok(names)
        };
        read().map_err(|source| QuarantineError::Io { path: self.folder.clone(), source })
    }

    /// The only run whose name begins so.
    pub(super) fn find(&self, prefix: &str) -> Result<String, QuarantineError> {
        let wanted = prefix.to_ascii_lowercase();
        let mut names = self.names()?.into_iter().filter(|name| name.starts_with(&wanted));
        match (names.next().filter(|_| !prefix.is_empty()), names.next()) {
            (Some(name), None) => Ok(name),
            (Some(_), Some(_)) => Err(QuarantineError::Several(prefix.to_owned())),
            (None, _) => Err(QuarantineError::None(prefix.to_owned())),
        }
    }

    /// Whether somebody is still watching the run. What cannot be told is no yes.
    pub(super) fn is_running(&self, run: &str) -> bool {
        let id = SpanId::from_hex(run);
        id.is_some_and(|id| SpanLock::is_alive(&self.runs, id).unwrap_or(false))
    }

    pub(super) fn note(&self, run: &str) -> io::Result<Note> {
        Note::read(&self.folder(run))
    }

    pub(super) fn intent(&self) -> Result<Option<Intent>, QuarantineError> {
        let path = self.folder.join(COMMITTING);
        let read = || -> io::Result<Option<Intent>> {
            match own_files::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                bytes => Ok(Some(serde_json::from_slice(&bytes?)?)),
            }
        };
        read().map_err(|source| QuarantineError::Io { path: path.clone(), source })
    }

    /// Durable when this returns.
    pub(super) fn write_intent(&self, intent: &Intent) -> Result<(), QuarantineError> {
        let (path, new) = (self.folder.join(COMMITTING), self.folder.join("committing.new"));
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec(intent)?)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            self.sync()
        };
        write().map_err(|source| QuarantineError::Io { path: path.clone(), source })
    }

    pub(super) fn remove_intent(&self) -> Result<(), QuarantineError> {
        let path = self.folder.join(COMMITTING);
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        removed
            .and_then(|()| self.sync())
            .map_err(|source| QuarantineError::Io { path: path.clone(), source })
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// From here on nobody sees the run; the folder itself goes in its own time.
    pub(super) fn hide(&self, run: &str) -> Result<(), QuarantineError> {
        let (path, gone) = (self.folder(run), self.folder.join(format!("{run}{GONE}")));
        fs::rename(&path, &gone)
            .and_then(|()| self.sync())
            .map_err(|source| QuarantineError::Io { path: path.clone(), source })
    }

    /// Removes what is hidden, and layers of runs that died before they wrote anything.
    pub(super) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(here) = rustix::fs::open(&self.folder, flags, Mode::empty()) else { return };
        for name in entries.flatten().map(|entry| entry.file_name()) {
            let text = name.to_string_lossy();
            let folder = self.folder.join(&name);
            // First whether it is over: it could end, and be sealed, between the two.
            let is_dead =
                || SpanId::from_hex(&text).is_some() && !Sealed::is_in(&folder) && !self.is_running(&text);
            if text.ends_with(GONE) || is_dead() && wrote_nothing(&folder) {
                // What cannot be removed is tried again the next time.
                let _ = remove_all(here.as_fd(), &name);
            }
        }
    }
}

/// Whether a run that nobody has sealed has left nothing in its layers.
fn wrote_nothing(folder: &Path) -> bool {
    if Sealed::is_in(folder) {
        return false;
    }
    let Ok(layers) = fs::read_dir(folder) else { return false };
    let uppers = layers.flatten().map(|layer| layer.path().join(LAYER_PARTS[0]));
    uppers.filter(|upper| upper.is_dir()).all(|upper| {
        // One that cannot be read was closed by a script.
        fs::read_dir(&upper).is_ok_and(|mut entries| entries.next().is_none())
    })
}

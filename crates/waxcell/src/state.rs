//! The state directory: the journal, the locks of running runs, the log views and what is remembered of interpreters.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use waxcell_journal::{AppendError, Journal, Mark, OpenError, Receipt, SpanId, SpanLock, SpanLockError};

use crate::placeholders;
use crate::record;
use crate::views;

/// Where runs are recorded.
#[derive(Debug)]
pub struct State {
    directory: PathBuf,
    journal: Opening,
}

/// The journal on its way. Reading what its last segment holds takes as long as finding the policy and the interpreter,
/// so it is read beside.
#[derive(Debug)]
enum Opening {
    Beside(JoinHandle<Result<Journal, OpenError>>),
    Open(Box<Journal>),
    Failed,
}

/// The record could not be read or written: then nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory cannot be made or used.
    #[error("cannot use state directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal could not be opened before.
    #[error("the journal in `{}` is not open", .0.display())]
    NotOpen(PathBuf),
    /// The journal cannot be opened.
    #[error("cannot open the journal in `{}`", path.display())]
    Open {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: Box<OpenError>,
    },
    /// A record cannot be written.
    #[error("cannot write to the journal in `{}`", path.display())]
    Append {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: Box<AppendError>,
    },
    /// The lock that says that a run is alive cannot be taken.
    #[error("cannot lock the run in `{}`", path.display())]
    Lock {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: Box<SpanLockError>,
    },
}

impl Drop for State {
    fn drop(&mut self) {
        // A journal that is just being made is not left half made.
        let _ = self.journal();
    }
}

impl State {
    /// Opens or makes a state directory (mode 0700), and begins to open the journal in it. What is wrong with the
    /// journal, its first use tells.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made or reached.
    pub fn open(directory: &Path) -> Result<State, StateError> {
        let fail = |source| StateError::Directory { path: directory.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(fail)?;
        let directory = directory.canonicalize().map_err(fail)?;
        let place = directory.join("journal");
        let beside = thread::Builder::new().spawn(move || Journal::open(&place)).map_err(fail)?;
        Ok(State { directory, journal: Opening::Beside(beside) })
    }

    fn journal(&mut self) -> Result<&mut Journal, StateError> {
        if let Opening::Beside(_) = self.journal
            && let Opening::Beside(beside) = std::mem::replace(&mut self.journal, Opening::Failed)
        {
            let opened = beside.join().map_err(|_| StateError::NotOpen(self.directory.clone()))?;
            let opened = opened.map_err(|source| StateError::Open {
                path: self.directory.clone(),
                source: Box::new(source),
            })?;
            self.journal = Opening::Open(Box::new(opened));
        }
        match &mut self.journal {
            Opening::Open(journal) => Ok(journal),
            Opening::Beside(_) | Opening::Failed => Err(StateError::NotOpen(self.directory.clone())),
        }
    }

    /// Where it is, canonical.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the next part of the journal ready, when nobody waits.
    pub fn rest(&self) {
        if let Opening::Open(journal) = &self.journal {
            // Not being able to now only means that a later append does it, or says why not.
            let _ = journal.prepare_next();
        }
    }

    /// Records what an earlier process left undone: torn writes that were removed, and runs that nobody watches any
    /// more (`lost`).
    pub(crate) fn settle(&mut self, now: SystemTime) -> Result<(), StateError> {
        let at = &humantime::format_rfc3339_micros(now).to_string();
        for recovered in self.journal()?.take_recovered() {
            let payload = record::recovered(at, &recovered);
            self.append(Mark::None, SpanId::NONE, |index| record::indexed(payload, index))?;
        }
        let open = self.journal()?.open_spans().map_err(|source| self.append_error(source))?;
        for span in open.into_iter().map(|open| (open.span, open.opened_at)) {
            let (id, opened_at) = span;
            if SpanLock::is_alive(&self.runs(), id).map_err(|source| self.lock_error(source))? {
                continue;
            }
            self.clear_placeholders(opened_at);
            let payload = record::lost(at, id, opened_at);
            let receipt = self.append(Mark::Close, id, |index| record::indexed(payload.clone(), index));
            match receipt {
                Ok(_) => views::lost(&self.logs(), at, &id.to_string()),
                // Another process was quicker to see it.
                Err(StateError::Append { source, .. }) if matches!(*source, AppendError::Mark { .. }) => {}
                Err(error) => return Err(error),
            }
            SpanLock::clear(&self.runs(), id).map_err(|source| self.lock_error(source))?;
            waxcell_sandbox::clear_groups(&id.to_string(), now);
        }
        waxcell_sandbox::sweep_scratch(&self.scratch_of_all());
        Ok(())
    }

    /// What a run that was lost had made for itself and not used.
    fn clear_placeholders(&self, started_index: u64) {
        let started = waxcell_journal::Reader::from_index(&self.directory.join("journal"), started_index)
            .ok()
            .and_then(|mut reader| reader.next()?.ok());
        if let Some(started) = started {
            placeholders::clear(&record::placeholders_in(&started.payload));
        }
    }

    /// Says that a run is alive for as long as the lock is held.
    pub(crate) fn lock(&self, run: SpanId) -> Result<SpanLock, StateError> {
        SpanLock::hold(&self.runs(), run).map_err(|source| self.lock_error(source))
    }

    /// Appends one record; durable when this returns.
    pub(crate) fn append<P: AsRef<[u8]>>(
        &mut self,
        mark: Mark,
        run: SpanId,
        payload: impl FnOnce(u64) -> P,
    ) -> Result<Receipt, StateError> {
        self.journal()?.append_with(mark, run, payload).map_err(|source| self.append_error(source))
    }

    /// The folder on disk for the scratch space of a run, where it has no file system of its own. Root's script is
    /// another user, who could not pass through root's state.
    pub(crate) fn scratch(&self, run: SpanId) -> PathBuf {
        self.scratch_of_all().join(run.to_string())
    }

    fn scratch_of_all(&self) -> PathBuf {
        if !rustix::process::geteuid().is_root() {
            return self.directory.join("scratch");
        }
        let state = record::hex(&Sha256::digest(self.directory.as_os_str().as_bytes())[..8]);
        Path::new("/var/tmp").join(format!("waxcell-{state}"))
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// For what can be lost.
    pub(crate) fn cache(&self) -> PathBuf {
        self.directory.join("cache")
    }

    fn runs(&self) -> PathBuf {
        self.directory.join("runs")
    }

    fn append_error(&self, source: AppendError) -> StateError {
        StateError::Append { path: self.directory.clone(), source: Box::new(source) }
    }

    fn lock_error(&self, source: SpanLockError) -> StateError {
        StateError::Lock { path: self.directory.clone(), source: Box::new(source) }
    }

    /// SHA-256 of a binary, remembered by everything that tells one version of a file from another.
    pub(crate) fn hash_of_binary(&self, path: &Path) -> io::Result<String> {
        let meta = fs::metadata(path)?;
        let key = format!(
            "{}:{}:{}:{}.{}:{}.{}",
            meta.dev(),
            meta.ino(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec()
        );
        let cache = self.cache();
        let file = cache.join("interpreters.json");
        let mut known: BTreeMap<String, String> =
            fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if let Some(hash) = known.get(&key) {
            return Ok(hash.clone());
        }
        let hash = record::hex(&Sha256::digest(fs::read(path)?));
        // A cache: if it cannot be kept, the next run hashes again.
        let keep = || -> io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&cache)?;
            if known.len() >= 64 {
                known.clear();
            }
            known.insert(key, hash.clone());
            let new = cache.join(format!("interpreters.{}.new", std::process::id()));
            let mut open =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            open.write_all(&serde_json::to_vec(&known)?)?;
            fs::rename(&new, &file)
        };
        let _ = { keep }();
        Ok(hash)
    }
}

//! The state directory: the journal, the locks of running runs, the log views and what is remembered of interpreters.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sha2::{Digest, Sha256};
use waxcell_journal::{
    AppendError, DisclosureError, Disclosures, Journal, Mark, OpenError, OpenSpan, Patience, PublishError,
    Publisher,
};
use waxcell_journal::{Receipt, SpanId, SpanLock, SpanLockError};

use crate::own_files;
use crate::placeholders::{self, Placeholders};
use crate::quarantine;
use crate::record;
use crate::secrets::Secrets;
use crate::views;

/// The folder of the journal, in the state directory.
pub(crate) const JOURNAL: &str = "journal";

/// Where runs are recorded. Nothing of it is made before there is something to record.
#[derive(Debug)]
pub struct State {
    /// As given; canonical once the journal is on its way.
    directory: Option<PathBuf>,
    journal: Opening,
    secrets: Secrets,
    /// How many records are known here to be durable: up to the last of its own.
    durable: u64,
}

/// The journal on its way. Reading what its last segment holds takes as long as finding the policy and the interpreter,
/// so it is read beside.
#[derive(Debug)]
enum Opening {
    NotYet,
    Beside(JoinHandle<Result<Opened, Unopened>>),
    Open(Box<Opened>),
    Failed,
}

#[derive(Debug)]
struct Opened {
    publisher: Publisher,
    journal: Journal,
}

#[derive(Debug)]
enum Unopened {
    Journal(OpenError),
    Publisher(PublishError),
}

impl Opened {
    fn at(place: &Path) -> Result<Opened, Unopened> {
        let host = rustix::system::uname();
        // First what was signed, then what there is: records that others append meanwhile cannot be missing.
        let publisher =
            Publisher::open(place, &host.nodename().to_string_lossy()).map_err(Unopened::Publisher)?;
        let signed = publisher.signed().map_err(Unopened::Publisher)?;
        let journal = Journal::open(place).map_err(Unopened::Journal)?;
        let records = journal.next_index();
        if records < signed {
            return Err(Unopened::Publisher(PublishError::Shrunk { records, signed }));
        }
        Ok(Opened { publisher, journal })
    }
}

/// The record could not be read or written: then nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is no directory for it.
    #[error("no place to record runs")]
    NoPlace,
    /// The directory cannot be made or used.
    #[error("cannot use state directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no directory, or others could change it under our hands.
    #[error("state directory `{}` {what}", path.display())]
    Unfit {
        /// The directory.
        path: PathBuf,
        /// What is the matter with it.
        what: &'static str,
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
    /// What is kept apart from a record cannot be written.
    #[error("cannot write what is kept apart from the journal in `{}`", path.display())]
    Apart {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: Box<DisclosureError>,
    },
    /// The journal was not signed, or what was signed is not what it holds.
    #[error("cannot sign the journal in `{}`", path.display())]
    Publish {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: Box<PublishError>,
    },
    /// The witnesses have not seen what is on record for too long, and do not answer now.
    #[error("nothing runs in `{}` that no witness sees{silent}", path.display())]
    Unseen {
        /// The state directory.
        path: PathBuf,
        /// Who does not answer, and why.
        silent: String,
        /// What is demanded.
        source: Box<PublishError>,
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
        if let Opening::Beside(_) = self.journal {
            let _ = self.journal();
        }
    }
}

impl StateError {
    /// What to do about it.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            StateError::NoPlace => Some("set HOME, XDG_STATE_HOME or WAXCELL_STATE, or use --state DIR"),
            StateError::Unfit { .. } => Some(
                "name a directory of your own with --state DIR or WAXCELL_STATE; only you may write to it (`chmod go-w`)",
            ),
            StateError::Open { source, .. } if matches!(**source, OpenError::Corrupt(_)) => Some(
                "`waxcell audit verify` lists what is wrong; keep the directory, it is evidence, and record elsewhere with --state DIR or WAXCELL_STATE, or begin another log beside it with `waxcell audit recover --accept-loss`",
            ),
            StateError::Publish { source, .. } if source.is_evidence() => Some(
                "keep the directory, it is evidence, and record elsewhere with --state DIR or WAXCELL_STATE, or begin another log beside it with `waxcell audit recover --accept-loss`",
            ),
            StateError::Unseen { .. } => Some(
                "bring a witness back, or ask for less with `waxcell audit witness set FILE --require-within SECONDS`",
            ),
            StateError::Directory { .. }
            | StateError::Publish { .. }
            | StateError::Open { .. }
            | StateError::Append { .. }
            | StateError::Apart { .. }
            | StateError::Lock { .. } => Some(
                "nothing runs that cannot be recorded: put that right, or name another directory with --state DIR or WAXCELL_STATE",
            ),
            StateError::NotOpen(_) => None,
        }
    }
}

impl State {
    /// A state directory; `None`: the caller has no place for one. If it is there, its journal begins to open; what is
    /// wrong with either, the first use tells.
    pub fn at(directory: Option<PathBuf>) -> State {
        let is_there = directory.as_deref().is_some_and(Path::is_dir);
        let mut state =
            State { directory, journal: Opening::NotYet, secrets: Secrets::default(), durable: 0 };
        if is_there {
            let _ = state.begin();
        }
        state
    }

    /// Makes the directory (mode 0700) if it is missing, and begins to open the journal in it.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made, or is not ours alone to write to.
    pub(crate) fn begin(&mut self) -> Result<(), StateError> {
        let Opening::NotYet = self.journal else { return Ok(()) };
        let given = self.directory.as_deref().ok_or(StateError::NoPlace)?;
        let fail = |source| StateError::Directory { path: given.to_owned(), source };
        let unfit = |what| StateError::Unfit { path: given.to_owned(), what };
        // What is refused is not made first.
        let above = given.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
        if above.as_deref().is_some_and(lies_open) {
            return Err(unfit(LIES_OPEN));
        }
        match fs::DirBuilder::new().recursive(true).mode(0o700).create(given) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(unfit("is not a directory"));
            }
            made => made.map_err(fail)?,
        }
        let directory = given.canonicalize().map_err(fail)?;
        if let Some(what) = not_ours(&fs::metadata(&directory).map_err(fail)?) {
            return Err(unfit(what));
        }
        // Elsewhere than where it is named, if the name is a link.
        if directory.parent() != above.as_deref() && directory.parent().is_some_and(lies_open) {
            return Err(unfit(LIES_OPEN));
        }
        let place = directory.join(JOURNAL);
        let beside = thread::Builder::new().spawn(move || Opened::at(&place)).map_err(fail)?;
        self.journal = Opening::Beside(beside);
        self.directory = Some(directory);
        Ok(())
    }

    fn journal(&mut self) -> Result<&mut Journal, StateError> {
        self.begin()?;
        if let Opening::Beside(_) = self.journal
            && let Opening::Beside(beside) = std::mem::replace(&mut self.journal, Opening::Failed)
        {
            let opened = beside.join().map_err(|_| StateError::NotOpen(self.directory().to_owned()))?;
            let opened = opened.map_err(|unopened| match unopened {
                Unopened::Journal(source) => {
                    StateError::Open { path: self.directory().to_owned(), source: Box::new(source) }
                }
                Unopened::Publisher(source) => self.publish_error(source),
            })?;
            self.journal = Opening::Open(Box::new(opened));
        }
        match &mut self.journal {
            Opening::Open(opened) => Ok(&mut opened.journal),
            _ => Err(StateError::NotOpen(self.directory.clone().unwrap_or_default())),
        }
    }

    /// Whether the journal is open or on its way.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.journal, Opening::Open(_) | Opening::Beside(_))
    }

    /// Where it is; canonical once it is open.
    pub fn directory(&self) -> &Path {
        self.directory.as_deref().unwrap_or(Path::new(""))
    }

    /// Signs and publishes what was recorded here, has it cosigned, and makes the next part of the journal ready: when
    /// nobody waits. Gives what witnesses claim against the journal and do not show.
    ///
    /// # Errors
    ///
    /// When that could not be published, in which case it is durable all the same, and the next run publishes it; or when
    /// a witness has shown that there is another log with this name and key.
    pub fn rest(&self) -> Result<Vec<String>, StateError> {
        let Opening::Open(opened) = &self.journal else { return Ok(Vec::new()) };
        // Not being able to now only means that a later append does it, or says why not.
        let _ = opened.journal.prepare_next();
        if self.durable == 0 {
            return Ok(Vec::new());
        }
        let cosigned = opened.publisher.publish(self.durable).and_then(|_| cosign(&opened.publisher, false));
        cosigned.map(|round| round.claims).map_err(|source| self.publish_error(source))
    }

    /// Signs all that is on record, and has it cosigned. Gives how many records a quorum of witnesses has cosigned, where
    /// one is asked for.
    pub(crate) fn sign_all(&mut self) -> Result<Option<u64>, StateError> {
        let records = self.journal()?.durable().map_err(|source| self.append_error(source))?;
        let Opening::Open(opened) = &self.journal else { return Ok(None) };
        let signed = opened.publisher.publish(records).and_then(|_| cosign(&opened.publisher, false));
        signed.and_then(|_| opened.publisher.cosigned_records()).map_err(|source| self.publish_error(source))
    }

    /// The spans that are open: runs that go on, or wait to be found lost.
    pub(crate) fn open_spans(&mut self) -> Result<Vec<OpenSpan>, StateError> {
        let open = self.journal()?.open_spans();
        open.map_err(|source| self.append_error(source))
    }

    /// Makes sure that witnesses have seen the record lately, if its owner asks for that; asks them once more where they
    /// have not.
    pub(crate) fn witnessed(&mut self, now: SystemTime) -> Result<(), StateError> {
        self.journal()?;
        let Opening::Open(opened) = &mut self.journal else { return Ok(()) };
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let demanded = opened.publisher.demand_witnesses(opened.journal.next_index(), now);
        if !demanded.as_ref().is_err_and(PublishError::is_unseen) {
            return demanded.map_err(|source| self.publish_error(source));
        }
        let mut silent = String::new();
        let seen = match opened.journal.durable() {
            Err(source) => return Err(self.append_error(source)),
            Ok(records) => opened.publisher.publish(records).and_then(|_| {
                let round = cosign(&opened.publisher, true)?;
                silent = round.silent.iter().chain(&round.claims).map(|one| format!("; {one}")).collect();
                opened.publisher.demand_witnesses(records, now)
            }),
        };
        seen.map_err(|source| {
            if source.is_unseen() {
                StateError::Unseen { path: self.directory().to_owned(), silent, source: Box::new(source) }
            } else {
                self.publish_error(source)
            }
        })
    }

    /// Records what an earlier process left undone: torn writes that were removed, and runs that nobody watches any
    /// more (`lost`). `own` is the lock of the run that begins, if it has one.
    pub(crate) fn settle(&mut self, now: SystemTime, own: Option<&SpanLock>) -> Result<(), StateError> {
        let at = &humantime::format_rfc3339_micros(now).to_string();
        for recovered in self.journal()?.take_recovered() {
            let payload = record::recovered(at, &recovered);
            self.record(Mark::None, SpanId::NONE, payload)?;
        }
        let runs = self.runs();
        let pause = SpanLock::pause(&runs).map_err(|source| self.lock_error(source))?;
        // What one run made another may be using by now; then a later start clears it away.
        let alone = !pause.others(own).map_err(|source| self.lock_error(source))?;
        let open = self.journal()?.open_spans();
        let open = open.map_err(|source| self.append_error(source))?;
        for span in open.into_iter().map(|open| (open.span, open.opened_at)) {
            let (id, opened_at) = span;
            if SpanLock::is_alive(&self.runs(), id).map_err(|source| self.lock_error(source))? {
                continue;
            }
            if alone {
                self.clear_placeholders(opened_at);
            }
            let payload = record::lost(at, id, opened_at);
            match self.record(Mark::Close, id, payload) {
                Ok(_) => views::lost(self, at, &id.to_string()),
                // Another process was quicker to see it.
                Err(StateError::Append { source, .. }) if matches!(*source, AppendError::Mark { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // Also what died before it was on record: it may have made the places that a script would write to.
        for (id, note) in pause.left().map_err(|source| self.lock_error(source))? {
            if !note.is_empty() && !alone {
                continue;
            }
            placeholders::clear(&placeholders::of_note(&note));
            // Whoever is still dying keeps its group from going; then the next start looks again.
            if waxcell_sandbox::clear_groups(&id.to_string(), now) {
                SpanLock::clear(&runs, id).map_err(|source| self.lock_error(source))?;
            }
        }
        waxcell_sandbox::sweep_scratch(&self.scratch_of_all());
        quarantine::settle(self);
        Ok(())
    }

    /// What a run that was lost had made for itself and not used.
    fn clear_placeholders(&self, started_index: u64) {
        let started = waxcell_journal::Reader::from_index(&self.journal_folder(), started_index)
            .ok()
            .and_then(|mut reader| reader.next()?.ok());
        if let Some(started) = started {
            let started = record::read_record(self.directory(), &started.payload);
            placeholders::clear(&record::placeholders_in(&started));
        }
    }

    /// Says that a run is alive for as long as the lock is held.
    pub(crate) fn lock(&self, run: SpanId) -> Result<SpanLock, StateError> {
        SpanLock::hold(&self.runs(), run).map_err(|source| self.lock_error(source))
    }

    /// Says what is to be cleared away if the run dies before it is on record.
    pub(crate) fn note(&self, alive: &SpanLock, to_be_made: &[PathBuf]) -> Result<(), StateError> {
        if to_be_made.is_empty() {
            return Ok(());
        }
        alive.note(&placeholders::to_note(to_be_made)).map_err(|source| self.lock_error(source))
    }

    /// The run is over: what it made and nobody used goes; or stays for a later start, if another run is going on that
    /// may have found it there.
    pub(crate) fn clear_away(&self, mut placeholders: Placeholders, alive: Option<&mut SpanLock>) {
        let Some(alive) = alive.filter(|_| !placeholders.all().is_empty()) else { return };
        let pause = SpanLock::pause(&self.runs());
        // What cannot be told stays: an empty folder too many is no harm.
        let alone = pause.as_ref().is_ok_and(|pause| pause.others(Some(alive)).is_ok_and(|others| !others));
        if !alone {
            let _ = alive.leave(&placeholders::to_note(&placeholders.hand_over()));
        }
        // Before the pause is over.
        drop(placeholders);
    }

    /// What is kept out of all that is written from here on.
    pub(crate) fn keep_secret(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// Appends one record; durable when this returns. What is kept apart from it, and what is too long for it, is durable
    /// before.
    pub(crate) fn record(&mut self, mark: Mark, run: SpanId, record: Value) -> Result<Receipt, StateError> {
        self.journal()?;
        let (mut record, texts) = record::seal(record, &self.secrets);
        let disclosures = Disclosures::of_journal(&self.journal_folder());
        let mut kept = None;
        if !texts.is_empty() {
            match disclosures.put(run, &texts) {
                Ok(name) => kept = Some(name),
                // That a run ended is told even if what is kept apart is lost.
                Err(_) if mark == Mark::Close => record["disclosures_left_out"] = texts.len().into(),
                Err(source) => {
                    let path = self.directory().to_owned();
                    return Err(StateError::Apart { path, source: Box::new(source) });
                }
            }
        }
        let record = record::fitted(record, &self.journal_folder());
        let appended = self.journal()?.append_with(mark, run, |index| record::indexed(record, index));
        if let (Err(_), Some(name)) = (&appended, kept) {
            let _ = disclosures.withdraw(&name);
        }
        let receipt = appended.map_err(|source| self.append_error(source))?;
        self.durable = receipt.index() + 1;
        Ok(receipt)
    }

    /// The folder on disk for the scratch space of a run, where it has no file system of its own. Root's script is
    /// another user, who could not pass through root's state.
    pub(crate) fn scratch(&self, run: SpanId) -> PathBuf {
        self.scratch_of_all().join(run.to_string())
    }

    fn scratch_of_all(&self) -> PathBuf {
        if !rustix::process::geteuid().is_root() {
            return self.directory().join("scratch");
        }
        let state = record::hex(&Sha256::digest(self.directory().as_os_str().as_bytes())[..8]);
        Path::new("/var/tmp").join(format!("waxcell-{state}"))
    }

    /// Where layers of runs wait. Nothing of it is made before there is one.
    pub(crate) fn quarantine(&self) -> PathBuf {
        self.directory().join("quarantine")
    }

    fn journal_folder(&self) -> PathBuf {
        self.directory().join(JOURNAL)
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.directory().join("logs")
    }

    /// For what can be lost.
    pub(crate) fn cache(&self) -> PathBuf {
        self.directory().join("cache")
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.directory().join("runs")
    }

    fn append_error(&self, source: AppendError) -> StateError {
        StateError::Append { path: self.directory().to_owned(), source: Box::new(source) }
    }

    fn publish_error(&self, source: PublishError) -> StateError {
        StateError::Publish { path: self.directory().to_owned(), source: Box::new(source) }
    }

    fn lock_error(&self, source: SpanLockError) -> StateError {
        StateError::Lock { path: self.directory().to_owned(), source: Box::new(source) }
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
        let file = self.cache().join("interpreters.json");
        let mut known: BTreeMap<String, String> = own_files::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        if let Some(hash) = known.get(&key) {
            return Ok(hash.clone());
        }
        let hash = hash_of_file(path)?;
        if known.len() >= 64 {
            known.clear();
        }
        known.insert(key, hash.clone());
        // A cache: if it cannot be kept, the next run hashes again.
        let _ = serde_json::to_vec(&known).map(|text| own_files::replace(&file, &text));
        Ok(hash)
    }
}

/// So long witnesses have to answer: longer than it takes, and not so long that anybody who waits for this process minds.
const ASKING: Duration = Duration::from_secs(2);

/// Asks the witnesses for their signatures; also those that were silent lately, if everything depends on it.
fn cosign(publisher: &Publisher, insists: bool) -> Result<waxcell_witness::Round, PublishError> {
    let mut round = waxcell_witness::ask(publisher, Patience { longest: ASKING, insists })?;
    round.evidence.pop().map_or(Ok(round), |path| Err(PublishError::Evidence(path)))
}

/// Far above any interpreter, and hashed in a few seconds.
const LARGEST_BINARY: u64 = 1 << 30;

/// In a folder of this mode only the owner of what is in it renames it.
const STICKY: u32 = 0o1000;

/// Whoever may rename what is in the directory decides what is on record.
fn not_ours(directory: &fs::Metadata) -> Option<&'static str> {
    let (owner, mode) = (directory.uid(), directory.mode());
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Some("belongs to somebody else");
    }
    (mode & 0o022 != 0 && mode & STICKY == 0).then_some("can be written to by others")
}

const LIES_OPEN: &str = "lies in a folder in which anybody can put another into its place";

/// Whether just anybody may rename a folder or one above it. Those that belong to somebody else, or to a group, were
/// chosen by whoever named them.
fn lies_open(folder: &Path) -> bool {
    let mut modes = folder.ancestors().filter_map(|folder| fs::metadata(folder).ok()).map(|meta| meta.mode());
    modes.any(|mode| mode & 0o002 != 0 && mode & STICKY == 0)
}

/// Piece by piece: an interpreter is whatever the policy names, and that can be large.
fn hash_of_file(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    if size > LARGEST_BINARY {
        return Err(io::Error::other(format!("{size} bytes are no interpreter's")));
    }
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(record::hex(&hash.finalize())),
            read => hash.update(&piece[..read]),
        }
    }
}

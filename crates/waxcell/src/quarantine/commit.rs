//! Committing a run, in one step for whoever looks later: all of it or nothing, whenever the process dies.
//!
//! | what is on the disk | after a crash |
//! |---|---|
//! | no intent | nothing was begun |
//! | an intent without a record | what was put beside the files is removed: nothing has happened |
//! | an intent with a record | the rest is done, whatever was done before; then the record is written, unless it is there |
//!
//! The next command about quarantine, or the next run, does so.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::io::Errno;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waxcell_journal::{Mark, Reader, SpanId};

use super::copy::Copied;
use super::error::{Blocker, CHANGED, LINK, QuarantineError};
use super::name::shown;
use super::place::Place;
use super::sealed::{Sealed, What};
use super::store::{Intent, Store};
use super::unit::{Failed, Unit, Why, check, open, units};
use crate::record::{self, hex};
use crate::report::RecordProof;
use crate::run::Caller;
use crate::secrets::Secrets;
use crate::state::State;

/// What was done about a run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Done {
    /// The run.
    pub run: String,
    /// How many changes it wanted.
    pub changes: u64,
    /// Where that stands in the journal.
    pub record: RecordProof,
    /// What was put aside on the host and could not be removed: paths, escaped.
    pub left: Vec<String>,
}

/// Where a commit can die. Tests let it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Begun,
    Staged(usize),
    Synchronised,
    Decided,
    /// Of a unit that takes several steps one is done.
    Between(usize),
    Applied(usize),
    Done,
    Recorded,
    Hidden,
}

/// Told of each step; in a test it dies there.
pub(super) type Crash<'c> = &'c mut dyn FnMut(Step);

/// What somebody has decided.
pub(super) struct Order<'a> {
    pub(super) run: &'a str,
    pub(super) caller: &'a Caller,
    pub(super) allow_links: bool,
    pub(super) now: SystemTime,
}

/// Paths that a record names; `changes_sha256` is about all of them.
const MOST_NAMED: usize = 1000;

/// Commits a run: what it wrote takes the place of what is there.
///
/// # Errors
///
/// When there is no such run, when something about it keeps it from being committed (nothing has changed then), and when
/// a step of it fails.
pub fn commit(
    state: &mut State,
    prefix: &str,
    caller: &Caller,
    allow_links: bool,
    now: SystemTime,
) -> Result<Done, QuarantineError> {
    let Some(store) = Store::open(state, true)? else { return Err(QuarantineError::None(prefix.to_owned())) };
    super::recover(&store, state)?;
    let run = store.find(prefix)?;
    let sealed = sealed(&store, &run)?;
    state.keep_secret(Secrets::of(&caller.env, &[]));
    let order = Order { run: &run, caller, allow_links, now };
    story(&store, state, &order, &sealed, &mut |_| {})
}

/// What a run left, if it is over.
pub(super) fn sealed(store: &Store, run: &str) -> Result<Sealed, QuarantineError> {
    let folder = store.folder(run);
    match Sealed::read(&folder).map_err(|source| QuarantineError::Io { path: folder, source })? {
        Some(sealed) => Ok(sealed),
        None if store.is_running(run) => Err(QuarantineError::Running(run.to_owned())),
        None => Err(QuarantineError::Lost(run.to_owned())),
    }
}

pub(super) fn story(
    store: &Store,
    state: &mut State,
    order: &Order<'_>,
    sealed: &Sealed,
    crash: Crash<'_>,
) -> Result<Done, QuarantineError> {
    let run = order.run;
    if let Some(why) = &sealed.head.partly {
        return Err(QuarantineError::Partly { run: run.to_owned(), why: why.clone() });
    }
    let (blockers, beyond) = blockers(sealed, order.allow_links);
    if !blockers.is_empty() {
        return Err(QuarantineError::Refused(blockers, beyond));
    }

    // Until it is decided, everything that is done can be taken back, and is if anything fails.
    store.write_intent(&Intent { run: run.to_owned(), record: None })?;
    crash(Step::Begun);
    let mut list = List::default();
    if let Err(error) = stage(store, run, sealed, &mut list, crash) {
        super::recover(store, state)?;
        return Err(error);
    }

    // From here on it is done to the end.
    let at = humantime::format_rfc3339_micros(order.now).to_string();
    let fields = list.fields(sealed.head.changes);
    let record = record::operator(&at, span(run), "commit", order.caller, fields);
    store.write_intent(&Intent { run: run.to_owned(), record: Some(record.clone()) })?;
    crash(Step::Decided);
    finish(store, state, run, sealed, record, false, crash)
}

pub(super) fn span(run: &str) -> SpanId {
    SpanId::from_hex(run).unwrap_or(SpanId::NONE)
}

/// Everything that keeps a run from being committed: so many of it, and how many more there are.
pub(super) fn blockers(sealed: &Sealed, allow_links: bool) -> (Vec<Blocker>, u64) {
    const MOST: usize = 1000;
    let (mut blockers, mut beyond) = (Vec::new(), 0);
    let mut add = |path: PathBuf, why: &str| {
        if blockers.len() < MOST {
            blockers.push(Blocker { path: shown(path.as_os_str()), why: why.to_owned() });
        } else {
            beyond += 1;
        }
    };
    for tree in &sealed.trees {
        for (at, node) in tree.nodes.iter().enumerate() {
            match (&node.refused, &node.what) {
                (Some(why), _) => add(tree.absolute(at), why),
                (None, What::Link) if !allow_links => add(tree.absolute(at), LINK),
                _ => {}
            }
        }
    }
    check(sealed, &mut |tree, node| {
        let tree = &sealed.trees[tree];
        // Those that have a reason have been named.
        if node.is_some_and(|node| tree.nodes[node].refused.is_some()) {
            return;
        }
        add(node.map_or(tree.top.path.as_path().to_owned(), |node| tree.absolute(node)), CHANGED);
    });
    (blockers, beyond)
}

fn stage(
    store: &Store,
    run: &str,
    sealed: &Sealed,
    list: &mut List,
    crash: Crash<'_>,
) -> Result<(), QuarantineError> {
    let folder = store.folder(run);
    let mut hosts = Hosts::new(sealed);
    for (number, unit) in units(run, sealed).into_iter().enumerate() {
        let staged =
            hosts.of(&unit).and_then(|host| unit.stage(&folder, host, &mut |copied| list.add(copied)));
        staged.map_err(not_begun)?;
        crash(Step::Staged(number));
    }
    hosts.sync().map_err(not_begun)?;
    crash(Step::Synchronised);
    Ok(())
}

fn not_begun(Failed { path, why }: Failed) -> QuarantineError {
    match why {
        Why::Changed => {
            let blocker = Blocker { path: shown(path.as_os_str()), why: CHANGED.to_owned() };
            QuarantineError::Refused(vec![blocker], 0)
        }
        Why::Io(source) => QuarantineError::Beside { path, source },
    }
}

/// Does what is decided, from wherever it has come to.
pub(super) fn finish(
    store: &Store,
    state: &mut State,
    run: &str,
    sealed: &Sealed,
    record: Value,
    is_late: bool,
    crash: Crash<'_>,
) -> Result<Done, QuarantineError> {
    let half = |Failed { path, why }: Failed| {
        let why = match why {
            Why::Changed => "is neither as it was nor as it is to be".to_owned(),
            Why::Io(error) => error.to_string(),
        };
        QuarantineError::Half { run: run.to_owned(), path, why }
    };
    let mut hosts = Hosts::new(sealed);
    let mut left = Vec::new();
    for (number, unit) in units(run, sealed).into_iter().enumerate() {
        let mut between = || crash(Step::Between(number));
        let applied =
            hosts.of(&unit).and_then(|host| unit.apply(host, is_late, &mut between)).map_err(half)?;
        left.extend(applied.err().map(|failed| shown(failed.path.as_os_str())));
        crash(Step::Applied(number));
    }
    hosts.sync().map_err(half)?;
    crash(Step::Done);
    // Crash before the record: it is written by whoever comes next. Crash behind it: it is found, and not written again.
    let proof = match is_late.then(|| recorded(state, run)).flatten() {
        Some(proof) => proof,
        None => {
            let receipt = state.record(Mark::None, span(run), record)?;
            RecordProof::of(&receipt)
        }
    };
    crash(Step::Recorded);
    store.hide(run)?;
    crash(Step::Hidden);
    store.remove_intent()?;
    store.sweep();
    Ok(Done { run: run.to_owned(), changes: sealed.head.changes, record: proof, left })
}

/// The record of a commit, if it is in the journal.
fn recorded(state: &State, run: &str) -> Option<RecordProof> {
    let reader = Reader::open(&state.directory().join("journal")).ok()?;
    let mut records = reader.flatten().filter(|record| record.span == span(run));
    records.find_map(|record| {
        let value: Value = serde_json::from_slice(&record.payload).ok()?;
        let is_it = value["type"] == "operator" && value["action"] == "commit";
        is_it.then(|| RecordProof { index: record.index, leaf_hash: hex(&record.leaf_hash) })
    })
}

/// The anchors of a run on the host. Units of one come one after the other, so the last one is held open.
pub(super) struct Hosts<'s> {
    sealed: &'s Sealed,
    last: Option<(usize, Place)>,
}

impl<'s> Hosts<'s> {
    pub(super) fn new(sealed: &'s Sealed) -> Hosts<'s> {
        Hosts { sealed, last: None }
    }

    pub(super) fn of(&mut self, unit: &Unit<'_>) -> Result<&Place, Failed> {
        let place = match self.last.take().filter(|(tree, _)| *tree == unit.tree) {
            Some((_, place)) => place,
            None => self.open(unit.tree)?,
        };
        Ok(&self.last.insert((unit.tree, place)).1)
    }

    fn open(&self, tree: usize) -> Result<Place, Failed> {
        open(&self.sealed.trees[tree]).map_err(|errno| self.failed(tree, errno))
    }

    fn failed(&self, tree: usize, errno: Errno) -> Failed {
        let path = self.sealed.trees[tree].top.path.as_path().to_owned();
        Failed { path, why: Why::Io(errno.into()) }
    }

    /// Everything that was done to them is on the disk when this returns.
    fn sync(&self) -> Result<(), Failed> {
        (0..self.sealed.trees.len()).try_for_each(|tree| {
            let synchronised = self.open(tree)?.listed(Path::new("")).and_then(rustix::fs::syncfs);
            synchronised.map_err(|errno| self.failed(tree, errno))
        })
    }
}

/// What was committed, for the record.
#[derive(Default)]
struct List {
    paths: Vec<Value>,
    beyond: u64,
    hash: Sha256,
}

impl List {
    fn add(&mut self, copied: Copied) {
        let Copied { path, change, size, sha256 } = copied;
        let hash = sha256.as_deref().unwrap_or("-");
        self.hash.update(format!("{} {hash} ", change.name()));
        self.hash.update(path.as_os_str().as_encoded_bytes());
        self.hash.update(b"\0");
        if self.paths.len() == MOST_NAMED {
            self.beyond += 1;
            return;
        }
        let shown = path.to_string_lossy();
        self.paths.push(json!({
            "path": shown,
            "path_hex": record::not_text([path.as_os_str()].into_iter()),
            "change": change.name(),
            "size": size,
            "sha256": sha256,
        }));
    }

    fn fields(self, changes: u64) -> Value {
        json!({
            "changes": changes,
            "paths": self.paths,
            "paths_beyond": self.beyond,
            "changes_sha256": hex(&self.hash.finalize()),
        })
    }
}

//! What waits, for people and programs.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use waxcell_sandbox::{LAYER_PARTS, PathMap};

use super::base::{Base, Facts, Kind};
use super::diff::{LARGEST, Line, diff};
use super::error::{CHANGED, LINK, QuarantineError};
use super::looked::Looked;
use super::name::shown;
use super::place::Place;
use super::sealed::{Deed, Head, Node, Sealed, Tree, What};
use super::store::Store;
use super::survey::target;
use super::unit::{check, open};
use crate::record;
use crate::state::State;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is over, and what it wrote waits for a decision.
    Waiting,
    /// It is going on.
    Running,
    /// Its supervisor died; it can only be discarded.
    Lost,
    /// A commit of it was begun and could not be finished.
    HalfCommitted,
}

/// A run in quarantine.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// Its name.
    pub run: String,
    /// Where it stands.
    pub state: Standing,
    /// When its script was started: RFC 3339, UTC.
    pub started: Option<String>,
    /// How many changes it wants, once it is over.
    pub changes: Option<u64>,
    /// Why these are not all, if they are not.
    pub partly: Option<String>,
    /// The script; bytes that are no text are escaped, here and in all paths.
    pub script: Option<String>,
    /// The root of its project.
    pub project: Option<String>,
}

/// One change that a run wants.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Path on the host.
    pub path: String,
    /// Its bytes in hexadecimal, where they are no text; under `0`.
    pub path_hex: Value,
    /// What is to become of it. `kept`: nothing, but it keeps the run from being committed.
    pub change: &'static str,
    /// What it will be, or what goes: `file`, `folder`, `link`, or else.
    pub kind: String,
    /// Size in bytes, of a file.
    pub size: Option<u64>,
    /// Its size before.
    pub size_before: Option<u64>,
    /// Permission bits, of what is neither a link nor gone.
    pub mode: Option<u32>,
    /// Its mode before.
    pub mode_before: Option<u32>,
    /// Where a link leads.
    pub target: Option<String>,
    /// Why it cannot be committed, if so.
    pub refused: Option<String>,
    /// What of its lines is another: of texts that are not large.
    #[serde(skip)]
    pub lines: Option<Vec<Line>>,
}

/// Everything that waits, the oldest first.
///
/// # Errors
///
/// When the state directory cannot be used, and when a commit that was begun cannot be finished.
pub fn list(state: &mut State) -> Result<Vec<Waiting>, QuarantineError> {
    let Some(store) = Store::open(state, true)? else { return Ok(Vec::new()) };
    // What is stuck is shown as such.
    let _ = super::recover(&store, state);
    store.names()?.iter().map(|run| waiting(&store, run)).collect()
}

fn waiting(store: &Store, run: &str) -> Result<Waiting, QuarantineError> {
    // One that is damaged is listed with the others, so that it can be discarded.
    let (head, damage) = match Sealed::read_head(&store.folder(run)) {
        Ok(head) => (head, None),
        Err(error) => (None, Some(format!("the list of its changes cannot be read: {error}"))),
    };
    let note = store.note(run).ok();
    let is_begun = store.intent()?.is_some_and(|intent| intent.run == run);
    let standing = match &head {
        _ if is_begun => Standing::HalfCommitted,
        Some(_) => Standing::Waiting,
        None if store.is_running(run) => Standing::Running,
        None => Standing::Lost,
    };
    Ok(Waiting {
        run: run.to_owned(),
        state: standing,
        started: note.as_ref().map(|note| note.at.clone()),
        changes: head.as_ref().map(|head| head.changes),
        partly: head.and_then(|head| head.partly).or(damage),
        script: note.as_ref().map(|note| note.script.clone()),
        project: note.map(|note| note.project),
    })
}

/// Shows what a run wants: each change in turn, a folder before what lies in it.
///
/// # Errors
///
/// When there is no such run, and when something of it cannot be read.
pub fn show(
    state: &mut State,
    prefix: &str,
    with_lines: bool,
    each: &mut dyn FnMut(Change),
) -> Result<Waiting, QuarantineError> {
    let Some(store) = Store::open(state, true)? else { return Err(QuarantineError::None(prefix.to_owned())) };
    let _ = super::recover(&store, state);
    let run = store.find(prefix)?;
    let waiting = waiting(&store, &run)?;
    let folder = store.folder(&run);
    let sealed = match waiting.state {
        Standing::Running => return Err(QuarantineError::Running(run)),
        Standing::Lost => unsealed(&store, &run)?,
        Standing::Waiting | Standing::HalfCommitted => super::commit::sealed(&store, &run)?,
    };
    let mut changed = BTreeSet::new();
    check(&sealed, &mut |tree, node| {
        changed.insert((tree, node));
    });
    for (number, tree) in sealed.trees.iter().enumerate() {
        let host = open(tree).ok();
        for (at, node) in tree.nodes.iter().enumerate() {
            let is_changed = [Some(at), None].iter().any(|node| changed.contains(&(number, *node)));
            let refused = match &node.refused {
                Some(why) => Some(why.clone()),
                None if is_changed => Some(CHANGED.to_owned()),
                None => None,
            };
            if node.deed() != Deed::Keep || refused.is_some() {
                let shown = Shown { folder: &folder, sealed: &sealed, tree, at, host: host.as_ref() };
                each(shown.change(node, refused, with_lines));
            }
        }
    }
    Ok(waiting)
}

/// One change, and where it can be looked at.
struct Shown<'a> {
    folder: &'a Path,
    sealed: &'a Sealed,
    tree: &'a Tree,
    at: usize,
    host: Option<&'a Place>,
}

impl Shown<'_> {
    fn change(&self, node: &Node, refused: Option<String>, with_lines: bool) -> Change {
        let path = self.tree.absolute(self.at);
        let before: Option<&Facts> = match &node.base {
            Base::There(facts) => Some(facts),
            Base::Absent => None,
        };
        let kind = match &node.what {
            What::Folder { .. } => "folder".to_owned(),
            What::File { .. } => "file".to_owned(),
            What::Link => "link".to_owned(),
            What::Other(kind) => kind.clone(),
            What::Nothing => before.map_or("", |before| before.kind.name()).to_owned(),
        };
        let layer = self.layer(node);
        let target = match (&node.what, &layer) {
            (What::Link, Some((layer, path))) => target(layer, path).ok(),
            _ => None,
        };
        let lines = || self.lines(node, before, layer.as_ref());
        Change {
            path: shown(path.as_os_str()),
            path_hex: record::not_text([path.as_os_str()].into_iter()),
            change: node.deed().name(),
            kind,
            size: if let What::File { size } = node.what { Some(size) } else { None },
            size_before: before.filter(|before| before.kind == Kind::File).map(|before| before.size),
            mode: matches!(node.what, What::File { .. } | What::Folder { .. }).then_some(node.mode),
            mode_before: before.filter(|before| before.kind != Kind::Link).map(|before| before.mode),
            target: target.map(|target| shown(&target)),
            refused: refused
                .or_else(|| (node.what == What::Link).then(|| format!("{LINK}, and needs --allow-links"))),
            lines: if with_lines { lines() } else { None },
        }
    }

    fn layer(&self, node: &Node) -> Option<(Place, PathBuf)> {
        let ground = self.sealed.grounds.get(node.ground? as usize)?;
        let layer = Place::open(&self.folder.join(&ground.layer).join(LAYER_PARTS[0])).ok()?;
        Some((layer, ground.in_layer(&self.tree.path(self.at)).to_owned()))
    }

    fn lines(
        &self,
        node: &Node,
        before: Option<&Facts>,
        layer: Option<&(Place, PathBuf)>,
    ) -> Option<Vec<Line>> {
        let text = |place: &Place, path: &Path| {
            let mut text = Vec::new();
            place.file(path).ok()?.take(LARGEST + 1).read_to_end(&mut text).ok()?;
            (text.len() as u64 <= LARGEST).then_some(text)
        };
        let was_file = before.is_some_and(|before| before.kind == Kind::File);
        let old = if was_file { text(self.host?, &self.tree.path(self.at))? } else { Vec::new() };
        let new = match &node.what {
            What::File { .. } => {
                let (layer, path) = layer?;
                text(layer, path)?
            }
            What::Nothing if was_file => Vec::new(),
            _ => return None,
        };
        diff(&old, &new)
    }
}

/// What a run has left that nobody has sealed.
fn unsealed(store: &Store, run: &str) -> Result<Sealed, QuarantineError> {
    let folder = store.folder(run);
    let io = |source| QuarantineError::Io { path: folder.clone(), source };
    let grounds = store.note(run).map_err(io)?.into_grounds();
    let looked = Looked::into(&folder, &grounds, None, &PathMap::default(), &[]).map_err(io)?;
    let head = Head { changes: looked.changes(), partly: looked.partly };
    Ok(Sealed { head, grounds, trees: looked.trees })
}

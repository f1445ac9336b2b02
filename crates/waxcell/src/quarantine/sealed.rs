//! What a run left in its layers, as it is kept until somebody decides: written once, when the run is over, and never
//! changed. One JSON value a line: what is said of the whole, the grounds, then each tree with its nodes.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::base::{Base, Facts, Kind, MODE};
use super::name::Name;

/// All of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) head: Head,
    pub(super) grounds: Vec<Ground>,
    pub(super) trees: Vec<Tree>,
}

/// What is said of the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many changes there are.
    pub changes: u64,
    /// Why these are not all, if they are not; then they cannot be committed.
    pub partly: Option<String>,
}

/// A place of the host that a layer lies over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ground {
    /// A folder that was there when the run began. The path to the place starts here.
    pub(super) anchor: Name,
    /// Its inode then.
    pub(super) inode: u64,
    /// The folders from there to the one that the layer lies over.
    pub(super) steps: Vec<Step>,
    /// The only name in the layer that counts, where a single file may be written.
    pub(super) file: Option<Name>,
    /// The mode that the layer's own folder had.
    pub(super) mode: u32,
    /// The folder of the layer, in that of its run.
    pub(super) layer: String,
}

/// A folder on the way to a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) name: Name,
    /// Of one that was not there: the mode that it was made with for the run.
    pub(super) missing: Option<u32>,
    /// Its inode when the run began.
    pub(super) inode: u64,
}

/// What is to become of the host at and below an anchor, by one or several layers. A folder comes right before all that
/// lies in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) top: Top,
    pub(super) nodes: Vec<Node>,
}

/// The anchor of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Top {
    pub(super) path: Name,
    pub(super) inode: u64,
}

/// One name in a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Where its folder is in the list; `None`: it is the anchor.
    pub(super) parent: Option<u32>,
    pub(super) name: Name,
    pub(super) what: What,
    /// As the script left it; what is in the layer may have been made readable since.
    pub(super) mode: u32,
    /// Which of the grounds it is from; `None`: it is only on the way to one.
    pub(super) ground: Option<u32>,
    /// What there was on the host when the run began.
    pub(super) base: Base,
    /// Why it cannot be committed, if that is known by now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) refused: Option<String>,
}

/// What a layer holds under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// `instead`: of what was there, and not above it.
    Folder {
        instead: bool,
    },
    File {
        size: u64,
    },
    Link,
    /// What was there is gone.
    Nothing,
    /// What nobody commits: its kind.
    Other(String),
}

/// What is to become of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Nothing: it is only on the way to something else.
    #[serde(skip)]
    Keep,
    /// It was not there.
    Created,
    /// Something else takes its place.
    Changed,
    /// A folder gets another mode.
    Mode,
    /// It goes.
    Removed,
}

impl Deed {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Deed::Keep => "kept",
            Deed::Created => "created",
            Deed::Changed => "changed",
            Deed::Mode => "mode",
            Deed::Removed => "removed",
        }
    }
}

impl Node {
    pub(super) fn deed(&self) -> Deed {
        match (&self.what, &self.base) {
            (What::Nothing, Base::Absent) => Deed::Keep,
            (What::Nothing, Base::There(_)) => Deed::Removed,
            (_, Base::Absent) => Deed::Created,
            (What::Folder { instead: false }, Base::There(facts)) if facts.kind == Kind::Folder => {
                if facts.mode == self.mode & MODE { Deed::Keep } else { Deed::Mode }
            }
            (_, Base::There(_)) => Deed::Changed,
        }
    }

    /// Whether the folder that it is was there, and stays.
    pub(super) fn stays(&self) -> bool {
        matches!(self.deed(), Deed::Keep | Deed::Mode)
    }

    /// Whether what is there now is what the run found, as far as this node touches it.
    pub(super) fn is_as_before(&self, now: Option<&Facts>) -> bool {
        match (&self.base, now) {
            (Base::Absent, None) => true,
            (Base::There(facts), Some(now)) => match self.deed() {
                Deed::Keep => facts.is_same_folder(now),
                Deed::Mode => facts.is_same_folder(now) && facts.has_same_mode(now),
                _ => facts.is_same(now),
            },
            _ => false,
        }
    }

    /// Whether there was something on the host that is no folder.
    pub(super) fn was_a_file(&self) -> bool {
        matches!(&self.base, Base::There(facts) if facts.kind != Kind::Folder)
    }

    /// Whether it has to be known what lies below the folder that was there.
    pub(super) fn takes_a_folder_away(&self) -> bool {
        let goes = matches!(self.deed(), Deed::Changed | Deed::Removed);
        goes && self.base != Base::Absent && !self.was_a_file()
    }
}

impl Ground {
    /// The path of the layer's own folder from the anchor.
    pub(super) fn folder(&self) -> PathBuf {
        self.steps.iter().map(|step| step.name.as_os()).collect()
    }

    /// The place that the script wrote to.
    pub(super) fn root(&self) -> PathBuf {
        let file = self.file.as_ref().map_or(Path::new(""), Name::as_path);
        let mut root = self.anchor.as_path().join(self.folder());
        root.extend(file);
        root
    }

    /// Where a path from the anchor is in the layer.
    pub(super) fn in_layer<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(self.folder()).unwrap_or(path)
    }
}

impl Tree {
    /// The path of a node from the anchor.
    pub(super) fn path(&self, node: usize) -> PathBuf {
        path(&self.nodes, node)
    }

    /// The path of a node on the host.
    pub(super) fn absolute(&self, node: usize) -> PathBuf {
        self.top.path.as_path().join(self.path(node))
    }

    /// The path of the folder that a node is in, from the anchor.
    pub(super) fn folder(&self, node: &Node) -> PathBuf {
        node.parent.map_or(PathBuf::new(), |parent| self.path(parent as usize))
    }

    /// Nodes that something is to be done for, each with all that comes with it: what lies in a folder that is made as a
    /// whole is no unit of its own.
    pub(super) fn units(&self) -> impl Iterator<Item = usize> {
        let on_host = |node: &Node| node.parent.is_none_or(|parent| self.nodes[parent as usize].stays());
        let units = self.nodes.iter().enumerate();
        units.filter(move |(_, node)| node.deed() != Deed::Keep && on_host(node)).map(|(at, _)| at)
    }

    /// Everything below a node, in order.
    pub(super) fn below(&self, node: usize) -> impl Iterator<Item = usize> {
        // It comes right behind it.
        let is_inside =
            move |at: &usize| self.nodes[*at].parent.is_some_and(|parent| parent as usize >= node);
        (node + 1..self.nodes.len()).take_while(is_inside)
    }
}

/// The path of a node from the anchor.
pub(super) fn path(nodes: &[Node], node: usize) -> PathBuf {
    let mut names: Vec<&OsStr> = Vec::new();
    let mut at = Some(node);
    while let Some(node) = at.and_then(|at| nodes.get(at)) {
        names.push(node.name.as_os());
        at = node.parent.map(|parent| parent as usize);
    }
    names.iter().rev().collect()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Head(Head),
    Ground(Ground),
    Tree(Top),
    Node(Node),
}

/// Its name in the folder of a run.
const FILE: &str = "sealed";
const UNDER_WAY: &str = "sealed.new";

impl Sealed {
    /// Durable when this returns; there in full or not at all.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join(UNDER_WAY);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let mut out = BufWriter::new(file);
        let mut line = |line: &Line| -> io::Result<()> {
            serde_json::to_writer(&mut out, line)?;
            out.write_all(b"\n")
        };
        line(&Line::Head(self.head.clone()))?;
        self.grounds.iter().try_for_each(|ground| line(&Line::Ground(ground.clone())))?;
        for tree in &self.trees {
            line(&Line::Tree(tree.top.clone()))?;
            tree.nodes.iter().try_for_each(|node| line(&Line::Node(node.clone())))?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&new, folder.join(FILE))?;
        File::open(folder)?.sync_all()
    }

    /// Whether a run came so far.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(FILE).symlink_metadata().is_ok()
    }

    /// `None`: the run never came so far.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Sealed>> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let (mut head, mut grounds) = (None, Vec::new());
        let mut trees: Vec<Tree> = Vec::new();
        for line in BufReader::new(file).lines() {
            match serde_json::from_str(&line?)? {
                Line::Head(found) => head = Some(found),
                Line::Ground(ground) => grounds.push(ground),
                Line::Tree(top) => trees.push(Tree { top, nodes: Vec::new() }),
                Line::Node(node) => {
                    let nodes = trees.last_mut().map(|tree| &mut tree.nodes).ok_or_else(broken)?;
                    let fits = node.parent.is_none_or(|parent| (parent as usize) < nodes.len())
                        && node.ground.is_none_or(|ground| (ground as usize) < grounds.len());
                    if !fits {
                        return Err(broken());
                    }
                    nodes.push(node);
                }
            }
        }
        Ok(Some(Sealed { head: head.ok_or_else(broken)?, grounds, trees }))
    }

    /// Only what is said of the whole, for lists.
    pub(super) fn read_head(folder: &Path) -> io::Result<Option<Head>> {
        let file = match File::open(folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut line = String::new();
        BufReader::new(file).read_line(&mut line)?;
        match serde_json::from_str(&line)? {
            Line::Head(head) => Ok(Some(head)),
            _ => Err(broken()),
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its lines do not fit together")
}

//! The folders, links and mount points that a run's root consists of, before anything is mounted on them.
//!
//! Built once, before any fork: the lookout shows it to the kernel, and the init knows without asking what is not there.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::devices;
use crate::mounts::{BLANK_DIR, BLANK_FILE, c_path};
use crate::path_map::PathMap;
use crate::plan::{Mount, Plan};

/// The root's number (`FUSE_ROOT_ID`).
pub(crate) const ROOT: u64 = 1;

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
    Link(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    folder: u64,
    name: Vec<u8>,
    pub(crate) kind: Kind,
    /// Covers something: nobody may open it.
    pub(crate) is_blank: bool,
    /// What is mounted here is of another kind, in which nothing tells what is looked for in vain: whoever comes through
    /// is looked at.
    pub(crate) is_watched: bool,
    /// Whether it is shown in its folder. What is not is mounted elsewhere.
    pub(crate) is_listed: bool,
}

/// All nodes; a node's number is its position, beginning with [`ROOT`].
#[derive(Clone, Debug)]
pub(crate) struct Skeleton(Vec<Node>);

/// What a place lies in.
#[derive(Clone, Copy)]
enum Ground {
    /// A node of the skeleton.
    Own(u64),
    /// Something that is mounted: what is below is no affair of the skeleton.
    Other,
}

impl Skeleton {
    /// Of a plan whose binds are there.
    pub(crate) fn build(plan: &Plan) -> Skeleton {
        let mut skeleton = Skeleton(Vec::new());
        // It is its own folder.
        skeleton.add(ROOT, b"", Kind::Folder);
        for (name, kind) in [(BLANK_DIR, Kind::Folder), (BLANK_FILE, Kind::File)] {
            let blank = skeleton.add(ROOT, name.to_bytes(), kind);
            blank.is_blank = true;
            blank.is_listed = false;
        }
        let targets: PathMap<'_, ()> =
            plan.mounts.iter().filter_map(Mount::target).map(|target| (target, ())).collect();
        let home = plan.program.env.get("HOME").map(|home| Path::new(std::ffi::OsStr::from_bytes(home)));
        let mut grounds: PathMap<'_, Ground> = PathMap::default();
        grounds.insert(Path::new("/"), Ground::Own(ROOT));
        for (index, mount) in plan.mounts.iter().enumerate() {
            let kind_of = |is_folder: bool| if is_folder { Kind::Folder } else { Kind::File };
            match mount {
                Mount::Bind { source, target, .. } => {
                    skeleton.place(&grounds, target, kind_of(source.is_dir()));
                    grounds.insert(target, Ground::Other);
                }
                Mount::Overlay { target, is_file, .. } => {
                    skeleton.place(&grounds, target, kind_of(!is_file));
                    grounds.insert(target, Ground::Other);
                }
                Mount::Scratch { target, .. } => {
                    if let Some(node) = skeleton.place(&grounds, target, Kind::Folder) {
                        node.is_watched = home.is_some_and(|home| home.starts_with(target));
                    }
                    grounds.insert(target, Ground::Other);
                }
                Mount::File { target, .. } => drop(skeleton.place(&grounds, target, Kind::File)),
                Mount::Symlink { target, to } => {
                    let to = c_path(to).into_bytes();
                    skeleton.place(&grounds, target, Kind::Link(to));
                }
                Mount::Directory { target } => drop(skeleton.place(&grounds, target, Kind::Folder)),
                Mount::Cover { target, .. } if targets.below(target).next().is_some() => {
                    let cover = skeleton.add(ROOT, cover(index).as_bytes(), Kind::Folder);
                    cover.is_listed = false;
                    grounds.insert(target, Ground::Own(skeleton.0.len() as u64));
                }
                Mount::Cover { .. } | Mount::Pin { .. } => {}
                Mount::Devices => {
                    for (path, kind) in devices::places() {
                        skeleton.place(&grounds, path, kind);
                    }
                }
                Mount::Processes => {
                    if let Some(node) = skeleton.place(&grounds, Path::new("/proc"), Kind::Folder) {
                        node.is_watched = true;
                    }
                }
            }
        }
        skeleton
    }

    fn add(&mut self, folder: u64, name: &[u8], kind: Kind) -> &mut Node {
        let name = name.to_vec();
        let node = Node { folder, name, kind, is_blank: false, is_watched: false, is_listed: true };
        self.0.push(node);
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// Makes a node and the folders on the way to it, where the ground is the skeleton's own.
    fn place(&mut self, grounds: &PathMap<'_, Ground>, target: &Path, kind: Kind) -> Option<&mut Node> {
        let (ground, Ground::Own(at)) = grounds.above(target).next()? else { return None };
        let mut at = *at;
        let mut rest = target.strip_prefix(ground).ok()?.components().peekable();
        while let Some(name) = rest.next() {
            let name = name.as_os_str().as_bytes();
            let kind = if rest.peek().is_none() { kind.clone() } else { Kind::Folder };
            at = match self.child(at, name) {
                Some(child) => child,
                None => {
                    self.add(at, name, kind);
                    self.0.len() as u64
                }
            };
        }
        self.0.get_mut(at as usize - 1)
    }

    pub(crate) fn node(&self, number: u64) -> Option<&Node> {
        self.0.get((number as usize).checked_sub(1)?)
    }

    /// The number of what has a name in a folder.
    pub(crate) fn child(&self, folder: u64, name: &[u8]) -> Option<u64> {
        let is_it = |node: &Node| node.folder == folder && node.name == name;
        self.0.iter().skip(1).position(is_it).map(|position| position as u64 + ROOT + 1)
    }

    /// Whether a name is that of what each program asks for when it begins, and which is not there (`ld.so(8)`).
    pub(crate) fn is_preload(&self, folder: u64, name: &[u8]) -> bool {
        name == b"ld.so.preload"
            && self.child(ROOT, b"etc") == Some(folder)
            && self.child(folder, name).is_none()
    }

    /// The folder that a node is in.
    pub(crate) fn folder_of(&self, number: u64) -> u64 {
        self.node(number).map_or(ROOT, |node| node.folder)
    }

    /// What a folder shows: numbers, names and nodes, from a position on.
    pub(crate) fn list(&self, folder: u64, from: usize) -> impl Iterator<Item = (u64, &[u8], &Node)> {
        let shown = move |(_, node): &(usize, &Node)| node.folder == folder && node.is_listed;
        let all = self.0.iter().enumerate().skip(1).filter(shown).skip(from);
        all.map(|(position, node)| (position as u64 + 1, node.name.as_slice(), node))
    }
}

/// The name of a cover in which something lies, by its position in the plan.
pub(crate) fn cover(index: usize) -> CString {
    CString::new(format!(".cover.{index}")).unwrap_or_default()
}

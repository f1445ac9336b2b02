//! What a layer says: a walk through it beside the folder of the host that it lies over.
//!
//! A script owned what is in the layer and may have made anything of it. So nothing here follows a link, opens what is
//! no plain file, calls itself, or goes on for ever.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, Stat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use waxcell_sandbox::PathMap;

use super::base::{Base, Facts, Kind, MODE};
use super::copy::attributes;
use super::name::{Name, brief};
use super::place::{LONGEST, Place, names, stat, stat_if_there};
use super::sealed::{Deed, Ground, Node, What, path};
use crate::changes::{Before, Room, Was};
use crate::credentials;
use crate::record::hex;

/// What is looked at, and beside what.
pub(super) struct Survey<'a> {
    /// Its number among those of the run.
    pub(super) number: u32,
    pub(super) ground: &'a Ground,
    pub(super) layer: &'a Place,
    /// The anchor on the host, if it is still there.
    pub(super) host: Option<&'a Place>,
    /// What was there when the run began, if it was noted.
    pub(super) before: Option<&'a Before>,
    /// Places that the policy withholds.
    pub(super) withheld: &'a PathMap<'a, ()>,
    pub(super) room: &'a mut Room,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// A folder before what lies in it.
    pub(super) nodes: Vec<Node>,
    /// Files of the host in folders that go.
    pub(super) gone: BTreeSet<PathBuf>,
    /// Why this is not all, if it is not.
    pub(super) partly: Option<String>,
}

const TOO_MANY: &str = "there is more in it than is looked at";
const CHANGED: &str = "was changed on the host while the run went on";
const REMOVED: &str = "was removed on the host while the run went on";
const UNCLEAR: &str =
    "may have been changed on the host while the run went on: there are too many files beside it to tell";
const WITHHELD: &str = "is withheld by the policy";
const EXECUTED: &str = "is a name that the host would execute later, and the policy does not name it";

/// A folder that is still to be gone through.
struct Waiting {
    node: Option<u32>,
    /// Whether the host has nothing that it lies above.
    is_new: bool,
}

impl Survey<'_> {
    /// Goes through all of it. `claimed` are missing folders that the script made itself.
    pub(super) fn look(mut self, claimed: &dyn Fn(&Path) -> bool) -> Found {
        let mut found = Found::default();
        let mut keeps = Vec::new();
        let mut way = PathBuf::new();
        for (at, step) in self.ground.steps.iter().enumerate() {
            way.push(step.name.as_os());
            let (mode, base, refused) = match (step.missing, self.host.map(|host| host.stat(&way))) {
                (Some(mode), _) => (mode, Base::Absent, None),
                (None, Some(Ok(stat))) => {
                    let facts = Facts::of(&stat);
                    let is_same = facts.kind == Kind::Folder && facts.inode == step.inode;
                    (facts.mode, Base::There(facts), if is_same { None } else { Some(CHANGED.to_owned()) })
                }
                (None, _) => (0, Base::Absent, Some(REMOVED.to_owned())),
            };
            keeps.push(step.missing.is_some() && claimed(&self.absolute(&way)));
            found.nodes.push(Node {
                parent: at.checked_sub(1).map(|above| above as u32),
                name: step.name.clone(),
                what: What::Folder { instead: false },
                mode,
                ground: None,
                base,
                refused,
            });
        }
        let top = found.nodes.len().checked_sub(1).map(|last| last as u32);
        let is_new = self.ground.steps.iter().any(|step| step.missing.is_some());
        self.top(&mut found, is_new);
        keeps.resize(found.nodes.len(), false);
        let mut waiting = vec![Waiting { node: top, is_new }];
        while let Some(folder) = waiting.pop() {
            if let Err(why) = self.folder(&folder, &mut found, &mut waiting) {
                let path = folder.node.map_or(PathBuf::new(), |node| path(&found.nodes, node as usize));
                found.partly.get_or_insert(format!("`{}`: {why}", brief(path.as_os_str())));
            }
        }
        found.nodes = needed(found.nodes, self.ground.steps.len(), keeps);
        found
    }

    /// The folder of the layer itself: of a folder that was there, another mode is a change.
    fn top(&self, found: &mut Found, is_new: bool) {
        let Ok(stat) = self.layer.stat(Path::new(".")) else { return };
        let mode = stat.st_mode & MODE;
        let of_file = self.ground.file.is_some();
        match found.nodes.last_mut() {
            Some(last) if is_new && !of_file => last.mode = mode,
            _ if is_new || of_file || mode == self.ground.mode => {}
            Some(last) => last.mode = mode,
            None => {
                let (base, refused) =
                    self.base(Path::new(""), self.host.map(|host| host.stat(Path::new("."))));
                found.nodes.push(Node {
                    parent: None,
                    name: Name::from("."),
                    what: What::Folder { instead: false },
                    mode,
                    ground: Some(self.number),
                    base,
                    refused,
                });
            }
        }
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.ground.anchor.as_path().join(path)
    }

    fn folder(
        &mut self,
        folder: &Waiting,
        found: &mut Found,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), String> {
        let said = |errno: Errno| io::Error::from(errno).to_string();
        let here = folder.node.map_or(PathBuf::new(), |node| path(&found.nodes, node as usize));
        let inside = self.ground.in_layer(&here).to_owned();
        let listed = self.opened(&inside).map_err(said)?;
        let names = match &self.ground.file {
            Some(only) => vec![only.as_os().to_owned()],
            None => {
                let room = &mut *self.room;
                names(&listed, &mut |name| room.take(name)).map_err(said)?.ok_or(TOO_MANY)?
            }
        };
        let host = match self.host {
            Some(host) if !folder.is_new => Some(host.folder(&here)),
            _ => None,
        };
        for name in names {
            let stat = match stat_if_there(listed.as_fd(), &name).map_err(said)? {
                Some(stat) => stat,
                None => continue,
            };
            let there = here.join(&name);
            if there.as_os_str().len() > LONGEST {
                return Err("its path is too long".to_owned());
            }
            let now = host.as_ref().map(|host| match host {
                Ok(host) => super::place::stat(host.as_fd(), &name),
                Err(errno) => Err(*errno),
            });
            let (base, refused) = if folder.is_new { (Base::Absent, None) } else { self.base(&there, now) };
            let mut node = Node {
                parent: folder.node,
                name: Name(name),
                what: self.what(&inside.join(there.file_name().unwrap_or_default()), &stat)?,
                mode: stat.st_mode & MODE,
                ground: Some(self.number),
                base,
                refused,
            };
            if self.is_untouched(&node, &there, &stat) {
                continue;
            }
            if node.takes_a_folder_away() {
                self.all_below(&mut node, &there, found);
            }
            self.judge(&mut node, &there);
            let index = found.nodes.len() as u32;
            if let What::Folder { .. } = node.what {
                waiting.push(Waiting { node: Some(index), is_new: !node.stays() });
            }
            found.nodes.push(node);
        }
        Ok(())
    }

    /// Opens a folder of the layer. What the script had closed to itself is opened: its mode has been noted.
    fn opened(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let mode = Mode::from(self.layer.stat(path)?.st_mode & MODE);
        if !mode.contains(Mode::RUSR | Mode::XUSR) {
            self.unlock(path, Mode::RWXU)?;
        }
        self.layer.listed(path)
    }

    fn unlock(&self, path: &Path, mode: Mode) -> Result<(), Errno> {
        use std::os::fd::AsRawFd;
        let fd = self.layer.by_name(path)?;
        let mode = Mode::from(rustix::fs::fstat(&fd)?.st_mode & MODE) | mode;
        rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), mode)
    }

    /// `path` is its place in the layer.
    fn what(&self, path: &Path, stat: &Stat) -> Result<What, String> {
        let said = |errno: Errno| io::Error::from(errno).to_string();
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let fd = self.opened(path).map_err(said)?;
                let mut value = [0u8; 8];
                let marked = rustix::fs::fgetxattr(&fd, "user.overlay.opaque", &mut value[..]);
                What::Folder { instead: marked.is_ok_and(|length| &value[..length] == b"y") }
            }
            FileType::RegularFile => {
                if stat.st_mode & 0o400 == 0 {
                    self.unlock(path, Mode::RUSR).map_err(said)?;
                }
                What::File { size: stat.st_size as u64 }
            }
            FileType::Symlink => What::Link,
            // How overlayfs says that something is gone.
            FileType::CharacterDevice if stat.st_rdev == 0 => What::Nothing,
            FileType::CharacterDevice | FileType::BlockDevice => What::Other("a device".to_owned()),
            FileType::Fifo => What::Other("a FIFO".to_owned()),
            FileType::Socket => What::Other("a socket".to_owned()),
            FileType::Unknown => What::Other("of no known kind".to_owned()),
        })
    }

    /// What was there when the run began, and why that cannot be said for sure.
    fn base(&self, path: &Path, now: Option<Result<Stat, Errno>>) -> (Base, Option<String>) {
        let absolute = self.absolute(path);
        let was = self.before.map_or(Was::Unknown, |before| before.was(&absolute));
        let is_newer = |stat: &Stat| self.before.is_some_and(|before| before.is_older_than(stat));
        let refuse = |why: &str| Some(why.to_owned());
        match (was, now.unwrap_or(Err(Errno::NOENT))) {
            (Was::Absent, _) => (Base::Absent, None),
            (Was::There(inode), Ok(stat)) => {
                let facts = Facts::of(&stat);
                let is_same = facts.inode == inode && (facts.kind == Kind::Folder || !is_newer(&stat));
                (Base::There(facts), if is_same { None } else { refuse(CHANGED) })
            }
            (Was::Unknown, Ok(stat)) => {
                let refused = if is_newer(&stat) { refuse(UNCLEAR) } else { None };
                (Base::There(Facts::of(&stat)), refused)
            }
            (Was::There(_), Err(Errno::NOENT)) => (Base::Absent, refuse(REMOVED)),
            (Was::Unknown, Err(Errno::NOENT)) => {
                let folder = self.host.map(|host| host.stat(path.parent().unwrap_or(Path::new(""))));
                let is_clear = matches!(folder, Some(Ok(stat)) if !is_newer(&stat));
                (Base::Absent, if is_clear || self.before.is_none() { None } else { refuse(UNCLEAR) })
            }
            (_, Err(errno)) => (Base::Absent, Some(io::Error::from(errno).to_string())),
        }
    }

    /// Whether a file was opened for writing and is as it was, which copies it into the layer all the same.
    fn is_untouched(&self, node: &Node, path: &Path, stat: &Stat) -> bool {
        let Base::There(facts) = &node.base else { return false };
        let inside = self.ground.in_layer(path);
        let Some(host) = self.host.filter(|_| node.refused.is_none()) else { return false };
        let same = || -> Result<bool, Errno> {
            Ok(match (&node.what, facts.kind) {
                (What::File { size }, Kind::File) => {
                    let times = (stat.st_mtime, stat.st_mtime_nsec as i64);
                    (*size, node.mode, times) == (facts.size, facts.mode, facts.modified)
                        && *size <= LARGEST_COMPARED
                        && have_same_content(&self.layer.file(inside)?, &host.file(path)?).unwrap_or(false)
                }
                (What::Link, Kind::Link) => target(self.layer, inside)? == target(host, path)?,
                _ => false,
            })
        };
        same().unwrap_or(false)
    }

    /// Notes all that lies in a folder of the host that goes.
    fn all_below(&mut self, node: &mut Node, path: &Path, found: &mut Found) {
        let Some(host) = self.host else { return };
        let before = self.before;
        let mut each = |path: &Path, facts: &Facts, stat: &Stat| {
            if before.is_some_and(|before| before.is_older_than(stat)) {
                node.refused.get_or_insert_with(|| CHANGED.to_owned());
            }
            if facts.kind != Kind::Folder {
                found.gone.insert(self.ground.anchor.as_path().join(path));
            }
        };
        match hash_of_all_below(host, path, self.room, &mut each) {
            Ok(hash) => {
                if let Base::There(facts) = &mut node.base {
                    facts.below = Some(hash);
                }
            }
            Err(why) => node.refused = Some(why),
        }
    }

    /// A file that the policy names has a layer of its own.
    fn is_executed_later(&self, node: &Node, absolute: &Path) -> bool {
        let comes = matches!(node.deed(), Deed::Created | Deed::Changed);
        let is_file = matches!(node.what, What::File { .. } | What::Link);
        let below = absolute.strip_prefix(self.ground.root()).unwrap_or(absolute);
        comes && is_file && credentials::is_executed_later(below)
    }

    /// What no run gets at, it cannot have written; nor what is there instead.
    fn judge(&self, node: &mut Node, path: &Path) {
        let absolute = self.absolute(path);
        let goes = matches!(node.deed(), Deed::Changed | Deed::Removed);
        let root = self.ground.root();
        let is_inside = |(place, ()): (&Path, &())| place != root && place.starts_with(&root);
        let above = goes && self.withheld.below(&absolute).next().is_some();
        if above || self.withheld.around(&absolute).any(is_inside) {
            node.refused = Some(WITHHELD.to_owned());
        } else if let What::Other(kind) = &node.what {
            node.refused = Some(format!("is {kind}"));
        } else if self.is_executed_later(node, &absolute) {
            node.refused = Some(EXECUTED.to_owned());
        }
    }
}

/// Beyond, a file that is as it was counts as changed.
const LARGEST_COMPARED: u64 = 256 << 20;

fn have_same_content(mut a: &File, mut b: &File) -> io::Result<bool> {
    if attributes(a)? != attributes(b)? {
        return Ok(false);
    }
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    loop {
        for (from, to) in [(&mut a as &mut dyn Read, &mut of_a), (&mut b, &mut of_b)] {
            to.clear();
            from.take(1 << 16).read_to_end(to)?;
        }
        if of_a != of_b || of_a.is_empty() {
            return Ok(of_a == of_b);
        }
    }
}

/// Where a link leads.
pub(super) fn target(place: &Place, path: &Path) -> Result<OsString, Errno> {
    use std::os::unix::ffi::OsStringExt;
    let folder = place.folder(path.parent().unwrap_or(Path::new("")))?;
    let target = rustix::fs::readlinkat(folder, path.file_name().unwrap_or_default(), Vec::new())?;
    Ok(OsString::from_vec(target.into_bytes()))
}

/// A hash of what lies below a folder of the host: another one if anything there is not as it was.
pub(super) fn hash_of_all_below(
    host: &Place,
    folder: &Path,
    room: &mut Room,
    each: &mut dyn FnMut(&Path, &Facts, &Stat),
) -> Result<String, String> {
    let said = |path: &Path| {
        let path = brief(path.as_os_str());
        move |errno: Errno| format!("cannot be looked into on the host: `{path}`: {}", io::Error::from(errno))
    };
    let mut hash = Sha256::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let listed = host.listed(&path).map_err(said(&path))?;
        let names = names(&listed, &mut |name| room.take(name + path.as_os_str().len()));
        for name in names.map_err(said(&path))?.ok_or(TOO_MANY)? {
            let inner = path.join(&name);
            let stat = stat(listed.as_fd(), &name).map_err(said(&inner))?;
            let facts = Facts::of(&stat);
            hash.update(format!("{} ", facts.line()));
            hash.update(Path::new(&inner).as_os_str().as_encoded_bytes());
            hash.update(b"\0");
            each(&inner, &facts, &stat);
            if facts.kind == Kind::Folder {
                waiting.push(inner);
            }
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Without folders on the way to nothing. The first `steps` nodes are on the way to the layer; `keeps` are wanted in any
/// case.
fn needed(nodes: Vec<Node>, steps: usize, mut keeps: Vec<bool>) -> Vec<Node> {
    keeps.resize(nodes.len(), false);
    for (at, node) in nodes.iter().enumerate() {
        let says = node.deed() != Deed::Keep || node.refused.is_some();
        keeps[at] |= says && (at >= steps || node.deed() == Deed::Mode);
    }
    for at in (0..nodes.len()).rev() {
        if let Some(parent) = nodes[at].parent.filter(|_| keeps[at]) {
            keeps[parent as usize] = true;
        }
    }
    let mut places: Vec<u32> = Vec::with_capacity(nodes.len());
    let mut kept = Vec::new();
    for (mut node, keep) in nodes.into_iter().zip(keeps) {
        places.push(kept.len() as u32);
        if keep {
            node.parent = node.parent.map(|parent| places[parent as usize]);
            kept.push(node);
        }
    }
    kept
}

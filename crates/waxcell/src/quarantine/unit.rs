//! One unit of a commit: a name of the host whose folder is there. What takes its place is put beside it under a name of its
//! own (`.new`), what has to leave in one step goes to another (`.old`). The two names say how far a unit has come, so
//! that whoever finds it later can go on, or back:
//!
//! | `.new` | name | `.old` | |
//! |---|---|---|---|
//! | there | as before | | not begun |
//! | there | gone | there | half done: the name is free |
//! | gone | | there or not | done; what was there only has to be removed |

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::RenameFlags;
use rustix::io::Errno;
use waxcell_sandbox::remove_all;

use super::base::{Base, Facts, Kind};
use super::copy::{Copied, Copier, GROUP, OF_FOLDER, change_mode, is_free};
use super::place::{Place, names, stat_if_there};
use super::sealed::{Deed, Node, Sealed, Tree, What};
use super::survey::hash_of_all_below;
use crate::changes::Room;

/// What cannot be done, and where.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) path: PathBuf,
    pub(super) why: Why,
}

#[derive(Debug)]
pub(super) enum Why {
    /// It is not as it was when the run began.
    Changed,
    Io(io::Error),
}

/// It is done; but what was put aside cannot be removed, which changes nothing about that.
pub(super) type Applied = Result<(), Failed>;

/// A unit, and what belongs to it.
#[derive(Clone, Copy)]
pub(super) struct Unit<'s> {
    pub(super) run: &'s str,
    pub(super) sealed: &'s Sealed,
    pub(super) tree: usize,
    pub(super) node: usize,
}

/// All units of a run, in the order in which they are done. First those that take a folder away, of which all that lies in
/// it is looked at once more right before: others change the times of files that have several names. Last those of a mode,
/// which can close a folder to others.
pub(super) fn units<'s>(run: &'s str, sealed: &'s Sealed) -> Vec<Unit<'s>> {
    let of_tree = |(number, tree): (usize, &'s Tree)| {
        tree.units().map(move |node| Unit { run, sealed, tree: number, node })
    };
    let mut units: Vec<Unit<'s>> = sealed.trees.iter().enumerate().flat_map(of_tree).collect();
    units.sort_by_key(|unit| match unit.node().deed() {
        Deed::Mode => 2,
        _ => u8::from(!unit.node().takes_a_folder_away()),
    });
    units
}

impl<'s> Unit<'s> {
    pub(super) fn tree(&self) -> &'s Tree {
        &self.sealed.trees[self.tree]
    }

    pub(super) fn node(&self) -> &'s Node {
        &self.tree().nodes[self.node]
    }

    fn beside(&self, ending: &str) -> PathBuf {
        PathBuf::from(OsString::from(format!(".waxcell-{}-{}-{}.{ending}", self.run, self.tree, self.node)))
    }

    fn failed(&self, why: Why) -> Failed {
        Failed { path: self.tree().absolute(self.node), why }
    }

    fn io(&self) -> impl Fn(Errno) -> Failed + use<'s> {
        let unit = *self;
        move |errno| unit.failed(Why::Io(errno.into()))
    }

    /// The folder of the host that the name is in, if it is still the one that it was.
    fn folder(&self, host: &Place) -> Result<OwnedFd, Failed> {
        let tree = self.tree();
        let folder = host.folder(&tree.folder(self.node())).map_err(self.io())?;
        let inode = match self.node().parent.map(|parent| &tree.nodes[parent as usize].base) {
            Some(Base::There(facts)) => facts.inode,
            Some(Base::Absent) => return Err(self.failed(Why::Changed)),
            None => tree.top.inode,
        };
        let is_same = rustix::fs::fstat(&folder).map_err(self.io())?.st_ino == inode;
        if is_same { Ok(folder) } else { Err(self.failed(Why::Changed)) }
    }

    /// Puts what takes the place of the name beside it. Crash here: everything is as before, but for what is beside.
    pub(super) fn stage(&self, run: &Path, host: &Place, each: &mut dyn FnMut(Copied)) -> Result<(), Failed> {
        let node = self.node();
        match node.deed() {
            Deed::Created | Deed::Changed => {
                let folder = self.folder(host)?;
                // Of an earlier commit, which could not take it away.
                self.remove(&folder, "new")?;
                let mut copier = Copier { run, sealed: self.sealed, tree: self.tree(), each };
                copier
                    .copy(self.node, folder.as_fd(), &self.beside("new"))
                    .map_err(|error| self.failed(Why::Io(error)))?;
            }
            change @ (Deed::Removed | Deed::Mode) => {
                let path = self.tree().absolute(self.node);
                each(Copied { path, change, size: None, sha256: None });
            }
            Deed::Keep => {}
        }
        Ok(())
    }

    /// What there is on the host under the name, as far as the unit has to know it.
    fn now(&self, host: &Place, folder: &OwnedFd) -> Result<Option<Facts>, Failed> {
        let node = self.node();
        let stat = stat_if_there(folder.as_fd(), node.name.as_os()).map_err(self.io())?;
        let mut facts = stat.map(|stat| Facts::of(&stat));
        if let Some(facts) = facts.as_mut().filter(|facts| facts.kind == Kind::Folder)
            && node.takes_a_folder_away()
        {
            let path = self.tree().path(self.node);
            let hash = hash_of_all_below(host, &path, &mut Room::new(), &mut |_, _, _| {});
            facts.below = Some(hash.map_err(|_| self.failed(Why::Changed))?);
        }
        Ok(facts)
    }

    /// Does it, from wherever it has come to if somebody has begun before (`is_late`). `between` is called wherever a crash
    /// leaves it half done.
    pub(super) fn apply(
        &self,
        host: &Place,
        is_late: bool,
        between: &mut dyn FnMut(),
    ) -> Result<Applied, Failed> {
        if self.node().deed() == Deed::Mode {
            return self.apply_mode(host).map(|()| Ok(()));
        }
        let folder = self.folder(host)?;
        self.place(host, &folder, is_late, between)?;
        // Crash here: it is done, and what was put aside is still there.
        between();
        Ok(self.remove(&folder, "old"))
    }

    fn place(
        &self,
        host: &Place,
        folder: &OwnedFd,
        is_late: bool,
        between: &mut dyn FnMut(),
    ) -> Result<(), Failed> {
        let (node, name) = (self.node(), self.node().name.as_path());
        let (new, old) = (self.beside("new"), self.beside("old"));
        let brings = node.what != What::Nothing;
        if brings && is_free(folder.as_fd(), &new) {
            // Nobody but a commit moves what one has put there.
            return if is_late { Ok(()) } else { Err(self.failed(Why::Changed)) };
        }
        let rename = |from: &Path, to: &Path, flags| {
            rustix::fs::renameat_with(folder, from, folder, to, flags).map_err(self.io())
        };
        let now = self.now(host, folder)?;
        match (&node.base, now) {
            // What was there has been put aside, or has been taken away.
            (Base::There(_), None) if !brings || !is_free(folder.as_fd(), &old) => {}
            // A folder that the run made, and that somebody made as well: nothing is in it.
            (Base::Absent, Some(now)) if is_folder(&node.what) && now.kind == Kind::Folder => {
                // The kernel lets a folder take the place of an empty one, and of no other.
                return match rustix::fs::renameat(folder, &new, folder, name) {
                    Err(Errno::NOTEMPTY | Errno::EXIST) => Err(self.failed(Why::Changed)),
                    other => other.map_err(self.io()),
                };
            }
            (Base::Absent, None) => {}
            (Base::There(before), Some(now)) if before.is_nearly(&now) => {
                if brings && before.kind != Kind::Folder && !is_folder(&node.what) {
                    return rename(&new, name, RenameFlags::empty());
                }
                rename(name, &old, RenameFlags::NOREPLACE)?;
                // Crash here: the name is free, and both are beside it.
                between();
            }
            _ => return Err(self.failed(Why::Changed)),
        }
        if brings { rename(&new, name, RenameFlags::NOREPLACE) } else { Ok(()) }
    }

    fn apply_mode(&self, host: &Place) -> Result<(), Failed> {
        let Base::There(before) = &self.node().base else { return Ok(()) };
        let path = self.tree().path(self.node);
        let folder = host.by_name(&path).map_err(self.io())?;
        let now = Facts::of(&rustix::fs::fstat(&folder).map_err(self.io())?);
        // That a folder hands its group on is not for a script to say.
        let wanted = self.node().mode & OF_FOLDER | before.mode & GROUP;
        if !before.is_same_folder(&now) || now.mode != wanted && !before.has_same_mode(&now) {
            return Err(self.failed(Why::Changed));
        }
        change_mode(&folder, wanted).map_err(self.io())
    }

    /// Leaves it as it is if it is done, and takes back what of it is not.
    pub(super) fn abandon(&self, host: &Place) -> Result<(), Failed> {
        let folder = self.folder(host)?;
        let (name, old) = (self.node().name.as_path(), self.beside("old"));
        let half_done = !is_free(folder.as_fd(), &self.beside("new")) && !is_free(folder.as_fd(), &old);
        if half_done {
            let back = rustix::fs::renameat_with(&folder, &old, &folder, name, RenameFlags::NOREPLACE);
            back.map_err(self.io())?;
        }
        self.remove(&folder, "new")?;
        self.remove(&folder, "old")
    }

    fn remove(&self, folder: &OwnedFd, ending: &str) -> Result<(), Failed> {
        let name = self.beside(ending);
        remove_all(folder.as_fd(), name.as_os_str()).map_err(|error| {
            let path = self.tree().absolute(self.node).with_file_name(name);
            Failed { path, why: Why::Io(error) }
        })
    }
}

fn is_folder(what: &What) -> bool {
    matches!(what, What::Folder { .. })
}

/// Looks whether everything on the host is as the run found it; tells tree and node of what is not, and the tree alone
/// where its anchor is not.
pub(super) fn check(sealed: &Sealed, each: &mut dyn FnMut(usize, Option<usize>)) {
    for (number, tree) in sealed.trees.iter().enumerate() {
        let Ok(host) = open(tree) else {
            each(number, None);
            continue;
        };
        // Below a folder that is made there is nothing on the host to look at.
        let on_host = |node: &Node| node.parent.is_none_or(|parent| tree.nodes[parent as usize].stays());
        for (node, _) in tree.nodes.iter().enumerate().filter(|(_, node)| on_host(node)) {
            let unit = Unit { run: "", sealed, tree: number, node };
            if !unit.is_as_before(&host) {
                each(number, Some(node));
            }
        }
    }
}

/// The anchor of a tree, if it is still the folder that it was.
pub(super) fn open(tree: &Tree) -> Result<Place, Errno> {
    let host = Place::open(tree.top.path.as_path())?;
    if host.stat(Path::new("."))?.st_ino == tree.top.inode { Ok(host) } else { Err(Errno::STALE) }
}

impl Unit<'_> {
    fn is_as_before(&self, host: &Place) -> bool {
        let Ok(folder) = self.folder(host) else { return false };
        let Ok(now) = self.now(host, &folder) else { return false };
        match (&self.node().what, &now) {
            // As for the kernel later on.
            (What::Folder { .. }, Some(now))
                if self.node().base == Base::Absent && now.kind == Kind::Folder =>
            {
                host.listed(&self.tree().path(self.node))
                    .and_then(|folder| names(&folder, &mut |_| false))
                    .is_ok_and(|names| names.is_some())
            }
            _ => self.node().is_as_before(now.as_ref()),
        }
    }
}

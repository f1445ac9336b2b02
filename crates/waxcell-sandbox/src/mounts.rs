//! The file system a script sees: an empty read-only root into which pieces of the host are bound (`mount(2)`, the
//! new mount API of Linux 5.2, `pivot_root(2)`).
//!
//! *Build* ([`Tree::build`]) turns the plan into C strings and flags; *apply* ([`Tree::apply`]) runs in the stage and
//! allocates nothing. Sources are opened before the new root covers anything, by descriptor and without following a
//! symlink, so what was planned is what is bound.

mod made;
mod points;
mod trees;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags};

use crate::devices::{self, Devices};
use crate::lookout::{self, Served};
use crate::overlay::Overlay;
use crate::path_map::PathMap;
use crate::plan::{Access, Mount, Plan};
use crate::switches::Switch;
use crate::sys;

use made::{lay_over, learn, write_file};
pub(crate) use made::{make_dir, make_link, mount_point};
pub(crate) use points::{is_below_a_mount, scratch_overhead};
use points::{parents_of, relative};
pub(crate) use trees::{attach, clone_alone, clone_at, clone_tree};
use trees::{clone_mapped, clone_of, new_aside, new_root, processes, tmpfs};

/// Where scratch space and, over it, the new root are attached until `pivot_root`: a directory that every host has and no
/// plan binds from after it. The whole of it goes with the old root, in one unmount: each makes the kernel wait for
/// every processor (`synchronize_rcu_expedited`).
pub(crate) const STAGING: &CStr = c"/proc";
/// Names in the new root that are gone before the script starts.
pub(crate) const BLANK_DIR: &CStr = c".blank.d";
pub(crate) const BLANK_FILE: &CStr = c".blank.f";
const FILE: &CStr = c".file";
/// To list a folder takes two questions to the lookout, and each name in it one.
const CROWD: usize = 3;

pub(crate) const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
pub(crate) const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;

/// A path as C string. A path with a NUL byte cannot name a file; what follows the NUL is cut, and the cut path is
/// then simply not found.
pub(crate) fn c_path(path: &Path) -> CString {
    let bytes = path.as_os_str().as_bytes();
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// The flags that a bind of this kind gets on top of what its source has.
pub(crate) const fn bind_attributes(access: Access) -> u64 {
    match access {
        Access::List | Access::Read => RDONLY | NOSUID | NODEV | NOEXEC,
        Access::ReadExecute => RDONLY | NOSUID | NODEV,
        Access::Write => NOSUID | NODEV | NOEXEC,
        Access::WriteExecute => NOSUID | NODEV,
    }
}

/// The flags of a part of scratch space.
pub(crate) const fn scratch_attributes(execute: bool) -> u64 {
    NOSUID | NODEV | if execute { 0 } else { NOEXEC }
}

#[derive(Debug)]
enum Piece {
    Bind {
        source: CString,
        owned: bool,
        attributes: u64,
        tree: Option<OwnedFd>,
    },
    Overlay(Box<Overlay>),
    /// `mounted`: on top of something that is mounted there; else it is part of the root itself. Where the root is
    /// served, it is kept elsewhere, under a name of its own.
    File {
        contents: Vec<u8>,
        mode: u32,
        mounted: bool,
        kept: CString,
    },
    Symlink {
        to: CString,
    },
    Directory,
    Scratch {
        name: CString,
        mode: u32,
        execute: bool,
    },
    /// `holds`: something lies inside of it all the same, and its mount points have to be made, or are there under this name
    /// where the root is served.
    Cover {
        holds: Option<CString>,
        shows: Option<Vec<u8>>,
    },
    Pin,
    Devices(Devices),
    Processes,
}

impl Piece {
    fn bind(source: &Path, owned: bool, attributes: u64) -> Piece {
        Piece::Bind { source: c_path(source), owned, attributes, tree: None }
    }
}

#[derive(Debug)]
struct Placed {
    piece: Piece,
    /// The folder that it is put into, relative to the new root, and its name there.
    folder: CString,
    name: CString,
    /// Directories to make on the way, outermost first.
    parents: Vec<CString>,
}

/// The run's file system, ready to be built.
#[derive(Debug)]
pub(crate) struct Tree {
    places: Vec<Placed>,
    /// Folders of the root in which several pieces are put, outermost first.
    crowded: Vec<CString>,
    /// What nothing is mounted on in a root that is served: the kernel shall not forget it, and have to ask for it again.
    pins: Vec<OwnedFd>,
    /// Folders of files that are still to be made, and what of them is open.
    folders: Vec<(CString, Option<OwnedFd>)>,
    scratch_size: CString,
    scratch_inodes: CString,
}

/// Which piece of a plan could not be put in place, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountFailure {
    /// Position in the plan's list; past its end: the root itself.
    pub(crate) index: u32,
    pub(crate) errno: Errno,
}

impl Tree {
    /// Pure: from the plan's list to calls in order.
    pub(crate) fn build(plan: &Plan) -> Tree {
        let targets: PathMap<'_, ()> =
            plan.mounts.iter().filter_map(Mount::target).map(|target| (target, ())).collect();
        let mut grounds: PathMap<'_, Ground> = PathMap::default();
        let mut places = Vec::new();
        let mut crowds: BTreeMap<CString, usize> = BTreeMap::new();
        for (index, mount) in plan.mounts.iter().enumerate() {
            let (target, piece): (&Path, Piece) = match mount {
                Mount::Bind { source, target, access, owned } => {
                    (target, Piece::bind(source, *owned, bind_attributes(*access)))
                }
                Mount::Overlay { source, is_file, target, access, layer } => {
                    let overlay = Overlay::build(index, source, *is_file, *access, layer);
                    (target, Piece::Overlay(Box::new(overlay)))
                }
                Mount::File { target, contents, mode } => {
                    let mounted = is_below_a_mount(plan, target);
                    let kept = CString::new(index.to_string()).unwrap_or_default();
                    (target, Piece::File { contents: contents.clone(), mode: *mode, mounted, kept })
                }
                Mount::Symlink { target, to } => (target, Piece::Symlink { to: c_path(to) }),
                Mount::Directory { target } => (target, Piece::Directory),
                Mount::Scratch { target, mode, execute } => {
                    let name = CString::new(index.to_string()).unwrap_or_default();
                    (target, Piece::Scratch { name, mode: *mode, execute: *execute })
                }
                Mount::Cover { target, shows } => {
                    let holds = targets.below(target).next().map(|_| lookout::cover(index));
                    (target, Piece::Cover { holds, shows: shows.clone() })
                }
                Mount::Pin { target } => (target, Piece::Pin),
                Mount::Devices => (Path::new("/dev"), Piece::Devices(Devices::default())),
                Mount::Processes if plan.switches.off(Switch::Pidns) => {
                    // Whose processes these are, nobody in the run could mount.
                    let host = bind_attributes(Access::Write);
                    (Path::new("/proc"), Piece::bind(Path::new("/proc"), false, host))
                }
                Mount::Processes => (Path::new("/proc"), Piece::Processes),
            };
            // Below a bind the mount point exists on the host; elsewhere it is made.
            let parents = match grounds.above(target).next() {
                Some((_, Ground::Host)) => Vec::new(),
                Some((cover, Ground::Made)) => parents_of(target, cover),
                None => parents_of(target, Path::new("/")),
            };
            match (mount, &piece) {
                (Mount::Bind { target, .. } | Mount::Overlay { target, .. }, _) => {
                    grounds.insert(target, Ground::Host)
                }
                (_, Piece::Cover { holds: Some(_), .. }) => grounds.insert(target, Ground::Made),
                _ => {}
            }
            let folder = target.parent().map_or(c".".to_owned(), relative);
            if matches!(mount, Mount::Devices) {
                crowds.insert(relative(target), devices::places().count());
            } else if grounds.above(target).next().is_none() {
                *crowds.entry(folder.clone()).or_default() += 1;
            }
            let name = c_path(Path::new(target.file_name().unwrap_or_default()));
            places.push(Placed { piece, folder, name, parents });
        }
        let number = |n: u64| CString::new(n.to_string()).unwrap_or_default();
        Tree {
            pins: Vec::with_capacity(places.len() + devices::LINKS.len()),
            places,
            crowded: crowds
                .into_iter()
                .filter(|(_, pieces)| *pieces >= CROWD)
                .map(|(folder, _)| folder)
                .collect(),
            folders: plan
                .guard
                .new_files
                .iter()
                .filter_map(|file| Some((c_path(file.parent()?), None)))
                .collect(),
            scratch_size: number(plan.limits.scratch_bytes),
            scratch_inodes: number(plan.limits.scratch_files + scratch_overhead(&plan.mounts)),
        }
    }

    /// Opens every bind as root on the host, before the stage has become somebody else: it could not pass through
    /// directories of the caller's, and only the owner of a file system may map its ids so that the caller's files show
    /// as the script's own. The descriptors are inherited by the stage.
    pub(crate) fn open_as_caller(&mut self, userns: BorrowedFd<'_>) -> Result<(), MountFailure> {
        let whole = self.places.len() as u32;
        for (index, place) in self.places.iter_mut().enumerate() {
            let fail = |errno| MountFailure { index: index as u32, errno };
            match &mut place.piece {
                Piece::Bind { source, owned, tree, .. } => {
                    *tree = Some(clone_mapped(source, owned.then_some(userns)).map_err(fail)?)
                }
                Piece::Overlay(overlay) => overlay.open(Some(userns)).map_err(fail)?,
                _ => {}
            }
        }
        for (folder, tree) in &mut self.folders {
            let fail = |errno| MountFailure { index: whole, errno };
            *tree = Some(clone_mapped(folder, Some(userns)).map_err(fail)?);
        }
        Ok(())
    }

    /// The folders of [`Guard::new_files`](crate::Guard), to be written to by the init alone.
    pub(crate) fn take_folders(&mut self) -> impl Iterator<Item = Option<OwnedFd>> {
        self.folders.iter_mut().map(|(_, tree)| tree.take())
    }

    /// What [`Tree::open_as_caller`] opened.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        let binds = self.places.iter().filter_map(|place| match &place.piece {
            Piece::Bind { tree, .. } => tree.as_ref(),
            _ => None,
        });
        let layers = self.places.iter().filter_map(|place| match &place.piece {
            Piece::Overlay(overlay) => Some(overlay.descriptors()),
            _ => None,
        });
        binds.chain(layers.flatten()).chain(self.folders.iter().filter_map(|(_, tree)| tree.as_ref()))
    }

    /// Builds the tree in the stage's own mount namespace and makes it the root, the one that is served where there is one.
    /// Allocates nothing.
    pub(crate) fn apply(&mut self, served: Option<Served>) -> Result<(), MountFailure> {
        let whole = self.places.len() as u32;
        let fail = |errno| MountFailure { index: whole, errno };
        rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(fail)?;
        for (index, place) in self.places.iter_mut().enumerate() {
            let fail = |errno| MountFailure { index: index as u32, errno };
            match &mut place.piece {
                Piece::Bind { source, tree: tree @ None, .. } => {
                    *tree = Some(clone_tree(source).map_err(fail)?)
                }
                Piece::Overlay(overlay) => overlay.open(None).map_err(fail)?,
                Piece::Devices(devices) => devices.open().map_err(fail)?,
                _ => {}
            }
        }
        for (folder, tree) in &mut self.folders {
            let tree = match tree {
                Some(tree) => tree,
                None => tree.insert(clone_tree(folder).map_err(fail)?),
            };
            sys::mount_setattr(tree.as_fd(), true, NOSUID | NODEV | NOEXEC, 0, None).map_err(fail)?;
        }
        let is_layer = |place: &Placed| matches!(place.piece, Piece::Overlay(_));
        let aside = self.places.iter().any(is_layer).then(new_aside).transpose().map_err(fail)?;
        let scratch = self.new_scratch().map_err(fail)?;
        let store = new_root(served.is_none()).map_err(fail)?;
        if let Some(served) = &served {
            attach(served.root.as_fd(), CWD, STAGING).map_err(fail)?;
        }
        let site = Site {
            root: served.as_ref().map_or(store.as_fd(), |served| served.root.as_fd()),
            store: store.as_fd(),
            scratch: scratch.as_fd(),
            aside: aside.as_ref(),
            is_served: served.is_some(),
        };
        if site.is_served {
            // Those that are not there yet are below something else.
            for folder in &self.crowded {
                let _ = learn(site.root, folder);
            }
        }
        for (index, place) in self.places.iter().enumerate() {
            place.apply(&site).map_err(|errno| MountFailure { index: index as u32, errno })?;
        }
        if site.is_served {
            self.pin(site.root).map_err(fail)?;
        }
        let root = site.root;
        for (index, place) in self.places.iter().enumerate() {
            place.close(root).map_err(|errno| MountFailure { index: index as u32, errno })?;
        }
        finish(root, site.is_served).map_err(fail)
    }

    fn pin(&mut self, root: BorrowedFd<'_>) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for place in &self.places {
            match &place.piece {
                Piece::Symlink { .. } | Piece::Directory => {
                    let folder = place.open_folder(root)?;
                    let name: &CStr = &place.name;
                    self.pins.push(fs::openat(&folder, name, flags, Mode::empty())?);
                }
                Piece::Devices(_) => {
                    for (link, _) in devices::LINKS {
                        let link = devices::relative(link)?;
                        self.pins.push(fs::openat(root, link, flags, Mode::empty())?);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The scratch space, of which each place of the script's is a part. The binds of its parts keep it alive.
    fn new_scratch(&self) -> Result<OwnedFd, Errno> {
        let scratch = tmpfs(&[
            (c"size", &self.scratch_size),
            (c"nr_inodes", &self.scratch_inodes),
            (c"mode", c"0755"),
        ])?;
        attach(scratch.as_fd(), CWD, STAGING)?;
        Ok(scratch)
    }
}

/// What mount points below a place are on.
enum Ground {
    /// The host's files, among which they exist.
    Host,
    /// An empty place of the run's own.
    Made,
}

/// Where a tree is built.
struct Site<'a> {
    root: BorrowedFd<'a>,
    /// Where files are written that are part of no other file system. The root itself, unless that is served.
    store: BorrowedFd<'a>,
    scratch: BorrowedFd<'a>,
    aside: Option<&'a OwnedFd>,
    /// By the lookout: what belongs to the root is there, and nothing can be written.
    is_served: bool,
}

impl Placed {
    fn apply(&self, site: &Site<'_>) -> Result<(), Errno> {
        let Site { root, store, scratch, aside, is_served } = *site;
        for parent in &self.parents {
            make_dir(root, parent, 0o755)?;
        }
        let folder = match self.open_folder(root) {
            // As below, of a cover.
            Err(Errno::NOENT | Errno::ACCESS)
                if matches!(self.piece, Piece::Cover { holds: None, .. } | Piece::Pin) =>
            {
                return Ok(());
            }
            other => other?,
        };
        let (folder, target): (_, &CStr) = (folder.as_fd(), &self.name);
        match &self.piece {
            Piece::Bind { attributes, tree, .. } => {
                let tree = tree.as_ref().ok_or(Errno::BADF)?.as_fd();
                sys::mount_setattr(tree, true, *attributes, 0, None)?;
                mount_point(tree, folder, target)?;
                attach(tree, folder, target)
            }
            Piece::Overlay(overlay) => {
                let tree = overlay.mount(aside.ok_or(Errno::BADF)?.as_fd())?;
                mount_point(tree.as_fd(), folder, target)?;
                attach(tree.as_fd(), folder, target)
            }
            Piece::File { contents, mode, mounted: false, .. } if !is_served => {
                write_file(folder, target, contents, *mode)
            }
            Piece::File { contents, mode, mounted, kept } => {
                lay_over(store, folder, target, contents, *mode)?;
                let kept: &CStr = kept;
                // A file of the root keeps its name.
                if *mounted {
                    fs::unlinkat(store, FILE, AtFlags::empty())
                } else {
                    fs::renameat(store, FILE, store, kept)
                }
            }
            Piece::Symlink { .. } if is_served => Ok(()),
            Piece::Symlink { to } => make_link(folder, target, to),
            Piece::Directory => make_dir(folder, target, 0o755),
            Piece::Scratch { name, mode, execute } => {
                let name: &CStr = name;
                fs::mkdirat(scratch, name, Mode::from(*mode))?;
                fs::chmodat(scratch, name, Mode::from(*mode), AtFlags::empty())?;
                let tree = clone_at(scratch, name)?;
                // The whole of it is `noexec`; a part may be without.
                sys::mount_setattr(tree.as_fd(), false, scratch_attributes(*execute), NOEXEC, None)?;
                mount_point(tree.as_fd(), folder, target)?;
                attach(tree.as_fd(), folder, target)
            }
            Piece::Cover { holds: Some(name), .. } => {
                let tree = if is_served { clone_at(root, name)? } else { tmpfs(&[(c"mode", c"0755")])? };
                attach(tree.as_fd(), folder, target)
            }
            Piece::Cover { holds: None, shows } => {
                let stat = match fs::statat(folder, target, AtFlags::SYMLINK_NOFOLLOW) {
                    // Gone since it was planned: nothing is left to cover. Out of reach for this user, who is the
                    // script's: it cannot get there either.
                    Err(Errno::NOENT | Errno::ACCESS) => return Ok(()),
                    other => other?,
                };
                let kind = fs::FileType::from_raw_mode(stat.st_mode);
                if kind.is_symlink() {
                    // Where it leads is decided by what is mounted there.
                    return Ok(());
                }
                if let Some(contents) = shows.as_ref().filter(|_| kind.is_file()) {
                    lay_over(store, folder, target, contents, 0o444)?;
                    return fs::unlinkat(store, FILE, AtFlags::empty());
                }
                let tree = clone_at(root, if kind.is_dir() { BLANK_DIR } else { BLANK_FILE })?;
                sys::mount_setattr(tree.as_fd(), false, RDONLY | NOSUID | NODEV | NOEXEC, 0, None)?;
                attach(tree.as_fd(), folder, target)
            }
            Piece::Pin => {
                // As it is here already, with all that is mounted below it.
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let here = match fs::openat(folder, target, flags, Mode::empty()) {
                    Err(Errno::NOENT | Errno::ACCESS) => return Ok(()),
                    other => other?,
                };
                attach(clone_of(here.as_fd())?.as_fd(), folder, target)
            }
            Piece::Devices(devices) => devices.apply(root, is_served),
            Piece::Processes => {
                let proc = processes()?;
                make_dir(root, c"proc", 0o555)?;
                attach(proc.as_fd(), root, c"proc")
            }
        }
    }
}

impl Placed {
    /// Another run, which may write to a folder of the host, can put a link into the place of one on the way; it would
    /// lead out of the new root, beside which there is still the host's.
    fn open_folder(&self, root: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let folder: &CStr = &self.folder;
        fs::openat2(root, folder, flags, Mode::empty(), resolve)
    }

    /// Once every mount point is made, a cover that holds something is read-only.
    fn close(&self, root: BorrowedFd<'_>) -> Result<(), Errno> {
        if !matches!(self.piece, Piece::Cover { holds: Some(_), .. }) {
            return Ok(());
        }
        let (folder, target): (_, &CStr) = (self.open_folder(root)?, &self.name);
        let cover =
            fs::openat(&folder, target, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        sys::mount_setattr(cover.as_fd(), false, RDONLY | NOSUID | NODEV | NOEXEC, 0, None)
    }
}

fn finish(root: BorrowedFd<'_>, is_served: bool) -> Result<(), Errno> {
    rustix::process::fchdir(root)?;
    if !is_served {
        fs::unlinkat(root, BLANK_DIR, AtFlags::REMOVEDIR)?;
        fs::unlinkat(root, BLANK_FILE, AtFlags::empty())?;
    }
    sys::mount_setattr(root, false, RDONLY | NOSUID | NODEV | NOEXEC, 0, None)?;
    // The old root ends up on top of the new one and is let go at once (`pivot_root(2)`, "pivot_root(".", ".")").
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

#[cfg(test)]
mod tests;

//! The layers of one run: made before it, looked through after it, and gone with it if it changed nothing.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use waxcell_sandbox::{LAYER_PARTS, PathMap, remove_all};

use super::base::MODE;
use super::looked::Looked;
use super::name::Name;
use super::note::Note;
use super::sealed::{Deed, Ground, Head, Sealed, Step, Tree, What};
use crate::changes::{Before, Change, Changes, Kind, Room};

/// Why a run has no layers.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// They cannot be made in the state directory.
    #[error("cannot make a layer in `{}`", path.display())]
    Make {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system of the state directory cannot hold a layer.
    #[error("the file system of `{}` {what}, and holds no layers", path.display())]
    Unfit {
        /// Where.
        path: PathBuf,
        /// What is the matter with it.
        what: &'static str,
    },
}

/// What overlayfs calls itself (`statfs(2)`).
const OVERLAY: rustix::fs::FsWord = 0x794c_7630;

/// Dropping it removes the layers, unless they hold something.
#[derive(Debug)]
pub(crate) struct Layers {
    /// The folder of the run.
    folder: PathBuf,
    grounds: Vec<Ground>,
    /// Absolute places in them that the script cannot get at, or not to write.
    withheld: Vec<PathBuf>,
    keep: bool,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) changes: Changes,
    /// What waits to be committed, if anything does.
    pub(crate) waiting: Option<Head>,
}

impl Layers {
    /// For a run with this folder.
    pub(crate) fn begin(folder: &Path) -> Result<Layers, LayerError> {
        let fail = |source| LayerError::Make { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
        let layers =
            Layers { folder: folder.to_owned(), grounds: Vec::new(), withheld: Vec::new(), keep: false };
        // Without them the kernel mounts a layer all the same, and cannot hide a folder that was removed and made anew.
        let fd =
            rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let fd = fd.map_err(|errno| fail(errno.into()))?;
        let unfit = |what| LayerError::Unfit { path: folder.to_owned(), what };
        if rustix::fs::fstatfs(&fd).is_ok_and(|stat| stat.f_type == OVERLAY) {
            return Err(unfit("is an overlay itself"));
        }
        match rustix::fs::fsetxattr(&fd, "user.waxcell", b"", XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP) => Err(unfit("has no attributes of users")),
            other => other.map(|()| layers).map_err(|errno| fail(errno.into())),
        }
    }

    /// Makes a layer over a place that is there by now; `missing` are the folders on the way to it, and itself if it is
    /// one, that were not. Returns the folder of the layer.
    pub(crate) fn add(
        &mut self,
        path: &Path,
        is_file: bool,
        missing: &[&Path],
    ) -> Result<PathBuf, LayerError> {
        let layer = self.grounds.len().to_string();
        let place = self.folder.join(&layer);
        let made = self.make(&place, path, is_file, missing, layer);
        let ground = made.map_err(|source| LayerError::Make { path: place.clone(), source })?;
        self.grounds.push(ground);
        Ok(place)
    }

    fn make(
        &self,
        place: &Path,
        path: &Path,
        is_file: bool,
        missing: &[&Path],
        layer: String,
    ) -> io::Result<Ground> {
        DirBuilder::new().mode(0o700).create(place)?;
        for part in LAYER_PARTS {
            DirBuilder::new().mode(0o700).create(place.join(part))?;
        }
        let folder = if is_file { path.parent().unwrap_or(path) } else { path };
        let lower = fs::metadata(folder)?;
        // What the script sees is the folder of the layer: it has to look like the host's.
        let upper = place.join(LAYER_PARTS[0]);
        rustix::fs::chmod(&upper, Mode::from(lower.mode() & MODE))?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: lower.atime(), tv_nsec: lower.atime_nsec() },
            last_modification: Timespec { tv_sec: lower.mtime(), tv_nsec: lower.mtime_nsec() },
        };
        rustix::fs::utimensat(CWD, &upper, &times, AtFlags::empty())?;
        let anchor = missing.first().map_or(folder, |first| first.parent().unwrap_or(Path::new("/")));
        let anchor = if anchor.starts_with(folder) { folder } else { anchor };
        // What a layer over a folder further out says has to fit together with this one.
        let outer = self.grounds.iter().map(|ground| ground.anchor.as_path());
        let outer =
            outer.filter(|outer| anchor.starts_with(outer)).max_by_key(|outer| outer.as_os_str().len());
        let anchor = outer.unwrap_or(anchor);
        let mut steps = Vec::new();
        let mut way = anchor.to_owned();
        for name in folder.strip_prefix(anchor).unwrap_or(Path::new("")) {
            way.push(name);
            let here = fs::symlink_metadata(&way)?;
            let missing = missing.contains(&way.as_path()).then_some(here.mode() & MODE);
            steps.push(Step { name: Name::from(name), missing, inode: here.ino() });
        }
        Ok(Ground {
            anchor: Name::from(anchor),
            inode: fs::metadata(anchor)?.ino(),
            steps,
            file: is_file.then(|| Name::from(path.file_name().unwrap_or_default())),
            mode: lower.mode() & MODE,
            layer,
        })
    }

    /// Writes down what there is to know about the run, for whoever finds it; `withheld` are places that the script does
    /// not get at, or may not write to.
    pub(crate) fn note(&mut self, note: Note, withheld: Vec<PathBuf>) -> Result<(), LayerError> {
        self.withheld = withheld;
        let note = Note { grounds: self.grounds.clone(), ..note };
        note.write(&self.folder).map_err(|source| LayerError::Make { path: self.folder.clone(), source })
    }

    /// The run is over: what is in its layers? `claimed` are missing folders that the script made itself. What there is
    /// is durable when this returns.
    pub(crate) fn seal(mut self, before: &Before, claimed: &[PathBuf]) -> Result<Left, LayerError> {
        // From here on an error leaves what the script wrote where it is.
        self.keep = true;
        let fail = |source: io::Error| LayerError::Make { path: self.folder.clone(), source };
        let withheld: PathMap<'_, ()> = self.withheld.iter().map(|path| (path.as_path(), ())).collect();
        let looked =
            Looked::into(&self.folder, &self.grounds, Some(before), &withheld, claimed).map_err(fail)?;
        let changes = looked.changes();
        let Looked { trees, gone, partly } = looked;
        let mut listed = Listed { gone, ..Listed::default() };
        trees.iter().for_each(|tree| listed.take(tree));
        listed.take_gone();
        let whole = partly.is_none() && listed.whole;
        self.keep = changes > 0 || partly.is_some();
        let head = Head { changes, partly };
        if self.keep {
            self.sync().map_err(|errno| fail(errno.into()))?;
            let grounds = std::mem::take(&mut self.grounds);
            let sealed = Sealed { head: head.clone(), grounds, trees };
            sealed.write(&self.folder).map_err(fail)?;
        }
        let mut list = listed.list;
        list.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Left { changes: Changes { list, whole }, waiting: self.keep.then_some(head) })
    }

    /// What was written has to be on the disk before anybody is told that it waits there.
    fn sync(&self) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::syncfs(rustix::fs::open(&self.folder, flags, Mode::empty())?)
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        if !self.keep {
            remove(&self.folder);
        }
    }
}

/// Removes the folder of a run. What cannot be removed now is removed by a later start.
pub(super) fn remove(folder: &Path) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(parent) = rustix::fs::open(folder.parent().unwrap_or(Path::new("/")), flags, Mode::empty()) {
        let _ = remove_all(parent.as_fd(), folder.file_name().unwrap_or_default());
    }
}

/// The changes of files, as the report of a run has them.
struct Listed {
    list: Vec<Change>,
    room: Room,
    whole: bool,
    /// Files of the host in folders that go.
    gone: BTreeSet<PathBuf>,
}

impl Default for Listed {
    fn default() -> Listed {
        Listed { list: Vec::new(), room: Room::new(), whole: true, gone: BTreeSet::new() }
    }
}

impl Listed {
    fn add(&mut self, path: &Path, change: Kind, size: Option<u64>) {
        if self.room.take(path.as_os_str().len()) {
            self.list.push(Change::new(path, change, size));
        } else {
            self.whole = false;
        }
    }

    fn take(&mut self, tree: &Tree) {
        for (at, node) in tree.nodes.iter().enumerate() {
            let size = match node.what {
                What::File { size } => Some(size),
                _ => None,
            };
            let is_file = !matches!(node.what, What::Folder { .. } | What::Nothing);
            match node.deed() {
                Deed::Created | Deed::Changed if is_file => {
                    let path = tree.absolute(at);
                    let was_there = self.gone.remove(&path) || node.was_a_file();
                    self.add(&path, if was_there { Kind::Changed } else { Kind::Created }, size);
                }
                Deed::Changed | Deed::Removed if node.was_a_file() => {
                    self.add(&tree.absolute(at), Kind::Removed, None);
                }
                _ => {}
            }
        }
    }

    /// What is in no layer any more.
    fn take_gone(&mut self) {
        for path in std::mem::take(&mut self.gone) {
            self.add(&path, Kind::Removed, None);
        }
    }
}

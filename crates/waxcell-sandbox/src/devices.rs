//! The minimal `/dev` of a run: a few nodes of the host, links into `/proc`, and pseudo-terminals of the run's own
//! (`pts(4)`).
//!
//! Each run has its own instance of devpts, in which the host's terminals are not. There is no `/dev/tty`: what it means
//! depends on the terminal that controls the process, and the caller's must not be reached in any way.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::lookout::Kind;
use crate::mounts::{NOEXEC, NOSUID, attach, clone_tree, make_dir, make_link, mount_point};
use crate::sys;

pub(crate) const NODES: [&CStr; 5] =
    [c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/random", c"/dev/urandom"];
pub(crate) const LINKS: [(&CStr, &CStr); 5] = [
    (c"/dev/fd", c"/proc/self/fd"),
    (c"/dev/stdin", c"/proc/self/fd/0"),
    (c"/dev/stdout", c"/proc/self/fd/1"),
    (c"/dev/stderr", c"/proc/self/fd/2"),
    (c"/dev/ptmx", c"pts/ptmx"),
];
/// Pseudo-terminals that a run can have at one time. They are kernel memory, and all of a host share a limit.
const TERMINALS: &CStr = c"32";

/// What of it has to be there, if others make it: folders, places of nodes, links.
pub(crate) fn places() -> impl Iterator<Item = (&'static Path, Kind)> {
    let path = |path: &'static CStr| Path::new(OsStr::from_bytes(path.to_bytes()));
    let nodes = NODES.into_iter().map(move |node| (path(node), Kind::File));
    let links = LINKS.into_iter().map(move |(link, to)| (path(link), Kind::Link(to.to_bytes().to_vec())));
    nodes.chain([(Path::new("/dev/pts"), Kind::Folder)]).chain(links)
}

/// The nodes, opened on the host.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    trees: [Option<OwnedFd>; NODES.len()],
}

impl Devices {
    /// Opens the nodes, before the new root covers them.
    pub(crate) fn open(&mut self) -> Result<(), Errno> {
        for (tree, path) in self.trees.iter_mut().zip(NODES) {
            *tree = Some(clone_tree(path)?);
        }
        Ok(())
    }

    /// `is_served`: the links are there.
    pub(crate) fn apply(&self, root: BorrowedFd<'_>, is_served: bool) -> Result<(), Errno> {
        make_dir(root, c"dev", 0o755)?;
        for (tree, path) in self.trees.iter().zip(NODES) {
            let tree = tree.as_ref().ok_or(Errno::BADF)?.as_fd();
            // Not nodev: these few are what /dev is for.
            sys::mount_setattr(tree, false, NOSUID | NOEXEC, 0, None)?;
            let name = relative(path)?;
            mount_point(tree, root, name)?;
            attach(tree, root, name)?;
        }
        make_dir(root, c"dev/pts", 0o755)?;
        match terminals() {
            Ok(terminals) => attach(terminals.as_fd(), root, c"dev/pts")?,
            // A kernel built without pseudo-terminals: nobody has any.
            Err(Errno::NODEV) => {}
            Err(errno) => return Err(errno),
        }
        if is_served {
            return Ok(());
        }
        LINKS.iter().try_for_each(|(link, to)| make_link(root, relative(link)?, to))
    }
}

pub(crate) fn relative(path: &CStr) -> Result<&CStr, Errno> {
    CStr::from_bytes_with_nul(&path.to_bytes_with_nul()[1..]).map_err(|_| Errno::INVAL)
}

/// A new instance of devpts: each mount is one of its own.
fn terminals() -> Result<OwnedFd, Errno> {
    let config = rustix::mount::fsopen(c"devpts", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [(c"ptmxmode", c"0666"), (c"mode", c"0620"), (c"max", TERMINALS)] {
        rustix::mount::fsconfig_set_string(config.as_fd(), key, value)?;
    }
    rustix::mount::fsconfig_create(config.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(config.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

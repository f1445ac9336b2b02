//! Putting what a layer holds onto the file system of the host, under a name that nobody looks at yet.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, SeekFrom, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::place::Place;
use super::sealed::{Deed, Node, Sealed, Tree, What};
use super::survey::target;
use crate::record::hex;

/// Bits of a file's mode that are carried over: none that would lend anybody's rights to whoever executes it.
const OF_FILE: u32 = 0o777;
/// The same of a folder; the bit that hands a folder's group on is the host's own.
pub(super) const OF_FOLDER: u32 = 0o1777;
pub(super) const GROUP: u32 = 0o2000;

/// Holes up to this are hashed as the zeros that they are; beyond, a file has no hash.
const HASHED_HOLES: u64 = 1 << 30;

/// A file that was copied, for the record.
pub(super) struct Copied {
    pub(super) path: PathBuf,
    pub(super) change: Deed,
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<String>,
}

/// Copies nodes of a run.
pub(super) struct Copier<'a> {
    /// The folder of the run.
    pub(super) run: &'a Path,
    pub(super) sealed: &'a Sealed,
    pub(super) tree: &'a Tree,
    pub(super) each: &'a mut dyn FnMut(Copied),
}

impl Copier<'_> {
    /// Makes what a node says in a folder, under a name that is free, with all that lies below it.
    pub(super) fn copy(&mut self, at: usize, folder: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
        let node = &self.tree.nodes[at];
        let change = node.deed();
        self.one(at, change, folder, name)?;
        if let What::Folder { .. } = node.what {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let top = Place::at(rustix::fs::openat(folder, name, flags, Mode::empty())?);
            let base = self.tree.path(at);
            let inside = |at: usize| {
                let path = self.tree.path(at);
                path.strip_prefix(&base).map_or(PathBuf::new(), Path::to_owned)
            };
            let below: Vec<usize> = self.tree.below(at).collect();
            for inner in &below {
                let path = inside(*inner);
                let above = top.folder(path.parent().unwrap_or(Path::new("")))?;
                self.one(*inner, change, above.as_fd(), Path::new(path.file_name().unwrap_or_default()))?;
            }
            // The innermost first: what a folder is closed to has to be in it by then.
            for inner in below.iter().rev().chain([&at]) {
                if let What::Folder { .. } = self.tree.nodes[*inner].what {
                    let path = if *inner == at { PathBuf::new() } else { inside(*inner) };
                    finish_folder(&top.listed(&path)?, self.tree.nodes[*inner].mode)?;
                }
            }
        }
        Ok(())
    }

    fn one(&mut self, at: usize, change: Deed, folder: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
        let node = &self.tree.nodes[at];
        let mut copied = Copied { path: self.tree.absolute(at), change, size: None, sha256: None };
        match &node.what {
            What::Folder { .. } => rustix::fs::mkdirat(folder, name, Mode::RWXU)?,
            What::File { size } => {
                let (layer, path) = self.in_layer(at, node)?;
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let to = rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?;
                copied.size = Some(*size);
                copied.sha256 = copy_file(layer.file(&path)?, to.into(), node)?;
            }
            What::Link => {
                let (layer, path) = self.in_layer(at, node)?;
                rustix::fs::symlinkat(target(&layer, &path)?, folder, name)?;
            }
            What::Nothing | What::Other(_) => return Err(Errno::INVAL.into()),
        }
        (self.each)(copied);
        Ok(())
    }

    fn in_layer(&self, at: usize, node: &Node) -> io::Result<(Place, PathBuf)> {
        let ground = node.ground.and_then(|ground| self.sealed.grounds.get(ground as usize));
        let ground = ground.ok_or(Errno::NOENT)?;
        let layer = self.run.join(&ground.layer).join(waxcell_sandbox::LAYER_PARTS[0]);
        Ok((Place::open(&layer)?, ground.in_layer(&self.tree.path(at)).to_owned()))
    }
}

fn finish_folder(folder: &OwnedFd, mode: u32) -> io::Result<()> {
    let own = rustix::fs::fstat(folder)?.st_mode & GROUP;
    Ok(rustix::fs::fchmod(folder, Mode::from(mode & OF_FOLDER | own))?)
}

fn copy_file(from: File, to: File, node: &Node) -> io::Result<Option<String>> {
    let facts = from.metadata()?;
    let hash = copy_content(&from, &to, facts.len())?;
    let made = to.metadata()?;
    if node.deed() == Deed::Changed && (made.uid(), made.gid()) != (facts.uid(), facts.gid()) {
        rustix::fs::fchown(&to, Some(Uid::from_raw(facts.uid())), Some(Gid::from_raw(facts.gid())))?;
    }
    rustix::fs::fchmod(&to, Mode::from(node.mode & OF_FILE))?;
    for (name, value) in attributes(&from)? {
        rustix::fs::fsetxattr(&to, &*name, &value, XattrFlags::empty())?;
    }
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(facts.atime(), facts.atime_nsec()),
        last_modification: time(facts.mtime(), facts.mtime_nsec()),
    };
    rustix::fs::futimens(&to, &times)?;
    Ok(hash)
}

/// Holes stay holes: a file can say that it has a pebibyte of zeros.
fn copy_content(mut from: &File, mut to: &File, size: u64) -> io::Result<Option<String>> {
    let (mut hash, mut holes, mut at) = (Sha256::new(), 0u64, 0u64);
    let mut piece = vec![0u8; 1 << 17];
    while at < size {
        let data = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => size,
            // A file system that does not tell holes apart.
            Err(Errno::INVAL) => at,
            other => other?.min(size),
        };
        let end = match rustix::fs::seek(from, SeekFrom::Hole(data)) {
            Err(Errno::NXIO | Errno::INVAL) => size,
            // Never back to where this began.
            other => Some(other?.min(size)).filter(|end| *end > data).unwrap_or(size),
        };
        holes = holes.saturating_add(data - at);
        if holes <= HASHED_HOLES {
            zeros(&mut hash, data - at, &mut piece);
        }
        from.seek(io::SeekFrom::Start(data))?;
        to.seek(io::SeekFrom::Start(data))?;
        let mut left = end - data;
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = from.read(&mut piece[..most])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            to.write_all(&piece[..read])?;
            hash.update(&piece[..read]);
            left -= read as u64;
        }
        at = end;
    }
    to.set_len(size)?;
    Ok((holes <= HASHED_HOLES).then(|| hex(&hash.finalize())))
}

fn zeros(hash: &mut Sha256, mut count: u64, piece: &mut [u8]) {
    piece.fill(0);
    while count > 0 {
        let most = piece.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        hash.update(&piece[..most]);
        count -= most as u64;
    }
}

/// Names and values.
type Attributes = std::collections::BTreeMap<Vec<u8>, Vec<u8>>;

/// A user's own attributes and access-control lists; not those of overlayfs.
pub(super) fn attributes(file: &File) -> io::Result<Attributes> {
    let mut names = vec![0u8; 1 << 16];
    let length = match rustix::fs::flistxattr(file, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(Attributes::new()),
        other => other?,
    };
    let wanted = |name: &&[u8]| {
        name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
            || *name == b"system.posix_acl_access"
    };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).filter(wanted);
    names
        .map(|name| {
            let mut value = vec![0u8; 1 << 16];
            let length = rustix::fs::fgetxattr(file, name, &mut value[..])?;
            value.truncate(length);
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// Gives a folder of the host another mode, but for the bits that a script has no say in.
pub(super) fn change_mode(folder: &OwnedFd, mode: u32) -> Result<(), Errno> {
    rustix::fs::chmod(format!("/proc/self/fd/{}", folder.as_raw_fd()), Mode::from(mode))
}

/// Whether nothing is called so in a folder.
pub(super) fn is_free(folder: BorrowedFd<'_>, name: &Path) -> bool {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_err_and(|errno| errno == Errno::NOENT)
}

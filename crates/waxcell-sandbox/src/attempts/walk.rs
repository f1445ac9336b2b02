//! A path walked as the kernel walks it for the process that gave it, one name at a time (`path_resolution(7)`), to say
//! where it leads, or where it ends.
//!
//! Only for the record: the kernel resolves the path again and decides by what it finds itself. Nothing here allocates.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::lookout::Skeleton;
use crate::procfs;
use crate::target::{name_of, without_slashes};
use crate::wire::PATH_MAX;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Where a path leads.
pub(super) enum End {
    /// To this.
    There(OwnedFd, Stat),
    /// Nowhere: in this folder, the next name is not there.
    Missing(OwnedFd, Stat),
    /// Nowhere: this folder lets nobody through.
    Shut(OwnedFd, Stat),
    /// Nowhere: the next name is of the init, and closed to everybody else.
    Private(OwnedFd, Stat),
    /// Nowhere that can be said.
    Nowhere,
}

/// A root that is served: in which folders the kernel must not be asked for what is not there, since whoever asked for it
/// first may be waiting for us.
#[derive(Clone, Copy)]
pub(super) struct Root<'s> {
    pub(super) device: u64,
    pub(super) skeleton: &'s Skeleton,
}

impl Root<'_> {
    /// Whether a name of a folder is a place at which the lookout has whoever comes through looked at.
    fn watches(&self, folder: &Stat, name: &[u8]) -> bool {
        let child = || self.skeleton.node(self.skeleton.child(folder.st_ino, name)?);
        folder.st_dev == self.device && child().is_some_and(|node| node.is_watched)
    }

    /// Whether a folder of it is without this name, and what the kernel would say.
    fn lacks(&self, folder: &Stat, name: &[u8]) -> Option<Errno> {
        if folder.st_dev != self.device || matches!(name, b"." | b"..") {
            return None;
        }
        match self.skeleton.child(folder.st_ino, name) {
            Some(_) => None,
            None if folder.st_mode & 0o777 == 0 => Some(Errno::ACCESS),
            None => Some(Errno::NOENT),
        }
    }
}

/// A walk along a path.
pub(super) struct Walk<'s> {
    root: Option<Root<'s>>,
    /// Who gave it, for whom `/proc/self` is another.
    tid: u32,
    /// Device of the run's `/proc`.
    proc: u64,
    at: OwnedFd,
    /// What is still to be walked: from `next` to `length`.
    path: [u8; PATH_MAX],
    next: usize,
    length: usize,
    links: usize,
    /// Whether it came through a place that the lookout watches.
    was_watched: bool,
}

impl<'s> Walk<'s> {
    /// A walk along `path`, from `base` where it is relative.
    pub(super) fn new(
        tid: u32,
        proc: u64,
        root: Option<Root<'s>>,
        base: Option<OwnedFd>,
        path: &[u8],
    ) -> Result<Walk<'s>, Errno> {
        let at = match base.filter(|_| path.first() != Some(&b'/')) {
            Some(base) => base,
            None => open_root()?,
        };
        let mut walk = Walk {
            root,
            tid,
            proc,
            at,
            path: [0; PATH_MAX],
            next: 0,
            length: path.len(),
            links: 0,
            was_watched: false,
        };
        walk.path.get_mut(..path.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(path);
        walk.skip(0);
        Ok(walk)
    }

    /// Goes to the end; `follow`: through a link that stands there as well.
    pub(super) fn go(&mut self, follow: bool) -> End {
        loop {
            let Ok(here) = fs::fstat(&self.at) else { return End::Nowhere };
            let mut name = [0u8; 256];
            let name = match self.name(&mut name) {
                Ok(Some(name)) => name,
                Ok(None) => return self.stop(here, End::There),
                Err(_) => return End::Nowhere,
            };
            if here.st_dev == self.proc && is_private(&self.at, name) {
                return self.stop(here, End::Private);
            }
            let before = self.next;
            self.skip(name.to_bytes().len());
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let lacks = self.root.and_then(|root| root.lacks(&here, name.to_bytes()));
            self.was_watched |= self.root.is_some_and(|root| root.watches(&here, name.to_bytes()));
            let found = match lacks.map_or_else(|| fs::openat(&self.at, name, flags, Mode::empty()), Err) {
                Ok(found) => found,
                Err(errno) => {
                    self.next = before;
                    return match errno {
                        Errno::NOENT => self.stop(here, End::Missing),
                        Errno::ACCESS => self.stop(here, End::Shut),
                        _ => End::Nowhere,
                    };
                }
            };
            let Ok(stat) = fs::fstat(&found) else { return End::Nowhere };
            let is_link = FileType::from_raw_mode(stat.st_mode).is_symlink();
            let at_the_end = self.next == self.length;
            // A slash behind a link makes the kernel follow it.
            let slashed = self.path[..self.length].ends_with(b"/");
            if !is_link || (at_the_end && !follow && !slashed) {
                self.at = found;
            } else if self.follow(found, stat.st_dev == self.proc, name).is_err() {
                return End::Nowhere;
            }
        }
    }

    /// Whether the lookout had the init look at whoever went this way.
    pub(super) fn was_watched(&self) -> bool {
        self.was_watched
    }

    /// What is left of the path where it ended.
    pub(super) fn rest(&self) -> &[u8] {
        &self.path[self.next..self.length]
    }

    /// Whether the name that is missing is the last one.
    pub(super) fn is_at_last(&self) -> bool {
        !without_slashes(self.rest()).contains(&b'/')
    }

    fn stop(&self, stat: Stat, end: fn(OwnedFd, Stat) -> End) -> End {
        rustix::io::fcntl_dupfd_cloexec(&self.at, 3).map_or(End::Nowhere, |at| end(at, stat))
    }

    /// The next name.
    fn name<'a>(&self, buffer: &'a mut [u8; 256]) -> Result<Option<&'a CStr>, Errno> {
        let rest = self.rest();
        let length = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        if length == 0 {
            return Ok(None);
        }
        buffer.get_mut(..length).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(&rest[..length]);
        CStr::from_bytes_until_nul(buffer).map(Some).map_err(|_| Errno::NAMETOOLONG)
    }

    /// Past a name and the slashes behind it.
    fn skip(&mut self, name: usize) {
        self.next += name;
        while self.next < self.length && self.path[self.next] == b'/' {
            self.next += 1;
        }
    }

    /// Goes where a link leads: its text takes the place of its name.
    fn follow(&mut self, link: OwnedFd, in_proc: bool, name: &CStr) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Errno::LOOP);
        }
        let mut own = [0u8; 64];
        let mut text = [0u8; PATH_MAX];
        let length = if in_proc {
            let process = procfs::process_of(self.tid).ok_or(Errno::SRCH)?;
            match name.to_bytes() {
                b"self" => copy(procfs::join(&[], process, &mut own)?, &mut text),
                b"thread-self" => {
                    let mut task = [0u8; 32];
                    let task = procfs::join(&[], process, &mut task)?;
                    copy(procfs::join(&[task.to_bytes(), b"/task/"], self.tid, &mut own)?, &mut text)
                }
                // It has no text that leads anywhere: it is what it names.
                _ => match fs::openat(&self.at, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
                    Ok(at) => {
                        self.at = at;
                        return Ok(());
                    }
                    // One that nobody here may go through (`map_files`) has one.
                    Err(Errno::PERM) => fs::readlinkat_raw(&link, c"", &mut text[..])?,
                    Err(errno) => return Err(errno),
                },
            }
        } else {
            fs::readlinkat_raw(&link, c"", &mut text[..])?
        };
        let rest = self.length - self.next;
        let slash = usize::from(rest > 0);
        if length + slash + rest >= PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        text[length] = b'/';
        text[length + slash..length + slash + rest].copy_from_slice(&self.path[self.next..self.length]);
        self.length = length + slash + rest;
        self.path[..self.length].copy_from_slice(&text[..self.length]);
        self.next = 0;
        if self.path[0] == b'/' {
            self.at = open_root()?;
            self.skip(0);
        }
        Ok(())
    }
}

/// What is behind `/proc/1` in the path of something in `/proc`; `None` if it is not of the init.
pub(super) fn of_the_init(path: &[u8]) -> Option<&[u8]> {
    path.strip_prefix(b"/proc/1").filter(|rest| matches!(rest, [] | [b'/', ..]))
}

/// Whether a name is one of those in the init's folder that this process alone may open, whatever their modes say
/// (`proc_pid(5)`): the kernel lets others neither trace it nor see what that would show.
fn is_private(folder: &OwnedFd, name: &CStr) -> bool {
    const PRIVATE: [&[u8]; 12] = [
        b"cwd",
        b"exe",
        b"fd",
        b"fdinfo",
        b"map_files",
        b"maps",
        b"ns",
        b"numa_maps",
        b"root",
        b"smaps",
        b"smaps_rollup",
        b"timers",
    ];
    let mut path = [0u8; PATH_MAX];
    PRIVATE.contains(&name.to_bytes())
        && name_of(folder.as_fd(), b"", &mut path).is_ok_and(|path| of_the_init(path).is_some())
}

/// Puts a name into a text, and says how long it is.
fn copy(name: &CStr, text: &mut [u8; PATH_MAX]) -> usize {
    let name = name.to_bytes();
    text[..name.len()].copy_from_slice(name);
    name.len()
}

fn open_root() -> Result<OwnedFd, Errno> {
    fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

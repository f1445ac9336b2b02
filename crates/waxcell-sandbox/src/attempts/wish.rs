//! What a call would do, and to what.

use rustix::fs::{AtFlags, OFlags};
use waxcell_operations::Operation;

use crate::seccomp::Call;
use crate::target::read_string;
use crate::wire::PATH_MAX;

/// What a call would do, and to what.
pub(super) struct Wish {
    pub(super) operation: Operation,
    pub(super) dirfd: Option<u64>,
    pub(super) path: Option<u64>,
    /// Whether a link at the end is followed.
    pub(super) follow: bool,
    /// What is about to be made there.
    pub(super) makes: Makes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    /// Nothing: it has to be there.
    Nothing,
    /// A file, unless there is one.
    File,
    /// Something new, where nothing may be.
    New,
}

impl Wish {
    pub(super) fn on(operation: Operation, dirfd: Option<u64>, path: u64) -> Wish {
        Wish { operation, dirfd, path: Some(path), follow: true, makes: Makes::Nothing }
    }

    pub(super) fn of_descriptor(operation: Operation, fd: u64) -> Wish {
        Wish { operation, dirfd: Some(fd), path: None, follow: true, makes: Makes::Nothing }
    }

    /// On a name, and not on what it leads to.
    fn name(self) -> Wish {
        Wish { follow: false, ..self }
    }

    fn fresh(self) -> Wish {
        Wish { follow: false, makes: Makes::New, ..self }
    }

    /// What it is where nothing is there: a file that is written to is made.
    pub(super) fn on_nothing(&self) -> Operation {
        match self.operation {
            Operation::FsWrite if self.makes != Makes::Nothing => Operation::FsCreate,
            other => other,
        }
    }

    fn flags(self, flags: u64) -> Wish {
        let follow = self.follow && flags as u32 & AtFlags::SYMLINK_NOFOLLOW.bits() == 0;
        Wish { follow, ..self }
    }
}

/// What an `open` is for; `None`: to be used as a path alone, which gives nothing.
fn opening(dirfd: Option<u64>, path: u64, flags: u64) -> Option<Wish> {
    let flags = OFlags::from_bits_retain(flags as u32);
    if flags.contains(OFlags::PATH) {
        return None;
    }
    let writes = flags.intersects(OFlags::WRONLY | OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC);
    let operation = if writes { Operation::FsWrite } else { Operation::FsRead };
    let exclusive = flags.contains(OFlags::CREATE | OFlags::EXCL);
    let makes = match (flags.contains(OFlags::CREATE), exclusive) {
        _ if flags.contains(OFlags::TMPFILE) => Makes::Nothing,
        (_, true) => Makes::New,
        (true, _) => Makes::File,
        _ => Makes::Nothing,
    };
    let follow = !exclusive && !flags.contains(OFlags::NOFOLLOW);
    Some(Wish { operation, dirfd, path: Some(path), follow, makes })
}

/// What a call would do; the second only if nothing is wrong with the first.
pub(super) fn wishes(kind: Call, a: &[u64; 6]) -> [Option<Wish>; 2] {
    use Operation::*;
    let at = |operation, dirfd, path| Wish::on(operation, Some(dirfd), path);
    let here = |operation, path| Wish::on(operation, None, path);
    let fd = Wish::of_descriptor;
    let one = match kind {
        Call::Open => return [opening(None, a[0], a[1]), None],
        Call::OpenAt => return [opening(Some(a[0]), a[1], a[2]), None],
        Call::Rename => return [Some(here(FsRename, a[0]).name()), Some(here(FsRename, a[1]).fresh())],
        Call::RenameAt | Call::RenameAt2 => {
            return [Some(at(FsRename, a[0], a[1]).name()), Some(at(FsRename, a[2], a[3]).fresh())];
        }
        Call::Link => return [Some(here(FsLink, a[0]).name()), Some(here(FsLink, a[1]).fresh())],
        Call::LinkAt => {
            let follow = a[4] as u32 & AtFlags::SYMLINK_FOLLOW.bits() != 0;
            return [Some(Wish { follow, ..at(FsLink, a[0], a[1]) }), Some(at(FsLink, a[2], a[3]).fresh())];
        }
        Call::Creat => Wish { makes: Makes::File, ..here(FsWrite, a[0]) },
        Call::Truncate => here(FsWrite, a[0]),
        Call::Mkdir => here(FsCreate, a[0]).fresh(),
        Call::MkdirAt => at(FsCreate, a[0], a[1]).fresh(),
        Call::Mknod => here(FsCreate, a[0]).fresh(),
        Call::MknodAt => at(FsCreate, a[0], a[1]).fresh(),
        Call::Symlink => here(FsLink, a[1]).fresh(),
        Call::SymlinkAt => at(FsLink, a[1], a[2]).fresh(),
        Call::Unlink | Call::Rmdir => here(FsDelete, a[0]).name(),
        Call::UnlinkAt => at(FsDelete, a[0], a[1]).name(),
        Call::Chdir => here(FsRead, a[0]),
        Call::Execve => here(ProcExec, a[0]),
        Call::ExecveAt => at(ProcExec, a[0], a[1]).flags(a[4]),
        Call::Chmod => here(FsChmod, a[0]),
        Call::FchmodAt => at(FsChmod, a[0], a[1]),
        Call::FchmodAt2 => at(FsChmod, a[0], a[1]).flags(a[3]),
        Call::Fchmod => fd(FsChmod, a[0]),
        Call::Chown => here(FsChown, a[0]),
        Call::Lchown => here(FsChown, a[0]).name(),
        Call::FchownAt => at(FsChown, a[0], a[1]).flags(a[4]),
        Call::Fchown => fd(FsChown, a[0]),
        Call::SetXattr | Call::RemoveXattr => here(FsXattr, a[0]),
        Call::LsetXattr | Call::LremoveXattr => here(FsXattr, a[0]).name(),
        Call::FsetXattr | Call::FremoveXattr => fd(FsXattr, a[0]),
        Call::Utime => here(FsWrite, a[0]),
        Call::UtimensAt if a[1] == 0 => fd(FsWrite, a[0]),
        Call::UtimensAt => at(FsWrite, a[0], a[1]).flags(a[3]),
        _ => return [None, None],
    };
    [Some(one), None]
}

/// Reads the path of a call, and how long it is; `None` if the kernel will not take it.
pub(super) fn read_path(tid: u32, wish: &Wish, path: &mut [u8; PATH_MAX]) -> Option<usize> {
    let Some(address) = wish.path else { return Some(0) };
    let length = read_string(tid, address, path).ok()?;
    // Empty, it can only name the descriptor beside it.
    (length > 0 || wish.operation == Operation::ProcExec).then_some(length)
}

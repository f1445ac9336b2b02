//! What a root of the run's own is built from: the new mount API, a tmpfs with bounds, a `/proc`, device nodes,
//! `pivot_root`, id-mapped mounts; and layers over the host's files.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
    open_tree,
};

use super::child::{Answers, Child, Outcome, Voice};
use super::feature::{Entry, Feature, FeatureGroup, Importance, errno};
use super::host::Settings;
use super::namespaces::{self, Room, dependent};
use crate::lookout;
use crate::mounts::c_path;
use crate::sys;

const fn entry(
    importance: Importance,
    name: &'static str,
    without: &'static str,
    how: &'static str,
) -> Entry {
    Entry { group: FeatureGroup::Files, importance, name, without, how }
}

const FIRST: u8 = namespaces::FIRST_FREE;
const PRIVATE: u8 = FIRST;
const OPENAT2: u8 = FIRST + 1;
const TREE: u8 = FIRST + 2;
const READ_ONLY: u8 = FIRST + 3;
const TMPFS: u8 = FIRST + 4;
const TMPFS_BYTES: u8 = FIRST + 5;
const TMPFS_FILES: u8 = FIRST + 6;
const ATTACH: u8 = FIRST + 7;
const DEVICE: u8 = FIRST + 8;
const PROC: u8 = FIRST + 9;
const PROC_SUBSET: u8 = FIRST + 10;
const PIVOT: u8 = FIRST + 11;
const OVERLAY: u8 = FIRST + 12;
const SERVED: u8 = FIRST + 13;
pub(super) const FIRST_FREE: u8 = FIRST + 14;

const MOUNT_API: Entry = entry(
    Importance::Layer,
    "mount API",
    "the run's root cannot be put together from pieces of the host's",
    "Linux 5.2, and in a container --security-opt seccomp=unconfined --security-opt apparmor=unconfined",
);
const SAFE_OPEN: Entry = entry(
    Importance::Layer,
    "openat2",
    "a path could lead elsewhere through a symlink between planning and mounting; the run is refused",
    "Linux 5.6, and a container profile that passes openat2",
);
const RECURSIVE: Entry = entry(
    Importance::Layer,
    "read-only binds",
    "what is mounted below a read-only path would stay writable (mount_setattr); the run is refused",
    "Linux 5.12, and a container profile that passes mount_setattr",
);
const SCRATCH: Entry = entry(
    Importance::Layer,
    "bounded scratch",
    "no private /tmp whose size and number of files the kernel bounds (tmpfs)",
    "a kernel with CONFIG_TMPFS, and a container profile that passes fsopen and fsmount",
);
const PROCESSES: Entry = entry(
    Importance::Layer,
    "own /proc",
    "a script has no /proc of its own processes alone; Python needs /proc/self",
    "docker: --security-opt systempaths=unconfined; podman: --security-opt unmask=ALL; else Linux 5.8",
);
const DEVICES: Entry = entry(
    Importance::Layer,
    "device nodes",
    "no /dev/null, /dev/zero, /dev/full, /dev/random and /dev/urandom for the script",
    "mount the host's or the container's /dev without nodev",
);
const PIVOT_ROOT: Entry = entry(
    Importance::Layer,
    "pivot_root",
    "the host's file system cannot be let go of, so the run has no root of its own",
    "do not start from an initramfs; docker: --security-opt seccomp=unconfined",
);
const OVERLAYFS: Entry = entry(
    Importance::Better,
    "overlayfs",
    "no layer for a script's writes: a policy with `write_mode: overlay` is refused",
    "Linux 5.11, for root 5.19, with CONFIG_OVERLAY_FS (modprobe overlay)",
);
const LOOKOUT: Entry = entry(
    Importance::Better,
    "FUSE",
    "to tell what is opened in vain, every call that opens a file asks: 9 to 11 microseconds each",
    "CONFIG_FUSE_FS (modprobe fuse), and /dev/fuse open to everybody (chmod 0666; docker: --device /dev/fuse)",
);
const ID_MAPPED: Entry = entry(
    Importance::Layer,
    "id-mapped mounts",
    "root's files cannot be shown to the script's unprivileged user as its own; such a path is refused",
    "run waxcell as an ordinary user, or put the path on ext4, xfs, btrfs (5.15), tmpfs (6.3); overlay has none",
);

/// In the child, in its own namespaces: builds a small root and moves into it.
pub(super) fn try_all(voice: &Voice) {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    voice.say(PRIVATE, rustix::mount::mount_change(c"/", private));
    voice.say(SERVED, served());
    voice.say(OPENAT2, no_symlinks(c"/").map(drop));
    let tree = clone_tree(c"/", OpenTreeFlags::AT_RECURSIVE);
    voice.say(TREE, tree.as_ref().map(drop).map_err(|errno| *errno));
    if let Ok(tree) = tree {
        voice.say(READ_ONLY, read_only(tree.as_fd()));
    }
    let scratch = tmpfs(&[(c"size", c"262144"), (c"nr_inodes", c"4")]);
    voice.say(TMPFS, scratch.as_ref().map(drop).map_err(|errno| *errno));
    if let Ok(scratch) = scratch {
        voice.say(TMPFS_BYTES, is_full_of_bytes(scratch.as_fd()));
        voice.say(TMPFS_FILES, is_full_of_files(scratch.as_fd()));
    }
    // Before anything lies over the paths that it needs.
    let device = clone_tree(c"/dev/null", OpenTreeFlags::empty());
    let Ok(root) = tmpfs(&[(c"size", c"1m"), (c"mode", c"0755")]) else { return };
    // Where the stage builds as well: a directory that every host has.
    if !voice.say(ATTACH, attach(root.as_fd(), CWD, c"/proc")) {
        return;
    }
    let root = root.as_fd();
    voice.say(DEVICE, device.and_then(|device| place_device(device.as_fd(), root)));
    let proc = processes();
    voice.say(PROC, proc.as_ref().map(drop).map_err(|errno| *errno));
    if let Ok(proc) = proc {
        voice.say(PROC_SUBSET, place_processes(proc.as_fd(), root));
    }
    if voice.say(PIVOT, pivot(root)) {
        voice.say(OVERLAY, write_to_layer());
    }
}

fn no_symlinks(path: &CStr) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn clone_tree(path: &CStr, flags: OpenTreeFlags) -> Result<OwnedFd, Errno> {
    open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | flags)
}

fn read_only(tree: BorrowedFd<'_>) -> Result<(), Errno> {
    let attributes =
        libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    sys::mount_setattr(tree, true, attributes, 0, None)?;
    let flags = rustix::fs::fstatvfs(tree)?.f_flag;
    if flags.contains(rustix::fs::StatVfsMountFlags::RDONLY) { Ok(()) } else { Err(Errno::ROFS) }
}

fn tmpfs(options: &[(&CStr, &CStr)]) -> Result<OwnedFd, Errno> {
    let config = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(config.as_fd(), *key, *value)?;
    }
    mounted(config.as_fd(), MountAttrFlags::empty())
}

fn mounted(config: BorrowedFd<'_>, more: MountAttrFlags) -> Result<OwnedFd, Errno> {
    fsconfig_create(config)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | more;
    fsmount(config, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn attach(tree: BorrowedFd<'_>, root: BorrowedFd<'_>, target: &CStr) -> Result<(), Errno> {
    move_mount(tree, c"", root, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

fn create(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::from(0o600))
}

/// A root that could be served.
fn served() -> Result<(), Errno> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    lookout::unserved(uid, gid).map(drop)
}

/// Writes twice what fits; the kernel has to say stop.
fn is_full_of_bytes(scratch: BorrowedFd<'_>) -> Result<(), Errno> {
    let file = create(scratch, c"0")?;
    for _ in 0..128 {
        match rustix::io::write(&file, &[1u8; 4096]) {
            Err(Errno::NOSPC) => {
                return rustix::fs::unlinkat(scratch, c"0", AtFlags::empty());
            }
            other => other?,
        };
    }
    Err(Errno::FBIG)
}

/// Makes more files than there may be; the kernel has to say stop.
fn is_full_of_files(scratch: BorrowedFd<'_>) -> Result<(), Errno> {
    for name in [c"1", c"2", c"3", c"4", c"5", c"6"] {
        match create(scratch, name) {
            Err(Errno::NOSPC) => return Ok(()),
            other => drop(other?),
        }
    }
    Err(Errno::FBIG)
}

fn place_device(device: BorrowedFd<'_>, root: BorrowedFd<'_>) -> Result<(), Errno> {
    sys::mount_setattr(device, false, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC, 0, None)?;
    drop(create(root, c"null")?);
    attach(device, root, c"null")?;
    let null = openat(root, c"null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(&null, b"x")? {
        1 => Ok(()),
        _ => Err(Errno::IO),
    }
}

fn processes() -> Result<OwnedFd, Errno> {
    let config = fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(config.as_fd(), c"subset", c"pid")?;
    mounted(config.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY)
}

/// It has to show this process as the first of its namespace, and nothing of the kernel's.
fn place_processes(proc: BorrowedFd<'_>, root: BorrowedFd<'_>) -> Result<(), Errno> {
    mkdirat(root, c"proc", Mode::from(0o755))?;
    attach(proc, root, c"proc")?;
    rustix::fs::statat(root, c"proc/1/status", AtFlags::empty())?;
    match rustix::fs::statat(root, c"proc/meminfo", AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        _ => Err(Errno::EXIST),
    }
}

fn pivot(root: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")?;
    match rustix::fs::stat(c"/usr") {
        Err(Errno::NOENT) => Ok(()),
        _ => Err(Errno::EXIST),
    }
}

/// Option and folder of each half of a layer, and where the kernel prepares what it writes.
const LAYER: [(&CStr, &CStr); 3] = [(c"lowerdir", c"lower"), (c"upperdir", c"upper"), (c"workdir", c"work")];

/// In the working directory, the new root: a layer, into which a write has to go.
fn write_to_layer() -> Result<(), Errno> {
    mkdirat(CWD, LAYER[0].1, Mode::from(0o755))?;
    let merged = overlay()?;
    mkdirat(CWD, c"merged", Mode::from(0o755))?;
    attach(merged.as_fd(), CWD, c"merged")?;
    drop(create(CWD, c"merged/new")?);
    rustix::fs::stat(c"upper/new").map(drop)
}

/// A layer over the lower folder.
fn overlay() -> Result<OwnedFd, Errno> {
    let config = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (option, folder) in LAYER {
        if folder != LAYER[0].1 {
            mkdirat(CWD, folder, Mode::from(0o755))?;
        }
        fsconfig_set_string(config.as_fd(), option, folder)?;
    }
    fsconfig_set_flag(config.as_fd(), c"userxattr")?;
    mounted(config.as_fd(), MountAttrFlags::empty())
}

/// Everything that a run needs of the above.
const NEEDED: [u8; 12] = [
    PRIVATE,
    OPENAT2,
    TREE,
    READ_ONLY,
    TMPFS,
    TMPFS_BYTES,
    TMPFS_FILES,
    ATTACH,
    DEVICE,
    PROC,
    PROC_SUBSET,
    PIVOT,
];

/// Whether a run would have a root of its own.
pub(super) fn hold(room: &Room) -> bool {
    NEEDED.iter().all(|question| room.answers.get(*question).held())
}

/// Whether a run could write to a layer.
pub(super) fn layers(room: &Room) -> bool {
    room.answers.get(OVERLAY).held() && room.over_mapped.is_ok()
}

/// Whether a layer can lie over a mount with mapped ids, as root's do (Linux 5.19). Where nothing at hand can be mapped
/// nothing is tried, and *id-mapped mounts* says that.
pub(super) fn over_mapped() -> Result<(), Errno> {
    let Ok(userns) = mapped_namespace() else { return Ok(()) };
    let mapped = [c".", c"/"].iter().find_map(|path| {
        let tree = clone_tree(path, OpenTreeFlags::AT_RECURSIVE).ok()?;
        let set = libc::MOUNT_ATTR_IDMAP;
        sys::mount_setattr(tree.as_fd(), false, set, 0, Some(userns.as_fd())).ok().map(|()| tree)
    });
    let Some(tree) = mapped else { return Ok(()) };
    let descriptors = [tree];
    let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNS) as u64;
    let child = Child::start_in(flags, None, &descriptors, |voice| {
        voice.say(OVERLAY, voice.wait().and_then(|()| overlay_over(descriptors[0].as_fd())));
    })?;
    let map = |name| fs::write(format!("/proc/{}/{name}", child.pid), "0 1 1\n");
    match map("uid_map").and_then(|()| map("gid_map")) {
        Ok(()) => child.go(),
        Err(_) => child.kill(),
    }
    match child.finish().get(OVERLAY) {
        Outcome::Failed(errno) => Err(errno),
        Outcome::Held(_) | Outcome::Untried => Ok(()),
    }
}

/// In the child: a layer over a tree of the parent's.
fn overlay_over(tree: BorrowedFd<'_>) -> Result<(), Errno> {
    use rustix::process::{Gid, Uid};
    let (uid, gid) = (Some(Uid::ROOT), Some(Gid::ROOT));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let root = tmpfs(&[(c"size", c"1m"), (c"mode", c"0755")])?;
    attach(root.as_fd(), CWD, c"/proc")?;
    rustix::process::fchdir(&root)?;
    mkdirat(CWD, LAYER[0].1, Mode::from(0o755))?;
    attach(tree, CWD, LAYER[0].1)?;
    overlay().map(drop)
}

/// Judges a feature by its trials, in their order.
fn judge(entry: &Entry, answers: &Answers, questions: &[u8], found: &str) -> Feature {
    let outcomes = questions.iter().map(|question| answers.get(*question));
    match outcomes.filter(|outcome| !outcome.held()).min_by_key(|outcome| *outcome == Outcome::Untried) {
        None => entry.present(found),
        Some(Outcome::Untried) => dependent(entry),
        Some(outcome) => entry.absent(outcome.why()),
    }
}

pub(super) fn features(room: &Room, settings: &Settings, directories: &[&Path]) -> Vec<Feature> {
    let answers = &room.answers;
    vec![
        judge(
            &MOUNT_API,
            answers,
            &[PRIVATE, TREE, ATTACH],
            "fsopen, open_tree and move_mount work in a child",
        ),
        judge(&SAFE_OPEN, answers, &[OPENAT2], "paths can be opened without following a symlink"),
        judge(&RECURSIVE, answers, &[READ_ONLY], "a whole tree was made read-only, nosuid, nodev, noexec"),
        judge(
            &SCRATCH,
            answers,
            &[TMPFS, TMPFS_BYTES, TMPFS_FILES],
            "a tmpfs stopped at its size and number of files",
        ),
        judge(
            &PROCESSES,
            answers,
            &[PROC, PROC_SUBSET],
            "mounted with the run's processes alone (subset=pid)",
        ),
        judge(&DEVICES, answers, &[DEVICE], "/dev/null was bound and written to"),
        judge(&PIVOT_ROOT, answers, &[PIVOT], "a child moved into a root of its own"),
        id_mapped(settings, directories),
        judge(&LOOKOUT, answers, &[SERVED], "mounted in a user namespace"),
        match room.over_mapped {
            Err(failure) => {
                OVERLAYFS.absent(format!("not over an id-mapped mount, as root needs it: {}", errno(failure)))
            }
            Ok(()) => judge(
                &OVERLAYFS,
                answers,
                &[OVERLAY],
                "mounted in a user namespace; a write went to the layer",
            ),
        },
    ]
}

/// Tries an id-mapped mount on each directory, detached from any path, as root alone needs it.
fn id_mapped(settings: &Settings, directories: &[&Path]) -> Feature {
    if !settings.root {
        return ID_MAPPED.present("not needed: files of an ordinary user are the script's own already");
    }
    let root = [Path::new("/")];
    let directories = if directories.is_empty() { &root } else { directories };
    let userns = match mapped_namespace() {
        Ok(userns) => userns,
        Err(failure) => {
            return ID_MAPPED.absent(format!("no user namespace to map with: {}", errno(failure)));
        }
    };
    let tried: Vec<(PathBuf, Result<(), Errno>)> =
        directories.iter().map(|directory| map_mount(directory, userns.as_fd())).collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let found: Vec<String> = tried
        .iter()
        .map(|(path, outcome)| {
            let kind = file_system(&mounts, path).unwrap_or("unknown file system");
            let outcome = outcome.map_or_else(errno, |()| "yes".to_owned());
            format!("{} ({kind}): {outcome}", path.display())
        })
        .collect();
    let found = found.join(", ");
    match tried.iter().filter(|(_, outcome)| outcome.is_ok()).count() {
        0 => ID_MAPPED.absent(found),
        some if some < tried.len() => ID_MAPPED.partly(found),
        _ => ID_MAPPED.present(found),
    }
}

fn map_mount(directory: &Path, userns: BorrowedFd<'_>) -> (PathBuf, Result<(), Errno>) {
    // What does not exist yet will be made on the file system of the nearest that does.
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let existing = directory.ancestors().find_map(|path| path.canonicalize().ok()).unwrap_or(directory);
    let outcome = clone_tree(&c_path(&existing), OpenTreeFlags::AT_RECURSIVE)
        .and_then(|tree| sys::mount_setattr(tree.as_fd(), false, libc::MOUNT_ATTR_IDMAP, 0, Some(userns)));
    (existing, outcome)
}

/// A user namespace that maps root to somebody else: what an id-mapped mount is made with.
fn mapped_namespace() -> Result<OwnedFd, Errno> {
    let child = Child::start(libc::CLONE_NEWUSER as u64, |voice| {
        let _ = voice.wait();
    })?;
    let io = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let namespace = ["uid_map", "gid_map"]
        .iter()
        .try_for_each(|name| fs::write(format!("/proc/{}/{name}", child.pid), "0 1 1\n").map_err(io))
        .and_then(|()| fs::File::open(format!("/proc/{}/ns/user", child.pid)).map_err(io));
    child.kill();
    child.finish();
    namespace.map(OwnedFd::from)
}

/// The type of the file system that a path lies on (`proc_pid_mountinfo(5)`).
pub(super) fn file_system<'a>(mountinfo: &'a str, path: &Path) -> Option<&'a str> {
    mount_of(mountinfo, path).map(|(kind, _)| kind)
}

/// The type and the options of the topmost mount that a path lies on.
pub(super) fn mount_of<'a>(mountinfo: &'a str, path: &Path) -> Option<(&'a str, &'a str)> {
    let mut best: Option<(usize, (&str, &str))> = None;
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let mut left = left.split(' ').skip(4);
        let (Some(point), Some(options)) = (left.next(), left.next()) else { continue };
        let Some(kind) = right.split(' ').next() else { continue };
        // Mount points with spaces are escaped there and not found here; their parent's answers instead.
        if path.starts_with(point) && best.is_none_or(|(length, _)| point.len() >= length) {
            best = Some((point.len(), (kind, options)));
        }
    }
    best.map(|(_, mount)| mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_a_path_is_that_of_its_topmost_mount() {
        let table = "1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /tmp rw,noexec shared:1 - tmpfs tmpfs rw\n\
                     3 1 0:3 / /tmp ro - xfs /dev/b rw\n";
        assert_eq!(file_system(table, Path::new("/usr/lib")), Some("ext4"));
        assert_eq!(mount_of(table, Path::new("/tmp/a")), Some(("xfs", "ro")));
        assert_eq!(file_system(table, Path::new("/tmpfile")), Some("ext4"));
        assert_eq!(file_system("", Path::new("/")), None);
    }
}

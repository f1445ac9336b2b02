//! Memory and CPU of the whole tree, by control groups where the host gives us one (`cgroups(7)`).
//!
//! The ladder: cgroup v2 where it is delegated and has the memory controller, v1 where that is what there is, else
//! nothing here and the supervisor watches (`rlimit+watch`). Which rung a run stands on is part of its record.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Access, AtFlags, CWD};
use serde::Serialize;

use crate::plan::Limits;
use crate::procfs;

/// What holds a run to its memory and CPU limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Rung {
    /// Control groups, version 2.
    #[serde(rename = "cgroup2")]
    Cgroup2,
    /// Control groups, version 1.
    #[serde(rename = "cgroup1")]
    Cgroup1,
    /// Per-process limits, and a supervisor that adds up and kills.
    #[serde(rename = "rlimit+watch")]
    RlimitWatch,
}

/// Why no group could be set up although there are groups.
#[derive(Debug, thiserror::Error)]
#[error("cannot set `{}` to `{value}`", file.display())]
pub struct GroupError {
    file: PathBuf,
    value: String,
    source: io::Error,
}

/// Where groups can be made on this host, by this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    V2 { parent: PathBuf },
    V1 { memory: PathBuf, cpuacct: PathBuf },
}

/// A run's own group. Removed when dropped, which works once nobody is in it.
#[derive(Debug)]
pub(crate) struct Group {
    place: Place,
    name: String,
    directory: Option<OwnedFd>,
}

const PREFIX: &str = "waxcell-";

impl Place {
    /// Finds a place from the mount table and the caller's own groups. In version 2, a group of this user's that has the
    /// memory controller and nobody in it is made to hand it down.
    pub(crate) fn find() -> Option<Place> {
        let text = |path: &str| String::from_utf8(procfs::whole(path).ok()?).ok();
        let (mounts, own) = (text("/proc/self/mountinfo")?, text("/proc/self/cgroup")?);
        v2_place(&mounts, &own).or_else(|| v1_place(&mounts, &own))
    }

    pub(crate) fn rung(&self) -> Rung {
        match self {
            Place::V2 { .. } => Rung::Cgroup2,
            Place::V1 { .. } => Rung::Cgroup1,
        }
    }
}

/// `(mount point, root inside the file system, type, options)` of each control-group mount (`proc_pid_mountinfo(5)`).
fn cgroup_mounts(mountinfo: &str) -> impl Iterator<Item = (&str, &str, &str, &str)> {
    mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let kind = right.next()?;
        kind.starts_with("cgroup").then(|| (point, root, kind, right.nth(1).unwrap_or_default()))
    })
}

fn own_path<'a>(own: &'a str, controller: &str) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split(',').any(|name| name == controller).then_some(path)
    })
}

fn below(point: &str, root: &str, path: &str) -> PathBuf {
    let relative = path.strip_prefix(root).unwrap_or(path);
    Path::new(point).join(relative.trim_start_matches('/'))
}

fn v1_place(mounts: &str, own: &str) -> Option<Place> {
    let find = |controller: &str| {
        let (point, root, ..) = cgroup_mounts(mounts)
            .find(|(_, _, kind, options)| *kind == "cgroup" && options.split(',').any(|o| o == controller))?;
        let dir = below(point, root, own_path(own, controller)?);
        may_make_groups(&dir).then_some(dir)
    };
    Some(Place::V1 { memory: find("memory")?, cpuacct: find("cpuacct")? })
}

fn v2_place(mounts: &str, own: &str) -> Option<Place> {
    let (point, root, ..) = cgroup_mounts(mounts).find(|(_, _, kind, _)| *kind == "cgroup2")?;
    let own = below(point, root, own_path(own, "")?);
    // The nearest first: limits that others have set for the caller then hold for the run as well.
    own.ancestors()
        .take_while(|dir| dir.starts_with(point))
        .find(|dir| may_make_groups(dir) && may_write(&dir.join("cgroup.procs")) && hands_down_memory(dir))
        .map(|dir| Place::V2 { parent: dir.to_owned() })
}

/// Whether groups below `dir` have the memory controller, also if that takes handing it down first. The kernel refuses
/// that where processes are in the group itself, but for the root: then the run's group has to stand higher up.
fn hands_down_memory(dir: &Path) -> bool {
    let has_memory = |file: &str| {
        fs::read_to_string(dir.join(file))
            .is_ok_and(|list| list.split_ascii_whitespace().any(|controller| controller == "memory"))
    };
    let control = dir.join("cgroup.subtree_control");
    if has_memory("cgroup.subtree_control") {
        return true;
    }
    let handed_down = has_memory("cgroup.controllers") && fs::write(&control, "+memory").is_ok();
    if handed_down {
        // Only a floor under the count of processes: a run does without where this user was not given it.
        let _ = fs::write(&control, "+pids");
    }
    handed_down
}

fn may_make_groups(dir: &Path) -> bool {
    may(dir, Access::WRITE_OK | Access::EXEC_OK)
}

/// Being born in a group below takes this of the group above (`cgroups(7)`, delegation containment).
fn may_write(file: &Path) -> bool {
    may(file, Access::WRITE_OK)
}

fn may(path: &Path, access: Access) -> bool {
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

impl Group {
    /// Makes the run's group and sets its limits.
    pub(crate) fn create(place: Place, run: &str, limits: &Limits) -> Result<Group, GroupError> {
        let mut group = Group { place, name: format!("{PREFIX}{run}"), directory: None };
        for dir in group.directories() {
            fs::create_dir(&dir).map_err(|source| GroupError {
                file: dir,
                value: "a new group".to_owned(),
                source,
            })?;
        }
        match &group.place {
            Place::V2 { .. } => {
                let dir = group.memory();
                set(&dir.join("memory.max"), limits.memory)?;
                set_if_there(&dir.join("memory.swap.max"), 0)?;
                // Not `memory.oom.group`: it would take the init along, and with it what it has counted. The supervisor
                // sees the kernel's kill and ends the rest.
                set_if_there(&dir.join("pids.max"), limits.tasks())?;
                let open = fs::File::open(&dir).map_err(|source| GroupError {
                    file: dir,
                    value: "an open directory".to_owned(),
                    source,
                })?;
                group.directory = Some(open.into());
            }
            Place::V1 { .. } => {
                let dir = group.memory();
                set(&dir.join("memory.limit_in_bytes"), limits.memory)?;
                set_if_there(&dir.join("memory.memsw.limit_in_bytes"), limits.memory)?;
                // What TCP holds in the kernel has a counter of its own here, which a host may have switched off.
                let _ = fs::write(dir.join("memory.kmem.tcp.limit_in_bytes"), limits.memory.to_string());
            }
        }
        Ok(group)
    }

    pub(crate) fn rung(&self) -> Rung {
        self.place.rung()
    }

    /// For `clone3` to be born in (v2).
    pub(crate) fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(|fd| fd.as_fd())
    }

    /// Files to write `0` to (v1, or whoever is not born into v2). Through `tasks`: `cgroup.procs` of v1 waits 7 to 20 ms
    /// for a grace period.
    pub(crate) fn tasks(&self, is_outside: bool) -> Result<Vec<OwnedFd>, GroupError> {
        let name = match &self.place {
            Place::V2 { .. } if is_outside => "cgroup.procs",
            Place::V2 { .. } => return Ok(Vec::new()),
            Place::V1 { .. } => "tasks",
        };
        self.directories()
            .into_iter()
            .map(|dir| {
                let file = dir.join(name);
                match fs::OpenOptions::new().write(true).open(&file) {
                    Ok(open) => Ok(open.into()),
                    Err(source) => Err(GroupError { file, value: "0".to_owned(), source }),
                }
            })
            .collect()
    }

    /// The memory limit as the kernel has it.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        match &self.place {
            Place::V2 { .. } => read_number(&self.memory().join("memory.max")),
            Place::V1 { .. } => read_number(&self.memory().join("memory.limit_in_bytes")),
        }
    }

    /// User and system time of the group so far.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        match &self.place {
            Place::V2 { .. } => {
                read_field(&self.memory().join("cpu.stat"), "usage_usec").map(Duration::from_micros)
            }
            Place::V1 { cpuacct, .. } => {
                read_number(&cpuacct.join(&self.name).join("cpuacct.usage")).map(Duration::from_nanos)
            }
        }
    }

    /// What the group holds now, where the kernel does not remember the most itself (version 2 before Linux 5.19).
    pub(crate) fn memory_to_remember(&self) -> u64 {
        match self.memory_peak() {
            Some(_) => 0,
            None => read_number(&self.memory().join("memory.current")).unwrap_or(0),
        }
    }

    /// Most memory that the group ever held.
    pub(crate) fn memory_peak(&self) -> Option<u64> {
        match &self.place {
            Place::V2 { .. } => read_number(&self.memory().join("memory.peak")),
            Place::V1 { .. } => read_number(&self.memory().join("memory.max_usage_in_bytes")),
        }
    }

    /// How often the kernel killed for this group's limit.
    pub(crate) fn out_of_memory_kills(&self) -> u64 {
        let (file, key) = match &self.place {
            Place::V2 { .. } => ("memory.events", "oom_kill"),
            Place::V1 { .. } => ("memory.oom_control", "oom_kill"),
        };
        read_field(&self.memory().join(file), key).unwrap_or(0)
    }

    fn memory(&self) -> PathBuf {
        match &self.place {
            Place::V2 { parent } => parent.join(&self.name),
            Place::V1 { memory, .. } => memory.join(&self.name),
        }
    }

    fn directories(&self) -> Vec<PathBuf> {
        match &self.place {
            Place::V2 { parent } => vec![parent.join(&self.name)],
            Place::V1 { memory, cpuacct } => vec![memory.join(&self.name), cpuacct.join(&self.name)],
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in self.directories() {
            // A group with somebody in it refuses to go; `clear_groups` takes it later.
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Removes the groups of runs that did not end in order: that of `run`, and those that are older than ten minutes. A
/// younger one with nobody in it may be that of a run which is about to begin; one with somebody in it refuses to go.
/// Whether nothing of `run` is left.
pub fn clear_groups(run: &str, now: SystemTime) -> bool {
    const OLD: Duration = Duration::from_secs(600);
    let Some(place) = Place::find() else { return true };
    let parents = match &place {
        Place::V2 { parent } => vec![parent.clone()],
        Place::V1 { memory, cpuacct } => vec![memory.clone(), cpuacct.clone()],
    };
    let group = Group { place, name: format!("{PREFIX}{run}"), directory: None };
    let own = group.directories();
    drop(group);
    for entry in parents.into_iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten() {
        let made = entry.metadata().and_then(|metadata| metadata.modified());
        let old = made.is_ok_and(|made| now.duration_since(made).is_ok_and(|age| age > OLD));
        if old && entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    !own.iter().any(|directory| directory.exists())
}

/// The rung that a run of this caller would stand on.
pub fn rung() -> Rung {
    Place::find().map_or(Rung::RlimitWatch, |place| place.rung())
}

fn set(file: &Path, value: u64) -> Result<(), GroupError> {
    fs::write(file, value.to_string()).map_err(|source| GroupError {
        file: file.to_owned(),
        value: value.to_string(),
        source,
    })
}

fn set_if_there(file: &Path, value: u64) -> Result<(), GroupError> {
    if file.exists() { set(file, value) } else { Ok(()) }
}

fn read_number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn read_field(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
30 29 0:26 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
31 29 0:27 /docker/a /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 29 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
33 29 0:29 / / rw - ext4 /dev/vda rw";

    #[test]
    fn mounts_are_read_with_their_roots() {
        let found: Vec<_> = cgroup_mounts(MOUNTINFO).collect();
        assert_eq!(
            found,
            [
                ("/sys/fs/cgroup/cpuacct", "/", "cgroup", "rw,cpuacct"),
                ("/sys/fs/cgroup/memory", "/docker/a", "cgroup", "rw,memory"),
                ("/sys/fs/cgroup/unified", "/", "cgroup2", "rw"),
            ]
        );
    }

    #[test]
    fn own_groups_are_found_by_controller_and_version() {
        let own = "9:name=systemd:/\n2:cpu,cpuacct:/user\n4:memory:/docker/a/b\n0::/slice/x\n";
        assert_eq!(own_path(own, "cpuacct"), Some("/user"));
        assert_eq!(own_path(own, "memory"), Some("/docker/a/b"));
        assert_eq!(own_path(own, ""), Some("/slice/x"));
        assert_eq!(own_path(own, "pids"), None);
        assert_eq!(below("/m", "/docker/a", "/docker/a/b"), Path::new("/m/b"));
        assert_eq!(below("/m", "/", "/"), Path::new("/m"));
    }

    /// Groups as plain files: what is looked at and in which order, without a kernel behind it.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str, groups: &[&str]) -> Tree {
            let tree = Tree(std::env::temp_dir().join(format!("waxcell-{name}-{}", std::process::id())));
            for group in groups {
                fs::create_dir_all(tree.0.join(group)).unwrap();
                tree.write(group, "cgroup.procs", "");
                tree.write(group, "cgroup.subtree_control", "");
                tree.write(group, "cgroup.controllers", "cpu memory pids\n");
            }
            tree
        }

        fn write(&self, group: &str, file: &str, text: &str) {
            fs::write(self.0.join(group).join(file), text).unwrap();
        }

        /// What is found from the group `a/b/leaf`, as a group of the tree.
        fn found(&self) -> Option<PathBuf> {
            let mounts = format!("32 29 0:28 / {} rw - cgroup2 cgroup2 rw", self.0.display());
            match v2_place(&mounts, "0::/a/b/leaf\n")? {
                Place::V2 { parent } => Some(parent.strip_prefix(&self.0).unwrap().to_owned()),
                Place::V1 { .. } => None,
            }
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_nearest_group_that_hands_memory_down_is_found() {
        let tree = Tree::new("ladder", &["a", "a/b", "a/b/leaf"]);
        // Not its own: that has a process.
        tree.write("a/b/leaf", "cgroup.controllers", "pids\n");
        tree.write("a", "cgroup.subtree_control", "memory pids\n");
        assert_eq!(tree.found(), Some("a/b".into()), "it is made to hand memory down");
        assert_eq!(fs::read_to_string(tree.0.join("a/b/cgroup.subtree_control")).unwrap(), "+pids");
        // A group whose processes this user may not move is of no use.
        fs::remove_file(tree.0.join("a/b/cgroup.procs")).unwrap();
        assert_eq!(tree.found(), Some("a".into()));
        tree.write("a", "cgroup.controllers", "pids\n");
        tree.write("a", "cgroup.subtree_control", "pids\n");
        assert_eq!(tree.found(), None);
    }

    #[test]
    fn the_most_memory_is_remembered_where_the_kernel_does_not() {
        let tree = Tree::new("peak", &["waxcell-run"]);
        let place = Place::V2 { parent: tree.0.clone() };
        let group = Group { place, name: "waxcell-run".to_owned(), directory: None };
        tree.write("waxcell-run", "memory.current", "4096\n");
        assert_eq!((group.memory_to_remember(), group.memory_peak()), (4096, None));
        tree.write("waxcell-run", "memory.peak", "8192\n");
        assert_eq!((group.memory_to_remember(), group.memory_peak()), (0, Some(8192)));
    }
}

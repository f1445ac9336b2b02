//! Limits on the whole tree: control groups, and processes counted per user namespace.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::child::{self, Child, Outcome, Voice};
use super::feature::{Entry, Feature, FeatureGroup, Importance, errno};
use super::files;
use super::namespaces::{Room, dependent};
use crate::cgroup::{Group, GroupError, Place, Rung};
use crate::plan::Limits;
use crate::sys::{self, Fork};

const CONTROL_GROUPS: Entry = Entry {
    group: FeatureGroup::Limits,
    importance: Importance::Better,
    name: "control groups",
    without: "memory and CPU of a run are added up by a watcher several times a second; a burst can pass the limit",
    how: "systemd-run --user --scope -p Delegate=yes waxcell ...; as a service: Delegate=yes and DelegateSubgroup=main",
};

const PROCESSES: Entry = Entry {
    group: FeatureGroup::Limits,
    importance: Importance::Better,
    name: "processes per run",
    without: "the floor under the process count (RLIMIT_NPROC) counts all of the user's processes, not the run's",
    how: "Linux 5.14",
};

const AT_LIMIT: u8 = files::FIRST_FREE;
const BELOW_LIMIT: u8 = files::FIRST_FREE + 1;

/// In the child, process 1 of its namespaces: one process is the limit, then there is room for one more.
pub(super) fn try_processes(voice: &Voice) {
    let limit = |current: u64| {
        let maximum = getrlimit(Resource::Nproc).maximum;
        setrlimit(Resource::Nproc, Rlimit { current: Some(current), maximum })
    };
    voice.say(
        AT_LIMIT,
        limit(1).and_then(|()| match fork_once() {
            Err(Errno::AGAIN) => Ok(()),
            other => other.and(Err(Errno::EXIST)),
        }),
    );
    voice.say(BELOW_LIMIT, limit(2).and_then(|()| fork_once()));
}

fn fork_once() -> Result<(), Errno> {
    let forked = match sys::fork(0, None) {
        Err(Errno::NOSYS) => sys::fork_by_clone(0),
        other => other,
    };
    match forked? {
        Fork::Child => sys::exit(0),
        Fork::Parent { pidfd, .. } => {
            child::end(&pidfd);
            Ok(())
        }
    }
}

pub(super) fn features(room: &Room, control_groups: Feature) -> Vec<Feature> {
    let outcomes = (room.answers.get(AT_LIMIT), room.answers.get(BELOW_LIMIT));
    let processes = match outcomes {
        (Outcome::Held(_), Outcome::Held(_)) => {
            PROCESSES.present("one process too many was refused, and only the run's own are counted")
        }
        (Outcome::Untried, _) => dependent(&PROCESSES),
        (Outcome::Held(_), Outcome::Failed(Errno::AGAIN)) => {
            PROCESSES.absent("the user's other processes are counted as well")
        }
        (Outcome::Held(_), outcome) => PROCESSES.absent(outcome.why()),
        (outcome, _) => PROCESSES.absent(format!("one process too many was not refused: {}", outcome.why())),
    };
    vec![control_groups, processes]
}

/// Makes a group as a run would, lets a child be in it, reads the limit back, removes it.
pub(super) fn control_groups() -> (Feature, Rung) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(place) = Place::find() else {
        return (no_place(&mounts), Rung::RlimitWatch);
    };
    let rung = place.rung();
    let outcome = try_group(place.clone());
    let feature = match (outcome, rung) {
        (Ok(()), Rung::Cgroup2) => {
            CONTROL_GROUPS.present(format!("cgroup2: a child was born in a group below {}", parent(&place)))
        }
        (Ok(()), _) => {
            let feature =
                CONTROL_GROUPS.partly(format!("cgroup1: a child entered groups below {}", parent(&place)));
            Feature {
                without: "the kernel ends one process for memory, and waxcell the rest; processes have another floor",
                how: "boot with systemd.unified_cgroup_hierarchy=1 for version 2".to_owned(),
                ..feature
            }
        }
        (Err(failure), _) => {
            let kind = if rung == Rung::Cgroup2 { "cgroup2" } else { "cgroup1" };
            // Runs would fail here as well: this is worse than having none.
            CONTROL_GROUPS.absent(format!("{kind}: {failure}"))
        }
    };
    (feature, rung)
}

fn parent(place: &Place) -> String {
    // Collected anew, a path has no slash at its end.
    let text = |path: &Path| path.components().collect::<PathBuf>().display().to_string();
    match place {
        Place::V2 { parent } => text(parent),
        Place::V1 { memory, cpuacct } => format!("{} and {}", text(memory), text(cpuacct)),
    }
}

/// Which of the hierarchies has the memory controller, and why it is of no use.
fn no_place(mounts: &str) -> Feature {
    let kinds: Vec<(&str, &str)> = mounts
        .lines()
        .filter_map(|line| {
            let mut right = line.split_once(" - ")?.1.split(' ');
            Some((right.next()?, right.nth(1).unwrap_or_default()))
        })
        .collect();
    let version_1 = |(kind, options): &(&str, &str)| {
        *kind == "cgroup" && options.split(',').any(|option| option == "memory")
    };
    if kinds.iter().any(version_1) {
        CONTROL_GROUPS.absent_because(
            "cgroup1 has the memory controller, and its groups are not this user's",
            "run waxcell as root, or boot with systemd.unified_cgroup_hierarchy=1 for version 2",
        )
    } else if kinds.iter().any(|(kind, _)| *kind == "cgroup2") {
        CONTROL_GROUPS.absent(
            "cgroup2 is mounted, but this user has no group with the memory controller above waxcell's own",
        )
    } else {
        CONTROL_GROUPS.absent_because(
            "not mounted",
            "mount -t cgroup2 none /sys/fs/cgroup; in a container, a writable mount of its own group",
        )
    }
}

const MEMORY: u64 = 64 << 20;

fn try_group(place: Place) -> Result<(), String> {
    let none = 0;
    let limits = Limits {
        wall: Duration::ZERO,
        cpu: Duration::ZERO,
        memory: MEMORY,
        processes: 4,
        threads: 4,
        file_size: none,
        open_files: 0,
        output: none,
        scratch_bytes: none,
        scratch_files: none,
        written: None,
    };
    let name = format!("probe-{}-{}", std::process::id(), rustix::thread::gettid().as_raw_nonzero());
    let describe = |error: GroupError| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let group = Group::create(place, &name, &limits).map_err(describe)?;
    let tasks: Vec<OwnedFd> = group.tasks(false).map_err(describe)?;
    let child = Child::start_in(0, group.directory(), &tasks, |voice| {
        for entry in &tasks {
            if !voice.say(0, rustix::io::write(entry, b"0").map(drop)) {
                return;
            }
        }
    })
    .map_err(|failure| format!("cannot start a process in a group: {}", errno(failure)))?;
    let answers = child.finish();
    if let Outcome::Failed(failure) = answers.get(0) {
        return Err(format!("cannot enter a group: {}", errno(failure)));
    }
    match group.memory_limit() {
        Some(MEMORY) => Ok(()),
        other => Err(format!("the memory limit reads {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_that_has_the_memory_controller_is_blamed() {
        let hybrid =
            "1 0 0:1 / /c/memory rw - cgroup cgroup rw,memory\n2 0 0:2 / /c/unified rw - cgroup2 cgroup2 rw";
        assert!(no_place(hybrid).found.starts_with("cgroup1"));
        let pure = "2 0 0:2 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw,nsdelegate";
        assert!(no_place(pure).found.starts_with("cgroup2"));
        let other = "1 0 0:1 / /c/pids rw - cgroup cgroup rw,pids";
        assert_eq!(no_place(other).found, "not mounted");
    }
}

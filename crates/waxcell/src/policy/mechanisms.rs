//! Which kernel mechanism holds a setting on a host: the sentences of `policy explain`.

use waxcell_operations::Operation;

use super::explanation::{HostFacts, LimitsRung};
use super::model::{PathAccess, PathRule};
use super::operations::{self, Blockable};

pub(super) const FILE_SIZE: &str = "RLIMIT_FSIZE";
const READ_ONLY: &str = "bind mount read-only,nosuid,nodev";
pub(super) const OPEN_FILES: &str = "RLIMIT_NOFILE";
pub(super) const WRITTEN: &str =
    "summed /proc write_bytes of the run, ten times a second and more; fallocate is not there";
pub(super) const OUTPUT: &str = "counted in the supervisor's relay";

pub(super) fn timeout(host: &HostFacts) -> &'static str {
    match host.can_make_namespaces() {
        true => "monotonic clock of the supervisor, kill of the pid namespace",
        false => "monotonic clock of the supervisor, kill of every process of the run",
    }
}

pub(super) fn private(rule: &PathRule, host: &HostFacts) -> &'static str {
    match (host.can_make_namespaces(), rule.execute) {
        (true, true) => "tmpfs of the run, nosuid,nodev, size=",
        _ => scratch(host),
    }
}

pub(super) fn scratch(host: &HostFacts) -> &'static str {
    match host.can_make_namespaces() {
        true => "tmpfs of the run, size=",
        false => "a folder of the run on disk, counted several times a second: namespaces are absent",
    }
}

pub(super) fn scratch_files(host: &HostFacts) -> &'static str {
    match host.can_make_namespaces() {
        true => "tmpfs of the run, nr_inodes=",
        false => "a folder of the run on disk, counted several times a second: namespaces are absent",
    }
}

pub(super) fn cpu(host: &HostFacts) -> &'static str {
    match host.limits_rung {
        LimitsRung::Cgroup2 => "usage_usec of cgroup v2 cpu.stat",
        LimitsRung::Cgroup1 => "cpuacct.usage of a cgroup v1 group",
        LimitsRung::RlimitWatch => "summed /proc times of the run, RLIMIT_CPU as the floor of each process",
    }
}

pub(super) fn memory(host: &HostFacts) -> &'static str {
    match host.limits_rung {
        LimitsRung::Cgroup2 => "memory.max of cgroup v2",
        LimitsRung::Cgroup1 => "memory.limit_in_bytes of cgroup v1",
        LimitsRung::RlimitWatch if host.can_make_namespaces() => {
            "watched: sum of PSS and scratch space, several times a second"
        }
        LimitsRung::RlimitWatch => "watched: sum of PSS, several times a second",
    }
}

pub(super) fn processes(host: &HostFacts) -> String {
    if !host.can_make_namespaces() {
        let floor = match host.limits_rung {
            LimitsRung::Cgroup2 => "pids.max as the floor",
            LimitsRung::Cgroup1 | LimitsRung::RlimitWatch => "with no floor",
        };
        return format!("seccomp user notification counts clone and fork, {floor}: namespaces are absent");
    }
    let floor = match host.limits_rung {
        LimitsRung::Cgroup2 => "pids.max and RLIMIT_NPROC of the run's user namespace",
        LimitsRung::Cgroup1 | LimitsRung::RlimitWatch => "RLIMIT_NPROC of the run's user namespace",
    };
    match host.seccomp_notify {
        true => format!("seccomp user notification counts clone and fork, {floor} as the floor"),
        false => format!("{floor} alone: seccomp user notification is absent"),
    }
}

pub(super) fn threads(host: &HostFacts) -> String {
    processes(host).replace("clone and fork", "clone")
}

/// Landlock as it adds to another mechanism.
fn with_landlock(mechanism: &str, host: &HostFacts) -> String {
    match host.landlock_abi {
        Some(abi) => format!("{mechanism} + Landlock ABI {abi}"),
        None => format!("{mechanism}; Landlock is absent"),
    }
}

pub(super) fn path(access: PathAccess, execute: bool, host: &HostFacts) -> String {
    if !host.can_make_namespaces() {
        return match host.landlock_abi {
            Some(abi) if access == PathAccess::None => {
                format!("no rule of Landlock ABI {abi}; names can be seen: namespaces are absent")
            }
            Some(abi) => format!("Landlock ABI {abi} alone: namespaces are absent"),
            None => "nothing: neither namespaces nor Landlock are there".to_owned(),
        };
    }
    match access {
        PathAccess::Write if execute => with_landlock("bind mount rw,nosuid,nodev", host),
        PathAccess::Read => with_landlock(READ_ONLY, host),
        PathAccess::Write => with_landlock("bind mount rw,noexec,nosuid,nodev", host),
        // Landlock lets everything be read that is there.
        PathAccess::None => "not mounted, or covered by an empty mount".to_owned(),
    }
}

/// As [`path`] for one that is written to, where that goes to a layer.
pub(super) fn layered(execute: bool, host: &HostFacts) -> String {
    match (host.can_make_namespaces() && host.layers, execute) {
        (false, _) => "nothing: there are no layers here".to_owned(),
        (true, true) => with_landlock("layer (overlayfs) rw,nosuid,nodev", host),
        (true, false) => with_landlock("layer (overlayfs) rw,noexec,nosuid,nodev", host),
    }
}

/// As [`path`] within a writable one, whose Landlock rights hold for all that is in it.
pub(super) fn path_below_writable(rule: &PathRule, host: &HostFacts) -> String {
    match rule.access {
        PathAccess::Read if host.can_make_namespaces() => READ_ONLY.to_owned(),
        access => path(access, rule.execute, host),
    }
}

pub(super) fn blocked(operation: Operation, host: &HostFacts) -> &'static str {
    match (operations::blockable(operation), host.seccomp_notify) {
        (Blockable::OnLastingPaths, true) => {
            "seccomp user notification, performed on descriptors by the run's init; only on lasting paths"
        }
        (Blockable::OnLastingPaths, false) => {
            "system-call filter, on scratch space as well: seccomp user notification is absent"
        }
        _ => "system-call filter, namespaces and dropped capabilities",
    }
}

pub(super) fn layers(host: &HostFacts) -> &'static str {
    match (host.can_make_namespaces(), host.layers) {
        (true, true) => "overlayfs in the run's user namespace",
        (true, false) => "absent: this host has no overlayfs for it",
        (false, _) => "absent: namespaces are absent",
    }
}

pub(super) fn network(host: &HostFacts) -> &'static str {
    match (host.can_make_namespaces(), host.landlock_abi) {
        (true, _) => "own network namespace, lo only",
        (false, Some(4..)) => {
            "no sockets by the system-call filter, no TCP by Landlock: namespaces are absent"
        }
        (false, _) => "no sockets by the system-call filter: namespaces are absent",
    }
}

pub(super) fn way_out(host: &HostFacts) -> &'static str {
    match host.can_make_namespaces() {
        true => "own network namespace; a confined process beside the run connects for it",
        false => "nothing: there is no way out without namespaces",
    }
}

pub(super) fn namespaces(host: &HostFacts) -> &'static str {
    match (host.root, host.user_namespaces) {
        (true, _) => "clone flags as root; the script is an unprivileged user all the same",
        (false, true) => "clone flags in a user namespace of the caller",
        (false, false) => "absent: this host does not let this user make them",
    }
}

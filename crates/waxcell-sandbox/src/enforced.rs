//! What the kernel really holds the run to, read back from the waiting process before the script starts.
//!
//! Nothing here is copied from the plan: each field is what `/proc` says about the script's process, or what a control
//! group says of itself. Where that is less than the plan asked for, there is no run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cgroup::{Group, Rung};
use crate::landlock;
use crate::lookout;
use crate::mount_table::unescape;
use crate::mounts;
use crate::overlay;
use crate::plan::{Mount, Plan};
use crate::procfs;
use crate::spawn::scratch_target;
use crate::switches::Switch;

/// The enforcement of one run, as found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Enforced {
    /// Namespaces that are the run's own, by name.
    pub namespaces: Vec<String>,
    /// Layers that the host lacks and that the policy accepts to lose.
    pub degraded: Vec<&'static str>,
    /// User id that the host knows the script's process by.
    pub host_uid: u32,
    /// Capabilities that are left in any set; none. (Without namespaces an ordinary user cannot empty the bounding set,
    /// which `no_new_privs` leaves without effect: then it is not counted.)
    pub capabilities: u64,
    /// `no_new_privs`.
    pub no_new_privs: bool,
    /// `filter` and how many instructions the installed program has.
    pub seccomp: Seccomp,
    /// The Landlock ABI in force and what it handles; absent if the kernel has none and the policy accepts that.
    pub landlock: Option<Landlock>,
    /// Mounts of the run by path, with their options.
    pub mounts: BTreeMap<String, String>,
    /// Of them those with a layer over the host's files, into which the run writes.
    pub layers: Vec<String>,
    /// What holds memory and CPU.
    pub limits_by: Rung,
    /// What bounds scratch space: `tmpfs`, or `watch` where it is a folder that is counted now and then.
    pub scratch_by: &'static str,
    /// What tells of files that are opened in vain: `lookout`, or `filter` where every call that opens one asks; absent where
    /// nobody wants to know.
    pub attempts_by: Option<&'static str>,
    /// Whether there is a way out of its network, and the process that is it can do nothing but that.
    pub egress: bool,
    /// The memory limit in bytes, as the control group has it (absent on `rlimit+watch`).
    pub memory_limit: Option<u64>,
    /// Per-process limits of the script's process, as the kernel prints them.
    pub rlimits: BTreeMap<String, String>,
}

/// The seccomp filter in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seccomp {
    /// Number of filters on the script's process.
    pub filters: u32,
    /// Instructions of the filter.
    pub instructions: usize,
}

/// The Landlock domain in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Landlock {
    /// ABI that the rule set was made for: the kernel's, or the newest that we know.
    pub abi: u32,
    /// Handled file-system rights, as bits.
    pub fs: u64,
    /// Handled network rights, as bits.
    pub net: u64,
    /// Scopes, as bits.
    pub scoped: u64,
}

/// Where the kernel does less than the plan.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// A file of `/proc` could not be read.
    #[error("cannot read `{path}` to see what is enforced")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Something that was asked for is not in force.
    #[error("{what} is not in force: the kernel says `{found}`")]
    Missing {
        /// What was asked for.
        what: String,
        /// What was found.
        found: String,
    },
}

fn read(pid: i32, file: &str) -> Result<String, ReadBackError> {
    let path = format!("/proc/{pid}/{file}");
    procfs::whole(&path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|source| ReadBackError::Unreadable { path, source })
}

fn require(held: bool, what: &str, found: impl ToString) -> Result<(), ReadBackError> {
    if held {
        Ok(())
    } else {
        Err(ReadBackError::Missing { what: what.to_owned(), found: found.to_string() })
    }
}

const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// What the init has built around the script's process, before there is one.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Our own namespaces, as the kernel names them.
    outside: [PathBuf; NAMESPACES.len()],
    mount_namespace: PathBuf,
    mounts: BTreeMap<String, Found>,
}

/// A mount as `/proc/PID/mountinfo` shows it.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Of this mount.
    options: String,
    /// Type, source and options of its file system.
    system: String,
}

/// Reads back what is around process `init` and compares it with the plan.
pub(crate) fn surroundings(plan: &Plan, init: i32) -> Result<Surroundings, ReadBackError> {
    let mut outside = [const { PathBuf::new() }; NAMESPACES.len()];
    for (link, name) in outside.iter_mut().zip(NAMESPACES) {
        *link = namespace("self", name)?;
    }
    if plan.plain.is_some() {
        // Those are the host's.
        return Ok(Surroundings { outside, mount_namespace: PathBuf::new(), mounts: BTreeMap::new() });
    }
    let mounts = mounts_of(&read(init, "mountinfo")?);
    if !plan.switches.off(Switch::Mounts) {
        compare_mounts(plan, &mounts)?;
    }
    Ok(Surroundings { outside, mount_namespace: namespace(&init.to_string(), "mnt")?, mounts })
}

/// `mnt:[4026531841]` (`namespaces(7)`).
fn namespace(process: &str, name: &str) -> Result<PathBuf, ReadBackError> {
    let path = format!("/proc/{process}/ns/{name}");
    fs::read_link(&path).map_err(|source| ReadBackError::Unreadable { path, source })
}

/// Reads back everything about process `pid`, the script's, and compares it with the plan.
pub(crate) fn read_back(
    plan: &Plan,
    pid: i32,
    around: Surroundings,
    group: Option<&Group>,
    egress: Option<i32>,
    landlock: Option<&landlock::Rules>,
    instructions: usize,
) -> Result<Enforced, ReadBackError> {
    let status = read(pid, "status")?;
    let field = |key: &str| field(&status, key);
    let hex = |key: &str| u64::from_str_radix(field(key), 16).unwrap_or(u64::MAX);
    let sets: &[&str] = match plan.plain {
        Some(_) => &["CapInh", "CapPrm", "CapEff", "CapAmb"],
        None => &["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"],
    };
    let capabilities = sets.iter().copied().map(hex).fold(0, |a, b| a | b);
    let no_new_privs = field("NoNewPrivs") == "1";
    let is_anybody = plan.switches.off(Switch::Identity);
    require(capabilities == 0 || is_anybody, "an empty set of capabilities", format!("{capabilities:x}"))?;
    require(no_new_privs || is_anybody, "no_new_privs", field("NoNewPrivs"))?;
    require(field("Seccomp") == "2", "a seccomp filter", field("Seccomp"))?;
    let host_uid = field("Uid").split_ascii_whitespace().next().and_then(|uid| uid.parse().ok()).unwrap_or(0);
    require(host_uid == plan.identity.host_uid, "the planned user", host_uid)?;
    require(host_uid != 0 || is_anybody, "an unprivileged user", host_uid)?;

    let mut namespaces = Vec::new();
    for (name, outside) in NAMESPACES.iter().zip(&around.outside) {
        let inside = match namespace(&pid.to_string(), name) {
            // Root in a container may not look at those of others: what cannot be seen is not claimed.
            Err(_) if plan.plain.is_some() => continue,
            other => other?,
        };
        if (plan.plain.is_some() || plan.switches.shares(name)) && inside == *outside {
            continue;
        }
        require(inside != *outside, &format!("a {name} namespace of its own"), inside.display())?;
        if *name == "mnt" {
            require(inside == around.mount_namespace, "the file system that was built", inside.display())?;
        }
        namespaces.push((*name).to_owned());
    }

    if let Some(process) = egress {
        compare_egress(plan, process)?;
    }
    let memory_limit = group.and_then(Group::memory_limit);
    if group.is_some() {
        // The kernel rounds down to whole pages.
        let held = memory_limit.is_some_and(|limit| limit > 0 && limit <= plan.limits.memory);
        require(held, "the memory limit of the control group", format!("{memory_limit:?}"))?;
    }
    let rlimits = rlimits_of(&read(pid, "limits")?);
    // A lower limit of the caller's holds as well.
    for (name, limit) in [("file size", plan.limits.file_size), ("open files", plan.limits.open_files.into())]
    {
        let found = rlimits.get(name).map_or("", String::as_str);
        require(
            found.parse().is_ok_and(|found: u64| found <= limit) || plan.switches.off(Switch::Limits),
            &format!("the limit of {name}"),
            found,
        )?;
    }

    let lost = [("namespaces", namespaces.is_empty()), ("landlock", landlock.is_none())];
    let has_tmpfs =
        scratch_target(plan).is_some_and(|path| around.mounts.contains_key(path.to_string_lossy().as_ref()));

    let is_served = around.mounts.get("/").is_some_and(|root| lookout::is_served(&root.system));
    let attempts_by = plan.file_attempts.then_some(if is_served { "lookout" } else { "filter" });

    Ok(Enforced {
        namespaces,
        degraded: lost.into_iter().filter(|(_, lost)| *lost).map(|(name, _)| name).collect(),
        host_uid,
        capabilities,
        no_new_privs,
        seccomp: Seccomp { filters: field("Seccomp_filters").parse().unwrap_or(1), instructions },
        landlock: landlock.map(|rules| Landlock {
            abi: rules.abi,
            fs: rules.handled.handled_access_fs,
            net: rules.handled.handled_access_net,
            scoped: rules.handled.scoped,
        }),
        layers: layers_of(&around.mounts),
        mounts: around.mounts.into_iter().map(|(path, found)| (path, found.options)).collect(),
        limits_by: group.map_or(Rung::RlimitWatch, Group::rung),
        scratch_by: if has_tmpfs { "tmpfs" } else { "watch" },
        attempts_by,
        egress: egress.is_some(),
        memory_limit,
        rlimits,
    })
}

/// By mount point; the topmost mount of a place wins (`proc_pid_mountinfo(5)`).
fn mounts_of(mountinfo: &str) -> BTreeMap<String, Found> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, system) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(4);
            let point = unescape(fields.next()?.as_bytes());
            let found = Found { options: fields.next()?.to_owned(), system: system.to_owned() };
            Some((String::from_utf8_lossy(&point).into_owned(), found))
        })
        .collect()
}

fn layers_of(mounts: &BTreeMap<String, Found>) -> Vec<String> {
    let layers = mounts.iter().filter(|(_, found)| overlay::is_layer(&found.system));
    layers.map(|(path, _)| path.clone()).collect()
}

/// What `/proc/PID/status` says under a key; nothing if it does not have it.
fn field<'a>(status: &'a str, key: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map_or("", str::trim)
}

/// Compares what the process that is the way out may do with nothing.
fn compare_egress(plan: &Plan, process: i32) -> Result<(), ReadBackError> {
    let status = read(process, "status")?;
    let user = plan.identity.host_uid.to_string();
    let none = "0000000000000000";
    for (key, wanted) in [("Uid", user.as_str()), ("CapPrm", none), ("NoNewPrivs", "1"), ("Seccomp", "2")] {
        let found = field(&status, key).split_ascii_whitespace().next().unwrap_or("");
        require(found == wanted, &format!("`{key}: {wanted}` of the process that is the way out"), found)?;
    }
    Ok(())
}

fn compare_mounts(plan: &Plan, found: &BTreeMap<String, Found>) -> Result<(), ReadBackError> {
    let at = |path: &Path| found.get(path.to_string_lossy().as_ref());
    let options = |path: &Path| at(path).map_or("", |found| found.options.as_str());
    let has = |path: &Path, option: &str| options(path).split(',').any(|o| o == option);
    require(has(Path::new("/"), "ro"), "a read-only root", options(Path::new("/")))?;
    for mount in &plan.mounts {
        let (target, attributes) = match mount {
            Mount::Bind { target, access, .. } => (target, mounts::bind_attributes(*access)),
            Mount::Overlay { target, access, .. } => {
                let system = at(target).map_or("", |found| found.system.as_str());
                let what = || format!("a layer over `{}`", target.display());
                require(overlay::is_layer(system), &what(), system)?;
                (target, mounts::bind_attributes(*access))
            }
            // A file of the root has no mount of its own: the root's holds, which is read-only.
            Mount::File { target, .. } if !mounts::is_below_a_mount(plan, target) => continue,
            Mount::File { target, .. } => (target, libc::MOUNT_ATTR_RDONLY),
            Mount::Scratch { target, execute, .. } => (target, mounts::scratch_attributes(*execute)),
            // Of what is gone by now, or out of this user's reach, nothing was covered.
            Mount::Cover { target, .. } if !options(target).is_empty() => (target, libc::MOUNT_ATTR_RDONLY),
            _ => continue,
        };
        let flags = [
            (libc::MOUNT_ATTR_RDONLY, "ro"),
            (libc::MOUNT_ATTR_NOSUID, "nosuid"),
            (libc::MOUNT_ATTR_NODEV, "nodev"),
            (libc::MOUNT_ATTR_NOEXEC, "noexec"),
        ];
        for (_, option) in flags.iter().filter(|(flag, _)| attributes & flag != 0) {
            require(has(target, option), &format!("`{option}` on `{}`", target.display()), options(target))?;
        }
    }
    Ok(())
}

/// `Max file size   1048576  1048576  bytes` to `file size: 1048576` (the hard limit; soft and hard are set alike).
fn rlimits_of(limits: &str) -> BTreeMap<String, String> {
    const WANTED: [&str; 5] = ["cpu time", "file size", "core file size", "processes", "open files"];
    WANTED
        .iter()
        .filter_map(|name| {
            let line = limits.lines().find_map(|line| line.strip_prefix(&format!("Max {name} ")))?;
            Some(((*name).to_owned(), line.split_ascii_whitespace().nth(1)?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topmost_mount_of_a_place_counts() {
        let table = "1 0 0:1 / /data rw - ext4 a rw\n2 1 0:2 / /data ro,nosuid - ext4 b rw\n";
        let found = Found { options: "ro,nosuid".to_owned(), system: "ext4 b rw".to_owned() };
        assert_eq!(mounts_of(table), BTreeMap::from([("/data".to_owned(), found)]));
    }

    #[test]
    fn limits_are_the_hard_ones() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max file size             100                  200                  bytes     \n";
        assert_eq!(rlimits_of(text), BTreeMap::from([("file size".to_owned(), "200".to_owned())]));
    }
}

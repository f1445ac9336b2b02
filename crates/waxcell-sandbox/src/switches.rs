//! Layers that a test build leaves out of a run, to show that it is they that hold an attack.
//!
//! Only the feature `switches`, which nothing enables but `cargo xtask test`, can switch anything off: without it there is
//! one [`Switches`], which holds nothing, and every question that the stage asks of it is a constant `false`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, UnmountFlags, fsconfig_create, fsmount,
    fsopen, mount_change, unmount,
};
use rustix::process;
use rustix::thread::{self, CapabilitySets};

use crate::mounts;
use crate::plan::Limits;
use crate::sys;

/// A layer that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The run's own root: without, the host's, writable, with what the caller owns shown as the script's own.
    Mounts,
    /// Process ids of the run's own: without, `/proc` is the host's as well, and nobody ends with the init.
    Pidns,
    /// A network of the run's own.
    Netns,
    /// System V IPC and message queues of the run's own.
    Ipcns,
    /// A host name of the run's own.
    Utsns,
    /// A view of control groups of the run's own.
    Cgroupns,
    /// Ids and capabilities that count in the run alone. Only root can do without.
    Userns,
    /// The Landlock domain.
    Landlock,
    /// What the filter refuses: without, only what the broker has to see is filtered.
    Seccomp,
    /// The broker: without, whatever it is asked goes on in the kernel.
    Broker,
    /// Limits per process, the bounds of scratch space, and those that the supervisor watches.
    Limits,
    /// The control group.
    Cgroup,
    /// No capabilities, `no_new_privs`, and for root ids of somebody else.
    Identity,
    /// The list of variables that are passed on.
    Environment,
    /// The closing of inherited descriptors.
    Descriptors,
    /// The init's being closed to whoever reads processes.
    Dumpable,
    /// The way out of the run's network: without, the run has the network of the host, and nobody asks the init about it.
    Egress,
    /// What is refused before anything runs: without, it runs, and a policy that is refused is one that allows much.
    Gate,
    /// The escaping of what is told about a run: without, names are told as they are.
    Journal,
}

/// Which layers are left out of a run: none, in every build but a test build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    #[cfg(feature = "switches")]
    off: u32,
}

impl Switches {
    /// Whether a layer is left out.
    #[cfg(not(feature = "switches"))]
    pub const fn off(self, _: Switch) -> bool {
        false
    }

    /// Bounds that are watched and not held by the control group, unless they are left out.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Limits {
        const NEVER: Duration = Duration::from_secs(1 << 30);
        if !self.off(Switch::Limits) {
            return limits;
        }
        Limits {
            wall: NEVER,
            cpu: NEVER,
            // The group is given the same number.
            memory: if self.off(Switch::Cgroup) { 1 << 50 } else { limits.memory },
            file_size: u64::MAX,
            open_files: u32::MAX,
            output: u64::MAX,
            scratch_bytes: 1 << 50,
            scratch_files: 1 << 40,
            written: None,
            ..limits
        }
    }

    /// The filter without its refusals. What goes to the broker goes there still, and on from there.
    pub(crate) fn filter(self, mut program: Vec<libc::sock_filter>) -> Vec<libc::sock_filter> {
        const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        if self.off(Switch::Seccomp) {
            let refusals = program.iter_mut().filter(|step| step.code == RETURN);
            for refusal in refusals.filter(|step| step.k != libc::SECCOMP_RET_USER_NOTIF) {
                refusal.k = libc::SECCOMP_RET_ALLOW;
            }
        }
        program
    }

    /// Without the flags of those that are left out.
    pub(crate) fn namespaces(self, flags: u64) -> u64 {
        let left_out = NAMESPACES.into_iter().filter(|(switch, ..)| self.off(*switch));
        left_out.fold(flags, |flags, (_, flag, _)| flags & !(flag as u64))
    }

    /// Whether a namespace, by its name in `/proc`, is the host's.
    pub(crate) fn shares(self, name: &str) -> bool {
        NAMESPACES.into_iter().any(|(switch, _, of)| of == name && self.off(switch))
    }
}

const NAMESPACES: [(Switch, i32, &str); 7] = [
    (Switch::Userns, libc::CLONE_NEWUSER, "user"),
    (Switch::Pidns, libc::CLONE_NEWPID, "pid"),
    (Switch::Netns, libc::CLONE_NEWNET, "net"),
    (Switch::Egress, libc::CLONE_NEWNET, "net"),
    (Switch::Ipcns, libc::CLONE_NEWIPC, "ipc"),
    (Switch::Utsns, libc::CLONE_NEWUTS, "uts"),
    (Switch::Cgroupns, libc::CLONE_NEWCGROUP, "cgroup"),
];

/// The host's root, in place of the run's own.
#[derive(Debug, Default)]
pub(crate) struct HostRoot(Option<OwnedFd>);

impl HostRoot {
    /// Opens it as root on the host, with what the caller owns shown as the script's own. Not so what is mounted below:
    /// few file systems can.
    pub(crate) fn open_as_caller(&mut self, userns: BorrowedFd<'_>) -> Result<(), Errno> {
        let tree = self.0.insert(mounts::clone_tree(c"/")?);
        sys::mount_setattr(tree.as_fd(), false, libc::MOUNT_ATTR_IDMAP, 0, Some(userns))
    }

    pub(crate) fn descriptor(&self) -> Option<&OwnedFd> {
        self.0.as_ref()
    }

    /// Makes it the root of the stage's own mount namespace; with a `/proc` that tells the broker who is there.
    pub(crate) fn show(&self, own_processes: bool) -> Result<(), Errno> {
        mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        if let Some(root) = &self.0 {
            mounts::attach(root.as_fd(), CWD, mounts::STAGING)?;
            process::fchdir(root)?;
            mount_change(c".", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
            process::pivot_root(c".", c".")?;
            unmount(c".", UnmountFlags::DETACH)?;
            process::chdir(c"/")?;
        }
        if own_processes {
            let config = fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_create(config.as_fd())?;
            let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
                | MountAttrFlags::MOUNT_ATTR_NODEV
                | MountAttrFlags::MOUNT_ATTR_NOEXEC;
            let proc = fsmount(config.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
            mounts::attach(proc.as_fd(), CWD, c"/proc")?;
        }
        Ok(())
    }
}

/// Has the capabilities of this process outlive an `execve`, whoever it is.
pub(crate) fn hand_capabilities_on() -> Result<(), Errno> {
    let own = thread::capabilities(None)?;
    thread::set_capabilities(None, CapabilitySets { inheritable: own.permitted, ..own })?;
    own.permitted.iter().try_for_each(|one| thread::configure_capability_in_ambient_set(one, true))
}

/// Takes back the capabilities that a change of ids away from the host's root has taken; asked for before it.
pub(crate) fn take_capabilities_back() -> Result<(), Errno> {
    let own = thread::capabilities(None)?;
    thread::set_capabilities(None, CapabilitySets { effective: own.permitted, ..own })
}

#[cfg(feature = "switches")]
mod by_name {
    use super::{Switch, Switches};

    const NAMES: [(&str, Switch); 19] = [
        ("mounts", Switch::Mounts),
        ("pidns", Switch::Pidns),
        ("netns", Switch::Netns),
        ("ipcns", Switch::Ipcns),
        ("utsns", Switch::Utsns),
        ("cgroupns", Switch::Cgroupns),
        ("userns", Switch::Userns),
        ("landlock", Switch::Landlock),
        ("seccomp", Switch::Seccomp),
        ("broker", Switch::Broker),
        ("limits", Switch::Limits),
        ("cgroup", Switch::Cgroup),
        ("identity", Switch::Identity),
        ("environment", Switch::Environment),
        ("descriptors", Switch::Descriptors),
        ("dumpable", Switch::Dumpable),
        ("egress", Switch::Egress),
        ("gate", Switch::Gate),
        ("journal", Switch::Journal),
    ];

    impl Switches {
        /// Whether a layer is left out.
        pub const fn off(self, switch: Switch) -> bool {
            self.off & 1 << switch as u32 != 0
        }

        /// The layers of a list, `mounts,landlock`.
        ///
        /// # Errors
        ///
        /// The name of what is no layer.
        pub fn of_list(list: &str) -> Result<Switches, String> {
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.into_iter().try_fold(Switches::default(), |switches, name| {
                let (_, switch) = NAMES.iter().find(|(known, _)| *known == name).ok_or(name)?;
                Ok(Switches { off: switches.off | 1 << *switch as u32 })
            })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_list_switches_off_what_it_names_and_no_more() {
            for (name, switch) in NAMES {
                let switches = Switches::of_list(name).expect("a layer");
                let off: Vec<_> = NAMES.iter().filter(|(_, other)| switches.off(*other)).collect();
                assert_eq!(off, [&(name, switch)]);
            }
            let two = Switches::of_list("mounts, landlock,").expect("layers");
            assert!(two.off(Switch::Mounts) && two.off(Switch::Landlock) && !two.off(Switch::Seccomp));
            assert_eq!(Switches::of_list("mounts,luck"), Err("luck".to_owned()));
        }

        #[test]
        fn flags_of_namespaces_are_left_out() {
            let all = (libc::CLONE_NEWNET | libc::CLONE_NEWPID) as u64;
            let switches = Switches::of_list("netns,userns").expect("layers");
            assert_eq!(switches.namespaces(all), libc::CLONE_NEWPID as u64);
            assert!(switches.shares("net") && switches.shares("user") && !switches.shares("pid"));
        }
    }
}

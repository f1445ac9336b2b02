//! From a plan to a sandbox that is built, read back, and waits for its start.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::PipeFlags;
use rustix::process::{Gid, Resource, Uid};
use rustix::thread::CapabilitySet;

use crate::beside::Beside;
use crate::broker::Broker;
use crate::cgroup::{Group, GroupError};
use crate::doors::Doors;
use crate::egress;
use crate::enforced::{self, Enforced, ReadBackError};
use crate::ground::{Ground, write_proc};
use crate::handover;
use crate::landlock;
use crate::lookout::{self, Skeleton};
use crate::members::Members;
use crate::mounts::{self, MountFailure, Tree};
use crate::plain;
use crate::plan::{Egress, Mount, Plan};
use crate::relay::{Destination, Relay, Stream};
use crate::scratch::Folder;
use crate::seccomp;
use crate::stage::{self, Stage};
use crate::switches::{HostRoot, Switch};
use crate::sys::{self, CStrArray, Fork, SignalSet};
use crate::watch::Running;
use crate::wire::{self, Inbox, Order, Report, Step};

/// The caller's side of the script's streams.
#[derive(Debug)]
pub struct Stdio {
    /// What the script reads; handed to it as it is, so it must not be a directory or a socket.
    pub stdin: OwnedFd,
    /// Where its output goes.
    pub stdout: Destination,
    /// Where its errors go; `None` if to the very same place as its output, in the same order.
    pub stderr: Option<Destination>,
}

/// Why no sandbox could be built. Nothing of the script has run.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No user namespace can be made.
    #[error("cannot make a user namespace for the sandbox: {errno}")]
    Namespaces {
        /// What the kernel said.
        errno: Errno,
    },
    /// The ids of the run could not be mapped.
    #[error("cannot map user and group ids into the sandbox (`{}`)", file.display())]
    Identity {
        /// The map that was refused.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something could not be put where the script would see it.
    #[error("cannot put `{}` into the sandbox: {errno}", path.display())]
    Mount {
        /// The path that failed.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// No layer could be put over a place that the script may write to.
    #[error("cannot put a layer over `{}`: {errno}", path.display())]
    Layer {
        /// The place.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The caller's files cannot be shown as the script's own.
    #[error("cannot map the owner of files below `{}`: {errno}", path.display())]
    MapOwner {
        /// The path that failed.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// Another step of the stage failed.
    #[error("the sandbox could not be built: {step} failed: {errno}")]
    Step {
        /// What was being done.
        step: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// Nobody may watch the script's system calls, not even the process that started it.
    #[error("cannot decide about the script's system calls: {step} failed: {errno}")]
    Supervision {
        /// What was being done.
        step: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// The stage ended without a word.
    #[error("the sandbox ended while it was being built")]
    Vanished,
    /// A control group refused its limits.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The kernel holds less than the plan.
    #[error(transparent)]
    ReadBack(#[from] ReadBackError),
    /// The kernel has no Landlock, and the plan needs it.
    #[error("this kernel has no Landlock")]
    NoLandlock,
    /// The kernel has no Landlock, and the host lets nobody make namespaces.
    #[error(
        "this host can make no namespaces and its kernel has no Landlock: nothing would hold the script's files"
    )]
    NothingHoldsFiles,
    /// The scratch space of a run without namespaces could not be made.
    #[error("cannot make scratch space for the run in `{}`", path.display())]
    Scratch {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A pipe, socket or descriptor could not be made.
    #[error("cannot prepare the sandbox's descriptors")]
    Descriptors(#[from] io::Error),
}

impl SpawnError {
    /// Whether this host cannot hold the plan, as opposed to something having gone wrong.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            SpawnError::Namespaces { .. }
                | SpawnError::NoLandlock
                | SpawnError::NothingHoldsFiles
                | SpawnError::Supervision { .. }
                | SpawnError::ReadBack(_)
                | SpawnError::MapOwner { .. }
                | SpawnError::Mount { .. }
                | SpawnError::Layer { .. }
        )
    }

    /// Whether it is namespaces, or the right to build something in them, that the host does not give.
    pub fn lacks_namespaces(&self) -> bool {
        matches!(
            self,
            SpawnError::Namespaces { .. }
                | SpawnError::Mount { errno: Errno::PERM | Errno::ACCESS, .. }
                | SpawnError::Step {
                    step: "setting the host name" | "bringing up loopback",
                    errno: Errno::PERM | Errno::ACCESS
                }
        )
    }

    /// What a person can do about it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            error if error.lacks_namespaces() => Some(
                "`waxcell doctor` says which setting of this host forbids the namespaces, and how to change it",
            ),
            SpawnError::Supervision { .. } => Some(
                "`waxcell doctor` says what forbids it; kernel.yama.ptrace_scope=3 does, and so do profiles of containers",
            ),
            SpawnError::NoLandlock => Some(
                "boot Linux 5.13 or newer with Landlock (CONFIG_SECURITY_LANDLOCK=y, `lsm=landlock,...`)",
            ),
            SpawnError::NothingHoldsFiles => Some(
                "one of both has to be there: `waxcell doctor` says what forbids the namespaces and how to get Landlock",
            ),
            SpawnError::Layer { .. } => Some(
                "`waxcell doctor` says whether this host has overlayfs (root needs Linux 5.19); `filesystem.write_mode: direct` does without",
            ),
            SpawnError::MapOwner { .. } => Some(
                "its file system cannot map ids: run as the owner of the files instead of root, or move them",
            ),
            _ => None,
        }
    }
}

/// A sandbox whose script waits at the gate.
#[derive(Debug)]
pub struct Ready {
    running: Running,
    enforced: Enforced,
}

impl Ready {
    /// What holds the script, as read back from the kernel.
    pub fn enforced(&self) -> &Enforced {
        &self.enforced
    }

    /// Opens the gate: from here on the script runs. The caller's record has to be durable by now.
    pub fn start(self) -> Running {
        self.running.started()
    }
}

/// A sandbox under construction, by a process of its own; the caller has time for other work.
pub struct Building {
    running: Running,
    plan: Plan,
    init: i32,
    landlock: Option<landlock::Rules>,
    /// Of the filter, and of that where there is a lookout.
    instructions: [usize; 2],
}

/// Starts building a sandbox on the ground that was laid for it.
///
/// The building goes on beside the caller: what it waits for meanwhile (the disk) costs nothing.
pub fn spawn(plan: &Plan, ground: Ground, stdio: Stdio, signals: SignalSet) -> Result<Building, SpawnError> {
    spawn_with(plan, ground, stdio, signals, landlock::abi())
}

/// [`spawn`] on a kernel with this ABI of Landlock.
fn spawn_with(
    plan: &Plan,
    ground: Ground,
    stdio: Stdio,
    signals: SignalSet,
    abi: Option<u32>,
) -> Result<Building, SpawnError> {
    let Ground { group, owner_map } = ground;
    let switches = plan.switches;
    let group = group.filter(|_| !switches.off(Switch::Cgroup));
    let is_plain = plan.plain.is_some();
    let landlock = match abi {
        Some(abi) => Some(landlock::Rules::build(plan, abi.min(NEWEST_ABI))),
        None if is_plain => return Err(SpawnError::NothingHoldsFiles),
        None if plan.without_landlock => None,
        None => return Err(SpawnError::NoLandlock),
    };
    let folder = plan.plain.as_ref().map(|plain| {
        Folder::make(plan, &plain.scratch)
            .map_err(|source| SpawnError::Scratch { path: plain.scratch.clone(), source })
    });
    let folder = folder.transpose()?;
    let way_out = plan.way_out();
    let own = seccomp::Own {
        uid: plan.identity.uid,
        gid: plan.identity.gid,
        // Without namespaces there is none of the run's own to take.
        may_take_terminal: !is_plain && may_take_terminal(&stdio.stdin),
        newborn_asks: plan.newborn_asks(),
        file_attempts: plan.file_attempts,
        has_lookout: false,
        has_egress: way_out.is_some(),
        counts_written: plan.limits.written.is_some(),
    };
    let plain_abi = landlock.as_ref().filter(|_| is_plain).map(|rules| rules.abi);
    let landlock = landlock.filter(|_| !switches.off(Switch::Landlock));
    // Before anything is open that only the init shall have.
    let lookout = lookout_for(plan);
    let (egress, doors) = way_out.map(|way_out| connect(plan, way_out)).transpose()?.unzip();
    let rules = seccomp::build(&plan.guard, &own, plain_abi);
    let filter = switches.filter(rules.program());
    let filter_with_lookout = lookout.as_ref().map(|_| {
        let own = seccomp::Own { has_lookout: true, ..own };
        switches.filter(seccomp::build(&plan.guard, &own, plain_abi).program())
    });
    let instructions = [filter.len(), filter_with_lookout.as_ref().map_or(0, Vec::len)];
    let (mut tree, mut host_root) = (Tree::build(plan), HostRoot::default());
    if let Some(map) = owner_map.as_ref().filter(|_| switches.off(Switch::Mounts)) {
        host_root
            .open_as_caller(map.namespace())
            .map_err(|errno| SpawnError::MapOwner { path: PathBuf::from("/"), errno })?;
    } else if let Some(map) = &owner_map {
        tree.open_as_caller(map.namespace()).map_err(|failure| match failure.errno {
            errno @ (Errno::INVAL | Errno::PERM | Errno::OPNOTSUPP) => {
                SpawnError::MapOwner { path: place_of(plan, failure), errno }
            }
            errno => SpawnError::Mount { path: place_of(plan, failure), errno },
        })?;
    }
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(io::Error::from)?;
    let (mut relays, stdio) = streams(stdio, plan)?;
    relays.shrink_to_fit();
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from);
    let (handover_read, handover_write) = handover::pair()?;
    // Without namespaces nobody else is there to be.
    let change_identity =
        plan.identity.map_owner.is_some() || rustix::process::geteuid().as_raw() != plan.identity.host_uid;
    let (posted, line) = lookout.map(|(posted, line, skeleton)| (posted, (line, skeleton))).unzip();
    let mut stage = Stage {
        control: theirs,
        uid: plan.identity.uid,
        gid: plan.identity.gid,
        change_identity,
        plain: is_plain,
        tree,
        host_root,
        switches,
        hostname: c_string(plan.identity.hostname.as_bytes()),
        loopback: (plan.network.loopback || way_out.is_some()) && !switches.shares("net"),
        cgroup_tasks: group.as_ref().map_or(Ok(Vec::new()), |group| group.tasks(is_plain))?,
        stdio,
        // A write past the file-size limit raises SIGXFSZ, which Python ignores: blocked, it stays pending, and the
        // ended process still shows it. That is the kernel's own word for the verdict.
        signals: signals.with(libc::SIGXFSZ),
        umask: plan.program.umask,
        cwd: mounts::c_path(&plan.program.cwd),
        rlimits: rlimits(plan),
        landlock,
        filter,
        filter_with_lookout,
        broker: Broker::new(plan, rules, scratch_path(plan), group.is_none(), line, doors)
            .map_err(io::Error::from)?,
        gate: pipe()?,
        handover: (handover_read, Some(handover_write)),
        program: mounts::c_path(&plan.program.path),
        argv: CStrArray::new(plan.program.argv.iter().map(|arg| c_string(arg)).collect()),
        env: CStrArray::new(
            plan.program
                .env
                .iter()
                .map(|(name, value)| c_string(&[name.as_bytes(), b"=", value].concat()))
                .collect(),
        ),
        init_keeps: match way_out {
            _ if is_plain => CapabilitySet::empty(),
            None => stage::kept_by_init(),
            Some(_) => stage::kept_by_init() | CapabilitySet::NET_BIND_SERVICE,
        },
        keep: Vec::new(),
    };
    stage.list_descriptors();
    let forked = match is_plain {
        true => plain::fork(),
        false => sys::fork(switches.namespaces(NAMESPACES), group.as_ref().and_then(Group::directory)),
    };
    let (init, pidfd) = match forked {
        Ok(Fork::Child) => stage.run(),
        Ok(Fork::Parent { pid, pidfd }) => (pid, pidfd),
        Err(errno) if is_plain => return Err(SpawnError::Step { step: step_name(Step::Fork), errno }),
        Err(errno) => return Err(SpawnError::Namespaces { errno }),
    };
    let is_alone = !is_plain && !switches.off(Switch::Pidns);
    let members = if is_alone { Members::Namespace } else { Members::Below(init as u32) };
    let running = Running::new(ours, pidfd, relays, group, folder, members, plan).with(posted, egress);
    if !is_plain && !switches.off(Switch::Userns) {
        map_ids(init, plan)?;
    }
    wire::send_order(running.control(), Order::Mapped).map_err(|_| SpawnError::Vanished)?;
    let landlock = stage.landlock;
    drop((
        stage.control,
        stage.tree,
        stage.host_root,
        stage.stdio,
        stage.gate,
        stage.handover,
        stage.cgroup_tasks,
        stage.broker,
    ));
    Ok(Building { running, plan: plan.clone(), init, landlock, instructions })
}

/// A lookout for the run, where one is of use and the host has what it needs. What comes in the way later, the init sees.
fn lookout_for(plan: &Plan) -> Option<(Beside, lookout::Line, Skeleton)> {
    let is_of_use = plan.plain.is_none() && plan.file_attempts && !plan.switches.off(Switch::Mounts);
    if !is_of_use || !Path::new("/dev/fuse").exists() {
        return None;
    }
    let skeleton = Skeleton::build(plan);
    let (posted, line) = lookout::post(plan, &skeleton).ok()?;
    Some((posted, line, skeleton))
}

/// Starts the process that is the run's way out; returns it and what the init has of it.
fn connect(plan: &Plan, way_out: &Egress) -> Result<(egress::Posted, Doors), SpawnError> {
    let posted =
        egress::post(plan, way_out).and_then(|(posted, line)| Ok((posted, Doors::new(plan, way_out, line)?)));
    posted.map_err(|errno| SpawnError::Step { step: step_name(Step::Egress), errno })
}

/// The newest Landlock ABI whose rights this version knows by name. Later ones only add.
const NEWEST_ABI: u32 = 7;

/// What the init is born into. The other namespaces it makes itself ([`crate::stage`]): the kernel takes its time over
/// them, and the supervisor has other things to do meanwhile.
const NAMESPACES: u64 = (libc::CLONE_NEWUSER | libc::CLONE_NEWPID) as u64;

impl Building {
    /// Waits until everything is in force and reads it back.
    pub fn ready(mut self) -> Result<Ready, SpawnError> {
        let mut inbox = Inbox::new();
        let has_lookout = match self.next_report(&mut inbox)? {
            Report::Built { has_lookout } => has_lookout,
            _ => return Err(SpawnError::Vanished),
        };
        // While the script's process confines itself.
        let around = enforced::surroundings(&self.plan, self.init);
        // First what the init says: if it failed, there is nothing to read about it.
        let (scratch, processes) = match self.next_report(&mut inbox)? {
            Report::Ready { scratch, processes } => (scratch, processes),
            _ => return Err(SpawnError::Vanished),
        };
        let around = around?;
        self.running
            .egress_begun()
            .map_err(|errno| SpawnError::Step { step: step_name(Step::Egress), errno })?;
        let script = script_of(self.init).ok_or(SpawnError::Vanished)?;
        let enforced = enforced::read_back(
            &self.plan,
            script,
            around,
            self.running.group(),
            self.running.egress_process(),
            self.landlock.as_ref(),
            self.instructions[usize::from(has_lookout)],
        )?;
        self.running.look_inside(self.init, [scratch, processes], &self.plan);
        Ok(Ready { running: self.running, enforced })
    }

    fn next_report<'i>(&self, inbox: &'i mut Inbox) -> Result<Report<'i>, SpawnError> {
        match inbox.report(self.running.control(), true) {
            Ok(Some(Report::Failed { step, detail, errno })) => Err(self.failure(step, detail, errno)),
            Ok(Some(report)) => Ok(report),
            Ok(None) | Err(_) => Err(SpawnError::Vanished),
        }
    }

    fn failure(&self, step: Step, detail: u32, errno: Errno) -> SpawnError {
        match step {
            Step::Mounts => {
                let path = place_of(&self.plan, MountFailure { index: detail, errno });
                match self.plan.mounts.get(detail as usize) {
                    Some(Mount::Overlay { .. }) => SpawnError::Layer { path, errno },
                    _ => SpawnError::Mount { path, errno },
                }
            }
            Step::Namespaces => SpawnError::Namespaces { errno },
            Step::Listener | Step::Arguments
                if matches!(errno, Errno::PERM | Errno::ACCESS | Errno::NOSYS) =>
            {
                SpawnError::Supervision { step: step_name(step), errno }
            }
            other => SpawnError::Step { step: step_name(other), errno },
        }
    }
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Namespaces => "making namespaces",
        Step::Identity => "taking on the run's user",
        Step::Mounts => "building the file system",
        Step::Lookout => "looking at what is opened",
        Step::Hostname => "setting the host name",
        Step::Loopback => "bringing up loopback",
        Step::Egress => "connecting the run to the network",
        Step::Fork => "making the script's process",
        Step::Session => "leaving the terminal's session",
        Step::Cgroup => "entering the control group",
        Step::Descriptors => "arranging descriptors",
        Step::WorkingDirectory => "entering the working directory",
        Step::Limits => "setting limits",
        Step::Capabilities => "dropping capabilities",
        Step::NoNewPrivileges => "setting no_new_privs",
        Step::Landlock => "entering the Landlock domain",
        Step::Seccomp => "installing the seccomp filter",
        Step::Listener => "handing over the seccomp listener",
        Step::Arguments => "reading a call's arguments",
        Step::Execute => "executing the interpreter",
    }
}

/// What an `execve` failure of a started run is called.
pub(crate) fn failed_step(step: Step) -> &'static str {
    step_name(step)
}

fn place_of(plan: &Plan, failure: MountFailure) -> PathBuf {
    match plan.mounts.get(failure.index as usize) {
        Some(Mount::Bind { source, .. }) => source.clone(),
        Some(Mount::Devices) => PathBuf::from("/dev"),
        Some(Mount::Processes) => PathBuf::from("/proc"),
        other => other.and_then(Mount::target).unwrap_or(Path::new("/")).to_owned(),
    }
}

pub(crate) fn scratch_target(plan: &Plan) -> Option<&Path> {
    plan.mounts.iter().find_map(|mount| match mount {
        Mount::Scratch { target, .. } => Some(target.as_path()),
        _ => None,
    })
}

fn scratch_path(plan: &Plan) -> CString {
    mounts::c_path(scratch_target(plan).unwrap_or(Path::new("/")))
}

/// A session takes a terminal that no session has by naming any descriptor of it. The run's own pseudo-terminals may be
/// taken; the caller's terminal, which is the script's standard input, must belong to the caller's session for that.
fn may_take_terminal(stdin: &OwnedFd) -> bool {
    !rustix::termios::isatty(stdin) || rustix::termios::tcgetsid(stdin).is_ok()
}

fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// Signals that wait, and timers that would send one: each user has some thousands of them, which a run could use up.
const SIGNALS_PENDING: u64 = 1024;

/// Per-process limits. `RLIMIT_NPROC` and `RLIMIT_SIGPENDING` count per user namespace (Linux 5.14), so here they bound the
/// run alone; without namespaces they would count everything of this user's, and are left as they are. A hard limit of the
/// caller's that is lower stays: nobody may raise it.
fn rlimits(plan: &Plan) -> Vec<(Resource, u64)> {
    let limits = &plan.limits;
    if plan.switches.off(Switch::Limits) {
        return Vec::new();
    }
    let mut list = vec![
        // Too small for any dump, as 0 is. But where the host pipes dumps into a program of its own, the kernel starts it
        // at 0 as well, and at 1 alone it does not (fs/coredump.c).
        (Resource::Core, 1),
        (Resource::Cpu, limits.cpu.as_secs() + 2),
        (Resource::Fsize, limits.file_size),
        (Resource::Nofile, limits.open_files.into()),
        (Resource::Memlock, 64 * 1024),
        (Resource::Msgqueue, 819_200),
        (Resource::Nice, 0),
        (Resource::Rtprio, 0),
    ];
    if plan.plain.is_none() || rustix::process::geteuid().as_raw() != plan.identity.host_uid {
        list.extend([(Resource::Nproc, limits.tasks()), (Resource::Sigpending, SIGNALS_PENDING)]);
    }
    for (resource, limit) in &mut list {
        let own = rustix::process::getrlimit(*resource).maximum;
        *limit = own.map_or(*limit, |own| own.min(*limit));
    }
    list
}

type Ends = [OwnedFd; 3];

fn streams(stdio: Stdio, plan: &Plan) -> Result<(Vec<Relay>, Ends), SpawnError> {
    let relay = |stream, destination| -> Result<(Relay, OwnedFd), SpawnError> {
        let (relay, end) = Relay::new(stream, destination)?;
        if rustix::process::geteuid().as_raw() != plan.identity.host_uid {
            // The script's own, as a pipe of its caller would be: `/dev/stdout` can be opened by who owns it.
            let (uid, gid) = (plan.identity.host_uid, plan.identity.host_gid);
            rustix::fs::fchown(&end, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                .map_err(io::Error::from)?;
        }
        Ok((relay, end))
    };
    let (output, out_end) = relay(Stream::Output, stdio.stdout)?;
    let mut relays = vec![output];
    let err_end = match stdio.stderr {
        None => out_end.try_clone()?,
        Some(destination) => {
            let (relay, end) = relay(Stream::Error, destination)?;
            relays.push(relay);
            end
        }
    };
    Ok((relays, [above_stdio(stdio.stdin)?, above_stdio(out_end)?, above_stdio(err_end)?]))
}

/// A descriptor that placing others on 0, 1 and 2 cannot overwrite.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}

fn map_ids(pid: i32, plan: &Plan) -> Result<(), SpawnError> {
    let id = &plan.identity;
    // A user without privileges may map groups only after giving up setgroups (`user_namespaces(7)`).
    if id.map_owner.is_none() {
        write_proc(pid, "setgroups", "deny")?;
    }
    write_proc(pid, "uid_map", &format!("{} {} 1\n", id.uid, id.host_uid))?;
    write_proc(pid, "gid_map", &format!("{} {} 1\n", id.gid, id.host_gid))
}

/// The host's process id of the init's only child.
fn script_of(init: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).ok()?;
    children.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;

//! The small single-threaded process that turns itself into the sandbox, step by step, then executes Python.
//!
//! It is two processes. The *init* (process 1 of the run) makes identity, mounts, host name and loopback, forks the
//! script's process, and stays: it reaps, counts, decides guarded calls ([`crate::broker`]) and ends everything. The
//! *script's process* confines itself and waits at the gate until the supervisor says that the record is durable.
//!
//! Both are forks of a supervisor that may have other threads: from here to `execve` nothing allocates, everything was
//! made before. Each step either holds or ends the run.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, DumpableBehavior, Gid, Pid, Resource, Rlimit, Uid};
use rustix::stdio;
use rustix::thread::{self, CapabilitySet, CapabilitySets};

use crate::broker::Broker;
use crate::handover;
use crate::landlock;
use crate::mounts::Tree;
use crate::plain;
use crate::switches::{self, HostRoot, Switch, Switches};
use crate::sys::{self, CStrArray, Fork, SignalSet};
use crate::wire::{self, Inbox, Order, Report, Step};

/// Everything the stage needs, made before the fork.
pub(crate) struct Stage {
    pub(crate) control: OwnedFd,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether to take on `uid` and `gid`: root's stage is somebody else outside and has to; an ordinary user's is
    /// already the one it maps.
    pub(crate) change_identity: bool,
    /// Whether there are no namespaces: no file system, host name and loopback to be made either ([`crate::plain`]).
    pub(crate) plain: bool,
    pub(crate) tree: Tree,
    /// What a test build leaves out, and the root that is there instead of the run's.
    pub(crate) switches: Switches,
    pub(crate) host_root: HostRoot,
    pub(crate) hostname: CString,
    /// Whether `lo` goes up.
    pub(crate) loopback: bool,
    /// `tasks` files of cgroup v1 groups that the script's process enters.
    pub(crate) cgroup_tasks: Vec<OwnedFd>,
    pub(crate) stdio: [OwnedFd; 3],
    pub(crate) signals: SignalSet,
    pub(crate) umask: u32,
    pub(crate) cwd: CString,
    pub(crate) rlimits: Vec<(Resource, u64)>,
    pub(crate) landlock: Option<landlock::Rules>,
    pub(crate) filter: Vec<libc::sock_filter>,
    /// The one in its place where there is a lookout.
    pub(crate) filter_with_lookout: Option<Vec<libc::sock_filter>>,
    pub(crate) broker: Broker,
    pub(crate) gate: (OwnedFd, OwnedFd),
    pub(crate) handover: (OwnedFd, Option<OwnedFd>),
    pub(crate) program: CString,
    pub(crate) argv: CStrArray,
    pub(crate) env: CStrArray,
    /// Capabilities that the init keeps: [`kept_by_init`].
    pub(crate) init_keeps: CapabilitySet,
    /// Every descriptor above, and those of the tree, sorted.
    pub(crate) keep: Vec<RawFd>,
}

/// What the init adds to the user and pid namespaces that it was born into.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u64;

struct Failure {
    step: Step,
    detail: u32,
    errno: Errno,
}

fn at(step: Step) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { step, detail: 0, errno }
}

impl Stage {
    /// Notes which descriptors are the stage's own.
    pub(crate) fn list_descriptors(&mut self) {
        let own = [&self.control, &self.gate.0, &self.gate.1, &self.handover.0];
        let many = self
            .handover
            .1
            .iter()
            .chain(&self.cgroup_tasks)
            .chain(&self.stdio)
            .chain(self.tree.descriptors())
            .chain(self.host_root.descriptor())
            .chain(self.broker.descriptors());
        self.keep = own.into_iter().chain(many).map(|fd| fd.as_raw_fd()).collect();
        self.keep.sort_unstable();
    }

    /// Runs the stage in the freshly cloned process, and never returns.
    pub(crate) fn run(mut self) -> ! {
        SignalSet::all().set();
        // Modes of what is built are those that are asked for, whatever the caller's mask.
        process::umask(Mode::empty());
        let outcome = self.init();
        if let Err(failure) = outcome {
            self.report(&failure);
        }
        if self.shares_processes() {
            self.broker.end_everybody();
        }
        // As process 1 of its namespace: the kernel kills whatever is left with it.
        sys::exit(1)
    }

    /// Whether the run has no process ids of its own, with whose init everybody ends.
    fn shares_processes(&self) -> bool {
        self.plain || self.switches.off(Switch::Pidns)
    }

    fn report(&self, failure: &Failure) {
        let report = Report::Failed { step: failure.step, detail: failure.detail, errno: failure.errno };
        // If the supervisor is gone, nobody is left to tell; the exit says the rest.
        let _ = wire::send_report(self.control.as_fd(), report);
    }

    fn init(&mut self) -> Result<(), Failure> {
        if !self.switches.off(Switch::Descriptors) {
            sys::close_all_but(&self.keep).map_err(at(Step::Descriptors))?;
        }
        if self.shares_processes() {
            plain::adopt().map_err(at(Step::Session))?;
        }
        if !self.plain {
            sys::unshare(self.switches.namespaces(NAMESPACES)).map_err(at(Step::Namespaces))?;
        }
        self.identity().map_err(at(Step::Identity))?;
        if self.plain {
            self.broker.dismiss_lookout();
        } else {
            self.build()?;
        }
        self.broker.prepare(&mut self.tree).map_err(at(Step::Mounts))?;
        // Here once for both: it takes a call for each capability that there is.
        match self.bounding_set() {
            // Without namespaces, an ordinary user has none to drop it with; nor anything that could bring one back.
            Err(Errno::PERM) if self.plain => {}
            other => other.map_err(at(Step::Capabilities))?,
        }
        let init = process::getpid();
        let script = match plain::fork_script(self.plain).map_err(at(Step::Fork))? {
            Fork::Child => self.become_script(init),
            Fork::Parent { pid, .. } => pid,
        };
        self.handover.1 = None;
        // Only now, right before waiting: whoever is told wakes up on the teller's processor.
        let has_lookout = self.broker.lookout.is_some();
        wire::send_report(self.control.as_fd(), Report::Built { has_lookout }).map_err(at(Step::Fork))?;
        // If the script's process has failed, it has said why itself.
        let listener = handover::receive(self.handover.0.as_fd()).map_err(at(Step::Listener))?;
        sys::notification_wake_here(listener.as_fd());
        self.drop_privileges()?;
        // Guarded calls are decided by what their arguments point to. Tried at an address of our own: the script's
        // process is still our copy.
        let address = std::ptr::from_ref(&self.uid).addr() as u64;
        sys::read_memory(script as u32, address, &mut [0u8]).map_err(at(Step::Arguments))?;
        // The script's process has all descriptors of its own by now; a copy here would keep its pipes open.
        let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(at(Step::Descriptors))?;
        for slot in &mut self.stdio {
            *slot = null.try_clone().map_err(|_| at(Step::Descriptors)(Errno::MFILE))?;
        }
        let [scratch, processes] = self.broker.shown();
        wire::send_report(self.control.as_fd(), Report::Ready { scratch, processes })
            .map_err(at(Step::Listener))?;
        self.broker.serve(self.control.as_fd(), listener.as_fd(), &self.gate.1, script);
        Ok(())
    }

    /// What the run has of its own in its namespaces: file system, host name, loopback.
    fn build(&mut self) -> Result<(), Failure> {
        self.broker.forget_soon();
        if self.switches.off(Switch::Mounts) {
            self.host_root.show(!self.shares_processes()).map_err(at(Step::Mounts))?;
        } else {
            let served = self.broker.lookout.as_ref().and_then(|line| line.mount(self.uid, self.gid).ok());
            if served.is_none() {
                self.broker.dismiss_lookout();
            }
            self.tree.apply(served).map_err(|failure| Failure {
                step: Step::Mounts,
                detail: failure.index,
                errno: failure.errno,
            })?;
        }
        if !self.switches.off(Switch::Utsns) {
            rustix::system::sethostname(self.hostname.as_bytes()).map_err(at(Step::Hostname))?;
        }
        if self.loopback {
            loopback().map_err(at(Step::Loopback))?;
            self.broker.resolve_names().map_err(at(Step::Loopback))?;
        }
        self.broker.open_doors().map_err(at(Step::Egress))?;
        if !self.switches.shares("net") {
            self.broker.count_unreachable().map_err(at(Step::Loopback))?;
        }
        Ok(())
    }

    /// Waits for the id maps, then becomes the script's user, keeping the namespace's capabilities until all is built.
    fn identity(&self) -> Result<(), Errno> {
        match Inbox::new().order(self.control.as_fd(), true)? {
            Some(Order::Mapped) => {}
            _ => return Err(Errno::PIPE),
        }
        if self.change_identity {
            let (uid, gid) = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
            if self.switches.off(Switch::Userns) {
                thread::set_keep_capabilities(true)?;
            }
            thread::set_thread_groups(&[])?;
            thread::set_thread_res_gid(gid, gid, gid)?;
            thread::set_thread_res_uid(uid, uid, uid)?;
            if self.switches.off(Switch::Userns) {
                switches::take_capabilities_back()?;
            }
            // A change of ids hides a process from its own kind; the supervisor still has to look at it.
            process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        }
        // Without a terminal to control, for everybody of the run.
        process::setsid().map(drop)
    }

    /// Nobody in the run may read the init: it is a copy of the supervisor.
    fn drop_privileges(&self) -> Result<(), Failure> {
        if self.switches.off(Switch::Identity) {
            // It has to be able to read whoever keeps them.
            return Ok(());
        }
        capabilities(self.init_keeps).map_err(at(Step::Capabilities))?;
        thread::set_no_new_privs(true).map_err(at(Step::NoNewPrivileges))
    }

    /// Confines this process and, once the gate opens, executes the interpreter.
    fn become_script(&mut self, init: Pid) -> ! {
        if let Err(failure) = self.confine_and_execute(init) {
            self.report(&failure);
        }
        sys::exit(1)
    }

    fn confine_and_execute(&mut self, init: Pid) -> Result<(), Failure> {
        // Not a session: the scheduler would put the run before the init wherever both wait for a processor
        // (`CONFIG_SCHED_AUTOGROUP`), and the run's calls wait for the init.
        process::setpgid(None, None).map_err(at(Step::Session))?;
        for tasks in &self.cgroup_tasks {
            rustix::io::write(tasks, b"0").map_err(at(Step::Cgroup))?;
        }
        process::umask(Mode::from(self.umask));
        let cwd = self.cwd.as_c_str();
        process::chdir(cwd).map_err(at(Step::WorkingDirectory))?;
        self.limit(|resource| resource != Resource::Nofile)?;
        if self.switches.off(Switch::Identity) {
            switches::hand_capabilities_on().map_err(at(Step::Capabilities))?;
        } else {
            capabilities(CapabilitySet::empty()).map_err(at(Step::Capabilities))?;
            thread::set_no_new_privs(true).map_err(at(Step::NoNewPrivileges))?;
        }
        if self.shares_processes() {
            plain::die_with(init).map_err(at(Step::Session))?;
        }
        if let Some(rules) = &self.landlock {
            rules.restrict(&self.stdio).map_err(at(Step::Landlock))?;
        }
        let [input, output, error] = &self.stdio;
        stdio::dup2_stdin(input).map_err(at(Step::Descriptors))?;
        stdio::dup2_stdout(output).map_err(at(Step::Descriptors))?;
        stdio::dup2_stderr(error).map_err(at(Step::Descriptors))?;
        if !self.switches.off(Switch::Descriptors) {
            sys::cloexec_from(3).map_err(at(Step::Descriptors))?;
        }
        for signal in [libc::SIGPIPE, libc::SIGCHLD] {
            sys::default_action(signal);
        }
        // Last of all the filter, which from here on binds this process as well.
        let with_lookout = self.filter_with_lookout.as_ref().filter(|_| self.broker.lookout.is_some());
        let listener = sys::install_filter(with_lookout.unwrap_or(&self.filter), true)
            .map_err(at(Step::Seccomp))?
            .ok_or(at(Step::Seccomp)(Errno::INVAL))?;
        // Even after the filter, which allows it: no more than a script with few files has room for all of the above.
        self.limit(|resource| resource == Resource::Nofile)?;
        let handover = self.handover.1.as_ref().ok_or(at(Step::Listener)(Errno::BADF))?;
        handover::give(handover.as_fd(), listener.as_fd()).map_err(at(Step::Listener))?;
        // The gate: nothing of the script runs before the supervisor has a receipt for `started`.
        let mut go = [0u8; 1];
        match rustix::io::read(&self.gate.0, &mut go) {
            Ok(1) => {}
            _ => sys::exit(1),
        }
        self.signals.set();
        Err(at(Step::Execute)(sys::execve(&self.program, &self.argv, &self.env)))
    }

    /// Gives up what could bring capabilities back in an `execve`.
    fn bounding_set(&self) -> Result<(), Errno> {
        if self.switches.off(Switch::Identity) { Ok(()) } else { bounding_set() }
    }

    fn limit(&self, which: impl Fn(Resource) -> bool) -> Result<(), Failure> {
        for (resource, limit) in self.rlimits.iter().filter(|(resource, _)| which(*resource)) {
            let limit = Rlimit { current: Some(*limit), maximum: Some(*limit) };
            process::setrlimit(*resource, limit).map_err(at(Step::Limits))?;
        }
        Ok(())
    }
}

fn bounding_set() -> Result<(), Errno> {
    thread::clear_ambient_capability_set()?;
    for number in 0..64u32 {
        // A number past the kernel's last capability ends the loop.
        match drop_from_bounding_set(number) {
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}

/// Gives up every other capability that this process has.
pub(crate) fn capabilities(keep: CapabilitySet) -> Result<(), Errno> {
    let inheritable = CapabilitySet::empty();
    thread::set_capabilities(None, CapabilitySets { effective: keep, permitted: keep, inheritable })
}

/// The init keeps no capability either. Where Yama lets nobody without `CAP_SYS_PTRACE` read the arguments of a call
/// (scope 2), it keeps that one, which counts in the run's user namespace only; as the one for ports does, which it
/// needs where there is a way out ([`crate::doors`]).
pub(crate) fn kept_by_init() -> CapabilitySet {
    match std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope") {
        Ok(scope) if scope.trim() == "2" => CapabilitySet::SYS_PTRACE,
        _ => CapabilitySet::empty(),
    }
}

fn drop_from_bounding_set(number: u32) -> Result<(), Errno> {
    thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1u64 << number))
}

fn loopback() -> Result<(), Errno> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::loopback_up(socket.as_fd())
}

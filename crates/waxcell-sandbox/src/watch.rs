//! The run from the opening of the gate to the last process gone: limits, output, signals, denials, usage.
//!
//! One thread, one `poll`. Everything that ends a run is a fact of the kernel: a clock, a counter, a group's event.

mod laid;
mod samples;

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::beside::Beside;
use crate::cgroup::{Group, Rung};
use crate::denials::{Counts, Denials};
use crate::egress;
use crate::ending::{Ending, Exit, Stop, Usage};
use crate::members::Members;
use crate::mounts;
use crate::plain;
use crate::plan::{Limits, Plan};
use crate::relay::{Relay, Stream};
use crate::scratch::{Folder, Scratch};
use crate::spawn::{failed_step, scratch_target};
use crate::switches::Switch;
use crate::sys;
use crate::tally::Tally;
use crate::wire::{self, Counted, Inbox, Order, Report, Step};
use crate::written::Written;

use laid::Laid;
use samples::SHORTEST_TICK;

/// The init and the namespaces of a run whose processes have all ended. Waits for their end when dropped: that takes
/// the kernel a while, in which the caller can do something else.
#[derive(Debug)]
pub struct Remains(#[expect(dead_code, reason = "its drop is what it is for")] Running);

/// Where signals for the script come from: a `signalfd` of the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Interrupts<'a>(pub BorrowedFd<'a>);

const REPORTS_AT_ONCE: usize = 64;
/// The weight of a limit that ends the run.
const ENDS: u8 = 2;
/// How long the init has to end a run by itself before it is killed in turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// A run whose script may be executing.
#[derive(Debug)]
pub struct Running {
    control: OwnedFd,
    pidfd: OwnedFd,
    lookout: Option<Beside>,
    egress: Option<egress::Posted>,
    relays: Vec<Relay>,
    group: Option<Group>,
    limits: Limits,
    scratch: Option<Scratch>,
    /// Who belongs to the run, and the `/proc` to see them in.
    members: Members,
    processes: Option<OwnedFd>,
    started: Option<Instant>,
    /// The files of the plan that lie among the host's.
    laid: Option<Laid>,
    /// Processors that the run may use at once.
    cpus: u32,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also on every error path: what was started does not outlive its supervisor's interest in it.
        self.end();
    }
}

impl Running {
    pub(crate) fn new(
        control: OwnedFd,
        pidfd: OwnedFd,
        relays: Vec<Relay>,
        group: Option<Group>,
        folder: Option<Folder>,
        members: Members,
        plan: &Plan,
    ) -> Running {
        let mut limits = plan.limits.clone();
        // Without process ids of the run's own everybody of the host would be counted.
        limits.written = limits.written.filter(|_| !plan.switches.off(Switch::Pidns));
        // If it cannot be told, many: then one looks sooner.
        let cpus = rustix::thread::sched_getaffinity(None).map_or(64, |set| set.count().max(1));
        Running {
            control,
            pidfd,
            lookout: None,
            egress: None,
            relays,
            group,
            limits,
            scratch: folder.map(Scratch::Folder),
            members,
            processes: None,
            started: None,
            laid: None,
            cpus,
        }
    }

    /// With the processes beside it: the lookout that serves its root, and its way out.
    pub(crate) fn with(mut self, lookout: Option<Beside>, egress: Option<egress::Posted>) -> Running {
        self.lookout = lookout;
        self.egress = egress;
        self
    }

    /// Waits until the way out is one.
    pub(crate) fn egress_begun(&mut self) -> Result<(), Errno> {
        self.egress.as_mut().map_or(Ok(()), egress::Posted::begun)
    }

    /// The process that is the way out.
    pub(crate) fn egress_process(&self) -> Option<i32> {
        self.egress.as_ref().map(|egress| egress.pid)
    }

    /// Ends everything of the run. Once it has been waited for, nothing is done.
    fn end(&mut self) {
        // Nobody shall wait for it while he is to go.
        if let Some(lookout) = &self.lookout {
            lookout.end();
        }
        if let Members::Below(init) = self.members {
            plain::end(self.control.as_fd(), self.pidfd.as_fd(), init);
        }
        // As process 1 it takes its namespace with it.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }

    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    pub(crate) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// Takes hold of the run's own scratch space and `/proc`, while only our code has run in it.
    ///
    /// By what the init has open, `shown`, and not by a path: where the run's root is served, nobody else may use it, and
    /// whoever did would wait for the run.
    pub(crate) fn look_inside(&mut self, init: i32, shown: [Option<u32>; 2], plan: &Plan) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open =
            |number: u32| rustix::fs::open(format!("/proc/{init}/fd/{number}"), flags, Mode::empty()).ok();
        if plan.plain.is_some() {
            self.processes = rustix::fs::open("/proc", flags, Mode::empty()).ok();
            return;
        }
        let [scratch, processes] = shown.map(|number| number.and_then(open));
        self.processes = processes;
        self.scratch = scratch
            .filter(|_| scratch_target(plan).is_some())
            .map(|fd| Scratch::Tmpfs(fd, mounts::scratch_overhead(&plan.mounts)));
        self.laid = Laid::find(init, plan);
    }

    pub(crate) fn started(mut self) -> Running {
        self.started = Some(Instant::now());
        // If the init is gone, the watch finds that out at once.
        let _ = wire::send_order(self.control.as_fd(), Order::Go);
        self
    }

    /// Watches until nothing of the run is alive. `tap` sees every byte of output that passes; `counts` says of attempts on
    /// what is not shown whether they count; `lines` is given each line of the process that is the run's way out, of which
    /// nothing is kept here.
    pub fn watch(
        mut self,
        interrupts: Option<Interrupts<'_>>,
        tap: &mut dyn FnMut(Stream, &[u8]),
        counts: Counts<'_>,
        lines: &mut dyn FnMut(&[u8]),
    ) -> Ending {
        let started = self.started.unwrap_or_else(Instant::now);
        let mut watch = Watch {
            started,
            rung: self.group.as_ref().map_or(Rung::RlimitWatch, Group::rung),
            scratch_is_bounded: self.scratch.as_ref().is_none_or(Scratch::is_bounded),
            ..Watch::new(started, counts)
        };
        let limit = self.limits.output;
        let (output, cut) = (Cell::new(0u64), Cell::new(false));
        let mut counted = |stream: Stream, bytes: &[u8]| {
            let room = limit.saturating_sub(output.get()).min(bytes.len() as u64) as usize;
            output.set(output.get() + room as u64);
            cut.set(cut.get() || room < bytes.len());
            tap(stream, &bytes[..room]);
            room
        };
        let mut inbox = Inbox::new();
        let mut gone = false;
        while !gone {
            self.wait(interrupts, watch.tick(&self));
            gone = watch.hear(&self, &mut inbox);
            for relay in &mut self.relays {
                relay.turn(&mut counted);
            }
            if let Some(Interrupts(fd)) = interrupts {
                while let Some(signal) = sys::read_signal(fd) {
                    self.pass_on(signal);
                }
            }
            watch.cut = cut.get();
            if let Some(Err(errno)) = self.egress.as_mut().map(|egress| egress.hear(lines)) {
                watch.lose(&self, Step::Egress, errno);
            }
            watch.look(&mut self);
        }
        // While the init still holds the namespace, and nobody else is in it.
        watch.replaced = match &self.laid {
            Some(laid) if watch.counted_out => Some(laid.replaced()),
            Some(_) => None,
            None => Some(Vec::new()),
        };
        match (watch.counted_out, self.members) {
            (true, Members::Namespace) => {
                let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
            }
            // It leaves by itself when it is let go.
            (true, Members::Below(_)) => {}
            // The init is gone without a word, and whoever is left goes now.
            (false, _) => self.end(),
        }
        for relay in &mut self.relays {
            relay.drain(&mut counted, &mut |reader| interrupted(reader, interrupts));
        }
        watch.usage.output = output.get();
        watch.cut = cut.get();
        if let Some(Err(errno)) = self.egress.as_mut().map(|egress| egress.finish(lines)) {
            watch.lose(&self, Step::Egress, errno);
        }
        watch.end(self)
    }

    fn wait(&self, interrupts: Option<Interrupts<'_>>, longest: Duration) {
        let mut fds = Vec::with_capacity(3 + self.relays.len());
        fds.push(PollFd::new(&self.control, PollFlags::IN));
        fds.extend(interrupts.map(|Interrupts(fd)| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(
            self.relays
                .iter()
                .filter_map(Relay::interest)
                .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)),
        );
        let egress = self.egress.as_ref().and_then(egress::Posted::descriptor);
        fds.extend(egress.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = Timespec { tv_sec: longest.as_secs() as i64, tv_nsec: longest.subsec_nanos().into() };
        // Interrupted or not, everything is looked at afterwards.
        let _ = poll(&mut fds, Some(&timeout));
    }

    /// A key on the terminal is for everybody in the foreground, a signal from a process for the script alone.
    fn pass_on(&mut self, received: sys::ReceivedSignal) {
        let order = |signal, group| {
            let _ = wire::send_order(self.control.as_fd(), Order::Signal { signal, group });
        };
        match received.signal {
            libc::SIGTSTP => {
                order(libc::SIGSTOP, true);
                let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
                order(libc::SIGCONT, true);
            }
            libc::SIGWINCH => {
                for relay in &self.relays {
                    relay.resize();
                }
                order(libc::SIGWINCH, true);
            }
            signal => order(signal, received.from_kernel),
        }
    }

    fn kill(&self) {
        let _ = wire::send_order(self.control.as_fd(), Order::Kill);
    }
}

/// What is known so far.
struct Watch<'a> {
    started: Instant,
    rung: Rung,
    /// Whether the kernel itself refuses what is over the bound of scratch space.
    scratch_is_bounded: bool,
    exit: Option<Exit>,
    stop: Option<Stop>,
    failed: Option<(&'static str, i32)>,
    killing_since: Option<Instant>,
    /// Not before then is scratch space looked at again.
    scratch_next: Instant,
    usage: Usage,
    sampled_cpu: Duration,
    sampled_memory: u64,
    sampled_at: Option<Instant>,
    tally: Tally,
    written: Written,
    denials: Denials<'a>,
    claimed: Vec<usize>,
    cut: bool,
    replaced: Option<Vec<PathBuf>>,
    /// The init has waited for every process of the run and reported their usage.
    counted_out: bool,
}

impl<'a> Watch<'a> {
    fn new(started: Instant, counts: Counts<'a>) -> Watch<'a> {
        Watch {
            started,
            rung: Rung::RlimitWatch,
            scratch_is_bounded: true,
            exit: None,
            stop: None,
            failed: None,
            killing_since: None,
            scratch_next: started,
            usage: Usage::default(),
            sampled_cpu: Duration::ZERO,
            sampled_memory: 0,
            sampled_at: None,
            tally: Tally::default(),
            written: Written::default(),
            denials: Denials::new(counts),
            claimed: Vec::new(),
            cut: false,
            replaced: None,
            counted_out: false,
        }
    }

    /// Takes the reports that wait, a number of them: limits are looked at in between. Returns whether the run is over.
    fn hear(&mut self, run: &Running, inbox: &mut Inbox) -> bool {
        for _ in 0..REPORTS_AT_ONCE {
            match inbox.report(run.control(), false) {
                Ok(Some(report)) => {
                    if self.note(report) {
                        return true;
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn note(&mut self, report: Report<'_>) -> bool {
        let now = self.started.elapsed();
        match report {
            Report::Failed { step, errno, .. } => {
                self.failed = Some((failed_step(step), errno.raw_os_error()))
            }
            report @ (Report::Denied { .. }
            | Report::DeniedAgain { .. }
            | Report::DeniedBeyond { .. }
            | Report::Program { .. }
            | Report::Place { .. }
            | Report::Unshown { .. }
            | Report::UnshownAgain { .. }) => self.denials.hear(report, now),
            Report::LimitReached(Counted::Processes) => self.reached(Stop::Processes),
            Report::LimitReached(Counted::Threads) => self.reached(Stop::Threads),
            Report::LimitReached(Counted::FileSize) => self.reached(Stop::FileSize),
            Report::Spent(spent) => self.tally.see(spent),
            Report::Wrote(wrote) => self.written.leaves(wrote),
            Report::Claimed { index } => self.claimed.push(index as usize),
            Report::Exited { status } => {
                self.usage.wall = now;
                self.exit = Some(if libc::WIFSIGNALED(status) {
                    Exit::Signal(libc::WTERMSIG(status))
                } else {
                    Exit::Code(libc::WEXITSTATUS(status))
                });
            }
            Report::Ended { usage, io, forks, threads } => {
                self.usage.user = Duration::from_micros(usage.user_us);
                self.usage.system = Duration::from_micros(usage.system_us);
                self.usage.max_rss = usage.max_rss_kib * 1024;
                self.usage.voluntary_switches = usage.voluntary_switches;
                self.usage.involuntary_switches = usage.involuntary_switches;
                self.usage.read_bytes = io.read_bytes;
                self.usage.write_bytes = io.write_bytes;
                self.usage.read_calls_bytes = io.read_calls_bytes;
                self.usage.write_calls_bytes = io.write_calls_bytes;
                self.usage.processes = forks + 1;
                self.usage.threads = threads;
                self.counted_out = true;
                return true;
            }
            Report::Built { .. } | Report::Ready { .. } => {}
        }
        false
    }

    /// The run has lost something that it cannot do without, and ends.
    fn lose(&mut self, run: &Running, step: Step, errno: Errno) {
        self.failed.get_or_insert((failed_step(step), errno.raw_os_error()));
        self.killing_since.get_or_insert_with(Instant::now);
        run.kill();
    }

    /// The first limit counts. But what the kernel only refused must not hide what ends the run.
    fn reached(&mut self, stop: Stop) {
        if self.stop.is_none_or(|known| self.weight(known) < self.weight(stop)) {
            self.stop = Some(stop);
        }
    }

    fn weight(&self, stop: Stop) -> u8 {
        match stop {
            Stop::OpenFiles => 0,
            Stop::FileSize => 1,
            Stop::ScratchBytes | Stop::ScratchFiles if self.scratch_is_bounded => 1,
            _ => ENDS,
        }
    }

    /// Compares what is used with what is allowed, and ends the run where it is reached.
    fn look(&mut self, run: &mut Running) {
        if let Some(since) = self.killing_since {
            if since.elapsed() > PATIENCE {
                run.end();
            }
            return;
        }
        if self.exit.is_none() {
            // Output and reports wake us far more often than anything here changes.
            if self.sampled_at.is_none_or(|at| at.elapsed() >= SHORTEST_TICK) {
                self.sample(run);
                self.sampled_at = Some(Instant::now());
            }
            if self.started.elapsed() >= run.limits.wall {
                self.reached(Stop::Wall);
            }
        }
        if self.cut {
            self.reached(Stop::Output);
        }
        if self.stop.is_some_and(|stop| self.weight(stop) == ENDS) {
            self.killing_since = Some(Instant::now());
            run.kill();
        }
    }

    fn end(mut self, run: Running) -> Ending {
        self.sample_scratch(&run);
        let waited_for = self.usage.user + self.usage.system;
        match &run.group {
            Some(group) => {
                self.usage.cpu = group.cpu().unwrap_or(waited_for);
                self.usage.memory_peak =
                    group.memory_peak().unwrap_or_else(|| self.usage.memory_peak.max(self.usage.max_rss));
                if group.out_of_memory_kills() > 0 {
                    self.reached(Stop::Memory);
                }
            }
            None => {
                self.usage.cpu = waited_for.max(self.sampled_cpu).max(self.tally.total());
                self.usage.memory_peak = self.usage.memory_peak.max(self.usage.max_rss);
            }
        }
        if self.usage.cpu >= run.limits.cpu && self.exit == Some(Exit::Signal(libc::SIGXCPU)) {
            self.reached(Stop::Cpu);
        }
        self.usage.write_bytes = self.usage.write_bytes.max(self.written.total());
        // What was written since the last look is only told.
        if run.limits.written.is_some_and(|limit| self.usage.write_bytes > limit) {
            self.reached(Stop::Written);
        }
        if self.cut {
            self.reached(Stop::Output);
        }
        if self.usage.wall.is_zero() {
            self.usage.wall = self.started.elapsed();
        }
        let (denials, denials_beyond) = self.denials.into_list();
        Ending {
            exit: self.exit,
            stop: self.stop,
            failed: self.failed,
            usage: self.usage,
            denials,
            denials_beyond,
            claimed: self.claimed,
            output_cut: self.cut,
            replaced: self.replaced,
            output_lost: run.relays.iter().find_map(|relay| Some((relay.stream, relay.lost?.raw_os_error()))),
            rung: self.rung,
            remains: Remains(run),
        }
    }
}

/// Waits until `reader` takes something more. With the script gone, a signal that would end it ends the waiting.
fn interrupted(reader: BorrowedFd<'_>, interrupts: Option<Interrupts<'_>>) -> bool {
    let mut fds = vec![PollFd::from_borrowed_fd(reader, PollFlags::OUT)];
    fds.extend(interrupts.map(|Interrupts(fd)| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    let _ = poll(&mut fds, None);
    let Some(Interrupts(fd)) = interrupts else { return false };
    let deadly = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
    std::iter::from_fn(|| sys::read_signal(fd)).any(|received| deadly.contains(&received.signal))
}

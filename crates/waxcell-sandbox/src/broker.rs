//! The init of a run while the script is alive: it reaps, passes signals on, counts processes and threads, and has
//! guarded calls performed.
//!
//! Calls judged by register values alone (`fork`, `clone`, the ends of threads and processes) go on in the kernel, and so
//! does the first call of a new process, once there is room for it.
//!
//! Nothing here allocates: this is still a fork of the supervisor.

use std::ffi::{CStr, CString};
use std::fmt::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, WaitOptions};
use waxcell_operations::Operation;

use crate::attempts::Attempts;
use crate::doors::Doors;
use crate::ending::Layer;
use crate::frames::Frames;
use crate::guarded::{Asked, Guarded};
use crate::lookout::{Ask, Line, Skeleton};
use crate::members::Members;
use crate::mounts::Tree;
use crate::network::{self, Unreachable};
use crate::plain;
use crate::plan::Plan;
use crate::procfs;
use crate::refusals::Refusals;
use crate::resolver;
use crate::room::Room;
use crate::seccomp::{self, Action, Call, Rules};
use crate::switches::{Switch, Switches};
use crate::sys::{self, Answer, Door, Notification, SignalSet};
use crate::text::Text;
use crate::wire::{self, Attempt, Counted, Inbox, Order, Report, Step};

/// What the broker needs, made before the fork.
pub(crate) struct Broker {
    guarded: Guarded,
    attempts: Attempts,
    /// The script's process.
    script: i32,
    room: Room,
    /// What the filter hands calls over for.
    rules: Rules,
    refusals: Refusals,
    /// The way to the lookout, where there is one.
    pub(crate) lookout: Option<Line>,
    /// What the supervisor looks at from outside, where the run has it: scratch space and `/proc`.
    shown: [Option<OwnedFd>; 2],
    /// Who is asked for names, where there is a network of the run's own.
    resolver: Option<OwnedFd>,
    /// Whether the supervisor adds up what processes use. A process whose parent ignores its end is waited for by nobody,
    /// and the kernel forgets what it used.
    tell_spent: bool,
    /// Whether it adds up what they write.
    tell_written: bool,
    /// The init's counters, into which those of everybody it waits for are added, and those of what it does itself, which is
    /// none of the script's. Opened before it hides.
    io: Option<[OwnedFd; 2]>,
    /// What the network of the run's own counts.
    unreachable: Option<Unreachable>,
    switches: Switches,
}

/// What became of the script's process.
struct Ended;

impl Broker {
    /// `scratch` is any path in the run's scratch space.
    pub(crate) fn new(
        plan: &Plan,
        rules: Rules,
        scratch: CString,
        tell_spent: bool,
        lookout: Option<(Line, Skeleton)>,
        doors: Option<Doors>,
    ) -> Result<Broker, Errno> {
        let (lookout, skeleton) = lookout.unzip();
        Ok(Broker {
            guarded: Guarded::new(plan, scratch, doors)?,
            attempts: Attempts::new(plan, skeleton),
            lookout,
            shown: [None, None],
            script: 0,
            room: Room::new(&plan.limits, plan.newborn_asks()),
            rules,
            refusals: Refusals::new(Frames::new(plan)),
            resolver: None,
            tell_spent,
            tell_written: plan.limits.written.is_some(),
            io: None,
            unreachable: None,
            switches: plan.switches,
        })
    }

    /// What it holds open from before the fork.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        self.guarded.descriptors().chain(self.lookout.as_ref().map(Line::descriptor))
    }

    /// Does without the lookout.
    pub(crate) fn dismiss_lookout(&mut self) {
        self.lookout = None;
        self.attempts.is_not_served();
    }

    /// The descriptors behind which the supervisor finds scratch space and `/proc`.
    pub(crate) fn shown(&self) -> [Option<u32>; 2] {
        self.shown.each_ref().map(|fd| fd.as_ref().map(|fd| fd.as_raw_fd() as u32))
    }

    /// Everybody of the run, as this process sees them.
    fn members(&self) -> Members {
        self.guarded.members()
    }

    /// Kills everybody else and waits until nobody is left.
    pub(crate) fn end_everybody(&self) {
        match self.members() {
            Members::Namespace => {
                self.members().kill_others();
                while process::wait(WaitOptions::empty()).is_ok() {}
            }
            Members::Below(_) if self.switches.off(Switch::Pidns) => {}
            below => plain::end_below(below),
        }
    }

    /// Goes to `/proc`, and looks up, in the finished tree, what calls will be compared with.
    pub(crate) fn prepare(&mut self, tree: &mut Tree) -> Result<(), Errno> {
        process::chdir(c"/proc")?;
        let open = |path: &CStr| fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        self.io = Some([open(c"self/io")?, open(c"thread-self/io")?]);
        self.guarded.prepare(tree)?;
        let open = |path: &CStr| {
            fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
        };
        self.shown = [self.guarded.scratch().and_then(open), open(procfs::HERE)];
        self.attempts.prepare(self.guarded.scratch_device())
    }

    /// Takes the place of a name server, in the network that this process is in by now.
    pub(crate) fn resolve_names(&mut self) -> Result<(), Errno> {
        self.resolver = Some(resolver::open()?);
        Ok(())
    }

    /// Prepares the network that this process is in by now, where there is a way out of it.
    pub(crate) fn forget_soon(&self) {
        if self.guarded.doors.is_some() {
            Doors::forget_soon();
        }
    }

    /// Opens the way out of the network that this process is in by now.
    pub(crate) fn open_doors(&mut self) -> Result<(), Errno> {
        self.guarded.doors.as_mut().map_or(Ok(()), Doors::make)
    }

    /// Begins to count what the network that this process is in by now has no way for.
    pub(crate) fn count_unreachable(&mut self) -> Result<(), Errno> {
        self.unreachable = Some(Unreachable::open()?);
        Ok(())
    }

    /// Serves until the script's process has ended and everything else with it, or the supervisor is gone.
    pub(crate) fn serve(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        gate: &OwnedFd,
        script: i32,
    ) {
        self.script = script;
        let Ok(children) = SignalSet::of(&[libc::SIGCHLD]).descriptor() else { return };
        let mut inbox = Inbox::new();
        // Once nobody is under the filter any more, its listener says so at every look: it is left out then.
        let mut watched = 7;
        if self.lookout.as_ref().is_some_and(|line| line.begin().is_err()) {
            return;
        }
        loop {
            // Where nobody resolves names, something that is watched anyway keeps the place.
            let resolver = self.resolver.as_ref().unwrap_or(&children).as_fd();
            let lookout = self.lookout.as_ref().map_or(&children, Line::descriptor);
            let [four, six] =
                self.guarded.doors.as_ref().map(|doors| doors.datagrams.descriptors()).unwrap_or_default();
            let mut fds = [
                PollFd::from_borrowed_fd(control, PollFlags::IN),
                PollFd::new(&children, PollFlags::IN),
                PollFd::from_borrowed_fd(resolver, PollFlags::IN),
                PollFd::new(lookout, PollFlags::IN),
                PollFd::from_borrowed_fd(four.unwrap_or(children.as_fd()), PollFlags::IN),
                PollFd::from_borrowed_fd(six.unwrap_or(children.as_fd()), PollFlags::IN),
                PollFd::from_borrowed_fd(listener, PollFlags::IN),
            ];
            if poll(&mut fds[..watched], self.next_look().as_ref()).is_err_and(|errno| errno != Errno::INTR) {
                return;
            }
            let ready = fds.each_ref().map(PollFd::revents);
            if ready[6].contains(PollFlags::HUP) {
                watched = 6;
            }
            // A call before an order: once it is taken up, a signal cannot interrupt it any more.
            if ready[2].contains(PollFlags::IN) {
                self.tell_names(control);
            }
            if !ready[4].is_empty() || !ready[5].is_empty() {
                self.tell_datagrams(control);
            }
            if ready[6].contains(PollFlags::IN) {
                self.decide(control, listener);
            }
            if !ready[3].is_empty() && self.look_at_names(control, listener, true).is_err() {
                let lost = Report::Failed { step: Step::Lookout, detail: 0, errno: Errno::PIPE };
                let _ = wire::send_report(control, lost);
                return;
            }
            if !ready[0].is_empty() && self.obey(control, gate, &mut inbox).is_err() {
                return;
            }
            if !self.switches.off(Switch::Broker) {
                self.room.look(self.members(), control, listener);
            }
            self.refusals.tell(control);
            if !ready[1].is_empty() {
                while sys::read_signal(children.as_fd()).is_some() {}
                if self.reap(control).is_some() {
                    self.finish(control, listener, &children);
                    return;
                }
            }
        }
    }

    /// When something has to be looked at that no event tells.
    fn next_look(&self) -> Option<Timespec> {
        let told = self
            .refusals
            .due()
            .map(|due| Timespec { tv_sec: due.as_secs() as i64, tv_nsec: due.subsec_nanos().into() });
        self.room.next_look().copied().into_iter().chain(told).min()
    }

    fn obey(&mut self, control: BorrowedFd<'_>, gate: &OwnedFd, inbox: &mut Inbox) -> Result<(), Errno> {
        match inbox.order(control, false) {
            Ok(Some(Order::Go)) => {
                if !self.switches.off(Switch::Dumpable) {
                    process::set_dumpable_behavior(process::DumpableBehavior::NotDumpable)?;
                }
                rustix::io::write(gate, b"g").map(drop)
            }
            Ok(Some(Order::Signal { signal, group })) => {
                let pid = self.script;
                // It may have ended by now, which is no fault.
                let _ = sys::kill(if group { -pid } else { pid }, signal);
                Ok(())
            }
            Ok(Some(Order::Kill)) => {
                self.room.close();
                self.members().kill_others();
                Ok(())
            }
            Ok(Some(Order::Mapped)) | Err(Errno::AGAIN) => Ok(()),
            // The supervisor is gone: leaving takes the whole namespace down.
            Ok(None) => Err(Errno::PIPE),
            Err(errno) => Err(errno),
        }
    }

    fn tell_names(&mut self, control: BorrowedFd<'_>) {
        let Some(socket) = &self.resolver else { return };
        let attempt =
            Attempt { operation: Operation::NetDns, layer: Layer::Network, errno: Errno::CONNREFUSED };
        resolver::serve(socket.as_fd(), |name| {
            self.refusals.add(control, attempt, None, name);
        });
    }

    /// Whether there may be more of them.
    fn tell_datagrams(&mut self, control: BorrowedFd<'_>) -> bool {
        let doors = self.guarded.doors.as_ref();
        doors.is_some_and(|doors| network::tell_datagrams(doors, control, &mut self.refusals))
    }

    /// Looks at what those do who wait at the lookout, and lets them go on; an error if there is no lookout any more.
    fn look_at_names(
        &mut self,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        is_told: bool,
    ) -> Result<(), Errno> {
        while let Some(line) = &self.lookout {
            let Some(ask) = line.next()? else { break };
            if is_told {
                self.look_at_name(control, listener, ask);
            }
            if let Some(line) = &self.lookout {
                line.looked(ask);
            }
        }
        Ok(())
    }

    fn look_at_name(&mut self, control: BorrowedFd<'_>, listener: BorrowedFd<'_>, ask: Ask) {
        let Some((nr, args)) = procfs::call_of(ask.tid) else { return };
        let Some(kind) = seccomp::call(nr) else { return };
        let arch = seccomp::ARCH;
        let call = Notification { id: 0, tid: ask.tid, arch, nr, args, waits_for: Door::Lookout };
        let mut asked = Asked { control, listener, call: &call, refusals: &mut self.refusals };
        self.attempts.look_at_name(&mut asked, kind, ask.why);
    }

    /// Waits for whoever ended. `Some` once the script's own process has.
    fn reap(&mut self, control: BorrowedFd<'_>) -> Option<Ended> {
        let mut ended = None;
        loop {
            match process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == self.script => {
                    let _ = wire::send_report(control, Report::Exited { status: status.as_raw() });
                    ended = Some(Ended);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        ended
    }

    /// Kills what is left, so that its usage is counted as well, and reports.
    fn finish(&mut self, control: BorrowedFd<'_>, listener: BorrowedFd<'_>, children: &OwnedFd) {
        if self.lookout.is_some() && !self.switches.off(Switch::Pidns) {
            self.members().kill_others();
            self.release(control, listener, children);
        }
        self.end_everybody();
        while self.tell_datagrams(control) {}
        self.tell_unreachable(control);
        self.refusals.tell_all(control);
        let io = self.io.as_ref().and_then(|[all, own]| {
            let own = procfs::io_counters(own.as_fd())?;
            Some(procfs::io_counters(all.as_fd())?.without(own))
        });
        let io = io.unwrap_or_default();
        let usage = sys::children_usage();
        let report =
            Report::Ended { usage, io, forks: self.room.processes.made, threads: self.room.threads.made };
        let _ = wire::send_report(control, report);
        // Stays until it is killed or the supervisor is gone: the supervisor wakes up on this processor, and would
        // else wait there for the end of all the namespaces.
        let mut inbox = Inbox::new();
        while let Ok(Some(_)) = inbox.order(control, true) {}
    }

    /// What nobody was asked about: the addresses of `sendmsg` lie in memory, and the kernel counts what it had no way for.
    fn tell_unreachable(&mut self, control: BorrowedFd<'_>) {
        let times = self.unreachable.as_ref().map_or(0, Unreachable::times);
        let (operation, layer, errno) = (Operation::NetUdp, Layer::Network, Errno::NETUNREACH);
        self.refusals.add_counted(control, Attempt { operation, layer, errno }, b"sendmsg()", times);
    }

    /// Waits for those who were killed. Whoever waits at the lookout cannot go before he is let go.
    fn release(&mut self, control: BorrowedFd<'_>, listener: BorrowedFd<'_>, children: &OwnedFd) {
        loop {
            match process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => continue,
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let Some(line) = &self.lookout else { return };
            let mut fds =
                [PollFd::new(children, PollFlags::IN), PollFd::new(line.descriptor(), PollFlags::IN)];
            let _ = poll(&mut fds, None);
            while sys::read_signal(children.as_fd()).is_some() {}
            if self.look_at_names(control, listener, false).is_err() {
                // It is gone, and nobody waits for it any more.
                return;
            }
        }
    }

    fn decide(&mut self, control: BorrowedFd<'_>, listener: BorrowedFd<'_>) {
        let Ok(call) = sys::notification_receive(listener) else { return };
        let refusals = &mut self.refusals;
        let mut asked = Asked { control, listener, call: &call, refusals };
        if call.arch != seccomp::ARCH {
            if self.switches.off(Switch::Seccomp) {
                let _ = sys::notification_answer(listener, call.id, Answer::Continue);
            } else {
                end_foreign(&mut asked);
            }
            return;
        }
        let action = self.rules.answer(call.nr, &call.args);
        let layer = if matches!(action, Action::Refuse(..)) { Switch::Seccomp } else { Switch::Broker };
        let is_network = || matches!(seccomp::call(call.nr), Some(Call::Connect | Call::Bind | Call::SendTo));
        if self.switches.off(layer) || self.switches.off(Switch::Egress) && is_network() {
            let _ = sys::notification_answer(listener, call.id, Answer::Continue);
            return;
        }
        if let Action::Refuse(errno, operation) = action {
            let errno = Errno::from_raw_os_error(errno);
            let mut text = [0; 128];
            let target = self.rules.describe(call.nr, &call.args, &mut text);
            asked.deny(Attempt { operation, layer: Layer::Filter, errno }, target);
            let _ = sys::notification_answer(listener, call.id, Answer::Fail(errno));
            return;
        }
        let answer = match seccomp::call(call.nr) {
            // A thread, or a program that begins.
            Some(Call::SetRobustList) if !procfs::is_newborn(call.tid) => Answer::Continue,
            Some(Call::Fork | Call::Clone | Call::SetRobustList) => {
                self.attempts.forget();
                return self.room.enter(self.members(), control, listener, &call);
            }
            Some(kind @ (Call::Exit | Call::ExitGroup)) => {
                if self.tell_spent
                    && let Some(spent) = procfs::spent_at_exit(call.tid, kind == Call::ExitGroup)
                {
                    let _ = wire::send_report(control, Report::Spent(spent));
                }
                if self.tell_written
                    && let Some(wrote) = procfs::wrote_at_exit(call.tid)
                {
                    let _ = wire::send_report(control, Report::Wrote(wrote));
                }
                self.attempts.forget();
                farewell(control, &call)
            }
            Some(kind) if self.attempts.keeps_out(&mut asked, kind) => Answer::Fail(Errno::ACCESS),
            Some(kind) => {
                let attempts = &self.attempts;
                let is_looked_up = !self.guarded.is_the_kernels(kind, &call.args);
                let answer = match is_looked_up.then(|| attempts.without_looking(&call, kind)).flatten() {
                    Some(answer) => answer,
                    None => self.guarded.perform(&mut asked, kind).unwrap_or_else(Answer::Fail),
                };
                // What was done was no attempt.
                if matches!(answer, Answer::Continue | Answer::Fail(_)) {
                    self.attempts.look(&mut asked, kind, answer);
                }
                answer
            }
            None => Answer::Fail(Errno::NOSYS),
        };
        let _ = sys::notification_answer(listener, call.id, answer);
    }
}

/// A call by the numbers of another architecture, which no program makes by accident: it is not there, and whoever makes it
/// ends.
fn end_foreign(asked: &mut Asked<'_>) {
    let call = asked.call;
    let mut text = [0; 128];
    let mut text = Text::new(&mut text);
    // It fits.
    let _ = write!(text, "system call {} of {}", call.nr, seccomp::FOREIGN);
    let attempt = Attempt { operation: Operation::ProcControl, layer: Layer::Filter, errno: Errno::NOSYS };
    asked.deny(attempt, text.bytes());
    if let Some(process) =
        procfs::process_of(call.tid).filter(|_| sys::notification_valid(asked.listener, call.id))
    {
        // It may have ended by now, which is no fault.
        let _ = sys::kill(process as i32, libc::SIGSYS);
    }
    let _ = sys::notification_answer(asked.listener, call.id, Answer::Fail(Errno::NOSYS));
}

/// A process or thread is about to end: the last moment at which its pending signals can be read. A write past the
/// file-size limit left SIGXFSZ there, blocked; whatever is found, it may go.
fn farewell(control: BorrowedFd<'_>, call: &Notification) -> Answer {
    if procfs::any_thread_has_pending(call.tid, libc::SIGXFSZ) {
        let _ = wire::send_report(control, Report::LimitReached(Counted::FileSize));
    }
    Answer::Continue
}

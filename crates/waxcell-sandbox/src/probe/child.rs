//! A child that tries things and tells the outcome of each through a pipe, so that what kills it half-way loses only
//! the rest. It is a fork of a program that may have other threads: in it nothing allocates.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use crate::sys::{self, Fork, SignalSet};

/// Longer than any trial takes; what hangs is killed.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions a child can answer.
const QUESTIONS: usize = 48;

/// The child's side.
pub(super) struct Voice {
    answers: OwnedFd,
    gate: OwnedFd,
}

impl Voice {
    /// Tells how a trial ended; returns whether it held.
    pub(super) fn say(&self, question: u8, outcome: Result<(), Errno>) -> bool {
        self.number(question, outcome.map(|()| 0))
    }

    /// Tells a number that was found.
    pub(super) fn number(&self, question: u8, outcome: Result<u32, Errno>) -> bool {
        let held = outcome.is_ok();
        let value = match outcome {
            Ok(number) => number.min(i32::MAX as u32) as i32,
            Err(errno) => -errno.raw_os_error(),
        };
        let [a, b, c, d] = value.to_le_bytes();
        // Nobody listens any more: then nobody is deceived either.
        let _ = rustix::io::write(&self.answers, &[question, a, b, c, d]);
        held
    }

    /// Waits until the parent has done its part.
    pub(super) fn wait(&self) -> Result<(), Errno> {
        match rustix::io::read(&self.gate, &mut [0u8; 1])? {
            1 => Ok(()),
            _ => Err(Errno::PIPE),
        }
    }
}

/// How one trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It held; a number, if there is one to tell.
    Held(u32),
    /// The kernel refused.
    Failed(Errno),
    /// It was never tried: something before it failed.
    Untried,
}

impl Outcome {
    pub(super) fn held(self) -> bool {
        matches!(self, Outcome::Held(_))
    }

    /// Why it did not hold, in words.
    pub(super) fn why(self) -> String {
        match self {
            Outcome::Held(_) => "holds".to_owned(),
            Outcome::Failed(errno) => super::feature::errno(errno),
            Outcome::Untried => "could not be tried".to_owned(),
        }
    }
}

/// What a child told.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    by_question: [Outcome; QUESTIONS],
    /// The signal that ended it, if one did and the caller does not ignore its children's ends.
    pub(super) killed_by: Option<i32>,
    /// Whether it had to be killed because it took too long.
    pub(super) overdue: bool,
}

impl Answers {
    /// Those of a child that never was.
    pub(super) const fn none() -> Answers {
        Answers { by_question: [Outcome::Untried; QUESTIONS], killed_by: None, overdue: false }
    }

    pub(super) fn get(&self, question: u8) -> Outcome {
        self.by_question.get(usize::from(question)).copied().unwrap_or(Outcome::Untried)
    }
}

/// A child at work.
pub(super) struct Child {
    pub(super) pid: i32,
    pidfd: OwnedFd,
    answers: OwnedFd,
    gate: OwnedFd,
}

/// Ends the child whatever happens: even a panic must not run the parent's code a second time.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        sys::exit(0)
    }
}

impl Child {
    /// Forks a child with these namespaces, which carries out `work` and ends. Where there is no `clone3`, by `clone`:
    /// the trial tells more than that one call is missing.
    pub(super) fn start(flags: u64, work: impl FnOnce(&Voice)) -> Result<Child, Errno> {
        Child::start_in(flags, None, &[], work)
    }

    /// As [`Child::start`], born in a control group and with descriptors of the parent's.
    pub(super) fn start_in(
        flags: u64,
        cgroup: Option<BorrowedFd<'_>>,
        descriptors: &[OwnedFd],
        work: impl FnOnce(&Voice),
    ) -> Result<Child, Errno> {
        let (answers, tell) = pipe_with(PipeFlags::CLOEXEC)?;
        let (wait, gate) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut keep: Vec<RawFd> = descriptors.iter().chain([&tell, &wait]).map(AsRawFd::as_raw_fd).collect();
        keep.sort_unstable();
        let voice = Voice { answers: tell, gate: wait };
        let forked = match sys::fork(flags, cgroup) {
            Err(Errno::NOSYS) if cgroup.is_none() => sys::fork_by_clone(flags),
            other => other,
        };
        match forked? {
            Fork::Child => {
                let _last = Last;
                prepare();
                // Where `close_range` is missing the child only holds more than it needs.
                let _ = sys::close_all_but(&keep);
                work(&voice);
                sys::exit(0)
            }
            Fork::Parent { pid, pidfd } => Ok(Child { pid, pidfd, answers, gate }),
        }
    }

    /// Lets the child go on past [`Voice::wait`].
    pub(super) fn go(&self) {
        // If it is gone, its missing answers say so.
        let _ = rustix::io::write(&self.gate, b"g");
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        pidfd_send_signal(&self.pidfd, signal)
    }

    /// Ends the child before its time.
    pub(super) fn kill(&self) {
        if self.signal(Signal::KILL).is_err() {
            // It was not waited for yet, so the number is still its own.
            let _ = sys::kill(self.pid, libc::SIGKILL);
        }
    }

    /// Waits for the child's end and takes what it told.
    pub(super) fn finish(self) -> Answers {
        let deadline = Instant::now() + PATIENCE;
        let mut overdue = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&left)) {
                Err(Errno::INTR) => {}
                Ok(1..) => break,
                _ => {
                    self.kill();
                    overdue = true;
                    break;
                }
            }
        }
        drop(self.gate);
        let killed_by = end(&self.pidfd);
        // Only a few hundred bytes: they are all in the pipe by now. A fork of another thread may hold its other end.
        let mut answers = Answers { killed_by, overdue, ..Answers::none() };
        let mut told = [0u8; 5 * QUESTIONS];
        let read = rustix::io::ioctl_fionbio(&self.answers, true)
            .and_then(|()| rustix::io::read(&self.answers, &mut told))
            .unwrap_or(0);
        for answer in told[..read].chunks_exact(5) {
            let [question, a, b, c, d] = *answer else { continue };
            let value = i32::from_le_bytes([a, b, c, d]);
            if let Some(slot) = answers.by_question.get_mut(usize::from(question)) {
                *slot = match u32::try_from(value) {
                    Ok(number) => Outcome::Held(number),
                    Err(_) => Outcome::Failed(Errno::from_raw_os_error(value.wrapping_neg())),
                };
            }
        }
        answers
    }
}

/// What every child does first: no signal handler of the parent's runs in it, and it does not outlive its parent.
pub(super) fn prepare() {
    SignalSet::all().set();
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
}

/// Waits for a process to be gone; tells the signal that ended it.
pub(super) fn end(pidfd: &OwnedFd) -> Option<i32> {
    loop {
        match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            Ok(Some(status)) => return status.terminating_signal(),
            // A caller that ignores SIGCHLD has nobody to wait for.
            _ => return None,
        }
    }
}

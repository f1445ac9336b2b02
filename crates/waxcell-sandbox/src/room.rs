//! Room for processes and threads: who may be made, and who has to wait or ends the run.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};
use rustix::io::Errno;

use crate::members::Members;
use crate::procfs;
use crate::seccomp::{self, Call};
use crate::sys::{self, Answer, Notification};
use crate::wire::{self, Counted, Report};

/// How long a `fork` waits for room. A thread that was joined, or a child whose pipe was closed, may still be on its way
/// out, and the script believes it gone.
const ROOM: Duration = Duration::from_millis(50);
/// How often one looks for room meanwhile.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };
/// How many calls wait at one time; the next is judged at once.
const HELD: usize = 16;

/// The counts of a run.
pub(crate) struct Room {
    processes: u64,
    threads: u64,
    /// Processes made so far, and threads.
    pub(crate) forks: u64,
    pub(crate) new_threads: u64,
    /// Calls that found no room, and until when they wait for it.
    held: [Option<(Notification, Instant)>; HELD],
    /// Everything is being ended: nobody else is let into the world.
    closed: bool,
}

impl Room {
    pub(crate) fn new(processes: u32, threads: u32) -> Room {
        Room {
            processes: processes.into(),
            threads: threads.into(),
            forks: 0,
            new_threads: 0,
            held: [None; HELD],
            closed: false,
        }
    }

    /// When to [`Room::look`] again, if somebody waits.
    pub(crate) fn next_look(&self) -> Option<&'static Timespec> {
        self.held.iter().any(Option::is_some).then_some(&LOOK)
    }

    /// From here on a call that would make a process gets no answer: whoever waits for it is about to be killed.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// A call that would make a process or thread.
    pub(crate) fn enter(
        &mut self,
        members: Members,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
    ) {
        if self.closed || self.count(members, listener, call) {
            return;
        }
        match self.held.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some((*call, Instant::now() + ROOM)),
            None => self.limit_reached(members, control, listener, call),
        }
    }

    /// The run ends here and now: who got an error back first could still act on it.
    fn limit_reached(
        &mut self,
        members: Members,
        control: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        call: &Notification,
    ) {
        let _ = wire::send_report(control, Report::LimitReached(counted(call)));
        self.close();
        members.kill_others();
        let _ = sys::notification_answer(listener, call.id, Answer::Fail(Errno::AGAIN));
    }

    /// `fork`, `vfork` and `clone`: flags are register values, so the kernel may go on with what was judged. Returns
    /// whether it does; if not, there was no room.
    fn count(&mut self, members: Members, listener: BorrowedFd<'_>, call: &Notification) -> bool {
        let (kind, made, limit) = match counted(call) {
            Counted::Threads => (Counted::Threads, &mut self.new_threads, self.threads),
            _ => (Counted::Processes, &mut self.forks, self.processes),
        };
        // No more can be alive than were ever made: only then is it worth looking.
        if *made >= limit && alive(members, kind) >= limit {
            return false;
        }
        *made += 1;
        // Close to the limit, the next count must see the one that this call makes.
        let before = (*made >= limit).then(|| alive(members, kind));
        let _ = sys::notification_answer(listener, call.id, Answer::Continue);
        if let Some(before) = before {
            wait_until_visible(members, kind, before);
        }
        true
    }

    /// Once more for those who wait. Their time over, the limit is reached.
    pub(crate) fn look(&mut self, members: Members, control: BorrowedFd<'_>, listener: BorrowedFd<'_>) {
        for slot in 0..HELD {
            let Some((call, until)) = self.held[slot] else { continue };
            if self.closed
                || !sys::notification_valid(listener, call.id)
                || self.count(members, listener, &call)
            {
                self.held[slot] = None;
            } else if Instant::now() >= until {
                self.held[slot] = None;
                self.limit_reached(members, control, listener, &call);
            }
        }
    }
}

fn counted(call: &Notification) -> Counted {
    let thread = seccomp::call(call.nr) == Some(Call::Clone) && call.args[0] & libc::CLONE_THREAD as u64 != 0;
    if thread { Counted::Threads } else { Counted::Processes }
}

/// How many processes beside init and script, or threads beside each process's first, there are now.
fn alive(members: Members, kind: Counted) -> u64 {
    // Where they cannot be counted, no more are made.
    match kind {
        Counted::Processes | Counted::FileSize => {
            members.each_here(&mut |_, _| {}).map_or(u64::MAX, |count| count.saturating_sub(2))
        }
        Counted::Threads => {
            let mut threads = 0;
            members
                .each_here(&mut |dir, name| threads += procfs::threads(dir, name).saturating_sub(1))
                .map_or(u64::MAX, |_| threads)
        }
    }
}

fn pause(time: Duration) {
    // Interrupted or not, whoever waits looks again.
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) }));
}

/// Gives a process that was just allowed the time to appear, at most two milliseconds.
fn wait_until_visible(members: Members, kind: Counted, before: u64) {
    for _ in 0..100 {
        if alive(members, kind) > before {
            return;
        }
        pause(Duration::from_micros(20));
    }
}

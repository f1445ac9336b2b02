//! Room for processes and threads: who may be made, and who has to wait or ends the run.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::io::Errno;

use crate::members::Members;
use crate::plan::Limits;
use crate::procfs;
use crate::seccomp::{self, Call};
use crate::sys::{self, Answer, Notification};
use crate::wire::{self, Counted, Report};

/// How long a `fork` waits for room. A thread that was joined, or a child whose pipe was closed, may still be on its way
/// out, and the script believes it gone.
const ROOM: Duration = Duration::from_millis(50);
/// How often one looks for room meanwhile.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };
/// How often those are counted who may not have asked.
const SURVEY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// How many calls wait at one time; the next is judged at once.
const HELD: usize = 16;
/// How long a call that was let go on may take, if nothing tells that it is over.
const TAKES: Duration = Duration::from_millis(50);
/// How many such calls are remembered: no more than fit under the limits that people write.
const GRANTED: usize = 64;

/// The counts of a run.
pub(crate) struct Room {
    pub(crate) processes: Count,
    pub(crate) threads: Count,
    /// Calls that found no room, and until when they wait for it.
    held: [Option<(Notification, Instant)>; HELD],
    /// Everything is being ended: nobody else is let into the world.
    closed: bool,
    /// When to count who may not have asked, if anybody can be born without asking.
    survey: Option<Instant>,
    /// There were too many at the last time.
    over: bool,
}

impl Room {
    pub(crate) fn new(limits: &Limits, newborn_asks: bool) -> Room {
        Room {
            processes: Count::new(Counted::Processes, limits.processes),
            threads: Count::new(Counted::Threads, limits.threads),
            held: [None; HELD],
            closed: false,
            survey: newborn_asks.then(Instant::now),
            over: false,
        }
    }

    /// When to [`Room::look`] again at the latest.
    pub(crate) fn next_look(&self) -> Option<&'static Timespec> {
        match self.held.iter().any(Option::is_some) {
            true => Some(&LOOK),
            false => self.survey.map(|_| &SURVEY),
        }
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
        if self.closed || self.count(members, listener, call) == Found::Room {
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
        self.end(members, control, counted(call));
        let _ = sys::notification_answer(listener, call.id, Answer::Fail(Errno::AGAIN));
    }

    fn end(&mut self, members: Members, control: BorrowedFd<'_>, limit: Counted) {
        let _ = wire::send_report(control, Report::LimitReached(limit));
        self.close();
        members.kill_others();
    }

    /// `fork`, `vfork` and `clone`: flags are register values, so the kernel may go on with what was judged, and does
    /// where there is room. A newborn's `set_robust_list` goes on in any case.
    fn count(&mut self, members: Members, listener: BorrowedFd<'_>, call: &Notification) -> Found {
        let count = match counted(call) {
            Counted::Threads => &mut self.threads,
            _ => &mut self.processes,
        };
        let found = count.one_more(members, call.tid, is_newborns(call));
        if found == Found::Room {
            let _ = sys::notification_answer(listener, call.id, Answer::Continue);
        }
        found
    }

    /// A process that was made, or begins, in another way than the C library's has not asked. Too many at two times in a
    /// row are too many: one may have been on its way out.
    fn count_all(&mut self, members: Members, control: BorrowedFd<'_>) {
        let now = Instant::now();
        if self.closed || self.survey.is_none_or(|due| now < due) {
            return;
        }
        self.survey = Some(now + Duration::from_nanos(SURVEY.tv_nsec as u64));
        let waiting = self.held.iter().flatten().filter(|(call, _)| is_newborns(call)).count() as u64;
        let before = self.over;
        self.over = alive(members, Counted::Processes).saturating_sub(waiting) > self.processes.limit;
        if self.over && before {
            self.end(members, control, Counted::Processes);
        }
    }

    /// Once more for those who wait. Their time over, the limit is reached.
    pub(crate) fn look(&mut self, members: Members, control: BorrowedFd<'_>, listener: BorrowedFd<'_>) {
        self.count_all(members, control);
        for slot in 0..HELD {
            let Some((call, until)) = self.held[slot] else { continue };
            if self.closed || !sys::notification_valid(listener, call.id) {
                self.held[slot] = None;
                continue;
            }
            match self.count(members, listener, &call) {
                Found::Room => self.held[slot] = None,
                Found::None if Instant::now() >= until => {
                    self.held[slot] = None;
                    self.limit_reached(members, control, listener, &call);
                }
                Found::None => {}
                Found::Unclear => self.held[slot] = Some((call, Instant::now() + ROOM)),
            }
        }
    }
}

/// What one looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Room,
    None,
    /// It depends on calls that may have made something by now, or not yet.
    Unclear,
}

/// One of the two counts.
pub(crate) struct Count {
    kind: Counted,
    limit: u64,
    /// How many were made so far.
    pub(crate) made: u64,
    granted: Granted,
}

impl Count {
    fn new(kind: Counted, limit: u32) -> Count {
        Count { kind, limit: limit.into(), made: 0, granted: Granted([None; GRANTED]) }
    }

    /// Whether thread `tid` may make one more, or, if it is `born` itself, live; which then counts.
    fn one_more(&mut self, members: Members, tid: u32, born: bool) -> Found {
        self.granted.forget(|by, _| by == tid);
        // Of those that have asked, no more can be alive than were ever made: only close to the limit is it worth looking.
        if self.made + 1 >= self.limit {
            // First, so that what is forgotten here is seen there.
            self.granted.forget(|by, since| since.elapsed() >= TAKES || !procfs::is_busy(by));
            let alive = alive(members, self.kind).saturating_sub(born.into());
            if alive >= self.limit {
                return Found::None;
            }
            if alive + self.granted.count() >= self.limit {
                return Found::Unclear;
            }
        }
        if !born {
            self.granted.remember(tid);
        }
        self.made += 1;
        Found::Room
    }
}

/// Threads whose calls were let go on, and since when. What each makes may be there by now, or not yet: it counts until
/// the thread asks again, sleeps in another call, or is gone. Where there are more, the oldest makes place.
struct Granted([Option<(u32, Instant)>; GRANTED]);

impl Granted {
    fn count(&self) -> u64 {
        self.0.iter().flatten().count() as u64
    }

    fn forget(&mut self, which: impl Fn(u32, Instant) -> bool) {
        for slot in &mut self.0 {
            *slot = slot.filter(|(by, since)| !which(*by, *since));
        }
    }

    fn remember(&mut self, tid: u32) {
        if let Some(oldest) = self.0.iter_mut().min_by_key(|slot| slot.map(|(_, since)| since)) {
            *oldest = Some((tid, Instant::now()));
        }
    }
}

/// Whether this is the first call of a new process, and not one that would make something.
fn is_newborns(call: &Notification) -> bool {
    seccomp::call(call.nr) == Some(Call::SetRobustList)
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

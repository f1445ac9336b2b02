//! What was refused in a run so far, counted in its init.
//!
//! A script that tries a thing a million times a second gets its million refusals and one message: the first attempt on
//! each target is told at once, later ones are added up here and told now and then. So a flood costs the host no more
//! than the script's own time, and the count is right all the same.

use std::hash::{BuildHasher, RandomState};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::frames::{Frames, Place};
use crate::procfs;
use crate::sys::Notification;
use crate::target::still_waiting;
use crate::wire::{self, Attempt, PATH_MAX, Report};

/// Distinct refused targets that are told by name.
const KEPT: usize = 256;
/// Attempts on what is not shown that are remembered at one time.
const UNSHOWN: usize = 256;
/// How often later attempts are told.
const INTERVAL: Duration = Duration::from_millis(100);

/// The counts of a run. All memory it needs is there before the fork.
pub(crate) struct Refusals {
    known: Vec<Known>,
    /// Keyed by chance: a script must not find two targets that look alike.
    hasher: RandomState,
    beyond: u64,
    /// What is not shown, where the supervisor says what counts: a place for each remainder of the hash, for the last
    /// that was asked for.
    unshown: Vec<Known>,
    frames: Frames,
    /// When what has been counted has to be told.
    due: Option<Instant>,
}

/// A call that waits for its answer, and where that is given.
pub(crate) type Waiting<'a> = (BorrowedFd<'a>, &'a Notification);

struct Known {
    hash: u64,
    untold: u64,
    last: Instant,
}

impl Known {
    fn again(&mut self, now: Instant) {
        self.untold += 1;
        self.last = now;
    }
}

impl Refusals {
    pub(crate) fn new(frames: Frames) -> Refusals {
        let now = Instant::now();
        Refusals {
            known: Vec::with_capacity(KEPT),
            hasher: RandomState::new(),
            beyond: 0,
            unshown: (0..UNSHOWN).map(|_| Known { hash: 0, untold: 0, last: now }).collect(),
            frames,
            due: None,
        }
    }

    /// Counts one attempt on a target, by a call where it is one; whether it is the first, of which more can be said
    /// ([`Refusals::say`]).
    pub(crate) fn add(
        &mut self,
        control: BorrowedFd<'_>,
        attempt: Attempt,
        by: Option<Waiting<'_>>,
        target: &[u8],
    ) -> bool {
        let now = Instant::now();
        let hash = self.hasher.hash_one((attempt.operation, attempt.layer, target));
        if let Some(known) = self.known.iter_mut().find(|known| known.hash == hash) {
            known.again(now);
        } else if self.known.len() < KEPT {
            self.known.push(Known { hash, untold: 0, last: now });
            let tid = by.map_or(0, |(_, call)| call.tid);
            let pid = if tid == 0 { 0 } else { procfs::process_of(tid).unwrap_or(tid) };
            // A full socket holds the script back, not the count: sending waits.
            let _ = wire::send_report(control, Report::Denied { attempt, pid, tid, target });
            if let Some(by) = by {
                self.tell_place(control, by);
            }
            return true;
        } else {
            self.beyond += 1;
        }
        self.due.get_or_insert(now + INTERVAL);
        false
    }

    /// Counts attempts that the kernel has counted.
    pub(crate) fn add_counted(
        &mut self,
        control: BorrowedFd<'_>,
        attempt: Attempt,
        target: &[u8],
        times: u64,
    ) {
        let Some(further) = times.checked_sub(1) else { return };
        self.add(control, attempt, None, target);
        let hash = self.hasher.hash_one((attempt.operation, attempt.layer, target));
        match self.known.iter_mut().find(|known| known.hash == hash) {
            Some(known) => known.untold += further,
            None => self.beyond += further,
        }
    }

    /// Counts one attempt on what is not shown. None is lost, however many names there are: each that has not been asked
    /// for lately is told.
    pub(crate) fn add_unshown(
        &mut self,
        control: BorrowedFd<'_>,
        attempt: Attempt,
        by: Waiting<'_>,
        target: &[u8],
    ) {
        let now = Instant::now();
        let hash = self.hasher.hash_one((attempt.operation, attempt.layer, target));
        let slot = hash as usize % UNSHOWN;
        if self.unshown[slot].hash == hash {
            self.unshown[slot].again(now);
            self.due.get_or_insert(now + INTERVAL);
            return;
        }
        self.tell_unshown(control, slot);
        self.unshown[slot] = Known { hash, untold: 0, last: now };
        let tid = by.1.tid;
        let pid = procfs::process_of(tid).unwrap_or(tid);
        let _ = wire::send_report(control, Report::Unshown { slot: slot as u32, attempt, pid, tid, target });
        self.tell_place(control, by);
    }

    fn tell_unshown(&mut self, control: BorrowedFd<'_>, slot: usize) {
        let known = &mut self.unshown[slot];
        if known.untold > 0 {
            let (slot, times, ago) = (slot as u32, known.untold, known.last.elapsed());
            let _ = wire::send_report(control, Report::UnshownAgain { slot, times, ago });
            known.untold = 0;
        }
    }

    /// Tells by which program, and where in the script, what was told last was tried.
    fn tell_place(&self, control: BorrowedFd<'_>, (listener, call): Waiting<'_>) {
        let mut program = [0; PATH_MAX];
        let program = procfs::program_of(call.tid, &mut program);
        let place = self.place(call.tid);
        if still_waiting(listener, call).is_err() {
            // It may have been another's of the same number.
            return;
        }
        if let Some(path) = program {
            let _ = wire::send_report(control, Report::Program { path });
        }
        if let Some(place) = place {
            self.say(control, &place);
        }
    }

    /// Tells where in the script what was told last was tried.
    pub(crate) fn say(&self, control: BorrowedFd<'_>, place: &Place) {
        let (line, script_line) = (place.line, place.script_line.unwrap_or(0));
        let file = place.file().unwrap_or_default();
        let _ = wire::send_report(control, Report::Place { line, script_line, file });
    }

    /// Where in the script a thread is that waits.
    pub(crate) fn place(&self, tid: u32) -> Option<Place> {
        self.frames.place(tid)
    }

    /// How long until [`Refusals::tell`] has something to say.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Tells what was counted since, once it is time.
    pub(crate) fn tell(&mut self, control: BorrowedFd<'_>) {
        if self.due.is_some_and(|due| Instant::now() >= due) {
            self.tell_all(control);
        }
    }

    /// Tells what was counted since.
    pub(crate) fn tell_all(&mut self, control: BorrowedFd<'_>) {
        self.due = None;
        for (slot, known) in self.known.iter_mut().enumerate().filter(|(_, known)| known.untold > 0) {
            let ago = known.last.elapsed();
            let _ = wire::send_report(
                control,
                Report::DeniedAgain { slot: slot as u32, times: known.untold, ago },
            );
            known.untold = 0;
        }
        for slot in 0..UNSHOWN {
            self.tell_unshown(control, slot);
        }
        if self.beyond > 0 {
            let _ = wire::send_report(control, Report::DeniedBeyond { times: self.beyond });
            self.beyond = 0;
        }
    }
}

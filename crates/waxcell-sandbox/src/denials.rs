//! The refused operations of a run, as the supervisor hears of them from its init.

use std::collections::HashMap;
use std::time::Duration;

use waxcell_operations::Operation;

use crate::ending::{Denial, Place};
use crate::wire::{Attempt, Report};

/// Distinct targets of what is not shown that are kept by name.
const KEPT: usize = 256;

/// Whether an attempt on a path that the run does not show counts: something is there on the host, and no program looks
/// for it by habit.
pub type Counts<'a> = &'a dyn Fn(Operation, &[u8]) -> bool;

/// What was refused so far.
pub(crate) struct Denials<'a> {
    counts: Counts<'a>,
    list: Vec<Denial>,
    /// Positions in the list, in the order in which refusals are numbered.
    refused: Vec<usize>,
    /// What the places of the init's memory for what is not shown stand for.
    slots: HashMap<u32, Slot>,
    /// Positions in the list of what is not shown.
    unshown: HashMap<(Operation, Vec<u8>), usize>,
    beyond: u64,
    /// What was told last: what comes next says more of it. `None` if it is not kept.
    last: Option<usize>,
}

enum Slot {
    /// Nothing to speak of.
    Nothing,
    Position(usize),
    Beyond,
}

impl<'a> Denials<'a> {
    pub(crate) fn new(counts: Counts<'a>) -> Denials<'a> {
        Denials {
            counts,
            list: Vec::new(),
            refused: Vec::new(),
            slots: HashMap::new(),
            unshown: HashMap::new(),
            beyond: 0,
            last: None,
        }
    }

    /// Takes a report of a refusal that came so long after the start.
    pub(crate) fn hear(&mut self, report: Report<'_>, now: Duration) {
        match report {
            Report::Denied { attempt, pid, tid, target } => {
                self.refused.push(self.list.len());
                self.last = Some(self.list.len());
                self.list.push(denial(attempt, pid, tid, target, now));
            }
            Report::Program { path } => {
                if let Some(position) = self.last {
                    self.list[position].program.get_or_insert_with(|| path.to_vec());
                }
            }
            Report::Place { line, script_line, file } => {
                if let Some(position) = self.last {
                    self.list[position].place.get_or_insert_with(|| Place {
                        file: Some(file.to_vec()).filter(|file| !file.is_empty()),
                        line,
                        script_line: Some(script_line).filter(|line| *line != 0),
                    });
                }
            }
            Report::DeniedAgain { slot, times, ago } => {
                if let Some(position) = self.refused.get(slot as usize) {
                    again(&mut self.list[*position], times, now, ago);
                }
            }
            Report::DeniedBeyond { times } => self.beyond += times,
            Report::Unshown { slot, attempt, pid, tid, target } => {
                let slot_is = match (self.counts)(attempt.operation, target) {
                    true => self.keep(attempt, pid, tid, target, now),
                    false => Slot::Nothing,
                };
                self.last = match slot_is {
                    Slot::Position(position) => Some(position),
                    Slot::Nothing | Slot::Beyond => None,
                };
                self.slots.insert(slot, slot_is);
            }
            Report::UnshownAgain { slot, times, ago } => match self.slots.get(&slot) {
                Some(Slot::Position(position)) => again(&mut self.list[*position], times, now, ago),
                Some(Slot::Beyond) => self.beyond += times,
                Some(Slot::Nothing) | None => {}
            },
            _ => {}
        }
    }

    fn keep(&mut self, attempt: Attempt, pid: u32, tid: u32, target: &[u8], now: Duration) -> Slot {
        let key = (attempt.operation, target.to_vec());
        if let Some(position) = self.unshown.get(&key) {
            again(&mut self.list[*position], 1, now, Duration::ZERO);
            return Slot::Position(*position);
        }
        if self.unshown.len() == KEPT {
            self.beyond += 1;
            return Slot::Beyond;
        }
        self.unshown.insert(key, self.list.len());
        self.list.push(denial(attempt, pid, tid, target, now));
        Slot::Position(self.list.len() - 1)
    }

    /// All of them, in order of first sight, and how many there were on targets that are not among them.
    pub(crate) fn into_list(self) -> (Vec<Denial>, u64) {
        (self.list, self.beyond)
    }
}

fn denial(attempt: Attempt, pid: u32, tid: u32, target: &[u8], now: Duration) -> Denial {
    let Attempt { operation, layer, errno } = attempt;
    Denial {
        operation,
        target: target.to_vec(),
        layer,
        errno: errno.raw_os_error(),
        count: 1,
        first: now,
        last: now,
        // No process has the number 0.
        pid: Some(pid).filter(|pid| *pid != 0),
        tid: Some(tid).filter(|tid| *tid != 0),
        program: None,
        place: None,
    }
}

fn again(denial: &mut Denial, times: u64, now: Duration, ago: Duration) {
    denial.count += times;
    // The first was dated when it was heard of, which may be later than it was.
    denial.last = now.saturating_sub(ago).max(denial.first);
}

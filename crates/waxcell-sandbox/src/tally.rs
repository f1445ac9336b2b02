//! What the processes of a run have used of the processors, process by process, where no group counts for the whole.
//!
//! The kernel adds what a child has used to its parent when the parent waits for it, and forgets it if nobody does. So
//! each process is remembered with the most it was seen to have used, or said when it left.

use std::collections::HashMap;
use std::time::Duration;

use crate::procfs::Spent;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    known: HashMap<(u32, u64), Known>,
    gone: Duration,
}

#[derive(Debug)]
struct Known {
    own: Duration,
    seen: bool,
    /// It was not there at the last look. Its last words may still be under way, so it is kept for one more.
    missed: bool,
}

impl Tally {
    /// One process as it is now.
    pub(crate) fn see(&mut self, spent: Spent) {
        let known = self.known.entry((spent.pid, spent.start)).or_insert(Known {
            own: Duration::ZERO,
            seen: true,
            missed: false,
        });
        known.own = known.own.max(spent.own);
        known.seen = true;
    }

    /// After a look at all processes: who has not been seen is gone.
    pub(crate) fn fold(&mut self) {
        let gone = &mut self.gone;
        self.known.retain(|_, known| {
            let keep = known.seen || !known.missed;
            if !keep {
                *gone += known.own;
            }
            known.missed = !known.seen;
            known.seen = false;
            keep
        });
    }

    pub(crate) fn total(&self) -> Duration {
        self.gone + self.known.values().map(|known| known.own).sum::<Duration>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(pid: u32, start: u64, ms: u64) -> Spent {
        Spent { pid, start, own: Duration::from_millis(ms) }
    }

    #[test]
    fn what_was_used_stays_used() {
        let mut tally = Tally::default();
        tally.see(spent(2, 1, 10));
        tally.see(spent(3, 1, 20));
        tally.fold();
        tally.see(spent(2, 1, 15));
        // Last words that come after the process was seen to be gone count once.
        tally.fold();
        tally.see(spent(3, 1, 25));
        assert_eq!(tally.total(), Duration::from_millis(40));
        for _ in 0..3 {
            tally.fold();
            assert_eq!(tally.total(), Duration::from_millis(40));
        }
        // Another process of the same number is another process.
        tally.see(spent(3, 2, 5));
        assert_eq!(tally.total(), Duration::from_millis(45));
    }
}

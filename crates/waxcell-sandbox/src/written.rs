//! What the processes of a run have caused to be written to storage, process by process (`proc_pid_io(5)`).
//!
//! The kernel adds what a child has written to its parent when the parent waits for it, and forgets it if nobody does. So each
//! process is remembered with the most it was seen to have written, or said when it left; and when it is gone, its parent may
//! grow by as much without having written anything.
//!
//! Not seen is what a process wrote between the last look and a signal that ended it, if nobody waited for it; and a
//! parent that has not waited for a child can itself write as much as that one was seen to without being counted.

use std::collections::HashMap;

use crate::procfs::Wrote;

#[derive(Debug, Default)]
pub(crate) struct Written {
    known: HashMap<(u32, u64), Known>,
    total: u64,
}

#[derive(Debug, Default)]
struct Known {
    parent: u32,
    /// With that of children that were waited for.
    bytes: u64,
    /// How much of it may have gone to the parent.
    handed_on: u64,
    /// What children handed on, as far as it has not come here yet.
    to_come: u64,
    seen: bool,
    /// It was not there at the last look. Its last words may still be under way, so it is kept for one more.
    missed: bool,
}

impl Written {
    /// All processes as they are now.
    pub(crate) fn look(&mut self, all: &[Wrote]) {
        for wrote in all {
            let known = self.known.entry((wrote.pid, wrote.start)).or_default();
            known.parent = wrote.parent;
            known.seen = true;
        }
        // Who has not been seen is gone, and its parent may have waited for it by now.
        let gone = self.known.iter_mut().filter(|(_, known)| !known.seen);
        let gone: Vec<_> = gone.map(|(_, known)| known.hand_on()).collect();
        gone.into_iter().for_each(|(parent, bytes)| self.expect(parent, bytes));
        all.iter().for_each(|wrote| self.see(*wrote));
        self.known.retain(|_, known| {
            let keep = known.seen || !known.missed;
            known.missed = !known.seen;
            known.seen = false;
            keep
        });
    }

    /// What a process says when it leaves.
    pub(crate) fn leaves(&mut self, wrote: Wrote) {
        let known = self.known.entry((wrote.pid, wrote.start)).or_default();
        known.parent = wrote.parent;
        self.see(wrote);
        let handed_on = self.known.get_mut(&(wrote.pid, wrote.start)).map(Known::hand_on);
        if let Some((parent, bytes)) = handed_on {
            self.expect(parent, bytes);
        }
    }

    fn see(&mut self, wrote: Wrote) {
        let Some(known) = self.known.get_mut(&(wrote.pid, wrote.start)) else { return };
        let grown = wrote.bytes.saturating_sub(known.bytes);
        let of_children = grown.min(known.to_come);
        known.to_come -= of_children;
        known.bytes += grown;
        self.total += grown - of_children;
    }

    /// A process may be about to get what a child of its has written.
    fn expect(&mut self, parent: u32, bytes: u64) {
        let parents = self.known.iter_mut().filter(|((pid, _), _)| *pid == parent);
        parents.for_each(|(_, known)| known.to_come += bytes);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

impl Known {
    /// Who may get what has not been handed on yet, and how much that is.
    fn hand_on(&mut self) -> (u32, u64) {
        let bytes = self.bytes - self.handed_on;
        self.handed_on = self.bytes;
        (self.parent, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote((pid, parent, bytes): (u32, u32, u64)) -> Wrote {
        Wrote { pid, start: 7, parent, bytes }
    }

    fn look(written: &mut Written, all: &[(u32, u32, u64)]) {
        written.look(&all.iter().copied().map(wrote).collect::<Vec<_>>());
    }

    /// The total after looks at these processes: number, parent, bytes.
    fn total(looks: &[&[(u32, u32, u64)]]) -> u64 {
        let mut written = Written::default();
        looks.iter().for_each(|all| look(&mut written, all));
        written.total()
    }

    #[test]
    fn what_a_child_has_written_counts_once_whoever_gets_it() {
        // Waited for, before the look and between the two halves of it.
        assert_eq!(total(&[&[(2, 1, 10), (3, 2, 20)], &[(2, 1, 35)]]), 35);
        assert_eq!(total(&[&[(2, 1, 10), (3, 2, 20)], &[(2, 1, 10)], &[(2, 1, 35)]]), 35);
        // Nobody waits: forgotten by the kernel, and not here.
        assert_eq!(total(&[&[(2, 1, 10), (3, 2, 20)], &[(2, 1, 10), (4, 2, 20)], &[(2, 1, 10)]]), 50);
        // Its parent goes first, and the init gets it.
        assert_eq!(total(&[&[(2, 1, 10), (3, 2, 20)], &[(3, 1, 25)], &[], &[]]), 35);
    }

    #[test]
    fn last_words_count_once_as_well() {
        let mut written = Written::default();
        look(&mut written, &[(2, 1, 10), (3, 2, 20)]);
        // Between two looks, one that was never seen; its parent has waited for it at the next.
        written.leaves(wrote((4, 2, 5)));
        look(&mut written, &[(2, 1, 15), (3, 2, 20)]);
        assert_eq!(written.total(), 35);
        // What it said when it left comes after it was seen to be gone, and then to its parent.
        look(&mut written, &[(2, 1, 15)]);
        written.leaves(wrote((3, 2, 25)));
        look(&mut written, &[(2, 1, 40)]);
        assert_eq!(written.total(), 40);
        // What it writes itself counts again.
        look(&mut written, &[(2, 1, 41)]);
        assert_eq!(written.total(), 41);
    }
}

//! Init and lookout on one processor, as long as one does nothing but wait for the other: to wake somebody on another
//! processor that sleeps takes ten times as long as the answer.

use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// This thread stays on one processor until this is dropped.
pub(crate) struct Bound {
    before: CpuSet,
    pub(super) processor: usize,
}

impl Bound {
    /// To the processor that this thread is on.
    pub(super) fn here() -> Result<Bound, Errno> {
        Bound::to(sched_getcpu())
    }

    /// An error also where there are more processors than can be named.
    pub(super) fn to(processor: usize) -> Result<Bound, Errno> {
        if processor >= CpuSet::MAX_CPU {
            return Err(Errno::INVAL);
        }
        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set(processor);
        sched_setaffinity(None, &one)?;
        Ok(Bound { before, processor })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Those are the ones that it had; where they are gone meanwhile, the kernel takes all that are left.
        let _ = sched_setaffinity(None, &self.before);
    }
}

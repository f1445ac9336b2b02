//! A process of ours beside a run: the lookout that serves its root, the way out of its network.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

/// One that runs, as its supervisor has it; ends with its value.
#[derive(Debug)]
pub(crate) struct Beside(OwnedFd);

impl Beside {
    pub(crate) fn new(pidfd: OwnedFd) -> Beside {
        Beside(pidfd)
    }

    /// Ends it, and with it all waiting for it.
    pub(crate) fn end(&self) {
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }

    /// What becomes readable with its end.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.end();
        let _ = waitid(WaitId::PidFd(self.pidfd()), WaitIdOptions::EXITED);
    }
}

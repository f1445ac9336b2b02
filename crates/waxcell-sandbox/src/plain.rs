//! What is different for a run on a host that lets nobody make namespaces (decision 0015).
//!
//! The init is an ordinary process then, and its end is not the kernel's end of everybody else. So the init adopts
//! whoever loses its parent ([`adopt`]), kills below itself until it has no child left, and does the same when the
//! supervisor is gone. The script's process dies with the init ([`die_with`]); and should somebody kill the init all
//! the same, what is left of the run falls to the supervisor ([`end`]), which adopts as well.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::Shutdown;
use rustix::process::{self, Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

use crate::members::{Members, number};
use crate::sys::{self, Fork};

/// How long the init has to end a run by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes this process the parent of everybody below it who loses its own.
pub(crate) fn adopt() -> Result<(), Errno> {
    process::set_child_subreaper(Some(process::getpid()))
}

/// Forks the init. By `clone`: filters of containers hide `clone3`.
pub(crate) fn fork() -> Result<Fork, Errno> {
    adopt()?;
    sys::fork_by_clone(0)
}

/// Forks the script's process from the init.
pub(crate) fn fork_script(is_plain: bool) -> Result<Fork, Errno> {
    if is_plain { sys::fork_by_clone(0) } else { sys::fork(0, None) }
}

/// Lets the kernel kill this process when the init is gone.
pub(crate) fn die_with(init: Pid) -> Result<(), Errno> {
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have gone just before.
    if process::getppid() == Some(init) { Ok(()) } else { Err(Errno::SRCH) }
}

/// In the init: kills below itself until it is alone. Nobody can be born meanwhile but by a call that was let go on
/// before: a filter waits for an answer to each, and there is none any more.
pub(crate) fn end_below(members: Members) {
    loop {
        members.kill_others();
        loop {
            match process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break,
                // Not a single child: whoever is below has a chain of parents up to here.
                Err(_) => return,
            }
        }
        pause(Duration::from_millis(1));
    }
}

/// In the supervisor: ends a run whose init is process `init`, and returns when nobody of it is alive.
pub(crate) fn end(control: BorrowedFd<'_>, init: BorrowedFd<'_>, number: u32) {
    // The init takes this for the supervisor's own end.
    let _ = rustix::net::shutdown(control, Shutdown::Both);
    if !has_ended(init, PATIENCE) {
        // Stopped, or out of its mind. What is below it first: without it they would be somebody else's.
        let members = Members::Below(number);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && members.each_here(&mut |_, _| {}).is_ok_and(|count| count > 1) {
            members.kill_others();
            pause(Duration::from_millis(5));
        }
    }
    let _ = process::pidfd_send_signal(init, Signal::KILL);
    let ended = process::waitid(WaitId::PidFd(init), WaitIdOptions::EXITED);
    if ended.is_ok_and(|ended| ended.is_some_and(|status| status.killed())) {
        // Somebody has killed it, and its children are ours now.
        end_orphans();
    }
}

fn has_ended(init: BorrowedFd<'_>, longest: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(init, PollFlags::IN)];
    let timeout = Timespec { tv_sec: longest.as_secs() as i64, tv_nsec: longest.subsec_nanos().into() };
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// Kills whoever is this process's child under one filter more than itself: a run's, left by its init. Other children,
/// the inits of other runs among them, are under as many as it is.
fn end_orphans() {
    let filters = |pid: u32| -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"))?.trim().parse().ok()
    };
    let own = std::process::id();
    let (Some(ours), until) = (filters(own), Instant::now() + PATIENCE) else { return };
    let family = Members::Below(own);
    while Instant::now() < until {
        let mut left = Vec::new();
        let _ = family.each_here(&mut |_, name| {
            left.extend(number(name).filter(|pid| filters(*pid).is_some_and(|count| count > ours)));
        });
        if left.is_empty() {
            return;
        }
        for pid in left {
            let _ = family.signal(pid, libc::SIGKILL);
            if let Some(pid) = Pid::from_raw(pid as i32) {
                // Only a child can be waited for; the others are once they have become one.
                let _ = process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
            }
        }
        pause(Duration::from_millis(1));
    }
}

fn pause(time: Duration) {
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() }));
}

//! The process itself, from its fork to its end.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid};
use rustix::stdio;
use rustix::thread::{self, CapabilitySet};

use super::{ALL, DATAGRAMS, Handed, STREAMS};
use crate::handover;
use crate::landlock;
use crate::seccomp;
use crate::stage;
use crate::sys::{self, SignalSet};

/// What it needs.
pub(super) struct Process {
    pub(super) line: OwnedFd,
    pub(super) reports: UnixStream,
    /// Whom it becomes: the run's own user on the host, where that is not the caller.
    pub(super) change_to: Option<(u32, u32)>,
    pub(super) open_files: u64,
}

impl Process {
    pub(super) fn run(self, serve: &dyn Fn(Handed) -> bool) -> ! {
        let handed = match self.confine().and_then(|()| self.take()) {
            Ok(handed) => handed,
            Err(errno) => sys::exit(errno.raw_os_error()),
        };
        // Whatever happens in there must not come out into what was the supervisor's.
        let is_well = catch_unwind(AssertUnwindSafe(|| serve(handed))).unwrap_or(false);
        sys::exit(if is_well { 0 } else { Errno::PIPE.raw_os_error() })
    }

    /// Leaves itself nothing but what is handed over, and sockets of its own.
    fn confine(&self) -> Result<(), Errno> {
        SignalSet::all().set();
        // Nothing that goes wrong here is the caller's to read, nor may a socket take such a number.
        let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        stdio::dup2_stdin(&null)?;
        stdio::dup2_stdout(&null)?;
        stdio::dup2_stderr(&null)?;
        drop(null);
        let mut keep = [self.line.as_raw_fd(), self.reports.as_raw_fd()];
        keep.sort_unstable();
        sys::close_all_but(&keep)?;
        self.allow_files()?;
        if let Some((uid, gid)) = self.change_to {
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            thread::set_thread_groups(&[])?;
            thread::set_thread_res_gid(gid, gid, gid)?;
            thread::set_thread_res_uid(uid, uid, uid)?;
        }
        // After the change, which takes it back.
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        stage::capabilities(CapabilitySet::empty())?;
        thread::set_no_new_privs(true)?;
        landlock::take_everything(landlock::abi())?;
        sys::install_filter(&seccomp::egress(), false).map(drop)
    }

    /// As many files as it needs, or as many as it can have: it finds out itself whether that is enough.
    fn allow_files(&self) -> Result<(), Errno> {
        let wanted = Some(self.open_files);
        match process::setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: wanted }) {
            // Only root's hard limit goes up.
            Err(Errno::PERM) => {
                let maximum = process::getrlimit(Resource::Nofile).maximum;
                process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
            }
            other => other,
        }
    }

    /// Takes what the init hands over, and says so.
    fn take(self) -> Result<Handed, Errno> {
        let Process { line, reports, .. } = self;
        let mut handed =
            Handed { resolver_datagrams: Vec::new(), resolver_streams: Vec::new(), line, reports };
        loop {
            match handover::receive_as(handed.line.as_fd())? {
                (DATAGRAMS, Some(socket)) => handed.resolver_datagrams.push(socket),
                (STREAMS, Some(socket)) => handed.resolver_streams.push(socket),
                (ALL, None) => break,
                _ => return Err(Errno::BADMSG),
            }
        }
        rustix::io::write(&handed.reports, b"\n")?;
        Ok(handed)
    }
}

//! The process beside a run that is the way out of its network: it is in the host's network, has sockets of the run's, and
//! does between them what the plan says ([`Serve`]).
//!
//! What it does reads every byte of a script and of servers, so the kernel leaves it nothing but sockets: no files, no
//! capabilities, no other process, no way to listen. A fork of the supervisor, made by the C library, because it allocates; one
//! that executes its program anew where that can be ([`anew`]), and so has nothing of the supervisor's memory.

mod anew;
mod process;

use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::beside::Beside;
use crate::plan::{Egress, Plan};
use crate::sys::{self, Fork};

pub use anew::serve_if_asked;
use process::Process;

/// What the init hands over, by its first byte: datagrams and streams of a resolver; that this was all.
pub(crate) const DATAGRAMS: u8 = b'd';
pub(crate) const STREAMS: u8 = b's';
pub(crate) const ALL: u8 = b'a';

/// The longest line.
const LINE_MAX: usize = 64 * 1024;
/// How much is read before others get their turn.
const READS_AT_ONCE: usize = 16;
/// How long the process has to confine itself once the init has handed over its sockets.
const BEGINNING: Duration = Duration::from_secs(10);
/// How long it has to tell the rest when the run is over.
const LAST: Duration = Duration::from_secs(3);

/// What the process has of the run.
#[derive(Debug)]
pub struct Handed {
    /// Sockets on the addresses of the resolver, port 53.
    pub resolver_datagrams: Vec<OwnedFd>,
    /// The same, listening.
    pub resolver_streams: Vec<OwnedFd>,
    /// What the init says while the run goes on, over `SOCK_SEQPACKET`; nobody hears an answer. `l` with a descriptor: a
    /// listening socket of the run's network, mostly on the unspecified address of its family. `c`, 16 bytes of an address (of
    /// version 4: mapped), 2 of a port, both as on the network, and a place in the code of the plan, `FILE:LINE` or
    /// `FILE:LINE:LINE OF THE SCRIPT`, without a file where it is the script, empty where it is not known: somebody is about
    /// to connect there, or to send there. At its end nobody of the run is left.
    pub line: OwnedFd,
    /// Lines for the supervisor, of 64 KiB at most. Its end says that the run is over.
    pub reports: UnixStream,
}

/// What a process beside a run does until the run is over; whether it did it well.
///
/// It is called in a process of its own with one thread, which may open no files and begin no other processes.
#[derive(Clone)]
pub struct Serve {
    serve: Arc<dyn Fn(Handed) -> bool + Send + Sync>,
    order: Option<Arc<[u8]>>,
}

impl Serve {
    /// What is to be done, by a fork of this process.
    pub fn new(serve: impl Fn(Handed) -> bool + Send + Sync + 'static) -> Serve {
        Serve { serve: Arc::new(serve), order: None }
    }

    /// The same by this program, executed anew, if it begins with [`serve_if_asked`]: then the process has nothing of this one's
    /// memory, and the function there gets the order.
    #[must_use]
    pub fn or_anew(self, order: Vec<u8>) -> Serve {
        Serve { order: Some(order.into()), ..self }
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serve")
    }
}

/// The same if it is one and the same: what it does cannot be compared.
impl PartialEq for Serve {
    fn eq(&self, other: &Serve) -> bool {
        Arc::ptr_eq(&self.serve, &other.serve)
    }
}

/// The process, as its supervisor has it.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) pid: i32,
    process: Beside,
    reports: UnixStream,
    /// The beginning of a line.
    begun: Vec<u8>,
    is_lost: bool,
}

/// Starts the process for a run that is still to be built; returns it and the init's end of the line.
pub(crate) fn post(plan: &Plan, egress: &Egress) -> Result<(Posted, OwnedFd), Errno> {
    let (ours, theirs) = UnixStream::pair().map_err(errno_of)?;
    let kind = SocketType::SEQPACKET;
    let (init, line) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    let id = &plan.identity;
    let process = Process {
        line,
        reports: theirs,
        change_to: (rustix::process::geteuid().as_raw() != id.host_uid).then_some((id.host_uid, id.host_gid)),
        open_files: egress.open_files,
    };
    let anew =
        egress.serve.order.as_deref().map(|order| anew::prepare(&process, order)).transpose()?.flatten();
    let serve = egress.serve.serve.clone();
    match sys::fork_by_library()? {
        Fork::Child => match anew {
            Some(anew) => anew.begin(&process),
            None => process.run(&*serve),
        },
        Fork::Parent { pid, pidfd } => {
            let process = Beside::new(pidfd);
            Ok((Posted { pid, process, reports: ours, begun: Vec::new(), is_lost: false }, init))
        }
    }
}

impl Posted {
    /// Waits until it is confined and has what the init hands over.
    pub(crate) fn begun(&mut self) -> Result<(), Errno> {
        self.reports.set_read_timeout(Some(BEGINNING)).map_err(errno_of)?;
        match self.reports.read_exact(&mut [0]) {
            Ok(()) => self.reports.set_nonblocking(true).map_err(errno_of),
            // It says why with its end.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.end(Instant::now() + LAST).and(Err(Errno::PIPE))
            }
            Err(error) => Err(errno_of(error)),
        }
    }

    /// What to wait for.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_lost).then(|| self.reports.as_fd())
    }

    /// Takes the lines that are there, without waiting. An error if no more come, which is for the supervisor to say.
    pub(crate) fn hear(&mut self, lines: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        for _ in 0..READS_AT_ONCE {
            match self.read(lines) {
                Ok(true) => {}
                Ok(false) => return Err(self.lost(Errno::PIPE)),
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(self.lost(errno)),
            }
        }
        Ok(())
    }

    /// Says that the run is over, and takes the rest. An error unless it ends well within its time.
    pub(crate) fn finish(&mut self, lines: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        if self.is_lost {
            // It was told.
            return Ok(());
        }
        let until = Instant::now() + LAST;
        self.reports.shutdown(Shutdown::Write).map_err(errno_of)?;
        loop {
            match self.read(lines) {
                Ok(true) => {}
                Ok(false) => break,
                Err(Errno::AGAIN) => wait(self.reports.as_fd(), until)?,
                Err(errno) => return Err(errno),
            }
        }
        self.end(until)
    }

    /// Waits for its end, and says how it was.
    fn end(&self, until: Instant) -> Result<(), Errno> {
        wait(self.process.pidfd(), until)?;
        let status = waitid(WaitId::PidFd(self.process.pidfd()), WaitIdOptions::EXITED)?;
        match status.and_then(|status| status.exit_status()) {
            Some(0) => Ok(()),
            Some(errno) => Err(Errno::from_raw_os_error(errno)),
            None => Err(Errno::PIPE),
        }
    }

    fn lost(&mut self, errno: Errno) -> Errno {
        self.is_lost = true;
        errno
    }

    /// Reads once, and gives whole lines on; whether there may be more.
    fn read(&mut self, lines: &mut dyn FnMut(&[u8])) -> Result<bool, Errno> {
        let mut buffer = [0u8; 16 * 1024];
        let read = match rustix::io::read(&self.reports, &mut buffer) {
            Err(Errno::INTR) => return Ok(true),
            // Its end is gone, and something that nobody has read with it.
            Err(Errno::CONNRESET) => 0,
            other => other?,
        };
        let mut rest = &buffer[..read];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(&rest[..end]);
            lines(&self.begun);
            self.begun.clear();
            rest = &rest[end + 1..];
        }
        self.begun.extend_from_slice(rest);
        if self.begun.len() > LINE_MAX { Err(Errno::MSGSIZE) } else { Ok(read > 0) }
    }
}

/// Waits until there is something to read, until then at most.
fn wait(fd: BorrowedFd<'_>, until: Instant) -> Result<(), Errno> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    match poll(&mut fds, Some(&left)) {
        Ok(0) => Err(Errno::TIMEDOUT),
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn errno_of(error: std::io::Error) -> Errno {
    match error.kind() {
        ErrorKind::WouldBlock => Errno::TIMEDOUT,
        _ => Errno::from_io_error(&error).unwrap_or(Errno::IO),
    }
}

//! The script's output on its way to the caller: counted, shown to whoever listens, and never a reason to wait.
//!
//! The script writes into pipes (or, where the caller has a terminal, a pseudo-terminal of the same size), so that its
//! volume can be bounded and no descriptor of the caller's is in its hands. A slow reader slows the script down, as it
//! would without us, but not the supervisor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

/// Where a stream goes beside whoever listens.
#[derive(Debug)]
pub enum Destination {
    /// To a descriptor of the caller's.
    Descriptor(OwnedFd),
    /// Nowhere else.
    Captured,
}

/// Bytes that fit a pipe for sure once it is writable (`pipe(7)`, `PIPE_BUF`).
const PIPE_BUF: usize = 4096;
const CHUNK: usize = 64 * 1024;

/// One direction: from what the script holds to where the caller wants it.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) stream: Stream,
    source: Option<OwnedFd>,
    destination: Option<OwnedFd>,
    at_most: usize,
    /// Whether there is a reader who may go away.
    read_by_somebody: bool,
    waiting: Vec<u8>,
    sent: usize,
    /// Why what was written did not reach its destination, if that is nobody's wish.
    pub(crate) lost: Option<Errno>,
}

impl Relay {
    /// Makes the pair; returns the end for the script.
    pub(crate) fn new(stream: Stream, destination: Destination) -> io::Result<(Relay, OwnedFd)> {
        let destination = match destination {
            Destination::Descriptor(fd) => Some(fd),
            Destination::Captured => None,
        };
        let terminal = destination.as_ref().filter(|fd| rustix::termios::isatty(fd));
        let (source, end) = match terminal {
            Some(terminal) => pseudo_terminal(terminal.as_fd())?,
            None => rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?,
        };
        let read_by_somebody = terminal.is_some() || destination.as_ref().is_some_and(is_pipe_or_socket);
        rustix::io::ioctl_fionbio(&source, true)?;
        let regular = destination.as_ref().is_some_and(|fd| {
            rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
        });
        let at_most = if regular { CHUNK } else { PIPE_BUF };
        let relay = Relay {
            stream,
            source: Some(source),
            destination,
            at_most,
            read_by_somebody,
            waiting: Vec::new(),
            sent: 0,
            lost: None,
        };
        Ok((relay, end))
    }

    /// What to wait for: room at the destination while something is held back, else more from the script.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if self.waiting.is_empty() {
            return self.source.as_ref().map(|fd| (fd.as_fd(), PollFlags::IN));
        }
        self.destination.as_ref().map(|fd| (fd.as_fd(), PollFlags::OUT))
    }

    /// Moves what can be moved without waiting; shows each new piece to `tap`, which returns whether it may pass.
    pub(crate) fn turn(&mut self, tap: &mut dyn FnMut(Stream, &[u8]) -> usize) {
        if self.waiting.is_empty() {
            self.take(tap);
        }
        self.give();
    }

    fn take(&mut self, tap: &mut dyn FnMut(Stream, &[u8]) -> usize) {
        let Some(source) = &self.source else { return };
        let mut buffer = [0u8; CHUNK];
        match rustix::io::read(source, &mut buffer) {
            // A pseudo-terminal whose other end is closed says EIO instead of an end of file.
            Ok(0) | Err(Errno::IO) => self.source = None,
            Ok(read) => {
                let pass = tap(self.stream, &buffer[..read]);
                if self.destination.is_some() {
                    self.waiting.extend_from_slice(&buffer[..pass]);
                }
            }
            Err(_) => {}
        }
    }

    fn give(&mut self) {
        while self.sent < self.waiting.len() {
            let Some(destination) = &self.destination else { break };
            if !writable(destination.as_fd()) {
                return;
            }
            let end = self.waiting.len().min(self.sent + self.at_most);
            match rustix::io::write(destination, &self.waiting[self.sent..end]) {
                Ok(written) => self.sent += written,
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(errno) => {
                    // Nobody reads any more, or a disk is full: the script shall find out as it would without us. Of
                    // a reader it need not be told that what was on its way is gone.
                    if !self.read_by_somebody {
                        self.lost = Some(errno);
                    }
                    self.destination = None;
                    self.source = None;
                }
            }
        }
        self.waiting.clear();
        self.sent = 0;
    }

    /// The caller's terminal has another size: so has the script's.
    pub(crate) fn resize(&self) {
        if let (Some(source), Some(destination)) = (&self.source, &self.destination)
            && let Ok(size) = rustix::termios::tcgetwinsize(destination)
        {
            // Fails on a pipe, which has no size.
            let _ = rustix::termios::tcsetwinsize(source, size);
        }
    }

    /// After the run: everything that is still in the pipe, and then all that is held back. `interrupted` waits for the
    /// reader or for the caller's patience to end, and says whether it has.
    pub(crate) fn drain(
        &mut self,
        tap: &mut dyn FnMut(Stream, &[u8]) -> usize,
        interrupted: &mut dyn FnMut(BorrowedFd<'_>) -> bool,
    ) {
        loop {
            self.give();
            if !self.waiting.is_empty() {
                // The caller reads slowly; what the script has said is still owed to it.
                if self.destination.as_ref().is_some_and(|fd| interrupted(fd.as_fd())) {
                    self.destination = None;
                }
                continue;
            }
            let mut took = 0;
            self.take(&mut |stream, bytes| {
                took = bytes.len();
                tap(stream, bytes)
            });
            if took == 0 {
                return;
            }
        }
    }
}

fn is_pipe_or_socket(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd)
        .is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket))
}

fn writable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// A pseudo-terminal with the size and modes of the caller's terminal, but no output processing of its own: the
/// caller's terminal does that.
fn pseudo_terminal(terminal: BorrowedFd<'_>) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&master)?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    let mut modes = rustix::termios::tcgetattr(terminal)?;
    modes.output_modes.remove(rustix::termios::OutputModes::OPOST);
    rustix::termios::tcsetattr(&slave, OptionalActions::Now, &modes)?;
    rustix::termios::tcsetwinsize(&slave, rustix::termios::tcgetwinsize(terminal)?)?;
    Ok((master, slave))
}

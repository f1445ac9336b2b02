//! A process of ours that only calculates: a question in, an answer out, nothing else. For work on bytes of a stranger, whose
//! mistakes (memory without end, a stack too deep, code that was led astray) are to be the end of that process and of nothing more.
//!
//! It executes its program anew where that can be ([`work_if_asked`]), and so has nothing of the caller's memory; else it is a
//! fork. Before it reads the first byte it has taken from itself what it does not need, and has read back that it is so; of
//! system calls it keeps those for memory, for its one socket, and for its end ([`crate::seccomp`]). Any other kills it.

mod process;

use std::ffi::{CString, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::beside::Beside;
use crate::sys::{self, CStrArray, Fork};
use process::Process;

/// How the program is called then; also in lists of processes.
const NAME: &str = "waxcell-worker";

/// The longest question, in bytes.
const LONGEST_QUESTION: usize = 32 << 20;
/// The longest answer, in bytes.
const LONGEST_ANSWER: usize = 128 << 20;
/// How long a process has to end that has closed its socket.
const ENDING: Duration = Duration::from_secs(3);

/// Whether this program begins as such a process does.
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

/// What a worker does: the answer to a question. It is asked once before the process is confined, with an empty question, so
/// that whatever has to be made ready is.
pub type Work = fn(&[u8]) -> Vec<u8>;

/// What a worker may use, in all its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Bytes of address space.
    pub memory: u64,
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Bytes of stack.
    pub stack: u64,
}

/// Why there is no answer. The process has ended, or does when its [`Worker`] is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEnd {
    /// It could not be started, or not be confined.
    NotBegun(Errno),
    /// A signal ended it.
    Signal(i32),
    /// It left.
    Exit(i32),
    /// It took longer than this.
    Late(Duration),
    /// What it said, or was to be asked, is longer than anything that makes sense.
    TooLong,
    /// It could not be talked to.
    Socket(Errno),
}

impl fmt::Display for WorkerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerEnd::NotBegun(errno) => write!(f, "could not begin: {errno}"),
            WorkerEnd::Signal(signal) => match meaning(*signal) {
                Some(meaning) => write!(f, "ended with signal {signal} ({meaning})"),
                None => write!(f, "ended with signal {signal}"),
            },
            WorkerEnd::Exit(code) => write!(f, "ended with exit code {code}"),
            WorkerEnd::Late(after) => write!(f, "was not done after {} s", after.as_secs_f64()),
            WorkerEnd::TooLong => f.write_str("said more than makes sense"),
            WorkerEnd::Socket(errno) => write!(f, "could not be talked to: {errno}"),
        }
    }
}

impl std::error::Error for WorkerEnd {}

/// What a signal says about a process that only calculates.
fn meaning(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGABRT => "aborted, as where memory or stack is used up",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "arithmetic error",
        libc::SIGILL => "illegal instruction",
        libc::SIGKILL => "killed",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGSYS => "a system call that it may not make",
        libc::SIGTERM => "terminated",
        libc::SIGXCPU => "processor time used up",
        _ => return None,
    })
}

/// To be called first in `main` of a program that asks workers, with its arguments: if it was executed to be one, that is what it
/// is from here on, and this does not return. Otherwise [`Worker::start`] knows that it can be.
pub fn work_if_asked(arguments: impl Iterator<Item = OsString>, work: Work) {
    let mut arguments = arguments;
    if arguments.next().is_none_or(|name| name != NAME) {
        return IS_KNOWN.store(true, Ordering::Relaxed);
    }
    // For whoever looks at a list of processes: else it would be the last part of `/proc/self/exe`.
    let _ = rustix::thread::set_name(c"waxcell-worker");
    let number = |argument: OsString| argument.to_str().and_then(|text| text.parse::<u64>().ok());
    let numbers: Vec<Option<u64>> = arguments.map(number).collect();
    let [Some(memory), Some(cpu_seconds), Some(stack)] = numbers[..] else {
        sys::exit(Errno::INVAL.raw_os_error());
    };
    Process { limits: WorkerLimits { memory, cpu_seconds, stack } }.run(work)
}

/// A worker, as whoever asks it has it. It ends with this value, and with the thread that started it.
#[derive(Debug)]
pub struct Worker {
    process: Beside,
    socket: UnixStream,
    is_confined: bool,
}

impl Worker {
    /// Starts one; it gets ready beside.
    ///
    /// # Errors
    ///
    /// When there can be no other process. What goes wrong in it, its first answer tells.
    pub fn start(limits: WorkerLimits, work: Work) -> Result<Worker, WorkerEnd> {
        Worker::begin(limits, work).map_err(WorkerEnd::NotBegun)
    }

    fn begin(limits: WorkerLimits, work: Work) -> Result<Worker, Errno> {
        let (socket, theirs) = UnixStream::pair().map_err(errno_of)?;
        socket.set_nonblocking(true).map_err(errno_of)?;
        let words = [NAME.to_owned()].into_iter().chain(limits.numbers().map(|number| number.to_string()));
        let words = words.map(CString::new).collect::<Result<_, _>>().map_err(|_| Errno::INVAL)?;
        let (arguments, environment) = (CStrArray::new(words), CStrArray::new(Vec::new()));
        let is_known = IS_KNOWN.load(Ordering::Relaxed);
        match sys::fork_by_library()? {
            Fork::Child => {
                let errno = match process::take_streams(&theirs) {
                    Ok(()) if is_known => sys::execve(c"/proc/self/exe", &arguments, &environment),
                    Ok(()) => Process { limits }.run(work),
                    Err(errno) => errno,
                };
                sys::exit(errno.raw_os_error())
            }
            Fork::Parent { pidfd, .. } => {
                Ok(Worker { process: Beside::new(pidfd), socket, is_confined: false })
            }
        }
    }

    /// Asks, in pieces that make one question, and waits for the answer for so long.
    ///
    /// # Errors
    ///
    /// When there is none. Then there is none to any other question either.
    pub fn ask(&mut self, question: &[&[u8]], patience: Duration) -> Result<Vec<u8>, WorkerEnd> {
        let until = Until { at: Instant::now() + patience, patience };
        if !self.is_confined {
            let mut ready = [0];
            self.read(&mut ready, until)?;
            self.is_confined = true;
        }
        let length: usize = question.iter().map(|piece| piece.len()).sum();
        if length > LONGEST_QUESTION {
            return Err(WorkerEnd::TooLong);
        }
        self.write(&(length as u64).to_le_bytes(), until)?;
        question.iter().try_for_each(|piece| self.write(piece, until))?;
        let mut length = [0; 8];
        self.read(&mut length, until)?;
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST_ANSWER {
            return Err(WorkerEnd::TooLong);
        }
        let mut answer = vec![0; length];
        self.read(&mut answer, until)?;
        Ok(answer)
    }

    fn write(&self, mut bytes: &[u8], until: Until) -> Result<(), WorkerEnd> {
        while !bytes.is_empty() {
            match rustix::net::send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::AGAIN | Errno::INTR) => self.wait(PollFlags::OUT, until)?,
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(self.end()),
                Err(errno) => return Err(WorkerEnd::Socket(errno)),
            }
        }
        Ok(())
    }

    fn read(&self, bytes: &mut [u8], until: Until) -> Result<(), WorkerEnd> {
        let mut done = 0;
        while done < bytes.len() {
            match rustix::io::read(&self.socket, &mut bytes[done..]) {
                Ok(0) | Err(Errno::CONNRESET) => return Err(self.end()),
                Ok(read) => done += read,
                Err(Errno::AGAIN | Errno::INTR) => self.wait(PollFlags::IN, until)?,
                Err(errno) => return Err(WorkerEnd::Socket(errno)),
            }
        }
        Ok(())
    }

    fn wait(&self, what: PollFlags, until: Until) -> Result<(), WorkerEnd> {
        let left = until.at.saturating_duration_since(Instant::now());
        match poll_for(&self.socket.as_fd(), what, left) {
            Ok(0) => Err(WorkerEnd::Late(until.patience)),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(WorkerEnd::Socket(errno)),
        }
    }

    /// How the process ended, which has closed its socket.
    fn end(&self) -> WorkerEnd {
        if poll_for(&self.process.pidfd(), PollFlags::IN, ENDING) == Ok(0) {
            return WorkerEnd::Late(ENDING);
        }
        // Left to be waited for by whoever ends it.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = match waitid(WaitId::PidFd(self.process.pidfd()), options) {
            Ok(Some(status)) => status,
            Ok(None) => return WorkerEnd::Socket(Errno::PIPE),
            Err(errno) => return WorkerEnd::Socket(errno),
        };
        match (status.terminating_signal(), status.exit_status()) {
            (Some(signal), _) => WorkerEnd::Signal(signal),
            // What it could not do, by its number.
            (None, Some(errno)) if !self.is_confined => WorkerEnd::NotBegun(Errno::from_raw_os_error(errno)),
            (None, code) => WorkerEnd::Exit(code.unwrap_or_default()),
        }
    }
}

/// Until when somebody waits, and how long that was in the beginning.
#[derive(Clone, Copy)]
struct Until {
    at: Instant,
    patience: Duration,
}

impl WorkerLimits {
    fn numbers(self) -> [u64; 3] {
        [self.memory, self.cpu_seconds, self.stack]
    }
}

fn poll_for(fd: &impl AsFd, what: PollFlags, left: Duration) -> Result<usize, Errno> {
    let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
    poll(&mut [PollFd::new(fd, what)], Some(&left))
}

fn errno_of(error: std::io::Error) -> Errno {
    match error.kind() {
        ErrorKind::WouldBlock => Errno::AGAIN,
        _ => Errno::from_io_error(&error).unwrap_or(Errno::IO),
    }
}

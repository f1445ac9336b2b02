//! The process itself, from its fork to its end.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, DumpableBehavior, Resource, Rlimit, Signal};
use rustix::stdio;
use rustix::thread::{self, CapabilitySet, SecureComputingMode};

use super::{LONGEST_QUESTION, Work, WorkerLimits};
use crate::landlock;
use crate::seccomp;
use crate::stage;
use crate::sys::{self, SignalSet};

/// What a program of Rust leaves with that panics.
const PANICKED: i32 = 101;

/// The signals that a terminal, or whoever ends a whole group of processes, sends to all of them: the one that asked decides.
const OF_THE_GROUP: [i32; 5] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP];

/// In the fork: the socket becomes its standard input, and nothing else of the caller's is left open.
pub(super) fn take_streams(socket: &UnixStream) -> Result<(), Errno> {
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    stdio::dup2_stdin(socket)?;
    stdio::dup2_stdout(&null)?;
    stdio::dup2_stderr(&null)?;
    drop(null);
    sys::close_all_but(&[])
}

/// What it needs, beside its standard input.
pub(super) struct Process {
    pub(super) limits: WorkerLimits,
}

impl Process {
    pub(super) fn run(self, work: Work) -> ! {
        let code = match self.confine(work) {
            // Whatever happens in there must not come out into what was the caller's.
            Ok(socket) => match catch_unwind(AssertUnwindSafe(|| answer(socket, work))) {
                Ok(Ok(())) => 0,
                Ok(Err(error)) => super::errno_of(error).raw_os_error(),
                Err(_) => PANICKED,
            },
            Err(errno) => errno.raw_os_error(),
        };
        sys::exit(code)
    }

    /// Leaves itself nothing but its socket, and looks whether that is so.
    fn confine(&self, work: Work) -> Result<File, Errno> {
        sys::default_action(libc::SIGXCPU);
        SignalSet::of(&OF_THE_GROUP).set();
        // Nobody reads what it would say of a panic, and looking up names for that takes files.
        std::panic::set_hook(Box::new(|_| ()));
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // What libraries look up once, in files.
        work(&[]);
        let socket = File::from(sys::inherited(0)?);
        process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        stage::capabilities(CapabilitySet::empty())?;
        thread::set_no_new_privs(true)?;
        landlock::take_everything(landlock::abi())?;
        // Behind what still needs a descriptor.
        for (resource, most) in self.limits.resources() {
            limit(resource, most)?;
        }
        let is_bare = thread::no_new_privs()?
            && process::dumpable_behavior()? == DumpableBehavior::NotDumpable
            && thread::capabilities(None)?.permitted.is_empty();
        sys::install_filter(&seccomp::worker(process::getpid().as_raw_pid()), false)?;
        let is_filtered = thread::secure_computing_mode()? == SecureComputingMode::Filter;
        if is_bare && is_filtered { Ok(socket) } else { Err(Errno::PERM) }
    }
}

impl WorkerLimits {
    /// What the kernel is asked for. Of everything that is not listed with a number of its own there is nothing.
    fn resources(self) -> [(Resource, u64); 9] {
        [
            (Resource::As, self.memory),
            (Resource::Cpu, self.cpu_seconds),
            (Resource::Stack, self.stack),
            (Resource::Core, 0),
            (Resource::Fsize, 0),
            (Resource::Memlock, 0),
            (Resource::Msgqueue, 0),
            (Resource::Nofile, 0),
            (Resource::Nproc, 0),
        ]
    }
}

/// As much as this, or less where the caller has less.
fn limit(resource: Resource, most: u64) -> Result<(), Errno> {
    let allowed = process::getrlimit(resource).maximum.map_or(most, |allowed| allowed.min(most));
    // The first second beyond kills with a signal that says why, the next with one that nothing withstands.
    let hard = if matches!(resource, Resource::Cpu) { allowed + 1 } else { allowed };
    let maximum = Some(process::getrlimit(resource).maximum.map_or(hard, |allowed| allowed.min(hard)));
    process::setrlimit(resource, Rlimit { current: Some(allowed), maximum })?;
    match process::getrlimit(resource) {
        Rlimit { current: Some(current), maximum: Some(_) } if current <= most => Ok(()),
        _ => Err(Errno::PERM),
    }
}

/// One question after the other, until nobody asks any more.
fn answer(mut socket: File, work: Work) -> std::io::Result<()> {
    socket.write_all(b"\n")?;
    loop {
        let mut length = [0; 8];
        match socket.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST_QUESTION {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut question = vec![0; length];
        socket.read_exact(&mut question)?;
        let answer = work(&question);
        socket.write_all(&(answer.len() as u64).to_le_bytes())?;
        socket.write_all(&answer)?;
    }
}

//! What stage and supervisor say to each other, over one `SOCK_SEQPACKET` pair: a message is whole or not there.
//!
//! Encoding allocates nothing: the stage speaks between fork and exec.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use waxcell_operations::Operation;

use crate::ending::Layer;
use crate::procfs::{Spent, Wrote};
use crate::sys::ChildrenUsage;

const NUMBERS: usize = 12;
const HEAD: usize = NUMBERS * 8;
/// The longest path that is carried whole; the kernel takes no longer one.
pub(crate) const PATH_MAX: usize = 4096;
const LONGEST: usize = HEAD + PATH_MAX;

/// A step of the stage, in order. Its number is what a failure names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Namespaces = 1,
    Identity,
    Mounts,
    Lookout,
    Hostname,
    Loopback,
    Egress,
    Fork,
    Session,
    Cgroup,
    Descriptors,
    WorkingDirectory,
    Limits,
    Capabilities,
    NoNewPrivileges,
    Landlock,
    Seccomp,
    Listener,
    Arguments,
    Execute,
}

impl Step {
    const ALL: [Step; 20] = [
        Step::Namespaces,
        Step::Identity,
        Step::Mounts,
        Step::Lookout,
        Step::Hostname,
        Step::Loopback,
        Step::Egress,
        Step::Fork,
        Step::Session,
        Step::Cgroup,
        Step::Descriptors,
        Step::WorkingDirectory,
        Step::Limits,
        Step::Capabilities,
        Step::NoNewPrivileges,
        Step::Landlock,
        Step::Seccomp,
        Step::Listener,
        Step::Arguments,
        Step::Execute,
    ];

    fn from_number(number: u64) -> Option<Step> {
        Step::ALL.into_iter().find(|step| *step as u64 == number)
    }
}

/// A limit that the broker counts or sees reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Counted {
    Processes = 1,
    Threads,
    FileSize,
}

/// What was tried, what refused it, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) operation: Operation,
    pub(crate) layer: Layer,
    pub(crate) errno: Errno,
}

/// From the stage to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report<'a> {
    /// A step failed; nothing was executed.
    Failed { step: Step, detail: u32, errno: Errno },
    /// The file system stands, with or without a lookout; the script's process is still to come.
    Built { has_lookout: bool },
    /// Everything is in force; the script's process waits at the gate. The init has these open for the supervisor, where
    /// they are there: a folder in the run's scratch space, and its `/proc`.
    Ready { scratch: Option<u32>, processes: Option<u32> },
    /// The broker refused an operation on a target for the first time. Targets are numbered in this order.
    Denied { attempt: Attempt, pid: u32, tid: u32, target: &'a [u8] },
    /// What the process executes that tried what was told last.
    Program { path: &'a [u8] },
    /// Where in a script's file that was; no file: the script itself. Line 0: not known.
    Place { line: u32, script_line: u32, file: &'a [u8] },
    /// It did so again since, the last time so long ago.
    DeniedAgain { slot: u32, times: u64, ago: Duration },
    /// An operation on a target that is not shown, which may be nothing to speak of.
    Unshown { slot: u32, attempt: Attempt, pid: u32, tid: u32, target: &'a [u8] },
    /// The same again since, the last time so long ago.
    UnshownAgain { slot: u32, times: u64, ago: Duration },
    /// It refused operations on other targets, too many to be named.
    DeniedBeyond { times: u64 },
    /// A counted limit was reached; the call failed.
    LimitReached(Counted),
    /// The script made a placeholder directory its own.
    Claimed { index: u32 },
    /// A process of the run is about to end, and this is what it has used.
    Spent(Spent),
    /// The same for what it has written.
    Wrote(Wrote),
    /// The script's own process ended, with this wait status.
    Exited { status: i32 },
    /// Every process of the run is gone.
    Ended { usage: ChildrenUsage, io: IoCounters, forks: u64, threads: u64 },
}

/// `/proc/[pid]/io` (`proc_pid_io(5)`), summed over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IoCounters {
    pub(crate) read_bytes: u64,
    pub(crate) write_bytes: u64,
    pub(crate) read_calls_bytes: u64,
    pub(crate) write_calls_bytes: u64,
}

impl IoCounters {
    /// Without what somebody among them has done.
    pub(crate) fn without(self, part: IoCounters) -> IoCounters {
        IoCounters {
            read_bytes: self.read_bytes.saturating_sub(part.read_bytes),
            write_bytes: self.write_bytes.saturating_sub(part.write_bytes),
            read_calls_bytes: self.read_calls_bytes.saturating_sub(part.read_calls_bytes),
            write_calls_bytes: self.write_calls_bytes.saturating_sub(part.write_calls_bytes),
        }
    }
}

/// From the supervisor to the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ids are mapped: go on.
    Mapped,
    /// The record is durable: open the gate.
    Go,
    /// Pass a signal to the script, or to its whole process group.
    Signal { signal: i32, group: bool },
    /// End everything.
    Kill,
}

fn pack(numbers: &[u64], bytes: &[u8], buffer: &mut [u8; LONGEST]) -> usize {
    for (slot, number) in buffer.chunks_exact_mut(8).zip(numbers) {
        slot.copy_from_slice(&number.to_le_bytes());
    }
    let bytes = &bytes[..bytes.len().min(PATH_MAX)];
    buffer[HEAD..HEAD + bytes.len()].copy_from_slice(bytes);
    HEAD + bytes.len()
}

pub(crate) fn send_report(socket: BorrowedFd<'_>, report: Report<'_>) -> Result<(), Errno> {
    let mut n = [0u64; NUMBERS];
    let mut bytes: &[u8] = &[];
    match report {
        Report::Failed { step, detail, errno } => {
            n[..4].copy_from_slice(&[1, step as u64, u64::from(detail), errno.raw_os_error() as u64]);
        }
        Report::Ready { scratch, processes } => {
            let number = |fd: Option<u32>| fd.map_or(0, u64::from);
            n[..3].copy_from_slice(&[2, number(scratch), number(processes)]);
        }
        Report::Built { has_lookout } => n[..2].copy_from_slice(&[8, u64::from(has_lookout)]),
        Report::Denied { attempt: Attempt { operation, layer, errno }, pid, tid, target } => {
            let errno = errno.raw_os_error() as u64;
            n[..6].copy_from_slice(&[3, operation as u64, layer as u64, errno, pid.into(), tid.into()]);
            bytes = target;
        }
        Report::Program { path } => {
            n[0] = 12;
            bytes = path;
        }
        Report::Place { line, script_line, file } => {
            n[..3].copy_from_slice(&[13, line.into(), script_line.into()]);
            bytes = file;
        }
        Report::DeniedAgain { slot, times, ago } => {
            n[..4].copy_from_slice(&[10, slot.into(), times, ago.as_nanos() as u64]);
        }
        Report::DeniedBeyond { times } => n[..2].copy_from_slice(&[11, times]),
        Report::Unshown { slot, attempt: Attempt { operation, layer, errno }, pid, tid, target } => {
            let errno = errno.raw_os_error() as u64;
            let numbers = [14, operation as u64, layer as u64, errno, pid.into(), tid.into(), slot.into()];
            n[..7].copy_from_slice(&numbers);
            bytes = target;
        }
        Report::UnshownAgain { slot, times, ago } => {
            n[..4].copy_from_slice(&[15, slot.into(), times, ago.as_nanos() as u64]);
        }
        Report::LimitReached(counted) => n[..2].copy_from_slice(&[4, counted as u64]),
        Report::Claimed { index } => n[..2].copy_from_slice(&[5, u64::from(index)]),
        Report::Spent(Spent { pid, start, own }) => {
            n[..4].copy_from_slice(&[9, u64::from(pid), start, own.as_nanos() as u64]);
        }
        Report::Wrote(Wrote { pid, start, parent, bytes }) => {
            n[..5].copy_from_slice(&[16, u64::from(pid), start, u64::from(parent), bytes]);
        }
        Report::Exited { status } => n[..2].copy_from_slice(&[6, u64::from(status as u32)]),
        Report::Ended { usage, io, forks, threads } => n.copy_from_slice(&[
            7,
            usage.user_us,
            usage.system_us,
            usage.max_rss_kib,
            usage.voluntary_switches,
            usage.involuntary_switches,
            io.read_bytes,
            io.write_bytes,
            io.read_calls_bytes,
            io.write_calls_bytes,
            forks,
            threads,
        ]),
    }
    let mut buffer = [0u8; LONGEST];
    let length = pack(&n, bytes, &mut buffer);
    rustix::net::send(socket, &buffer[..length], SendFlags::NOSIGNAL)?;
    Ok(())
}

pub(crate) fn send_order(socket: BorrowedFd<'_>, order: Order) -> Result<(), Errno> {
    let n = match order {
        Order::Mapped => [1, 0, 0],
        Order::Go => [2, 0, 0],
        Order::Signal { signal, group } => [3, signal as u64, u64::from(group)],
        Order::Kill => [4, 0, 0],
    };
    let mut buffer = [0u8; LONGEST];
    let length = pack(&n, &[], &mut buffer);
    rustix::net::send(socket, &buffer[..length], SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Where a message is received into.
pub(crate) struct Inbox {
    bytes: [u8; LONGEST],
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox { bytes: [0; LONGEST] }
    }

    /// Receives one message: its numbers and how many bytes follow. `None` at the end of the conversation.
    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        flags: RecvFlags,
    ) -> Result<Option<([u64; NUMBERS], usize)>, Errno> {
        let length = loop {
            match rustix::net::recv(socket, &mut self.bytes, flags) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(None),
                other => break other?.0,
            }
        };
        if length == 0 {
            return Ok(None);
        }
        if length < HEAD {
            return Err(Errno::BADMSG);
        }
        let mut numbers = [0u64; NUMBERS];
        for (number, slot) in numbers.iter_mut().zip(self.bytes.chunks_exact(8)) {
            let mut raw = [0u8; 8];
            raw.copy_from_slice(slot);
            *number = u64::from_le_bytes(raw);
        }
        Ok(Some((numbers, length - HEAD)))
    }

    /// The next report, `None` when the stage is gone.
    pub(crate) fn report(&mut self, socket: BorrowedFd<'_>, wait: bool) -> Result<Option<Report<'_>>, Errno> {
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        let Some((n, extra)) = self.receive(socket, flags)? else { return Ok(None) };
        let errno = |raw: u64| Errno::from_raw_os_error(raw as i32);
        Ok(Some(match n[0] {
            1 => Report::Failed {
                step: Step::from_number(n[1]).ok_or(Errno::BADMSG)?,
                detail: n[2] as u32,
                errno: errno(n[3]),
            },
            2 => {
                // 0 is the script's standard input.
                let number = |raw: u64| Some(raw as u32).filter(|number| *number != 0);
                Report::Ready { scratch: number(n[1]), processes: number(n[2]) }
            }
            kind @ (3 | 14) => {
                let attempt = Attempt {
                    operation: *Operation::ALL.get(n[1] as usize).ok_or(Errno::BADMSG)?,
                    layer: *Layer::ALL.get(n[2] as usize).ok_or(Errno::BADMSG)?,
                    errno: errno(n[3]),
                };
                let (pid, tid, target) = (n[4] as u32, n[5] as u32, &self.bytes[HEAD..HEAD + extra]);
                match kind {
                    3 => Report::Denied { attempt, pid, tid, target },
                    _ => Report::Unshown { slot: n[6] as u32, attempt, pid, tid, target },
                }
            }
            15 => Report::UnshownAgain { slot: n[1] as u32, times: n[2], ago: Duration::from_nanos(n[3]) },
            12 => Report::Program { path: &self.bytes[HEAD..HEAD + extra] },
            13 => Report::Place {
                line: n[1] as u32,
                script_line: n[2] as u32,
                file: &self.bytes[HEAD..HEAD + extra],
            },
            10 => Report::DeniedAgain { slot: n[1] as u32, times: n[2], ago: Duration::from_nanos(n[3]) },
            11 => Report::DeniedBeyond { times: n[1] },
            4 => Report::LimitReached(match n[1] {
                1 => Counted::Processes,
                2 => Counted::Threads,
                3 => Counted::FileSize,
                _ => return Err(Errno::BADMSG),
            }),
            5 => Report::Claimed { index: n[1] as u32 },
            6 => Report::Exited { status: n[1] as u32 as i32 },
            7 => Report::Ended {
                usage: ChildrenUsage {
                    user_us: n[1],
                    system_us: n[2],
                    max_rss_kib: n[3],
                    voluntary_switches: n[4],
                    involuntary_switches: n[5],
                },
                io: IoCounters {
                    read_bytes: n[6],
                    write_bytes: n[7],
                    read_calls_bytes: n[8],
                    write_calls_bytes: n[9],
                },
                forks: n[10],
                threads: n[11],
            },
            8 => Report::Built { has_lookout: n[1] != 0 },
            9 => Report::Spent(Spent { pid: n[1] as u32, start: n[2], own: Duration::from_nanos(n[3]) }),
            16 => Report::Wrote(Wrote { pid: n[1] as u32, start: n[2], parent: n[3] as u32, bytes: n[4] }),
            _ => return Err(Errno::BADMSG),
        }))
    }

    /// The next order, `None` when the supervisor is gone.
    pub(crate) fn order(&mut self, socket: BorrowedFd<'_>, wait: bool) -> Result<Option<Order>, Errno> {
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        let Some((n, _)) = self.receive(socket, flags)? else { return Ok(None) };
        Ok(Some(match n[0] {
            1 => Order::Mapped,
            2 => Order::Go,
            3 => Order::Signal { signal: n[1] as i32, group: n[2] != 0 },
            4 => Order::Kill,
            _ => return Err(Errno::BADMSG),
        }))
    }
}

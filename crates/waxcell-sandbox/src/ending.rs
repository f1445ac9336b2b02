//! What there is to know about a run that has ended.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use waxcell_operations::Operation;

use crate::cgroup::Rung;
use crate::relay::Stream;
use crate::watch::Remains;

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Wall clock.
    Wall,
    /// CPU time of the tree.
    Cpu,
    /// Memory of the tree.
    Memory,
    /// Processes.
    Processes,
    /// Threads.
    Threads,
    /// Output volume.
    Output,
    /// A file's size. The kernel refused the write; the run was not ended for it.
    FileSize,
    /// Scratch space. The kernel refused the write; the run was not ended for it.
    ScratchBytes,
    /// Files in scratch space. The kernel refused the creation; the run was not ended for it.
    ScratchFiles,
    /// Bytes written to storage by all processes.
    Written,
    /// Open files of one process, seen at the bound. The kernel refused the next one; the run was not ended for it.
    OpenFiles,
}

/// How the script's own process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a run used, from the kernel's counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// From the opening of the gate to the end of the script's process.
    pub wall: Duration,
    /// User and system time of all processes.
    pub cpu: Duration,
    /// Of which user time, as far as processes were waited for.
    pub user: Duration,
    /// Of which system time, as far as processes were waited for.
    pub system: Duration,
    /// Most memory at one time, in bytes: the group's own peak, or the largest sum seen.
    pub memory_peak: u64,
    /// Largest resident size of one process, in bytes.
    pub max_rss: u64,
    /// Processes started, the script's own among them.
    pub processes: u64,
    /// Threads started beside each process's first.
    pub threads: u64,
    /// Bytes fetched from storage.
    pub read_bytes: u64,
    /// Bytes caused to be sent to storage.
    pub write_bytes: u64,
    /// Bytes passed by read-like calls.
    pub read_calls_bytes: u64,
    /// Bytes passed by write-like calls.
    pub write_calls_bytes: u64,
    /// Context switches because a process waited.
    pub voluntary_switches: u64,
    /// Context switches because another process's turn came.
    pub involuntary_switches: u64,
    /// Bytes of standard output and error together.
    pub output: u64,
    /// Scratch space in use at the end, in bytes.
    pub scratch_bytes: u64,
    /// Files and directories in scratch space at the end.
    pub scratch_files: u64,
}

/// What refused an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The init, which performs an operation for the script or does not, on a descriptor of its own.
    Guard,
    /// The system-call filter, by the number of the call and the values of its arguments.
    Filter,
    /// The run's own network, which leads nowhere else.
    Network,
    /// The run's own file system, in which it is not there, is covered, or is read-only.
    Mounts,
    /// Landlock, where there is no file system of the run's own.
    Landlock,
    /// The run's own processes, which see nothing of others.
    Processes,
    /// The process that is the way out of the run's network.
    Egress,
}

impl Layer {
    /// Every layer, in the order of their numbers.
    pub(crate) const ALL: &'static [Layer] = &[
        Layer::Guard,
        Layer::Filter,
        Layer::Network,
        Layer::Mounts,
        Layer::Landlock,
        Layer::Processes,
        Layer::Egress,
    ];
}

/// One refused operation on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What was tried.
    pub operation: Operation,
    /// On what: a path as the kernel resolved it, or the system call with the arguments that decided. Bytes: names need
    /// not be text.
    pub target: Vec<u8>,
    /// What refused it.
    pub layer: Layer,
    /// The error that the script got.
    pub errno: i32,
    /// How often.
    pub count: u64,
    /// When first, since the start.
    pub first: Duration,
    /// When last, since the start.
    pub last: Duration,
    /// The process that tried first, as numbered inside; `None` where nothing tells it.
    pub pid: Option<u32>,
    /// Its thread that did.
    pub tid: Option<u32>,
    /// The file that the process executed, as seen inside.
    pub program: Option<Vec<u8>>,
    /// Where the thread was in the code of the plan.
    pub place: Option<Place>,
}

/// A place in Python code. Taken from the memory of the script: it may have made it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, absolute, without `.` and `..`; `None`: the script.
    pub file: Option<Vec<u8>>,
    /// The line in that file.
    pub line: u32,
    /// The line of the script that led there, where it is another file and that is known.
    pub script_line: Option<u32>,
}

/// The whole truth about an ended run.
#[derive(Debug)]
pub struct Ending {
    /// How the script's process ended; `None` if it could not be executed or the init was lost.
    pub exit: Option<Exit>,
    /// The first limit that ended the run; else the first that refused something.
    pub stop: Option<Stop>,
    /// The interpreter could not be executed, or something was lost that the run cannot do without: the step and the errno.
    pub failed: Option<(&'static str, i32)>,
    /// What it used.
    pub usage: Usage,
    /// Refused operations, distinct by operation and target, in order of first sight.
    pub denials: Vec<Denial>,
    /// Refused operations on targets beyond the bound of [`Ending::denials`].
    pub denials_beyond: u64,
    /// Placeholder directories that the script made its own, by position in the plan.
    pub claimed: Vec<usize>,
    /// Whether output was cut at its limit.
    pub output_cut: bool,
    /// Each [`Mount::File`](crate::Mount::File) of the plan that was not in its place any more when the script's process
    /// had ended, because somebody outside had replaced what it lay on: what the script read there may be other bytes
    /// than the plan's. `None` if that could not be looked at.
    pub replaced: Option<Vec<PathBuf>>,
    /// A stream whose destination did not take it, and the errno: a full disk, for one.
    pub output_lost: Option<(Stream, i32)>,
    /// What held the limits.
    pub rung: Rung,
    /// What the kernel is still taking down.
    pub remains: Remains,
}

//! What a run used.

use std::time::Duration;

use serde::Serialize;

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

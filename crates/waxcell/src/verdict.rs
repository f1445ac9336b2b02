//! How a run ended, in one word. It comes from kernel facts only: a script that exits with 137 has not run out of
//! memory.

use serde::Serialize;
use waxcell_sandbox::{Ending, Exit, Stop, Stream};

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Exit code 0, and no limit reached.
    Ok,
    /// The script's own non-zero exit: no anomaly.
    Failed,
    /// Not started: policy, analysis or role.
    Refused,
    /// Wall-clock limit.
    Timeout,
    /// CPU time of the tree.
    CpuLimit,
    /// Memory of the tree.
    MemoryLimit,
    /// Processes or threads.
    ProcessLimit,
    /// A file grew to its bound.
    FileSizeLimit,
    /// Scratch space, in bytes or files, or what is written to storage.
    DiskLimit,
    /// Output volume.
    OutputLimit,
    /// By a signal.
    Killed,
    /// Ended for a violation, where the policy says so.
    Violation,
    /// Waxcell itself failed.
    Error,
}

impl Verdict {
    /// The verdict on an ended run, and its cause in words.
    pub fn of(ending: &Ending) -> (Verdict, String) {
        if let Some((step, errno)) = ending.failed {
            let error = std::io::Error::from_raw_os_error(errno);
            return (Verdict::Error, format!("{step} failed: {error}"));
        }
        let limit = |verdict, cause: &str| (verdict, cause.to_owned());
        match ending.stop {
            Some(Stop::Wall) => return limit(Verdict::Timeout, "the wall-clock limit was reached"),
            Some(Stop::Cpu) => return limit(Verdict::CpuLimit, "the CPU limit of the run was reached"),
            Some(Stop::Memory) => {
                return limit(Verdict::MemoryLimit, "the memory limit of the run was reached");
            }
            Some(Stop::Processes) => return limit(Verdict::ProcessLimit, "max_processes was reached"),
            Some(Stop::Threads) => return limit(Verdict::ProcessLimit, "max_threads was reached"),
            Some(Stop::Output) => return limit(Verdict::OutputLimit, "the output limit was reached"),
            Some(Stop::FileSize) => return limit(Verdict::FileSizeLimit, "a file reached the size limit"),
            Some(Stop::ScratchBytes) => return limit(Verdict::DiskLimit, "scratch space was full"),
            Some(Stop::ScratchFiles) => {
                return limit(Verdict::DiskLimit, "scratch space had its limit of files");
            }
            Some(Stop::Written) => return limit(Verdict::DiskLimit, "disk_write_mb was reached"),
            Some(Stop::OpenFiles) | None => {}
        }
        if let Some((stream, errno)) = ending.output_lost {
            let stream = match stream {
                Stream::Output => "output",
                Stream::Error => "error",
            };
            let error = std::io::Error::from_raw_os_error(errno);
            return (Verdict::Error, format!("standard {stream} could not be written: {error}"));
        }
        let seen = if ending.stop.is_some() { "; a process had its limit of open files" } else { "" };
        match ending.exit {
            Some(Exit::Code(0)) => (Verdict::Ok, format!("exit code 0{seen}")),
            Some(Exit::Code(code)) => (Verdict::Failed, format!("exit code {code}{seen}")),
            Some(Exit::Signal(signal)) => (Verdict::Killed, format!("killed by signal {signal}{seen}")),
            None => limit(Verdict::Error, "the sandbox's own process was lost"),
        }
    }

    /// The exit code for it: the script's own where it has one (see the table in `docs/cli.md`).
    pub fn exit_code(self, ending: &Ending) -> i32 {
        let own = || match ending.exit {
            Some(Exit::Code(code)) => code,
            Some(Exit::Signal(signal)) => 128 + signal,
            None => 125,
        };
        match self {
            Verdict::Timeout => 124,
            Verdict::Error => 125,
            Verdict::Refused => 126,
            Verdict::MemoryLimit | Verdict::ProcessLimit | Verdict::OutputLimit => 137,
            Verdict::CpuLimit => 152,
            Verdict::Ok
            | Verdict::Failed
            | Verdict::Killed
            | Verdict::Violation
            | Verdict::FileSizeLimit
            | Verdict::DiskLimit => own(),
        }
    }

    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Failed => "failed",
            Verdict::Refused => "refused",
            Verdict::Timeout => "timeout",
            Verdict::CpuLimit => "cpu_limit",
            Verdict::MemoryLimit => "memory_limit",
            Verdict::ProcessLimit => "process_limit",
            Verdict::FileSizeLimit => "file_size_limit",
            Verdict::DiskLimit => "disk_limit",
            Verdict::OutputLimit => "output_limit",
            Verdict::Killed => "killed",
            Verdict::Violation => "violation",
            Verdict::Error => "error",
        }
    }
}

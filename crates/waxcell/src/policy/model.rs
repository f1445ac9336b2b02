//! The one in-memory type of a policy. Everything in it is resolved: absolute paths, durations, bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use waxcell_egress::Pattern;
use waxcell_operations::Operation;

use super::diagnostic::Diagnostic;
use super::gate::Gate;
use super::paths::is_private_by_default;

/// What a script may do. Total: a key that the file does not name has its default here.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The text it was made from.
    pub source: Source,
    /// What relative paths are relative to, and what the script sees read-only.
    pub project_root: PathBuf,
    /// Bounds on what a run may use.
    pub execution: Execution,
    /// Paths beyond the read-only project.
    pub filesystem: Filesystem,
    /// The network of the run.
    pub network: Network,
    /// What is logged and when a person is told.
    pub monitoring: Monitoring,
    /// The Python to run; `None`: the one the caller would get.
    pub interpreter: Option<PathBuf>,
    /// Environment variables beyond the built-in allow-list.
    pub environment: Environment,
    /// Layers that a run may do without where the host lacks them.
    pub degrade: BTreeSet<Degradation>,
    /// What the gate makes of what analysis says about a script.
    pub analysis: Gate,
    /// Line of the file on which each key is written (`execution.memory_mb` -> 6); keys that are not in the file are
    /// not in here.
    pub lines: BTreeMap<&'static str, usize>,
    /// What the file does not get wrong, but its author should know.
    pub warnings: Vec<Diagnostic>,
}

/// The text a policy was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, absolute; `None` is the built-in strict default.
    pub path: Option<PathBuf>,
    /// SHA-256 of the file's bytes (of the built-in text otherwise).
    pub sha256: [u8; 32],
    /// The text, without a byte-order mark.
    pub text: String,
}

impl Source {
    /// [`Source::sha256`] in hexadecimal.
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Bounds on what a run may use. Bytes, unless a name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Wall clock.
    pub timeout: Duration,
    /// User and system time of the whole tree.
    pub cpu: Duration,
    /// Memory of the whole tree, scratch space counted.
    pub memory: u64,
    /// Size of one file.
    pub file_size: u64,
    /// Processes beside the script's own.
    pub processes: u32,
    /// Threads of the whole tree beside each process's first.
    pub threads: u32,
    /// Open files of one process.
    pub open_files: u32,
    /// Standard output and error together.
    pub output: u64,
    /// Scratch space (`/tmp`, `HOME`).
    pub scratch: u64,
    /// Files and directories in scratch space.
    pub scratch_files: u64,
    /// What all processes together write to storage.
    pub disk_write: Option<u64>,
}

/// Paths beyond the read-only project, and what is refused on everything that outlives the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// One rule a path, the most specific last; of the rules that cover a file, the last one holds.
    pub paths: Vec<PathRule>,
    /// Operations refused on lasting paths. Those that every run is refused anyway may be in here as well.
    pub blocked: BTreeSet<Operation>,
    /// Where writes to [`Filesystem::paths`] go.
    pub write_mode: WriteMode,
}

/// Where writes to lasting paths go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteMode {
    /// To the files themselves.
    Direct,
    /// To a layer of the run, which waits to be committed or discarded.
    Overlay,
}

impl WriteMode {
    /// Both.
    pub const ALL: [WriteMode; 2] = [WriteMode::Direct, WriteMode::Overlay];

    /// The word for it in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            WriteMode::Direct => "direct",
            WriteMode::Overlay => "overlay",
        }
    }
}

/// One entry of `filesystem.allowed_paths`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// Absolute, without `.` and `..`; symlinks are not resolved.
    pub path: PathBuf,
    /// As in the file.
    pub written: String,
    /// What the script may do there.
    pub access: PathAccess,
    /// Only for `/tmp` and `/var/tmp`: the host's own directory instead of a private one.
    pub shared: bool,
    /// Only for [`PathAccess::Write`]: programs there can be executed as well.
    pub execute: bool,
    /// Line in the file.
    pub line: usize,
}

/// What a script may do below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathAccess {
    /// Read and list.
    Read,
    /// Read, list, create, change, rename, remove; never execute, unless [`PathRule::execute`].
    Write,
    /// Nothing: it is not there.
    None,
}

impl PathRule {
    /// Whether the script may write there what outlives the run.
    pub fn is_lasting_write(&self) -> bool {
        self.access == PathAccess::Write && !self.is_private()
    }

    /// Whether it is about the run's own directory in this place (a plain `/tmp`), which ends with the run.
    pub fn is_private(&self) -> bool {
        is_private_by_default(&self.path) && !self.shared
    }
}

impl PathAccess {
    /// The word for it in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            PathAccess::Read => "read",
            PathAccess::Write => "write",
            PathAccess::None => "none",
        }
    }
}

/// The network of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Names that may be reached; empty is no network at all.
    pub allowed_domains: Vec<DomainRule>,
    /// Ports that are refused even for allowed names.
    pub blocked_ports: BTreeSet<u16>,
    /// Addresses that may be reached without a name, private ones included.
    pub allow_addresses: Vec<AddressRule>,
    /// Whether the run has a loopback interface, its own.
    pub loopback: bool,
    /// Bytes a second, each way, all connections together; `None`: as fast as it goes.
    pub bandwidth: Option<u64>,
    /// Bytes of both ways and all connections; `None`: no end.
    pub max_bytes: Option<u64>,
    /// Connections at one time.
    pub max_connections: u32,
    /// Names that are looked up for a run.
    pub max_lookups: u32,
    /// For all attempts to reach a server together.
    pub connect_timeout: Duration,
}

impl Network {
    /// Whether the policy asks for a connection that leaves the run.
    pub fn asks_for_egress(&self) -> bool {
        !self.allowed_domains.is_empty() || !self.allow_addresses.is_empty()
    }
}

/// One entry of `network.allowed_domains`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRule {
    /// One name, or all below one.
    pub pattern: Pattern,
    /// Ports, ascending; empty is every port that is not blocked.
    pub ports: Vec<u16>,
}

impl fmt::Display for DomainRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pattern.fmt(f)
    }
}

/// One entry of `network.allow_addresses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRule {
    /// The address, or the first of a network.
    pub address: IpAddr,
    /// Leading bits that count: 32 or 128 for one address.
    pub prefix: u8,
    /// Ports, ascending; empty is every port that is not blocked.
    pub ports: Vec<u16>,
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        match self.prefix == whole {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

/// What is logged and when a person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitoring {
    /// The least severe event that goes into the log views.
    pub log_level: LogLevel,
    /// Whether attempts on files that are not shown, or not to be written to, are on record.
    pub file_attempts: bool,
    /// What is a secret: `$NAME` the values of the caller's variables of that name, everything else a text; `*` in either
    /// stands for any part of it.
    pub secrets: Vec<String>,
    /// Standard error beyond this many characters is worth an alert; `None`: never.
    pub max_stderr_length: Option<u64>,
    /// When a person is told.
    pub alert_thresholds: AlertThresholds,
    /// What goes into the security log beyond denials.
    pub security_events: SecurityEvents,
}

/// Least severity of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happened.
    Info,
    /// What should not have happened.
    Warning,
    /// What went wrong.
    Error,
    /// What needs a person at once.
    Critical,
}

impl LogLevel {
    /// All levels, the least severe first.
    pub const ALL: [LogLevel; 5] =
        [LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error, LogLevel::Critical];

    /// The word for it in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Warning => "WARNING",
            LogLevel::Error => "ERROR",
            LogLevel::Critical => "CRITICAL",
        }
    }
}

/// When a person is told, `None`: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertThresholds {
    /// Percent of `cpu_seconds`.
    pub cpu_usage: Option<u8>,
    /// Percent of `memory_mb`.
    pub memory_usage: Option<u8>,
    /// Wall-clock time.
    pub execution_time: Option<Duration>,
}

/// What goes into the security log beyond denials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityEvents {
    /// Each occurrence instead of one line with a count.
    pub enable_detailed_logging: bool,
    /// Connections of a run, each a line of the security view as it ends, and their counters in the resource view while they change.
    pub log_network_activity: bool,
    /// Files that were created, changed and removed.
    pub log_filesystem_access: bool,
}

/// Environment variables beyond the built-in allow-list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Names that are passed on from the caller, where it has them.
    pub pass: Vec<String>,
    /// Variables with a fixed value.
    pub set: BTreeMap<String, String>,
}

/// A layer that a policy may accept to lose on a host that lacks it. The run is refused unless it is named.
///
/// A closed set: the system-call filter, the dropped capabilities, `no_new_privs` and the limits cannot be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Degradation {
    /// No namespaces (a container or CI runner that forbids them): no private root, processes, network of its own;
    /// Landlock, the system-call filter and the limits hold alone.
    Namespaces,
    /// No Landlock (kernel built or booted without it): the private root and its mounts hold alone.
    Landlock,
    /// No seccomp user notification (a host that filters it): blocked operations are refused on scratch as well, and
    /// processes are counted by the kernel's coarser limit.
    SeccompNotify,
}

impl Degradation {
    /// All of them.
    pub const ALL: [Degradation; 3] =
        [Degradation::Namespaces, Degradation::Landlock, Degradation::SeccompNotify];

    /// Those that a policy can accept in this version: without the others nothing is run yet.
    pub const ACCEPTED: [Degradation; 2] = [Degradation::Namespaces, Degradation::Landlock];

    /// The word for it in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Degradation::Namespaces => "namespaces",
            Degradation::Landlock => "landlock",
            Degradation::SeccompNotify => "seccomp_notify",
        }
    }

    /// What is lost, in one sentence without a full stop.
    pub const fn loses(self) -> &'static str {
        match self {
            Degradation::Namespaces => {
                "no file system, processes or network of the run's own: Landlock, the system-call filter and the limits hold alone; names and attributes of the host's files and processes can be seen, `/tmp`, `/dev/shm`, `/proc` and sockets are not there for the script"
            }
            Degradation::Landlock => "no second check below the mounts; the private root holds alone",
            Degradation::SeccompNotify => {
                "blocked operations are refused on scratch space as well, and processes are counted by the kernel's coarser limit"
            }
        }
    }
}

//! What shall be enforced for one run: plain data that can be written down, hashed and compared.
//!
//! A plan names paths, numbers and switches, nothing of a policy. Everything in it is decided before a process is
//! started; the stage only carries it out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use waxcell_operations::Operation;

use crate::egress::Serve;
use crate::switches::Switches;

/// Exactly what shall be enforced for one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Who the script is, inside and outside.
    pub identity: Identity,
    /// The file system it sees, in the order in which it is built.
    pub mounts: Vec<Mount>,
    /// Lasting paths on which an operation is refused (scratch is never among them).
    pub guard: Guard,
    /// What is executed.
    pub program: Program,
    /// Bounds on what it may use.
    pub limits: Limits,
    /// The network it has.
    pub network: Network,
    /// Whether it may run where the kernel has no Landlock, held by the mounts alone.
    pub without_landlock: bool,
    /// Whether attempts on files that are not shown, or not to be written to, are told ([`Ending::denials`]). They are
    /// refused in any case.
    ///
    /// [`Ending::denials`]: crate::Ending::denials
    pub file_attempts: bool,
    /// How it runs on a host that lets nobody make namespaces; `None`: in namespaces of its own.
    pub plain: Option<Plain>,
    /// What a test build leaves out of all this.
    #[serde(skip)]
    pub switches: Switches,
}

impl Plan {
    /// The way out of the run's own network, where it has one.
    pub(crate) fn way_out(&self) -> Option<&Egress> {
        let has_network = self.plain.is_none() && !self.switches.shares("net");
        self.network.egress.as_ref().filter(|_| has_network)
    }

    /// After a `fork` by the C library, whether the new process asks the init for room, and not the one that forks: a
    /// signal cannot make `fork` fail then. Where there is room for nobody, nobody is to be born; without namespaces,
    /// nobody may be born while the init ends the run.
    pub(crate) fn newborn_asks(&self) -> bool {
        self.plain.is_none() && self.limits.processes > 0
    }
}

/// A run without namespaces: Landlock, the filter and the limits hold it.
///
/// [`Plan::mounts`] is a list of what may be reached then, each at its own place, and adds up: a later entry takes
/// nothing away from an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plain {
    /// The run's own folder on disk, around its scratch folders. Made before the run, and gone after it.
    pub scratch: PathBuf,
    /// How the arguments name the one [`Mount::File`] of the plan: whoever opens it by this name, from the program's
    /// working directory, or by its path, gets the bytes of the plan and not those of the disk.
    pub file: PathBuf,
}

/// Who the script is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Identity {
    /// User id that the script sees.
    pub uid: u32,
    /// Group id that the script sees.
    pub gid: u32,
    /// The host's user id behind [`Identity::uid`]: the caller's own, or an unused one if the caller is root.
    pub host_uid: u32,
    /// The host's group id behind [`Identity::gid`].
    pub host_gid: u32,
    /// Whether files of the caller (`owner_uid`) have to be shown as the script's own (an id-mapped mount), because
    /// `host_uid` is not the caller.
    pub map_owner: Option<Owner>,
    /// Host name inside.
    pub hostname: String,
}

/// The caller's ids on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// User id on disk.
    pub uid: u32,
    /// Group id on disk.
    pub gid: u32,
}

/// What a script may do below a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// List names. Only without namespaces: around something that is kept from the script.
    List,
    /// Read and list.
    Read,
    /// Read, list and execute.
    ReadExecute,
    /// Read, list, create, change, rename, remove; never execute.
    Write,
    /// As `Write`, and execute.
    WriteExecute,
}

/// One piece of the file system that the script sees. Targets are absolute and free of symlinks; parents are made on
/// the way. Order matters: a later mount lies over an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mount {
    /// A file or directory of the host, with everything mounted below it.
    Bind {
        /// Path on the host, canonical: a symlink on the way is an error.
        source: PathBuf,
        /// Where the script sees it.
        target: PathBuf,
        /// What it may do there.
        access: Access,
        /// Whether files of the caller are shown as the script's own, see [`Identity::map_owner`].
        owned: bool,
    },
    /// A file or directory of the host with a layer over it: what the script writes goes into the layer, and the host's
    /// files stay as they are. Only with namespaces; nothing may be mounted below it. Files of the caller are shown as the
    /// script's own, also those in the layer.
    Overlay {
        /// Path on the host, canonical.
        source: PathBuf,
        /// Whether that is a file. The layer lies over the folder that it is in then, of which nothing else is shown.
        is_file: bool,
        /// Where the script sees it.
        target: PathBuf,
        /// What it may do there: to write, with or without to execute.
        access: Access,
        /// A directory of the caller's alone, in which there are the empty directories [`LAYER_PARTS`](crate::LAYER_PARTS)
        /// (not serialised: another one in each run).
        #[serde(skip)]
        layer: PathBuf,
    },
    /// A read-only file with these bytes.
    File {
        /// Where the script sees it.
        target: PathBuf,
        /// Its content (not serialised: it may be large; what matters of it is hashed elsewhere).
        #[serde(skip)]
        contents: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// Where the link is.
        target: PathBuf,
        /// What it points to.
        to: PathBuf,
    },
    /// An empty directory of the read-only root.
    Directory {
        /// Where it is.
        target: PathBuf,
    },
    /// A writable directory of the run's own scratch space, which counts against [`Limits::scratch_bytes`].
    Scratch {
        /// Where the script sees it.
        target: PathBuf,
        /// Permission bits.
        mode: u32,
        /// Whether programs there can be executed.
        execute: bool,
    },
    /// Something that must not be reached: covered by an empty file or directory that nobody may open, or by a file of
    /// other bytes; or, where a later piece lies inside of it, by an empty read-only directory with nothing in it but
    /// that. Nothing where it is not there, or out of the script's reach in any case.
    Cover {
        /// What is covered.
        target: PathBuf,
        /// What a file shows instead (not serialised, as that of [`Mount::File`]); `None`: nothing, not even itself.
        #[serde(skip)]
        shows: Option<Vec<u8>>,
    },
    /// A folder below a bind that stays where it is, with the access that it has there: it becomes a mount of its own,
    /// which cannot be renamed. Nothing where it is not there, or out of the script's reach.
    Pin {
        /// The folder.
        target: PathBuf,
    },
    /// The minimal `/dev`, with pseudo-terminals of the run's own.
    Devices,
    /// The processes of the run, `/proc` with `subset=pid`.
    Processes,
}

impl Mount {
    /// Where the script sees it, if that is for the plan to say.
    pub fn target(&self) -> Option<&Path> {
        match self {
            Mount::Bind { target, .. }
            | Mount::Overlay { target, .. }
            | Mount::File { target, .. }
            | Mount::Symlink { target, .. }
            | Mount::Directory { target }
            | Mount::Scratch { target, .. }
            | Mount::Cover { target, .. }
            | Mount::Pin { target } => Some(target),
            Mount::Devices | Mount::Processes => None,
        }
    }
}

/// Operations refused on lasting paths, decided on descriptors outside the script's reach.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Guard {
    /// `fs.delete`: unlink, unlinkat, rmdir.
    pub delete: bool,
    /// `fs.chmod`: chmod, fchmod, fchmodat, fchmodat2 and access-control lists.
    pub chmod: bool,
    /// `fs.chown`: chown, fchown, lchown, fchownat.
    pub chown: bool,
    /// `fs.xattr`: setxattr and removexattr in all forms.
    pub xattr: bool,
    /// Writable directories that were made for this run and do not exist for the caller until the script makes them:
    /// the script's own first `mkdir` of one succeeds.
    pub placeholders: Vec<PathBuf>,
    /// Files that the script may make and write, and that are not there yet, in folders that it sees and may not write
    /// to. Only with namespaces.
    pub new_files: Vec<PathBuf>,
}

impl Guard {
    /// Whether an operation is refused.
    pub(crate) fn refuses(&self, operation: Operation) -> bool {
        match operation {
            Operation::FsDelete => self.delete,
            Operation::FsChmod => self.chmod,
            Operation::FsChown => self.chown,
            Operation::FsXattr => self.xattr,
            _ => false,
        }
    }

    /// Whether any operation is refused.
    pub(crate) fn binds(&self) -> bool {
        self.delete || self.chmod || self.chown || self.xattr
    }
}

/// What is executed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Program {
    /// The interpreter, as an absolute path inside.
    pub path: PathBuf,
    /// `argv`, the program's own name first. Bytes: arguments need not be UTF-8.
    #[serde(serialize_with = "lossy_list")]
    pub argv: Vec<Vec<u8>>,
    /// The whole environment. Not serialised with values: they may be secrets.
    #[serde(serialize_with = "names_only")]
    pub env: BTreeMap<String, Vec<u8>>,
    /// Working directory inside.
    pub cwd: PathBuf,
    /// File mode creation mask.
    pub umask: u32,
    /// By what the place of a violation in the code is told; `None`: it is not.
    pub code: Option<Code>,
}

/// Where the code is that a Python program runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Code {
    /// The names that the script may have for Python. A relative one starts at the working directory.
    pub script: Vec<PathBuf>,
    /// The folder of other code that is its own.
    pub project: PathBuf,
}

/// Bounds on what a run may use. Bytes, unless a name says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// Wall clock, monotonic.
    pub wall: Duration,
    /// User and system time of the whole tree.
    pub cpu: Duration,
    /// Memory of the whole tree, scratch space counted.
    pub memory: u64,
    /// Processes beside the script's own.
    pub processes: u32,
    /// Threads of the whole tree beside each process's first.
    pub threads: u32,
    /// Size of one file.
    pub file_size: u64,
    /// Open files of one process.
    pub open_files: u32,
    /// Standard output and error together.
    pub output: u64,
    /// Scratch space.
    pub scratch_bytes: u64,
    /// Files and directories in scratch space.
    pub scratch_files: u64,
    /// What all processes together may cause to be written to storage. `None`: no bound.
    pub written: Option<u64>,
}

impl Limits {
    /// What the kernel's own counters of tasks are set to, beneath the exact counts of the broker: every process and
    /// thread that may be alive, the init and the script, and some that have ended and are still being taken down.
    /// Those must not make a `fork` fail that is within the limits.
    pub(crate) fn tasks(&self) -> u64 {
        const LEAVING: u64 = 64;
        2 + u64::from(self.processes) + u64::from(self.threads) + LEAVING
    }
}

/// The network of the run: a namespace of its own in every case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Network {
    /// Whether the script may use `lo` inside.
    pub loopback: bool,
    /// The way out of it; `None`: there is none, and nothing is made for one. Only with namespaces.
    pub egress: Option<Egress>,
}

/// The way out of the run's network: a process beside the run, to which connections inside come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Egress {
    /// Networks that are the run's own inside, as address and length of the prefix: those that stand for names, and those
    /// that the policy lists. A connection to any of their addresses comes to the process.
    pub networks: Vec<(IpAddr, u8)>,
    /// Ports of loopback that lead out as well, each with its network: all others are the run's own.
    pub loopback: Vec<((IpAddr, u8), u16)>,
    /// Where the resolver is inside, on port 53: one address of each family at most, each in one of the networks.
    pub resolvers: Vec<IpAddr>,
    /// Ports to which nobody connects.
    pub blocked_ports: BTreeSet<u16>,
    /// Open files that the process needs at most.
    pub open_files: u64,
    /// What it does.
    #[serde(skip)]
    pub serve: Serve,
}

impl Egress {
    /// The run's `resolv.conf` (`resolv.conf(5)`).
    pub fn resolv_conf(&self) -> String {
        self.resolvers.iter().map(|address| format!("nameserver {address}\n")).collect()
    }
}

fn lossy_list<S: serde::Serializer>(list: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(|bytes| String::from_utf8_lossy(bytes)))
}

fn names_only<S: serde::Serializer>(
    env: &BTreeMap<String, Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(env.keys())
}

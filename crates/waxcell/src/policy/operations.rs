//! What it takes to block an operation by itself.

use waxcell_operations::Operation;

use super::text::nearest;

/// What a policy may do about an operation in `blocked_operations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blockable {
    /// Refused on lasting paths where the policy names it.
    OnLastingPaths,
    /// Refused in every run, named or not.
    Always,
    /// Not by itself in this version; the way that does it.
    Otherwise(&'static str),
}

/// How `operation` can be blocked.
pub(super) fn blockable(operation: Operation) -> Blockable {
    use Blockable::{Always, OnLastingPaths, Otherwise};
    match operation {
        Operation::FsDelete | Operation::FsChmod | Operation::FsChown | Operation::FsXattr => OnLastingPaths,
        Operation::FsRead => {
            Otherwise("write `{path: ..., access: none}` in `allowed_paths` for what must not be read")
        }
        Operation::FsWrite | Operation::FsCreate | Operation::FsRename | Operation::FsLink => Otherwise(
            "only paths in `allowed_paths` are writable: leave the path out, or write `{path: ..., access: read}`",
        ),
        Operation::ProcFork => Otherwise("write `execution: max_processes: 0`"),
        Operation::ProcExec => Otherwise(
            "`execution: max_processes: 0` stops child programs, and nothing in a writable path can be executed",
        ),
        Operation::NetDns | Operation::NetConnect | Operation::NetUdp => {
            Otherwise("write `network: allowed_domains: []`: without names a run has no network")
        }
        Operation::MemWx => {
            Otherwise("native extensions and ctypes need it, so there is no other key for it either")
        }
        Operation::FsLock
        | Operation::FsMknod
        | Operation::FsMount
        | Operation::ProcSignal
        | Operation::ProcPtrace
        | Operation::ProcPriority
        | Operation::ProcLimits
        | Operation::ProcIdentity
        | Operation::ProcControl
        | Operation::NetListen
        | Operation::NetRaw
        | Operation::IpcUnix
        | Operation::IpcShm
        | Operation::IpcMq
        | Operation::IpcTerminal
        | Operation::IpcKeyring
        | Operation::SysModule
        | Operation::SysTime
        | Operation::SysReboot
        | Operation::SysBpf
        | Operation::SysPerf
        | Operation::SysIoUring
        | Operation::SysUserns
        | Operation::SysAdmin => Always,
    }
}

/// What other programs call an operation, for suggestions.
const OTHER_WORDS: [(&str, &str); 19] = [
    ("remove", "delete"),
    ("rm", "delete"),
    ("rmdir", "delete"),
    ("rmtree", "delete"),
    ("unlink", "delete"),
    ("move", "rename"),
    ("mv", "rename"),
    ("mkdir", "create"),
    ("symlink", "link"),
    ("truncate", "write"),
    ("exec", "proc.exec"),
    ("execute", "proc.exec"),
    ("subprocess", "proc.exec"),
    ("spawn", "proc.fork"),
    ("kill", "proc.signal"),
    ("network", "net.connect"),
    ("socket", "net.connect"),
    ("bind", "net.listen"),
    ("dns", "net.dns"),
];

/// The name that `typed` was probably meant to be.
pub(super) fn meant(typed: &str) -> Option<&'static str> {
    let word = typed.trim().to_ascii_lowercase();
    let other = OTHER_WORDS.iter().find(|(other, _)| *other == word).map(|(_, name)| *name);
    other.or_else(|| nearest(typed, names()))
}

/// The names under which operations may stand in `blocked_operations`.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Operation::ALL.iter().flat_map(|op| std::iter::once(op.name()).chain(op.aliases().iter().copied()))
}

//! The registry of operations: the one vocabulary of policy, analysis, sandbox, log and documents.
//!
//! Rule of this crate: it is a table. It depends on nothing and does nothing.

use std::fmt;

/// Declares the registry: one line an operation, with its name, its short names and what it means.
macro_rules! operations {
    ($($variant:ident = $name:literal $(| $alias:literal)*, $summary:literal;)*) => {
        /// One thing a script can do to the world, as policies, findings, violations and documents name it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $(#[doc = $summary] $variant,)*
        }

        impl Operation {
            /// Every operation, in the order of the reference page.
            pub const ALL: &'static [Operation] = &[$(Operation::$variant),*];

            /// The full name, `family.verb`.
            pub const fn name(self) -> &'static str {
                match self { $(Operation::$variant => $name,)* }
            }

            /// Short names that a policy may use instead (`delete` for `fs.delete`).
            pub const fn aliases(self) -> &'static [&'static str] {
                match self { $(Operation::$variant => &[$($alias),*],)* }
            }

            /// What it means, in one sentence without a full stop.
            pub const fn summary(self) -> &'static str {
                match self { $(Operation::$variant => $summary,)* }
            }
        }
    };
}

operations! {
    FsRead = "fs.read" | "read", "open a file for reading or list a directory";
    FsWrite = "fs.write" | "write", "change a file's content, also by renaming a new file over it";
    FsCreate = "fs.create" | "create", "make a new file or directory";
    FsDelete = "fs.delete" | "delete", "remove a file or directory by name";
    FsRename = "fs.rename" | "rename", "give a file or directory another name";
    FsLink = "fs.link" | "link", "make a hard or symbolic link";
    FsChmod = "fs.chmod" | "chmod", "change permission bits or access-control lists";
    FsChown = "fs.chown" | "chown", "change the owner or group";
    FsXattr = "fs.xattr", "set or remove an extended attribute";
    FsLock = "fs.lock", "hold up other users of a file with a lease";
    FsMknod = "fs.mknod", "make a device node";
    FsMount = "fs.mount", "mount, unmount or change the root of the file system";
    ProcFork = "proc.fork", "start a process beside the script's own";
    ProcExec = "proc.exec", "execute a program";
    ProcSignal = "proc.signal", "send a signal to a process of another run or of the host";
    ProcPtrace = "proc.ptrace", "read, write or trace another process";
    ProcPriority = "proc.priority", "raise scheduling or I/O priority";
    ProcLimits = "proc.limits", "raise a resource limit, or change one of a process outside the run";
    ProcIdentity = "proc.identity", "become another user or group";
    ProcControl = "proc.control", "change how the kernel treats a process (prctl, personality, seccomp)";
    NetDns = "net.dns", "resolve a name";
    NetConnect = "net.connect", "open a connection that leaves the run";
    NetListen = "net.listen", "accept connections from outside the run";
    NetUdp = "net.udp", "send a datagram that leaves the run";
    NetRaw = "net.raw", "use a raw, packet or otherwise unusual socket";
    IpcUnix = "ipc.unix", "reach a UNIX socket of the host";
    IpcShm = "ipc.shm", "use shared memory with a process outside the run";
    IpcMq = "ipc.mq", "use a message queue with a process outside the run";
    IpcTerminal = "ipc.terminal", "put input into a terminal, or change what it is";
    IpcKeyring = "ipc.keyring", "use the kernel's key rings";
    MemWx = "mem.wx", "make memory that is writable and executable";
    SysModule = "sys.module", "load or unload a kernel module";
    SysTime = "sys.time", "set a clock";
    SysReboot = "sys.reboot", "reboot, halt or load another kernel";
    SysBpf = "sys.bpf", "load a BPF program or map";
    SysPerf = "sys.perf", "open performance counters";
    SysIoUring = "sys.io_uring", "use io_uring";
    SysUserns = "sys.userns", "make or enter a namespace";
    SysAdmin = "sys.admin", "administer the host in another way (swap, quotas, accounting, the kernel log, watching all of a file system)";
}

impl Operation {
    /// The operation with this full or short name.
    pub fn parse(name: &str) -> Option<Operation> {
        Operation::ALL.iter().copied().find(|op| op.name() == name || op.aliases().contains(&name))
    }

    /// The part of the name before the dot.
    pub fn family(self) -> &'static str {
        self.name().split('.').next().unwrap_or_default()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Operation;
    use std::collections::HashSet;

    #[test]
    fn every_name_is_unique_and_finds_its_operation() {
        let mut seen = HashSet::new();
        for op in Operation::ALL {
            for name in std::iter::once(&op.name()).chain(op.aliases()) {
                assert!(seen.insert(*name), "`{name}` names two operations");
                assert_eq!(Operation::parse(name), Some(*op));
            }
        }
    }

    #[test]
    fn the_short_names_of_the_proposals_are_known() {
        let parsed = ["delete", "chmod", "chown"].map(Operation::parse);
        assert_eq!(parsed, [Some(Operation::FsDelete), Some(Operation::FsChmod), Some(Operation::FsChown)]);
        assert_eq!(Operation::parse("fs.explode"), None);
    }
}

//! The layers that hold a script, by the names that a test build can switch them off with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::need::Host;

/// A layer of the sandbox: what a case says it is stopped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The run's own root: what is not shown is not there, what is shown is read-only unless the policy says otherwise.
    Mounts,
    /// Process numbers of the run's own.
    Pidns,
    /// A network of the run's own.
    Netns,
    /// System V IPC and POSIX queues of the run's own.
    Ipcns,
    /// A host name of the run's own.
    Utsns,
    /// Control groups are seen from the run's own on.
    Cgroupns,
    /// A user namespace: ids and capabilities are worth nothing outside.
    Userns,
    /// Landlock.
    Landlock,
    /// The system-call filter.
    Seccomp,
    /// The init that judges and performs calls on the script's behalf.
    Broker,
    /// Limits that the kernel holds per process, and those that the supervisor watches.
    Limits,
    /// Limits of a control group.
    Cgroup,
    /// No capability, no new privileges, nobody's id.
    Identity,
    /// The list of environment variables that are passed on.
    Environment,
    /// Descriptors are closed before the script starts.
    Descriptors,
    /// The init, a copy of the supervisor, may not be looked into.
    Dumpable,
    /// The process that is the way out of a run's network, and asks and calls for it.
    Egress,
    /// What is written down and told about the run, on the host's side.
    Journal,
    /// What is refused before anything runs.
    Gate,
    /// What waxcell does with files and streams of a run on the host's side: by descriptor, without following links, within
    /// bounds.
    Supervisor,
}

impl Layer {
    /// Why a test build cannot be without it here, if so.
    pub(crate) fn stays(self, host: &Host) -> Option<String> {
        match self {
            Layer::Supervisor => Some(format!("`{self}` has no switch")),
            Layer::Userns if !host.root => Some(format!("only root can do without `{self}`")),
            _ => None,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The one list of names is that of the attribute above.
        self.serialize(f)
    }
}

//! The system-call filter: a default-deny list, compiled to classic BPF (`seccomp(2)`).
//!
//! *Build* is pure ([`build`]: guard in, program out); *apply* is `sys::install_filter`. A call that is on no list gets
//! `ENOSYS`, as on a kernel that does not have it; one that a script must not make gets `EPERM`; one that has to be
//! decided per path or counted goes to the broker.

mod bpf;
mod plain;
mod table;

use std::collections::BTreeMap;

pub(crate) use table::{Call, call};

use crate::plan::Guard;
use bpf::{Action, Rule};

/// What a run may name as its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether a process may make a terminal the one that controls it.
    pub(crate) may_take_terminal: bool,
}

/// The compiled filter for a run; for one without namespaces on a kernel with the given ABI of Landlock.
pub(crate) fn build(guard: &Guard, own: &Own, plain: Option<u32>) -> Vec<libc::sock_filter> {
    let mut rules: BTreeMap<u32, Rule> = BTreeMap::new();
    for nr in table::ALLOWED {
        rules.insert(*nr as u32, Rule::Always(Action::Allow));
    }
    for nr in table::REFUSED {
        rules.insert(*nr as u32, Rule::Always(Action::Errno(libc::EPERM)));
    }
    for (nr, tests) in table::conditional(own) {
        rules.insert(nr as u32, Rule::Tests(tests));
    }
    for (nr, kind) in table::BROKERED {
        let brokered = match kind {
            Call::Fork | Call::Exit | Call::ExitGroup | Call::MemfdCreate => true,
            // With mounts, looked up before the kernel says that one is read-only.
            Call::Unlink | Call::UnlinkAt | Call::Rmdir => guard.delete || plain.is_none(),
            // Keeps its tests on namespace flags; what passes them is counted.
            Call::Clone => false,
            Call::Chmod | Call::Fchmod | Call::FchmodAt | Call::FchmodAt2 => guard.chmod,
            Call::Chown | Call::Fchown | Call::Lchown | Call::FchownAt => guard.chown,
            Call::SetXattr | Call::LsetXattr | Call::FsetXattr => guard.chmod || guard.xattr,
            Call::RemoveXattr | Call::LremoveXattr | Call::FremoveXattr => guard.chmod || guard.xattr,
            Call::Mkdir | Call::MkdirAt => !guard.placeholders.is_empty(),
            Call::Open | Call::OpenAt | Call::UtimensAt | Call::Kill | Call::Tkill | Call::Tgkill => false,
        };
        if brokered {
            rules.insert(*nr as u32, Rule::Always(Action::Notify));
        }
    }
    if let Some(abi) = plain {
        plain::change(&mut rules, abi);
    }
    bpf::compile(table::ARCH, table::FOREIGN_BIT, &rules, Action::Errno(libc::ENOSYS))
}

#[cfg(test)]
mod tests;

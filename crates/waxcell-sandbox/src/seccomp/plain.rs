//! What the filter adds for a run without namespaces: what they kept from a script has to be refused, or to be decided
//! by the broker.

use std::collections::BTreeMap;

use libc::*;
use waxcell_operations::Operation;

use super::bpf::{Action, Rule, Test};
use super::table::{
    self, BROKERED, Call, Calls, IO_CLASS, IO_IDLE, calls, either, eperm, only, pass_if, take_if,
};

/// Reach processes, sockets and objects of the host that Landlock does not stand before.
pub(super) const REFUSED: &[(Operation, Calls)] = &[
    // A socket is one of a pair, and stays it.
    (Operation::NetConnect, calls![SYS_connect]),
    (Operation::NetListen, calls![SYS_bind, SYS_listen, SYS_accept, SYS_accept4]),
    // Tells what happens to files that a script may not open.
    (
        Operation::FsRead,
        calls![
            SYS_inotify_init1,
            SYS_inotify_add_watch,
            SYS_inotify_rm_watch,
            #[cfg(target_arch = "x86_64")]
            SYS_inotify_init,
        ],
    ),
    // Older forms of `utimensat`, which the broker performs.
    #[cfg(target_arch = "x86_64")]
    (Operation::FsWrite, calls![SYS_utime, SYS_utimes, SYS_futimesat]),
];

/// Signals with information, and to what only a descriptor names.
pub(super) const SIGNALS: &[(Operation, Calls)] =
    &[(Operation::ProcSignal, calls![SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal])];

/// The call of [`conditional`] that is not among those of a run with namespaces.
pub(super) const CONDITIONAL: Calls = calls![SYS_sched_setaffinity];

/// Landlock keeps signals within the run from this ABI on.
const SCOPES_SIGNALS: u32 = 6;
/// Landlock binds cutting files short from this ABI on.
const BINDS_TRUNCATE: u32 = 3;

/// Changes the rules of a run with namespaces into those of one without.
pub(super) fn change(rules: &mut BTreeMap<u32, Rule>, abi: u32) {
    let always = |action| Rule::Always(action);
    table::refuse(rules, REFUSED, EPERM);
    rules.insert(SYS_socket as u32, always(Action::Errno(EACCES)));
    for (nr, tests) in conditional() {
        rules.insert(nr as u32, Rule::Tests(tests));
    }
    for (nr, kind) in BROKERED {
        let brokered = match kind {
            Call::Chmod | Call::Fchmod | Call::FchmodAt | Call::FchmodAt2 => true,
            Call::Chown | Call::Fchown | Call::Lchown | Call::FchownAt => true,
            Call::SetXattr | Call::LsetXattr | Call::FsetXattr => true,
            Call::RemoveXattr | Call::LremoveXattr | Call::FremoveXattr => true,
            Call::UtimensAt => true,
            Call::Kill => abi < SCOPES_SIGNALS,
            _ => false,
        };
        if brokered {
            rules.insert(*nr as u32, always(Action::Notify));
        }
    }
    if abi < SCOPES_SIGNALS {
        table::refuse(rules, SIGNALS, EPERM);
        for (nr, argument) in [(SYS_tkill, 1), (SYS_tgkill, 2)] {
            let tests =
                only(argument, u32::MAX, vec![SIGXFSZ as u32], eperm(Operation::ProcSignal), Action::Notify);
            rules.insert(nr as u32, Rule::Tests(tests));
        }
    }
    if abi < BINDS_TRUNCATE {
        rules.insert(SYS_truncate as u32, always(Action::Errno(EACCES)));
    }
    for (nr, argument) in table::openers() {
        let mut tests = table::opens(argument, Action::Notify);
        if abi < BINDS_TRUNCATE {
            // Also without any access (3), for which Landlock asks for no right at all.
            let cuts = [O_RDONLY, O_ACCMODE].map(|access| (O_TRUNC | access) as u32).to_vec();
            let mask = (O_TRUNC | O_ACCMODE) as u32;
            tests.insert(0, take_if(argument, mask, cuts, Action::Errno(EACCES)));
        }
        rules.insert(nr as u32, Rule::Tests(tests));
    }
}

fn conditional() -> Vec<(c_long, Vec<Test>)> {
    let without = |options: Vec<u32>, option: c_int| -> Vec<u32> {
        options.into_iter().filter(|other| *other != option as u32).collect()
    };
    // One's own thread, which 0 means.
    let own = |argument, operation| either(argument, u32::MAX, vec![0], Action::Allow, eperm(operation));
    const F_SETOWN_EX: u32 = 15;
    const IOPRIO_WHO_PROCESS: u32 = 1;
    vec![
        // Not datagrams: such a socket can send to any address, pair or not.
        (
            SYS_socketpair,
            vec![
                pass_if(0, u32::MAX, vec![AF_UNIX as u32], Action::Refuse(EAFNOSUPPORT, Operation::NetRaw)),
                pass_if(1, 0xF, vec![SOCK_STREAM as u32, SOCK_SEQPACKET as u32], eperm(Operation::IpcUnix)),
                either(
                    2,
                    u32::MAX,
                    vec![0],
                    Action::Allow,
                    Action::Refuse(EPROTONOSUPPORT, Operation::NetRaw),
                ),
            ],
        ),
        // A signal by way of a file (SIGIO) goes to whomever its owner names.
        (
            SYS_fcntl,
            vec![
                take_if(1, u32::MAX, vec![F_SETLEASE as u32], eperm(Operation::FsLock)),
                either(
                    1,
                    u32::MAX,
                    vec![F_SETOWN as u32, F_SETOWN_EX],
                    eperm(Operation::ProcSignal),
                    Action::Allow,
                ),
            ],
        ),
        // The script's process has to die with the init.
        (
            SYS_prctl,
            only(
                0,
                u32::MAX,
                without(table::prctls(), PR_SET_PDEATHSIG),
                Action::Allow,
                eperm(Operation::ProcControl),
            ),
        ),
        (SYS_prlimit64, vec![own(0, Operation::ProcLimits)]),
        (SYS_sched_setaffinity, vec![own(0, Operation::ProcPriority)]),
        (SYS_sched_setparam, vec![own(0, Operation::ProcPriority)]),
        (SYS_sched_setscheduler, vec![own(0, Operation::ProcPriority)]),
        (
            SYS_ioprio_set,
            vec![
                pass_if(0, u32::MAX, vec![IOPRIO_WHO_PROCESS], eperm(Operation::ProcPriority)),
                pass_if(1, u32::MAX, vec![0], eperm(Operation::ProcPriority)),
                either(2, IO_CLASS, vec![IO_IDLE], Action::Allow, eperm(Operation::ProcPriority)),
            ],
        ),
        (
            SYS_setpriority,
            vec![
                pass_if(0, u32::MAX, vec![PRIO_PROCESS], eperm(Operation::ProcPriority)),
                own(1, Operation::ProcPriority),
            ],
        ),
    ]
}

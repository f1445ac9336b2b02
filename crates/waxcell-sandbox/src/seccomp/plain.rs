//! What the filter adds for a run without namespaces: what they kept from a script has to be refused, or to be decided
//! by the broker.

use std::collections::BTreeMap;

use libc::*;

use super::bpf::{Action, Rule, Test};
use super::table::{self, BROKERED, Call, IO_CLASS, IO_IDLE, only, pass_if};

const EPERM_: Action = Action::Errno(EPERM);

/// Reach processes, sockets and objects of the host that Landlock does not stand before.
const REFUSED: &[c_long] = &[
    // ipc.shm, ipc.mq: those of the host.
    SYS_shmget,
    SYS_shmat,
    SYS_shmdt,
    SYS_shmctl,
    SYS_semget,
    SYS_semop,
    SYS_semtimedop,
    SYS_semctl,
    SYS_msgget,
    SYS_msgsnd,
    SYS_msgrcv,
    SYS_msgctl,
    SYS_mq_open,
    SYS_mq_unlink,
    SYS_mq_timedsend,
    SYS_mq_timedreceive,
    SYS_mq_notify,
    SYS_mq_getsetattr,
    // net.*, ipc.unix: a socket is one of a pair, and stays it.
    SYS_bind,
    SYS_connect,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    // Tells what happens to files that a script may not open.
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    #[cfg(target_arch = "x86_64")]
    SYS_inotify_init,
    // Older forms of `utimensat`, which the broker performs.
    #[cfg(target_arch = "x86_64")]
    SYS_utime,
    #[cfg(target_arch = "x86_64")]
    SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    SYS_futimesat,
];

/// Signals with information, and to what only a descriptor names.
const SIGNALS: &[c_long] = &[SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal];

/// Landlock keeps signals within the run from this ABI on.
const SCOPES_SIGNALS: u32 = 6;
/// Landlock binds cutting files short from this ABI on.
const BINDS_TRUNCATE: u32 = 3;

/// Changes the rules of a run with namespaces into those of one without.
pub(super) fn change(rules: &mut BTreeMap<u32, Rule>, abi: u32) {
    let always = |action| Rule::Always(action);
    for nr in REFUSED {
        rules.insert(*nr as u32, always(EPERM_));
    }
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
        SIGNALS.iter().for_each(|nr| drop(rules.insert(*nr as u32, always(EPERM_))));
        for (nr, argument) in [(SYS_tkill, 1), (SYS_tgkill, 2)] {
            let tests = only(argument, u32::MAX, vec![SIGXFSZ as u32], EPERM_, Action::Notify);
            rules.insert(nr as u32, Rule::Tests(tests));
        }
    }
    if abi < BINDS_TRUNCATE {
        rules.insert(SYS_truncate as u32, always(Action::Errno(EACCES)));
    }
    for (nr, argument) in opens() {
        let mut tests = table::opens(argument, Action::Notify);
        if abi < BINDS_TRUNCATE {
            // Also without any access (3), for which Landlock asks for no right at all.
            let cuts = [O_RDONLY, O_ACCMODE].map(|access| (O_TRUNC | access) as u32).to_vec();
            let mask = (O_TRUNC | O_ACCMODE) as u32;
            let refused = Some(Action::Errno(EACCES));
            tests.insert(0, Test { argument, mask, any_of: cuts, hit: refused, miss: None });
        }
        rules.insert(nr as u32, Rule::Tests(tests));
    }
}

/// Calls that open by name, and where their flags are.
fn opens() -> Vec<(c_long, u8)> {
    vec![
        #[cfg(target_arch = "x86_64")]
        (SYS_open, 1),
        (SYS_openat, 2),
    ]
}

fn conditional() -> Vec<(c_long, Vec<Test>)> {
    let without = |options: Vec<u32>, option: c_int| -> Vec<u32> {
        options.into_iter().filter(|other| *other != option as u32).collect()
    };
    // One's own thread, which 0 means.
    let own = |argument| only(argument, u32::MAX, vec![0], Action::Allow, EPERM_);
    const F_SETOWN_EX: u32 = 15;
    const IOPRIO_WHO_PROCESS: u32 = 1;
    vec![
        // Not datagrams: such a socket can send to any address, pair or not.
        (
            SYS_socketpair,
            vec![
                pass_if(0, u32::MAX, vec![AF_UNIX as u32], Action::Errno(EAFNOSUPPORT)),
                pass_if(1, 0xF, vec![SOCK_STREAM as u32, SOCK_SEQPACKET as u32], EPERM_),
                Test {
                    argument: 2,
                    mask: u32::MAX,
                    any_of: vec![0],
                    hit: Some(Action::Allow),
                    miss: Some(Action::Errno(EPROTONOSUPPORT)),
                },
            ],
        ),
        // A signal by way of a file (SIGIO) goes to whomever its owner names.
        (
            SYS_fcntl,
            only(1, u32::MAX, vec![F_SETLEASE as u32, F_SETOWN as u32, F_SETOWN_EX], EPERM_, Action::Allow),
        ),
        // The script's process has to die with the init.
        (SYS_prctl, only(0, u32::MAX, without(table::prctls(), PR_SET_PDEATHSIG), Action::Allow, EPERM_)),
        (SYS_prlimit64, own(0)),
        (SYS_sched_setaffinity, own(0)),
        (SYS_sched_setparam, own(0)),
        (SYS_sched_setscheduler, own(0)),
        (
            SYS_ioprio_set,
            vec![
                pass_if(0, u32::MAX, vec![IOPRIO_WHO_PROCESS], EPERM_),
                pass_if(1, u32::MAX, vec![0], EPERM_),
                only(2, IO_CLASS, vec![IO_IDLE], Action::Allow, EPERM_).remove(0),
            ],
        ),
        (SYS_setpriority, vec![pass_if(0, u32::MAX, vec![PRIO_PROCESS], EPERM_), own(1).remove(0)]),
    ]
}

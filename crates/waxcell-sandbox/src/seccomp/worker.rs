//! The filter of a process that only calculates: memory, one socket that is open, and its end. It opens and makes nothing.

use std::collections::BTreeMap;

use libc::*;

use super::bpf::{self, Action, Rule};
use super::table::{self, only};

const ALLOWED: &[c_long] = &[
    // What is open.
    SYS_read,
    SYS_write,
    SYS_close,
    // Memory.
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    // What libraries of a process with one thread ask for: a lock, the time, chance.
    SYS_futex,
    SYS_clock_gettime,
    SYS_getrandom,
    SYS_restart_syscall,
    // Where memory is used up, the allocator asks for how many processors it may look elsewhere.
    SYS_sched_getaffinity,
    // Its end, also where it notices itself that the stack is used up.
    SYS_sigaltstack,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_getpid,
    SYS_gettid,
    SYS_exit_group,
];

/// What the kernel is given, for a process with this number: the only one that it may send a signal, and only to abort.
pub(crate) fn worker(own: i32) -> Vec<sock_filter> {
    let killed = Action::KillProcess;
    let no_code = || Rule::Tests(only(2, PROT_EXEC as u32, vec![0], Action::Allow, killed));
    let mut rules: BTreeMap<u32, Rule> =
        ALLOWED.iter().map(|nr| (*nr as u32, Rule::Always(Action::Allow))).collect();
    let mut conditional = |nr: c_long, rule| rules.insert(nr as u32, rule);
    conditional(SYS_mmap, no_code());
    // Rust looks whether what it closes is open.
    conditional(SYS_fcntl, Rule::Tests(only(1, u32::MAX, vec![F_GETFD as u32], Action::Allow, killed)));
    conditional(SYS_mprotect, no_code());
    conditional(
        SYS_tgkill,
        Rule::Tests(vec![
            table::pass_if(0, u32::MAX, vec![own as u32], killed),
            table::either(2, u32::MAX, vec![SIGABRT as u32], Action::Allow, killed),
        ]),
    );
    // Whether there is a filter.
    conditional(
        SYS_prctl,
        Rule::Tests(only(0, u32::MAX, vec![PR_GET_SECCOMP as u32], Action::Allow, killed)),
    );
    bpf::compile(table::ARCH, table::FOREIGN_BIT, &rules, killed)
}

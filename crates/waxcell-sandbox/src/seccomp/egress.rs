//! The filter of the process that is a run's way out: sockets of its own host, and those that it was handed. It opens no
//! files, starts nothing, and reaches no other process.

use std::collections::BTreeMap;

use libc::*;

use super::bpf::{self, Action, Rule};
use super::table::{self, only, pass_if};

const ALLOWED: &[c_long] = &[
    // What is open.
    SYS_read,
    SYS_write,
    SYS_writev,
    SYS_close,
    SYS_fcntl,
    // Sockets, once made. None can listen.
    SYS_accept4,
    SYS_bind,
    SYS_connect,
    SYS_shutdown,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    // Waiting.
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_ppoll,
    SYS_futex,
    SYS_clock_gettime,
    SYS_restart_syscall,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    SYS_poll,
    // Itself.
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_getrandom,
    SYS_exit_group,
];

/// What the kernel is given. Any other call is not there, as on a kernel that does not have it: libraries do without.
pub(crate) fn egress() -> Vec<sock_filter> {
    let absent = Action::Errno(ENOSYS);
    let refused = Action::Errno(EPERM);
    let no_code = || Rule::Tests(only(2, PROT_EXEC as u32, vec![0], Action::Allow, refused));
    let mut rules: BTreeMap<u32, Rule> =
        ALLOWED.iter().map(|nr| (*nr as u32, Rule::Always(Action::Allow))).collect();
    let mut conditional = |nr: c_long, rule| rules.insert(nr as u32, rule);
    conditional(
        SYS_socket,
        Rule::Tests(vec![
            pass_if(0, u32::MAX, vec![AF_INET as u32, AF_INET6 as u32], refused),
            pass_if(1, 0xF, vec![SOCK_STREAM as u32, SOCK_DGRAM as u32], refused),
            table::either(
                2,
                u32::MAX,
                vec![0, IPPROTO_TCP as u32, IPPROTO_UDP as u32],
                Action::Allow,
                refused,
            ),
        ]),
    );
    conditional(SYS_ioctl, Rule::Tests(only(1, u32::MAX, vec![FIONBIO as u32], Action::Allow, refused)));
    // Its own limits.
    conditional(SYS_prlimit64, Rule::Tests(only(0, u32::MAX, vec![0], Action::Allow, refused)));
    conditional(SYS_mmap, no_code());
    conditional(SYS_mprotect, no_code());
    bpf::compile(table::ARCH, table::FOREIGN_BIT, &rules, absent)
}

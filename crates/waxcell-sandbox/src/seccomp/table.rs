//! Which system calls a script may make. Long because it is a table: one name a call, grouped by what they are for.
//!
//! Sources: the tables of the kernel (`syscalls(2)`), and what CPython 3.8 to 3.14, glibc, coreutils and git use. A
//! number of a newer kernel than this table gets `ENOSYS` by being absent, so programs fall back.

use std::collections::BTreeMap;

use libc::*;
use waxcell_operations::Operation;

use super::bpf::{Action, Rule, Test};
use super::{Own, plain};

#[cfg(target_arch = "x86_64")]
pub(crate) const ARCH: u32 = 0xC000_003E; // AUDIT_ARCH_X86_64
/// The other one that this kernel can execute programs of.
#[cfg(target_arch = "x86_64")]
pub(crate) const FOREIGN: &str = "i386";
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCH: u32 = 0xC000_00B7; // AUDIT_ARCH_AARCH64
/// The other one that this kernel can execute programs of.
#[cfg(target_arch = "aarch64")]
pub(crate) const FOREIGN: &str = "arm";

/// Set in the number of an x32 call, which shares the x86-64 audit architecture.
#[cfg(target_arch = "x86_64")]
pub(super) const FOREIGN_BIT: Option<u32> = Some(0x4000_0000);
#[cfg(target_arch = "aarch64")]
pub(super) const FOREIGN_BIT: Option<u32> = None;

/// A call that the broker decides or counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Fork,
    Clone,
    SetRobustList,
    Exit,
    ExitGroup,
    Unlink,
    UnlinkAt,
    Rmdir,
    Chmod,
    Fchmod,
    FchmodAt,
    FchmodAt2,
    Chown,
    Fchown,
    Lchown,
    FchownAt,
    SetXattr,
    LsetXattr,
    FsetXattr,
    RemoveXattr,
    LremoveXattr,
    FremoveXattr,
    Mkdir,
    MkdirAt,
    Open,
    OpenAt,
    UtimensAt,
    Kill,
    Tkill,
    Tgkill,
    MemfdCreate,
    Connect,
    Bind,
    SendTo,
    Creat,
    Truncate,
    Rename,
    RenameAt,
    RenameAt2,
    Link,
    LinkAt,
    Symlink,
    SymlinkAt,
    Mknod,
    MknodAt,
    Chdir,
    Fchdir,
    Execve,
    ExecveAt,
    Utime,
}

const SYS_FCHMODAT2: c_long = 452;

pub(super) const BROKERED: &[(c_long, Call)] = &[
    #[cfg(target_arch = "x86_64")]
    (SYS_fork, Call::Fork),
    #[cfg(target_arch = "x86_64")]
    (SYS_vfork, Call::Fork),
    (SYS_clone, Call::Clone),
    (SYS_set_robust_list, Call::SetRobustList),
    (SYS_exit, Call::Exit),
    (SYS_exit_group, Call::ExitGroup),
    #[cfg(target_arch = "x86_64")]
    (SYS_unlink, Call::Unlink),
    (SYS_unlinkat, Call::UnlinkAt),
    #[cfg(target_arch = "x86_64")]
    (SYS_rmdir, Call::Rmdir),
    #[cfg(target_arch = "x86_64")]
    (SYS_chmod, Call::Chmod),
    (SYS_fchmod, Call::Fchmod),
    (SYS_fchmodat, Call::FchmodAt),
    (SYS_FCHMODAT2, Call::FchmodAt2),
    #[cfg(target_arch = "x86_64")]
    (SYS_chown, Call::Chown),
    (SYS_fchown, Call::Fchown),
    #[cfg(target_arch = "x86_64")]
    (SYS_lchown, Call::Lchown),
    (SYS_fchownat, Call::FchownAt),
    (SYS_setxattr, Call::SetXattr),
    (SYS_lsetxattr, Call::LsetXattr),
    (SYS_fsetxattr, Call::FsetXattr),
    (SYS_removexattr, Call::RemoveXattr),
    (SYS_lremovexattr, Call::LremoveXattr),
    (SYS_fremovexattr, Call::FremoveXattr),
    #[cfg(target_arch = "x86_64")]
    (SYS_mkdir, Call::Mkdir),
    (SYS_mkdirat, Call::MkdirAt),
    (SYS_memfd_create, Call::MemfdCreate),
    (SYS_connect, Call::Connect),
    (SYS_bind, Call::Bind),
    (SYS_sendto, Call::SendTo),
    #[cfg(target_arch = "x86_64")]
    (SYS_creat, Call::Creat),
    #[cfg(target_arch = "x86_64")]
    (SYS_open, Call::Open),
    (SYS_openat, Call::OpenAt),
    (SYS_utimensat, Call::UtimensAt),
    // For the record alone.
    (SYS_truncate, Call::Truncate),
    #[cfg(target_arch = "x86_64")]
    (SYS_rename, Call::Rename),
    (SYS_renameat, Call::RenameAt),
    (SYS_renameat2, Call::RenameAt2),
    #[cfg(target_arch = "x86_64")]
    (SYS_link, Call::Link),
    (SYS_linkat, Call::LinkAt),
    #[cfg(target_arch = "x86_64")]
    (SYS_symlink, Call::Symlink),
    (SYS_symlinkat, Call::SymlinkAt),
    #[cfg(target_arch = "x86_64")]
    (SYS_mknod, Call::Mknod),
    (SYS_mknodat, Call::MknodAt),
    (SYS_chdir, Call::Chdir),
    (SYS_fchdir, Call::Fchdir),
    (SYS_execve, Call::Execve),
    (SYS_execveat, Call::ExecveAt),
    #[cfg(target_arch = "x86_64")]
    (SYS_utime, Call::Utime),
    #[cfg(target_arch = "x86_64")]
    (SYS_utimes, Call::Utime),
    // Only without namespaces.
    (SYS_kill, Call::Kill),
    (SYS_tkill, Call::Tkill),
    (SYS_tgkill, Call::Tgkill),
];

/// Which brokered call a number stands for.
pub(crate) fn call(nr: i32) -> Option<Call> {
    BROKERED.iter().find(|(number, _)| *number == c_long::from(nr)).map(|(_, call)| *call)
}

/// Allowed whatever the arguments: the kernel's own rights, the mounts and Landlock decide about what they touch.
pub(super) const ALLOWED: &[c_long] = &[
    // Reading and writing.
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_lseek,
    SYS_sendfile,
    SYS_splice,
    SYS_tee,
    SYS_vmsplice,
    SYS_copy_file_range,
    SYS_readahead,
    SYS_fadvise64,
    SYS_fallocate,
    SYS_ftruncate,
    SYS_truncate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_syncfs,
    SYS_sync,
    // Files and directories by name and descriptor.
    SYS_close,
    SYS_close_range,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_utimensat,
    SYS_umask,
    SYS_flock,
    SYS_dup,
    SYS_dup3,
    SYS_getxattr,
    SYS_lgetxattr,
    SYS_fgetxattr,
    SYS_listxattr,
    SYS_llistxattr,
    SYS_flistxattr,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_name_to_handle_at,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_cachestat_NR,
    // Waiting for descriptors.
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_signalfd4,
    SYS_pipe2,
    // Asynchronous I/O of libaio, which SQLite builds and databases use.
    SYS_io_setup,
    SYS_io_destroy,
    SYS_io_submit,
    SYS_io_cancel,
    SYS_io_getevents,
    #[cfg(target_arch = "aarch64")]
    SYS_io_pgetevents,
    #[cfg(target_arch = "x86_64")]
    333,
    // Memory.
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_msync,
    SYS_mincore,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_mlockall,
    SYS_munlockall,
    SYS_membarrier,
    SYS_get_mempolicy,
    SYS_pkey_alloc,
    SYS_pkey_free,
    SYS_pkey_mprotect,
    SYS_process_mrelease,
    // Processes and threads of the run.
    SYS_execve,
    SYS_execveat,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getpgid,
    SYS_setpgid,
    SYS_getsid,
    SYS_setsid,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_futex,
    SYS_futex_waitv,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_sched_rr_get_interval,
    SYS_sched_getattr,
    SYS_getpriority,
    SYS_ioprio_get,
    SYS_getcpu,
    SYS_getrusage,
    SYS_times,
    SYS_getrlimit_NR,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_restart_syscall,
    // Identity: without capabilities none of these can gain anything. Those that name ids are conditional below.
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_capget,
    SYS_capset,
    // Signals: the process-id namespace and Landlock's scope bound whom they reach.
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_rt_sigqueueinfo,
    SYS_sigaltstack,
    SYS_kill,
    // Time.
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getitimer,
    SYS_setitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_getoverrun,
    SYS_timer_delete,
    // Sockets, once made; the network namespace bounds where they lead.
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_getsockname,
    SYS_getpeername,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_shutdown,
    // The system.
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
    // Calls that aarch64 never had.
    #[cfg(target_arch = "x86_64")]
    SYS_stat,
    #[cfg(target_arch = "x86_64")]
    SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    SYS_access,
    #[cfg(target_arch = "x86_64")]
    SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    SYS_getdents,
    #[cfg(target_arch = "x86_64")]
    SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    SYS_rename,
    #[cfg(target_arch = "x86_64")]
    SYS_link,
    #[cfg(target_arch = "x86_64")]
    SYS_symlink,
    #[cfg(target_arch = "x86_64")]
    SYS_utime,
    #[cfg(target_arch = "x86_64")]
    SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    SYS_futimesat,
    #[cfg(target_arch = "x86_64")]
    SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    SYS_poll,
    #[cfg(target_arch = "x86_64")]
    SYS_select,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_create,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    SYS_eventfd,
    #[cfg(target_arch = "x86_64")]
    SYS_signalfd,
    #[cfg(target_arch = "x86_64")]
    SYS_inotify_init,
    #[cfg(target_arch = "x86_64")]
    SYS_alarm,
    #[cfg(target_arch = "x86_64")]
    SYS_pause,
    #[cfg(target_arch = "x86_64")]
    SYS_time,
    #[cfg(target_arch = "x86_64")]
    SYS_getpgrp,
    #[cfg(target_arch = "x86_64")]
    SYS_arch_prctl,
    #[cfg(target_arch = "x86_64")]
    SYS_ustat,
];

#[expect(non_upper_case_globals, reason = "named as the kernel names its calls")]
const SYS_cachestat_NR: c_long = 451;
#[cfg(target_arch = "x86_64")]
#[expect(non_upper_case_globals, reason = "named as the kernel names its calls")]
const SYS_getrlimit_NR: c_long = SYS_getrlimit;
#[cfg(target_arch = "aarch64")]
#[expect(non_upper_case_globals, reason = "named as the kernel names its calls")]
const SYS_getrlimit_NR: c_long = 163;

/// Numbers with their names.
pub(super) type Calls = &'static [(c_long, &'static str)];

macro_rules! calls {
    ($($(#[$only:meta])* $call:ident),* $(,)?) => { &[$($(#[$only])* ($call, stringify!($call))),*] };
}
pub(super) use calls;

/// Known and refused, by the operation that each is an attempt at: a script sees a refusal and not a missing feature.
pub(super) const REFUSED: &[(Operation, Calls)] = &[
    (
        Operation::FsMount,
        calls![
            SYS_mount,
            SYS_umount2,
            SYS_pivot_root,
            SYS_chroot,
            SYS_open_tree,
            SYS_move_mount,
            SYS_fsopen,
            SYS_fsconfig,
            SYS_fsmount,
            SYS_fspick,
            SYS_mount_setattr,
        ],
    ),
    (Operation::FsRead, calls![SYS_open_by_handle_at]),
    (Operation::SysUserns, calls![SYS_unshare, SYS_setns]),
    (
        Operation::ProcPtrace,
        calls![
            SYS_ptrace,
            SYS_process_vm_readv,
            SYS_process_vm_writev,
            SYS_process_madvise,
            SYS_kcmp,
            SYS_pidfd_getfd,
            SYS_move_pages,
            SYS_migrate_pages,
        ],
    ),
    (Operation::ProcPriority, calls![SYS_sched_setattr]),
    // No list of groups is anybody's to set in a run.
    (Operation::ProcIdentity, calls![SYS_setgroups]),
    (Operation::ProcLimits, calls![SYS_setrlimit]),
    (Operation::ProcControl, calls![SYS_seccomp, SYS_userfaultfd]),
    (Operation::SysModule, calls![SYS_init_module, SYS_finit_module, SYS_delete_module]),
    (Operation::SysTime, calls![SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex]),
    (
        Operation::SysReboot,
        calls![
            SYS_reboot,
            SYS_kexec_load,
            #[cfg(target_arch = "x86_64")]
            SYS_kexec_file_load,
        ],
    ),
    (Operation::SysBpf, calls![SYS_bpf]),
    (Operation::SysPerf, calls![SYS_perf_event_open]),
    (
        Operation::SysAdmin,
        calls![
            SYS_swapon,
            SYS_swapoff,
            SYS_acct,
            SYS_quotactl,
            SYS_syslog,
            SYS_sethostname,
            SYS_setdomainname,
            SYS_fanotify_init,
            SYS_fanotify_mark,
            SYS_vhangup,
            #[cfg(target_arch = "x86_64")]
            SYS_iopl,
            #[cfg(target_arch = "x86_64")]
            SYS_ioperm,
            #[cfg(target_arch = "x86_64")]
            SYS_modify_ldt,
        ],
    ),
    (Operation::IpcKeyring, calls![SYS_add_key, SYS_request_key, SYS_keyctl]),
    // What System V IPC and POSIX queues keep belongs to no process, so no count of the run's memory would show it.
    (
        Operation::IpcShm,
        calls![
            SYS_shmget,
            SYS_shmat,
            SYS_shmdt,
            SYS_shmctl,
            SYS_semget,
            SYS_semop,
            SYS_semtimedop,
            SYS_semctl,
        ],
    ),
    (
        Operation::IpcMq,
        calls![
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
        ],
    ),
];

/// Refused as if the kernel did not have them, which programs expect, but no program makes them by habit.
pub(super) const ABSENT: &[(Operation, Calls)] = &[
    (Operation::SysIoUring, calls![SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register]),
    (Operation::FsMount, calls![SYS_statmount, SYS_listmount, SYS_open_tree_attr]),
    (Operation::FsXattr, calls![SYS_setxattrat, SYS_removexattrat, SYS_file_setattr]),
    (Operation::SysAdmin, calls![SYS_quotactl_fd, SYS_memfd_secret]),
];

/// Numbers that the C library's bindings do not have, the same on every architecture but for the first.
mod newer {
    #![expect(non_upper_case_globals, reason = "named as the kernel names its calls")]
    use libc::c_long;
    #[cfg(target_arch = "aarch64")]
    pub(super) const SYS_setrlimit: c_long = 164;
    pub(super) const SYS_statmount: c_long = 457;
    pub(super) const SYS_listmount: c_long = 458;
    pub(super) const SYS_setxattrat: c_long = 463;
    pub(super) const SYS_removexattrat: c_long = 466;
    pub(super) const SYS_open_tree_attr: c_long = 467;
    pub(super) const SYS_file_setattr: c_long = 469;
}
use newer::*;

pub(super) const fn eperm(operation: Operation) -> Action {
    Action::Refuse(EPERM, operation)
}

/// Adds a list of calls that are refused.
pub(super) fn refuse(rules: &mut BTreeMap<u32, Rule>, list: &[(Operation, Calls)], errno: i32) {
    for (operation, calls) in list {
        for (nr, _) in *calls {
            rules.insert(*nr as u32, Rule::Always(Action::Refuse(errno, *operation)));
        }
    }
}

/// The name of a call that can be refused, as its manual page has it.
pub(super) fn name(nr: i32) -> Option<&'static str> {
    let groups = REFUSED.iter().chain(ABSENT).chain(plain::REFUSED).chain(plain::SIGNALS);
    let lists = groups.map(|(_, calls)| *calls).chain([CONDITIONAL, plain::CONDITIONAL]);
    let (_, name) = lists.flatten().find(|(number, _)| *number == c_long::from(nr))?;
    name.strip_prefix("SYS_")
}

/// The calls of [`conditional`] that can be refused.
const CONDITIONAL: Calls = calls![
    SYS_clone,
    SYS_socket,
    SYS_socketpair,
    SYS_ioctl,
    SYS_prctl,
    SYS_personality,
    SYS_prlimit64,
    SYS_ioprio_set,
    SYS_sched_setparam,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_setscheduler,
    SYS_setpriority,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_tgsigqueueinfo,
    SYS_mknodat,
    SYS_renameat2,
    SYS_openat,
    SYS_fcntl,
    #[cfg(target_arch = "x86_64")]
    SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    SYS_open,
    #[cfg(target_arch = "x86_64")]
    SYS_creat,
];

/// The last test of a list: it answers both ways.
pub(super) fn either(argument: u8, mask: u32, any_of: Vec<u32>, hit: Action, miss: Action) -> Test {
    Test { argument, mask, any_of, hit: Some(hit), miss: Some(miss) }
}

/// Goes on to the next test if the argument is one of these.
pub(super) fn pass_if(argument: u8, mask: u32, any_of: Vec<u32>, miss: Action) -> Test {
    Test { argument, mask, any_of, hit: None, miss: Some(miss) }
}

/// Goes on to the next test unless the argument is one of these.
pub(super) fn take_if(argument: u8, mask: u32, any_of: Vec<u32>, hit: Action) -> Test {
    Test { argument, mask, any_of, hit: Some(hit), miss: None }
}

pub(super) fn only(argument: u8, mask: u32, any_of: Vec<u32>, hit: Action, miss: Action) -> Vec<Test> {
    vec![either(argument, mask, any_of, hit, miss)]
}

/// There is one user and one group in a run, and the kernel says of every other that it is no valid id. An ordinary
/// user outside is told that it may not: `other` where one of the arguments names another id.
fn ids<const N: usize>(arguments: [(u8, u32); N], other: Action) -> Vec<Test> {
    let test = |(position, (argument, own)): (usize, (u8, u32))| Test {
        argument,
        mask: u32::MAX,
        // -1 leaves an id as it is.
        any_of: vec![own, u32::MAX],
        hit: (position == N - 1).then_some(Action::Allow),
        miss: Some(other),
    };
    arguments.into_iter().enumerate().map(test).collect()
}

/// Allowed for some arguments only.
pub(super) fn conditional(own: &Own) -> Vec<(c_long, Vec<Test>)> {
    // CLONE_NEWTIME (0x80) stands in the exit-signal byte of `clone` and means nothing there.
    let namespaces = (CLONE_NEWNS
        | CLONE_NEWCGROUP
        | CLONE_NEWUTS
        | CLONE_NEWIPC
        | CLONE_NEWUSER
        | CLONE_NEWPID
        | CLONE_NEWNET) as u32;
    let refused = |errno| Action::Refuse(errno, Operation::NetRaw);
    let sockets = vec![
        // The C library asks it which addresses the host has, before it resolves a name.
        take_if(0, u32::MAX, vec![AF_NETLINK as u32], Action::Errno(EAFNOSUPPORT)),
        pass_if(0, u32::MAX, [AF_UNIX, AF_INET, AF_INET6].map(|f| f as u32).to_vec(), refused(EAFNOSUPPORT)),
        pass_if(1, 0xF, [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET].map(|k| k as u32).to_vec(), refused(EPERM)),
        either(
            2,
            u32::MAX,
            vec![0, IPPROTO_TCP as u32, IPPROTO_UDP as u32],
            Action::Allow,
            refused(EPROTONOSUPPORT),
        ),
    ];
    vec![
        // sys.userns: no new namespaces. The flags are a register, so the broker may count and continue the rest.
        // `clone3` is on no list: its flags lie in memory, where a filter cannot see them, and libraries fall back.
        (SYS_clone, clones(namespaces, own)),
        (SYS_socket, sockets),
        // Without an address it goes where the socket is connected to.
        (SYS_sendto, only(5, u32::MAX, vec![0], Action::Allow, Action::Notify)),
        (
            SYS_socketpair,
            vec![
                pass_if(0, u32::MAX, vec![AF_UNIX as u32], refused(EAFNOSUPPORT)),
                either(2, u32::MAX, vec![0], Action::Allow, refused(EPROTONOSUPPORT)),
            ],
        ),
        // A terminal's input queue (TIOCSTI), its console (TIOCLINUX) and everything unknown stay closed.
        (SYS_ioctl, requests(own)),
        (SYS_prctl, only(0, u32::MAX, prctls(), Action::Allow, eperm(Operation::ProcControl))),
        (SYS_personality, only(0, u32::MAX, vec![0, u32::MAX], Action::Allow, eperm(Operation::ProcControl))),
        // To the idle class of I/O, which is below every other.
        (SYS_ioprio_set, only(2, IO_CLASS, vec![IO_IDLE], Action::Allow, eperm(Operation::ProcPriority))),
        // proc.limits: not those of the init; hard limits cannot be raised without a capability.
        (SYS_prlimit64, only(0, u32::MAX, vec![1], eperm(Operation::ProcLimits), Action::Allow)),
        // proc.priority: nor its priority, without which it would decide and end late. The init is process and group 1;
        // all of a user's processes are the init as well. Asking is refused with setting: neighbouring numbers with the
        // same rule are one in the filter.
        (SYS_sched_setparam, only(0, u32::MAX, vec![1], eperm(Operation::ProcPriority), Action::Allow)),
        (SYS_sched_getparam, only(0, u32::MAX, vec![1], eperm(Operation::ProcPriority), Action::Allow)),
        (SYS_sched_getscheduler, only(0, u32::MAX, vec![1], eperm(Operation::ProcPriority), Action::Allow)),
        (SYS_sched_setscheduler, only(0, u32::MAX, vec![1], eperm(Operation::ProcPriority), Action::Allow)),
        (
            SYS_setpriority,
            vec![
                pass_if(0, u32::MAX, vec![PRIO_PROCESS, PRIO_PGRP], eperm(Operation::ProcPriority)),
                either(1, u32::MAX, vec![1], eperm(Operation::ProcPriority), Action::Allow),
            ],
        ),
        (SYS_setuid, ids([(0, own.uid)], eperm(Operation::ProcIdentity))),
        (SYS_setgid, ids([(0, own.gid)], eperm(Operation::ProcIdentity))),
        (SYS_setreuid, ids([(0, own.uid), (1, own.uid)], eperm(Operation::ProcIdentity))),
        (SYS_setregid, ids([(0, own.gid), (1, own.gid)], eperm(Operation::ProcIdentity))),
        (SYS_setresuid, ids([(0, own.uid), (1, own.uid), (2, own.uid)], eperm(Operation::ProcIdentity))),
        (SYS_setresgid, ids([(0, own.gid), (1, own.gid), (2, own.gid)], eperm(Operation::ProcIdentity))),
        // To another id: the broker says so, where there is such a file.
        #[cfg(target_arch = "x86_64")]
        (SYS_chown, ids([(1, own.uid), (2, own.gid)], Action::Notify)),
        #[cfg(target_arch = "x86_64")]
        (SYS_lchown, ids([(1, own.uid), (2, own.gid)], Action::Notify)),
        (SYS_fchown, ids([(1, own.uid), (2, own.gid)], Action::Notify)),
        (SYS_fchownat, ids([(2, own.uid), (3, own.gid)], Action::Notify)),
        // The file-size signal comes from the kernel alone: found pending, it is a fact (see the broker's farewell).
        (SYS_tkill, only(1, u32::MAX, vec![SIGXFSZ as u32], eperm(Operation::ProcSignal), Action::Allow)),
        (SYS_tgkill, only(2, u32::MAX, vec![SIGXFSZ as u32], eperm(Operation::ProcSignal), Action::Allow)),
        (
            SYS_rt_tgsigqueueinfo,
            only(2, u32::MAX, vec![SIGXFSZ as u32], eperm(Operation::ProcSignal), Action::Allow),
        ),
        // `openat2` is on no list: its mode lies in memory, where a filter cannot see it, and programs fall back.
        (SYS_openat, opens(2, Action::Allow)),
        #[cfg(target_arch = "x86_64")]
        (SYS_open, opens(1, Action::Allow)),
        #[cfg(target_arch = "x86_64")]
        (SYS_creat, makes(Action::Allow)),
        // On scratch such a mode is the script's own affair: the broker looks. Where `chmod` is blocked, it has all.
        (SYS_fchmod, only(1, SET_ID, vec![0], Action::Allow, Action::Notify)),
        (SYS_fchmodat, only(2, SET_ID, vec![0], Action::Allow, Action::Notify)),
        (SYS_FCHMODAT2, only(2, SET_ID, vec![0], Action::Allow, Action::Notify)),
        #[cfg(target_arch = "x86_64")]
        (SYS_chmod, only(1, SET_ID, vec![0], Action::Allow, Action::Notify)),
        // A lease on a file of the project would stop the host's own writers.
        (SYS_fcntl, only(1, u32::MAX, vec![F_SETLEASE as u32], eperm(Operation::FsLock), Action::Allow)),
    ]
    .into_iter()
    .chain(makers(Action::Allow))
    .collect()
}

/// Calls that can make device nodes. What else they make, Landlock and the mounts decide about.
pub(super) fn makers(allow: Action) -> Vec<(c_long, Vec<Test>)> {
    vec![
        // fs.mknod: named pipes, sockets and plain files.
        (SYS_mknodat, nodes(2, allow)),
        #[cfg(target_arch = "x86_64")]
        (SYS_mknod, nodes(1, allow)),
        // A whiteout is a device node.
        (SYS_renameat2, only(4, RENAME_WHITEOUT, vec![0], allow, eperm(Operation::FsMknod))),
    ]
}

/// The class in an I/O priority, without the level within it.
pub(super) const IO_CLASS: u32 = u32::MAX << 13;
pub(super) const IO_IDLE: u32 = 3 << 13;

/// What the C library's `fork` says to `clone`: the first call of what that makes is `set_robust_list`.
const FORK: u32 = (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD) as u32;

fn clones(namespaces: u32, own: &Own) -> Vec<Test> {
    let mut tests = only(0, namespaces, vec![0], Action::Notify, eperm(Operation::SysUserns));
    if own.newborn_asks {
        tests.insert(0, take_if(0, u32::MAX, vec![FORK], Action::Allow));
    }
    tests
}

/// Bits of a mode that would lend a file's owner or group to whoever executes it, outside and later.
const SET_ID: u32 = S_ISUID | S_ISGID;

fn nodes(mode: u8, allow: Action) -> Vec<Test> {
    vec![
        pass_if(mode, SET_ID, vec![0], eperm(Operation::FsChmod)),
        either(mode, S_IFMT, vec![0, S_IFREG, S_IFIFO, S_IFSOCK], allow, eperm(Operation::FsMknod)),
    ]
}

/// Files are not made with such a mode; the argument behind the flags means nothing where none is made.
pub(super) fn opens(flags: u8, allow: Action) -> Vec<Test> {
    const MAKES: u32 = (O_CREAT | O_TMPFILE & !O_DIRECTORY) as u32;
    vec![
        take_if(flags, MAKES, vec![0], allow),
        either(flags + 1, SET_ID, vec![0], allow, eperm(Operation::FsChmod)),
    ]
}

/// `creat`, which always makes one.
#[cfg(target_arch = "x86_64")]
pub(super) fn makes(allow: Action) -> Vec<Test> {
    only(1, SET_ID, vec![0], allow, eperm(Operation::FsChmod))
}

/// The same, where what only reads goes its way, and the rest is asked for.
pub(super) fn opens_changing(flags: u8) -> Vec<Test> {
    const CHANGES: u32 = (O_ACCMODE | O_CREAT | O_TRUNC) as u32;
    let mut tests = opens(flags, Action::Notify);
    tests.insert(0, take_if(flags, CHANGES, vec![0], Action::Allow));
    tests
}

/// The same for `openat`; a name that begins at a descriptor is asked for in any case.
pub(super) fn opens_from_elsewhere(flags: u8) -> Rule {
    let (then, otherwise) = (opens_changing(flags), opens(flags, Action::Notify));
    Rule::Either { argument: 0, is: AT_FDCWD as u32, then, otherwise }
}

/// Calls that open by name, and where their flags are.
pub(super) fn openers() -> Vec<(c_long, u8)> {
    vec![
        #[cfg(target_arch = "x86_64")]
        (SYS_open, 1),
        (SYS_openat, 2),
    ]
}

/// `FS_IOC_SETFLAGS` and `FS_IOC_FSSETXATTR` (`<linux/fs.h>`): attributes of a file that outlive a run, as immutable.
const FILE_ATTRIBUTES: [u32; 2] = [0x4008_6602, 0x401C_5820];

fn requests(own: &Own) -> Vec<Test> {
    let terminal = [TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD].map(|request| request as u32).to_vec();
    let refused = |operation| Action::Refuse(ENOTTY, operation);
    vec![
        take_if(1, u32::MAX, ioctls(own), Action::Allow),
        take_if(1, u32::MAX, FILE_ATTRIBUTES.to_vec(), refused(Operation::FsXattr)),
        // Whatever else is unknown: a program learns that it asked the wrong file.
        either(1, u32::MAX, terminal, refused(Operation::IpcTerminal), Action::Errno(ENOTTY)),
    ]
}

pub(super) fn ioctls(own: &Own) -> Vec<u32> {
    let controlling = own.may_take_terminal.then_some(TIOCSCTTY);
    [
        TCGETS,
        TCSETS,
        TCSETSW,
        TCSETSF,
        TCGETS2,
        TCFLSH,
        TCSBRK,
        TCXONC,
        TIOCGWINSZ,
        TIOCSWINSZ,
        TIOCGPGRP,
        TIOCSPGRP,
        TIOCGSID,
        TIOCOUTQ,
        TIOCNOTTY,
        TIOCGPTN,
        TIOCSPTLCK,
        TIOCGPTLCK,
        TIOCGPTPEER,
        TIOCPKT,
        TIOCGPKT,
        FIONREAD,
        FIONBIO,
        FIOASYNC,
        FIOCLEX,
        FIONCLEX,
        FICLONE,
        FICLONERANGE,
    ]
    .into_iter()
    .chain(controlling)
    .map(|request| request as u32)
    // Interface names and indices, as `socket.if_nameindex` and `getaddrinfo` ask for them.
    .chain([0x8910, 0x8912, 0x8913, 0x8915, 0x8921, 0x8927, 0x8933])
    .collect()
}

pub(super) fn prctls() -> Vec<u32> {
    [
        PR_SET_NAME,
        PR_GET_NAME,
        PR_SET_PDEATHSIG,
        PR_GET_PDEATHSIG,
        PR_GET_DUMPABLE,
        PR_GET_KEEPCAPS,
        PR_SET_NO_NEW_PRIVS,
        PR_GET_NO_NEW_PRIVS,
        PR_GET_SECCOMP,
        PR_CAPBSET_READ,
        PR_GET_SECUREBITS,
        PR_SET_TIMERSLACK,
        PR_GET_TIMERSLACK,
        PR_SET_CHILD_SUBREAPER,
        PR_GET_CHILD_SUBREAPER,
        PR_SET_THP_DISABLE,
        PR_GET_THP_DISABLE,
        PR_GET_TID_ADDRESS,
        PR_GET_SPECULATION_CTRL,
        PR_SET_VMA,
        PR_GET_TSC,
        PR_GET_TIMING,
    ]
    .map(|option| option as u32)
    .to_vec()
}

//! The compiled program, run by a small interpreter of classic BPF: what the kernel will answer, without the kernel.

use super::bpf::{Action, Rule};
use super::{Call, Own, Rules, build, table};
use crate::plan::Guard;
use libc::{c_long, sock_filter};
use std::collections::BTreeSet;
use waxcell_operations::Operation;

mod files;

const EVERYTHING: Guard = Guard {
    delete: true,
    chmod: true,
    chown: true,
    xattr: true,
    placeholders: Vec::new(),
    new_files: Vec::new(),
};
const OWN: Own = Own {
    uid: 1000,
    gid: 1001,
    may_take_terminal: true,
    newborn_asks: false,
    file_attempts: false,
    has_lookout: false,
    has_egress: false,
    counts_written: false,
};
const I386: u32 = 0x4000_0003;

/// Runs a program over one call and returns the answer of its `ret`.
fn execute(program: &[sock_filter], arch: u32, nr: u32, args: [u64; 6]) -> u32 {
    let word = |offset: u32| match offset {
        0 => nr,
        4 => arch,
        16.. if offset.is_multiple_of(8) => args[(offset as usize - 16) / 8] as u32,
        16.. => (args[(offset as usize - 16) / 8] >> 32) as u32,
        _ => panic!("the filter reads offset {offset}"),
    };
    let (mut pc, mut accumulator) = (0usize, 0u32);
    loop {
        let i = &program[pc];
        pc += 1;
        let (jt, jf) = (usize::from(i.jt), usize::from(i.jf));
        match i.code {
            0x20 => accumulator = word(i.k),
            0x54 => accumulator &= i.k,
            0x05 => pc += i.k as usize,
            0x15 => pc += if accumulator == i.k { jt } else { jf },
            0x35 => pc += if accumulator >= i.k { jt } else { jf },
            0x06 => return i.k,
            other => panic!("unknown instruction {other:#x}"),
        }
    }
}

fn answer(guard: &Guard, nr: c_long, args: [u64; 6]) -> u32 {
    run(&build(guard, &OWN, None), table::ARCH, nr as u32, args)
}

fn errno(code: i32) -> u32 {
    Action::Errno(code).code()
}

/// What a script gets: what the program says, and where that asks the broker, a refusal if it is one.
fn run(rules: &Rules, arch: u32, nr: u32, args: [u64; 6]) -> u32 {
    let code = execute(&rules.program(), arch, nr, args);
    match rules.answer(nr as i32, &args) {
        Action::Refuse(errno, _) if code == Action::Notify.code() => self::errno(errno),
        _ => code,
    }
}

#[test]
fn the_way_out_has_sockets_and_nothing_else() {
    let filter = super::egress();
    let answer = |nr: c_long, args: [u64; 6]| execute(&filter, table::ARCH, nr as u32, args);
    let (allow, refused, absent) = (Action::Allow.code(), errno(libc::EPERM), errno(libc::ENOSYS));
    let socket = |family: i32, kind: i32, protocol| {
        answer(libc::SYS_socket, [family as u64, kind as u64, protocol, 0, 0, 0])
    };
    for family in [libc::AF_INET, libc::AF_INET6] {
        assert_eq!(socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0), allow);
        assert_eq!(socket(family, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, libc::IPPROTO_UDP as u64), allow);
        assert_eq!(socket(family, libc::SOCK_RAW, 0), refused);
        assert_eq!(socket(family, libc::SOCK_DGRAM, libc::IPPROTO_ICMP as u64), refused);
    }
    for family in [libc::AF_UNIX, libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK] {
        assert_eq!(socket(family, libc::SOCK_STREAM, 0), refused);
    }
    let third = |value: i32| [0, 0, value as u64, 0, 0, 0];
    for nr in [libc::SYS_mmap, libc::SYS_mprotect] {
        assert_eq!(answer(nr, third(libc::PROT_READ | libc::PROT_WRITE)), allow);
        assert_eq!(answer(nr, third(libc::PROT_READ | libc::PROT_EXEC)), refused);
    }
    assert_eq!(answer(libc::SYS_prlimit64, [1, 7, 0, 0, 0, 0]), refused);
    let others = [
        libc::SYS_openat,
        libc::SYS_openat2,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_execve,
        libc::SYS_kill,
        libc::SYS_listen,
        libc::SYS_socketpair,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_pidfd_open,
        libc::SYS_io_uring_setup,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_prctl,
        libc::SYS_seccomp,
        libc::SYS_memfd_create,
    ];
    for nr in others {
        assert_eq!(answer(nr, [0; 6]), absent, "{nr}");
    }
    assert_ne!(execute(&filter, I386, 3, [0; 6]), allow);
}

#[test]
fn a_worker_has_memory_and_its_socket_and_nothing_else() {
    let filter = super::worker(42);
    let answer = |nr: c_long, args: [u64; 6]| execute(&filter, table::ARCH, nr as u32, args);
    let (allow, killed) = (Action::Allow.code(), Action::KillProcess.code());
    let listed = [libc::SYS_read, libc::SYS_write, libc::SYS_munmap, libc::SYS_brk, libc::SYS_exit_group];
    let third = |value: i32| [0, 0, value as u64, 0, 0, 0];
    for nr in listed {
        assert_eq!(answer(nr, [0; 6]), allow, "{nr}");
    }
    for nr in [libc::SYS_mmap, libc::SYS_mprotect] {
        assert_eq!(answer(nr, third(libc::PROT_READ | libc::PROT_WRITE)), allow);
        assert_eq!(answer(nr, third(libc::PROT_READ | libc::PROT_EXEC)), killed);
    }
    let abort = |process: u64, signal: i32| answer(libc::SYS_tgkill, [process, 7, signal as u64, 0, 0, 0]);
    assert_eq!(abort(42, libc::SIGABRT), allow);
    assert_eq!((abort(43, libc::SIGABRT), abort(42, libc::SIGKILL)), (killed, killed));
    let first = |value: i32| [value as u64, 0, 0, 0, 0, 0];
    assert_eq!(answer(libc::SYS_prctl, first(libc::PR_GET_SECCOMP)), allow);
    assert_eq!(answer(libc::SYS_prctl, first(libc::PR_SET_DUMPABLE)), killed);
    let fcntl = |what: i32| answer(libc::SYS_fcntl, [0, what as u64, 0, 0, 0, 0]);
    assert_eq!((fcntl(libc::F_GETFD), fcntl(libc::F_DUPFD)), (allow, killed));
    let conditional =
        [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_tgkill, libc::SYS_prctl, libc::SYS_fcntl];
    let allowed = (0..1024).filter(|nr| answer(*nr, [0; 6]) == allow && !conditional.contains(nr)).count();
    assert_eq!(allowed, 19, "every other call kills");
    assert_ne!(execute(&filter, I386, 3, [0; 6]), allow);
}

#[test]
fn every_number_gets_the_answer_of_its_table() {
    let program = build(&Guard::default(), &OWN, None);
    for nr in 0..1024u32 {
        let got = run(&program, table::ARCH, nr, [0; 6]);
        let listed = |list: &[c_long]| list.contains(&c_long::from(nr));
        let refused = |list: &[(Operation, table::Calls)]| {
            list.iter().any(|(_, calls)| calls.iter().any(|(n, _)| *n == c_long::from(nr)))
        };
        let conditional = table::conditional(&OWN).iter().any(|(n, _)| *n == c_long::from(nr));
        let always = |call| {
            use Call::*;
            matches!(
                call,
                Fork | Clone | Exit | ExitGroup | MemfdCreate | Unlink | UnlinkAt | Rmdir | Connect
            )
        };
        let brokered = table::call(nr as i32).is_some_and(always);
        match () {
            () if brokered => assert_eq!(got, Action::Notify.code(), "{nr}"),
            () if conditional => {}
            () if listed(table::ALLOWED) => assert_eq!(got, Action::Allow.code(), "{nr}"),
            () if refused(table::REFUSED) => assert_eq!(got, errno(libc::EPERM), "{nr}"),
            () => assert_eq!(got, errno(libc::ENOSYS), "{nr}"),
        }
    }
}

#[test]
fn no_call_stands_on_two_lists() {
    let conditional = table::conditional(&OWN).into_iter().map(|(nr, _)| nr);
    let refused = table::REFUSED.iter().chain(table::ABSENT).flat_map(|(_, calls)| *calls).map(|(nr, _)| *nr);
    let mut seen = BTreeSet::new();
    for nr in table::ALLOWED.iter().copied().chain(conditional).chain(refused) {
        assert!(seen.insert(nr), "{nr}");
    }
}

#[test]
fn space_is_not_taken_without_writing_where_writing_is_counted() {
    let answer = |counts_written| {
        let rules = build(&Guard::default(), &Own { counts_written, ..OWN }, None);
        run(&rules, table::ARCH, libc::SYS_fallocate as u32, [0; 6])
    };
    assert_eq!((answer(false), answer(true)), (Action::Allow.code(), errno(libc::EOPNOTSUPP)));
}

/// The kernel's answer and the broker's are one: a call that comes to the broker is one that the rules send there.
#[test]
fn the_program_and_the_rules_say_the_same() {
    let words = [0u64, 1, 2, 3, 7, 10, 0x11, 0o4755, 0x5412, 0x4008_6602, 0x8000, 1 << 28, 1 << 32, u64::MAX];
    for plain in [None, Some(1), Some(3), Some(7)] {
        for (guard, file_attempts, has_lookout) in [
            (Guard::default(), false, false),
            (Guard::default(), true, false),
            (EVERYTHING, true, false),
            (EVERYTHING, true, true),
        ] {
            let rules = build(&guard, &Own { file_attempts, has_lookout, ..OWN }, plain);
            let program = rules.program();
            for nr in 0..600u32 {
                for (position, word) in words.iter().enumerate() {
                    let mut args = [*word; 6];
                    args[position % 6] = words[(position * 5 + nr as usize) % words.len()];
                    let code = execute(&program, table::ARCH, nr, args);
                    assert_eq!(code, rules.answer(nr as i32, &args).code(), "{nr} {args:x?}");
                }
            }
        }
    }
}

#[test]
fn every_call_that_can_be_refused_has_a_name() {
    for plain in [None, Some(1)] {
        for (nr, rule) in &build(&EVERYTHING, &OWN, plain).0 {
            let refuses = |action: &Option<Action>| matches!(action, Some(Action::Refuse(..)));
            let can_be_refused = match rule {
                Rule::Always(action) => refuses(&Some(*action)),
                Rule::Tests(tests) => tests.iter().any(|test| refuses(&test.hit) || refuses(&test.miss)),
                // Of one call, and each of its lists can.
                Rule::Either { .. } => true,
            };
            assert!(!can_be_refused || table::name(*nr as i32).is_some(), "{nr}");
        }
    }
}

#[test]
fn an_attempt_is_told_by_its_operation_and_as_a_call() {
    let rules = build(&Guard::default(), &OWN, None);
    let told = |nr: c_long, args: [u64; 6]| {
        let operation = match rules.answer(nr as i32, &args) {
            Action::Refuse(_, operation) => operation.name(),
            other => panic!("{other:?}"),
        };
        let mut buffer = [0; 128];
        format!("{operation} {}", String::from_utf8_lossy(rules.describe(nr as i32, &args, &mut buffer)))
    };
    assert_eq!(told(libc::SYS_mount, [1; 6]), "fs.mount mount()");
    assert_eq!(told(libc::SYS_ptrace, [16, 1, 0, 0, 0, 0]), "proc.ptrace ptrace()");
    assert_eq!(told(libc::SYS_socket, [17, 3, 0x300, 0, 0, 0]), "net.raw socket(0x11, 0x3, 0x300)");
    assert_eq!(told(libc::SYS_clone, [0x1000_0011, 5, 0, 0, 0, 0]), "sys.userns clone(0x10000011)");
    assert_eq!(told(libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0, 0, 0]), "ipc.terminal ioctl(_, 0x5412)");
    assert_eq!(told(libc::SYS_io_uring_setup, [8, 0, 0, 0, 0, 0]), "sys.io_uring io_uring_setup()");
}

#[test]
fn other_architectures_and_x32_are_closed() {
    let program = build(&EVERYTHING, &OWN, None);
    // The broker ends whoever makes one.
    assert_eq!(run(&program, I386, 11, [0; 6]), Action::Notify.code());
    if let Some(bit) = table::FOREIGN_BIT {
        for nr in 0..600 {
            assert_eq!(run(&program, table::ARCH, bit | nr, [0; 6]), errno(libc::ENOSYS));
        }
        assert_eq!(run(&program, table::ARCH, u32::MAX, [0; 6]), errno(libc::ENOSYS));
    }
}

#[test]
fn clone_cannot_make_namespaces_and_clone3_is_absent() {
    let guard = Guard::default();
    let high = 0xFFFF_FFFF_0000_0000u64;
    for flag in [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWCGROUP,
    ] {
        for upper in [0, high] {
            let flags = flag as u64 | libc::SIGCHLD as u64 | upper;
            assert_eq!(answer(&guard, libc::SYS_clone, [flags, 0, 0, 0, 0, 0]), errno(libc::EPERM));
        }
    }
    assert_eq!(answer(&guard, libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]), Action::Notify.code());
    assert_eq!(answer(&guard, libc::SYS_clone3, [0; 6]), errno(libc::ENOSYS));
}

#[test]
fn after_a_fork_by_the_c_library_it_is_the_new_process_that_asks() {
    let fork = (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD) as u64;
    let asks = |newborn_asks, nr: c_long, flags: u64| {
        let own = Own { newborn_asks, ..OWN };
        run(&build(&Guard::default(), &own, None), table::ARCH, nr as u32, [flags, 0, 0, 0, 0, 0])
    };
    let (allow, notify) = (Action::Allow.code(), Action::Notify.code());
    assert_eq!(
        (asks(true, libc::SYS_clone, fork), asks(true, libc::SYS_set_robust_list, 0)),
        (allow, notify)
    );
    assert_eq!(
        (asks(false, libc::SYS_clone, fork), asks(false, libc::SYS_set_robust_list, 0)),
        (notify, allow)
    );
    let others =
        [libc::CLONE_VM | libc::CLONE_VFORK, libc::CLONE_VM | libc::CLONE_THREAD, libc::CLONE_PARENT];
    for other in others {
        assert_eq!(asks(true, libc::SYS_clone, fork | other as u64), notify, "{other:#x}");
    }
    assert_eq!(asks(true, libc::SYS_clone, fork | libc::CLONE_NEWUSER as u64), errno(libc::EPERM));
}

#[test]
fn upper_bits_of_an_int_change_nothing() {
    let guard = Guard::default();
    for request in [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD, libc::TIOCCONS] {
        for upper in [0u64, 1 << 32, u64::MAX << 32] {
            assert_eq!(
                answer(&guard, libc::SYS_ioctl, [0, request | upper, 0, 0, 0, 0]),
                errno(libc::ENOTTY)
            );
        }
    }
    assert_eq!(answer(&guard, libc::SYS_ioctl, [0, libc::TCGETS, 0, 0, 0, 0]), Action::Allow.code());
    assert_eq!(
        answer(&guard, libc::SYS_ioctl, [0, libc::TCGETS | 1 << 40, 0, 0, 0, 0]),
        Action::Allow.code()
    );
}

#[test]
fn ids_that_are_not_ones_own_are_refused() {
    let guard = Guard::default();
    let (uid, gid, same) = (u64::from(OWN.uid), u64::from(OWN.gid), u64::from(u32::MAX));
    // For the kernel an id has 32 bits.
    let high = 1 << 32;
    let check = |nr: c_long, good: &[u64], at: usize, miss: u32| {
        let mut args = [0; 6];
        args[at..at + good.len()].copy_from_slice(good);
        assert_eq!(answer(&guard, nr, args), Action::Allow.code(), "{nr} {args:?}");
        for position in at..at + good.len() {
            for other in [0, 65534, (good[position - at] + 1) | high] {
                let mut args = args;
                args[position] = other;
                assert_eq!(answer(&guard, nr, args), miss, "{nr} {args:?}");
            }
            args[position] |= high;
            assert_eq!(answer(&guard, nr, args), Action::Allow.code(), "{nr} {args:?}");
            args[position] = same;
        }
        assert_eq!(answer(&guard, nr, args), Action::Allow.code(), "{nr} {args:?}");
    };
    let eperm = errno(libc::EPERM);
    check(libc::SYS_setuid, &[uid], 0, eperm);
    check(libc::SYS_setgid, &[gid], 0, eperm);
    check(libc::SYS_setreuid, &[uid, uid], 0, eperm);
    check(libc::SYS_setregid, &[gid, gid], 0, eperm);
    check(libc::SYS_setresuid, &[uid, uid, uid], 0, eperm);
    check(libc::SYS_setresgid, &[gid, gid, gid], 0, eperm);
    check(libc::SYS_fchown, &[uid, gid], 1, Action::Notify.code());
    check(libc::SYS_fchownat, &[uid, gid], 2, Action::Notify.code());
}

#[test]
fn the_limits_of_the_init_are_out_of_reach() {
    let guard = Guard::default();
    for (pid, expected) in [(0u64, Action::Allow.code()), (1, errno(libc::EPERM)), (2, Action::Allow.code())]
    {
        for upper in [0, 1 << 32] {
            for nr in [libc::SYS_prlimit64, libc::SYS_sched_setscheduler, libc::SYS_sched_setparam] {
                assert_eq!(answer(&guard, nr, [pid | upper, 0, 0, 0, 0, 0]), expected, "{nr}");
            }
            for which in [libc::PRIO_PROCESS, libc::PRIO_PGRP] {
                let args = [u64::from(which) | upper, pid | upper, 0, 0, 0, 0];
                assert_eq!(answer(&guard, libc::SYS_setpriority, args), expected);
            }
            let user = [u64::from(libc::PRIO_USER) | upper, pid, 0, 0, 0, 0];
            assert_eq!(answer(&guard, libc::SYS_setpriority, user), errno(libc::EPERM));
        }
    }
}

#[test]
fn priority_of_io_only_falls() {
    let set = |plain, who: u64, priority: u64| {
        run(
            &build(&Guard::default(), &OWN, plain),
            table::ARCH,
            libc::SYS_ioprio_set as u32,
            [1, who, priority, 0, 0, 0],
        )
    };
    let idle = 3 << 13;
    for plain in [None, Some(6)] {
        for priority in [idle, idle | 7, idle | 1 << 32] {
            assert_eq!(set(plain, 0, priority), Action::Allow.code(), "{priority:#x}");
        }
        // None, real time, best effort, and what is no class.
        for priority in [0, 1 << 13, 2 << 13, 7 << 13, idle | 1 << 16] {
            assert_eq!(set(plain, 0, priority), errno(libc::EPERM), "{priority:#x}");
        }
    }
    assert_eq!(set(None, 5, idle), Action::Allow.code());
    assert_eq!(set(Some(6), 5, idle), errno(libc::EPERM), "by number, processes are the host's");
}

#[test]
fn a_terminal_is_taken_only_where_none_of_the_host_can_be() {
    let take = |own: &Own| {
        run(
            &build(&EVERYTHING, own, None),
            table::ARCH,
            libc::SYS_ioctl as u32,
            [0, libc::TIOCSCTTY, 0, 0, 0, 0],
        )
    };
    assert_eq!(take(&OWN), Action::Allow.code());
    assert_eq!(take(&Own { may_take_terminal: false, ..OWN }), errno(libc::ENOTTY));
}

#[test]
fn sockets_are_of_three_families_and_plain_protocols() {
    let guard = Guard::default();
    let socket = |family: i32, kind: i32, protocol: i32| {
        answer(&guard, libc::SYS_socket, [family as u64, kind as u64, protocol as u64, 0, 0, 0])
    };
    for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6] {
        assert_eq!(socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0), Action::Allow.code());
        assert_eq!(socket(family, libc::SOCK_RAW, 0), errno(libc::EPERM));
    }
    for family in
        [libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG, libc::AF_CAN, libc::AF_TIPC]
    {
        assert_eq!(socket(family, libc::SOCK_STREAM, 0), errno(libc::EAFNOSUPPORT));
        let hidden = family as u64 | 1 << 32;
        assert_eq!(answer(&guard, libc::SYS_socket, [hidden, 1, 0, 0, 0, 0]), errno(libc::EAFNOSUPPORT));
    }
    for protocol in [libc::IPPROTO_MPTCP, libc::IPPROTO_SCTP, libc::IPPROTO_ICMP] {
        assert_eq!(socket(libc::AF_INET, libc::SOCK_STREAM, protocol), errno(libc::EPROTONOSUPPORT));
    }
    assert_eq!(answer(&guard, libc::SYS_socketpair, [1, 1, 0, 0, 0, 0]), Action::Allow.code());
}

#[test]
fn the_guard_sends_its_calls_to_the_broker_and_no_others() {
    assert_eq!(answer(&Guard::default(), libc::SYS_unlinkat, [0; 6]), Action::Notify.code());
    assert_eq!(answer(&EVERYTHING, libc::SYS_renameat2, [0; 6]), Action::Allow.code());
    let only_delete = Guard { delete: true, ..Guard::default() };
    assert_eq!(answer(&only_delete, libc::SYS_fchmod, [0; 6]), Action::Allow.code());
    assert_eq!(answer(&EVERYTHING, libc::SYS_fchmod, [0; 6]), Action::Notify.code());
    assert_eq!(answer(&EVERYTHING, 452, [0; 6]), Action::Notify.code());
    assert_eq!(answer(&EVERYTHING, libc::SYS_mkdirat, [0; 6]), Action::Allow.code());
}

#[test]
fn the_program_is_small() {
    // Installing costs about 1.2 us an instruction up to a few hundred (docs/performance.md).
    let length = build(&EVERYTHING, &OWN, None).program().len();
    println!(
        "{length} instructions, {} without a guard",
        build(&Guard::default(), &OWN, None).program().len()
    );
    assert!(length < 380, "{length} instructions");
}

#[test]
fn without_namespaces_what_reaches_the_host_is_refused_or_asked_for() {
    let answer = |abi, nr: c_long, args: [u64; 6]| {
        run(&build(&Guard::default(), &OWN, Some(abi)), table::ARCH, nr as u32, args)
    };
    for abi in 1..=8 {
        let socketpair = |kind: i32| answer(abi, libc::SYS_socketpair, [1, kind as u64, 0, 0, 0, 0]);
        assert_eq!(socketpair(libc::SOCK_STREAM), Action::Allow.code());
        assert_eq!(socketpair(libc::SOCK_DGRAM), errno(libc::EPERM));
        assert_eq!(answer(abi, libc::SYS_socket, [1, 1, 0, 0, 0, 0]), errno(libc::EACCES));
        for nr in [libc::SYS_connect, libc::SYS_bind, libc::SYS_shmget, libc::SYS_mq_open, libc::SYS_semget] {
            assert_eq!(answer(abi, nr, [0; 6]), errno(libc::EPERM), "{nr}");
        }
        for nr in [libc::SYS_fchmodat, libc::SYS_fchownat, libc::SYS_setxattr, libc::SYS_utimensat] {
            assert_eq!(answer(abi, nr, [0; 6]), Action::Notify.code(), "{nr}");
        }
        assert_eq!(answer(abi, libc::SYS_unlinkat, [0; 6]), Action::Allow.code());
        assert_eq!(answer(abi, libc::SYS_openat, [0; 6]), Action::Notify.code());
        let cuts = [0, 0, libc::O_TRUNC as u64, 0, 0, 0];
        let held = abi >= 3;
        let lends = [0, 0, (libc::O_CREAT | libc::O_WRONLY) as u64, 0o4755, 0, 0];
        assert_eq!(answer(abi, libc::SYS_openat, lends), errno(libc::EPERM));
        assert_eq!(answer(abi, libc::SYS_openat2, [0; 6]), errno(libc::ENOSYS));
        assert_eq!(
            answer(abi, libc::SYS_fcntl, [0, libc::F_SETLEASE as u64, 0, 0, 0, 0]),
            errno(libc::EPERM)
        );
        assert_eq!(answer(abi, libc::SYS_openat, cuts) == Action::Notify.code(), held, "{abi}");
        assert_eq!(answer(abi, libc::SYS_truncate, [0; 6]) == Action::Allow.code(), held, "{abi}");
        let kill = if abi >= 6 { Action::Allow } else { Action::Notify };
        assert_eq!(answer(abi, libc::SYS_kill, [1, 9, 0, 0, 0, 0]), kill.code(), "{abi}");
        for command in [libc::F_SETOWN as u64, 15, libc::F_SETOWN as u64 | 1 << 32] {
            assert_eq!(answer(abi, libc::SYS_fcntl, [0, command, 1, 0, 0, 0]), errno(libc::EPERM));
        }
        assert_eq!(answer(abi, libc::SYS_fcntl, [0, 1, 1, 0, 0, 0]), Action::Allow.code());
        // By number, processes are the host's.
        assert_eq!(answer(abi, libc::SYS_prlimit64, [0; 6]), Action::Allow.code());
        for pid in [1, 2, 1 << 32 | 7] {
            assert_eq!(answer(abi, libc::SYS_prlimit64, [pid, 0, 0, 0, 0, 0]), errno(libc::EPERM));
        }
        assert_eq!(answer(abi, libc::SYS_setpriority, [0, 1, 0, 0, 0, 0]), errno(libc::EPERM));
        assert_eq!(answer(abi, libc::SYS_setpriority, [0, 0, 5, 0, 0, 0]), Action::Allow.code());
        assert_eq!(
            answer(abi, libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as u64, 0, 0, 0, 0, 0]),
            errno(libc::EPERM)
        );
    }
}

/// What the page of threats says about the filter, counted from the rules of a run with every default.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_threat_model_has_the_numbers_of_the_table() {
    let blocked = Guard { xattr: false, ..EVERYTHING };
    let own = Own { newborn_asks: true, file_attempts: true, ..OWN };
    let rules = build(&blocked, &own, None).0;
    let count = |which: &dyn Fn(&Rule) -> bool| rules.values().filter(|rule| which(rule)).count();
    let asks = |tests: &[super::bpf::Test]| {
        tests.iter().flat_map(|test| [test.hit, test.miss]).any(|action| action == Some(Action::Notify))
    };
    let refused =
        |errno| count(&|rule| matches!(rule, Rule::Always(Action::Refuse(number, _)) if *number == errno));
    let rows = [
        ("allowed, whatever the arguments", count(&|rule| *rule == Rule::Always(Action::Allow))),
        ("allowed for some arguments", count(&|rule| matches!(rule, Rule::Tests(tests) if !asks(tests)))),
        (
            "for some arguments sent to the init",
            count(&|rule| matches!(rule, Rule::Tests(tests) if asks(tests))),
        ),
        ("always sent to the init", count(&|rule| *rule == Rule::Always(Action::Notify))),
        ("refused (`EPERM`) and recorded", refused(libc::EPERM)),
        ("absent (`ENOSYS`) and recorded", refused(libc::ENOSYS)),
        ("requests of `ioctl`", table::ioctls(&own).len()),
        ("options of `prctl`", table::prctls().len()),
    ];
    let reached = rules.len() - rows[4].1 - rows[5].1;
    assert_eq!(rows[..4].iter().map(|(_, count)| count).sum::<usize>(), reached);
    let page = include_str!("../../../../docs/threat-model.md");
    let rows = rows.into_iter().chain([("**numbers that do something**", reached)]);
    let lines = rows.map(|(what, count)| format!("| {what} | {count} |"));
    let missing: Vec<String> = lines.filter(|line| !page.contains(line)).collect();
    assert!(missing.is_empty(), "docs/threat-model.md has no line\n{}", missing.join("\n"));
}

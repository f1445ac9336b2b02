//! What the filter says to calls that open, make, rename and remove files.

use super::*;

#[test]
fn what_is_done_to_files_comes_to_the_broker_where_attempts_are_told_and_is_refused_as_ever() {
    let notify = Action::Notify.code();
    let with = |file_attempts| build(&Guard::default(), &Own { file_attempts, ..OWN }, None);
    let answer = |rules: &Rules, nr: c_long, args| run(rules, table::ARCH, nr as u32, args);
    let (told, untold) = (with(true), with(false));
    let mut asked = BTreeSet::new();
    for nr in 0..600 {
        let (now, before) = (answer(&told, nr, [0; 6]), answer(&untold, nr, [0; 6]));
        if now != before {
            assert_eq!((now, before), (notify, Action::Allow.code()), "{nr}");
            asked.insert(nr);
        }
    }
    // What opens, makes, renames, removes, links, cuts, executes, and where a process goes.
    for nr in
        [libc::SYS_openat, libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_symlinkat, libc::SYS_mknodat]
    {
        assert!(asked.contains(&nr), "{nr}");
    }
    for nr in [libc::SYS_truncate, libc::SYS_execve, libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_utimensat] {
        assert!(asked.contains(&nr), "{nr}");
    }
    // Reading what is open and asking about files do not come.
    for nr in
        [libc::SYS_read, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_faccessat, libc::SYS_getdents64]
    {
        assert!(!asked.contains(&nr), "{nr}");
    }
    let set_id = (libc::O_CREAT as u64, 0o4755);
    assert_eq!(answer(&told, libc::SYS_openat, [0, 0, set_id.0, set_id.1, 0, 0]), errno(libc::EPERM));
    assert_eq!(answer(&told, libc::SYS_renameat2, [0, 0, 0, 0, 4, 0]), errno(libc::EPERM));
}

#[test]
fn beside_a_lookout_what_is_read_is_asked_for_only_where_its_name_begins_at_a_descriptor() {
    let own = Own { file_attempts: true, has_lookout: true, ..OWN };
    let rules = build(&Guard::default(), &own, None);
    let openat = |dirfd: u64, flags: i32, mode: u64| {
        run(&rules, table::ARCH, libc::SYS_openat as u32, [dirfd, 0, flags as u64, mode, 0, 0])
    };
    let (allow, notify) = (Action::Allow.code(), Action::Notify.code());
    let cwd = libc::AT_FDCWD;
    // For the kernel it has 32 bits.
    for here in [cwd as u64, u64::from(cwd as u32), u64::from(cwd as u32) | 7 << 32] {
        assert_eq!(openat(here, libc::O_RDONLY, 0o4755), allow, "{here:#x}");
        assert_eq!(openat(here, libc::O_RDWR, 0), notify, "{here:#x}");
    }
    for elsewhere in [0, 3, u64::MAX, 1 << 32, !0xFFFF_FFFF] {
        assert_eq!(openat(elsewhere, libc::O_RDONLY, 0o4755), notify, "{elsewhere:#x}");
    }
    for dirfd in [3, cwd as u64] {
        assert_eq!(openat(dirfd, libc::O_CREAT | libc::O_WRONLY, 0o644), notify);
        assert_eq!(openat(dirfd, libc::O_CREAT | libc::O_WRONLY, 0o4755), errno(libc::EPERM));
    }
}

#[test]
fn opens_that_write_are_asked_for_only_where_files_are_to_be_made() {
    let open = |guard: &Guard, flags: i32| answer(guard, libc::SYS_openat, [0, 0, flags as u64, 0o644, 0, 0]);
    let new = Guard { new_files: vec!["/project/state.json".into()], ..Guard::default() };
    for flags in [libc::O_RDONLY, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC] {
        assert_eq!(open(&new, flags), Action::Allow.code());
    }
    for flags in [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC, libc::O_ACCMODE] {
        assert_eq!(open(&new, flags), Action::Notify.code());
        assert_eq!(open(&Guard::default(), flags), Action::Allow.code());
    }
}

#[test]
fn files_that_lend_their_owner_are_not_made() {
    let guard = Guard::default();
    let make = (libc::O_CREAT | libc::O_WRONLY) as u64;
    let temporary = (libc::O_TMPFILE | libc::O_WRONLY) as u64;
    for bits in [libc::S_ISUID, libc::S_ISGID] {
        let mode = u64::from(bits | 0o755);
        for flags in [make, temporary, make | 1 << 40] {
            assert_eq!(answer(&guard, libc::SYS_openat, [0, 0, flags, mode, 0, 0]), errno(libc::EPERM));
            assert_eq!(answer(&guard, libc::SYS_openat, [0, 0, flags, 0o755, 0, 0]), Action::Allow.code());
        }
        // Nothing is made: whatever stands in the place of the mode.
        let directory = libc::O_DIRECTORY as u64;
        assert_eq!(answer(&guard, libc::SYS_openat, [0, 0, directory, mode, 0, 0]), Action::Allow.code());
        assert_eq!(answer(&guard, libc::SYS_mknodat, [0, 0, mode, 0, 0, 0]), errno(libc::EPERM));
        // Changing one is the broker's to judge, blocked or not.
        assert_eq!(answer(&guard, libc::SYS_fchmodat, [0, 0, mode, 0, 0, 0]), Action::Notify.code());
        assert_eq!(answer(&guard, 452, [0, 0, mode | 1 << 40, 0, 0, 0]), Action::Notify.code());
    }
    assert_eq!(answer(&guard, libc::SYS_openat2, [0; 6]), errno(libc::ENOSYS));
}

#[test]
fn whiteouts_and_leases_are_refused() {
    let guard = Guard::default();
    let rename = |flags| answer(&guard, libc::SYS_renameat2, [0, 0, 0, 0, flags, 0]);
    assert_eq!(rename(u64::from(libc::RENAME_WHITEOUT)), errno(libc::EPERM));
    assert_eq!(rename(u64::from(libc::RENAME_EXCHANGE)), Action::Allow.code());
    let fcntl = |command: i32| answer(&guard, libc::SYS_fcntl, [0, command as u64 | 1 << 32, 0, 0, 0, 0]);
    assert_eq!(fcntl(libc::F_SETLEASE), errno(libc::EPERM));
    assert_eq!(fcntl(libc::F_GETFL), Action::Allow.code());
}

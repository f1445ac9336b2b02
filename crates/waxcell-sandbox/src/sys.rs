//! Every `unsafe` block of the project: system calls that `rustix` does not offer, each behind a safe function. Long because
//! it is the one place for all of them, one short function a call; what needs no `unsafe` is elsewhere.
//!
//! Nothing here allocates. The stage calls these functions between `clone3` and `execve`, where another thread of the parent
//! may have held the allocator's lock.
#![allow(unsafe_code, reason = "this file is the fence: the lint denies unsafe everywhere else")]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_void};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;

/// The result of a system call.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

fn check(result: c_long) -> Result<c_long> {
    if result < 0 {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL))
    } else {
        Ok(result)
    }
}

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The new process.
    Child,
    /// The caller, with the new process's id and descriptor.
    Parent { pid: i32, pidfd: OwnedFd },
}

/// `clone3(2)` as a fork: new namespaces as in `flags`, optionally born in a cgroup v2 group.
///
/// The child shares no memory with the parent. It must not allocate, and ends with [`exit`] or [`execve`].
pub(crate) fn fork(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Fork> {
    let mut pidfd: RawFd = -1;
    // SAFETY: `clone_args` is plain data for which all zeroes is the documented "nothing asked".
    let mut args: libc::clone_args = unsafe { zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        // In 64 bits; libc's constant of this name overflows.
        const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child runs on its own copy of this stack, so returning twice is a fork; the kernel
    // writes one int to `pidfd`, which lives until after the call.
    let pid =
        check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        return Ok(Fork::Child);
    }
    // SAFETY: on success with CLONE_PIDFD the kernel stored a new descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Fork::Parent { pid: pid as i32, pidfd })
}

/// [`fork`] by the older `clone(2)`, for hosts whose outer filter hides `clone3`. The same rules hold.
pub(crate) fn fork_by_clone(flags: u64) -> Result<Fork> {
    let mut pidfd: RawFd = -1;
    let flags = flags | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64;
    let none = 0u64;
    // SAFETY: without CLONE_VM and with no new stack the child runs on its own copy of this one, so returning twice is a
    // fork; the kernel writes one int to the third argument, which lives until after the call (the order of the last
    // two, both unused here, is what differs between architectures).
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, none, &raw mut pidfd, none, none) })?;
    if pid == 0 {
        return Ok(Fork::Child);
    }
    // SAFETY: on success with CLONE_PIDFD the kernel stored a new descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Fork::Parent { pid: pid as i32, pidfd })
}

/// `fork(2)` by the C library, which holds its own locks meanwhile: the child may allocate, whatever other threads of the
/// parent were about. It ends with [`exit`].
pub(crate) fn fork_by_library() -> Result<Fork> {
    // SAFETY: the child runs on its own copy of this stack; of the parent's other threads it has nothing but what they held
    // in memory, and nothing of ours that they could hold is used there.
    let pid = check(c_long::from(unsafe { libc::fork() }))?;
    let Some(child) = rustix::process::Pid::from_raw(pid as i32) else { return Ok(Fork::Child) };
    // Until it is waited for, its number is nobody else's.
    match rustix::process::pidfd_open(child, rustix::process::PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Fork::Parent { pid: pid as i32, pidfd }),
        Err(errno) => {
            let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
            Err(errno)
        }
    }
}

/// A process of its own that shares this one's memory and does nothing but hold namespaces until it is killed, or until
/// `alive` reads its end. Sharing saves the copy of all page tables.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    /// Where it runs: may go only when it is gone.
    _stack: Box<[u128]>,
}

impl Parked {
    pub(crate) fn new(flags: c_int, alive: BorrowedFd<'_>) -> Result<Parked> {
        extern "C" fn park(alive: *mut c_void) -> c_int {
            let alive = alive as usize as RawFd;
            // Errors change nothing: it is killed all the same. No call here that fails may be one of libc's, whose
            // `errno` is the parent's as well.
            // SAFETY: the number is that of a descriptor in this process's own copy of the table, which it holds to
            // its end.
            let alive = unsafe { BorrowedFd::borrow_raw(alive) };
            let _ = close_all_but(&[alive.as_raw_fd()]);
            let _ = rustix::io::read(alive, &mut [0u8; 1]);
            0
        }
        const STACK: usize = 32 * 1024;
        let mut stack = vec![0u128; STACK / size_of::<u128>()].into_boxed_slice();
        let mut pidfd: RawFd = -1;
        // SAFETY: `park` gets a stack of its own, aligned as every ABI asks, which lives until the process has been
        // waited for (`Drop`); it writes to nothing else, and takes a number for argument. The kernel writes one int
        // to `pidfd`, which lives until after the call.
        let pid = check(c_long::from(unsafe {
            let top = stack.as_mut_ptr_range().end;
            libc::clone(
                park,
                top.cast(),
                flags | libc::CLONE_VM | libc::CLONE_PIDFD | libc::SIGCHLD,
                alive.as_raw_fd() as usize as *mut c_void,
                &raw mut pidfd,
            )
        }))?;
        // SAFETY: on success with CLONE_PIDFD the kernel stored a new descriptor that nobody else owns.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Parked { pid: pid as i32, pidfd, _stack: stack })
    }

    /// Ends it, without waiting.
    pub(crate) fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        self.kill();
        // Until it is gone it stands on our stack.
        while waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED)
            .is_err_and(|e| e == Errno::INTR)
        {}
    }
}

/// Moves this process into namespaces of its own (`unshare(2)`).
pub(crate) fn unshare(flags: u64) -> Result<()> {
    // SAFETY: takes flags alone; no flag of a namespace touches memory.
    check(unsafe { libc::syscall(libc::SYS_unshare, flags) }).map(drop)
}

/// Gives the memory of this program's own code back. What is still needed comes back page by page from the file, so a
/// process that waits holds only what it waits with (`madvise(2)`, `MADV_DONTNEED`).
pub fn shed_code() {
    unsafe extern "C" {
        // The linker's names for where the mapping of the program begins and its code ends (`end(3)`).
        static __executable_start: c_char;
        static etext: c_char;
    }
    const PAGE: usize = 4096;
    let start = (&raw const __executable_start as usize).next_multiple_of(PAGE);
    let end = &raw const etext as usize / PAGE * PAGE;
    // SAFETY: from the one to the other the file is mapped read-only and nothing was ever written there (static-pie has
    // no text relocations), so every page reads the same when it is mapped in again. A failure leaves all as it is.
    unsafe { libc::madvise(start as *mut c_void, end.saturating_sub(start), libc::MADV_DONTNEED) };
}

/// Ends the process at once, without running anything of the parent's at-exit work.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: `_exit` takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// A null-terminated array of C strings, as `execve` wants it, made before the fork.
#[derive(Debug)]
pub(crate) struct CStrArray {
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl CStrArray {
    pub(crate) fn new(strings: Vec<CString>) -> CStrArray {
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        CStrArray { _strings: strings, pointers }
    }
}

/// `execve(2)`. Returns only if it failed.
pub(crate) fn execve(path: &CStr, argv: &CStrArray, env: &CStrArray) -> Errno {
    // SAFETY: both arrays end in a null pointer, and their strings live as long as the arrays.
    unsafe { libc::execve(path.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr()) };
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// A descriptor that this process was given by the one that executed it.
pub(crate) fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: takes two numbers.
    check(c_long::from(unsafe { libc::fcntl(number, libc::F_GETFD) }))?;
    // SAFETY: it is open, and nothing else in this process, which has just begun, has it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `mount_setattr(2)` on the mount that `fd` refers to. What is mounted on it from here on is not mounted on what it is a
/// copy of: a copy made in the host's mount namespace is otherwise a peer of the host's own (`mount_namespaces(7)`).
pub(crate) fn mount_setattr(
    fd: BorrowedFd<'_>,
    recursive: bool,
    set: u64,
    clear: u64,
    userns: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let attr = libc::mount_attr {
        attr_set: set,
        attr_clr: clear,
        propagation: libc::MS_PRIVATE,
        userns_fd: userns.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the kernel reads the path (a literal) and the structure during the call only.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })?;
    Ok(())
}

/// `close_range(2)` from `first` up: marks all of them to be closed by `execve`.
pub(crate) fn cloexec_from(first: c_uint) -> Result<()> {
    // SAFETY: takes three numbers; marking close-on-exec closes nothing now, so no owner is deceived.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) })?;
    Ok(())
}

/// Closes every descriptor from 3 up that is not in `keep`, which is sorted: a fork has copies of all that any thread of
/// the parent had open at that moment, and what is held open by accident keeps pipes and sockets alive.
pub(crate) fn close_all_but(keep: &[RawFd]) -> Result<()> {
    let close = |first: c_uint, last: c_uint| {
        if first > last {
            return Ok(0);
        }
        // SAFETY: takes three numbers. What is closed is owned by values of the parent that this process never drops:
        // it ends in `execve` or `_exit`.
        check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0 as c_uint) })
    };
    let mut first = 3;
    for fd in keep.iter().map(|fd| *fd as c_uint).filter(|fd| *fd >= 3) {
        close(first, fd.saturating_sub(1))?;
        first = fd + 1;
    }
    close(first, c_uint::MAX)?;
    Ok(())
}

/// Installs a seccomp filter for this thread (`seccomp(2)`, `SECCOMP_SET_MODE_FILTER`), with a listener if asked.
pub(crate) fn install_filter(program: &[libc::sock_filter], listener: bool) -> Result<Option<OwnedFd>> {
    let fprog = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    let set = |flags: u64| {
        // SAFETY: the kernel copies the filter before it returns and does not write to it.
        check(unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags as c_uint, &raw const fprog)
        })
    };
    if !listener {
        set(0)?;
        return Ok(None);
    }
    let new = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Linux 5.19: a call once taken by the broker is only interrupted by a deadly signal, so that it is never done twice.
    const WAIT_KILLABLE_RECV: u64 = 1 << 5;
    let fd = match set(new | WAIT_KILLABLE_RECV) {
        Err(Errno::INVAL) => set(new)?,
        other => other?,
    };
    // SAFETY: with NEW_LISTENER the result is a new descriptor that nobody else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd as RawFd) }))
}

/// Whether the kernel knows a seccomp action (`SECCOMP_GET_ACTION_AVAIL`).
pub(crate) fn seccomp_action_available(action: u32) -> bool {
    // SAFETY: the kernel reads one u32.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// Whether the kernel knows these flags of `SECCOMP_SET_MODE_FILTER`. Installs nothing: flags are judged before the
/// filter is looked at, and there is none.
pub(crate) fn seccomp_flags_known(flags: u64) -> Result<bool> {
    // SAFETY: the kernel checks the null pointer and reads nothing.
    match check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags as c_uint,
            ptr::null::<c_void>(),
        )
    }) {
        Err(Errno::FAULT) => Ok(true),
        Err(Errno::INVAL) => Ok(false),
        Err(errno) => Err(errno),
        Ok(_) => Ok(false),
    }
}

/// What a process asked for under a filter that notifies.
#[derive(Clone, Copy)]
pub(crate) struct Notification {
    pub(crate) id: u64,
    /// Thread id in the reader's process-id namespace.
    pub(crate) tid: u32,
    /// Whose number it is (`AUDIT_ARCH_*`): the same number means other calls to other architectures.
    pub(crate) arch: u32,
    pub(crate) nr: i32,
    pub(crate) args: [u64; 6],
    pub(crate) waits_for: Door,
}

/// Where a call is held until it has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// By the filter, before the kernel begins with it.
    Filter,
    /// By the lookout, at a name.
    Lookout,
}

/// Asks that whoever waits for the other is woken on the processor of the one who acts (Linux 6.6): one of the two
/// always sleeps, so a second processor is only farther away. Older kernels do without.
pub(crate) fn notification_wake_here(listener: BorrowedFd<'_>) {
    const SET_FLAGS: libc::Ioctl = 0x4008_2104;
    const SYNC_WAKE_UP: u64 = 1;
    // SAFETY: takes a descriptor and a number; the flags are passed by value.
    unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) };
}

/// Takes one notification from a seccomp listener.
pub(crate) fn notification_receive(listener: BorrowedFd<'_>) -> Result<Notification> {
    // SAFETY: plain data; the kernel demands that the structure is zeroed before the call.
    let mut notif: libc::seccomp_notif = unsafe { zeroed() };
    // SAFETY: the kernel writes one `seccomp_notif`, whose size is part of the request number.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV as _, &raw mut notif) as c_long
    })?;
    let libc::seccomp_data { nr, arch, args, .. } = notif.data;
    Ok(Notification { id: notif.id, tid: notif.pid, arch, nr, args, waits_for: Door::Filter })
}

/// How a notified call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel goes on with the call. Only for calls judged by register values, never by memory.
    Continue,
    /// The call returns 0: it was done on the script's behalf.
    Done,
    /// The call returns this descriptor, which was put into the asking process ([`notification_give`]).
    Given(i32),
    /// The call fails.
    Fail(Errno),
}

/// Answers a notification. `ENOENT` means that the asking process is gone.
pub(crate) fn notification_answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> Result<()> {
    let mut resp = libc::seccomp_notif_resp { id, val: 0, error: 0, flags: 0 };
    match answer {
        Answer::Continue => resp.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        Answer::Done => {}
        Answer::Given(number) => resp.val = number.into(),
        Answer::Fail(errno) => resp.error = -errno.raw_os_error(),
    }
    // SAFETY: the kernel reads one `seccomp_notif_resp`.
    check(unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND as _, &raw mut resp) as c_long
    })?;
    Ok(())
}

/// Puts a copy of a descriptor into the asking process (`SECCOMP_IOCTL_NOTIF_ADDFD`, Linux 5.9); returns its number
/// there.
pub(crate) fn notification_give(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    close_on_exec: bool,
) -> Result<i32> {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: 0,
        srcfd: fd.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    // `_IOW('!', 3, struct seccomp_notif_addfd)`, the same on both architectures.
    const ADDFD: u64 = 0x4018_2103;
    // SAFETY: the kernel reads one `seccomp_notif_addfd`, whose size is part of the request number.
    let number =
        check(unsafe { libc::ioctl(listener.as_raw_fd(), ADDFD as _, &raw const request) as c_long })?;
    Ok(number as i32)
}

/// Whether the asking process is still waiting, so that what was read of it was its own.
pub(crate) fn notification_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one u64.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID as _, &raw const id) == 0 }
}

/// Reads memory of another process (`process_vm_readv(2)`) from one address into `buffer`; returns what was read.
pub(crate) fn read_memory(pid: u32, address: u64, buffer: &mut [u8]) -> Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast::<c_void>(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut c_void, iov_len: buffer.len() };
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`; the remote address is checked by the kernel.
    let read = check(unsafe {
        libc::process_vm_readv(pid as i32, &raw const local, 1, &raw const remote, 1, 0) as c_long
    })?;
    Ok(read as usize)
}

/// The Landlock ABI of this kernel, or why there is none: not built (`ENOSYS`) or not started (`EOPNOTSUPP`).
pub(crate) fn landlock_version() -> Result<u32> {
    const VERSION: c_uint = 1;
    // SAFETY: asking for the version takes no structure.
    let abi = check(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<c_void>(), 0usize, VERSION)
    })?;
    Ok(abi as u32)
}

/// `struct landlock_ruleset_attr` as of ABI 6; a kernel that knows less is given fewer bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LandlockRuleset {
    pub(crate) handled_access_fs: u64,
    pub(crate) handled_access_net: u64,
    pub(crate) scoped: u64,
}

/// Makes a Landlock rule set from the first `size` bytes of `attr`.
pub(crate) fn landlock_ruleset(attr: &LandlockRuleset, size: usize) -> Result<OwnedFd> {
    assert!(size <= size_of::<LandlockRuleset>());
    // SAFETY: the kernel reads `size` bytes of a structure that is at least as large.
    let fd = check(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::from_ref(attr), size, 0 as c_uint)
    })?;
    // SAFETY: the result is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Adds a rule for the file hierarchy at `path` (`landlock_add_rule(2)`).
pub(crate) fn landlock_allow(ruleset: BorrowedFd<'_>, path: BorrowedFd<'_>, access: u64) -> Result<()> {
    const PATH_BENEATH: c_uint = 1;
    #[repr(C, packed)]
    struct PathBeneath {
        allowed_access: u64,
        parent_fd: i32,
    }
    let attr = PathBeneath { allowed_access: access, parent_fd: path.as_raw_fd() };
    // SAFETY: the kernel reads one packed structure of this layout for this rule type.
    check(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            PATH_BENEATH,
            &raw const attr,
            0 as c_uint,
        )
    })?;
    Ok(())
}

/// Restricts this thread (`landlock_restrict_self(2)`).
pub(crate) fn landlock_restrict(ruleset: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes a descriptor and a number.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0 as c_uint) })?;
    Ok(())
}

/// A set of signals.
#[derive(Clone, Copy)]
pub struct SignalSet(libc::sigset_t);

impl std::fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: reads only the set; numbers that are no signal give -1.
        let members = (1..=64).filter(|signal| unsafe { libc::sigismember(&raw const self.0, *signal) } == 1);
        f.debug_set().entries(members).finish()
    }
}

impl SignalSet {
    /// The set of these signals.
    pub fn of(signals: &[c_int]) -> SignalSet {
        // SAFETY: `sigset_t` is plain data that `sigemptyset` initialises; both calls write only to it.
        unsafe {
            let mut set: libc::sigset_t = zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in signals {
                libc::sigaddset(&raw mut set, *signal);
            }
            SignalSet(set)
        }
    }

    /// The set of all signals.
    pub fn all() -> SignalSet {
        // SAFETY: as in `of`.
        unsafe {
            let mut set: libc::sigset_t = zeroed();
            libc::sigfillset(&raw mut set);
            SignalSet(set)
        }
    }

    /// This set and one signal more.
    #[must_use]
    pub fn with(mut self, signal: c_int) -> SignalSet {
        // SAFETY: writes only to the set.
        unsafe { libc::sigaddset(&raw mut self.0, signal) };
        self
    }

    /// Adds the set to the calling thread's blocked signals; returns what was blocked before.
    pub fn block(&self) -> SignalSet {
        self.mask(libc::SIG_BLOCK)
    }

    /// Makes the set the calling thread's blocked signals; returns what was blocked before.
    pub fn set(&self) -> SignalSet {
        self.mask(libc::SIG_SETMASK)
    }

    fn mask(&self, how: c_int) -> SignalSet {
        // SAFETY: reads one set, writes the other; cannot fail with a valid `how`.
        unsafe {
            let mut old: libc::sigset_t = zeroed();
            libc::pthread_sigmask(how, &raw const self.0, &raw mut old);
            SignalSet(old)
        }
    }

    /// A descriptor from which these signals are read instead of being delivered (`signalfd(2)`); block them first.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: reads one set; the result is a new descriptor that nobody else owns.
        unsafe {
            let fd = libc::signalfd(-1, &raw const self.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
        }
    }
}

/// A signal read from a [`SignalSet::descriptor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedSignal {
    /// Its number.
    pub signal: c_int,
    /// Whether the kernel itself sent it (a key on the terminal), rather than a process.
    pub from_kernel: bool,
}

/// Takes one signal from a descriptor, `None` if there is none.
pub fn read_signal(fd: BorrowedFd<'_>) -> Option<ReceivedSignal> {
    // SAFETY: `signalfd_siginfo` is plain data, and the kernel writes exactly one.
    unsafe {
        let mut info: libc::signalfd_siginfo = zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        let read = libc::read(fd.as_raw_fd(), (&raw mut info).cast::<c_void>(), size);
        (read == size as isize).then_some(ReceivedSignal {
            signal: info.ssi_signo as c_int,
            from_kernel: info.ssi_code == libc::SI_KERNEL,
        })
    }
}

/// Gives a signal its default action.
pub(crate) fn default_action(signal: c_int) {
    // SAFETY: SIG_DFL installs no handler, so no code of ours runs in signal context.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// `kill(2)` with the special process ids (`-1` for everybody, `-n` for a group).
pub(crate) fn kill(pid: i32, signal: c_int) -> Result<()> {
    // SAFETY: takes two numbers.
    check(unsafe { libc::kill(pid, signal) as c_long })?;
    Ok(())
}

/// `pidfd_send_signal(2)` with any number, 0 included.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: c_int) -> Result<()> {
    // SAFETY: takes numbers, and no information that would have to be read.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            ptr::null::<c_void>(),
            0 as c_uint,
        )
    })?;
    Ok(())
}

/// Resources used by children that were waited for (`getrusage(2)`, `RUSAGE_CHILDREN`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChildrenUsage {
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    /// Largest resident size of one process, in KiB.
    pub(crate) max_rss_kib: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

pub(crate) fn children_usage() -> ChildrenUsage {
    // SAFETY: `rusage` is plain data, and the kernel writes one.
    let usage = unsafe {
        let mut usage: libc::rusage = zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let micros = |t: libc::timeval| t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64;
    ChildrenUsage {
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        max_rss_kib: usage.ru_maxrss as u64,
        voluntary_switches: usage.ru_nvcsw as u64,
        involuntary_switches: usage.ru_nivcsw as u64,
    }
}

/// Sets the `IFF_UP` flag of the loopback interface (`netdevice(7)`, `SIOCSIFFLAGS`) through any socket.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: `ifreq` is plain data; the kernel reads the name and the flags.
    check(unsafe {
        let mut request: libc::ifreq = zeroed();
        request.ifr_name[0] = b'l' as c_char;
        request.ifr_name[1] = b'o' as c_char;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as i16;
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) as c_long
    })?;
    Ok(())
}

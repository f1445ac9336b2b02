//! The few facts that the init and the supervisor read from `/proc` (`proc(5)`); but for [`whole`] without allocating.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::fs::{self, AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::members::Members;
use crate::wire::IoCounters;

/// Where the init stands, and finds processes: the way through the root would lead past the lookout, which has to be asked
/// by whoever comes by. What takes a thread by its number alone is for whoever stands there.
pub(crate) const HERE: &CStr = c".";

/// Writes `parts`, then a number, into `buffer` as a C string.
pub(crate) fn join<'a>(parts: &[&[u8]], number: u32, buffer: &'a mut [u8]) -> Result<&'a CStr, Errno> {
    let mut digits = [0u8; 10];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let mut length = 0;
    for part in parts.iter().copied().chain([&digits[at..], b"\0"]) {
        buffer.get_mut(length..length + part.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(part);
        length += part.len();
    }
    CStr::from_bytes_with_nul(&buffer[..length]).map_err(|_| Errno::INVAL)
}

/// Opens an entry of a process's directory.
pub(crate) fn open(pid: u32, entry: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut buffer = [0u8; 32];
    let dir = fs::open(join(&[], pid, &mut buffer)?, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    fs::openat(&dir, entry, flags, Mode::empty())
}

/// Calls `each` with a `/proc` and the name of every process in it; returns how many there are.
pub(crate) fn processes_in(
    proc: BorrowedFd<'_>,
    each: &mut impl FnMut(BorrowedFd<'_>, &CStr),
) -> Result<u64, Errno> {
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(proc, &mut buffer);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if entry.file_name().to_bytes()[0].is_ascii_digit() {
            count += 1;
            each(proc, entry.file_name());
        }
    }
    Ok(count)
}

/// How many threads a process has: its `task` directory has a link for each beside the usual two.
pub(crate) fn threads(proc: BorrowedFd<'_>, process: &CStr) -> u64 {
    let mut path = [0u8; 32];
    let Some(path) = entry(process, b"/task", &mut path) else { return 0 };
    fs::statat(proc, path, AtFlags::empty())
        .map_or(0, |stat| u64::from(stat.st_nlink as u32).saturating_sub(2))
}

/// Calls `each` for every child of a process, those of each thread (`proc_tid_children(5)`).
pub(crate) fn children(proc: BorrowedFd<'_>, process: &CStr, each: &mut impl FnMut(u32)) {
    let mut path = [0u8; 32];
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Some(path) = entry(process, b"/task", &mut path) else { return };
    let Ok(tasks) = fs::openat(proc, path, flags, Mode::empty()) else { return };
    // A thread that has ended in between has left its children to another.
    let _ = processes_in(tasks.as_fd(), &mut |tasks, thread| {
        let mut path = [0u8; 32];
        let Some(path) = entry(thread, b"/children", &mut path) else { return };
        let Ok(file) = fs::openat(tasks, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
            return;
        };
        let mut buffer = [0u8; 1024];
        let mut child = None::<u32>;
        while let Ok(read @ 1..) = rustix::io::read(&file, &mut buffer[..]) {
            for byte in &buffer[..read] {
                match byte {
                    b'0'..=b'9' => child = Some(child.unwrap_or(0) * 10 + u32::from(byte - b'0')),
                    _ => child.take().into_iter().for_each(&mut *each),
                }
            }
        }
        child.into_iter().for_each(&mut *each);
    });
}

/// The parent of a process.
pub(crate) fn parent(proc: BorrowedFd<'_>, process: u32) -> Option<u32> {
    let mut name = [0u8; 32];
    let mut buffer = [0u8; 1024];
    let text = read_entry(proc, join(&[], process, &mut name).ok()?, b"/stat", &mut buffer)?;
    number(stat_fields(text)?.nth(1)?, 10).map(|parent| parent as u32)
}

/// The process group of a process.
pub(crate) fn group(proc: BorrowedFd<'_>, process: &CStr) -> Option<u32> {
    let mut buffer = [0u8; 1024];
    let text = read_entry(proc, process, b"/stat", &mut buffer)?;
    number(stat_fields(text)?.nth(2)?, 10).map(|group| group as u32)
}

/// As [`group`], by number, in this process's own `/proc`.
pub(crate) fn group_of(process: u32) -> Option<u32> {
    let mut buffer = [0u8; 1024];
    number(stat_of(process, &mut buffer)?.nth(2)?, 10).map(|group| group as u32)
}

/// Whether a thread is running, waits for a processor, or waits in a way that no signal interrupts.
pub(crate) fn is_busy(thread: u32) -> bool {
    let mut buffer = [0u8; 1024];
    matches!(stat_of(thread, &mut buffer).and_then(|mut fields| fields.next()), Some(b"R" | b"D"))
}

/// Whether this is the first thread of a process that has executed no program since it was forked.
pub(crate) fn is_newborn(thread: u32) -> bool {
    /// In the kernel's `include/linux/sched.h`; `ps` shows it as `F`.
    const PF_FORKNOEXEC: u64 = 0x40;
    // There is no such descriptor of other threads.
    let descriptor =
        Pid::from_raw(thread as i32).ok_or(Errno::SRCH).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()));
    if matches!(descriptor, Err(Errno::INVAL | Errno::NOENT | Errno::SRCH)) {
        return false;
    }
    let mut buffer = [0u8; 1024];
    let flags = stat_of(thread, &mut buffer).and_then(|mut fields| number(fields.nth(6)?, 10));
    flags.is_some_and(|flags| flags & PF_FORKNOEXEC != 0)
}

/// The fields of `proc_pid_stat(5)` of a thread, from the third on.
fn stat_of(thread: u32, buffer: &mut [u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let proc = fs::open(HERE, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut name = [0u8; 32];
    stat_fields(read_entry(proc.as_fd(), join(&[], thread, &mut name).ok()?, b"/stat", buffer)?)
}

/// The system call that a thread sleeps in, and its arguments (`proc_pid_syscall(5)`). One that was seen to ask is about
/// to sleep, if it does not yet.
pub(crate) fn call_of(thread: u32) -> Option<(i32, [u64; 6])> {
    /// It may stand still on a processor that the host has taken away.
    const LONGEST: Duration = Duration::from_millis(500);
    const YIELDS: usize = 50;
    const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000 };
    let file = open(thread, c"syscall", OFlags::RDONLY | OFlags::CLOEXEC).ok()?;
    let since = Instant::now();
    for tries in 0.. {
        let mut buffer = [0u8; 256];
        let length = rustix::io::pread(&file, &mut buffer[..], 0).ok()?;
        let text = buffer[..length].trim_ascii();
        if text == b"running" {
            match tries {
                0..YIELDS => rustix::thread::sched_yield(),
                _ if since.elapsed() >= LONGEST => return None,
                _ => drop(rustix::thread::nanosleep(&PAUSE)),
            }
            continue;
        }
        let mut words = text.split(|byte| *byte == b' ');
        let nr = number(words.next()?, 10)? as i32;
        let mut args = [0; 6];
        for argument in &mut args {
            *argument = number(words.next()?.strip_prefix(b"0x")?, 16)?;
        }
        return Some((nr, args));
    }
    None
}

/// The process that a thread belongs to.
pub(crate) fn process_of(thread: u32) -> Option<u32> {
    in_status(thread, b"Tgid", 10)
}

/// The file that a thread's process executes, by its name in this file system.
pub(crate) fn program_of(thread: u32, buffer: &mut [u8]) -> Option<&[u8]> {
    let mut name = [0u8; 32];
    let name = join(&[], thread, &mut name).ok()?;
    let process = fs::open(name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = fs::readlinkat_raw(&process, c"exe", &mut *buffer).ok()?;
    Some(&buffer[..length])
}

/// The file mode creation mask of a thread's process.
pub(crate) fn umask_of(thread: u32) -> Option<u32> {
    in_status(thread, b"Umask", 8)
}

/// A number in `/proc/[pid]/status` (`proc_pid_status(5)`) of a thread.
fn in_status(thread: u32, key: &[u8], radix: u32) -> Option<u32> {
    let status = open(thread, c"status", OFlags::RDONLY | OFlags::CLOEXEC).ok()?;
    let mut buffer = [0u8; 4096];
    let text = read_small(status.as_fd(), &mut buffer).ok()?;
    number(field(text, key)?, radix).map(|value| value as u32)
}

/// The fields of `proc_pid_stat(5)` from the third on. The command's name may hold anything, parentheses too: the last
/// one ends it.
fn stat_fields(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let rest = text.get(text.iter().rposition(|b| *b == b')')? + 2..)?;
    Some(rest.split(|b| *b == b' '))
}

/// Reads a file of the kernel's whole. It says that its size is 0, for which the standard library begins with 32 bytes.
pub(crate) fn whole(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(8192);
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a small file whole; returns what fits.
fn read_small<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let mut length = 0;
    while length < buffer.len() {
        match rustix::io::read(fd, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(&buffer[..length])
}

/// The text behind `Key:` in a file of such lines, without the white space around it.
pub(crate) fn field<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    text.split(|b| *b == b'\n')
        .find_map(|line| line.strip_prefix(key).and_then(|rest| rest.strip_prefix(b":")))
        .map(<[u8]>::trim_ascii)
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok()
}

/// Whether a signal waits, blocked, for any thread of a process.
pub(crate) fn any_thread_has_pending(pid: u32, signal: i32) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(tasks) = open(pid, c"task", flags) else { return false };
    let mut pending = false;
    let count = processes_in(tasks.as_fd(), &mut |tasks, thread| {
        let mut buffer = [0u8; 4096];
        let Some(text) = read_entry(tasks, thread, b"/status", &mut buffer) else { return };
        // The thread's own, not the process's: the kernel raises it for the thread that wrote, and the filter lets
        // nobody else send it to a thread.
        let mask = field(text, b"SigPnd").and_then(|text| number(text, 16)).unwrap_or(0);
        pending |= mask & (1 << (signal - 1)) != 0;
    });
    count.is_ok() && pending
}

/// I/O counters from an open `/proc/[pid]/io` (`proc_pid_io(5)`).
pub(crate) fn io_counters(fd: BorrowedFd<'_>) -> Option<IoCounters> {
    let mut buffer = [0u8; 512];
    let text = read_small(fd, &mut buffer).ok()?;
    let value = |key: &[u8]| field(text, key).and_then(|text| number(text, 10));
    Some(IoCounters {
        read_bytes: value(b"read_bytes")?,
        write_bytes: value(b"write_bytes")?,
        read_calls_bytes: value(b"rchar")?,
        write_calls_bytes: value(b"wchar")?,
    })
}

/// What one process has caused to be written to storage, with that of the children that it has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrote {
    pub(crate) pid: u32,
    /// When it began, in ticks: tells processes of one number apart.
    pub(crate) start: u64,
    pub(crate) parent: u32,
    pub(crate) bytes: u64,
}

/// What a process has written so far; nothing if that cannot be looked at.
pub(crate) fn wrote(proc: BorrowedFd<'_>, process: &CStr) -> Option<Wrote> {
    let mut buffer = [0u8; 1024];
    let (parent, start) = {
        let mut fields = stat_fields(read_entry(proc, process, b"/stat", &mut buffer)?)?;
        (number(fields.nth(1)?, 10)? as u32, number(fields.nth(17)?, 10)?)
    };
    let pid = number(process.to_bytes(), 10)? as u32;
    let text = read_entry(proc, process, b"/io", &mut buffer).unwrap_or_default();
    let bytes = field(text, b"write_bytes").and_then(|text| number(text, 10)).unwrap_or(0);
    Some(Wrote { pid, start, parent, bytes })
}

/// Shows what each member of a run has written so far.
pub(crate) fn written(
    members: Members,
    proc: BorrowedFd<'_>,
    mut see: impl FnMut(Wrote),
) -> Result<(), Errno> {
    // The directory is read again and again through one descriptor.
    fs::seek(proc, fs::SeekFrom::Start(0))?;
    let each = &mut |proc: BorrowedFd<'_>, name: &CStr| {
        if !members.is_init(name) {
            wrote(proc, name).into_iter().for_each(&mut see);
        }
    };
    members.each(proc, each).map(drop)
}

/// As [`wrote`], of the process of a thread, in this process's own `/proc`.
pub(crate) fn wrote_at_exit(tid: u32) -> Option<Wrote> {
    let proc = fs::open(HERE, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut name = [0u8; 32];
    wrote(proc.as_fd(), join(&[], process_of(tid)?, &mut name).ok()?)
}

/// What the processes of a run say of themselves, added up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// User and system time, with that of children waited for.
    pub(crate) cpu: Duration,
    /// Memory in bytes.
    pub(crate) resident: u64,
    /// Most open files of one process (Linux 6.2; zero before).
    pub(crate) open_files: u64,
}

/// How memory is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Resident sizes, page tables and swap: shared pages count for each. Cheap, never too small.
    Quick,
    /// Anonymous and shared-memory pages in proportion (`smaps_rollup`): what the run alone holds. Without the pages of
    /// scratch space, the file system with this device number, which are counted there.
    Proportional {
        /// The device number of scratch space.
        scratch: u64,
    },
}

/// Adds up the members of a run, and shows what each has spent itself. The init's own figures stay out, those of the
/// children it has reaped count.
pub(crate) fn sample(
    members: Members,
    proc: BorrowedFd<'_>,
    depth: Depth,
    mut spends: impl FnMut(Spent),
) -> Option<Sample> {
    let mut sum = Sample::default();
    // The directory is read again and again through one descriptor.
    fs::seek(proc, fs::SeekFrom::Start(0)).ok()?;
    let each = &mut |proc: BorrowedFd<'_>, name: &CStr| {
        let is_init = members.is_init(name);
        let times = times_of(proc, name);
        if is_init {
            sum.cpu += times.map_or(Duration::ZERO, |times| times.children);
            return;
        }
        if let (Some(times), Some(pid)) = (times, number(name.to_bytes(), 10)) {
            sum.cpu += times.own + times.children;
            spends(Spent { pid: pid as u32, start: times.start, own: times.own });
        }
        sum.resident += match depth {
            Depth::Quick => resident_of(proc, name),
            Depth::Proportional { scratch } => {
                proportional_of(proc, name, scratch).or_else(|| resident_of(proc, name))
            }
        }
        .unwrap_or(0);
        let files = entry(name, b"/fd", &mut [0; 32])
            .and_then(|path| fs::statat(proc, path, AtFlags::empty()).ok())
            .map_or(0, |stat| stat.st_size as u64);
        sum.open_files = sum.open_files.max(files);
    };
    members.each(proc, each).ok()?;
    Some(sum)
}

fn entry<'a>(process: &CStr, name: &[u8], buffer: &'a mut [u8; 32]) -> Option<&'a CStr> {
    let process = process.to_bytes();
    let end = process.len() + name.len();
    buffer.get_mut(..process.len())?.copy_from_slice(process);
    buffer.get_mut(process.len()..end)?.copy_from_slice(name);
    *buffer.get_mut(end)? = 0;
    CStr::from_bytes_until_nul(buffer).ok()
}

fn read_entry<'a>(
    proc: BorrowedFd<'_>,
    process: &CStr,
    name: &[u8],
    buffer: &'a mut [u8],
) -> Option<&'a [u8]> {
    let mut path = [0; 32];
    let path = entry(process, name, &mut path)?;
    let fd = fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    read_small(fd.as_fd(), buffer).ok()
}

/// What one process has used of the processors by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) pid: u32,
    /// When it began, in ticks: tells processes of one number apart.
    pub(crate) start: u64,
    pub(crate) own: Duration,
}

struct Times {
    own: Duration,
    /// Of the children that it has waited for.
    children: Duration,
    threads: u64,
    start: u64,
}

/// Some fields of `proc_pid_stat(5)`.
fn times_of(proc: BorrowedFd<'_>, process: &CStr) -> Option<Times> {
    let mut buffer = [0u8; 1024];
    let text = read_entry(proc, process, b"/stat", &mut buffer)?;
    let mut rest = stat_fields(text)?.skip(11);
    let mut next = |skip: usize| number(rest.nth(skip)?, 10);
    let ticks = |n: u64| Duration::from_millis(n * 1000 / rustix::param::clock_ticks_per_second());
    let (utime, stime, cutime, cstime) = (next(0)?, next(0)?, next(0)?, next(0)?);
    let (threads, start) = (next(2)?, next(1)?);
    Some(Times { own: ticks(utime + stime), children: ticks(cutime + cstime), threads, start })
}

/// What a process has spent whose thread `tid` is about to leave: `None` if others of its threads stay.
pub(crate) fn spent_at_exit(tid: u32, whole_process: bool) -> Option<Spent> {
    let proc = fs::open(HERE, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let (mut name, mut buffer) = ([0u8; 32], [0u8; 4096]);
    let status = read_entry(proc.as_fd(), join(&[], tid, &mut name).ok()?, b"/status", &mut buffer)?;
    let pid = number(field(status, b"Tgid")?, 10)? as u32;
    let process = join(&[], pid, &mut name).ok()?;
    let times = times_of(proc.as_fd(), process)?;
    if times.threads > 1 && !whole_process {
        return None;
    }
    // In nanoseconds, but only of its first thread (`/proc/[pid]/schedstat`): what ran for less than a tick counts too.
    let exact = read_entry(proc.as_fd(), process, b"/schedstat", &mut buffer)
        .and_then(|text| number(text.split(|b| *b == b' ').next()?, 10))
        .map_or(Duration::ZERO, Duration::from_nanos);
    Some(Spent { pid, start: times.start, own: times.own.max(exact) })
}

fn kib(text: &[u8], key: &[u8]) -> Option<u64> {
    number(field(text, key)?.strip_suffix(b" kB")?.trim_ascii(), 10)
}

fn resident_of(proc: BorrowedFd<'_>, process: &CStr) -> Option<u64> {
    let mut buffer = [0u8; 4096];
    let status = read_entry(proc, process, b"/status", &mut buffer)?;
    // A process that has ended has none of these.
    let parts = [&b"VmRSS"[..], b"VmPTE", b"VmSwap"];
    Some(parts.iter().filter_map(|key| kib(status, key)).sum::<u64>() * 1024)
}

fn proportional_of(proc: BorrowedFd<'_>, process: &CStr, scratch: u64) -> Option<u64> {
    let mut buffer = [0u8; 4096];
    let tables = kib(read_entry(proc, process, b"/status", &mut buffer)?, b"VmPTE")?;
    let text = read_entry(proc, process, b"/smaps_rollup", &mut buffer)?;
    let [anonymous, shared, swap] =
        [&b"Pss_Anon"[..], b"Pss_Shmem", b"SwapPss"].map(|key| kib(text, key).unwrap_or(0));
    let counted_there = if shared == 0 { 0 } else { mapped_from(proc, process, scratch).unwrap_or(0) };
    Some((tables + anonymous + swap + shared.saturating_sub(counted_there)) * 1024)
}

/// How much of a file system's files a process has in its memory, in KiB and in proportion (`proc_pid_smaps(5)`).
/// Allocates: for the supervisor alone.
fn mapped_from(proc: BorrowedFd<'_>, process: &CStr, device: u64) -> Option<u64> {
    let path = entry(process, b"/smaps", &mut [0; 32])?.to_owned();
    let fd = fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::fs::File::from(fd), &mut text).ok()?;
    let wanted = format!("{:02x}:{:02x}", fs::major(device), fs::minor(device));
    let (mut sum, mut of_device, mut share) = (0, false, 0);
    for line in text.split(|b| *b == b'\n') {
        let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
        match words.next() {
            Some(b"Pss:") if of_device => share = words.next().and_then(|n| number(n, 10)).unwrap_or(0),
            // Pages that were written to through a private mapping are the process's own.
            Some(b"Anonymous:") if of_device => {
                sum += share.saturating_sub(words.next().and_then(|n| number(n, 10)).unwrap_or(0));
            }
            // A line that begins a mapping: addresses, rights, offset, device.
            Some(first) if !first.ends_with(b":") => of_device = words.nth(2) == Some(wanted.as_bytes()),
            _ => {}
        }
    }
    Some(sum)
}

//! What the record of a run is made from: the kernel's counters of other processes, and a disk that answers.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, fdatasync, openat};
use rustix::io::Errno;

use super::child::Child;
use super::feature::{Entry, Feature, FeatureGroup, Importance, errno};

const fn entry(
    importance: Importance,
    name: &'static str,
    without: &'static str,
    how: &'static str,
) -> Entry {
    Entry { group: FeatureGroup::Record, importance, name, without, how }
}

const CHILDREN: Entry = entry(
    Importance::Required,
    "children list",
    "the script's process cannot be found, so what is enforced cannot be read back (/proc/PID/task/*/children)",
    "a kernel with CONFIG_PROC_CHILDREN, and /proc mounted without hidepid",
);
const COUNTERS: Entry = entry(
    Importance::Better,
    "I/O counters",
    "the record has no bytes read and written (/proc/PID/io)",
    "a kernel with CONFIG_TASK_IO_ACCOUNTING",
);
const PROPORTIONS: Entry = entry(
    Importance::Better,
    "shared memory once",
    "without control groups, memory that processes share counts for each of them (/proc/PID/smaps_rollup)",
    "Linux 4.14 with CONFIG_PROC_PAGE_MONITOR",
);
const OPEN_FILES: Entry = entry(
    Importance::Better,
    "open-file count",
    "the record does not say when a script was at its limit of open files (size of /proc/PID/fd)",
    "Linux 6.2",
);

pub(super) fn features() -> Vec<Feature> {
    let child = Child::start(0, |voice| {
        let _ = voice.wait();
    });
    let child = match child {
        Ok(child) => child,
        Err(failure) => {
            let found = format!("could not be tried: {}", errno(failure));
            return [CHILDREN, COUNTERS, PROPORTIONS, OPEN_FILES].map(|entry| entry.absent(&*found)).into();
        }
    };
    let features = vec![
        children(child.pid),
        readable(&COUNTERS, &format!("/proc/{}/io", child.pid), "read_bytes:", "read from a child"),
        readable(
            &PROPORTIONS,
            &format!("/proc/{}/smaps_rollup", child.pid),
            "Pss_Anon:",
            "read from a child",
        ),
        match fs::metadata("/proc/self/fd").map(|directory| directory.len()) {
            Ok(0) => OPEN_FILES.absent("the size of /proc/self/fd is 0"),
            Ok(size) => OPEN_FILES.present(format!("the size of /proc/self/fd is {size}")),
            Err(error) => OPEN_FILES.absent(describe(&error)),
        },
    ];
    child.kill();
    child.finish();
    features
}

fn describe(error: &io::Error) -> String {
    Errno::from_io_error(error).map_or_else(|| error.to_string(), errno)
}

/// The child has to be in the list of the thread that made it.
fn children(pid: i32) -> Feature {
    let thread = rustix::thread::gettid().as_raw_nonzero();
    match fs::read_to_string(format!("/proc/self/task/{thread}/children")) {
        Ok(list) if list.split_ascii_whitespace().any(|child| child == pid.to_string()) => {
            CHILDREN.present("a child was found in it")
        }
        Ok(_) => CHILDREN.absent("a child is not in it: /proc belongs to other process ids than ours"),
        Err(error) => CHILDREN.absent(describe(&error)),
    }
}

fn readable(entry: &Entry, path: &str, key: &str, found: &str) -> Feature {
    match fs::read_to_string(path) {
        Ok(text) if text.contains(key) => entry.present(found),
        Ok(_) => entry.absent(format!("no `{key}` in it")),
        Err(error) => entry.absent(describe(&error)),
    }
}

const BLOCK: usize = 4096;
const ROUNDS: usize = 5;

/// How long the disk takes to make one record durable: the median of five `fdatasync`, each after one block written into
/// space that is there already. Works on a file without a name, so nothing is left whatever happens.
pub fn measure_fdatasync(directory: &Path) -> io::Result<Duration> {
    let mode = Mode::from(0o600);
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let file = match openat(CWD, directory, flags | OFlags::TMPFILE, mode) {
        // A file system or kernel without nameless files.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            let path = directory.join(format!(".waxcell-fdatasync-{}", std::process::id()));
            let file = openat(CWD, &path, flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)?;
            fs::remove_file(&path)?;
            file
        }
        other => other?,
    };
    // Written, not only reserved: the journal's space is full of zeroes as well.
    match fallocate(&file, FallocateFlags::empty(), 0, (BLOCK * ROUNDS) as u64) {
        Ok(()) | Err(Errno::OPNOTSUPP) => {}
        Err(errno) => return Err(errno.into()),
    }
    for round in 0..ROUNDS {
        write_block(file.as_fd(), 0, round)?;
    }
    rustix::fs::fsync(&file)?;
    let mut times = [Duration::ZERO; ROUNDS];
    for (round, time) in times.iter_mut().enumerate() {
        let start = Instant::now();
        write_block(file.as_fd(), 1, round)?;
        fdatasync(&file)?;
        *time = start.elapsed();
    }
    times.sort_unstable();
    Ok(times[ROUNDS / 2])
}

fn write_block(file: std::os::fd::BorrowedFd<'_>, byte: u8, round: usize) -> io::Result<()> {
    let block = [byte; BLOCK];
    let mut written = 0;
    while written < BLOCK {
        match rustix::io::pwrite(file, &block[written..], (round * BLOCK + written) as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => written += more,
        }
    }
    Ok(())
}

//! What has to stand beside the numbers: the machine, and what its disk takes for one durable record.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{PYTHON, middle, milliseconds};
use crate::bench::numbers::percentile;
use crate::shell::{Done, at, output, program};

/// A record and what belongs to it, about.
const RECORD: usize = 700;

const RECORDS: usize = 400;

pub(crate) fn machine(folder: &Path) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = read("/proc/cpuinfo");
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let python = output(program(PYTHON).arg("--version")).unwrap_or_default();
    let load = read("/proc/loadavg");
    format!(
        "Linux {}, {cores} cores ({}), {}, {}; load average when it began: {}.",
        read("/proc/sys/kernel/osrelease").trim(),
        model.trim_start_matches([' ', '\t', ':']),
        file_system(&read("/proc/mounts"), folder),
        python.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}

/// The type of the file system that a path is on.
fn file_system(mounts: &str, path: &Path) -> String {
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let over = fields.filter(|fields| fields.len() > 2 && path.starts_with(fields[1]));
    over.max_by_key(|fields| fields[1].len())
        .map_or("unknown file system".to_owned(), |fields| fields[2].to_owned())
}

/// One record into space that was written before, and an `fdatasync`, again and again: the floor under every run.
pub(crate) fn disk(folder: &Path) -> Done<String> {
    let path = folder.join("disk");
    let file = at(&path, File::create(&path))?;
    at(&path, file.write_all_at(&vec![0; RECORD * RECORDS], 0).and_then(|()| file.sync_all()))?;
    let record = [b'x'; RECORD];
    let mut times: Vec<Duration> = Vec::new();
    for at_record in 0..RECORDS {
        let started = Instant::now();
        let offset = (at_record * RECORD) as u64;
        at(&path, file.write_all_at(&record, offset).and_then(|()| file.sync_data()))?;
        times.push(started.elapsed());
    }
    at(&path, fs::remove_file(&path))?;
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    let late = milliseconds(percentile(&seconds, 99));
    Ok(format!(
        "One durable write of {RECORD} bytes (`fdatasync`) here: median {} ms, 99 of 100 within {late} ms.",
        middle(&times)
    ))
}

#[cfg(test)]
mod tests {
    use super::file_system;
    use std::path::Path;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/tmpx")), "ext4");
    }
}

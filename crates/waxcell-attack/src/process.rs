//! The host's processes, as `/proc` shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, WaitOptions};

/// The value of a line `Name: value`, as `/proc/PID/status` has them.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim())
}

/// A process that is not a mere entry for its parent to collect.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    parent: i32,
}

impl Process {
    /// What `/proc/PID` has under a name, of a folder (`fdinfo`) each file; empty where it cannot be read.
    pub(crate) fn text(&self, file: &str) -> String {
        let path = self.folder().join(file);
        let entries = fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
        let read = |path: PathBuf| fs::read(path).unwrap_or_default();
        let bytes: Vec<u8> = std::iter::once(path.clone()).chain(entries).flat_map(read).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn link(&self, file: &str) -> Option<PathBuf> {
        fs::read_link(self.folder().join(file)).ok()
    }

    /// Where its descriptors lead.
    pub(crate) fn descriptors(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder().join("fd")).into_iter().flatten().flatten();
        entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
    }

    /// CPU time that it and the children that it waited for have used.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = self.text("stat");
        let behind = stat.rsplit_once(") ").map_or("", |(_, behind)| behind);
        // Fields 14 to 17: the 12th to 15th behind the name.
        let ticks =
            behind.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// Most resident memory that it had, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = self.text("status");
        let value = field(&status, "VmHWM").and_then(|value| value.strip_suffix(" kB"));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn folder(&self) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string())
    }

    /// Whether it carries this path in its arguments, its environment or its working directory.
    fn carries(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_bytes();
        let has = |bytes: &[u8]| bytes.windows(path.len()).any(|window| window == path);
        let read = |file| fs::read(self.folder().join(file)).unwrap_or_default();
        has(&read("cmdline"))
            || has(&read("environ"))
            || self.link("cwd").is_some_and(|cwd| has(cwd.as_os_str().as_bytes()))
    }
}

/// All processes but ended ones.
fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut behind = stat.rsplit_once(") ")?.1.split(' ');
        let state = behind.next()?;
        let parent = behind.next()?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Process { pid, parent })
    })
    .collect()
}

/// The processes below one, children's children and so on, without those of `others`.
pub(crate) fn below(root: i32, others: &[i32]) -> Vec<Process> {
    let all = all();
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    all.iter().for_each(|process| children.entry(process.parent).or_default().push(process));
    let (mut found, mut next, mut seen) = (Vec::new(), vec![root], BTreeSet::new());
    while let Some(pid) = next.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if !others.contains(&child.pid) && seen.insert(child.pid) {
                found.push((*child).clone());
                next.push(child.pid);
            }
        }
    }
    found
}

/// What is alive of an attempt: what is below us, since orphans become our children, and whatever carries its path.
pub(crate) fn alive(path: &Path, others: &[i32]) -> Vec<Process> {
    let own = std::process::id() as i32;
    let mut found = below(own, others);
    let known: BTreeSet<i32> = found.iter().map(|process| process.pid).collect();
    found.extend(all().into_iter().filter(|process| {
        process.pid != own
            && !others.contains(&process.pid)
            && !known.contains(&process.pid)
            && process.carries(path)
    }));
    found
}

/// Kills them and takes the ended ones among our children off the list.
pub(crate) fn kill(processes: &[Process]) {
    for process in processes {
        let Some(pid) = Pid::from_raw(process.pid) else { continue };
        // One that has ended by itself is as good.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert_eq!(field(status, "Sec"), None);
    }

    #[test]
    fn we_see_ourselves_and_our_parents_children() {
        let own = std::process::id() as i32;
        let parent = all().into_iter().find(|process| process.pid == own).expect("ourselves").parent;
        assert!(below(parent, &[]).iter().any(|process| process.pid == own));
        assert!(!below(parent, &[own]).iter().any(|process| process.pid == own));
    }
}

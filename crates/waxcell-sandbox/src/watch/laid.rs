//! Whether the files of a plan that lie over some of the host's are still where they were.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};

use crate::mount_table;
use crate::mounts;
use crate::plan::{Mount, Plan};

/// The files of the plan that were mounted over some of the host's, and the run's table of mounts to look for them in.
///
/// Such a mount goes when somebody outside of the run removes what it lies on, or renames another file over it (Linux
/// does that to mounts of all other namespaces, `rename(2)`), and is elsewhere when a folder above it is renamed.
#[derive(Debug)]
pub(super) struct Laid {
    table: OwnedFd,
    /// Where each was, and the number of its mount.
    files: Vec<(PathBuf, u64)>,
}

impl Laid {
    pub(super) fn find(init: i32, plan: &Plan) -> Option<Laid> {
        let targets: Vec<_> = plan
            .mounts
            .iter()
            .filter_map(|mount| match mount {
                Mount::File { target, .. } if mounts::is_below_a_mount(plan, target) => Some(target),
                _ => None,
            })
            .collect();
        if targets.is_empty() {
            return None;
        }
        let path = format!("/proc/{init}/mountinfo");
        let table = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let numbers = numbers_of(&table)?;
        // The topmost of a place comes last; what is missing has no number.
        let number = |target: &PathBuf| {
            numbers.iter().rev().find(|(path, _)| path == target).map_or(0, |(_, number)| *number)
        };
        let files = targets.into_iter().map(|target| (target.clone(), number(target))).collect();
        Some(Laid { table, files })
    }

    pub(super) fn replaced(&self) -> Vec<PathBuf> {
        let numbers = numbers_of(&self.table).unwrap_or_default();
        let other = self.files.iter().filter(|file| !numbers.contains(file));
        other.map(|(path, _)| path.clone()).collect()
    }
}

/// Where each mount is, and its number.
fn numbers_of(table: &OwnedFd) -> Option<Vec<(PathBuf, u64)>> {
    rustix::fs::seek(table, rustix::fs::SeekFrom::Start(0)).ok()?;
    let mut text = Vec::new();
    let mut buffer = [0u8; 8192];
    while let length @ 1.. = rustix::io::read(table, &mut buffer[..]).ok()? {
        text.extend_from_slice(&buffer[..length]);
    }
    Some(mount_table::numbered(&text).collect())
}

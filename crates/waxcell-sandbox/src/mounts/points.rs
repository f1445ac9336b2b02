//! Places that something is mounted on: which of them lie within others, and which have to be made.

use std::collections::HashSet;
use std::ffi::CString;
use std::path::Path;

use super::c_path;
use crate::path_map::PathMap;
use crate::plan::{Mount, Plan};

/// Inodes of the scratch space that are not the script's: its root and one directory a mount, and the mount points of
/// what lies below one of them.
pub(crate) fn scratch_overhead(mounts: &[Mount]) -> u64 {
    let targets = |is_one: fn(&Mount) -> bool| -> PathMap<'_, ()> {
        mounts.iter().filter(|mount| is_one(mount)).filter_map(|mount| Some((mount.target()?, ()))).collect()
    };
    let scratch = targets(|mount| matches!(mount, Mount::Scratch { .. }));
    let binds = targets(|mount| matches!(mount, Mount::Bind { .. } | Mount::Overlay { .. }));
    let others = targets(|mount| matches!(mount, Mount::File { .. } | Mount::Directory { .. }));
    let mut steps = HashSet::new();
    for (target, ()) in binds.iter().chain(others.iter()) {
        for step in target.ancestors().take_while(|path| scratch.above(path).next().is_some()) {
            if !steps.insert(step) {
                // With a folder, those above it have been counted.
                break;
            }
        }
    }
    // Below a bind the mount points are the host's.
    let made = steps.iter().filter(|path| binds.above(path).next().is_none());
    1 + (scratch.iter().count() + made.count()) as u64
}

/// Whether a place belongs to a bind or to scratch space and not to the root itself, which is read-only in the end.
pub(crate) fn is_below_a_mount(plan: &Plan, place: &Path) -> bool {
    plan.mounts.iter().any(|mount| match mount {
        Mount::Bind { target, .. } | Mount::Overlay { target, .. } | Mount::Scratch { target, .. } => {
            place.starts_with(target)
        }
        _ => false,
    })
}

fn lies_in(path: &Path, folder: &Path) -> bool {
    path.starts_with(folder) && path != folder
}

/// The folders between `ground` and `path`, outermost first.
pub(super) fn parents_of(path: &Path, ground: &Path) -> Vec<CString> {
    let mut parents: Vec<&Path> = path.ancestors().skip(1).filter(|parent| lies_in(parent, ground)).collect();
    parents.reverse();
    parents.into_iter().map(relative).collect()
}

pub(super) fn relative(path: &Path) -> CString {
    let path = path.strip_prefix("/").unwrap_or(path);
    if path.as_os_str().is_empty() { c".".to_owned() } else { c_path(path) }
}

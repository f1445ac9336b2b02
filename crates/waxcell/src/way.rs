//! The way to a file that is written for the caller, as a report is: a link on it is followed where the caller, or the system,
//! has put it, and not where a script may have.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::policy::Policy;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Why there is no way to a folder.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// A script may have made this link.
    #[error("`{}` is a symbolic link in a folder that scripts may write to", .0.display())]
    Planted(PathBuf),
    /// Nobody can tell who made this link.
    #[error("`{}` is a symbolic link, and without a policy nobody can tell whether a script made it", .0.display())]
    Unknown(PathBuf),
    /// Where this leads, a script that is running decides.
    #[error("`{}` leads back out of a folder that scripts may write to; name the file without `..`", .0.display())]
    Back(PathBuf),
    /// What the kernel says.
    #[error(transparent)]
    Kernel(#[from] Errno),
}

/// Opens a folder to make a file in, for the caller. No link is followed that lies in a place that `policy` lets scripts
/// write to, or below one: an earlier run, or one that is going on, may have put it there. Without a policy none is.
///
/// `path` is relative to `cwd`, which is absolute and has no link in it.
///
/// # Errors
///
/// When there is such a link, or the folder cannot be opened.
pub fn open_folder(path: &Path, cwd: &Path, policy: Option<&Policy>) -> Result<OwnedFd, WayError> {
    let path = cwd.join(path);
    if !path.is_absolute() {
        // A caller whose working directory is gone.
        return Err(Errno::NOENT.into());
    }
    let writable = policy.map(writable_folders);
    let mut todo = steps(&path);
    let (mut folder, mut at) = (open_root()?, PathBuf::from("/"));
    // Once within, always within: what lies there may be moved while it is walked.
    let mut is_within = false;
    let mut links = 0;
    while let Some(step) = todo.pop() {
        let here = at.join(&step);
        if step == ".." {
            if is_within {
                return Err(WayError::Back(here));
            }
            folder = open(&folder, &step)?;
            at.pop();
            continue;
        }
        let stat = rustix::fs::statat(&folder, &step, AtFlags::SYMLINK_NOFOLLOW)?;
        if !FileType::from_raw_mode(stat.st_mode).is_symlink() {
            folder = open(&folder, &step)?;
            at = here;
            let stat = rustix::fs::fstat(&folder)?;
            is_within |= writable.as_ref().is_some_and(|all| all.contains(&(stat.st_dev, stat.st_ino)));
            continue;
        }
        links += 1;
        match &writable {
            _ if links > MOST_LINKS => return Err(Errno::LOOP.into()),
            None => return Err(WayError::Unknown(here)),
            Some(_) if is_within => return Err(WayError::Planted(here)),
            Some(_) => {}
        }
        let target = PathBuf::from(OsString::from_vec(
            rustix::fs::readlinkat(&folder, &step, Vec::new())?.into_bytes(),
        ));
        if target.is_absolute() {
            (folder, at) = (open_root()?, PathBuf::from("/"));
        }
        todo.extend(steps(&target));
    }
    Ok(folder)
}

/// The names in a path, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    let steps =
        path.components().rev().filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir));
    steps.map(|step| step.as_os_str().to_owned()).collect()
}

/// Device and inode of each folder that scripts may write to.
fn writable_folders(policy: &Policy) -> BTreeSet<(u64, u64)> {
    let writable = policy.filesystem.writable();
    let there = writable.iter().filter_map(|(path, _)| fs::metadata(path).ok());
    there.filter(fs::Metadata::is_dir).map(|meta| (meta.dev(), meta.ino())).collect()
}

const FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn open_root() -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, "/", FLAGS, Mode::empty())
}

fn open(folder: impl AsFd, step: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, step, FLAGS, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;
    use std::os::unix::fs::symlink;

    /// Opens `path`, and says where that is.
    fn opened(path: &str, root: &Path, policy: Option<&Policy>) -> Result<PathBuf, WayError> {
        let folder = open_folder(Path::new(path), root, policy)?;
        let fd = std::os::fd::AsRawFd::as_raw_fd(&folder);
        Ok(fs::read_link(format!("/proc/self/fd/{fd}")).unwrap())
    }

    #[test]
    fn links_of_the_caller_are_followed_and_those_of_scripts_are_not() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for folder in ["data/real/deep", "elsewhere/in", "real"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        // The caller's.
        symlink(root.join("elsewhere"), root.join("absolute")).unwrap();
        symlink("absolute/in/..", root.join("relative")).unwrap();
        symlink("data/real", root.join("within")).unwrap();
        symlink("data", root.join("loop-free")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        // A script's.
        symlink(root.join("elsewhere"), root.join("data/planted")).unwrap();
        symlink("real", root.join("data/harmless")).unwrap();
        symlink("../../elsewhere", root.join("data/real/planted")).unwrap();
        let text = "filesystem: {allowed_paths: [./data, ./missing]}";
        let policy = parse(text, &root.join("security_policy.yml"), &root).unwrap();
        let follow = |path: &str| opened(path, &root, Some(&policy));

        for (path, place) in [
            ("", ""),
            (".", ""),
            ("real/../elsewhere/./in", "elsewhere/in"),
            ("absolute/in", "elsewhere/in"),
            ("relative/in", "elsewhere/in"),
            ("within/deep", "data/real/deep"),
            ("loop-free/real", "data/real"),
            ("data/real/deep", "data/real/deep"),
        ] {
            assert_eq!(follow(path).unwrap(), root.join(place).components().collect::<PathBuf>(), "{path}");
        }
        for path in
            ["data/planted", "data/harmless", "data/planted/in", "loop-free/planted", "within/planted"]
        {
            let refused = follow(path);
            assert!(matches!(refused, Err(WayError::Planted(_))), "{path}: {refused:?}");
        }
        assert!(matches!(follow("data/real/../../real"), Err(WayError::Back(_))));
        assert!(matches!(follow("circle"), Err(WayError::Kernel(Errno::LOOP))));
        assert!(matches!(follow("data/none"), Err(WayError::Kernel(Errno::NOENT))));

        assert_eq!(opened("data/real", &root, None).unwrap(), root.join("data/real"));
        assert!(matches!(opened("absolute", &root, None), Err(WayError::Unknown(_))));
        assert!(matches!(opened("real", Path::new(""), None), Err(WayError::Kernel(Errno::NOENT))));
    }
}

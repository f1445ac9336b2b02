//! Paths of a policy: resolved by their text alone, so that the same file means the same on every host.

use std::path::{Component, Path, PathBuf};

use super::model::PathAccess;
use super::text::{is_unprintable, quoted};

/// Folders of which a run has a private one unless the policy asks for the host's.
pub(super) const PRIVATE_UNLESS_SHARED: [&str; 2] = ["/tmp", "/var/tmp"];

/// Where every program of the host is started from.
pub(crate) const PROGRAMS: [&str; 11] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
];
/// What no program can be started without.
pub(crate) const LOADED: [&str; 5] = ["/usr", "/lib", "/lib32", "/lib64", "/libx32"];
/// The script's home folder, in scratch space.
pub(crate) const HOME: &str = "/home/waxcell";

/// Whether a project root would show what is no project: a home directory, `/tmp`, a folder of the system.
pub(crate) fn is_wide(root: &Path, home: Option<&Path>) -> bool {
    const WIDE: [&str; 12] = [
        "/", "/tmp", "/var/tmp", "/home", "/root", "/dev/shm", "/etc", "/var", "/run", "/opt", "/mnt", "/srv",
    ];
    WIDE.iter().any(|path| root == Path::new(path))
        || root.starts_with("/usr")
        || PROGRAMS.iter().any(|path| root.starts_with(path))
        || home.is_some_and(|home| home.starts_with(root))
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathProblem {
    #[error("the path is empty")]
    Empty,
    #[error("the path contains a control character")]
    Control,
    #[error("`~` is not expanded")]
    Tilde,
    #[error("environment variables are not expanded")]
    Variable,
    #[error("patterns are not supported in paths")]
    Pattern,
    #[error("this is no path of a Linux file system")]
    Foreign,
    #[error("`..` is not supported in paths")]
    Parent,
    #[error("`/` is the whole host")]
    WholeHost,
    #[error("`{0}` belongs to the kernel, and a run has a minimal one of its own")]
    Kernel(&'static str),
    #[error("writing there would change programs of the system")]
    Programs,
    #[error("Python cannot start without it")]
    Loaded,
    #[error("this would cover the script's own home folder, which is `{HOME}`")]
    Home,
    #[error("the path is longer than the kernel accepts")]
    TooLong,
}

impl PathProblem {
    /// The problem together with the path, where it does not say it itself.
    pub(super) fn about(self, written: &str) -> String {
        match self {
            PathProblem::Empty | PathProblem::WholeHost => self.to_string(),
            _ => format!("{}: {self}", quoted(written)),
        }
    }

    /// What to do about it.
    pub(super) fn help(self) -> &'static str {
        match self {
            PathProblem::Empty => "name a folder or file, such as `./data`",
            PathProblem::Control => "rename the file or leave the entry out",
            PathProblem::Tilde => {
                "write the absolute path; a policy must mean the same for every user who runs the script"
            }
            PathProblem::Variable => {
                "write the path out; a policy must not depend on the caller's environment"
            }
            PathProblem::Pattern => "name the folder that holds the files",
            PathProblem::Foreign => "write it from `/`, or relative to the project as in `./data`",
            PathProblem::Parent => "write the path without it, absolute if it is outside the project",
            PathProblem::WholeHost => "name the folders that the script needs",
            PathProblem::Kernel(_) => "leave the entry out",
            PathProblem::Programs => "write `access: read`; what is in there, every run can read and execute",
            PathProblem::Loaded => "leave the entry out, or name a folder in it",
            PathProblem::Home => "name the folders in it that the script needs",
            PathProblem::TooLong => "a path may have 4095 bytes and each of its names 255",
        }
    }
}

/// The absolute path that `written` means, without `.` and `..`; symlinks are not resolved.
pub(super) fn resolve(written: &str, root: &Path) -> Result<PathBuf, PathProblem> {
    if written.trim().is_empty() {
        return Err(PathProblem::Empty);
    }
    if written.chars().any(is_unprintable) {
        return Err(PathProblem::Control);
    }
    if written.starts_with('~') {
        return Err(PathProblem::Tilde);
    }
    if written.contains('$') || written.contains('%') && is_windows_variable(written) {
        return Err(PathProblem::Variable);
    }
    if written.contains(['*', '?', '[', ']', '{', '}']) {
        return Err(PathProblem::Pattern);
    }
    let is_drive =
        |bytes: &[u8]| matches!(bytes, [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    if written.contains("://") || is_drive(written.as_bytes()) {
        return Err(PathProblem::Foreign);
    }
    let mut path = root.to_path_buf();
    for component in Path::new(written).components() {
        match component {
            Component::RootDir => path = PathBuf::from("/"),
            Component::Normal(name) if name.len() > 255 => return Err(PathProblem::TooLong),
            Component::Normal(name) => path.push(name),
            Component::ParentDir => return Err(PathProblem::Parent),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    if path.as_os_str().len() > 4095 {
        return Err(PathProblem::TooLong);
    }
    if path == Path::new("/") {
        return Err(PathProblem::WholeHost);
    }
    match ["/proc", "/sys", "/dev"].into_iter().find(|kernel| path.starts_with(kernel)) {
        Some(kernel) => Err(PathProblem::Kernel(kernel)),
        None => Ok(path),
    }
}

/// The absolute path that an entry of `filesystem.allowed_paths` names; `None` where a policy with it is refused.
pub(crate) fn named(written: &str, access: PathAccess, root: &Path) -> Option<PathBuf> {
    let path = resolve(written, root).ok()?;
    refuse_impossible(&path, access).ok()?;
    // The run's own `/tmp` cannot be read-only, nor be taken away.
    (!is_private_by_default(&path)).then_some(path)
}

/// Refuses what no run can have, whatever the host.
pub(super) fn refuse_impossible(path: &Path, access: PathAccess) -> Result<(), PathProblem> {
    let is = |known: &str| path == Path::new(known);
    match access {
        PathAccess::Write if is("/usr") || PROGRAMS.iter().any(|folder| path.starts_with(folder)) => {
            Err(PathProblem::Programs)
        }
        PathAccess::None if LOADED.into_iter().any(is) => Err(PathProblem::Loaded),
        PathAccess::Read | PathAccess::Write if Path::new(HOME).starts_with(path) => Err(PathProblem::Home),
        _ => Ok(()),
    }
}

/// `%TEMP%`.
fn is_windows_variable(written: &str) -> bool {
    written.matches('%').count() >= 2
}

/// Whether a run has a private directory at this path unless the host's is asked for.
pub(super) fn is_private_by_default(path: &Path) -> bool {
    PRIVATE_UNLESS_SHARED.iter().any(|private| path == Path::new(private))
}

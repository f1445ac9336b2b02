//! Which policy holds for a script, and what its relative paths are relative to.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::text::escaped;
use super::{LoadError, Policy};

/// Name of a policy file that is found without being named.
pub(super) const FILE_NAME: &str = "security_policy.yml";
/// Folders of a project in which it is looked for, in this order.
const FOLDERS: [&str; 3] = ["", "config", "scripts/config"];

/// Why no policy could be chosen.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The folder of the script or policy cannot be resolved.
    #[error("folder `{}` cannot be used: {source}", escaped(&.path.to_string_lossy()))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The project root would be the whole host.
    #[error("the project root of `{}` would be `/`", escaped(&.path.to_string_lossy()))]
    RootIsWholeHost {
        /// The script's folder or the policy.
        path: PathBuf,
    },
}

impl FindError {
    /// The path it is about.
    pub fn path(&self) -> &Path {
        match self {
            FindError::Folder { path, .. } | FindError::RootIsWholeHost { path } => path,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            FindError::Folder { .. } => "check that it exists and may be entered",
            FindError::RootIsWholeHost { .. } => {
                "scripts see their whole project root: put the project into a folder of its own"
            }
        }
    }
}

/// Who named the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The option `--policy`.
    Option,
    /// The variable `WAXCELL_POLICY`.
    Environment,
    /// It lies in the project.
    Project,
    /// Nobody: the built-in strict default.
    BuiltIn,
}

/// The policy that holds for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file; `None` is the built-in default.
    pub path: Option<PathBuf>,
    /// Who named it.
    pub origin: Origin,
    /// Project root of the script. A policy file has a project root of its own, see [`project_root_of_policy`].
    pub script_root: PathBuf,
}

impl Found {
    /// Loads it.
    pub fn load(&self) -> Result<Policy, LoadError> {
        match &self.path {
            Some(path) => super::load(path),
            None => Ok(super::builtin(&self.script_root)),
        }
    }
}

/// Chooses the policy: the one named by option, else by the environment, else the project's, else the working
/// directory's (for a project inside a larger repository), else the built-in one.
/// `start` is the script's folder, `cwd` where the caller stands. A policy that is named is not looked at here, so that a missing one is an error
/// when it is loaded and never a reason to take another.
pub fn find(
    explicit: Option<&Path>,
    env: Option<&OsStr>,
    start: &Path,
    cwd: &Path,
) -> Result<Found, FindError> {
    let script_root = project_root_of_script(start);
    let named = match (explicit, env) {
        (Some(path), _) => Some((path.to_path_buf(), Origin::Option)),
        (None, Some(value)) if !value.is_empty() => Some((PathBuf::from(value), Origin::Environment)),
        _ => None,
    };
    if let Some((path, origin)) = named {
        // A named policy brings its own project root; the script's is then only of interest if it can be told.
        let script_root = script_root.unwrap_or_else(|_| start.to_path_buf());
        return Ok(Found { path: Some(path), origin, script_root });
    }
    let script_root = script_root?;
    // The working directory is the caller's choice, never the script's: a policy beside the script would be in the
    // hands of whoever may write there.
    let inside = || {
        let cwd = cwd.canonicalize().ok()?;
        let near = cwd.starts_with(&script_root) || script_root.starts_with(&cwd);
        (near && cwd != script_root).then_some(cwd)
    };
    let found = policy_in(&script_root).or_else(|| policy_in(&inside()?));
    Ok(match found {
        Some(path) => Found { path: Some(path), origin: Origin::Project, script_root },
        None => Found { path: None, origin: Origin::BuiltIn, script_root },
    })
}

/// The policy file of a project. Anything by that name counts, readable or not: one that cannot be read is an error,
/// not an absent one.
fn policy_in(root: &Path) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| root.join(folder).join(FILE_NAME)).find(|path| {
        match path.symlink_metadata() {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    })
}

/// Places in a project where a policy would be found before the one at `path`.
pub(crate) fn found_before(path: &Path, root: &Path) -> Vec<PathBuf> {
    let places = FOLDERS.map(|folder| root.join(folder).join(FILE_NAME));
    let position = places.iter().position(|place| place == path);
    places.into_iter().take(position.unwrap_or(0)).collect()
}

/// The project root of a policy file: the nearest folder above it that holds `.git`, else the file's folder, where
/// `config` and `scripts/config` count as their parent project.
pub fn project_root_of_policy(policy: &Path) -> Result<PathBuf, FindError> {
    let folder = match policy.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    project_root_of_folder(&resolve(folder)?, policy)
}

/// The project root of a policy in a folder whose path is canonical.
pub(super) fn project_root_of_folder(folder: &Path, policy: &Path) -> Result<PathBuf, FindError> {
    refuse_whole_host(nearest_repository(folder).unwrap_or_else(|| without_config(folder)), policy)
}

/// The project root of a script for which there is no policy file: the nearest folder above it that holds `.git`, else
/// the script's folder.
pub fn project_root_of_script(folder: &Path) -> Result<PathBuf, FindError> {
    let resolved = resolve(folder)?;
    let root = nearest_repository(&resolved).unwrap_or_else(|| {
        // `scripts` of a project that is no repository, told by its policy.
        let parent = resolved.parent().filter(|_| resolved.ends_with("scripts"));
        parent.filter(|project| policy_in(project).is_some()).unwrap_or(&resolved)
    });
    refuse_whole_host(root, folder)
}

/// The project of a folder: `config` and `scripts/config` count as their parent.
pub(super) fn without_config(folder: &Path) -> &Path {
    [Path::new("scripts/config"), Path::new("config")]
        .into_iter()
        .find(|suffix| folder.ends_with(suffix))
        .and_then(|suffix| folder.ancestors().nth(suffix.components().count()))
        .unwrap_or(folder)
}

fn nearest_repository(folder: &Path) -> Option<&Path> {
    // `.git` is a folder, or a file in a work tree or submodule.
    folder.ancestors().find(|ancestor| ancestor.join(".git").symlink_metadata().is_ok())
}

fn resolve(folder: &Path) -> Result<PathBuf, FindError> {
    folder.canonicalize().map_err(|source| FindError::Folder { path: folder.to_path_buf(), source })
}

fn refuse_whole_host(root: &Path, of: &Path) -> Result<PathBuf, FindError> {
    match root == Path::new("/") {
        true => Err(FindError::RootIsWholeHost { path: of.to_path_buf() }),
        false => Ok(root.to_path_buf()),
    }
}

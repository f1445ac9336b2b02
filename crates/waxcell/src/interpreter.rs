//! Which Python a script would get, found without running anything.
//!
//! `python3 SCRIPT` means: what the shell finds on `PATH`, which may be a pyenv shim, a link into a virtual environment,
//! or a chain of links. Asking that Python costs 10 to 600 ms and runs code before anything is judged; so its answer is
//! worked out from files, in about thirty system calls. The tests compare with what the interpreters themselves say.
//!
//! What is not followed: `import` lines of `.pth` files (they are code), `PYENV_DIR`, pyenv's hooks, and shims of other
//! tools; the last are refused with a hint to name the interpreter in the policy.

mod error;
mod links;
mod packages;
mod path;
mod prefix;
mod pyenv;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use waxcell_analysis::PythonVersion;

use crate::run::{Caller, DEFAULT_PATH};

pub use error::InterpreterError;

/// The interpreter that a script is run with, and what has to be visible for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// What is executed: absolute, not resolved, because a virtual environment is recognised by where the link is.
    pub path: PathBuf,
    /// The name it is given as `argv[0]`: `python3` if it was found on `PATH` under that name, else [`Interpreter::path`].
    pub argv0: OsString,
    /// The binary itself, canonical: what is hashed for the record.
    pub real: PathBuf,
    /// Its version.
    pub version: PythonVersion,
    /// What must be visible for it and its packages beside the system's own directories (`/usr`, `/lib`, ...): canonical,
    /// none within another. Directories; single files only where a whole directory would show too much.
    pub roots: Vec<PathBuf>,
    /// Symbolic links on the way to it that lie outside of `roots` and the system's directories: where, and what is
    /// written in them. Remade inside, they spare showing the directories that they are in (`~/.local/bin`, say).
    pub links: Vec<(PathBuf, PathBuf)>,
    /// The virtual environment it belongs to, as [`Interpreter::path`] names it (`sys.prefix`).
    pub venv: Option<PathBuf>,
    /// What `PYTHONUSERBASE` has to be, because packages of the user are in use and `HOME` is another inside.
    pub user_base: Option<PathBuf>,
    /// Directories that `.pth` files name and that are not shown: they hold the project or the home directory, or
    /// belong to neither Python nor the user.
    pub unseen: Vec<PathBuf>,
    /// Where it looks for packages beside its standard library, in this order (the end of `sys.path`): what is there, of
    /// the environment, the user and the installation, and then what `.pth` files name.
    pub sites: Vec<PathBuf>,
}

/// Where to look: the caller's environment, taken as arguments.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// `PATH`.
    pub path: Option<&'a OsStr>,
    /// `HOME`.
    pub home: Option<&'a Path>,
    /// `PYENV_ROOT`.
    pub pyenv_root: Option<&'a OsStr>,
    /// `PYENV_VERSION`.
    pub pyenv_version: Option<&'a OsStr>,
    /// The working directory, absolute.
    pub cwd: &'a Path,
    /// The directory that the script is in, absolute.
    pub script_dir: &'a Path,
    /// Whether the user's own packages are off (`PYTHONNOUSERSITE`).
    pub no_user_site: bool,
}

impl<'a> Search<'a> {
    /// As a caller's shell would look for it, for a script in this directory.
    pub fn of(caller: &'a Caller, script_dir: &'a Path) -> Search<'a> {
        Search {
            path: caller.variable("PATH").or(Some(OsStr::new(DEFAULT_PATH))),
            home: caller.home(),
            pyenv_root: caller.variable("PYENV_ROOT"),
            pyenv_version: caller.variable("PYENV_VERSION"),
            cwd: &caller.cwd,
            script_dir,
            no_user_site: caller.variable("PYTHONNOUSERSITE").is_some_and(|value| !value.is_empty()),
        }
    }
}

/// The names that are tried, in this order, each on the whole of `PATH`.
const NAMES: [&str; 2] = ["python3", "python"];

/// Finds the interpreter: `explicit` (a path, or a name to be looked up on `PATH`) or what `python3` would be.
pub fn find(explicit: Option<&Path>, search: &Search<'_>) -> Result<Interpreter, InterpreterError> {
    let command = match explicit {
        Some(path) if path::is_bare_name(path) => on_path(&[path.as_os_str()], search)?,
        Some(path) => Command { path: search.cwd.join(path), argv0: None },
        None => on_path(&NAMES.map(OsStr::new), search)?,
    };
    let (path, argv0) = (command.path, command.argv0);
    let resolved = links::resolve(&path)?;
    match path::content(&resolved)? {
        path::Content::Binary => describe(path, argv0, resolved, search),
        path::Content::Script(text) => {
            let Some(shim) = pyenv::Shim::recognise(&path, &text, search) else {
                return Err(InterpreterError::Shim { tool: path::shim_tool(&text), path });
            };
            let path = shim.target(search)?;
            let resolved = links::resolve(&path)?;
            match path::content(&resolved)? {
                path::Content::Binary => describe(path, None, resolved, search),
                path::Content::Script(text) => {
                    Err(InterpreterError::Shim { tool: path::shim_tool(&text), path })
                }
            }
        }
    }
}

struct Command {
    path: PathBuf,
    argv0: Option<OsString>,
}

fn on_path(names: &[&OsStr], search: &Search<'_>) -> Result<Command, InterpreterError> {
    for name in names {
        if let Some(path) = path::search(name, search, None) {
            return Ok(Command { path, argv0: Some(name.into()) });
        }
    }
    // Nothing usable; say what is in the way if something is.
    let blocked = names.iter().find_map(|name| path::obstacle(name, search));
    Err(blocked.unwrap_or_else(|| InterpreterError::NotOnPath {
        name: names.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    }))
}

fn describe(
    path: PathBuf,
    argv0: Option<OsString>,
    resolved: links::Resolved,
    search: &Search<'_>,
) -> Result<Interpreter, InterpreterError> {
    let prefix = prefix::find(&path, &resolved.real)?;
    let packages = packages::find(&prefix, search);

    let mut roots = prefix.roots(search);
    roots.extend(packages.roots);
    let roots = outermost(roots);
    let links = resolved.links.into_iter().chain(prefix.links).chain(packages.links);
    let mut links: Vec<_> = links.filter(|(at, _)| !is_shown(at, &roots)).collect();
    links.sort();
    links.dedup();

    Ok(Interpreter {
        argv0: argv0.unwrap_or_else(|| path.clone().into_os_string()),
        path,
        real: resolved.real,
        version: prefix.version,
        sites: packages.sites,
        unseen: packages.unseen.into_iter().filter(|path| !is_shown(path, &roots)).collect(),
        roots,
        links,
        venv: prefix.venv.map(|venv| venv.prefix),
        user_base: packages.user_base,
    })
}

/// Directories of the system that every run sees.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Whether `path` is visible without being a root of its own.
fn is_shown(path: &Path, roots: &[PathBuf]) -> bool {
    SYSTEM.iter().any(|dir| path.starts_with(dir)) || roots.iter().any(|root| path.starts_with(root))
}

/// Without those that are within another or within the system's directories, sorted.
fn outermost(mut roots: Vec<PathBuf>) -> Vec<PathBuf> {
    roots.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for root in roots {
        if !is_shown(&root, &kept) {
            kept.push(root);
        }
    }
    kept
}

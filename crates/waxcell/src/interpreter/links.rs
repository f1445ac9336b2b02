//! Following symbolic links one by one, remembering each.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::InterpreterError;

/// As many as the kernel follows.
const MAX_LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The path as it was given.
    pub(super) path: PathBuf,
    /// Canonical.
    pub(super) real: PathBuf,
    /// Every link on the way: where it is (its directory canonical) and what it says.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
}

/// Resolves an absolute path as the kernel does.
pub(super) fn resolve(path: &Path) -> Result<Resolved, InterpreterError> {
    let mut real = PathBuf::from("/");
    let mut links: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut todo = steps(path);
    while let Some(step) = todo.pop() {
        if step == ".." {
            real.pop();
            continue;
        }
        real.push(step);
        match std::fs::read_link(&real) {
            Ok(to) => {
                if links.len() == MAX_LINKS {
                    return Err(InterpreterError::Loop { path: path.into() });
                }
                todo.extend(steps(&to));
                links.push((real.clone(), to.clone()));
                if to.is_absolute() {
                    real = PathBuf::from("/");
                } else {
                    real.pop();
                }
            }
            // Not a link.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(match links.pop() {
                    Some((link, to)) => InterpreterError::Dangling { path: path.into(), link, to },
                    None => InterpreterError::Missing { path: path.into() },
                });
            }
            Err(source) => return Err(InterpreterError::Unreadable { path: path.into(), source }),
        }
    }
    Ok(Resolved { path: path.into(), real, links })
}

/// The components still to be walked, the next one last.
fn steps(path: &Path) -> Vec<OsString> {
    let steps = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    });
    steps.collect()
}

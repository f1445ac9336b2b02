//! What a pyenv shim would execute, by pyenv's own rules (`pyenv exec`, `pyenv-version-file`, `pyenv-which`,
//! `pyenv-latest`).
//!
//! Two generations differ. Older shims pass the script on, and its directory is searched for `.python-version` before
//! the working directory; newer ones do not. Older pyenvs stop at a version that is not installed; newer ones (those
//! whose `pyenv-exec` calls `pyenv-version-name -f`) go on to the next and at last to the system's Python. Which
//! generation it is can be read in the shim and in `pyenv-exec`.

use std::cmp::{Ordering, Reverse};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::{InterpreterError, Search, path};

/// The version that stands for the rest of `PATH`.
const SYSTEM: &str = "system";

/// A shim of pyenv.
#[derive(Debug)]
pub(super) struct Shim {
    command: String,
    /// The directory it is in.
    directory: PathBuf,
    /// `PYENV_ROOT` as the shim itself sets it.
    root: PathBuf,
    /// Where pyenv's programs are.
    programs: PathBuf,
    /// Whether the script's directory is searched first.
    passes_script: bool,
}

impl Shim {
    /// Whether the script `text` at `path` is one.
    pub(super) fn recognise(path: &Path, text: &str, search: &Search<'_>) -> Option<Shim> {
        let directory = path.parent()?.to_path_buf();
        let exec = text.lines().find(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next() == Some("exec")
                && words.next().is_some_and(|program| unquoted(program).ends_with("pyenv"))
                && words.next() == Some("exec")
        });
        let root_of_environment = || {
            let set = search.pyenv_root.filter(|root| !root.is_empty()).map(PathBuf::from);
            set.or_else(|| search.home.map(|home| home.join(".pyenv")))
        };
        if exec.is_none() && root_of_environment().is_none_or(|root| directory != root.join("shims")) {
            return None;
        }
        let own_root = text.lines().find_map(|line| line.trim().strip_prefix("export PYENV_ROOT="));
        let root = own_root.map(|root| PathBuf::from(unquoted(root))).filter(|root| root.is_absolute());
        let root = root.or_else(root_of_environment)?;
        let program = exec.and_then(|line| line.split_ascii_whitespace().nth(1)).map(unquoted);
        let programs = program.map(Path::new).filter(|program| program.is_absolute()).and_then(Path::parent);
        Some(Shim {
            command: path.file_name()?.to_str()?.to_owned(),
            programs: programs.map_or_else(|| root.join("libexec"), Path::to_path_buf),
            directory,
            root,
            passes_script: text.contains("PYENV_FILE_ARG") || text.contains("PYENV_DIR"),
        })
    }

    /// The path of the program that the shim would execute.
    pub(super) fn target(&self, search: &Search<'_>) -> Result<PathBuf, InterpreterError> {
        let (asked, origin) = self.versions(search);
        // Without any, it is the system's.
        let asked = if asked.is_empty() { vec![SYSTEM.to_owned()] } else { asked };

        let installed: Vec<Option<String>> = asked.iter().map(|version| self.installed(version)).collect();
        let missing = asked.iter().zip(&installed).find(|(_, installed)| installed.is_none());
        let missing = missing.map(|(version, _)| version.clone());
        if missing.is_none() || self.forgives() {
            let of_version = |name: &String| match name.as_str() {
                SYSTEM => self.of_system(search),
                name => Some(self.root.join("versions").join(name).join("bin").join(&self.command)),
            };
            let mut programs = installed.iter().flatten().filter_map(of_version);
            let program = programs.find(|program| path::is_executable(program));
            let last_resort = || self.forgives().then(|| self.of_system(search)).flatten();
            if let Some(program) = program.or_else(last_resort) {
                return Ok(program);
            }
        }
        Err(match missing {
            Some(version) => InterpreterError::PyenvVersion { version, origin },
            None => InterpreterError::PyenvCommand {
                command: self.command.clone(),
                versions: asked.join(":"),
                origin,
            },
        })
    }

    /// The versions asked for, and who asks.
    fn versions(&self, search: &Search<'_>) -> (Vec<String>, String) {
        let set = search.pyenv_version.and_then(OsStr::to_str).unwrap_or_default();
        let set: Vec<String> =
            set.split(':').filter(|version| !version.is_empty()).map(str::to_owned).collect();
        if !set.is_empty() {
            return (set, "PYENV_VERSION environment variable".into());
        }
        let script_dir = self.passes_script.then_some(search.script_dir);
        let above = script_dir.into_iter().chain([search.cwd]).flat_map(Path::ancestors);
        let local = above.map(|directory| directory.join(".python-version")).find(|file| file.is_file());
        let file = local.unwrap_or_else(|| self.root.join("version"));
        let versions = path::small_text(&file).map(|text| self.listed(&text)).unwrap_or_default();
        (versions, file.display().to_string())
    }

    /// The versions in a version file: the first word of each line that is not a comment.
    fn listed(&self, text: &str) -> Vec<String> {
        let words = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
        words.filter(|word| !word.starts_with('#') && self.is_safe(word)).map(str::to_owned).collect()
    }

    /// A version that is a path must stay below the versions (`3.11.7/envs/name` does).
    fn is_safe(&self, version: &str) -> bool {
        let mut depth = 0_usize;
        if version == ".." || version.starts_with('/') {
            return false;
        }
        for component in Path::new(version).components() {
            match component {
                Component::ParentDir if depth == 0 => return false,
                Component::ParentDir => depth -= 1,
                Component::Normal(_) => depth += 1,
                _ => {}
            }
        }
        depth > 0
    }

    /// The installed version that a version, or the beginning of one, stands for.
    fn installed(&self, version: &str) -> Option<String> {
        if version == SYSTEM {
            return Some(version.to_owned());
        }
        if !self.is_safe(version) {
            return None;
        }
        let versions = self.root.join("versions");
        let plain = version.strip_prefix("python-").unwrap_or(version);
        let exact = [version, plain].into_iter().find(|name| versions.join(name).is_dir());
        exact.map(str::to_owned).or_else(|| latest(&versions, plain))
    }

    /// The program on the rest of `PATH`.
    fn of_system(&self, search: &Search<'_>) -> Option<PathBuf> {
        path::search(OsStr::new(&self.command), search, Some(&self.directory))
    }

    /// Whether a version that is not installed is passed over.
    fn forgives(&self) -> bool {
        let program = path::small_text(&self.programs.join("pyenv-exec"));
        program.is_some_and(|text| text.contains("pyenv-version-name -f"))
    }
}

fn unquoted(word: &str) -> &str {
    word.trim().trim_matches(['"', '\''])
}

/// The newest installed version that begins with `prefix`, as `pyenv latest` picks it.
fn latest(versions: &Path, prefix: &str) -> Option<String> {
    let (stem, threaded) = match prefix.strip_suffix('t') {
        Some(stem) if stem.ends_with(|c: char| c.is_ascii_digit()) => (stem, true),
        _ => (prefix, false),
    };
    let names =
        std::fs::read_dir(versions).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let fits = |name: &String| {
        let rest = name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['-', '.']));
        let is_threaded =
            name.strip_suffix('t').is_some_and(|stem| stem.ends_with(|c: char| c.is_ascii_digit()));
        let unfinished =
            ["-dev", "-src", "-latest"].iter().any(|suffix| name.ends_with(suffix)) || is_preview(name);
        rest && threaded == is_threaded && !unfinished && versions.join(name).is_dir()
    };
    names.filter(fits).max_by(|a, b| compare(a, b))
}

/// `3.14.0rc1`, `3.14.0a2`: a letter or two between digits at the end.
fn is_preview(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    stem.len() < name.len() && ["a", "b", "rc"].iter().any(|mark| stem.ends_with(mark))
}

/// By the first part as text, then by the next three as numbers.
fn compare(a: &str, b: &str) -> Ordering {
    let key = |name: &str| {
        // `miniconda3-4.7` sorts as `miniconda3.4.7`.
        let dashed = name.find('-').filter(|&at| name[..at].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let dotted = dashed.map_or(name.to_owned(), |at| format!("{}.{}", &name[..at], &name[at + 1..]));
        let mut parts = dotted.split('.').map(str::to_owned);
        let first = parts.next().unwrap_or_default();
        let number = |part: Option<String>| {
            let part = part.unwrap_or_default();
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            part[..digits].parse::<u64>().unwrap_or(0)
        };
        (first, number(parts.next()), number(parts.next()), number(parts.next()), Reverse(name.to_owned()))
    };
    key(a).cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use super::{compare, is_preview};
    use std::cmp::Ordering;

    #[test]
    fn the_newest_version_is_the_greatest_number() {
        assert_eq!(compare("3.9.18", "3.11.7"), Ordering::Less);
        assert_eq!(compare("3.11.7", "3.11.10"), Ordering::Less);
        assert_eq!(compare("miniconda3-4.7.12", "miniconda3-23.1.0"), Ordering::Less);
        assert!(is_preview("3.14.0rc1") && is_preview("3.14.0a2") && !is_preview("3.14.0"));
    }
}

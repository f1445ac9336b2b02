//! Version, virtual environment and installation of an interpreter, as CPython's `getpath` and `site` find them.

use std::path::{Path, PathBuf};

use waxcell_analysis::PythonVersion;

use super::links::{self, Resolved};
use super::{InterpreterError, Search, path};

/// Where an interpreter has its standard library, and the environment in front of it.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) version: PythonVersion,
    /// `t` for a free-threaded build: its directories are named `python3.13t`.
    pub(super) abi: &'static str,
    /// The installation (`sys.base_prefix`), canonical.
    pub(super) base: PathBuf,
    pub(super) venv: Option<Venv>,
    /// Links on the way to the installation, if the environment names it through any.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// The binary, canonical.
    real: PathBuf,
}

/// A virtual environment.
#[derive(Debug)]
pub(super) struct Venv {
    /// `sys.prefix`, as the path of the interpreter names it.
    pub(super) prefix: PathBuf,
    /// Canonical.
    pub(super) real: PathBuf,
    /// `include-system-site-packages`.
    pub(super) system_site: bool,
    home: Option<PathBuf>,
    version: Option<Release>,
}

/// A version and the kind of build: `3.13`, `3.13t`.
type Release = (PythonVersion, &'static str);

/// What is known about the interpreter at `path`, whose binary is `real`.
pub(super) fn find(path: &Path, real: &Path) -> Result<Prefix, InterpreterError> {
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(name) = other_program(&name) {
        return Err(match name {
            Other::Implementation(name) => InterpreterError::NotCPython { path: real.into(), name },
            Other::Shim(tool) => InterpreterError::Shim { path: path.into(), tool: Some(tool) },
        });
    }
    let venv = Venv::of(path);
    let directory = real.parent().unwrap_or(Path::new("/"));
    let above = directory.parent().unwrap_or(Path::new("/"));

    let (version, abi) = release(&name, "python")
        .or_else(|| release_of_library(above, venv.as_ref().and_then(|venv| venv.version)))
        .or_else(|| venv.as_ref().and_then(|venv| venv.version))
        .ok_or_else(|| InterpreterError::UnknownVersion {
            path: real.into(),
            looked_in: above.join("lib"),
        })?;
    if version < PythonVersion::OLDEST || version.major != PythonVersion::OLDEST.major {
        return Err(InterpreterError::TooOld { path: real.into(), version });
    }

    // Through the environment's `home` first: a copied binary has no standard library above itself.
    let home = venv.as_ref().and_then(|venv| links::resolve(venv.home.as_ref()?).ok());
    let (home, home_links) =
        home.map_or((None, Vec::new()), |Resolved { real, links, .. }| (Some(real), links));
    let starts = home.iter().map(PathBuf::as_path).chain([directory]);
    let climbed = starts.filter_map(|start| climb(start, version, abi)).next();
    let base = climbed.map_or_else(|| compiled_in(above, version, abi), Path::to_path_buf);

    Ok(Prefix { version, abi, base, venv, links: home_links, real: real.into() })
}

impl Prefix {
    /// What has to be visible of it.
    pub(super) fn roots(&self, search: &Search<'_>) -> Vec<PathBuf> {
        let mut roots = Vec::new();
        if self.base == Path::new("/usr") {
            // Debian links `sitecustomize.py` to there.
            let configuration = PathBuf::from(format!("/etc/python{}", self.version));
            roots.extend(configuration.is_dir().then_some(configuration));
        } else if is_wide(&self.base, search) {
            roots.extend(existing(&self.base, &["bin", "lib", "lib64"]));
        } else {
            roots.push(self.base.clone());
        }
        if let Some(venv) = &self.venv {
            if is_wide(&venv.real, search) {
                roots.extend(existing(&venv.real, &["bin", "lib", "lib64", "pyvenv.cfg"]));
            } else {
                roots.push(venv.real.clone());
            }
        }
        if !super::is_shown(&self.real, &roots) {
            roots.push(self.real.clone());
        }
        roots
    }

    /// `python3.11`, the name of its directories.
    pub(super) fn directory_name(&self) -> String {
        format!("python{}{}", self.version, self.abi)
    }
}

impl Venv {
    /// The environment that an interpreter's path is in: `pyvenv.cfg` above its directory or in it.
    fn of(path: &Path) -> Option<Venv> {
        let directory = path.parent()?;
        let places = directory.parent().into_iter().chain([directory]);
        let (prefix, text) =
            places.filter_map(|place| Some((place, path::small_text(&place.join("pyvenv.cfg"))?))).next()?;
        let mut venv = Venv {
            prefix: prefix.into(),
            real: links::resolve(prefix).ok()?.real,
            system_site: true,
            home: None,
            version: None,
        };
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "home" => venv.home = Some(PathBuf::from(value)).filter(|home| home.is_absolute()),
                "include-system-site-packages" => venv.system_site = value.eq_ignore_ascii_case("true"),
                "version" | "version_info" => venv.version = venv.version.or_else(|| release(value, "")),
                _ => {}
            }
        }
        Some(venv)
    }
}

/// Whether showing the whole of `directory` would show the project or the home directory, or half the host.
pub(super) fn is_wide(directory: &Path, search: &Search<'_>) -> bool {
    let home = search.home.and_then(|home| home.canonicalize().ok());
    let inner = [search.home, home.as_deref(), Some(search.cwd), Some(search.script_dir)];
    directory.components().count() < 3 || inner.into_iter().flatten().any(|path| path.starts_with(directory))
}

fn existing(directory: &Path, names: &[&str]) -> Vec<PathBuf> {
    let paths = names.iter().map(|name| directory.join(name));
    paths.filter_map(|path| path.canonicalize().ok()).collect()
}

enum Other {
    Implementation(String),
    Shim(&'static str),
}

/// Programs that stand where Python is expected. Some tools link `python3` to themselves.
fn other_program(name: &str) -> Option<Other> {
    for (start, implementation) in [
        ("pypy", "PyPy"),
        ("graalpy", "GraalPy"),
        ("jython", "Jython"),
        ("micropython", "MicroPython"),
        ("ironpython", "IronPython"),
    ] {
        if name.starts_with(start) {
            return Some(Other::Implementation(implementation.into()));
        }
    }
    for tool in ["mise", "rtx", "asdf", "proto", "volta", "rye", "uv", "hermit"] {
        if name == tool || name.strip_prefix(tool).is_some_and(|rest| rest == "-shim") {
            return Some(Other::Shim(tool));
        }
    }
    matches!(name, "busybox" | "bash" | "dash" | "sh" | "env" | "true" | "false")
        .then(|| Other::Implementation(format!("`{name}`")))
}

/// The release in `python3.13t` behind `prefix`; what follows a version number, as in `3.11.7`, is ignored.
fn release(name: &str, prefix: &str) -> Option<Release> {
    let rest = name.strip_prefix(prefix)?;
    let (major, rest) = rest.split_once('.')?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let version = format!("{major}.{}", &rest[..digits]).parse().ok()?;
    let abi = if rest[digits..].starts_with('t') { "t" } else { "" };
    Some((version, abi))
}

/// The only release with a directory below `prefix`, or the one that `preferred` says if there are several.
fn release_of_library(prefix: &Path, preferred: Option<Release>) -> Option<Release> {
    let entries = ["lib", "lib64"].into_iter().filter_map(|lib| std::fs::read_dir(prefix.join(lib)).ok());
    let names = entries.flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut releases: Vec<Release> =
        names.filter_map(|name| release(&name, "python")).filter(|(version, _)| version.major == 3).collect();
    releases.sort();
    releases.dedup();
    match releases.as_slice() {
        [only] => Some(*only),
        several => preferred.filter(|release| several.contains(release)),
    }
}

/// The nearest directory from `start` upwards that holds the standard library.
fn climb<'a>(start: &'a Path, version: PythonVersion, abi: &str) -> Option<&'a Path> {
    let above = if start.ends_with("bin") { start.parent()? } else { start };
    // `/lib` is `/usr/lib` on most systems: a merged root is no prefix.
    let mut prefixes = above.ancestors().filter(|directory| directory.parent().is_some());
    prefixes.find(|directory| holds_library(directory, version, abi))
}

fn holds_library(prefix: &Path, version: PythonVersion, abi: &str) -> bool {
    ["lib", "lib64"].iter().any(|lib| prefix.join(format!("{lib}/python{version}{abi}/os.py")).is_file())
}

/// What a binary that was copied away from its library falls back to: the prefix compiled into it, which is the
/// system's if that has this version.
fn compiled_in(above: &Path, version: PythonVersion, abi: &str) -> PathBuf {
    let system = ["/usr/local", "/usr"].map(Path::new);
    let found = system.into_iter().find(|prefix| holds_library(prefix, version, abi));
    found.unwrap_or(above).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::{PythonVersion, release};

    #[test]
    fn a_name_tells_the_release() {
        let expected = |minor, abi| Some((PythonVersion::new(3, minor), abi));
        assert_eq!(release("python3.11", "python"), expected(11, ""));
        assert_eq!(release("python3.13t", "python"), expected(13, "t"));
        assert_eq!(release("python3.8-dbg", "python"), expected(8, ""));
        assert_eq!(release("3.12.1.final.0", ""), expected(12, ""));
        for name in ["python3", "python", "python3.", "python3.x", "pypy3.9", ""] {
            assert_eq!(release(name, "python"), None, "{name}");
        }
    }
}

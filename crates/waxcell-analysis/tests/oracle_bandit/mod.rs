//! Bandit from PyPI, in an environment of its own, with the examples of its source distribution.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;
use waxcell_analysis::PythonVersion;

const PACKAGE: &str = "bandit==1.9.4";
const SOURCE: &str = "bandit-1.9.4";

/// Says that a test did not take place; `WAXCELL_SKIPS` names a file that collects these lines.
#[expect(clippy::disallowed_methods, reason = "a test's own report")]
fn skip(name: &str, why: &str) {
    println!("SKIPPED {name}: {why}");
    if let Some(list) = std::env::var_os("WAXCELL_SKIPS") {
        let mut list = fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        // In one write: tests run side by side.
        list.write_all(format!("SKIPPED {name}: {why}\n").as_bytes()).unwrap();
    }
}

/// One finding, of whomever.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) id: String,
    pub(crate) severity: String,
    pub(crate) confidence: String,
}

impl Issue {
    /// The file's name without its folder.
    pub(crate) fn name(&self) -> String {
        self.file.file_name().unwrap().to_string_lossy().into_owned()
    }
}

/// What one run of Bandit says.
pub(crate) struct Said {
    pub(crate) issues: Vec<Issue>,
    /// The files that it could read.
    pub(crate) files: BTreeSet<PathBuf>,
}

pub(crate) struct Bandit {
    python: PathBuf,
    pub(crate) examples: PathBuf,
    pub(crate) version: PythonVersion,
}

#[expect(clippy::disallowed_methods, reason = "tests start programs")]
fn run(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).output().unwrap()
}

fn succeeds(program: &Path, args: &[&str]) -> Result<(), String> {
    let output = run(program, args);
    let error = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(error.lines().last().unwrap_or("no reason").to_owned()) }
}

impl Bandit {
    /// Installs it where it is missing; where PyPI cannot be reached, that is said and nothing else.
    #[expect(clippy::disallowed_methods, reason = "the Python of the tests is named by a variable")]
    pub(crate) fn find(test: &str) -> Option<Bandit> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock();
        let base = std::env::var_os("WAXCELL_TEST_PYTHON").map_or("/usr/bin/python3".into(), PathBuf::from);
        match Bandit::install(&base, Path::new(env!("CARGO_TARGET_TMPDIR"))) {
            Ok(bandit) => Some(bandit),
            Err(why) => {
                skip(test, &format!("Bandit cannot be installed: {why}"));
                None
            }
        }
    }

    fn install(base: &Path, folder: &Path) -> Result<Bandit, String> {
        let (environment, examples) = (folder.join("bandit"), folder.join(SOURCE).join("examples"));
        let python = environment.join("bin/python3");
        let is_there = python.exists() && succeeds(&python, &["-c", "import bandit"]).is_ok();
        if !is_there || !examples.exists() {
            let (place, folder) = (environment.to_string_lossy(), folder.to_string_lossy());
            succeeds(base, &["-m", "venv", "--clear", &place])?;
            let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"];
            succeeds(&python, &[&pip[..], &["install", PACKAGE]].concat())?;
            let source = ["download", "--no-deps", "--no-binary", ":all:", "--dest", &folder, PACKAGE];
            succeeds(&python, &[&pip[..], &source].concat())?;
            let archive = format!("{folder}/{SOURCE}.tar.gz");
            succeeds(&python, &["-m", "tarfile", "--extract", &archive, &folder])?;
        }
        let version = run(&python, &["-c", "import sys; print('%d.%d' % sys.version_info[:2], end='')"]);
        let version = String::from_utf8_lossy(&version.stdout).parse().unwrap();
        Ok(Bandit { python, examples, version })
    }

    /// The scripts of the standard library that it runs on, without its tests.
    pub(crate) fn standard_library(&self) -> Vec<PathBuf> {
        let path = run(&self.python, &["-c", "import os; print(os.path.dirname(os.__file__), end='')"]);
        let mut files = Vec::new();
        below(Path::new(&String::from_utf8(path.stdout).unwrap()), &mut files);
        files.sort();
        files
    }

    /// Its report as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.json_in(Path::new("."), args)
    }

    /// The same from a working directory.
    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    pub(crate) fn json_in(&self, folder: &Path, args: &[&str]) -> Value {
        let mut command = Command::new(&self.python);
        command.args(["-m", "bandit", "-q", "--exit-zero", "-f", "json"]).args(args).current_dir(folder);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    }

    /// Has it scan files and folders.
    pub(crate) fn run(&self, options: &[&str], targets: &[PathBuf]) -> Said {
        let mut args = vec!["-r"];
        args.extend(options);
        args.extend(targets.iter().map(|path| path.to_str().unwrap()));
        let said = self.json(&args);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let path = |value: &Value| PathBuf::from(text(value));
        let unread: BTreeSet<PathBuf> =
            said["errors"].as_array().unwrap().iter().map(|error| path(&error["filename"])).collect();
        let scanned = said["metrics"].as_object().unwrap().keys().map(PathBuf::from);
        let files = scanned.filter(|file| file.is_file() && !unread.contains(file)).collect();
        let issues = said["results"].as_array().unwrap().iter().map(|issue| Issue {
            file: path(&issue["filename"]),
            line: usize::try_from(issue["line_number"].as_u64().unwrap()).unwrap(),
            id: text(&issue["test_id"]),
            severity: text(&issue["issue_severity"]).to_lowercase(),
            confidence: text(&issue["issue_confidence"]).to_lowercase(),
        });
        Said { issues: issues.collect(), files }
    }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let tests = ["test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"];
        if path.is_dir() && !path.is_symlink() && !tests.iter().any(|test| name == *test) {
            below(&path, files);
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
}

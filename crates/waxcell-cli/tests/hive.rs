//! Every script of `examples/hive`, in every way its manifest calls it, bare and under its policy: what a person, a
//! pipeline and the next script can see of it must be the same.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod host;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// One way to call a script.
struct Case {
    name: String,
    script: String,
    args: Vec<String>,
    cwd: String,
    stdin: Stdin,
    exit: i32,
    writes: BTreeSet<String>,
    changes: BTreeSet<String>,
    stdout_min_bytes: usize,
    needs: Vec<String>,
}

enum Stdin {
    Nothing,
    File(String),
    Text(String),
}

/// All that can be seen of a run from outside.
#[derive(PartialEq)]
struct Seen {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit: Option<i32>,
    files: BTreeMap<String, Entry>,
}

/// One file, folder or link.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    mode: u32,
    owner: (u32, u32),
    content: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let manifest: Value =
        serde_json::from_slice(&fs::read(host::tree("examples/hive/manifest.json")).unwrap()).unwrap();
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let case = |case: &Value| Case {
        name: text(&case["name"]).unwrap(),
        script: text(&case["script"]).unwrap(),
        args: texts(&case["args"]),
        cwd: text(&case["cwd"]).unwrap_or_default(),
        stdin: match (text(&case["stdin_file"]), text(&case["stdin_text"])) {
            (Some(file), _) => Stdin::File(file),
            (None, Some(text)) => Stdin::Text(text),
            (None, None) => Stdin::Nothing,
        },
        exit: i32::try_from(case["exit"].as_i64().unwrap()).unwrap(),
        writes: texts(&case["writes"]).into_iter().collect(),
        changes: texts(&case["changes"]).into_iter().collect(),
        stdout_min_bytes: usize::try_from(case["stdout_min_bytes"].as_u64().unwrap_or(0)).unwrap(),
        needs: texts(&case["needs"]),
    };
    manifest["cases"].as_array().unwrap().iter().map(case).collect()
}

/// A place for one case. Both runs see the project at the same path, since some of them print it.
struct Place {
    folder: tempfile::TempDir,
    python: PathBuf,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), python: host::python() }
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Runs the case in a fresh copy of the example, with `python3` or with what stands in its place.
    fn run(&self, case: &Case, front: &[&Path]) -> Seen {
        copy(&host::tree("examples/hive"), &self.project());
        let output = self.call(case, front);
        self.seen(output)
    }

    fn call(&self, case: &Case, front: &[&Path]) -> Output {
        let project = self.project();
        let up = if case.cwd.is_empty() { 0 } else { case.cwd.split('/').count() };
        let home = self.folder.path().join("home");
        fs::create_dir_all(&home).unwrap();
        let stdin = match &case.stdin {
            Stdin::Nothing => Stdio::null(),
            Stdin::File(path) => File::open(project.join(path)).unwrap().into(),
            Stdin::Text(_) => Stdio::piped(),
        };
        #[expect(clippy::disallowed_methods, reason = "a test that starts the program under test")]
        let mut command = Command::new(front[0]);
        command
            .args(&front[1..])
            .arg(format!("{}{}", "../".repeat(up), case.script))
            .args(&case.args)
            .current_dir(project.join(&case.cwd))
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.python.parent().unwrap().display()))
            .env("LANG", "C.UTF-8")
            .env("HOME", &home)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", front[0].display()));
        if let (Stdin::Text(text), Some(mut pipe)) = (&case.stdin, child.stdin.take()) {
            pipe.write_all(text.as_bytes()).unwrap();
        }
        child.wait_with_output().unwrap()
    }

    fn seen(&self, output: Output) -> Seen {
        let files = snapshot(&self.project());
        fs::remove_dir_all(self.project()).unwrap();
        Seen { stdout: output.stdout, stderr: output.stderr, exit: output.status.code(), files }
    }

    fn bare(&self, case: &Case) -> Seen {
        self.run(case, &[&self.python])
    }

    fn held(&self, case: &Case) -> Seen {
        let (program, state) = (host::waxcell(), self.state());
        let policy = self.project().join("security_policy.yml");
        let words = ["run", "--policy", "--state"].map(Path::new);
        self.run(case, &[&program, words[0], words[1], &policy, words[2], &state])
    }

    /// The same with writes that go to a layer, which is committed afterwards. Told: what of the project changed before.
    fn committed(&self, case: &Case) -> (Seen, Vec<String>) {
        let (program, state, project) = (host::waxcell(), self.state(), self.project());
        copy(&host::tree("examples/hive"), &project);
        let policy = fs::read_to_string(project.join("security_policy.yml")).unwrap();
        let layered = policy.replace("  filesystem:\n", "  filesystem:\n    write_mode: overlay\n");
        assert_ne!(layered, policy);
        // Of a folder on its own, so that the project is that of the others.
        let own = project.join("layered.yml");
        fs::write(&own, layered).unwrap();
        let before = snapshot(&project);
        let words = ["run", "--quiet", "--policy", "--state"].map(Path::new);
        let output = self.call(case, &[&program, words[0], words[1], words[2], &own, words[3], &state]);
        let early = if snapshot(&project) == before { Vec::new() } else { vec!["too early".to_owned()] };
        fs::remove_file(&own).unwrap();
        for run in fs::read_dir(state.join("quarantine")).into_iter().flatten().flatten() {
            #[expect(clippy::disallowed_methods, reason = "a test that starts the program under test")]
            let mut commit = Command::new(&program);
            let done = commit.args(["--quiet", "quarantine", "commit", "--state"]).arg(&state);
            if run.path().is_dir() {
                assert!(done.arg(run.file_name()).status().unwrap().success(), "{:?}", run.file_name());
            }
        }
        (self.seen(output), early)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, kind) = (entry.file_name(), entry.file_type().unwrap());
        if name == "__pycache__" || name == "reports" {
            continue;
        }
        if kind.is_dir() {
            copy(&entry.path(), &to.join(name));
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), to.join(name)).unwrap();
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// Everything below `root` but what Python makes for itself.
fn snapshot(root: &Path) -> BTreeMap<String, Entry> {
    let (mut entries, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let meta = fs::symlink_metadata(&path).unwrap();
            if path.ends_with("__pycache__") {
                continue;
            }
            let content = if meta.is_file() {
                fs::read(&path).unwrap()
            } else if meta.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                folders.push(path.clone());
                Vec::new()
            };
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            entries.insert(name, Entry { mode: meta.mode(), owner: (meta.uid(), meta.gid()), content });
        }
    }
    entries
}

/// Where two runs differ, in words.
fn differences(bare: &Seen, held: &Seen) -> Vec<String> {
    let mut told = Vec::new();
    if bare.exit != held.exit {
        told.push(format!("exit code {:?} instead of {:?}", held.exit, bare.exit));
    }
    for (name, bare, held) in
        [("standard output", &bare.stdout, &held.stdout), ("standard error", &bare.stderr, &held.stderr)]
    {
        if bare != held {
            told.push(format!("{name} is not\n{}\nbut\n{}", excerpt(bare), excerpt(held)));
        }
    }
    let names: BTreeSet<_> = bare.files.keys().chain(held.files.keys()).collect();
    for name in names {
        match (bare.files.get(name), held.files.get(name)) {
            (Some(bare), Some(held)) if bare == held => {}
            (Some(bare), Some(held)) => told.push(format!(
                "`{name}`: mode {:o} of {:?} instead of {:o} of {:?}{}",
                held.mode,
                held.owner,
                bare.mode,
                bare.owner,
                if bare.content == held.content { "" } else { ", other content" }
            )),
            (Some(_), None) => told.push(format!("`{name}` is missing")),
            (None, _) => told.push(format!("`{name}` is there only under the policy")),
        }
    }
    told
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(1500).collect()
}

/// The manifest is right about the bare run: without this, two equal failures would look like success.
fn check_manifest(case: &Case, before: &BTreeMap<String, Entry>, bare: &Seen) -> Vec<String> {
    let mut told = Vec::new();
    let is_file = |entry: &Entry| entry.mode & 0o170_000 == 0o100_000;
    let new = bare.files.iter().filter(|(name, entry)| !before.contains_key(*name) && is_file(entry));
    let written: BTreeSet<String> = new.map(|(name, _)| name.clone()).collect();
    let changed: BTreeSet<String> = before
        .iter()
        .filter(|(name, entry)| is_file(entry) && bare.files.get(*name) != Some(*entry))
        .map(|(name, _)| name.clone())
        .collect();
    if bare.exit != Some(case.exit) {
        told.push(format!("bare: exit code {:?}, not {}: {}", bare.exit, case.exit, excerpt(&bare.stderr)));
    }
    if written != case.writes {
        told.push(format!("bare: wrote {written:?}"));
    }
    if changed != case.changes {
        told.push(format!("bare: changed {changed:?}"));
    }
    if bare.stdout.len() < case.stdout_min_bytes {
        told.push(format!("bare: only {} bytes of output", bare.stdout.len()));
    }
    told
}

fn check_journal(state: &Path) -> Vec<String> {
    match waxcell_journal::verify(&state.join("journal")) {
        Err(error) => vec![format!("the journal cannot be read: {error}")],
        Ok(report) => {
            let mut told: Vec<String> =
                report.faults.iter().map(|fault| format!("journal: {fault}")).collect();
            if !report.open.is_empty() {
                told.push(format!("journal: {} runs are open", report.open.len()));
            }
            if report.records < 2 {
                told.push(format!("journal: {} records of one run", report.records));
            }
            told
        }
    }
}

/// Whether this Python has a package.
fn has(python: &Path, package: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test that asks the interpreter it will use")]
    let mut command = Command::new(python);
    command.args(["-c", &format!("import {package}")]).env_clear().stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Every case of one script.
fn check(script: &str) {
    let mut told = Vec::new();
    let untouched = tempfile::tempdir().unwrap();
    copy(&host::tree("examples/hive"), &untouched.path().join("project"));
    let before = snapshot(&untouched.path().join("project"));
    for case in cases().iter().filter(|case| case.script == script) {
        let place = Place::new();
        if let Some(package) = case.needs.iter().find(|package| !has(&place.python, package)) {
            host::skip(&format!("hive {}", case.name), &format!("no Python package `{package}`"));
            continue;
        }
        let (bare, held) = (place.bare(case), place.held(case));
        let (committed, early) = place.committed(case);
        let wrong = [
            check_manifest(case, &before, &bare),
            differences(&bare, &held),
            differences(&bare, &committed),
            early,
            check_journal(&place.state()),
        ];
        told.extend(wrong.concat().into_iter().map(|wrong| format!("{}: {wrong}", case.name)));
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn tally() {
    check("scripts/tally.py");
}

#[test]
fn validate() {
    check("scripts/validate.py");
}

#[test]
fn collect() {
    check("scripts/collect.py");
}

#[test]
fn rewrite_state() {
    check("scripts/rewrite_state.py");
}

#[test]
fn verify_chain() {
    check("scripts/verify_chain.py");
}

#[test]
fn index() {
    check("scripts/index.py");
}

#[test]
fn stamp() {
    check("scripts/stamp.py");
}

#[test]
fn digest() {
    check("scripts/digest.py");
}

#[test]
fn every_script_of_the_manifest_is_tested() {
    let scripts: BTreeSet<String> = cases().into_iter().map(|case| case.script).collect();
    let tested =
        ["tally", "validate", "collect", "rewrite_state", "verify_chain", "index", "stamp", "digest"];
    assert_eq!(scripts, tested.map(|name| format!("scripts/{name}.py")).into());
}

#[test]
fn a_difference_is_seen() {
    let entry = |mode, content: &str| Entry { mode, owner: (0, 0), content: content.into() };
    let seen = |stdout: &str, files: &[(&str, Entry)]| Seen {
        stdout: stdout.into(),
        stderr: Vec::new(),
        exit: Some(0),
        files: files.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect(),
    };
    let bare =
        seen("a", &[("kept", entry(0o644, "x")), ("moded", entry(0o644, "x")), ("gone", entry(0o644, ""))]);
    let held =
        seen("b", &[("kept", entry(0o644, "x")), ("moded", entry(0o600, "y")), ("new", entry(0o644, ""))]);
    assert_eq!(differences(&bare, &bare), Vec::<String>::new());
    assert_eq!(
        differences(&bare, &held),
        [
            "standard output is not\na\nbut\nb",
            "`gone` is missing",
            "`moded`: mode 600 of (0, 0) instead of 644 of (0, 0), other content",
            "`new` is there only under the policy",
        ]
    );
}

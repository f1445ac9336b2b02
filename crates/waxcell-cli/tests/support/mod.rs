//! What the black-box tests share: a project with a policy and a state directory of its own, and the built binary over
//! it, with a bound on every wait.
//!
//! | variable | what | without it |
//! |---|---|---|
//! | `WAXCELL_BIN` | the binary under test | the one that cargo built |
//! | `WAXCELL_SKIP_LOG` | a file that collects a line for each test that did not take place | only the test's own output |
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program under test, and the environment says which"
)]
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes; what reaches it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// The Python that the tests compare with.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// The binary under test.
pub(crate) fn waxcell() -> PathBuf {
    std::env::var_os("WAXCELL_BIN")
        .filter(|value| !value.is_empty())
        .map_or_else(|| env!("CARGO_BIN_EXE_waxcell").into(), PathBuf::from)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says that `name` did not take place.
#[expect(clippy::print_stdout, reason = "a test's own report")]
pub(crate) fn skip(name: &str, why: &str) {
    let line = format!("SKIPPED {name}: {why}");
    println!("{line}");
    if let Some(list) = std::env::var_os("WAXCELL_SKIP_LOG").filter(|value| !value.is_empty()) {
        let list = fs::OpenOptions::new().create(true).append(true).open(list);
        let written = list.expect("the list of skips").write_all(format!("{line}\n").as_bytes());
        written.expect("the list of skips");
    }
}

/// A word that is on the command line of this test's own processes alone.
pub(crate) fn marker() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("waxcell-mark-{}-{}-", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The processes with `marker` in their arguments.
pub(crate) fn alive(marker: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = entries.filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let text = String::from_utf8_lossy(&line).replace('\0', " ");
        text.contains(marker).then(|| format!("{}: {text}", entry.file_name().to_string_lossy()))
    });
    lines.collect()
}

/// Waits until `condition` holds.
pub(crate) fn until(longest: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < longest, "not within {longest:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What ended, and what it said.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The exit code, as a shell gives it.
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.out(), self.err())
    }
}

impl Said {
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// The report that `--json` printed.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("no report: {error}: {self:?}"))
    }
}

/// Of a violation: operation, target, layer, errno, count.
pub(crate) type Told = (String, String, String, i64, u64);

/// The violations of a report.
#[track_caller]
pub(crate) fn told(report: &Value) -> Vec<Told> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let one = |violation: &Value| {
        assert!(violation["last_ms"].as_u64() >= violation["first_ms"].as_u64(), "{violation}");
        let [operation, target, layer] = ["operation", "target", "layer"].map(|key| text(&violation[key]));
        let errno = violation["errno"].as_i64().expect("a number");
        let count = violation["count"].as_u64().expect("a number");
        (operation, target, layer, errno, count)
    };
    report["violations"].as_array().expect("a list").iter().map(one).collect()
}

/// Each field of a report, and what it is where nothing was run.
const OF_NOTHING: [(&str, &str); 26] = [
    ("success", "false"),
    ("return_code", "number"),
    ("stdout", "\"\""),
    ("stderr", "\"\""),
    ("output_truncated", "false"),
    ("execution_time", "0.0"),
    ("resource_usage", "object"),
    ("verdict", "text"),
    ("cause", "text"),
    ("help", "text or null"),
    ("run_id", "text"),
    ("script", "object"),
    ("policy", "object"),
    ("findings", "list"),
    ("violations", "[]"),
    ("violations_beyond", "0"),
    ("files_changed", "[]"),
    ("files_changed_whole", "true"),
    ("quarantine", "null"),
    ("script_replaced", "false"),
    ("network", "[]"),
    ("enforced", "null"),
    ("record", "object or null"),
    ("stdout_bytes", "0"),
    ("stderr_bytes", "0"),
    ("stdout_sha256", "text"),
];

impl Said {
    /// The report of a run that did not take place: every field is there, and none claims anything.
    #[track_caller]
    pub(crate) fn report_of_nothing_run(&self, code: i32) -> Value {
        let report = self.report();
        for (field, what) in OF_NOTHING {
            let value = report.get(field).unwrap_or_else(|| panic!("no `{field}`: {report:#}"));
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(_) => "text",
                Value::Array(_) => "list",
                Value::Object(_) => "object",
            };
            let fits = what.split(" or ").any(|what| what == kind) || what == format!("{value}");
            assert!(fits, "`{field}` is {value}, not {what}");
        }
        assert_eq!((self.code, report["return_code"].as_i64()), (code, Some(code.into())), "{report:#}");
        let verdict = if code == 126 { "refused" } else { "error" };
        assert_eq!(report["verdict"], verdict, "{report:#}");
        assert!(!report["cause"].as_str().expect("a cause").is_empty(), "{report:#}");
        assert_eq!(
            report["run_id"] == "",
            report["record"].is_null(),
            "a name leads to a record: {report:#}"
        );
        for (part, field) in
            [("script", "path"), ("script", "sha256"), ("policy", "path"), ("policy", "sha256")]
        {
            let value = &report[part].get(field);
            assert!(value.is_some_and(|value| value.is_string() || value.is_null()), "{report:#}");
        }
        report
    }
}

/// A program that is running, in a process group of its own, with its output collected.
pub(crate) struct Running {
    pub(crate) child: Child,
    out: mpsc::Receiver<Vec<u8>>,
    err: mpsc::Receiver<Vec<u8>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = collect(child.stdout.take().expect("piped"));
        let err = collect(child.stderr.take().expect("piped"));
        Running { child, out, err }
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("kill");
    }

    #[track_caller]
    pub(crate) fn end(self) -> Said {
        self.end_within(PATIENCE)
    }

    #[track_caller]
    pub(crate) fn end_within(mut self, longest: Duration) -> Said {
        let end = Instant::now() + longest;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                break status;
            }
            if Instant::now() > end {
                let _ = rustix::process::kill_process_group(self.pid(), rustix::process::Signal::KILL);
                panic!("still running after {longest:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let code = status.code().unwrap_or_else(|| 128 + status.signal().expect("a signal"));
        let rest = |stream: &mpsc::Receiver<Vec<u8>>| {
            stream.recv_timeout(Duration::from_secs(10)).expect("somebody holds a stream open after the end")
        };
        Said { code, out: rest(&self.out), err: rest(&self.err) }
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = send.send(bytes);
    });
    receive
}

/// A project with its policy and a state directory beside it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    /// Whether its policies are those of [`at_the_kernel`].
    at_the_kernel: bool,
}

impl Place {
    /// With `policy` as its policy, under which the gate reports and refuses nothing unless it says so: most tests ask what
    /// becomes of a script that runs.
    pub(crate) fn new(policy: &str) -> Place {
        Place::of(policy, true)
    }

    /// With `policy` as its policy, and the gate that follows from it.
    pub(crate) fn with_gate(policy: &str) -> Place {
        Place::of(policy, false)
    }

    fn of(policy: &str, at_the_kernel: bool) -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a folder"), at_the_kernel };
        for folder in ["project", "home"] {
            fs::create_dir(place.root().join(folder)).expect("a folder");
        }
        place.write("security_policy.yml", policy);
        place
    }

    /// The folder around everything, canonical.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder")
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.state().join("journal")
    }

    /// A file of the project, with the folders above it.
    pub(crate) fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> PathBuf {
        let name = name.as_ref();
        let path = self.project().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        match std::str::from_utf8(contents.as_ref()) {
            Ok(policy) if self.at_the_kernel && name == Path::new("security_policy.yml") => {
                fs::write(&path, at_the_kernel(policy))
            }
            _ => fs::write(&path, contents),
        }
        .expect("a file");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.project().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.project().join(name).symlink_metadata().is_ok()
    }

    /// Any program in the project, with a small environment and nothing to read.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.project())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", self.root().join("home"))
            .stdin(Stdio::null());
        command
    }

    /// `waxcell` over this project's record.
    pub(crate) fn waxcell(&self, args: &[&str]) -> Command {
        let mut command = self.command(waxcell());
        command.env("WAXCELL_STATE", self.state()).args(args);
        command
    }

    /// A line for the shell, with the same environment.
    pub(crate) fn waxcell_shell(&self, line: &str) -> Command {
        let mut command = self.command("/bin/sh");
        command.env("WAXCELL_STATE", self.state()).args(["-c", line]);
        command
    }

    /// Runs a script's text as `waxcell run`, streaming.
    #[track_caller]
    pub(crate) fn run(&self, text: &str) -> Said {
        self.write("script.py", text);
        say(&mut self.waxcell(&["run", "script.py"]))
    }

    /// Runs a script's text as `waxcell run --json`.
    #[track_caller]
    pub(crate) fn report(&self, text: &str) -> (Said, Value) {
        self.write("script.py", text);
        let said = say(&mut self.waxcell(&["--json", "run", "script.py"]));
        let report = said.report();
        (said, report)
    }

    /// Runs a script's text with the bare interpreter.
    #[track_caller]
    pub(crate) fn bare(&self, text: &str) -> Said {
        self.write("script.py", text);
        say(self.command(PYTHON).arg("script.py"))
    }

    /// All records.
    pub(crate) fn records(&self) -> Vec<Value> {
        records(&self.journal())
    }

    /// The journal is sound, and every run of it closed.
    #[track_caller]
    pub(crate) fn check_journal(&self) {
        let report = waxcell_journal::verify(&self.journal()).expect("a journal");
        assert!(report.is_sound() && report.open.is_empty(), "{report:?}");
    }

    /// The lines of a log view.
    pub(crate) fn view(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.state().join("logs").join(name)).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}")))
            .collect()
    }

    /// Everything in the project: path, mode, content.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.project()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").flatten() {
                let meta = entry.metadata().expect("an entry");
                if meta.is_dir() {
                    folders.push(entry.path());
                }
                let content =
                    if meta.is_file() { fs::read(entry.path()).unwrap_or_default() } else { Vec::new() };
                found.insert(entry.path(), (meta.permissions().mode(), content));
            }
        }
        found
    }
}

pub(crate) fn records(journal: &Path) -> Vec<Value> {
    let Ok(reader) = waxcell_journal::Reader::open(journal) else { return Vec::new() };
    let state = journal.parent().expect("a state directory");
    reader.flatten().map(|record| waxcell::read_record(state, &record.payload)).collect()
}

/// The types of records, in order.
pub(crate) fn types(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["type"].as_str().expect("a type")).collect()
}

/// A policy with room for every script of the tests, but for what `tight` says.
pub(crate) fn policy(tight: &[(&str, &str)]) -> String {
    let roomy = [
        ("timeout_seconds", "30"),
        ("cpu_seconds", "20"),
        ("memory_mb", "400"),
        ("max_processes", "8"),
        ("max_threads", "32"),
        ("file_size_mb", "16"),
        ("max_open_files", "128"),
        ("output_mb", "8"),
        ("scratch_mb", "64"),
        ("scratch_files", "512"),
        ("disk_write_mb", "1000"),
    ];
    let mut text = "execution:\n".to_owned();
    for (key, value) in roomy {
        let value = tight.iter().find(|(tight, _)| *tight == key).map_or(value, |(_, value)| value);
        text.push_str(&format!("  {key}: {value}\n"));
    }
    text + "filesystem:\n  allowed_paths: [./data]\n  blocked_operations: []\n"
}

/// A policy with which the gate reports what it finds and refuses nothing, unless it says something about that.
pub(crate) fn at_the_kernel(policy: &str) -> String {
    let end = if policy.is_empty() || policy.ends_with('\n') { "" } else { "\n" };
    match policy.contains("analysis") || policy.contains("security:") || policy.starts_with('{') {
        true => policy.to_owned(),
        false => format!("{policy}{end}{REPORTS}"),
    }
}

/// What a policy says with which the gate refuses nothing that can be read.
pub(crate) const REPORTS: &str = "analysis: {capabilities: report, threats: report, dynamic_code: report}\n";

/// Runs a command to its end.
#[track_caller]
pub(crate) fn say(command: &mut Command) -> Said {
    Running::start(command).end()
}

/// Runs a command to its end with something to read.
#[track_caller]
pub(crate) fn say_with(command: &mut Command, input: &[u8]) -> Said {
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut pipe = running.child.stdin.take().expect("piped");
    let input = input.to_vec();
    std::thread::spawn(move || {
        let _ = pipe.write_all(&input);
    });
    running.end()
}

/// Bytes as an argument.
pub(crate) fn bytes(text: &[u8]) -> &OsStr {
    OsStr::from_bytes(text)
}

/// Runs a line under a terminal of 33 rows and 99 columns, after typing `keys`; gives what appeared and the exit code.
pub(crate) fn on_a_terminal(place: &Place, program: &[&str], keys: &str) -> String {
    let driver = "
import fcntl, os, pty, select, struct, sys, termios, time
keys, argv = sys.argv[1].encode().decode('unicode_escape').encode('latin-1'), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 99, 0, 0))
    os.execv(argv[0], argv)
seen, typed, end = b'', False, time.time() + 15
while time.time() < end:
    if not typed and b'READY' in seen:
        time.sleep(0.1); os.write(fd, keys); typed = True
    if select.select([fd], [], [], 0.05)[0]:
        try: chunk = os.read(fd, 65536)
        except OSError: break
        if not chunk: break
        seen += chunk
status = os.waitpid(pid, 0)[1]
print(repr(seen.decode()), os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
";
    fs::write(place.root().join("driver.py"), driver).expect("a driver");
    let said = say(place.command(PYTHON).arg(place.root().join("driver.py")).arg(keys).args(program));
    assert_eq!(said.err(), "", "{said:?}");
    said.out()
}

//! The standard library's own regression tests: the same outcome, test by test, inside a permissive sandbox as outside.
//!
//! `docs/compatibility.md` lists the tests that differ, and why; any other difference fails here. A test that differs
//! once and not again is one that depends on the moment, not on the sandbox: a difference counts when no outcome that
//! was seen inside was ever seen outside.
//!
//! `WAXCELL_STDLIB` says how much: `few`, `short` (without it) or `all`; or names modules, with commas between.
//! `WAXCELL_STDLIB_PYTHON` names an interpreter that has its tests with it and that an ordinary user can execute.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod host;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Fast, and between them they touch files, processes, signals, sockets and memory.
const FEW: &[&str] = &["test_fileio", "test_glob", "test_json", "test_mmap", "test_os", "test_tempfile"];

/// What a run on CI has time for, the slow ones first.
const SHORT: &[&str] = &[
    "test_subprocess",
    "test_asyncio.test_subprocess",
    "test_selectors",
    "test_poll",
    "test_threading",
    "test_zipfile",
    "test_asyncio.test_base_events",
    "test_asyncio.test_streams",
    "test_asyncio.test_unix_events",
    "test_csv",
    "test_fcntl",
    "test_fileio",
    "test_fork1",
    "test_glob",
    "test_hashlib",
    "test_httpservers",
    "test_json",
    "test_locale",
    "test_mmap",
    "test_os",
    "test_pathlib",
    "test_popen",
    "test_posix",
    "test_pwd",
    "test_re",
    "test_resource",
    "test_runpy",
    "test_shutil",
    "test_site",
    "test_sqlite3",
    "test_sys",
    "test_tempfile",
    "test_thread",
    "test_time",
    "test_uuid",
];

/// Beyond [`SHORT`]; several take minutes.
const MORE: &[&str] = &[
    "test_argparse",
    "test_asyncio",
    "test_atexit",
    "test_base64",
    "test_builtin",
    "test_bytes",
    "test_bz2",
    "test_c_locale_coercion",
    "test_cmd_line",
    "test_cmd_line_script",
    "test_codecs",
    "test_compileall",
    "test_concurrent_futures",
    "test_configparser",
    "test_contextlib",
    "test_ctypes",
    "test_dataclasses",
    "test_datetime",
    "test_dbm",
    "test_decimal",
    "test_docxmlrpc",
    "test_eintr",
    "test_email",
    "test_embed",
    "test_epoll",
    "test_faulthandler",
    "test_file",
    "test_fileinput",
    "test_ftplib",
    "test_functools",
    "test_gc",
    "test_getpass",
    "test_grp",
    "test_gzip",
    "test_httplib",
    "test_import",
    "test_importlib",
    "test_inspect",
    "test_io",
    "test_itertools",
    "test_largefile",
    "test_linecache",
    "test_logging",
    "test_lzma",
    "test_mailbox",
    "test_math",
    "test_multiprocessing_fork",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_main_handling",
    "test_multiprocessing_spawn",
    "test_netrc",
    "test_openpty",
    "test_pickle",
    "test_pkgutil",
    "test_platform",
    "test_plistlib",
    "test_posixpath",
    "test_pty",
    "test_py_compile",
    "test_pydoc",
    "test_queue",
    "test_random",
    "test_readline",
    "test_sched",
    "test_select",
    "test_shelve",
    "test_signal",
    "test_smtplib",
    "test_socket",
    "test_socketserver",
    "test_ssl",
    "test_stat",
    "test_statistics",
    "test_struct",
    "test_support",
    "test_sysconfig",
    "test_syslog",
    "test_tarfile",
    "test_threadedtempfile",
    "test_threadsignals",
    "test_timeout",
    "test_tokenize",
    "test_traceback",
    "test_tracemalloc",
    "test_typing",
    "test_unicode",
    "test_unicode_file",
    "test_unicode_file_functions",
    "test_unicodedata",
    "test_unittest",
    "test_urllib",
    "test_urllib2_localnet",
    "test_utf8_mode",
    "test_venv",
    "test_wait3",
    "test_wait4",
    "test_wsgiref",
    "test_xml_etree",
    "test_xmlrpc",
    "test_zipapp",
    "test_zipimport",
    "test_zlib",
    "test_zoneinfo",
];

/// As permissive as a policy gets: what differs under it is the sandbox itself, not a rule of the policy.
const POLICY: &str = "\
execution:
  timeout_seconds: 900
  cpu_seconds: 31536000
  memory_mb: 8192
  file_size_mb: 8192
  max_processes: 500
  max_threads: 5000
  max_open_files: {open_files}
  output_mb: 1024
  scratch_mb: 4096
  scratch_files: 1000000
filesystem:
  allowed_paths: [{path: /tmp, execute: true}, {path: ./tests, execute: true}]
  blocked_operations: []
interpreter: {python}
";

/// The ordinary user outside when root runs this, since the script inside is an ordinary user as well: `nobody`, who has
/// a line in `/etc/passwd`.
const ORDINARY: u32 = 65534;

/// Behind the name of a module: how it ended as a whole.
const WHOLE: &str = " (the module)";

/// What tests of one module came to, by name, with the reasons of the last run.
#[derive(Default)]
struct Outcomes {
    seen: BTreeMap<String, BTreeSet<String>>,
    why: BTreeMap<String, String>,
    /// What the sandbox took for an attempt on files.
    attempts: BTreeSet<String>,
}

/// One test that differs.
#[derive(Clone, Debug, PartialEq)]
struct Difference {
    test: String,
    outside: String,
    inside: String,
    why: String,
}

/// What there is to say about one module.
struct Told {
    module: &'static str,
    tests: usize,
    passed: usize,
    /// The last output inside.
    end: String,
    differences: Vec<Difference>,
    attempts: BTreeSet<String>,
    seconds: f64,
}

struct Stand {
    folder: tempfile::TempDir,
    python: PathBuf,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Outside,
    Inside,
}

impl Stand {
    fn new(python: PathBuf) -> Stand {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Stand { folder, python }
    }

    /// Whether the interpreter comes with these tests; Debian's comes without some.
    fn has(&self, module: &str) -> bool {
        #[expect(clippy::disallowed_methods, reason = "a test that asks the interpreter it will use")]
        let mut command = Command::new(&self.python);
        let ask = format!(
            "import importlib.util, sys; sys.exit(importlib.util.find_spec('test.{module}') is None)"
        );
        command.args(["-c", &ask]).env_clear().current_dir("/").status().is_ok_and(|status| status.success())
    }

    /// Runs one module on one side.
    fn run(&self, module: &str, side: Side, outcomes: &mut Outcomes) {
        // Names of one length: the address of a UNIX socket has room for a hundred bytes.
        let name = format!("{module}-{}", if side == Side::Inside { "held" } else { "bare" });
        let project = self.folder.path().join(name);
        let (work, home) = (project.join("tests"), self.folder.path().join("home"));
        let root = is_root();
        for folder in [&project, &work, &home] {
            fs::create_dir_all(folder).unwrap();
        }
        let (policy, report) = (project.join("security_policy.yml"), project.join("report.json"));
        let text = POLICY
            .replace("{open_files}", &open_files().to_string())
            .replace("{python}", self.python.to_str().unwrap());
        fs::write(&policy, text).unwrap();
        fs::write(work.join("driver.py"), include_str!("stdlib/driver.py")).unwrap();
        if root && side == Side::Outside {
            for folder in [&project, &work, &home] {
                chown(folder, Some(ORDINARY), Some(ORDINARY)).unwrap();
            }
        }
        // A shell that put us into the background made us ignore the interrupt, which the tests expect to arrive.
        let mut words: Vec<PathBuf> = ["env", "--default-signal"].map(PathBuf::from).into();
        match side {
            Side::Inside => {
                words.push(host::waxcell());
                words.extend(["run", "--policy"].map(PathBuf::from));
                words.extend([policy, "--state".into(), self.folder.path().join("state")]);
                words.extend(["--report".into(), report.clone()]);
            }
            Side::Outside => {
                words.extend(["setsid", "--wait"].map(PathBuf::from));
                if root {
                    words.extend(["setpriv", "--clear-groups"].map(PathBuf::from));
                    words.extend(
                        [format!("--reuid={ORDINARY}"), format!("--regid={ORDINARY}")].map(PathBuf::from),
                    );
                }
                words.extend(["timeout", "--kill-after=5", "900"].map(PathBuf::from));
                words.push(self.python.clone());
            }
        }
        let argument = match module.contains('.') {
            true => format!("test.{module}"),
            false => module.to_owned(),
        };
        // Its servers are on `localhost`; other modules would leave the host.
        let network = (module == "test_socketserver").then_some("--use=network");
        #[expect(clippy::disallowed_methods, reason = "a test that starts the program under test")]
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["driver.py", "notes", "--timeout=300", "--tempdir=."])
            .args(network)
            .arg(&argument)
            .current_dir(&work)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.python.parent().unwrap().display()))
            .env("LANG", "C.UTF-8")
            .env("HOME", &home)
            .stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", words[0].display()));
        let notes = fs::read_to_string(work.join("notes")).unwrap_or_default();
        outcomes.add(&notes);
        let told =
            fs::read_to_string(&report).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
        outcomes.attempts.extend(told.iter().flat_map(attempts_on_files));
        let tail = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let from = text.char_indices().rev().nth(1500).map_or(0, |(at, _)| at);
            text[from..].to_owned()
        };
        let end = match output.status.code() {
            Some(code) => format!("exit code {code}"),
            None => output.status.to_string(),
        };
        let whole = format!("{module}{WHOLE}");
        outcomes.why.insert(whole.clone(), format!("{}{}", tail(&output.stdout), tail(&output.stderr)));
        outcomes.seen.entry(whole).or_default().insert(end);
        fs::remove_dir_all(&project).ok();
    }

    /// Runs one module on both sides, again where they differ.
    fn compare(&self, module: &'static str) -> Told {
        let started = Instant::now();
        let (mut outside, mut inside) = (Outcomes::default(), Outcomes::default());
        for _ in 0..3 {
            self.run(module, Side::Outside, &mut outside);
            self.run(module, Side::Inside, &mut inside);
            if differences(&outside, &inside).is_empty() {
                break;
            }
        }
        Told {
            module,
            tests: inside.seen.len() - 1,
            passed: inside.seen.values().filter(|seen| seen.contains("pass")).count(),
            end: inside.why.get(&format!("{module}{WHOLE}")).cloned().unwrap_or_default(),
            differences: differences(&outside, &inside),
            attempts: inside.attempts,
            seconds: started.elapsed().as_secs_f64(),
        }
    }
}

impl Outcomes {
    fn add(&mut self, notes: &str) {
        let mut run: BTreeMap<String, (String, String)> = BTreeMap::new();
        for line in notes.lines() {
            let Ok(note) = serde_json::from_str::<Value>(line) else { continue };
            let text = |key: &str| note[key].as_str().unwrap_or_default().to_owned();
            let (test, outcome) = (text("test"), text("outcome"));
            let rank =
                |outcome: &str| ["skip", "pass"].iter().position(|usual| *usual == outcome).unwrap_or(2);
            // A test with subtests is told in several lines: the worst one holds.
            if run.get(&test).is_none_or(|(before, _)| rank(before) <= rank(&outcome)) {
                run.insert(test, (outcome, text("why")));
            }
        }
        for (test, (outcome, why)) in run {
            self.why.insert(test.clone(), why);
            self.seen.entry(test).or_default().insert(outcome);
        }
    }
}

fn differences(outside: &Outcomes, inside: &Outcomes) -> Vec<Difference> {
    let none = BTreeSet::new();
    let tests: BTreeSet<_> = outside.seen.keys().chain(inside.seen.keys()).collect();
    let of = |outcomes: &Outcomes, test: &String| {
        let seen: Vec<_> = outcomes.seen.get(test).unwrap_or(&none).iter().cloned().collect();
        if seen.is_empty() { "did not run".to_owned() } else { seen.join(" or ") }
    };
    let differs = |test: &&&String| {
        let (outside, inside) = (outside.seen.get(**test), inside.seen.get(**test));
        outside.unwrap_or(&none).is_disjoint(inside.unwrap_or(&none))
    };
    let why = |test: &String| match (inside.why.get(test), outside.why.get(test)) {
        (Some(inside), _) if !inside.is_empty() => inside.clone(),
        (_, Some(outside)) if !outside.is_empty() => format!("outside: {outside}"),
        _ => String::new(),
    };
    let told = |test: &String| Difference {
        test: test.clone(),
        outside: of(outside, test),
        inside: of(inside, test),
        why: why(test),
    };
    let differing: Vec<Difference> = tests.iter().filter(differs).map(|test| told(test)).collect();
    // How the module ended follows from its tests, and is told only where it does not.
    let is_test = |difference: &&Difference| !difference.test.ends_with(WHOLE);
    let tests_alone: Vec<Difference> = differing.iter().filter(is_test).cloned().collect();
    let ended_early = tests_alone.iter().any(|difference| difference.inside == "did not run");
    if tests_alone.is_empty() || ended_early { differing } else { tests_alone }
}

/// What a report tells of files that were not given.
fn attempts_on_files(report: &Value) -> Vec<String> {
    let none = Vec::new();
    let all = report["violations"].as_array().unwrap_or(&none).iter();
    let of_files = all.filter(|told| told["layer"] == "mounts" || told["layer"] == "processes");
    of_files.map(|told| format!("{} {}", told["operation"], told["target"])).collect()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// The soft limit of open files that a script outside has.
fn open_files() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(1024)
}

/// An interpreter that has its tests and that the ordinary user outside can execute.
fn interpreter() -> Option<PathBuf> {
    let user = is_root().then_some(ORDINARY);
    if let Some(named) = host::variable("WAXCELL_STDLIB_PYTHON") {
        assert!(works(&named, user), "`{}` has no tests, or not everybody can execute it", named.display());
        return Some(named);
    }
    ["/usr/bin/python3", "/usr/local/bin/python3"]
        .map(PathBuf::from)
        .into_iter()
        .find(|python| works(python, user))
}

fn works(python: &Path, user: Option<u32>) -> bool {
    use std::os::unix::process::CommandExt;
    #[expect(clippy::disallowed_methods, reason = "a test that asks the interpreter it will use")]
    let mut command = Command::new(python);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.args(["-c", "import test.libregrtest, test.test_json"]).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The differences that `docs/compatibility.md` lists: rows of a table whose first cell is a test in backticks. A name
/// may end with `*`.
fn announced(page: &str) -> Vec<String> {
    let cell = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(cell).filter(|name| name.starts_with("test")).collect()
}

fn is_announced(test: &str, announced: &[String]) -> bool {
    announced.iter().any(|name| match name.strip_suffix('*') {
        Some(front) => test.starts_with(front),
        None => test == name,
    })
}

fn modules() -> Vec<&'static str> {
    let asked = host::variable("WAXCELL_STDLIB").and_then(|value| value.into_os_string().into_string().ok());
    let all = || SHORT.iter().chain(MORE).copied();
    match asked.as_deref() {
        None | Some("short") => SHORT.to_vec(),
        Some("few") => FEW.to_vec(),
        Some("all") => all().collect(),
        Some(names) => names.split(',').map(|name| &*name.to_owned().leak()).collect(),
    }
}

#[test]
fn the_standard_librarys_tests_have_the_same_outcome_inside() {
    let Some(python) = interpreter() else {
        host::skip("stdlib", "no interpreter with its own tests (Debian: libpython3.N-testsuite)");
        return;
    };
    let started = Instant::now();
    let stand = Stand::new(python);
    let (there, absent): (Vec<_>, Vec<_>) = modules().into_iter().partition(|module| stand.has(module));
    for module in absent {
        host::skip(&format!("stdlib {module}"), "this interpreter comes without it");
    }
    let queue = Mutex::new(there.into_iter());
    let told = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(module) = next() {
                    let of_module = stand.compare(module);
                    println!("{module}: {:.1} s, {} differ", of_module.seconds, of_module.differences.len());
                    told.lock().unwrap().push(of_module);
                }
            });
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort_by_key(|told| told.module);
    println!("{}\n{:?} in all", table(&told), Duration::from_secs(started.elapsed().as_secs()));

    let page = fs::read_to_string(host::tree("docs/compatibility.md")).unwrap_or_default();
    let announced = announced(&page);
    let all = || told.iter().flat_map(|told| &told.differences);
    let unannounced: Vec<_> = all().filter(|differs| !is_announced(&differs.test, &announced)).collect();
    assert!(
        unannounced.is_empty(),
        "{}",
        unannounced.iter().map(|differs| tell(differs)).collect::<String>()
    );
    // Nobody attacks anybody here: what these do, programs do.
    let attempts: Vec<_> = told
        .iter()
        .filter(|told| !told.attempts.is_empty())
        .map(|told| (told.module, &told.attempts))
        .collect();
    assert!(attempts.is_empty(), "taken for attempts: {attempts:#?}");
    let empty: Vec<_> =
        told.iter().filter(|told| told.tests == 0).map(|told| (told.module, &told.end)).collect();
    assert!(empty.is_empty(), "no test of these ran: {empty:#?}");
}

fn tell(differs: &Difference) -> String {
    format!("== {}: outside {}, inside {}\n{}\n", differs.test, differs.outside, differs.inside, differs.why)
}

/// The table of `docs/compatibility.md`.
fn table(told: &[Told]) -> String {
    let mut text = String::from("| module | tests | pass | differ |\n|---|---|---|---|\n");
    for Told { module, tests, passed, differences, .. } in told {
        writeln!(text, "| {module} | {tests} | {passed} | {} |", differences.len()).unwrap();
    }
    text.push_str("\n| test | outside | inside |\n|---|---|---|\n");
    for Difference { test, outside, inside, .. } in told.iter().flat_map(|told| &told.differences) {
        writeln!(text, "| `{test}` | {outside} | {inside} |").unwrap();
    }
    text
}

#[test]
fn a_difference_is_one_that_stays() {
    let note = |test: &str, outcome: &str| {
        format!("{{\"test\": \"{test}\", \"outcome\": \"{outcome}\", \"why\": \"w\"}}\n")
    };
    let (mut outside, mut inside) = (Outcomes::default(), Outcomes::default());
    outside.add(
        &[note("same", "pass"), note("flaky", "pass"), note("differs", "pass"), note("sub", "fail")].concat(),
    );
    outside.add(&note("flaky", "fail"));
    inside.add(
        &[note("same", "pass"), note("flaky", "fail"), note("differs", "skip"), note("sub", "pass")].concat(),
    );
    let expected = |test: &str, outside: &str, inside: &str| Difference {
        test: test.into(),
        outside: outside.into(),
        inside: inside.into(),
        why: "w".into(),
    };
    assert_eq!(
        differences(&outside, &inside),
        [expected("differs", "pass", "skip"), expected("sub", "fail", "pass")]
    );
    let page = "| test | why |\n|---|---|\n| `test.a.b` | x |\n| `test.c.*` | y |\n";
    let announced = announced(page);
    assert!(is_announced("test.a.b", &announced) && is_announced("test.c.d.e", &announced));
    assert!(!is_announced("test.a.bc", &announced) && !is_announced("test.d", &announced));
}

#[test]
fn no_module_is_listed_twice_and_few_is_a_part_of_short() {
    let all: BTreeSet<_> = SHORT.iter().chain(MORE).collect();
    assert_eq!(all.len(), SHORT.len() + MORE.len());
    assert!(FEW.iter().all(|module| SHORT.contains(module)));
}

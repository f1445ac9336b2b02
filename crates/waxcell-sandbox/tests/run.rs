//! The sandbox against the kernel: a plan goes in, a Python process is held to it, the ending tells.

mod support;

use std::time::{Duration, SystemTime};

use support::{directory, plan, run, run_with};
use waxcell_sandbox::*;

#[test]
fn a_script_runs_and_its_ending_is_told() {
    let dir = directory();
    let script = "import os\nprint(os.getuid(), os.getpid(), os.getcwd())\nopen('x','w').write('hi')\nraise SystemExit(3)\n";
    let ran = run(&plan(script, dir.path()));
    assert_eq!(ran.error, "");
    assert_eq!(ran.output, "1000 2 /data\n");
    assert_eq!((ran.ending.exit, ran.ending.stop), (Some(Exit::Code(3)), None));
    assert_eq!(std::fs::read(dir.path().join("x")).unwrap(), b"hi");
}

#[test]
fn what_the_script_writes_belongs_to_the_caller() {
    use std::os::unix::fs::MetadataExt;
    let dir = directory();
    run(&plan("import os\nos.makedirs('a/b')\nopen('a/b/c','w').write('x')\n", dir.path()));
    for name in ["a", "a/b", "a/b/c"] {
        let meta = std::fs::metadata(dir.path().join(name)).unwrap();
        let caller = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        assert_eq!((meta.uid(), meta.gid()), caller, "{name}");
    }
}

#[test]
fn the_kernel_says_that_every_layer_is_in_force() {
    let ran = run_with("print(open('/proc/self/status').read())", |_| {});
    let line =
        |key: &str| ran.output.lines().find_map(|l| l.strip_prefix(key)).unwrap_or("").trim().to_owned();
    assert_eq!(line("CapEff:"), "0000000000000000");
    assert_eq!(line("CapBnd:"), "0000000000000000");
    assert_eq!((line("NoNewPrivs:"), line("Seccomp:")), ("1".into(), "2".into()));
    assert_eq!(ran.enforced.namespaces, ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"]);
    assert_ne!(ran.enforced.host_uid, 0);
    assert!(ran.enforced.landlock.is_some_and(|landlock| landlock.fs != 0));
    assert!(ran.enforced.mounts["/"].contains("ro"));
    assert!(ran.enforced.mounts["/data"].contains("noexec"));
    // One byte; less only where the caller may have less.
    let core =
        rustix::process::getrlimit(rustix::process::Resource::Core).maximum.map_or(1, |own| own.min(1));
    assert_eq!(ran.enforced.rlimits["core file size"], core.to_string());
}

#[test]
fn nothing_of_the_host_is_there_but_what_the_plan_names() {
    let ran = run_with(
        "import os\nprint(sorted(os.listdir('/')))\nprint(sorted(os.listdir('/dev')))\nprint(sorted(p for p in os.listdir('/proc') if p.isdigit()))\nprint(sorted(p for p in os.listdir('/proc') if not p.isdigit()))",
        |_| {},
    );
    assert_eq!(
        ran.output.lines().collect::<Vec<_>>(),
        [
            "['bin', 'data', 'dev', 'lib', 'lib64', 'proc', 'script.py', 'tmp', 'usr']",
            "['fd', 'full', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'urandom', 'zero']",
            "['1', '2']",
            "['self', 'thread-self']",
        ]
    );
}

#[test]
fn the_init_cannot_be_read_or_signalled_or_limited() {
    let script = r#"
import os, resource
for name in ("environ", "mem", "maps", "cwd", "root", "fd"):
    try:
        open(f"/proc/1/{name}", "rb").read(10); print(name, "READ")
    except OSError as e: pass
try: os.kill(1, 9); print("sent")
except OSError: pass
try: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0)); print("LIMITED")
except OSError: pass
if os.fork() == 0:
    os.setpgid(0, os.getpgid(1))
    os.kill(0, 9)
os.wait()
print("alive")
"#;
    // Before Landlock's scopes a signal can be sent; the kernel drops it, since it is process 1 of its namespace.
    let expected = if landlock_abi() >= Some(6) { "alive\n" } else { "sent\nalive\n" };
    let ran = run_with(script, |_| {});
    assert_eq!(ran.output, expected);
    assert_eq!(
        (ran.ending.exit, ran.ending.usage.processes),
        (Some(Exit::Code(0)), 2),
        "the init has counted"
    );
}

#[test]
fn nothing_is_alive_after_a_run() {
    let marker = format!("waxcell-survivor-{}", std::process::id());
    let script = format!(
        "
import os, signal, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for s in range(1, 65):
            try: signal.signal(s, signal.SIG_IGN)
            except (OSError, ValueError): pass
        os.execv('/usr/bin/sleep', ['{marker}', '600'])
    os._exit(0)
stopped = subprocess.Popen(['/usr/bin/sleep', '600'])
os.kill(stopped.pid, signal.SIGSTOP)
time.sleep(0.2)
print('main is done', flush=True)
os._exit(0)
"
    );
    let started = std::time::Instant::now();
    let ran = run_with(&script, |_| {});
    assert_eq!(
        (ran.output.as_str(), ran.ending.exit),
        ("main is done\n", Some(Exit::Code(0))),
        "{}",
        ran.error
    );
    assert!(started.elapsed() < Duration::from_secs(5), "a held pipe keeps nobody waiting");
    let alive = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(marker.as_bytes()))
    });
    assert!(!alive);
}

const GUARD: Guard = Guard {
    delete: true,
    chmod: true,
    chown: true,
    xattr: false,
    placeholders: Vec::new(),
    new_files: Vec::new(),
};

#[test]
fn blocked_operations_bind_on_data_and_not_on_scratch() {
    let script = r#"
import ctypes, os, shutil, subprocess, tempfile
libc = ctypes.CDLL(None, use_errno=True)
def t(name, f):
    try: f(); print(name, "ok")
    except (OSError, subprocess.CalledProcessError) as e: print(name, type(e).__name__)
def raw(*a):
    if libc.syscall(*a) < 0: raise OSError(ctypes.get_errno(), "raw")
for where in ("/data", "/tmp"):
    d = where + "/d"; os.mkdir(d)
    f = d + "/f"; open(f, "w").write("x")
    t("unlink", lambda: os.unlink(f)); open(f, "w").close()
    t("rm", lambda: subprocess.run(["/bin/rm", "-f", f], check=True, stderr=subprocess.DEVNULL)); open(f, "w").close()
    t("raw", lambda: raw(263, -100, f.encode(), 0)); open(f, "w").close()
    os.chdir(d); t("relative", lambda: os.unlink("f")); open(f, "w").close(); os.chdir("/")
    fd = os.open(d, os.O_RDONLY); t("dirfd", lambda: os.unlink("f", dir_fd=fd)); os.close(fd); open(f, "w").close()
    t("chmod", lambda: os.chmod(f, 0o600))
    fd = os.open(f, os.O_RDWR); t("fchmod", lambda: os.fchmod(fd, 0o640)); t("fchown", lambda: os.fchown(fd, -1, -1)); os.close(fd)
    t("rawchmod", lambda: raw(452, -100, f.encode(), 0o600, 0))
    t("chown", lambda: os.chown(f, os.getuid(), os.getgid()))
    t("replace", lambda: (open(f + ".new", "w").write("y"), os.replace(f + ".new", f)))
    t("missing", lambda: os.unlink(d + "/none"))
    t("rmtree", lambda: shutil.rmtree(d))
"#;
    let ran = run_with(script, |plan| plan.guard = GUARD);
    let expected: Vec<String> = ["PermissionError", "ok"]
        .into_iter()
        .flat_map(|result| {
            ["unlink", "rm", "raw", "relative", "dirfd", "chmod", "fchmod", "fchown", "rawchmod", "chown"]
                .into_iter()
                .map(move |name| {
                    let result = if name == "rm" && result != "ok" { "CalledProcessError" } else { result };
                    format!("{name} {result}")
                })
                .chain([
                    "replace ok".to_owned(),
                    "missing FileNotFoundError".to_owned(),
                    format!("rmtree {result}"),
                ])
        })
        .collect();
    assert_eq!(ran.output.lines().collect::<Vec<_>>(), expected, "{}", ran.error);
    let denials: Vec<_> = ran
        .ending
        .denials
        .iter()
        .map(|d| (d.operation.name(), String::from_utf8_lossy(&d.target).into_owned(), d.count))
        .collect();
    assert_eq!(
        denials,
        [
            ("fs.delete", "/data/d/f".to_owned(), 6),
            ("fs.chmod", "/data/d/f".to_owned(), 3),
            ("fs.chown", "/data/d/f".to_owned(), 2),
        ]
    );
}

#[test]
fn without_the_guard_the_same_calls_succeed() {
    let script = "import os\nopen('f','w').close(); os.chmod('f', 0o600); os.unlink('f'); print('all')";
    assert_eq!(run_with(script, |_| {}).output, "all\n");
    assert!(run_with(script, |plan| plan.guard = GUARD).error.contains("PermissionError"));
}

#[test]
fn the_first_mkdir_of_a_placeholder_succeeds() {
    let dir = directory();
    std::fs::create_dir(dir.path().join("reports")).unwrap();
    let script = "import os\nos.mkdir('reports')\ntry: os.mkdir('reports')\nexcept FileExistsError: print('second')\nos.mkdir('other')";
    let mut plan = plan(script, dir.path());
    plan.guard.placeholders = vec!["/data/reports".into()];
    let ran = run(&plan);
    assert_eq!((ran.output.as_str(), ran.error.as_str()), ("second\n", ""));
    assert_eq!(ran.ending.claimed, [0]);
    assert!(dir.path().join("other").is_dir());
}

#[test]
fn cost_of_a_call_that_is_decided_is_bounded() {
    let script = "
import os
for i in range(3000):
    try: os.unlink('/data/x')
    except OSError: pass
    try: os.unlink('/data/y%d' % (i % 400))
    except OSError: pass
";
    let dir = directory();
    for name in ["x".to_owned()].into_iter().chain((0..400).map(|i| format!("y{i}"))) {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    let mut plan = plan(script, dir.path());
    plan.guard = GUARD;
    let ran = run(&plan);
    let counted: u64 = ran.ending.denials.iter().map(|d| d.count).sum();
    assert_eq!(counted + ran.ending.denials_beyond, 6000);
    assert_eq!(ran.ending.denials.len(), 256);
    assert_eq!(ran.ending.denials[0].count, 3000);
}

#[test]
fn the_network_is_loopback_alone() {
    let script = "
import socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.create_connection(s.getsockname()); print('loopback')
for family, address in ((socket.AF_INET, ('192.0.2.1', 80)), (socket.AF_INET6, ('2001:db8::1', 80))):
    try: socket.socket(family).connect(address); print('OUT')
    except OSError as e: print(type(e).__name__)
try: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW); print('OUT')
except OSError as e: print(e.errno)
";
    assert_eq!(run_with(script, |_| {}).output, "loopback\nOSError\nOSError\n97\n");
}

#[test]
fn nothing_writable_can_be_executed_unless_the_plan_says_so() {
    let script = "
import os, shutil, subprocess
for where in ('/tmp/x', '/data/x', '/dev/shm/x'):
    shutil.copyfile('/usr/bin/true', where); os.chmod(where, 0o755)
    try: subprocess.run([where], check=True); print('RAN')
    except PermissionError: print('no')
subprocess.run(['/usr/bin/true'], check=True); print('control')
";
    assert_eq!(run_with(script, |_| {}).output, "no\nno\nno\ncontrol\n");
    let ran = run_with(script, |plan| {
        for mount in &mut plan.mounts {
            match mount {
                Mount::Bind { access: access @ Access::Write, .. } => *access = Access::WriteExecute,
                Mount::Scratch { target, execute, .. } => *execute = target.ends_with("tmp"),
                _ => {}
            }
        }
    });
    assert_eq!(ran.output, "RAN\nRAN\nno\ncontrol\n");
    let options = |place: &str| ran.enforced.mounts[place].split(',').any(|option| option == "noexec");
    assert_eq!(["/tmp", "/data", "/dev/shm"].map(options), [false, false, true]);
}

#[test]
fn an_interpreter_that_cannot_be_executed_is_told() {
    let ran = run_with("", |plan| plan.program.path = "/usr/bin/does-not-exist".into());
    assert_eq!(ran.ending.exit, Some(Exit::Code(1)));
    assert_eq!(ran.ending.failed, Some(("executing the interpreter", libc::ENOENT)));
}

#[test]
fn what_the_plan_cannot_have_is_a_clear_error() {
    let dir = directory();
    let mut plan = plan("", dir.path());
    plan.mounts.push(Mount::Bind {
        source: "/does/not/exist".into(),
        target: "/does/not/exist".into(),
        access: Access::Read,
        owned: false,
    });
    let stdio = Stdio {
        stdin: rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap(),
        stdout: Destination::Captured,
        stderr: None,
    };
    let ground = Ground::lay(&plan.identity, &plan.limits, "test-missing").expect("ground");
    let error = match spawn(&plan, ground, stdio, SignalSet::of(&[])) {
        Err(error) => error,
        Ok(building) => building.ready().expect_err("the source is missing"),
    };
    assert!(error.to_string().starts_with("cannot put `/does/not/exist` into the sandbox"), "{error}");
}

#[test]
fn a_group_that_is_about_to_be_used_is_nobodys_left_over() {
    let dir = directory();
    let plan = plan("print(1)", dir.path());
    let try_with = |clear: &str, now: SystemTime| {
        let name = format!("test-{}-begun", std::process::id());
        let ground = Ground::lay(&plan.identity, &plan.limits, &name).expect("ground");
        clear_groups(&name.replace("begun", clear), now);
        let null =
            || rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty()).unwrap();
        let stdio = Stdio { stdin: null(), stdout: Destination::Captured, stderr: None };
        spawn(&plan, ground, stdio, SignalSet::of(&[])).and_then(Building::ready).map(|_| ())
    };
    // A time at which nothing is old yet.
    let now = SystemTime::UNIX_EPOCH;
    try_with("another", now).expect("a group that was left alone");
    // The control: where there are groups, a run cannot begin without its own.
    assert_eq!(try_with("begun", now).is_err(), rung() != Rung::RlimitWatch);
}

#[test]
fn usage_is_counted_by_the_kernel() {
    let script = "import hashlib\nopen('f','wb').write(bytes(3 << 20))\nfor _ in range(20): hashlib.sha256(bytes(1 << 20)).digest()";
    let usage = run_with(script, |_| {}).ending.usage;
    assert!(usage.write_calls_bytes >= 3 << 20, "{usage:?}");
    assert!(usage.cpu > Duration::from_millis(10) && usage.max_rss > 4 << 20, "{usage:?}");
    assert!(usage.memory_peak > 1 << 20 && usage.processes == 1, "{usage:?}");
    let small = run_with("pass", |_| {}).ending.usage;
    assert!(small.write_calls_bytes < 1 << 20 && small.cpu < usage.cpu, "{small:?}");
}

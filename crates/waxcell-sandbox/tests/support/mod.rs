//! What the tests against the kernel share: a plan for a script, and its run.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![allow(dead_code, reason = "each test program uses a part of this")]

pub(crate) mod echo;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use waxcell_sandbox::*;

pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// A plan that runs `script` with the system's Python, `/data` being `data` on the host.
pub(crate) fn plan(script: &str, data: &Path) -> Plan {
    let root = rustix::process::geteuid().is_root();
    let bind = |path: &str| Mount::Bind {
        source: PathBuf::from(path),
        target: PathBuf::from(path),
        access: Access::ReadExecute,
        owned: false,
    };
    let link = |at: &str, to: &str| Mount::Symlink { target: at.into(), to: to.into() };
    let mounts = vec![
        bind("/usr"),
        link("/bin", "usr/bin"),
        link("/lib", "usr/lib"),
        link("/lib64", "usr/lib64"),
        Mount::Devices,
        Mount::Processes,
        Mount::Scratch { target: "/tmp".into(), mode: 0o1777, execute: false },
        Mount::Scratch { target: "/dev/shm".into(), mode: 0o1777, execute: false },
        Mount::Bind { source: data.into(), target: "/data".into(), access: Access::Write, owned: true },
        Mount::File { target: "/script.py".into(), contents: script.as_bytes().to_vec(), mode: 0o644 },
    ];
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Plan {
        identity: Identity {
            uid: 1000,
            gid: 1000,
            host_uid: if root { 1_900_000_000 } else { uid },
            host_gid: if root { 1_900_000_000 } else { gid },
            map_owner: root.then_some(Owner { uid, gid }),
            hostname: "waxcell".into(),
        },
        mounts,
        guard: Guard::default(),
        program: Program {
            path: PYTHON.into(),
            argv: [PYTHON, "/script.py"].map(|arg| arg.as_bytes().to_vec()).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), b"/usr/bin".to_vec())]),
            cwd: "/data".into(),
            umask: 0o022,
            code: None,
        },
        limits: Limits {
            wall: Duration::from_secs(20),
            cpu: Duration::from_secs(10),
            memory: 256 << 20,
            processes: 5,
            threads: 16,
            file_size: 8 << 20,
            open_files: 64,
            output: 1 << 20,
            scratch_bytes: 16 << 20,
            scratch_files: 64,
            written: None,
        },
        network: Network { loopback: true, egress: None },
        without_landlock: false,
        file_attempts: true,
        plain: None,
        switches: Switches::default(),
    }
}

pub(crate) struct Ran {
    pub(crate) ending: Ending,
    pub(crate) enforced: Enforced,
    pub(crate) output: String,
    pub(crate) error: String,
    /// What the way out said.
    pub(crate) lines: Vec<String>,
    /// Processes that the supervisor had before the script began.
    pub(crate) processes: usize,
}

pub(crate) fn run(plan: &Plan) -> Ran {
    let stdio = Stdio {
        stdin: rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap(),
        stdout: Destination::Captured,
        stderr: Some(Destination::Captured),
    };
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let name = format!("test-{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
    let ground = Ground::lay(&plan.identity, &plan.limits, &name).expect("ground");
    let ready = spawn(plan, ground, stdio, SignalSet::of(&[])).expect("spawn").ready().expect("ready");
    let enforced = ready.enforced().clone();
    // Of the thread that has started them: tests run beside each other.
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
    let processes = children.split_whitespace().count();
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let mut lines = Vec::new();
    let mut tap = |stream, bytes: &[u8]| match stream {
        Stream::Output => output.extend_from_slice(bytes),
        Stream::Error => error.extend_from_slice(bytes),
    };
    let ending = ready.start().watch(None, &mut tap, &|_, _| false, &mut |line| {
        lines.push(String::from_utf8_lossy(line).into_owned())
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { ending, enforced, output: text(output), error: text(error), lines, processes }
}

/// A directory that the ordinary user's own tests can use as well.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs a script under the plan after a change.
pub(crate) fn run_with(script: &str, change: impl FnOnce(&mut Plan)) -> Ran {
    let dir = directory();
    let mut plan = plan(script, dir.path());
    change(&mut plan);
    run(&plan)
}

//! Runs without namespaces on kernels whose Landlock is older than this one's: what an ABI does not hold, the filter
//! and the broker have to. (With the newest ABI, `tests/plain.rs` of the command line goes through everything.)

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::ending::{Ending, Exit};
use crate::plan::{Access, Guard, Identity, Limits, Network, Plain, Program};
use crate::switches::Switches;

const PYTHON: &str = "/usr/bin/python3";

/// A plan without namespaces around a folder `data` that may be written to, as whoever runs the test.
fn plan(script: &str, place: &Path) -> Plan {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // Root is refused by the read-back: it has to be somebody else.
    let (uid, gid) = if uid == 0 { (1_900_000_001, 1_900_000_001) } else { (uid, gid) };
    let bind = |path: &Path, access| Mount::Bind {
        source: path.to_owned(),
        target: path.to_owned(),
        access,
        owned: false,
    };
    let scratch = place.join("scratch/run");
    Plan {
        identity: Identity { uid, gid, host_uid: uid, host_gid: gid, map_owner: None, hostname: "x".into() },
        mounts: vec![
            bind(Path::new("/usr"), Access::ReadExecute),
            bind(Path::new("/etc/ld.so.cache"), Access::Read),
            bind(&place.join("data"), Access::Write),
            bind(&place.join("shown"), Access::Read),
            Mount::Scratch { target: scratch.join("tmp"), mode: 0o700, execute: false },
            Mount::Devices,
            Mount::File { target: place.join("script.py"), contents: script.into(), mode: 0o644 },
        ],
        guard: Guard::default(),
        program: Program {
            path: PYTHON.into(),
            argv: [PYTHON, "script.py"].map(|arg| arg.as_bytes().to_vec()).to_vec(),
            env: BTreeMap::from([("TMPDIR".into(), scratch.join("tmp").to_str().unwrap().into())]),
            cwd: place.to_owned(),
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
        network: Network { loopback: false, egress: None },
        without_landlock: false,
        file_attempts: true,
        plain: Some(Plain { scratch, file: "script.py".into() }),
        switches: Switches::default(),
    }
}

/// A folder that everybody may use, with what is in it.
fn place() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::Builder::new().prefix("waxcell-abi-").tempdir_in("/tmp").unwrap();
    let open =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(dir.path(), 0o755);
    for name in ["data", "shown", "hidden"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        open(&dir.path().join(name), 0o777);
        std::fs::write(dir.path().join(name).join("file"), name).unwrap();
        open(&dir.path().join(name).join("file"), 0o666);
    }
    // Nothing of it: what runs are the plan's bytes.
    std::fs::write(dir.path().join("script.py"), "raise SystemExit(99)").unwrap();
    dir
}

fn run(plan: &Plan, abi: u32) -> (Ending, String) {
    let stdio = Stdio {
        stdin: rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap(),
        stdout: Destination::Captured,
        stderr: None,
    };
    let name = format!("abi-{}-{abi}-{:p}", std::process::id(), plan);
    let ground = Ground::lay(&plan.identity, &plan.limits, &name).unwrap();
    let building = spawn_with(plan, ground, stdio, SignalSet::of(&[]), Some(abi)).unwrap();
    let ready = building.ready().unwrap();
    assert_eq!(ready.enforced().landlock.as_ref().map(|landlock| landlock.abi), Some(abi));
    assert_eq!(ready.enforced().degraded, ["namespaces"]);
    let mut output = Vec::new();
    let ending =
        ready.start().watch(None, &mut |_, bytes| output.extend_from_slice(bytes), &|_, _| true, &mut |_| ());
    (ending, String::from_utf8_lossy(&output).into_owned())
}

const ATTEMPT: &str = "import os, signal, subprocess, sys, time\ndef attempt(action):\n    try: action()\n    \
                       except OSError as error: print(error.errno)\n    else: print('done')\n";

#[test]
fn files_are_not_cut_short_before_landlock_knows_that() {
    for abi in [1, 2, 3, 7] {
        let place = place();
        let script = format!(
            "{ATTEMPT}attempt(lambda: os.truncate('shown/file', 0))\nattempt(lambda: os.truncate('hidden/file', 0))\n\
             attempt(lambda: os.open('shown/file', os.O_RDONLY | os.O_TRUNC))\n\
             attempt(lambda: os.open('hidden/file', 3 | os.O_TRUNC))\n\
             attempt(lambda: open('shown/file', 'w'))\n\
             attempt(lambda: open('data/file', 'w').write('new'))\nattempt(lambda: open('shown/file').read())\n"
        );
        let (ending, output) = run(&plan(&script, place.path()), abi);
        assert_eq!(output, "13\n13\n13\n13\n13\ndone\ndone\n", "ABI {abi}");
        assert_eq!(ending.exit, Some(Exit::Code(0)));
        let read = |name: &str| std::fs::read_to_string(place.path().join(name).join("file")).unwrap();
        assert_eq!([read("shown"), read("hidden"), read("data")], ["shown", "hidden", "new"], "ABI {abi}");
    }
}

/// Somebody whom a script with the same user could reach.
struct Bystander(i32, OwnedFd);

impl Bystander {
    fn new(plan: &Plan) -> Bystander {
        let uid = plan.identity.host_uid;
        match sys::fork_by_clone(0).unwrap() {
            Fork::Child => {
                if rustix::process::geteuid().is_root() {
                    let id = rustix::process::Uid::from_raw(uid);
                    if rustix::thread::set_thread_res_uid(Some(id), Some(id), Some(id)).is_err() {
                        sys::exit(1);
                    }
                }
                loop {
                    let _ = rustix::thread::nanosleep(&rustix::thread::Timespec { tv_sec: 100, tv_nsec: 0 });
                }
            }
            Fork::Parent { pid, pidfd } => Bystander(pid, pidfd),
        }
    }

    fn is_alive(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(&self.1, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
        use std::os::fd::AsFd;
        let _ = pidfd_send_signal(&self.1, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.1.as_fd()), WaitIdOptions::EXITED);
    }
}

#[test]
fn signals_stay_within_the_run_before_landlock_scopes_them() {
    let place = place();
    let bystander = Bystander::new(&plan("", place.path()));
    let pid = bystander.0;
    let script = format!(
        "{ATTEMPT}\
         import ctypes, fcntl, socket\nlibc = ctypes.CDLL(None)\n\
         attempt(lambda: os.kill({pid}, 9))\nattempt(lambda: os.kill(os.getppid(), 9))\n\
         attempt(lambda: signal.pidfd_send_signal(os.pidfd_open({pid}), 9))\n\
         attempt(lambda: fcntl.fcntl(socket.socketpair()[0], fcntl.F_SETOWN, {pid}))\n\
         tgkill = 234 if os.uname().machine == 'x86_64' else 131\n\
         print(libc.syscall(tgkill, {pid}, {pid}, 9))\n\
         attempt(lambda: os.kill(os.getpid(), 0))\nattempt(lambda: os.kill(0, 0))\n\
         child = os.fork() or (os.setpgid(0, os.getsid(0)), os.kill(0, 9))\nprint(os.waitpid(child, 0)[1])\n\
         attempt(lambda: signal.raise_signal(signal.SIGCONT))\n\
         child = subprocess.Popen(['/usr/bin/sleep', '100'])\nchild.terminate()\nprint(child.wait())\n\
         child = subprocess.Popen(['/usr/bin/sleep', '100'], start_new_session=True)\ntime.sleep(0.1)\nos.killpg(child.pid, 15)\nprint(child.wait())\n\
         child = subprocess.Popen(['/usr/bin/sleep', '100'])\nos.kill(-1, 15)\nprint(child.wait())\n\
         attempt(lambda: os.kill(-1, 15))\nsys.stdout.flush()\nos.abort()\n"
    );
    let (ending, output) = run(&plan(&script, place.path()), 5);
    assert_eq!(output, "1\n1\n1\n1\n-1\ndone\ndone\n9\ndone\n-15\n-15\n-15\n3\n");
    assert_eq!(ending.exit, Some(Exit::Signal(libc::SIGABRT)));
    assert!(bystander.is_alive());
    // The control: the same call from the same user outside of a run.
    let reached = sys::kill(pid, libc::SIGKILL);
    assert_eq!(reached, Ok(()));
    std::thread::sleep(Duration::from_millis(100));
    assert!(!bystander.is_alive());
}

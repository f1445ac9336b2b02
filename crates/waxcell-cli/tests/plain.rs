//! Runs on a host that lets nobody make namespaces: refused, or held by Landlock, filter and limits alone. Every test
//! runs as an ordinary user, also if root runs the tests; what is root's own says so.
//!
//! Such a host is made by `plain/host.py`: a filter like a container's around waxcell, and nothing else is changed.
//! What a script may not do is looked for from outside, and is done by the same script under bare Python.
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program under test and what it must not reach"
)]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod host;
#[path = "plain/room.rs"]
mod room;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use room::Room;
use serde_json::json;
use support::{PATIENCE, PYTHON, Place, Running, alive, is_root, marker, say, until};

const POLICY: &str = "degrade: [namespaces]\nfilesystem: {allowed_paths: [./data], blocked_operations: []}\n";

#[test]
fn a_run_without_the_word_is_refused_and_told_both_ways_out() {
    let room = Room::new(&POLICY.replace("degrade: [namespaces]\n", ""));
    room.place.write("script.py", "open('data/x', 'w')\n");
    let said = say(&mut room.waxcell(&["run", "script.py"]));
    assert_eq!(said.code, 126, "{said:?}");
    let told = said.err();
    assert!(told.contains("user namespace") && told.contains("waxcell doctor"), "{told}");
    assert!(told.contains("`degrade: [namespaces]`") && told.contains("Landlock"), "{told}");
    assert!(!room.place.has("data"));
    let explained = say(&mut room.waxcell(&["policy", "explain"]));
    assert_eq!(explained.code, 1, "{explained:?}");
    assert!(explained.out().contains("refused here: this host lacks `namespaces`"), "{explained:?}");
    room.place.write("security_policy.yml", POLICY);
    assert_eq!(say(&mut room.waxcell(&["run", "script.py"])).code, 0, "the control");
    let explained = say(&mut room.waxcell(&["policy", "explain"]));
    assert_eq!(explained.code, 0, "{explained:?}");
    assert!(explained.out().contains("accepted, and lost on this host"), "{explained:?}");
    let doctor = say(&mut room.waxcell(&["doctor"]));
    assert!(doctor.out().contains("degrade: [namespaces]"), "{doctor:?}");
    assert_eq!(doctor.code, 0, "a run is possible: {doctor:?}");
}

#[test]
fn writes_to_layers_are_refused_and_the_key_is_named() {
    let room = Room::new(&POLICY.replace("filesystem: {", "filesystem: {write_mode: overlay, "));
    room.place.write("script.py", "open('data/x', 'w')\n");
    let said = say(&mut room.waxcell(&["run", "script.py"]));
    assert_eq!(said.code, 126, "{said:?}");
    let told = said.err();
    assert!(
        told.contains("`filesystem.write_mode: overlay` (line 2 of the policy) needs namespaces"),
        "{told}"
    );
    assert!(told.contains("write_mode: direct"), "{told}");
    assert!(!room.place.has("data/x") && !room.place.state().join("quarantine").exists());
    let explained = say(&mut room.waxcell(&["policy", "explain"]));
    assert!(explained.code == 1 && explained.out().contains("refused here"), "{explained:?}");
}

#[test]
fn not_both_layers_at_once() {
    let room = Room::new(&POLICY.replace("[namespaces]", "[namespaces, landlock]"));
    room.place.write("script.py", "open('data/x', 'w')\n");
    let without_landlock = |args: &[&str]| {
        let mut command = room.place.command(PYTHON);
        room.own();
        command.arg(room.tool("host.py")).args([&room.user, "no-landlock"]).arg(room.tool("waxcell"));
        say(command.args(args).env("WAXCELL_STATE", room.place.state()))
    };
    let said = without_landlock(&["run", "script.py"]);
    assert_eq!(said.code, 126, "{said:?}");
    assert!(said.err().contains("nothing would hold the script's files"), "{said:?}");
    assert!(!room.place.has("data/x"));
    let doctor = without_landlock(&["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    let told = doctor.out().replace('\n', " ");
    assert!(told.contains("No run is possible on this host: it lacks user namespaces, "), "{doctor:?}");
    assert!(told.contains("A policy can give up namespaces or Landlock, not both"), "{doctor:?}");
    assert_eq!(say(&mut room.waxcell(&["run", "script.py"])).code, 0, "the control");
}

#[test]
fn a_host_that_can_make_namespaces_uses_them() {
    let place = Place::new(POLICY);
    let (_, report) = place.report("print(1)\n");
    assert_eq!(report["enforced"]["namespaces"].as_array().unwrap().len(), 7, "{report}");
    assert_eq!(report["enforced"]["degraded"], json!([]));
    assert_eq!(report["enforced"]["scratch_by"], "tmpfs");
}

#[test]
fn the_record_says_what_was_enforced() {
    let room = Room::new(POLICY);
    let (_, report) = room.run("import os, sys\nprint(os.getuid(), sys.argv, __file__, sys.path[0])\n");
    assert_eq!(report["verdict"], "ok", "{report}");
    let records = room.place.records();
    for enforced in [&report["enforced"], &records.last().unwrap()["enforced"]] {
        assert_eq!(enforced["namespaces"], json!([]));
        assert_eq!(enforced["degraded"], json!(["namespaces"]));
        assert_eq!(enforced["scratch_by"], "watch");
        assert_eq!((&enforced["capabilities"], &enforced["no_new_privs"]), (&json!(0), &json!(true)));
        assert!(enforced["landlock"]["abi"].as_u64().unwrap() > 0);
        assert_eq!(enforced["seccomp"]["filters"], 2, "the host's and the run's");
    }
    // As `python3 script.py` has it.
    let bare = room.bare("import os, sys\nprint(os.getuid(), sys.argv, __file__, sys.path[0])\n");
    assert_eq!(report["stdout"].as_str().unwrap(), bare.out());
    room.is_swept();
    room.place.check_journal();
}

#[test]
fn the_tally_is_the_same() {
    let room = Room::new("");
    let project = room.place.project();
    fs::remove_dir_all(&project).unwrap();
    let copied =
        Command::new("cp").arg("-r").arg(host::tree("examples/hive")).arg(&project).status().unwrap();
    assert!(copied.success());
    let _ = fs::remove_dir_all(project.join("reports"));
    let policy =
        room.place.read("security_policy.yml").replace("security:\n", "security:\n  degrade: [namespaces]\n");
    room.place.write("security_policy.yml", policy);
    let reports = || -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> =
            fs::read_dir(project.join("reports")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    let args = ["scripts/tally.py", "--bip", "25"];
    let bare = say(&mut room.command(Path::new(PYTHON), &args));
    let expected = reports();
    fs::remove_dir_all(project.join("reports")).unwrap();
    let held = say(&mut room.waxcell(&["run", args[0], args[1], args[2]]));
    assert_eq!((held, reports()), (bare, expected));
    let record = room.place.records().pop().unwrap();
    assert_eq!(record["enforced"]["degraded"], json!(["namespaces"]));
}

/// Tries to change everything outside; each line on its own.
fn changes(outside: &Path) -> String {
    let outside = outside.display();
    format!(
        r#"
import os
def attempt(change):
    try: change()
    except OSError: pass
here = "{outside}"
for change in [
    lambda: open(here + "/made", "w").write("x"),
    lambda: open(here + "/written", "a").write("x"),
    lambda: os.truncate(here + "/cut", 0),
    lambda: os.open(here + "/cut", os.O_RDONLY | os.O_TRUNC),
    lambda: os.chmod(here + "/mode", 0o777),
    lambda: os.utime(here + "/time", (1, 1)),
    lambda: os.unlink(here + "/gone"),
    lambda: os.rename(here + "/moved", here + "/moved2"),
    lambda: os.link(here + "/linked", "data/linked"),
    lambda: os.symlink("/", here + "/link"),
    lambda: os.mkdir(here + "/folder"),
    lambda: os.mkfifo(here + "/fifo"),
    lambda: open("/proc/self/root" + here + "/through", "w"),
    lambda: open("script.py", "a").write("x"),
    lambda: os.chmod("script.py", 0o777),
]:
    attempt(change)
open("data/done", "w").write("done")
"#
    )
}

#[test]
fn nothing_outside_is_changed() {
    let room = Room::new(POLICY);
    fs::create_dir(room.place.project().join("data")).unwrap();
    for name in ["written", "cut", "mode", "time", "gone", "moved", "linked"] {
        fs::write(room.outside().join(name), name).unwrap();
    }
    let script = changes(&room.outside());
    room.place.write("script.py", &script);
    room.own();
    let seen = |path: &Path| {
        let mut list: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                (path, meta.mode(), meta.mtime(), meta.nlink(), content)
            })
            .collect();
        list.sort();
        list
    };
    let before = seen(&room.outside());
    let mode = fs::metadata(room.place.project().join("script.py")).unwrap().mode();
    let (_, report) = room.run(&script);
    assert_eq!(report["verdict"], "ok", "{report}");
    assert!(room.place.has("data/done"), "the script came to its end: {report}");
    assert_eq!(seen(&room.outside()), before);
    assert_eq!(room.place.read("script.py"), script);
    assert_eq!(fs::metadata(room.place.project().join("script.py")).unwrap().mode(), mode);
    // The control: without waxcell the same lines do all of it.
    room.bare(&script);
    let after = seen(&room.outside());
    let name = |n: &str| after.iter().find(|(path, ..)| path.ends_with(n));
    for made in ["made", "moved2", "link", "folder", "fifo", "through"] {
        assert!(name(made).is_some(), "{made}");
    }
    assert!(
        name("gone").is_none()
            && name("cut").unwrap().4.is_empty()
            && name("mode").unwrap().1 & 0o7777 == 0o777
    );
    assert_eq!((name("time").unwrap().2, name("linked").unwrap().3), (1, 2));
}

#[test]
fn what_is_not_allowed_is_not_read() {
    let room = Room::new(
        "degrade: [namespaces]\nfilesystem: {allowed_paths: [{path: ./hidden, access: none}, ./data]}\n",
    );
    for name in [".env", "hidden/file", "plain.txt", "sub/plain.txt", ".git/config", ".git/hooks/pre-commit"]
    {
        room.place.write(name, name);
    }
    fs::write(room.outside().join("secret"), "secret").unwrap();
    let script = format!(
        "for name in ['.env', 'hidden/file', 'plain.txt', 'sub/plain.txt', '.git/config', '.git/hooks/pre-commit', \
         '{}/secret', '/etc/passwd', '/proc/self/environ', '/proc/1/cmdline']:\n    try: print(open(name).read() and name)\n    except OSError: pass\n\
         import os\nprint('plain.txt' in os.listdir('.'))\n",
        room.outside().display()
    );
    let (_, report) = room.run(&script);
    assert_eq!(report["stdout"], "plain.txt\nsub/plain.txt\nTrue\n", "{report}");
    assert_eq!(room.bare(&script).out().lines().count(), 11, "the control");
}

#[test]
fn a_secret_in_a_writable_folder_is_refused() {
    let room = Room::new(POLICY);
    room.place.write("data/.env", "secret");
    room.place.write("script.py", "open('data/x', 'w')\n");
    let said = say(&mut room.waxcell(&["run", "script.py"]));
    assert_eq!(said.code, 126, "{said:?}");
    assert!(said.err().contains("data/.env` cannot be kept from a script that may write to"), "{said:?}");
    assert!(said.err().contains("help: move it elsewhere"), "{said:?}");
    assert!(!room.place.has("data/x"));
    fs::remove_file(room.place.project().join("data/.env")).unwrap();
    assert_eq!(say(&mut room.waxcell(&["run", "script.py"])).code, 0, "the control");
}

#[test]
fn there_is_no_network() {
    let room = Room::new(POLICY);
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    let (stream_at, datagram_at) = (room.outside().join("stream"), room.outside().join("datagram"));
    let stream = UnixListener::bind(&stream_at).unwrap();
    stream.set_nonblocking(true).unwrap();
    let datagram = UnixDatagram::bind(&datagram_at).unwrap();
    datagram.set_nonblocking(true).unwrap();
    let name = marker();
    let hidden = {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        UnixListener::bind_addr(&address).unwrap()
    };
    hidden.set_nonblocking(true).unwrap();
    for path in [&stream_at, &datagram_at] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let script = format!(
        r#"
import socket
def attempt(action):
    try: action()
    except OSError: pass
def to(family, address):
    return lambda: socket.socket(family, socket.SOCK_STREAM).connect(address)
attempt(to(socket.AF_INET, ("127.0.0.1", {port})))
attempt(to(socket.AF_UNIX, "{stream}"))
attempt(to(socket.AF_UNIX, "\0{name}"))
attempt(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", "{datagram}"))
a, b = socket.socketpair()
a.send(b"pair")
attempt(lambda: a.sendto(b"x", "{datagram}"))
attempt(lambda: a.connect("{stream}"))
print(b.recv(4).decode())
"#,
        port = tcp.local_addr().unwrap().port(),
        stream = stream_at.display(),
        datagram = datagram_at.display(),
    );
    let reached = || {
        let mut buffer = [0; 8];
        [
            tcp.accept().is_ok(),
            stream.accept().is_ok(),
            hidden.accept().is_ok(),
            datagram.recv(&mut buffer).is_ok(),
        ]
    };
    let (_, report) = room.run(&script);
    assert_eq!((&report["verdict"], &report["stdout"]), (&json!("ok"), &json!("pair\n")), "{report}");
    assert_eq!(reached(), [false; 4]);
    room.bare(&script);
    assert_eq!(reached(), [true; 4], "the control");
}

/// Descendants that do what they can to stay.
const STAYERS: &str = r#"
import os, signal, subprocess, sys, time
def detach(action):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            action()
        os._exit(0)
def run(): os.execv("/usr/bin/python3", ["python3", "-c", "import time; time.sleep(300)", sys.argv[1]])
def ignore():
    for number in range(1, 32):
        try: signal.signal(number, signal.SIG_IGN)
        except OSError: pass
    run()
def stopped():
    if os.fork() == 0: run()
    os.kill(os.getpid(), signal.SIGSTOP)
for action in (run, ignore, stopped): detach(action)
time.sleep(0.4)
"#;

#[test]
fn nothing_is_alive_afterwards() {
    let marker = marker();
    let room = Room::new(&format!("{POLICY}execution: {{max_processes: 20}}\n"));
    let (_, report) = room.run_marked(STAYERS, &marker);
    assert_eq!(alive(&marker), Vec::<String>::new());
    assert_eq!(report["verdict"], "ok", "{report}");
    assert!(report["resource_usage"]["processes"].as_u64().unwrap() >= 7, "{report}");
    // The control: without waxcell they stay.
    room.place.write("script.py", STAYERS);
    // They would hold streams of ours.
    let mut bare = room.command(Path::new(PYTHON), &["script.py", &marker]);
    bare.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let left = alive(&marker);
    assert!(left.len() >= 4, "{left:?}");
    for line in left {
        let pid = line.split(':').next().unwrap().parse().unwrap();
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::KILL,
        );
    }
}

fn long_run(room: &Room, marker: &str) -> Running {
    let script = format!("{STAYERS}\nopen('data/there', 'w')\ntime.sleep(300)\n");
    room.place.write("script.py", script);
    let running = Running::start(&mut room.waxcell(&["run", "script.py", marker]));
    until(PATIENCE, "the script is there", || room.place.has("data/there"));
    assert!(alive(marker).len() >= 6);
    running
}

#[test]
fn a_killed_supervisor_takes_the_run_with_it() {
    let marker = marker();
    let room = Room::new(&format!("{POLICY}execution: {{max_processes: 20}}\n"));
    let running = long_run(&room, &marker);
    running.signal(rustix::process::Signal::KILL);
    until(Duration::from_secs(10), "nobody is left", || alive(&marker).is_empty());
    running.end();
    assert_eq!(fs::read_dir(room.place.state().join("scratch")).unwrap().count(), 1);
    // The next one settles it.
    room.run("print(1)\n");
    assert!(room.place.records().iter().any(|record| record["type"] == "lost"));
    room.is_swept();
}

#[test]
fn a_killed_init_takes_the_run_with_it() {
    let marker = marker();
    let room = Room::new(&format!("{POLICY}execution: {{max_processes: 20}}\n"));
    let running = long_run(&room, &marker);
    let pid = running.child.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let init = children.split_ascii_whitespace().next().unwrap().parse().unwrap();
    let init = rustix::process::Pid::from_raw(init).unwrap();
    rustix::process::kill_process(init, rustix::process::Signal::KILL).unwrap();
    let said = running.end();
    assert_eq!(alive(&marker), Vec::<String>::new());
    assert_eq!(said.code, 125, "{said:?}");
    assert_eq!(room.place.records().last().unwrap()["verdict"], "error");
    room.is_swept();
}

#[test]
fn a_limit_ends_everybody() {
    let marker = marker();
    let policy = format!("{POLICY}execution: {{max_processes: 20, timeout_seconds: 1.5}}\n");
    let room = Room::new(&policy);
    let (said, report) = room.run_marked(&format!("{STAYERS}\ntime.sleep(300)\n"), &marker);
    assert_eq!((said.code, &report["verdict"]), (124, &json!("timeout")), "{report}");
    assert_eq!(alive(&marker), Vec::<String>::new());
    let room = Room::new(&format!("{POLICY}execution: {{max_processes: 3}}\n"));
    let (_, report) = room.run("import os\nwhile True:\n    os.fork()\n");
    assert_eq!(report["verdict"], "process_limit", "{report}");
}

/// A process of the same user that the run must not reach.
struct Bystander(Child);

impl Bystander {
    fn new(room: &Room) -> Bystander {
        let mut command = room.command(Path::new("/usr/bin/sleep"), &["300"]);
        Bystander(command.stdout(Stdio::null()).spawn().unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn signals_stay_within_the_run() {
    let room = Room::new(POLICY);
    let ways = [
        "os.kill(pid, 9)",
        "signal.pidfd_send_signal(os.pidfd_open(pid), 9)",
        "libc.syscall(234 if os.uname().machine == 'x86_64' else 131, pid, pid, 9)",
        "(a := socket.socketpair(), fcntl.fcntl(a[0], fcntl.F_SETOWN, pid), fcntl.fcntl(a[0], 10, 9), \
         fcntl.fcntl(a[0], fcntl.F_SETFL, os.O_ASYNC), a[1].send(b'x'), time.sleep(0.1))",
    ];
    for way in ways {
        let mut bystander = Bystander::new(&room);
        // It has to be the program that it shall be, and not still on the way there.
        let name = format!("/proc/{}/comm", bystander.0.id());
        until(PATIENCE, "sleep", || fs::read_to_string(&name).is_ok_and(|name| name == "sleep\n"));
        let script = format!(
            "import ctypes, fcntl, os, signal, socket, time\nlibc = ctypes.CDLL(None)\npid = {}\n\
             try: {way}\nexcept OSError as error: print(error.errno)\n\
             os.kill(os.getpid(), 0)\nchild = os.fork() or time.sleep(100)\nos.kill(child, 15)\nprint(os.waitpid(child, 0)[1])\n",
            bystander.0.id()
        );
        let (_, report) = room.run(&script);
        assert!(report["stdout"].as_str().unwrap().ends_with("15\n"), "{way}: {report}");
        assert!(bystander.is_alive(), "{way}");
        room.bare(&script);
        until(PATIENCE, "the control", || !bystander.is_alive());
    }
    // Nor do they reach the init, whose group is in the run's session: without it the run is over.
    let joins = "import os\nchild = os.fork() or (os.setpgid(0, os.getsid(0)), os.kill(0, 9))\nprint(os.waitpid(child, 0)[1])\n";
    assert_eq!(room.run(joins).1["stdout"], "9\n");
}

#[test]
fn blocked_operations_hold_on_data_and_not_on_scratch() {
    let room = Room::new(&POLICY.replace("blocked_operations: []", "blocked_operations: [delete, chmod]"));
    room.place.write("data/kept", "x");
    room.place.write("data/sub/kept", "x");
    let script = r#"
import os, shutil, tempfile
def attempt(action):
    try: action(); print("done")
    except OSError as error: print(error.errno)
scratch = tempfile.mkdtemp()
open(scratch + "/file", "w").close()
os.mkdir(scratch + "/folder")
attempt(lambda: os.unlink("data/kept"))
attempt(lambda: os.chmod("data/kept", 0o600))
attempt(lambda: os.rename("data/kept", scratch + "/kept"))
attempt(lambda: os.link("data/kept", scratch + "/kept"))
attempt(lambda: os.rename(scratch + "/folder", "data/folder"))
attempt(lambda: os.utime("data/kept", (5, 5)))
attempt(lambda: os.chmod(scratch + "/file", 0o600))
attempt(lambda: os.unlink(scratch + "/file"))
attempt(lambda: shutil.rmtree(scratch))
open("data/new", "w").write("1")
attempt(lambda: os.replace("data/new", "data/sub/new"))
"#;
    let (_, report) = room.run(script);
    let exdev = rustix::io::Errno::XDEV.raw_os_error();
    let expected = format!("1\n1\n{exdev}\n{exdev}\n{exdev}\ndone\ndone\ndone\ndone\ndone\n");
    assert_eq!(report["stdout"], expected, "{report}");
    assert!(room.place.has("data/kept") && !room.place.has("data/folder") && room.place.has("data/sub/new"));
    let denied: Vec<_> =
        report["violations"].as_array().unwrap().iter().map(|v| v["operation"].as_str().unwrap()).collect();
    assert_eq!(denied, ["fs.delete", "fs.chmod"], "{report}");
    assert_eq!(report["violations"][0]["target"], room.place.project().join("data/kept").to_str().unwrap());
    let places: Vec<_> =
        report["violations"].as_array().unwrap().iter().map(|v| (&v["line"], &v["file"])).collect();
    assert_eq!(places, [(&json!(9), &json!(null)), (&json!(10), &json!(null))], "{report}");
    assert!(report["violations"][0]["program"].as_str().unwrap().contains("/python3."), "{report}");
    assert_eq!(fs::metadata(room.place.project().join("data/kept")).unwrap().mtime(), 5);
    // The control: where nothing is blocked, the same file goes.
    room.place.write("security_policy.yml", POLICY);
    room.run("import os\nos.unlink('data/kept')\n");
    assert!(!room.place.has("data/kept"));
}

#[test]
fn what_runs_and_is_read_are_the_hashed_bytes() {
    let room = Room::new(POLICY);
    let script = "import os, time\nopen('data/there', 'w')\nwhile not os.path.exists('data/go'): time.sleep(0.01)\n\
                  print(open(__file__).read() == open('script.py').read())\nprint(open(__file__).read(), end='')\n\
                  os.chdir('sub')\nprint(open('script.py').read())\n";
    room.place.write("script.py", script);
    room.place.write("sub/script.py", "another");
    let running = Running::start(&mut room.waxcell(&["run", "script.py"]));
    until(PATIENCE, "the script is there", || room.place.has("data/there"));
    room.place.write("script.py", "print('changed')\n");
    room.place.write("data/go", "");
    let said = running.end();
    assert_eq!(said.out(), format!("True\n{script}another\n"), "{said:?}");
    assert_eq!(room.bare("print('changed')\n").out(), "changed\n", "the control");
}

#[test]
fn scratch_space_is_counted_and_gone_afterwards() {
    let limits = "execution: {scratch_mb: 4, scratch_files: 64}\n";
    let room = Room::new(&format!("{POLICY}{limits}"));
    let fill = "import os, tempfile, time\nd = tempfile.mkdtemp()\n";
    for (script, verdict) in [
        ("open(d + '/x', 'wb').write(b'x' * (3 << 20))\n", "ok"),
        ("open(d + '/x', 'wb').write(b'x' * (6 << 20))\n", "disk_limit"),
        (
            "os.mkdir(d + '/h')\nopen(d + '/h/x', 'wb').write(b'x' * (6 << 20))\nos.chmod(d + '/h', 0)\n",
            "disk_limit",
        ),
        ("for n in range(100): open(f'{d}/{n}', 'w').close()\n", "disk_limit"),
        ("for n in range(30): open(f'{d}/{n}', 'w').close()\n", "ok"),
        ("for n in range(400): os.mkdir('0123456789' * 10); os.chdir('0123456789' * 10)\n", "disk_limit"),
    ] {
        let (_, report) = room.run(&format!("{fill}os.chdir(d)\n{script}time.sleep(0.5)\n"));
        assert_eq!(report["verdict"], verdict, "{script}{report}");
        assert!(report["resource_usage"]["counters"]["scratch_files"].as_u64().unwrap() > 0, "{report}");
        room.is_swept();
    }
}

#[test]
fn what_is_written_to_storage_is_added_up() {
    let room = Room::new(&format!("{POLICY}execution: {{disk_write_mb: 4}}\n"));
    let each = "if os.fork() == 0: open(f'data/{n}', 'wb').write(bytes(1 << 20)); os._exit(0)\n os.wait()\n time.sleep(0.05)\n";
    for (times, verdict) in [(3, "ok"), (20, "disk_limit")] {
        let (_, report) = room.run(&format!("import os, time\nfor n in range({times}):\n {each}"));
        assert_eq!(report["verdict"], verdict, "{report}");
    }
}

#[test]
fn roots_script_is_nobody_who_is_anybody() {
    if !is_root() {
        return support::skip("plain::roots_script_is_nobody_who_is_anybody", "only root is somebody else");
    }
    let folders = || -> BTreeSet<PathBuf> {
        let own = |path: &PathBuf| path.to_string_lossy().starts_with("/var/tmp/waxcell-");
        fs::read_dir("/var/tmp").unwrap().map(|entry| entry.unwrap().path()).filter(own).collect()
    };
    let before = folders();
    let room = Room::of_root("degrade: [namespaces]\nfilesystem: {allowed_paths: []}\n");
    let (_, report) = room.run(
        "import os\nprint(os.getuid(), os.getgroups())\nopen(os.environ['HOME'] + '/x', 'w').write('x')\n",
    );
    assert_eq!(report["verdict"], "ok", "{report}");
    let uid: u32 = report["stdout"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(uid > 10_000 && report["enforced"]["host_uid"] == uid, "{report}");
    assert!(report["stdout"].as_str().unwrap().ends_with(" []\n"), "{report}");
    room.place.write("security_policy.yml", POLICY);
    room.place.write("script.py", "open('data/x', 'w')\n");
    let said = say(&mut room.waxcell(&["run", "script.py"]));
    assert_eq!(said.code, 126, "{said:?}");
    assert!(said.err().contains("would not belong to root"), "{said:?}");
    assert!(!room.place.has("data"));
    // The folder for scratch space of this record, with nothing in it.
    let new: Vec<PathBuf> = folders().difference(&before).cloned().collect();
    assert_eq!(new.len(), 1, "{new:?}");
    fs::remove_dir(&new[0]).unwrap();
}

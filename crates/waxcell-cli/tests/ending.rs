//! How a run ends: with which code, by whose signal, and with nothing of it left.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod beside;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use beside::{POLICY, same};
use rustix::process::Signal;
use serde_json::Value;
use support::{PYTHON, Place, Running, Said, alive, marker, policy, say, until};

#[test]
fn exit_codes() {
    let place = Place::new(POLICY);
    place.write("script.py", "import sys; sys.exit(int(sys.argv[1]))");
    for code in (0..=255).step_by(5).chain([1, 2, 3, 124, 125, 126, 127, 128, 129, 137, 139, 143, 152, 254]) {
        let said = say(&mut place.waxcell(&["run", "script.py", &code.to_string()]));
        assert_eq!((said.code, said.err()), (code, String::new()));
    }
    for exit in [
        "sys.exit('a message')",
        "sys.exit(None)",
        "sys.exit(-1)",
        "sys.exit(256)",
        "sys.exit(1.5)",
        "raise SystemExit(True)",
        "1/0",
        "os._exit(9)",
        "raise KeyboardInterrupt",
        "print('x'); sys.stdout.close(); os.close(1)",
    ] {
        same(&format!("import os, sys\n{exit}"));
    }
}

#[test]
fn death_by_signal() {
    let place = Place::new(POLICY);
    for signal in
        [Signal::TERM, Signal::SEGV, Signal::ABORT, Signal::KILL, Signal::HUP, Signal::USR1, Signal::PIPE]
    {
        place.write("script.py", format!("import os, signal\nsignal.signal({0}, signal.SIG_DFL) if {0} != 9 else 0\nos.kill(os.getpid(), {0})\nimport time; time.sleep(5)", signal.as_raw()));
        let held = say(&mut place.waxcell(&["run", "script.py"]));
        assert_eq!(held.code, 128 + signal.as_raw(), "{held:?}");
        assert_eq!(held.code, say(place.command(PYTHON).arg("script.py")).code, "{signal:?}");
    }
    place.write("script.py", "import ctypes; ctypes.string_at(0)");
    let held = say(&mut place.waxcell(&["run", "script.py"]));
    assert_eq!((held.code, held.out()), (139, String::new()), "{held:?}");
}

/// Sends a signal to the running script, bare and held.
#[track_caller]
fn signalled(text: &str, signal: Signal) -> [Said; 2] {
    let place = Place::new(POLICY);
    fs::create_dir(place.project().join("data")).unwrap();
    place.write("script.py", text);
    [place.command(PYTHON), place.waxcell(&["run"])].map(|mut command| {
        let _ = fs::remove_file(place.project().join("data/ready"));
        let running = Running::start(command.arg("script.py"));
        until(Duration::from_secs(10), "ready", || place.has("data/ready"));
        std::thread::sleep(Duration::from_millis(50));
        running.signal(signal);
        running.end_within(Duration::from_secs(10))
    })
}

#[test]
fn signals_reach_the_script() {
    let handled = "
import signal, sys, time
def handler(number, frame): print('got', number); sys.exit(9)
for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT): signal.signal(s, handler)
open('data/ready', 'w').close()
try: time.sleep(10)
except KeyboardInterrupt: print('interrupted'); sys.exit(8)
";
    let unhandled = "import time\nopen('data/ready', 'w').close()\ntime.sleep(10)";
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2, Signal::QUIT] {
        for text in [handled, unhandled] {
            let [bare, held] = signalled(text, signal);
            assert_eq!(
                (held.code, held.out(), held.err()),
                (bare.code, bare.out(), bare.err()),
                "{signal:?} {text}"
            );
        }
    }
}

#[test]
fn an_interrupt_without_a_handler_ends_as_python_does() {
    let [bare, held] = signalled("import time\nopen('data/ready', 'w').close()\ntime.sleep(10)", Signal::INT);
    assert_eq!(held.code, 130);
    assert_eq!(held, bare);
    assert!(held.err().contains("KeyboardInterrupt"));
}

#[test]
fn a_stop_from_the_terminal_stops_the_script_as_well() {
    let place = Place::new(POLICY);
    place.write("data/n", "");
    place.write(
        "script.py",
        "import time\nfor n in range(40):\n    open('data/n', 'a').write('.'); time.sleep(0.05)",
    );
    let running = Running::start(&mut place.waxcell(&["run", "script.py"]));
    until(Duration::from_secs(10), "it runs", || !place.read("data/n").is_empty());
    running.signal(Signal::TSTP);
    let stat = format!("/proc/{}/stat", running.pid().as_raw_nonzero());
    until(Duration::from_secs(10), "waxcell is stopped", || {
        fs::read_to_string(&stat).unwrap().contains(") T ")
    });
    std::thread::sleep(Duration::from_millis(200));
    let before = place.read("data/n");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(place.read("data/n"), before, "the script went on");
    running.signal(Signal::CONT);
    assert_eq!(running.end().code, 0);
    assert_eq!(place.read("data/n").len(), 40);
}

#[test]
fn a_caller_that_ends_takes_its_run_along() {
    let place = Place::new(POLICY);
    let marker = marker();
    place.write("script.py", "import time; time.sleep(60)");
    let running = Running::start(&mut place.waxcell(&["run", "script.py", &marker]));
    until(Duration::from_secs(10), "it runs", || alive(&marker).len() >= 2);
    let begun = Instant::now();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
    assert!(begun.elapsed() < Duration::from_secs(2) && alive(&marker).is_empty());
}

/// Runs a script that wants to outlive its run, and looks for what is left.
#[track_caller]
fn nothing_is_left(tight: &[(&str, &str)], script: &str) -> (Said, Value) {
    let marker = marker();
    let place = Place::new(&policy(tight));
    place.write("script.py", script);
    let begun = Instant::now();
    let running = Running::start(&mut place.waxcell(&["--json", "run", "script.py", &marker]));
    let said = running.end_within(Duration::from_secs(20));
    let left = alive(&marker);
    assert!(left.is_empty(), "{left:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    place.check_journal();
    let report = said.report();
    (said, report)
}

#[test]
fn the_search_for_the_living_finds_them() {
    let marker = marker();
    let place = Place::new(&policy(&[]));
    place.write("script.py", "import time; time.sleep(1.5)");
    let running = Running::start(&mut place.waxcell(&["run", "script.py", &marker]));
    support::until(Duration::from_secs(5), "waxcell and its script are seen", || alive(&marker).len() >= 2);
    assert_eq!(running.end().code, 0);
    assert!(alive(&marker).is_empty());
}

#[test]
fn fork_bomb() {
    let (_, report) =
        nothing_is_left(&[], "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass");
    assert_eq!(report["verdict"], "process_limit", "{report:#}");
}

#[test]
fn thread_bomb() {
    let (_, report) = nothing_is_left(
        &[],
        "import _thread, time\nwhile True:\n    try: _thread.start_new_thread(time.sleep, (60,))\n    except RuntimeError: pass",
    );
    assert_eq!(report["verdict"], "process_limit", "{report:#}");
}

#[test]
fn a_daemon_that_ignores_signals_and_holds_the_streams() {
    let script = "
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for s in range(1, 65):
            try: signal.signal(s, signal.SIG_IGN)
            except (OSError, ValueError): pass
        os.execv('/usr/bin/python3', ['python3', '-c', 'import time; time.sleep(60)', sys.argv[1]])
    os._exit(0)
os.wait()
time.sleep(0.3)
print('done', flush=True)
os._exit(5)
";
    let (said, report) = nothing_is_left(&[], script);
    assert_eq!(
        (said.code, report["verdict"].as_str(), report["stdout"].as_str()),
        (5, Some("failed"), Some("done\n"))
    );
}

#[test]
fn stopped_children() {
    let script = "
import os, signal, subprocess, sys, time
p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', sys.argv[1]])
os.kill(p.pid, signal.SIGSTOP)
time.sleep(0.2)
os._exit(0)
";
    let (said, _) = nothing_is_left(&[], script);
    assert_eq!(said.code, 0);
}

#[test]
fn a_script_that_stops_itself_ends_by_its_timeout() {
    let (said, report) = nothing_is_left(
        &[("timeout_seconds", "1")],
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    );
    assert_eq!((said.code, report["verdict"].as_str()), (124, Some("timeout")));
}

#[test]
fn traced_and_vforked_and_threaded_leaders() {
    // The first thread ends, another one goes on: the process is alive until its timeout.
    let script = "
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)
";
    let (said, report) = nothing_is_left(&[("timeout_seconds", "1")], script);
    assert_eq!((said.code, report["verdict"].as_str()), (124, Some("timeout")), "{report:#}");
}

#[test]
fn while_streaming_a_held_stdout_keeps_nobody_waiting() {
    let marker = marker();
    let place = Place::new(&policy(&[]));
    place.write("script.py", "import os, sys, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)\nprint('done', flush=True)\nos._exit(0)");
    let begun = Instant::now();
    let said = say(&mut place.waxcell(&["run", "script.py", &marker]));
    assert_eq!((said.code, said.out()), (0, "done\n".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(alive(&marker).is_empty());
}

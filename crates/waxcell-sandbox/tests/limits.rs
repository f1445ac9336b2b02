//! Limits against the kernel: each is reached by a script of its own, and only then does it stop a run.

mod support;

use std::time::Duration;

use support::{directory, plan, run, run_with};
use waxcell_sandbox::*;

/// Scripts that reach one limit each: with the limit they are stopped by it, and with more room they are not.
fn check_limit(script: &str, tight: impl Fn(&mut Plan), stop: Stop, exit: Exit) {
    let control = run_with(script, |_| {});
    assert_eq!(control.ending.stop, None, "control: {} {}", control.output, control.error);
    assert_eq!(control.ending.exit, Some(Exit::Code(0)), "control: {} {}", control.output, control.error);
    let ran = run_with(script, |plan| tight(plan));
    assert_eq!(ran.ending.stop, Some(stop), "{:?} {} {}", ran.ending, ran.output, ran.error);
    assert_eq!(ran.ending.exit, Some(exit), "{} {}", ran.output, ran.error);
}

#[test]
fn wall_clock() {
    let tight = |plan: &mut Plan| plan.limits.wall = Duration::from_millis(300);
    check_limit("import time; time.sleep(1)", tight, Stop::Wall, Exit::Signal(libc::SIGKILL));
}

#[test]
fn cpu_of_one_process() {
    let tight = |plan: &mut Plan| plan.limits.cpu = Duration::from_millis(300);
    let script = "import time\nwhile time.process_time() < 1: pass";
    check_limit(script, tight, Stop::Cpu, Exit::Signal(libc::SIGKILL));
}

#[test]
fn cpu_of_many_processes_each_below_it() {
    let script = "
import os, time
for _ in range(4):
    if os.fork() == 0:
        while time.process_time() < 0.3: pass
        os._exit(0)
for _ in range(4): os.wait()
";
    let tight = |plan: &mut Plan| plan.limits.cpu = Duration::from_millis(700);
    check_limit(script, tight, Stop::Cpu, Exit::Signal(libc::SIGKILL));
}

#[test]
fn memory_of_one_process() {
    let tight = |plan: &mut Plan| plan.limits.memory = 64 << 20;
    let script = "import time\nx = bytearray(120 << 20); time.sleep(0.3)";
    check_limit(script, tight, Stop::Memory, Exit::Signal(libc::SIGKILL));
}

#[test]
fn memory_of_many_processes_each_below_it() {
    let script = "
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = bytearray(30 << 20); time.sleep(3); os._exit(0)
for _ in range(4): os.wait()
";
    let dir = directory();
    let mut plan = plan(script, dir.path());
    plan.limits.memory = 96 << 20;
    let ran = run(&plan);
    assert_eq!(ran.ending.stop, Some(Stop::Memory), "{:?}", ran.ending);
}

#[test]
fn scratch_counts_as_memory() {
    let script =
        "import time\nfor i in range(7): open(f'/tmp/{i}','wb').write(bytes(4<<20))\ntime.sleep(0.3)";
    let roomy = |plan: &mut Plan| plan.limits.scratch_bytes = 64 << 20;
    assert_eq!(run_with(script, roomy).ending.stop, None);
    let ran = run_with(script, |plan| {
        plan.limits.scratch_bytes = 64 << 20;
        plan.limits.memory = 24 << 20;
    });
    assert_eq!(ran.ending.stop, Some(Stop::Memory), "{:?} {}", ran.ending, ran.error);
}

#[test]
fn processes() {
    let script = "
import os, time
kids = []
for _ in range(4):
    pid = os.fork()
    if pid == 0: time.sleep(0.4); os._exit(0)
    kids.append(pid)
for _ in kids: os.wait()
";
    let tight = |plan: &mut Plan| plan.limits.processes = 3;
    check_limit(script, tight, Stop::Processes, Exit::Signal(libc::SIGKILL));
}

#[test]
fn processes_one_after_the_other_are_not_many() {
    let script =
        "import subprocess\nfor _ in range(30): subprocess.run(['/bin/true'], check=True)\nprint('done')";
    let ran = run_with(script, |plan| plan.limits.processes = 1);
    assert_eq!((ran.output.as_str(), ran.ending.stop), ("done\n", None), "{}", ran.error);
    // A fork that a signal interrupts is made again, and counts again.
    assert!((31..=33).contains(&ran.ending.usage.processes), "{}", ran.ending.usage.processes);
}

#[test]
fn threads() {
    let script = "
import threading, time
ts = [threading.Thread(target=time.sleep, args=(0.3,)) for _ in range(8)]
for t in ts: t.start()
for t in ts: t.join()
";
    let tight = |plan: &mut Plan| plan.limits.threads = 6;
    check_limit(script, tight, Stop::Threads, Exit::Signal(libc::SIGKILL));
}

/// Four processes make one more each at the same moment: all of them where there is room, but where there is room for
/// `one`, not more than that does anything.
fn check_at_once(more: &str, one: impl Fn(&mut Plan)) {
    let script = format!(
        "
import ctypes, mmap, os, threading, time
made = os.open('made', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
ready = mmap.mmap(-1, 4)
def here(): os.write(made, b'x'); time.sleep(10)
for n in range(4):
    if os.fork() == 0:
        ready[n] = 1
        while 0 in ready[:]: pass
        {more}
        time.sleep(10); os._exit(0)
time.sleep(2)
"
    );
    let at_once = |change: &dyn Fn(&mut Plan)| {
        let dir = directory();
        let mut plan = plan(&script, dir.path());
        plan.limits.processes = 8;
        change(&mut plan);
        let stop = run(&plan).ending.stop;
        (stop, std::fs::read_to_string(dir.path().join("made")).expect("a file"))
    };
    assert_eq!(at_once(&|_| {}), (None, "xxxx".to_owned()), "control");
    for _ in 0..8 {
        let (stop, made) = at_once(&one);
        assert!(matches!(stop, Some(Stop::Processes | Stop::Threads)), "{stop:?}");
        assert!(made.len() <= 1, "{made}");
    }
}

#[test]
fn processes_made_at_once() {
    check_at_once("os.fork() or here()", |plan| plan.limits.processes = 5);
}

/// `clone` without the C library, which then does nothing in the new process.
fn clone(flags: i32) -> String {
    format!("ctypes.CDLL(None).syscall({}, {flags}, 0, 0, 0, 0)", libc::SYS_clone)
}

#[test]
fn processes_made_at_once_by_hand() {
    let more = format!("{} or here()", clone(libc::SIGCHLD));
    check_at_once(&more, |plan| plan.limits.processes = 5);
}

#[test]
fn processes_that_never_ask() {
    // As the C library calls it, but without its next call.
    let fork = clone(libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD);
    let script = format!(
        "
import ctypes, os, time
for _ in range(4):
    if {fork} == 0: time.sleep(1); os._exit(0)
time.sleep(1.5)
"
    );
    let tight = |plan: &mut Plan| plan.limits.processes = 3;
    check_limit(&script, tight, Stop::Processes, Exit::Signal(libc::SIGKILL));
}

#[test]
fn threads_made_at_once() {
    check_at_once("threading.Thread(target=here).start()", |plan| plan.limits.threads = 1);
}

#[test]
fn file_size() {
    let script = "open('big','wb').write(bytes(2 << 20))";
    let tight = |plan: &mut Plan| plan.limits.file_size = 1 << 20;
    check_limit(script, tight, Stop::FileSize, Exit::Code(1));
    let dir = directory();
    let mut plan = plan(script, dir.path());
    plan.limits.file_size = 1 << 20;
    run(&plan);
    assert_eq!(std::fs::metadata(dir.path().join("big")).unwrap().len(), 1 << 20);
}

#[test]
fn open_files() {
    let script = "import time\nx = [open('/dev/null') for _ in range(40)]";
    let ran = run_with(script, |plan| plan.limits.open_files = 30);
    assert!(ran.error.contains("Too many open files"), "{}", ran.error);
    assert_eq!(run_with(script, |_| {}).ending.exit, Some(Exit::Code(0)));
}

#[test]
fn output() {
    let script = "import sys\nfor _ in range(100): sys.stdout.write('x' * 4096)";
    let tight = |plan: &mut Plan| plan.limits.output = 100_000;
    check_limit(script, tight, Stop::Output, Exit::Signal(libc::SIGKILL));
    let ran = run_with(script, |plan| plan.limits.output = 100_000);
    assert_eq!(ran.output.len(), 100_000);
}

#[test]
fn scratch_space() {
    let script = "open('/tmp/x','wb').write(bytes(6 << 20))";
    let tight = |plan: &mut Plan| plan.limits.scratch_bytes = 4 << 20;
    check_limit(script, tight, Stop::ScratchBytes, Exit::Code(1));
}

#[test]
fn scratch_files() {
    let script = "for i in range(50): open(f'/tmp/{i}','w')";
    let tight = |plan: &mut Plan| plan.limits.scratch_files = 20;
    check_limit(script, tight, Stop::ScratchFiles, Exit::Code(1));
}

#[test]
fn a_childs_oversized_file_is_seen_too() {
    let script = "import subprocess\nr = subprocess.run(['/bin/dd', 'if=/dev/zero', 'of=/data/big', 'bs=64k', 'count=32'], stderr=subprocess.DEVNULL)\nprint(r.returncode)";
    let ran = run_with(script, |plan| plan.limits.file_size = 1 << 20);
    assert_eq!((ran.output.as_str(), ran.ending.stop), ("1\n", Some(Stop::FileSize)));
}

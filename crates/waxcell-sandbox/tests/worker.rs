//! A process that only calculates: it answers; and whatever else it tries, or whatever becomes of it, is its end, with a reason.
//! Here it is a fork; that of a program that begins anew is looked at through `waxcell` itself.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use waxcell_sandbox::{Worker, WorkerEnd, WorkerLimits};

const LIMITS: WorkerLimits = WorkerLimits { memory: 512 << 20, cpu_seconds: 10, stack: 8 << 20 };
const PATIENCE: Duration = Duration::from_secs(20);

/// What the workers of these tests do: what the question says.
#[expect(clippy::exit, reason = "a worker that leaves is what is tested")]
fn work(question: &[u8]) -> Vec<u8> {
    match question {
        b"" => Vec::new(),
        b"process" => rustix::process::getpid().as_raw_pid().to_string().into_bytes(),
        b"abort" => std::process::abort(),
        b"panic" => panic!("as asked"),
        b"leave" => std::process::exit(7),
        b"hang" => loop {
            std::hint::spin_loop();
        },
        b"memory" => {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            loop {
                taken.push(vec![1; 16 << 20]);
                std::hint::black_box(&taken);
            }
        }
        b"stack" => deeper(1).to_le_bytes().into(),
        b"open" => said(std::fs::File::open("/etc/passwd")),
        b"make" => said(std::fs::File::create("/tmp/waxcell-worker-made")),
        b"connect" => said(std::net::TcpStream::connect(("127.0.0.1", 1))),
        b"listen" => said(std::os::unix::net::UnixListener::bind("/tmp/waxcell-worker-listens")),
        b"thread" => said(std::thread::Builder::new().spawn(|| ())),
        b"signal" => said(rustix::process::kill_process(parent(), Signal::TERM)),
        b"test" => said(rustix::process::test_kill_process(parent())),
        b"limits" => said(rustix::process::setrlimit(
            rustix::process::Resource::Cpu,
            rustix::process::Rlimit { current: Some(1), maximum: Some(1) },
        )),
        b"noise" => said(rustix::io::write(rustix::stdio::stdin(), &[0xFF; 8])),
        text => text.iter().rev().copied().collect(),
    }
}

fn said<T>(result: Result<T, impl ToString>) -> Vec<u8> {
    result.map_or_else(|error| error.to_string(), |_| "done".into()).into_bytes()
}

fn parent() -> Pid {
    rustix::process::getppid().expect("a parent")
}

#[expect(unconditional_recursion, reason = "a stack without end is what is tested")]
fn deeper(level: u64) -> u64 {
    let room = std::hint::black_box([level; 64]);
    deeper(room[0] + 1) + room[63]
}

fn worker() -> Worker {
    Worker::start(LIMITS, work).expect("a worker")
}

/// What becomes of a worker that is asked this.
fn end(question: &str) -> WorkerEnd {
    let mut worker = worker();
    assert_eq!(worker.ask(&[b"ab", b"c"], PATIENCE), Ok(b"cba".to_vec()), "{question}: the control");
    worker.ask(&[question.as_bytes()], PATIENCE).expect_err(question)
}

#[test]
fn one_question_after_the_other_is_answered() {
    let mut worker = worker();
    for size in [0, 1, 4096, 9 << 20, 3] {
        let question: Vec<u8> = (0..size).map(|at: usize| at as u8).collect();
        let mut expected = question.clone();
        expected.reverse();
        assert!(worker.ask(&[&question], PATIENCE) == Ok(expected), "{size}");
    }
    let most = vec![b'x'; 33 << 20];
    assert_eq!(worker.ask(&[&most], PATIENCE), Err(WorkerEnd::TooLong));
}

#[test]
fn the_kernel_ends_what_does_more_than_calculate() {
    for question in ["open", "make", "connect", "listen", "thread", "signal", "test", "limits"] {
        assert_eq!(end(question), WorkerEnd::Signal(libc::SIGSYS), "{question}");
    }
    assert!(!std::path::Path::new("/tmp/waxcell-worker-made").exists());
}

#[test]
fn every_end_has_its_reason() {
    for (question, expected, words) in [
        (
            "abort",
            WorkerEnd::Signal(libc::SIGABRT),
            "ended with signal 6 (aborted, as where memory or stack is used up)",
        ),
        (
            "stack",
            WorkerEnd::Signal(libc::SIGABRT),
            "ended with signal 6 (aborted, as where memory or stack is used up)",
        ),
        ("panic", WorkerEnd::Exit(101), "ended with exit code 101"),
        ("leave", WorkerEnd::Exit(7), "ended with exit code 7"),
        ("noise", WorkerEnd::TooLong, "said more than makes sense"),
    ] {
        let ended = end(question);
        assert_eq!((&ended, ended.to_string().as_str()), (&expected, words), "{question}");
    }
    // With `RUST_BACKTRACE`, which a fork inherits, the library wants files for what it has to say before it aborts.
    let ended = end("memory");
    assert!(matches!(ended, WorkerEnd::Signal(libc::SIGABRT | libc::SIGSYS)), "{ended:?}");
}

#[test]
fn nobody_waits_for_ever() {
    let mut one = worker();
    let begun = Instant::now();
    let patience = Duration::from_millis(300);
    assert_eq!(one.ask(&[b"hang"], patience), Err(WorkerEnd::Late(patience)));
    assert!(begun.elapsed() < Duration::from_secs(5));
    // Nor does it go on where nobody waits for it.
    let limits = WorkerLimits { cpu_seconds: 1, ..LIMITS };
    let mut other = Worker::start(limits, work).expect("a worker");
    assert_eq!(other.ask(&[b"hang"], PATIENCE), Err(WorkerEnd::Signal(libc::SIGXCPU)));
    assert_eq!(other.ask(&[b"abc"], PATIENCE), Err(WorkerEnd::Signal(libc::SIGXCPU)));
}

#[test]
fn it_is_as_bare_as_it_says_and_ends_with_its_value() {
    let mut worker = worker();
    let process = worker.ask(&[b"process"], PATIENCE).expect("its number");
    let process = String::from_utf8(process).expect("a number");
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
    let status = read("status");
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapPrm:\t0000000000000000", "Threads:\t1"] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
    let limits = read("limits");
    let lines: Vec<String> =
        limits.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for (name, most) in [
        ("address space", LIMITS.memory),
        ("stack size", LIMITS.stack),
        ("cpu time", LIMITS.cpu_seconds),
        ("open files", 0),
        ("processes", 0),
        ("file size", 0),
        ("core file size", 0),
    ] {
        let expected = format!("Max {name} {most} ");
        assert!(lines.iter().any(|line| line.starts_with(&expected)), "{expected} is not in {limits}");
    }
    drop(worker);
    assert_eq!(read("status"), "");
}

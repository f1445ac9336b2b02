//! Many writers at once: threads, processes, processes that are killed, a user who hits a limit.
//!
//! The processes are this test program once more; [`child`] is what they run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "the helpers of these tests are tests as well")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use waxcell_journal::{AppendError, DiskFault, Entry, Journal, Mark, Reader, SpanId, SpanLock, verify};

const TASK: &str = "WAXCELL_JOURNAL_TASK";
const HOME: &str = "WAXCELL_JOURNAL_HOME";

#[expect(clippy::disallowed_methods, reason = "a journal is shared by processes, so the test starts some")]
fn start(program: &str, arguments: &[&str], task: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env(TASK, task).env(HOME, home).stdin(Stdio::null());
    command
}

fn this_program() -> String {
    std::env::current_exe().unwrap().into_os_string().into_string().unwrap()
}

const AS_CHILD: [&str; 4] = ["--exact", "child", "--ignored", "--nocapture"];

#[test]
#[ignore = "run by the other tests, in processes of their own"]
#[expect(clippy::disallowed_methods, reason = "the environment is how the parent says what to do")]
fn child() {
    let (Ok(task), Ok(home)) = (std::env::var(TASK), std::env::var(HOME)) else { return };
    let journal = Path::new(&home).join("journal");
    match task.split_once(' ') {
        Some(("append", name)) => append_runs(&journal, name.parse().unwrap(), 150),
        Some(("forever", name)) => append_runs(&journal, name.parse().unwrap(), u32::MAX),
        Some(("hold", name)) => {
            let span = SpanId::new([name.parse().unwrap(); 16]);
            let lock = SpanLock::hold(&Path::new(&home).join("runs"), span).unwrap();
            lock.note(b"a note").unwrap();
            println!("held");
            thread::sleep(Duration::from_secs(60));
        }
        Some(("until", "limit")) => until_limit(&journal),
        Some(("fill", "tmpfs")) => fill(&journal),
        _ => panic!("{task}"),
    }
}

/// Runs begin and end; each receipt is told to the parent as it is got.
fn append_runs(directory: &Path, name: u8, count: u32) {
    let mut journal = Journal::open(directory).unwrap();
    for number in 0..count {
        let mut id = [name; 16];
        id[..4].copy_from_slice(&number.to_le_bytes());
        let span = SpanId::new(id);
        for mark in [Mark::Open, Mark::Close] {
            let receipt =
                journal.append_with(mark, span, |index| format!("{index} by {name}").repeat(20)).unwrap();
            println!("receipt {}", receipt.index());
        }
    }
}

fn receipts(output: impl std::io::Read) -> Vec<u64> {
    BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        // The test harness may print its own words on the same line.
        .filter_map(|line| line.rsplit_once("receipt ")?.1.parse().ok())
        .collect()
}

/// No two receipts name the same record, every one of them is there, and it says what its writer put in it.
fn check(directory: &Path, mut receipts: Vec<u64>) -> u64 {
    let report = verify(directory).unwrap();
    assert_eq!(report.faults, []);
    receipts.sort_unstable();
    assert!(receipts.windows(2).all(|pair| pair[0] != pair[1]), "two receipts for one record");
    let mut records = 0;
    for (index, record) in (0..).zip(Reader::open(directory).unwrap()) {
        let record = record.unwrap();
        assert_eq!(record.index, index);
        assert!(record.payload.starts_with(format!("{index} by ").as_bytes()));
        records += 1;
    }
    assert_eq!(records, report.records);
    assert!(receipts.last().is_none_or(|&last| last < records));
    records
}

#[test]
fn threads_lose_nothing() {
    let home = tempfile::tempdir().unwrap();
    let directory = &home.path().join("journal");
    let receipts: Vec<u64> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8u8)
            .map(|name| {
                scope.spawn(move || {
                    let mut journal = Journal::open(directory).unwrap();
                    (0..200)
                        .map(|_| {
                            let payload = |index| format!("{index} by {name}").repeat(70);
                            journal.append_with(Mark::None, SpanId::NONE, payload).unwrap().index()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(receipts.len(), 1600);
    assert_eq!(check(directory, receipts), 1600);
}

#[test]
fn processes_lose_nothing() {
    let home = tempfile::tempdir().unwrap();
    let children: Vec<_> = (1..=3)
        .map(|name| {
            start(&this_program(), &AS_CHILD, &format!("append {name}"), home.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut all = Vec::new();
    for mut child in children {
        all.extend(receipts(child.stdout.take().unwrap()));
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(all.len(), 900);
    assert_eq!(check(&home.path().join("journal"), all), 900);
    assert_eq!(verify(&home.path().join("journal")).unwrap().open, []);
}

#[test]
fn killed_processes_lose_nothing_that_has_a_receipt() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("journal");
    let mut all = Vec::new();
    for round in 0..25u8 {
        let mut children: Vec<_> = (0..2)
            .map(|other| {
                start(&this_program(), &AS_CHILD, &format!("forever {}", 1 + 2 * round + other), home.path())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        thread::sleep(Duration::from_millis(20 + 7 * u64::from(round % 9)));
        children.iter_mut().for_each(|child| child.kill().unwrap());
        for mut child in children {
            all.extend(receipts(child.stdout.take().unwrap()));
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
        drop(Journal::open(&directory).unwrap());
        check(&directory, all.clone());
    }
    assert!(all.len() > 25, "{} receipts: the children were killed too early to tell", all.len());
}

#[test]
fn a_lock_of_a_span_ends_with_its_process() {
    let home = tempfile::tempdir().unwrap();
    let (runs, span) = (home.path().join("runs"), SpanId::new([9; 16]));
    let mut child =
        start(&this_program(), &AS_CHILD, "hold 9", home.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("held")));
    assert!(SpanLock::is_alive(&runs, span).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!SpanLock::is_alive(&runs, span).unwrap());
    assert_eq!(SpanLock::pause(&runs).unwrap().left().unwrap(), [(span, b"a note".to_vec())]);
    SpanLock::clear(&runs, span).unwrap();
    assert_eq!(SpanLock::pause(&runs).unwrap().left().unwrap(), []);
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 0);
}

/// With a file-size limit the kernel itself cuts a write short.
fn until_limit(directory: &Path) {
    let mut journal = Journal::open(directory).unwrap();
    let text = "limit ".repeat(100);
    let refused = loop {
        match journal.append_with(Mark::None, SpanId::NONE, |index| format!("{index} by {text}")) {
            Ok(receipt) => println!("receipt {}", receipt.index()),
            Err(refused) => break refused,
        }
    };
    let AppendError::Disk(error) = refused else { panic!("{refused}") };
    assert_eq!(error.fault, DiskFault::Quota);
    assert!(matches!(
        journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"" }),
        Err(AppendError::Poisoned)
    ));
    std::io::stdout().flush().unwrap();
}

#[test]
fn a_write_that_the_kernel_cuts_short_is_taken_back() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("journal");
    drop(Journal::open(&directory).unwrap());
    // 100 KiB in units of 512 bytes; the signal that comes with the limit is ignored.
    let script = r#"trap "" XFSZ; ulimit -f 200; exec "$0" "$@""#;
    let program = this_program();
    let arguments = [&["-c", script, &program], &AS_CHILD[..]].concat();
    let output = start("sh", &arguments, "until limit", home.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut all = receipts(&output.stdout[..]);
    assert!(all.len() > 50);
    assert_eq!(check(&directory, all.clone()), all.len() as u64);
    let mut journal = Journal::open(&directory).unwrap();
    all.push(
        journal.append_with(Mark::None, SpanId::NONE, |index| format!("{index} by us")).unwrap().index(),
    );
    check(&directory, all);
}

/// A file system of 2.5 MiB: one segment, one spare, and then it is full in truth.
fn fill(directory: &Path) {
    let mut journal = Journal::open(directory).unwrap();
    let span = |number: u32| {
        let mut id = [1; 16];
        id[..4].copy_from_slice(&number.to_le_bytes());
        SpanId::new(id)
    };
    let mut open = 0;
    let refused = loop {
        match journal.append_with(Mark::Open, span(open), |index| format!("{index} by {}", " ".repeat(2000)))
        {
            Ok(_) => open += 1,
            Err(refused) => break refused,
        }
    };
    let AppendError::NoRoom(error) = refused else { panic!("{refused}") };
    assert_eq!(error.fault, DiskFault::Full);
    assert!(open > 60, "{open} spans found room in a segment and a spare");
    for number in 0..open {
        let payload = |index| format!("{index} by {}", " ".repeat(16_000));
        journal.append_with(Mark::Close, span(number), payload).unwrap();
    }
    check(directory, Vec::new());
    println!("all closed");
}

#[test]
fn a_file_system_that_is_full_in_truth() {
    let home = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=2500k none "$WAXCELL_JOURNAL_HOME" || exit 77; exec "$0" "$@""#;
    let program = this_program();
    let arguments = [&["-rm", "sh", "-c", script, &program], &AS_CHILD[..]].concat();
    match start("unshare", &arguments, "fill tmpfs", home.path()).output() {
        Ok(output) if output.status.success() => {
            assert!(String::from_utf8_lossy(&output.stdout).contains("all closed"));
        }
        Ok(output) if matches!(output.status.code(), Some(77 | 1)) && output.stdout.is_empty() => {
            skip(&format!("no mount namespace here: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => skip(&format!("`unshare` cannot be started: {error}")),
    }
}

/// Says that a test did not take place; `WAXCELL_SKIP_LOG` names a file that collects these lines.
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test's own report")]
fn skip(why: &str) {
    use std::io::Write as _;
    let name = std::thread::current().name().unwrap_or("processes").to_owned();
    println!("SKIPPED {name}: {why}");
    if let Some(list) = std::env::var_os("WAXCELL_SKIP_LOG").filter(|value| !value.is_empty()) {
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        // In one write: tests run side by side.
        list.write_all(format!("SKIPPED {name}: {why}\n").as_bytes()).unwrap();
    }
}

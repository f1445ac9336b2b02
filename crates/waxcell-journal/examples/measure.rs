//! What a durable record costs here, beside what the disk costs alone: `cargo xtask bench --journal`.
//!
//! `measure DIRECTORY`: files are made below the directory, which decides which disk is measured.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::futex;
use waxcell_journal::{Demands, Entry, Journal, Log, Mark, Pending, Publisher, SharedJournal, SpanId};

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// A record and what belongs to it, about.
const RECORD: usize = 700;
const PAIRS: usize = 2000;
const WRITERS: usize = 256;
/// What each writer appends in one turn.
const ROUNDS: usize = 50;
const TURNS: usize = 10;

fn main() -> Done {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: measure DIRECTORY")?);
    single(&folder)?;
    many(&folder)?;
    check(&folder)
}

/// A million records: to publish, to check, to prove.
fn check(folder: &Path) -> Done {
    const RECORDS: u64 = 1_000_000;
    const GROUP: u64 = 500;
    let directory = folder.join("check");
    let publisher = Publisher::open(&directory, "host")?;
    let mut journal = Journal::open(&directory)?;
    let pad = "x".repeat(RECORD - 100);
    for first in (0..RECORDS).step_by(GROUP as usize) {
        let record = |index| {
            format!(r#"{{"index":{index},"pad":"{pad}","run":"{index:032x}","type":"refused","v":1}}"#)
        };
        let payloads: Vec<_> = (first..first + GROUP).map(record).collect();
        let entry = |payload| Entry { mark: Mark::None, span: SpanId::NONE, payload };
        journal.append_all(&payloads.iter().map(|one| entry(one.as_bytes())).collect::<Vec<_>>())?;
    }
    let timed = |what: &str, step: &mut dyn FnMut() -> Done| -> Done {
        let started = Instant::now();
        step()?;
        println!("{what}: {:.2} s", started.elapsed().as_secs_f64());
        Ok(())
    };
    println!("\n{RECORDS} records of {RECORD} bytes:");
    timed("publish all of them", &mut || Ok(publisher.publish(RECORDS).map(|_| ())?))?;
    let log = Log::at(publisher.folder());
    let signed = log.checkpoint(&[publisher.verifier()?])?;
    timed("check the journal", &mut || {
        let report = waxcell_journal::verify(&directory)?;
        if report.is_sound() { Ok(()) } else { Err("the journal is not sound".into()) }
    })?;
    timed("check the log", &mut || {
        let demands =
            Demands { signed: &signed, against: None, since: 0, records: true, progress: &mut |_| {} };
        let report = log.verify(demands)?;
        if report.is_sound() { Ok(()) } else { Err(report.faults[0].to_string().into()) }
    })?;
    timed("prove one", &mut || Ok(log.prove(RECORDS / 3, &signed).map(|_| ())?))?;
    journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"{}" })?;
    timed("publish one more", &mut || Ok(publisher.publish(RECORDS + 1).map(|_| ())?))?;
    let peak = std::fs::read_to_string("/proc/self/status")?;
    let peak = peak.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!("most memory: {}", peak.trim_start_matches("VmHWM:").trim());
    Ok(())
}

/// One writer: a record, and a bare overwrite with an `fdatasync`, by turns.
fn single(folder: &Path) -> Done {
    let bare = Bare::new(folder)?;
    let mut journal = Journal::open(&folder.join("single"))?;
    let (mut alone, mut records) = (Vec::new(), Vec::new());
    let entry = Entry { mark: Mark::None, span: SpanId::NONE, payload: &[b'x'; RECORD] };
    for nth in 0..PAIRS {
        let started = Instant::now();
        bare.write(nth, &[b'x'; RECORD])?;
        alone.push(started.elapsed());
        let started = Instant::now();
        journal.append(entry)?;
        records.push(started.elapsed());
        // As a run does when it waits for its script.
        journal.prepare_next()?;
    }
    let (alone, records) = (Times::of(alone), Times::of(records));
    println!("| | median, us | 99 of 100 within, us |\n|---|---|---|");
    println!("| `fdatasync` of {RECORD} bytes alone | {} | {} |", alone.median, alone.late);
    println!("| a record | {} | {} |", records.median, records.late);
    println!(
        "| ratio | {:.2} | {:.2} |",
        ratio(records.median, alone.median),
        ratio(records.late, alone.late)
    );
    Ok(())
}

/// Many writers at once, against as many records in one write and one `fdatasync`: of one thread that has nothing else
/// to do, and of one that wakes as many threads after it and waits for them. All by turns.
fn many(folder: &Path) -> Done {
    let bare = Bare::new(folder)?;
    let shared = SharedJournal::new(Journal::open(&folder.join("many"))?)?;
    let (mut alone, mut woken, mut ours) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for _ in 0..TURNS {
        let started = Instant::now();
        (0..ROUNDS).try_for_each(|nth| bare.write(nth, &[b'x'; RECORD * WRITERS]))?;
        alone += started.elapsed();
        woken += wake_after_each_group(&bare)?;
        ours += together(WRITERS, || {
            let payload = Box::new(|_| vec![b'x'; RECORD]);
            shared.append(Pending { mark: Mark::None, span: SpanId::NONE, payload }).map(|_| ())
        })?;
    }
    let rate = |time: Duration| (WRITERS * ROUNDS * TURNS) as f64 / time.as_secs_f64();
    println!("\n| {WRITERS} writers | records/s | ours of it |\n|---|---|---|");
    for (what, time) in [
        ("one write and one `fdatasync` for all, by one thread alone", alone),
        ("the same, and as many threads woken after it", woken),
        ("records", ours),
    ] {
        println!("| {what} | {:.0} | {:.2} |", rate(time), rate(ours) / rate(time));
    }
    Ok(())
}

/// Every thread takes one step after the other; the time from the moment when all of them are there.
fn together<E>(threads: usize, step: impl Fn() -> Result<(), E> + Sync) -> Done<Duration>
where
    E: Error + Send + 'static,
{
    let (ready, failed) = (Barrier::new(threads + 1), Mutex::new(None));
    let work = || {
        ready.wait();
        if let Err(error) = (0..ROUNDS).try_for_each(|_| step()) {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    let started = thread::scope(|scope| {
        (0..threads).for_each(|_| drop(scope.spawn(work)));
        ready.wait();
        Instant::now()
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error.into()),
        None => Ok(started.elapsed()),
    }
}

/// What group commit of threads can reach here at best: whoever comes last writes for all, and wakes them at once.
fn wake_after_each_group(bare: &Bare) -> Done<Duration> {
    let (arrived, written) = (AtomicUsize::new(0), AtomicU32::new(0));
    together(WRITERS, || {
        let group = written.load(Ordering::Acquire);
        if (arrived.fetch_add(1, Ordering::AcqRel) + 1).is_multiple_of(WRITERS) {
            bare.write(group as usize, &[b'x'; RECORD * WRITERS])?;
            written.fetch_add(1, Ordering::AcqRel);
            futex::wake(&written, futex::Flags::PRIVATE, u32::MAX >> 1)?;
        }
        while written.load(Ordering::Acquire) == group {
            let _ = futex::wait(&written, futex::Flags::PRIVATE, group, None);
        }
        Ok::<_, std::io::Error>(())
    })
}

/// A file as large as a segment, written and durable, to be written over.
struct Bare(File);

impl Bare {
    const BYTES: usize = 1 << 20;

    fn new(folder: &Path) -> Done<Bare> {
        let file = File::create(folder.join("bare"))?;
        file.write_all_at(&vec![0; Bare::BYTES], 0)?;
        file.sync_all()?;
        Ok(Bare(file))
    }

    fn write(&self, nth: usize, bytes: &[u8]) -> std::io::Result<()> {
        let places = Bare::BYTES / bytes.len();
        self.0.write_all_at(bytes, (nth % places * bytes.len()) as u64)?;
        self.0.sync_data()
    }
}

struct Times {
    median: u128,
    late: u128,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Times {
        times.sort_unstable();
        let at = |hundredths: usize| times[times.len() * hundredths / 100].as_micros();
        Times { median: at(50), late: at(99) }
    }
}

fn ratio(ours: u128, theirs: u128) -> f64 {
    ours as f64 / theirs.max(1) as f64
}

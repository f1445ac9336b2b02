//! What a durable record costs here, beside what the disk costs alone: `cargo xtask bench --journal`.
//!
//! `measure DIRECTORY`: files are made below the directory, which decides which disk is measured.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use waxcell_journal::{Entry, Journal, Mark, Pending, SharedJournal, SpanId};

type Done<T = ()> = Result<T, Box<dyn Error>>;

/// A record and what belongs to it, about.
const RECORD: usize = 700;
const PAIRS: usize = 2000;
const WRITERS: usize = 256;
const ROUNDS: usize = 40;

fn main() -> Done {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: measure DIRECTORY")?);
    single(&folder)?;
    many(&folder)
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

/// Many writers at once, against as many records in one write and one `fdatasync`.
fn many(folder: &Path) -> Done {
    let bare = Bare::new(folder)?;
    let group = vec![b'x'; RECORD * WRITERS];
    let shared = SharedJournal::new(Journal::open(&folder.join("many"))?)?;
    let (mut ideal, mut ours) = (Duration::ZERO, Duration::ZERO);
    for round in 0..4 {
        let started = Instant::now();
        for nth in 0..ROUNDS / 4 {
            bare.write(nth + round, &group)?;
        }
        ideal += started.elapsed();
        ours += thread::scope(|scope| {
            let started = Instant::now();
            let writers: Vec<_> = (0..WRITERS)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..ROUNDS / 4 {
                            let payload = Box::new(|_| vec![b'x'; RECORD]);
                            let pending = Pending { mark: Mark::None, span: SpanId::NONE, payload };
                            if let Err(error) = shared.append(pending) {
                                return Some(error);
                            }
                        }
                        None
                    })
                })
                .collect();
            let failed = writers.into_iter().find_map(|writer| writer.join().ok().flatten());
            failed.map_or(Ok(started.elapsed()), |error| Err(Box::<dyn Error>::from(error)))
        })?;
    }
    let rate = |time: Duration| (WRITERS * ROUNDS) as f64 / time.as_secs_f64();
    println!(
        "\n{WRITERS} writers: {:.0} records/s; as many in one write and one `fdatasync`: {:.0} records/s; {:.2} of it.",
        rate(ours),
        rate(ideal),
        rate(ours) / rate(ideal)
    );
    Ok(())
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

    fn write(&self, nth: usize, bytes: &[u8]) -> Done {
        let places = Bare::BYTES / bytes.len();
        self.0.write_all_at(bytes, (nth % places * bytes.len()) as u64)?;
        Ok(self.0.sync_data()?)
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

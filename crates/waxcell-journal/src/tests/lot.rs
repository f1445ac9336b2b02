//! Journals whose lives are drawn by lot: runs that begin and end, groups, long records, values kept apart and erased, new
//! keys, new segments, several processes; some are cut off by a fault at any call. None is called wrong, and what had a
//! receipt is there.
//!
//! `WAXCELL_LOT=1000 cargo test --release -p waxcell-journal --lib lot` draws as many of each; without it there are a few.

use std::fs;
use std::path::Path;

use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::tlog::VerifierKey;
use crate::{
    Demands, Disclosures, Entry, Journal, Log, LogError, Mark, Objects, Publisher, ReadError, Reader,
    SEGMENT_BYTES, SpanId, digest_of, disclosure_of, evidence, verify,
};

const TIME: &str = "2026-11-28T12:00:00.000000Z";

/// How many are drawn of each kind.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how many")]
fn count() -> u64 {
    std::env::var("WAXCELL_LOT").ok().and_then(|count| count.parse().ok()).unwrap_or(25)
}

/// Numbers that are the same in every run (Knuth's multiplier).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn one_in(&mut self, most: usize) -> bool {
        self.below(most) == 0
    }

    fn name(&mut self) -> SpanId {
        let mut name = [0; 16];
        name.fill_with(|| self.below(256) as u8);
        SpanId::new(name)
    }
}

/// What has happened to a journal so far.
#[derive(Default)]
struct Life {
    /// The first key, as somebody noted it.
    key: Option<VerifierKey>,
    /// The records that have receipts.
    kept: Vec<Vec<u8>>,
    open: Vec<SpanId>,
    /// Values kept apart, with the names of their digests.
    apart: Vec<(SpanId, String)>,
}

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn record(index: u64, kind: &str, run: SpanId, more: &str) -> Vec<u8> {
    format!(r#"{{{more}"index":{index},"run":"{run}","type":"{kind}","v":1}}"#).into_bytes()
}

impl Life {
    /// Some steps, until one fails.
    fn go_on(&mut self, directory: &Path, steps: usize, chance: &mut Chance) -> Done {
        let mut publisher = Publisher::open(directory, "host")?;
        let mut journal = Journal::open(directory)?;
        if self.key.is_none() {
            self.key = Some(publisher.verifier()?);
        }
        for _ in 0..steps {
            match chance.below(16) {
                0 => {
                    publisher = Publisher::open(directory, "host")?;
                    journal = Journal::open(directory)?;
                }
                1 if chance.one_in(3) => self.rotate(&publisher, &mut journal)?,
                2 => drop(journal.prepare_next()),
                3 | 13 => self.group(&mut journal, chance)?,
                4 => self.long(&publisher, &mut journal, chance)?,
                5 => self.apart(directory, &mut journal, chance)?,
                6 => self.erase(directory, chance)?,
                7..=9 if !self.open.is_empty() => {
                    let run = self.open.swap_remove(chance.below(self.open.len()));
                    let done = self.append(&mut journal, Mark::Close, run, "finished", "");
                    // Whether it is on record is for whoever recovers to find out.
                    if done.is_err() {
                        self.open.push(run);
                    }
                    done?;
                }
                10..=12 => {
                    let run = chance.name();
                    let more = format!("\"a\":\"{}\",", "x".repeat(chance.below(3000)));
                    self.append(&mut journal, Mark::Open, run, "started", &more)?;
                    self.open.push(run);
                }
                _ => drop(publisher.publish(journal.next_index())?),
            }
        }
        Ok(())
    }

    fn append(&mut self, journal: &mut Journal, mark: Mark, run: SpanId, kind: &str, more: &str) -> Done {
        let mut bytes = Vec::new();
        journal.append_with(mark, run, |index| {
            bytes = record(index, kind, run, more);
            bytes.clone()
        })?;
        self.kept.push(bytes);
        Ok(())
    }

    /// Long ones, at times, so that a new segment begins.
    fn group(&mut self, journal: &mut Journal, chance: &mut Chance) -> Done {
        let length = if chance.one_in(2) { 15_000 } else { 100 };
        let more = format!("\"a\":\"{}\",", "y".repeat(length));
        let first = journal.durable()?;
        let records: Vec<_> = (first..first + 10 + chance.below(20) as u64)
            .map(|index| record(index, "refused", chance.name(), &more))
            .collect();
        let entry = |payload| Entry { mark: Mark::None, span: SpanId::NONE, payload };
        journal.append_all(&records.iter().map(|record| entry(record.as_slice())).collect::<Vec<_>>())?;
        self.kept.extend(records);
        Ok(())
    }

    fn long(&mut self, publisher: &Publisher, journal: &mut Journal, chance: &mut Chance) -> Done {
        let whole = vec![b'w'; 20_000 + chance.below(9)];
        let hash = Objects::of_log(publisher.folder()).put(&whole)?;
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let run = chance.name();
        let mut bytes = Vec::new();
        journal.append_with(Mark::None, SpanId::NONE, |index| {
            let end = format!("\"v\":1,\"whole\":{{\"bytes\":{},\"sha256\":\"{digits}\"}}", whole.len());
            bytes =
                String::from_utf8_lossy(&record(index, "refused", run, "")).replace("\"v\":1", &end).into();
            bytes.clone()
        })?;
        self.kept.push(bytes);
        Ok(())
    }

    fn apart(&mut self, directory: &Path, journal: &mut Journal, chance: &mut Chance) -> Done {
        let run = chance.name();
        let texts: Vec<_> =
            (0..3).map(|_| disclosure_of(format!("[\"{}\",1]", chance.name()).as_bytes())).collect();
        Disclosures::of_journal(directory).put(run, &texts)?;
        let digests: Vec<_> = texts.iter().map(|text| digest_of(text)).collect();
        let more = format!("\"_sd\":[\"{}\"],", digests.join("\",\""));
        self.append(journal, Mark::None, run, "refused", &more)?;
        self.apart.extend(digests.into_iter().map(|digest| (run, digest)));
        Ok(())
    }

    fn erase(&mut self, directory: &Path, chance: &mut Chance) -> Done {
        if !self.apart.is_empty() {
            let (run, digest) = self.apart.swap_remove(chance.below(self.apart.len()));
            assert_eq!(Disclosures::of_journal(directory).erase(run, &[digest])?, 1);
        }
        Ok(())
    }

    fn rotate(&mut self, publisher: &Publisher, journal: &mut Journal) -> Done {
        let before = journal.durable()?;
        publisher.rotate(journal, TIME)?;
        let reader = Reader::from_index(publisher.folder().parent().unwrap_or(Path::new("/")), before)?;
        self.kept.extend(reader.flatten().map(|record| record.payload));
        Ok(())
    }
}

/// All that is wrong with a journal, its log and what is kept apart, as `audit verify` looks at it; and whether that is
/// only a write that was never finished.
fn look(directory: &Path, key: Option<&VerifierKey>) -> (Vec<String>, bool) {
    let report = match verify(directory) {
        Ok(report) => report,
        Err(ReadError::NotAJournal(_)) => return (Vec::new(), true),
        Err(error) => return (vec![error.to_string()], false),
    };
    let mut faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    let mut torn = report.is_only_torn();
    let mut fault = |what: String| {
        torn = false;
        faults.push(what);
    };
    if let Some(path) = evidence(directory).unwrap() {
        fault(path.display().to_string());
    }
    for (file, line) in Disclosures::of_journal(directory).damaged().unwrap() {
        fault(format!("{file}, line {line}"));
    }
    let log = Log::at(&directory.join("tlog"));
    let Some(key) = key else { return (faults, torn) };
    match log.checkpoint(std::slice::from_ref(key)) {
        Ok(signed) => {
            let size = signed.checkpoint.size();
            if size > report.signed {
                fault(format!("the checkpoint signs {size} records, the head {}", report.signed));
            }
            let demands =
                Demands { signed: &signed, against: None, since: 0, records: true, progress: &mut |_| {} };
            log.verify(demands).unwrap().faults.iter().for_each(|found| fault(found.to_string()));
        }
        Err(LogError::NoLog(_)) => {}
        Err(error) => fault(error.to_string()),
    }
    (faults, torn)
}

#[test]
fn no_clean_journal_is_called_wrong() {
    let mut chance = Chance(0x5eed);
    let mut segments = 0;
    for nth in 0..count() {
        let home = scratch();
        let directory = home.path().join("journal");
        let mut life = Life::default();
        let steps = 5 + chance.below(60);
        life.go_on(&directory, steps, &mut chance).unwrap_or_else(|error| panic!("journal {nth}: {error}"));
        assert_eq!(look(&directory, life.key.as_ref()).0, [""; 0], "journal {nth}");
        let read: Vec<_> = Reader::open(&directory).unwrap().map(|record| record.unwrap().payload).collect();
        assert_eq!(read.len(), life.kept.len(), "journal {nth}");
        assert!(read == life.kept, "journal {nth}");
        segments += verify(&directory).unwrap().segments;
    }
    assert!(segments > count(), "{segments}: some have several");
}

#[test]
fn no_journal_that_was_cut_off_is_called_wrong_and_none_loses_what_was_acknowledged() {
    let mut chance = Chance(0xc0a5);
    let (mut cut, mut torn_before) = (0, 0);
    while cut < count() {
        let home = scratch();
        let directory = home.path().join("journal");
        let mut life = Life::default();
        let manner = [Manner::Lost, Manner::Half, Manner::Done][chance.below(3)];
        let errno = [5, 28][chance.below(2)];
        let plan = Plan { after: chance.below(300), manner, errno, then_dead: true };
        let steps = 5 + chance.below(60);
        let (_, struck) = under(plan, || life.go_on(&directory, steps, &mut chance));
        if !struck {
            continue;
        }
        cut += 1;
        let (faults, torn) = look(&directory, life.key.as_ref());
        assert!(faults.is_empty() || torn, "{plan:?}: before recovery: {faults:?}");
        torn_before += u64::from(!faults.is_empty());

        // As a run does: what is torn is cleared and goes on record, runs that nobody watches are closed, all is signed.
        let publisher = Publisher::open(&directory, "host").unwrap();
        let mut journal = Journal::open(&directory).unwrap();
        let recovered = journal.take_recovered().len();
        let key = life.key.take().unwrap_or_else(|| publisher.verifier().unwrap());
        for span in journal.open_spans().unwrap() {
            journal
                .append_with(Mark::Close, span.span, |index| record(index, "lost", span.span, ""))
                .unwrap_or_else(|error| panic!("{plan:?}, {recovered}: {error}"));
        }
        publisher.publish(journal.next_index()).unwrap();
        assert_eq!(look(&directory, Some(&key)).0, [""; 0], "{plan:?}: after recovery");
        let report = verify(&directory).unwrap();
        assert_eq!((report.signed, report.open.len()), (report.records, 0), "{plan:?}");
        let mut read = Reader::open(&directory).unwrap().map(|record| record.unwrap().payload);
        for kept in &life.kept {
            assert!(
                read.any(|payload| payload == *kept),
                "{plan:?}: what was acknowledged is there, in order"
            );
        }
        for (span, digest) in &life.apart {
            let there = Disclosures::of_journal(&directory).of(*span).unwrap().texts;
            assert!(there.contains_key(digest), "{plan:?}: what was kept apart is there");
        }
        // And it goes on as if nothing had been.
        let mut life = Life { key: Some(key), ..Life::default() };
        life.go_on(&directory, 10, &mut chance).unwrap_or_else(|error| panic!("{plan:?}: {error}"));
        assert_eq!(look(&directory, life.key.as_ref()).0, [""; 0], "{plan:?}: later");
        assert_eq!(fs::metadata(directory.join("00000000.log")).unwrap().len(), SEGMENT_BYTES as u64);
    }
    assert!(torn_before > 0 || count() < 100, "some were torn");
}

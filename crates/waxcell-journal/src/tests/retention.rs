//! Old records: packed, taken away, and still proved.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{scratch, segment_file};
use crate::chain::hex;
use crate::disk::faults::{Manner, Plan, under};
use crate::publish::PublishError;
use crate::tlog::{Kind, Policy, Tile, leaf_hash};
use crate::{
    ARCHIVE, Archive, Demands, Entry, FaultKind, History, Journal, Log, LogFaultKind, LogReport, Mark,
    Objects, Publisher, Reader, Retention, RetentionError, SpanId, Stays, verify,
};

/// So many fill more than two segments.
const MANY: u64 = 800;

struct Place {
    home: tempfile::TempDir,
    publisher: Publisher,
    journal: Journal,
    /// All payloads, in order.
    kept: Vec<Vec<u8>>,
}

fn run(index: u64) -> SpanId {
    SpanId::new(u128::from(index / 2 + 1).to_be_bytes())
}

fn record(index: u64) -> (Mark, Vec<u8>) {
    let (mark, kind) =
        if index.is_multiple_of(2) { (Mark::Open, "started") } else { (Mark::Close, "finished") };
    let (run, pad) = (run(index), "all work and no play ".repeat(150));
    let time = format!("2026-11-{:02}T00:00:00.000000Z", index / 100 + 1);
    let text =
        format!(r#"{{"index":{index},"pad":"{pad}","run":"{run}","time":"{time}","type":"{kind}","v":1}}"#);
    (mark, text.into_bytes())
}

impl Place {
    fn new() -> Place {
        let home = scratch();
        let directory = home.path().join("journal");
        let publisher = Publisher::open(&directory, "host").unwrap();
        let journal = Journal::open(&directory).unwrap();
        Place { home, publisher, journal, kept: Vec::new() }
    }

    fn with(records: u64) -> Place {
        let mut place = Place::new();
        place.grow(records);
        place
    }

    /// Another one that has the same files.
    fn copy(&self) -> Place {
        let home = scratch();
        copy(&self.path(), &home.path().join("journal"));
        let directory = home.path().join("journal");
        let publisher = Publisher::open(&directory, "host").unwrap();
        let journal = Journal::open(&directory).unwrap();
        Place { home, publisher, journal, kept: self.kept.clone() }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("journal")
    }

    fn append(&mut self, mark: Mark, span: SpanId, payload: Vec<u8>) {
        let receipt = self.journal.append(Entry { mark, span, payload: &payload }).unwrap();
        assert_eq!(receipt.index(), self.kept.len() as u64);
        self.kept.push(payload);
    }

    fn grow(&mut self, records: u64) {
        while (self.kept.len() as u64) < records {
            let index = self.kept.len() as u64;
            let (mark, payload) = record(index);
            self.append(mark, run(index), payload);
        }
        self.publish();
    }

    fn publish(&mut self) {
        self.publisher.publish(self.journal.durable().unwrap()).unwrap();
    }

    /// A record that belongs to no run.
    fn note(&mut self, kind: &str, fields: &str) {
        let (index, run) = (self.kept.len(), SpanId::NONE);
        let text = format!(r#"{{{fields},"index":{index},"run":"{run}","type":"{kind}","v":1}}"#);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        self.append(Mark::None, run, crate::tlog::to_canonical(&value).unwrap());
    }

    fn retention(&self) -> Retention {
        Retention::begin(&self.path(), None).unwrap()
    }

    fn archive(&mut self, before: Option<&str>) {
        while let Some(made) = self.retention().pack(before).unwrap() {
            let (first, last, hash) = (made.first, made.last, hex(&made.hash()));
            self.note("archive", &format!(r#""first":{first},"last":{last},"manifest":"{hash}""#));
        }
        self.publish();
    }

    fn prune(&mut self, before: Option<&str>) -> u64 {
        let open = self.journal.open_spans().unwrap();
        let retention = self.retention();
        let found = retention.prunable(before, &open, None).unwrap();
        retention.check(found.before).unwrap();
        drop(retention);
        self.note("prune", &format!(r#""before":{}"#, found.before));
        self.publish();
        self.retention().take_away().unwrap()
    }

    fn log(&self) -> Log {
        Log::at(self.publisher.folder())
    }

    fn report(&self, log: &Log) -> LogReport {
        let signed = log.checkpoint(&[self.publisher.verifier().unwrap()]).unwrap();
        let demands =
            Demands { signed: &signed, against: None, since: 0, records: true, progress: &mut |_| {} };
        log.verify(demands).unwrap()
    }

    fn archives(&self) -> Archive {
        Archive::at(&self.path().join(ARCHIVE))
    }

    /// The one check of everything, after each step: nothing is lost, and all of it is proved.
    #[track_caller]
    fn check(&self) {
        let report = verify(&self.path()).unwrap();
        assert_eq!(report.faults, []);
        assert_eq!(report.next, self.kept.len() as u64);
        let full = self.report(&self.log().with_archive(self.archives()));
        assert_eq!((full.faults, full.absent), (vec![], 0));
        let here = self.report(&self.log());
        assert_eq!(here.faults, []);
        assert_eq!(here.absent, full.archived);
        let history = History::from_index(&self.path(), &self.archives(), 0).unwrap();
        let all: Vec<_> = history.map(Result::unwrap).collect();
        assert_eq!(all.len(), self.kept.len());
        for (index, (record, payload)) in (0..).zip(all.iter().zip(&self.kept)) {
            assert_eq!((record.index, &record.payload), (index, payload));
        }
    }
}

/// What [`Place::check`] looks at first, for where it is done often.
#[track_caller]
fn sound(place: &Place) {
    assert_eq!(verify(&place.path()).unwrap().faults, []);
    let full = place.report(&place.log().with_archive(place.archives()));
    assert_eq!((full.faults, full.absent), (vec![], 0));
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

fn segments(journal: &Path) -> Vec<String> {
    let names = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".log"));
    names.sort();
    names
}

fn bundle(index: u64) -> String {
    Tile { level: 0, index, width: 256 }.path(Kind::Entries)
}

#[test]
fn what_is_archived_and_taken_away_is_proved_all_the_same() {
    let mut place = Place::with(MANY);
    let before = segments(&place.path()).len();
    assert!(before > 2, "{before}");
    place.archive(None);
    place.check();
    let packed = fs::metadata(place.path().join("archive/000000000000-000000000767.zst")).unwrap().len();
    assert!(packed * 5 < 768 * 3000, "{packed} bytes");
    assert_eq!(place.prune(None), 768);
    place.check();
    assert!(segments(&place.path()).len() < before);
    assert!((0..3).all(|index| !place.publisher.folder().join(bundle(index)).exists()));

    // A proof is made from the archive, and checked by whoever has the key.
    let log = place.log().with_archive(place.archives());
    let key = place.publisher.verifier().unwrap();
    let signed = log.checkpoint(std::slice::from_ref(&key)).unwrap();
    for index in [0, 255, 256, 767, MANY] {
        let proof = log.prove(index, &signed).unwrap();
        let record = proof.extra.clone().unwrap();
        assert_eq!(record, place.kept[index as usize]);
        proof.verify(&leaf_hash(&record), &Policy::of_logs(std::slice::from_ref(&key))).unwrap();
    }
    let away = place.log().prove(7, &signed).unwrap_err();
    assert_eq!(away.to_string(), "record 7 lies in an archive, which is not here");

    // It goes on, for whoever has it open, and whoever opens it.
    place.grow(MANY + 100);
    place.journal = Journal::open(&place.path()).unwrap();
    place.grow(2 * MANY);
    place.archive(None);
    place.check();
    assert_eq!(place.prune(None), 1536);
    place.check();
    assert_eq!(
        Reader::open(&place.path()).unwrap().next().unwrap().unwrap().index,
        verify(&place.path()).unwrap().first
    );
    // Once more changes nothing.
    assert_eq!(place.retention().take_away().unwrap(), 1536);
    place.check();
}

#[test]
fn only_what_is_old_is_packed_and_nothing_goes_that_is_needed() {
    let mut place = Place::with(1024);
    let found = |place: &mut Place, before, cosigned| {
        let open = place.journal.open_spans().unwrap();
        let found = place.retention().prunable(before, &open, cosigned).unwrap();
        (found.before, found.stays)
    };
    assert_eq!(found(&mut place, None, None), (0, Some(Stays::NotArchived(0))));
    // Record 600 is of the 7th, so bundle 2 (512 to 767) is not all before that.
    place.archive(Some("2026-11-07T00:00:00.000000Z"));
    assert!(place.path().join("archive/000000000000-000000000511.json").exists());
    place.check();
    assert_eq!(found(&mut place, None, None), (512, None));
    let asked = Some("2026-11-09T00:00:00.000000Z");
    assert_eq!(found(&mut place, asked, None), (512, Some(Stays::NotArchived(512))));
    assert_eq!(found(&mut place, Some("2026-11-04"), None), (256, None));
    assert_eq!(found(&mut place, None, Some(300)), (256, Some(Stays::NotCosigned(256))));
    assert_eq!(found(&mut place, None, Some(0)), (0, Some(Stays::NotCosigned(0))));
    assert_eq!(found(&mut place, Some("1990"), None), (0, None));

    // What is not decided, or not signed, does not go.
    assert_eq!(place.retention().take_away().unwrap(), 0);
    place.note("prune", r#""before":256"#);
    let unsigned = place.retention().take_away();
    assert!(matches!(unsigned, Err(RetentionError::Undecided { before: 256 })), "{unsigned:?}");
    place.check();
    assert!(place.publisher.folder().join(bundle(0)).exists());

    // The archive is made once, also where its maker died before it was recorded.
    let lost = place.retention().pack(None).unwrap().unwrap();
    assert_eq!((lost.first, lost.last), (512, 1023));
    assert_eq!(place.retention().unrecorded().unwrap(), [lost]);
    assert_eq!(found(&mut place, None, None), (512, None));
}

#[test]
fn a_run_that_goes_on_keeps_its_records() {
    let mut place = Place::with(300);
    let (mark, payload) = (Mark::Open, record(300).1);
    place.append(mark, run(300), payload);
    while place.kept.len() < 1023 {
        let (index, pad) = (place.kept.len(), "x".repeat(900));
        let _ = index;
        place.note("other", &format!(r#""pad":"{pad}""#));
    }
    place.publish();
    place.archive(None);
    let open = place.journal.open_spans().unwrap();
    let found = place.retention().prunable(None, &open, None).unwrap();
    assert_eq!((found.before, found.stays), (256, Some(Stays::Open(300))));
    assert_eq!(place.prune(None), 256);
    let index = place.kept.len() as u64;
    let closing =
        String::from_utf8(record(301).1).unwrap().replace("\"index\":301", &format!("\"index\":{index}"));
    place.append(Mark::Close, run(300), closing.into_bytes());
    place.publish();
    place.check();
    assert_eq!(place.prune(None), 768);
    place.check();
}

#[test]
fn a_writer_that_slept_meanwhile_goes_on_at_the_end() {
    let mut place = Place::with(10);
    let mut sleeper = Journal::open(&place.path()).unwrap();
    sleeper.durable().unwrap();
    place.grow(MANY);
    place.archive(None);
    place.prune(None);
    assert!(!segment_file(&place.path(), 0).exists());
    let payload = String::from_utf8(record(2).1).unwrap();
    let index = place.kept.len();
    let payload = payload.replace("\"index\":2,", &format!("\"index\":{index},")).replace("started", "other");
    let receipt =
        sleeper.append(Entry { mark: Mark::None, span: run(2), payload: payload.as_bytes() }).unwrap();
    assert_eq!(receipt.index(), index as u64);
    place.kept.push(payload.into_bytes());
    place.publish();
    place.check();
}

#[test]
fn what_is_gone_without_a_decision_is_missing() {
    let mut place = Place::with(MANY);
    place.archive(None);
    let copy = |name: &str| fs::read(place.path().join(name)).unwrap();
    let first = copy("00000000.log");
    fs::remove_file(segment_file(&place.path(), 0)).unwrap();
    let faults = verify(&place.path()).unwrap().faults;
    assert_eq!(faults[0].kind, FaultKind::Missing);
    Journal::open(&place.path()).unwrap_err();
    // A decision that nobody signed is none.
    fs::write(segment_file(&place.path(), 0), &first).unwrap();
    place.journal = Journal::open(&place.path()).unwrap();
    place.note("prune", r#""before":768"#);
    fs::remove_file(segment_file(&place.path(), 0)).unwrap();
    assert_eq!(verify(&place.path()).unwrap().faults[0].kind, FaultKind::Missing);
    fs::write(segment_file(&place.path(), 0), &first).unwrap();
    place.check();
    place.publish();

    // The decision was about others.
    let mut place = Place::with(MANY);
    place.archive(Some("2026-11-07T00:00:00.000000Z"));
    assert_eq!(place.prune(None), 512);
    fs::remove_file(place.publisher.folder().join(bundle(2))).unwrap();
    let report = place.report(&place.log().with_archive(place.archives()));
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    assert_eq!(
        (report.faults[0].path.as_str(), &report.faults[0].kind),
        (bundle(2).as_str(), &LogFaultKind::Missing)
    );
    let now = segments(&place.path());
    fs::remove_file(place.path().join(&now[0])).unwrap();
    let report = verify(&place.path()).unwrap();
    assert!(report.faults.iter().any(|fault| fault.kind == FaultKind::Missing), "{:?}", report.faults);
    // A tile that lies about the records that are not here is seen.
    let mut place = Place::with(MANY);
    place.archive(None);
    place.prune(None);
    let tile = place.publisher.folder().join(Tile { level: 0, index: 0, width: 256 }.path(Kind::Hashes));
    let mut bytes = fs::read(&tile).unwrap();
    bytes[77] ^= 1;
    fs::write(&tile, bytes).unwrap();
    assert!(!place.report(&place.log()).is_sound());
    assert!(!place.report(&place.log().with_archive(place.archives())).is_sound());
}

#[test]
fn an_archive_that_was_changed_is_seen_and_does_no_harm() {
    let mut place = Place::with(600);
    place.archive(None);
    place.prune(None);
    place.check();
    let mut mutants = 0;
    for name in ["archive/000000000000-000000000511.json", "archive/000000000000-000000000511.zst"] {
        let path = place.path().join(name);
        let whole = fs::read(&path).unwrap();
        let mut see = |bytes: Option<&[u8]>, what: &str| {
            match bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let report = place.report(&place.log().with_archive(place.archives()));
            assert!(!report.is_sound() || report.absent == 512, "{name}, {what}");
            assert!(place.retention().check(512).is_ok() || place.retention().check(512).is_err());
            let _ = History::from_index(&place.path(), &place.archives(), 0).unwrap().count();
            mutants += 1;
        };
        for at in (0..whole.len()).step_by(1 + whole.len() / 25) {
            for bit in [1, 0x40] {
                let mut flipped = whole.clone();
                flipped[at] ^= bit;
                see(Some(&flipped), &format!("byte {at}"));
            }
            see(Some(&whole[..at]), &format!("cut at {at}"));
        }
        see(Some(&[&whole[..], b"more"].concat()), "more behind it");
        see(None, "gone");
        fs::write(&path, &whole).unwrap();
        place.check();
    }
    assert!(mutants > 140, "{mutants}");
}

#[test]
fn the_objects_of_records_go_with_them() {
    let mut place = Place::with(10);
    let objects = Objects::of_log(place.publisher.folder());
    let hash = objects.put(b"all of it").unwrap();
    let whole = format!(r#""whole":{{"bytes":9,"sha256":"{}"}}"#, hex(&hash));
    place.note("other", &whole);
    while place.kept.len() < 520 {
        place.note("other", r#""n":1"#);
    }
    place.publish();
    place.archive(None);
    place.prune(None);
    place.check();
    objects.get(&hash).unwrap_err();
    let mut history = History::from_index(&place.path(), &place.archives(), 10).unwrap();
    assert_eq!(history.next().unwrap().unwrap().object.as_deref(), Some(b"all of it".as_slice()));
}

#[test]
fn keys_that_were_followed_by_others_are_known_without_the_records() {
    let mut place = Place::with(300);
    place.publisher.rotate(&mut place.journal, "2026-11-28T12:00:00Z").unwrap();
    place.kept = Reader::open(&place.path()).unwrap().map(|record| record.unwrap().payload).collect();
    while place.kept.len() < 1000 {
        place.note("other", r#""n":1"#);
    }
    place.publish();
    let first = place.log().keys().unwrap()[0].clone();
    place.archive(None);
    assert_eq!(place.prune(None), 768);
    let signed = place.log().checkpoint(std::slice::from_ref(&first)).unwrap();
    assert_eq!(place.log().seals().unwrap().len(), 1);
    let log = place.log().with_archive(place.archives());
    let demands = Demands { signed: &signed, against: None, since: 0, records: true, progress: &mut |_| {} };
    let report = log.verify(demands).unwrap();
    assert_eq!((report.faults, report.absent), (vec![], 0));
    let proof = log.prove(5, &signed).unwrap();
    proof.verify(&leaf_hash(&place.kept[5]), &Policy::of_logs(&[first])).unwrap();
    assert!(matches!(place.publisher.publish(5), Ok(_) | Err(PublishError::Shrunk { .. })));
}

#[test]
fn a_fault_at_any_call_leaves_what_was_or_what_is_to_be() {
    let begun = Place::with(520);
    for manner in [Manner::Lost, Manner::Done] {
        for after in 0.. {
            let mut place = begun.copy();
            let plan = Plan { after, manner, errno: 28, then_dead: true };
            let (_, struck) = under(plan, || place.retention().pack(None));
            place.archive(None);
            let recorded = place.retention().unrecorded().unwrap();
            for made in &recorded {
                let (first, last, hash) = (made.first, made.last, hex(&made.hash()));
                place.note("archive", &format!(r#""first":{first},"last":{last},"manifest":"{hash}""#));
            }
            place.publish();
            let before = place.retention().prunable(None, &[], None).unwrap().before;
            assert_eq!(before, 512);
            place.note("prune", r#""before":512"#);
            place.publish();
            let (_, struck_too) = under(plan, || place.retention().take_away());
            sound(&place);
            place.journal = Journal::open(&place.path()).unwrap();
            place.grow(540);
            assert_eq!(place.retention().take_away().unwrap(), 512);
            sound(&place);
            if !struck && !struck_too {
                assert!(after > 3, "{after}");
                break;
            }
        }
    }
}

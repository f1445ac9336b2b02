//! A journal that real runs, changed keys, witnesses and erasures have made, and changes of its files drawn by lot: `audit
//! verify` and the calls that `waxcell-verify` makes see each of them, say the right kind, and never call it sound unless the
//! bytes say nothing.
//!
//! `WAXCELL_MUTANTS=10000 cargo test --release -p waxcell-cli --test mutants -- --nocapture` draws as many and tells how many
//! of which kind there were; without it there are a few. `WAXCELL_SEED` draws others.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands, and starts programs"
)]

mod mutant;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use mutant::{Chance, Mutant, Pristine};
use serde_json::Value;
use support::{Place, Said, say};
use waxcell_journal::tlog::{SignedCheckpoint, VerifierKey};
use waxcell_journal::{Demands, Entry, Journal, Log, Mark, SpanId};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n  blocked_operations: [delete]\n";

/// A witness that runs until this is dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    /// A witness in one place for the log of another; with its key and address.
    fn start(place: &Place, log: &Place) -> (Served, String, String) {
        let keys = log.journal().join("tlog/vkeys");
        let command = ["witness", "serve", "--listen", "127.0.0.1:0", "--log", keys.to_str().unwrap()];
        let started = place.waxcell(&command).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut served = Served(started.unwrap());
        let mut lines = BufReader::new(served.0.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        (served, line(), line())
    }
}

/// The journal, and what somebody noted about it.
struct Made {
    place: Place,
    key: VerifierKey,
    /// With the key and the witness.
    trust: PathBuf,
    kept: PathBuf,
    pristine: Pristine,
    older: Pristine,
}

fn done(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said:?}");
    said
}

impl Made {
    fn new() -> Made {
        let (place, other) = (Place::new(POLICY), Place::new(POLICY));
        place.write("data/x", "");
        let waxcell = |words: &[&str]| done(say(&mut place.waxcell(words)));
        let run = |text: &str| {
            place.write("script.py", text);
            waxcell(&["run", "script.py", "--", "--name", "somebody", "--token", "abcdefgh"]);
        };
        run("print(1)");
        let key = waxcell(&["audit", "key"]).out().trim().to_owned();
        let (served, witness, url) = Served::start(&other, &place);
        let set = |witness: &str, url: &str| {
            let asked = place.write("asked.policy", format!("witness w {witness} {url}\nquorum w\n"));
            waxcell(&["audit", "witness", "set", asked.to_str().unwrap()]);
        };
        set(&witness, &url);
        // One is refused, and the next is too long for a record.
        place.write("refused.py", "import ctypes\nctypes.CDLL(None).unlink(b'x')");
        say(&mut place.waxcell(&["run", "--fail-on", "low", "refused.py"]));
        run(
            "import os\nfor n in range(400):\n    open(f'data/a-name-that-is-somewhat-long-{n}', 'w').close()\n    try: os.unlink(f'data/a-name-that-is-somewhat-long-{n}')\n    except OSError: pass",
        );
        let older = Pristine::of(&place.journal());
        waxcell(&["audit", "key", "--rotate"]);
        run("try: open('/etc/shadow')\nexcept OSError: pass");
        fill(&place);
        waxcell(&["audit", "key", "--rotate"]);
        run("print(2)");
        let first = place.records()[0]["run"].as_str().unwrap().to_owned();
        waxcell(&["audit", "redact", &first, "--field", "args.1", "--reason", "asked for"]);
        // A witness has to be told the later keys.
        drop(served);
        let (served, witness, url) = Served::start(&other, &place);
        set(&witness, &url);
        let kept = place.root().join("kept");
        fs::copy(place.journal().join("tlog/checkpoint"), &kept).unwrap();
        run("print(3)");
        drop(served);
        let trust = place.write("trust.policy", format!("log {key}\nwitness w {witness}\nquorum w\n"));
        let pristine = Pristine::of(&place.journal());
        let has = |name: &str| pristine.files.keys().any(|path| path.starts_with(name));
        for name in [
            "00000001.log",
            "tlog/objects",
            "tlog/seals/2",
            "tlog/tile/entries/000",
            "disclosures",
            "cosigned",
        ] {
            assert!(has(name), "{name}: {:?}", pristine.files.keys());
        }
        Made { key: key.parse().unwrap(), trust, kept, pristine, older, place }
    }

    /// What `audit verify` says, by its exit code and in full.
    fn said(&self) -> (Said, Value) {
        let mut command = self.place.waxcell(&["--json", "audit", "verify", "--complete", "--trust"]);
        let said = say(command.arg(&self.trust).arg("--against").arg(&self.kept));
        let value = serde_json::from_slice(&said.out).unwrap_or_default();
        (said, value)
    }

    /// Whether the calls that `waxcell-verify` makes find it sound.
    fn is_sound_alone(&self) -> bool {
        let journal = self.place.journal();
        let Ok(report) = waxcell_journal::verify(&journal) else { return false };
        let log = Log::at(&journal.join("tlog"));
        let keys = std::slice::from_ref(&self.key);
        let (Ok(signed), Ok(keys)) = (log.checkpoint(keys), log.successors(keys)) else { return false };
        let kept = SignedCheckpoint::open(&fs::read(&self.kept).unwrap(), &keys, &[]);
        let Ok(kept) = kept else { return false };
        let against = Some(&kept.checkpoint);
        let demands = Demands { signed: &signed, against, since: 0, records: true, progress: &mut |_| {} };
        let Ok(log) = log.verify(demands) else { return false };
        log.is_sound() && report.is_sound() && report.behind(log.records).is_none()
    }
}

/// Records enough for a second segment and a second tile.
fn fill(place: &Place) {
    let mut journal = Journal::open(&place.journal()).unwrap();
    for name in 0..300_u32 {
        let record = |index: u64| {
            let (more, run) = ("x".repeat(3900), format!("{:032x}", u128::from(name) + (1 << 100)));
            format!(r#"{{"cause":"{more}","index":{index},"run":"{run}","type":"refused","v":1}}"#)
        };
        let payload = record(journal.durable().unwrap());
        let entry = Entry { mark: Mark::None, span: SpanId::NONE, payload: payload.as_bytes() };
        journal.append(entry).unwrap();
    }
}

/// Files that say nothing about what is on record: locks, segments made ahead, what signs and asks next, and the keys that
/// lie beside, where others are named.
fn says_nothing(path: &Path) -> bool {
    let name = path.to_str().unwrap();
    let names = ["lock", "publish.lock", "witness.lock", "key", "witnesses", "witnesses.within", "cosigned"];
    names.contains(&name) || name.starts_with("spare-") || name == "tlog/vkeys"
}

/// The whole lines of a file of values that are kept apart; those that begin with a zero were overwritten.
fn values(bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| line.ends_with(b"\n") && line[0] != 0).map(<[u8]>::to_vec).collect()
}

/// A note without what its witnesses signed, which is demanded of the newest checkpoint alone.
fn without_witnesses(note: &[u8], key: &VerifierKey) -> Option<String> {
    let name = key.to_string();
    let name = name.split('+').next()?;
    let own = format!("\u{2014} {name} ");
    let text = std::str::from_utf8(note).ok()?;
    let (body, signatures) = text.split_once("\n\n")?;
    let mut own: Vec<_> = signatures.lines().filter(|line| line.starts_with(&own)).collect();
    own.dedup();
    Some(format!("{body}\n\n{}", own.concat()))
}

/// What a note says, and its signatures, in an order that is always the same.
fn lines(note: &[u8]) -> Option<(&str, Vec<&str>)> {
    let (body, signatures) = std::str::from_utf8(note).ok()?.split_once("\n\n")?;
    let mut signatures: Vec<_> = signatures.split('\n').collect();
    signatures.sort_unstable();
    Some((body, signatures))
}

/// Why this change need not be seen, if it need not.
fn excuse(made: &Made, mutant: &Mutant, erased: bool, demanded: bool) -> Option<&'static str> {
    let path = &mutant.path;
    if says_nothing(path) {
        return Some("a file that says nothing about the record");
    }
    let place = made.place.journal().join(path);
    let is_file = fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_file());
    let now = if is_file { fs::read(place).unwrap() } else { Vec::new() };
    let before = made.pristine.files.get(path);
    if path.starts_with("disclosures") {
        let same = before.is_some_and(|before| values(before) == values(&now));
        return (erased || same || !demanded).then_some("values are told as erased, or are the same");
    }
    if path.ends_with("checkpoint") && before.is_some_and(|before| lines(before) == lines(&now)) {
        return Some("the same signatures in another order");
    }
    let note = path.starts_with("tlog/seals") || (!demanded && path.ends_with("checkpoint"));
    let signed = |bytes: &[u8]| without_witnesses(bytes, &made.key);
    let same =
        note && before.is_some_and(|before| signed(before).is_some() && signed(before) == signed(&now));
    same.then_some("the lines of witnesses under what is signed all the same")
}

#[test]
fn every_change_is_seen() {
    let count = std::env::var("WAXCELL_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(30);
    let made = Made::new();
    let (said, base) = made.said();
    assert_eq!((said.code, made.is_sound_alone()), (0, true), "{said:?}");
    let seed = std::env::var("WAXCELL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed);
    let mut chance = Chance(seed);
    let mut kinds: BTreeMap<(i32, &str), u64> = BTreeMap::new();
    let mut nth = 0;
    let mut wrong = Vec::new();
    while nth < count {
        let Some(mutant) = made.pristine.mutate(&made.older, &mut chance) else {
            made.pristine.restore(Path::new(""));
            continue;
        };
        nth += 1;
        let (said, told) = made.said();
        let erased = told["erased"] != base["erased"];
        let what = format!("mutant {nth}: {mutant:?}: {said:?}");
        let excused = excuse(&made, &mutant, erased, true);
        if said.code == 0 && excused.is_none() {
            wrong.push(what.clone());
        }
        if made.is_sound_alone() && excuse(&made, &mutant, erased, false).is_none() {
            wrong.push(format!("seen by `audit verify` alone: {what}"));
        }
        if !is_truthful(said.code, &mutant, &told) {
            wrong.push(format!("of another kind: {what}"));
        }
        *kinds.entry((said.code, if said.code == 0 { excused.unwrap_or("?") } else { "" })).or_default() += 1;
        made.pristine.restore(&mutant.path);
    }
    for ((code, why), times) in &kinds {
        println!("exit code {code}: {times} {why}");
    }
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    let (said, _) = made.said();
    assert_eq!(said.code, 0, "control: all is as it was: {said:?}");
    let seen: u64 = kinds.iter().filter(|((code, _), _)| *code == 1).map(|(_, times)| times).sum();
    assert!(seen * 2 > count, "most of them are of what says something");
}

/// Whether the exit code is one that this change may have: what could not be checked cannot be read, and what is unfinished
/// looks as if a crash had left it.
fn is_truthful(code: i32, mutant: &Mutant, told: &Value) -> bool {
    let no_file = ["a folder", "a link to a device", "a FIFO"].contains(&&*mutant.how);
    let faults = told["faults"].as_array().map(Vec::as_slice).unwrap_or_default();
    let torn = |fault: &Value| {
        fault.as_str().is_some_and(|fault| fault.contains("never finished") || fault.contains("unfinished"))
    };
    match code {
        0 | 1 => true,
        2 => !faults.is_empty() && faults.iter().all(torn),
        // In an older copy no key leads to the one that signed what was kept.
        3 => no_file || mutant.how == "as it was before",
        _ => false,
    }
}

//! The auditor's program: who has to have signed, which heartbeats are missing, and which values a proof shows.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands, and starts the program under test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use waxcell_journal::{
    Entry, Journal, Log, Mark, Patience, Proven, Publisher, SpanId, Witness, Witnesses, digest_of,
    disclosure_of,
};

const NOW: u64 = 1_790_000_000;

/// A log with these records, cosigned by a witness at a time; its folder, its key and that of the witness.
struct Watched {
    home: tempfile::TempDir,
    key: String,
    witness: String,
}

impl Watched {
    fn new(records: &[String], time: u64) -> Watched {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("journal");
        let publisher = Publisher::open(&place, "host").unwrap();
        let mut journal = Journal::open(&place).unwrap();
        for record in records {
            let entry = Entry { mark: Mark::None, span: SpanId::NONE, payload: record.as_bytes() };
            journal.append(entry).unwrap();
        }
        publisher.publish(records.len() as u64).unwrap();
        let key = publisher.verifier().unwrap();
        let witness = Witness::open(&home.path().join("w"), None, "w", vec![key.clone()]).unwrap();
        let policy = format!("witness w {} http://192.0.2.1\nquorum w\n", witness.verifier());
        Witnesses::new(policy.as_bytes(), None).unwrap().set(&place).unwrap();
        let patience = Patience { longest: Duration::from_secs(1), insists: true };
        let mut asking = publisher.ask(patience).unwrap().unwrap();
        let (step, one) = (asking.newest(), asking.open().remove(0));
        let body = asking.submission(step, 0).unwrap().to_string();
        let line = witness.add_checkpoint(body.as_bytes(), time).outcome.unwrap();
        assert!(asking.take(step, &one, &line.to_string()));
        asking.finish().unwrap();
        Watched { key: key.to_string(), witness: witness.verifier().to_string(), home }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("journal/tlog")
    }

    /// Exit code, and all that is said.
    fn verify(&self, options: &[&str], what: &Path) -> (i32, String) {
        // Not by the variable that cargo sets, whose name has a hyphen: shells on the way lose it. Cargo has tests in a
        // folder of their own; who copied them has not.
        let tests = std::env::current_exe().unwrap();
        let mut places = tests.ancestors().skip(1).map(|folder| folder.join("waxcell-verify"));
        let mut command =
            Command::new(places.find(|place| place.exists()).expect("`waxcell-verify` was built"));
        let output = command.args(options).arg(what).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }
}

fn heartbeat(index: u64, state: &str, seconds: u64) -> String {
    let every = if state == "end" { "null" } else { "10000000" };
    let minute = format!("{:02}:{:02}", seconds / 60, seconds % 60);
    // 1790000000 is 14:13:20 of that day.
    format!(
        r#"{{"actor":{{"boot":"b"}},"every_us":{every},"index":{index},"run":"","since_boot_us":{seconds}000000,"state":"{state}","time":"2026-09-21T14:{minute}Z","type":"heartbeat","v":1}}"#
    )
}

#[test]
fn a_quorum_is_demanded_of_logs_and_proofs() {
    let watched = Watched::new(&[heartbeat(0, "once", 780)], NOW);
    let policy = |name: &str, text: String| watched.file(name, text).display().to_string();
    let (key, witness) = (&watched.key, &watched.witness);
    let stranger = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    let right = policy("right", format!("log {key}\nwitness w {witness}\nquorum w\n"));
    let keyless = policy("keyless", format!("witness w {witness}\nquorum w\n"));
    let lacking = policy("lacking", format!("log {key}\nwitness w {stranger}\nquorum w\n"));
    let log = Log::at(&watched.log());
    let proof = log.prove(0, &log.checkpoint(&log.keys().unwrap()).unwrap()).unwrap();
    let proof = watched.file("proof", proof.to_string());
    for what in [watched.log(), watched.home.path().join("journal"), proof] {
        let (code, said) = watched.verify(&["--trust", &right], &what);
        assert!(code == 0 && said.contains("cosigned 1 of 1"), "{what:?}: {said}");
        let (code, said) = watched.verify(&["--trust", &keyless, "--key", key], &what);
        assert!(code == 0 && said.contains("cosigned 1 of 1"), "{what:?}: {said}");
        let (code, said) = watched.verify(&["--trust", &lacking], &what);
        assert!(code == 1 && said.contains("0 of the 1 witnesses"), "{what:?}: {said}");
        assert_eq!(watched.verify(&["--key", key], &what).0, 0);
        for unusable in [&["--trust", &keyless][..], &["--trust", "nowhere"], &["--key", "nonsense"], &[]] {
            assert_eq!(watched.verify(unusable, &what).0, 3, "{what:?} {unusable:?}");
        }
    }
}

#[test]
fn a_missing_heartbeat_is_incomplete() {
    let trusted = |watched: &Watched| {
        let text = format!("log {}\nwitness w {}\nquorum w\n", watched.key, watched.witness);
        watched.verify(&["--trust", &watched.file("trust", text).display().to_string()], &watched.log())
    };
    let begin = heartbeat(0, "begin", 780);
    let kept = Watched::new(&[begin.clone(), heartbeat(1, "end", 790)], NOW + 9000);
    assert_eq!(trusted(&kept).0, 0);
    let gap = Watched::new(&[begin.clone(), heartbeat(1, "end", 820)], NOW);
    let (code, said) = trusted(&gap);
    assert!(code == 2 && said.contains("from record 0 (2026-09-21T14:13:00Z) to record 1"), "{said}");
    // The time that the witnesses have put into the checkpoint is that until which there was none.
    let on = Watched::new(std::slice::from_ref(&begin), NOW - 10);
    assert_eq!(trusted(&on).0, 0);
    let over = Watched::new(&[begin], NOW);
    let (code, said) = trusted(&over);
    assert!(code == 2 && said.contains("no heartbeat since record 0"), "{said}");
    assert_eq!(over.verify(&["--key", &over.key], &over.log()).0, 0, "nobody knows what time it was");
}

#[test]
fn a_proof_shows_what_the_record_has_the_digest_of() {
    let (shown, other) = (disclosure_of(br#"["s","--bip"]"#), disclosure_of(br#"["s","--pib"]"#));
    let record =
        format!(r#"{{"args":[{{"...":"{}"}}],"index":0,"run":"","type":"x","v":1}}"#, digest_of(&shown));
    let watched = Watched::new(std::slice::from_ref(&record), NOW);
    let log = Log::at(&watched.log());
    let proof = log.prove(0, &log.checkpoint(&log.keys().unwrap()).unwrap()).unwrap();
    let check = |lines: &[&str]| {
        let mut proof = proof.clone();
        proof.extra = Some(Proven::extra(record.as_bytes(), lines));
        watched.verify(&["--key", &watched.key], &watched.file("proof", proof.to_string()))
    };
    let (code, said) = check(&[]);
    assert!(code == 0 && !said.contains("disclosed"), "{said}");
    let (code, said) = check(&[&shown]);
    assert!(code == 0 && said.contains("disclosed: args.0 is \"--bip\""), "{said}");
    for wrong in [&[other.as_str()][..], &[&shown, &shown], &[&shown, ""]] {
        let (code, said) = check(wrong);
        assert!(code == 1 && said.contains("proves nothing") && !said.contains("disclosed:"), "{said}");
    }
}

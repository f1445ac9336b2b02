//! The key of a record in other hands: a signer as a process, also of another user; a recovery key; and another log in the
//! place of one that has lost something.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands, and starts programs"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Place, Said, say, types};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";
/// A user that is nobody here.
const STRANGER: u32 = 54_321;

/// A signer that runs until this is dropped.
struct Signer {
    child: Child,
    socket: PathBuf,
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Signer {
    fn start(place: &Place) -> Signer {
        Signer::of(place, &place.root(), None, &[])
    }

    /// With its state and socket in a folder, as a user.
    fn of(place: &Place, folder: &Path, uid: Option<u32>, more: &[&str]) -> Signer {
        let socket = folder.join("signer.sock");
        let state = folder.join("signer-state").display().to_string();
        let path = socket.display().to_string();
        let mut command =
            place.waxcell(&[&["--state", &state, "signer", "serve", "--socket", &path], more].concat());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid).current_dir("/");
        }
        let said = fs::OpenOptions::new().create(true).append(true).open(place.root().join("said")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(said).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.ends_with("signer.sock\n") {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "{}", said_by(place));
        }
        Signer { child, socket }
    }

    fn path(&self) -> &str {
        self.socket.to_str().unwrap()
    }

    fn ask(&self, order: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        let _ = stream.write_all(order);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }
}

fn said_by(place: &Place) -> String {
    fs::read_to_string(place.root().join("said")).unwrap_or_default()
}

fn audit(place: &Place, words: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["audit"], words].concat()))
}

#[track_caller]
fn done(place: &Place, words: &[&str]) -> String {
    let said = audit(place, words);
    assert_eq!(said.code, 0, "{words:?}: {said:?}");
    said.out()
}

/// A host with one run on record, and the key of then.
fn host() -> (Place, String) {
    let place = Place::new(POLICY);
    assert_eq!(place.run("print(1)").code, 0);
    let key = done(&place, &["key"]).trim().to_owned();
    (place, key)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn runs_are_signed_by_the_signer_and_go_on_without_it_unsigned() {
    let (place, first) = host();
    let signer = Signer::start(&place);
    assert_eq!(fs::metadata(&signer.socket).unwrap().permissions().mode() & 0o777, 0o600);
    let second = done(&place, &["key", "--signer", signer.path()]).trim().to_owned();
    assert!(!place.journal().join("key").exists());
    let said = place.run("print(2)");
    assert_eq!((said.code, said.err().as_str()), (0, ""), "{said:?}");
    done(&place, &["verify", "--complete", "--key", &first]);
    done(&place, &["key", "--rotate"]);
    assert_eq!(place.run("print(3)").code, 0);
    done(&place, &["verify", "--complete", "--key", &first]);
    done(&place, &["verify", "--complete", "--key", &second]);
    let export =
        audit(&place, &["export", "--format", "in-toto", place.records()[0]["run"].as_str().unwrap()]);
    assert_eq!(export.code, 3, "{export:?}");
    assert!(export.err().contains("signs checkpoints and nothing else"), "{export:?}");

    // Without it a run is what it was, its record is durable, and nothing is signed.
    drop(signer);
    let records = place.records().len();
    let said = place.run("print(4)");
    assert_eq!((said.code, said.out().as_str()), (0, "4\n"));
    assert!(said.err().contains("does not answer"), "{said:?}");
    assert_eq!(types(&place.records()[records..]), ["started", "finished"]);
    let incomplete = audit(&place, &["verify", "--complete"]);
    assert_eq!((incomplete.code, done(&place, &["verify"]).contains("2 are not signed")), (2, true));
    let failed = audit(&place, &["checkpoint"]);
    assert_eq!(failed.code, 3, "{failed:?}");
    let signer = Signer::start(&place);
    done(&place, &["checkpoint"]);
    done(&place, &["verify", "--complete", "--key", &first]);
    // Two at once have one key, and one socket.
    let state = place.root().join("signer-state").display().to_string();
    let again = ["--state", &state, "signer", "serve", "--socket", "other.sock"];
    let busy = say(&mut place.waxcell(&again));
    assert!(busy.code == 125 && busy.err().contains("another signer"), "{busy:?}");
    let beside = ["signer", "serve", "--socket", signer.path()];
    let taken = say(&mut place.waxcell(&beside));
    assert!(taken.code == 125 && taken.err().contains("somebody listens"), "{taken:?}");
    let key = say(&mut place.waxcell(&["--state", &state, "signer", "key"]));
    assert_eq!(done(&place, &["key"]).lines().last(), Some(key.out().trim()));
}

#[test]
fn an_older_copy_is_refused_before_anything_runs() {
    let (place, _) = host();
    let signer = Signer::start(&place);
    done(&place, &["key", "--signer", signer.path()]);
    let old = place.root().join("old");
    copy(&place.state(), &old);
    assert_eq!(place.run("print(2)").code, 0);
    fs::rename(place.state(), place.root().join("newer")).unwrap();
    fs::rename(&old, place.state()).unwrap();
    let refused = place.run("print(3)");
    assert_eq!((refused.code, refused.out().as_str()), (125, ""), "{refused:?}");
    assert!(refused.err().contains("were signed"), "{refused:?}");
    // Nor is it rewritten up to the same number while the signer is away.
    drop(signer);
    for _ in 0..3 {
        assert_eq!(place.run("print(4)").code, 0);
    }
    let signer = Signer::start(&place);
    let refused = audit(&place, &["checkpoint"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err().contains("has signed something else"), "{refused:?}");
    let evidence = fs::read_dir(place.root().join("signer-state/signer/evidence")).unwrap().count();
    assert_eq!(evidence, 1);
    assert!(said_by(&place).contains("EVIDENCE"));
    // Control: the newer one goes on.
    fs::rename(place.state(), place.root().join("older")).unwrap();
    fs::rename(place.root().join("newer"), place.state()).unwrap();
    let said = place.run("print(5)");
    assert_eq!((said.code, said.err().as_str()), (0, ""), "{said:?}");
    drop(signer);
}

#[test]
fn a_signer_of_another_user_keeps_its_key_and_answers_its_writer_alone() {
    if !support::is_root() {
        return support::skip(
            "signer::a_signer_of_another_user_keeps_its_key_and_answers_its_writer_alone",
            "not root",
        );
    }
    let (place, first) = host();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(STRANGER), Some(STRANGER)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let signer = Signer::of(&place, folder.path(), Some(STRANGER), &["--user", "root"]);
    done(&place, &["key", "--signer", signer.path()]);
    assert_eq!(place.run("print(2)").code, 0);
    done(&place, &["verify", "--complete", "--key", &first]);
    let key = folder.path().join("signer-state/signer/key");
    let meta = fs::metadata(&key).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&meta), STRANGER);
    // Anybody else is sent away: with the same order that its writer has an answer to.
    let order = "waxcell-signer/1 status\n";
    assert!(signer.ask(order.as_bytes()).starts_with("done\n"));
    let script = format!(
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect({:?})
try: s.send({order:?}.encode()); s.shutdown(1); print(repr(s.recv(99)))
except OSError as error: print(error)",
        signer.path()
    );
    for uid in [STRANGER, STRANGER + 1] {
        let mut python = place.command(support::PYTHON);
        let said = say(python.args(["-c", &script]).uid(uid).gid(uid).current_dir("/"));
        assert_eq!(said.code, 0, "{said:?}");
        assert!(!said.out().contains("done"), "{said:?}");
    }
    assert!(said_by(&place).contains(&format!("refused user {}", STRANGER + 1)));
    // A signer of root, whose socket belongs to the writer.
    let other = Signer::of(&place, &place.root(), None, &["--user", &STRANGER.to_string()]);
    let meta = fs::metadata(&other.socket).unwrap();
    assert_eq!(
        (std::os::unix::fs::MetadataExt::uid(&meta), meta.permissions().mode() & 0o777),
        (STRANGER, 0o600)
    );
    assert_eq!(other.ask(order.as_bytes()), "", "root is not the one who may ask");
}

#[test]
fn peers_that_send_nothing_or_nonsense_keep_nobody_waiting() {
    let (place, first) = host();
    let signer = Signer::start(&place);
    done(&place, &["key", "--signer", signer.path()]);
    // More than there are places, none of which says anything.
    let silent: Vec<_> = (0..100).map(|_| UnixStream::connect(&signer.socket).unwrap()).collect();
    let begun = Instant::now();
    let said = place.run("print(2)");
    assert_eq!((said.code, said.err().as_str()), (0, ""), "{said:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop(silent);
    for nonsense in [&b""[..], b"\n", &[0xff; 5000], &vec![b'a'; 1 << 20], b"waxcell-signer/1 sign\nold x\n"]
    {
        let answer = signer.ask(nonsense);
        assert!(answer.is_empty() || answer.starts_with("refused"), "{answer:.80}");
    }
    assert_eq!(place.run("print(3)").code, 0);
    done(&place, &["verify", "--complete", "--key", &first]);
}

#[test]
fn a_signer_that_is_killed_at_work_has_forgotten_nothing() {
    let (place, first) = host();
    let mut signer = Signer::start(&place);
    done(&place, &["key", "--signer", signer.path()]);
    for nth in 0..6 {
        let mut writer =
            place.waxcell(&["run", "script.py"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(100 + 25 * nth));
        let _ = signer.child.kill();
        let _ = writer.wait();
        drop(signer);
        signer = Signer::start(&place);
        if nth % 2 == 0 {
            done(&place, &["key", "--rotate"]);
        }
    }
    done(&place, &["checkpoint"]);
    done(&place, &["verify", "--complete", "--key", &first]);
}

#[test]
fn a_recovery_key_that_was_carried_away_ends_an_epoch_whose_key_is_lost() {
    let (place, first) = host();
    let file = place.root().join("recovery.key");
    let name = file.to_str().unwrap();
    let vkey = done(&place, &["key", "--new-recovery", name]).trim().to_owned();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(audit(&place, &["key", "--new-recovery", name]).code, 3, "not over another");
    let none = audit(&place, &["recover", "--key", name]);
    assert!(none.code == 3 && none.err().contains("names no recovery key"), "{none:?}");
    done(&place, &["key", "--recovery", &vkey]);
    let again = audit(&place, &["key", "--recovery", &vkey]);
    assert!(again.code == 3 && again.err().contains("stays so"), "{again:?}");
    assert_eq!(place.run("print(2)").code, 0);
    fs::remove_file(place.journal().join("key")).unwrap();
    let refused = place.run("print(3)");
    assert_eq!(refused.code, 125, "{refused:?}");
    assert!(refused.err().contains("audit recover"), "{refused:?}");
    let stranger = place.root().join("stranger.key").display().to_string();
    done(&place, &["key", "--new-recovery", &stranger]);
    let other = audit(&place, &["recover", "--key", &stranger]);
    assert!(other.code == 3 && other.err().contains(&vkey), "{other:?}");

    let new = done(&place, &["recover", "--key", name]).trim().to_owned();
    let told = done(&place, &["verify", "--complete", "--key", &first]);
    assert!(told.contains("epoch 1 was ended by the recovery key"), "{told}");
    assert_eq!(place.run("print(4)").code, 0);
    done(&place, &["verify", "--complete", "--key", &first]);
    assert_eq!(done(&place, &["key"]).lines().collect::<Vec<_>>(), [first.as_str(), &new]);
    let records = place.records();
    let record = records.iter().find(|record| record["type"] == "key").unwrap();
    assert_eq!((&record["recovery"], &record["vkey"]), (&json!(vkey), &json!(new)));
    // The first run's record is proved by the recovery key, whose seal it lies under; the last one's by the new key.
    for (run, key) in [(&records[0], &vkey), (records.last().unwrap(), &new)] {
        let proof = place.root().join("a.tlog-proof");
        let _ = fs::remove_file(&proof);
        let proof = proof.to_str().unwrap();
        done(&place, &["prove", run["run"].as_str().unwrap(), "--output", proof]);
        done(&place, &["verify", proof, "--key", key]);
        assert_eq!(audit(&place, &["verify", proof, "--key", &first]).code, 1);
    }
}

/// A witness that nobody can reach.
const WATCHING: &str =
    "witness w remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2\nquorum w\n";

#[test]
fn what_was_lost_is_said_loudly_and_another_log_begins() {
    let (place, first) = host();
    let nothing = audit(&place, &["recover", "--accept-loss"]);
    assert!(nothing.code == 1 && nothing.err().contains("nothing is lost"), "{nothing:?}");
    let segment = place.journal().join("00000000.log");
    let short = fs::read(&segment).unwrap();
    assert_eq!(place.run("print(2)").code, 0);
    let checkpoint = fs::read_to_string(place.journal().join("tlog/checkpoint")).unwrap();
    fs::write(&segment, short).unwrap();
    let refused = place.run("print(3)");
    assert_eq!((refused.code, refused.out().as_str()), (125, ""), "{refused:?}");
    assert!(refused.err().contains("recover --accept-loss"), "{refused:?}");
    let said = audit(&place, &["recover", "--accept-loss", "--reason", "the disk died"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err().contains("4 records were signed, 2 can be read, so 2 are gone"), "{said:?}");
    let kept = fs::read_dir(place.state()).unwrap().flatten().map(|entry| entry.path());
    let kept = kept.filter(|path| path.display().to_string().contains("lost-")).collect::<Vec<_>>();
    assert_eq!(kept.len(), 1);
    assert!(said.err().contains(kept[0].to_str().unwrap()), "{said:?}");
    // The old one, with its log and its key.
    let log = kept[0].join("journal/tlog").display().to_string();
    done(&place, &["verify", "--log", &log, "--key", &first]);
    let old = kept[0].display().to_string();
    assert_eq!(say(&mut place.waxcell(&["--state", &old, "audit", "show", "--last", "9"])).code, 0);
    // The new one.
    let key = done(&place, &["key"]).trim().to_owned();
    assert_ne!(key.split('+').next(), first.split('+').next(), "another name");
    assert_eq!(place.run("print(4)").code, 0);
    done(&place, &["verify", "--complete", "--key", &key]);
    let records = place.records();
    assert_eq!(types(&records), ["begun", "started", "finished"]);
    assert_eq!(records[0]["before"]["checkpoint"], checkpoint);
    assert_eq!((&records[0]["lost"], &records[0]["about"]["reason"]), (&json!(2), &json!("the disk died")));
    assert_eq!(audit(&place, &["recover", "--accept-loss"]).code, 1);
    for words in [&["recover"][..], &["recover", "--accept-loss", "--key", "x"]] {
        assert_eq!(audit(&place, words).code, 2);
    }
}

#[test]
fn a_run_that_goes_on_is_waited_for_before_another_log_begins() {
    let (place, _) = host();
    place.write("watching", WATCHING);
    done(&place, &["witness", "set", place.project().join("watching").to_str().unwrap()]);
    place.write("long.py", "import sys; print('up', flush=True); sys.stdin.read()");
    let mut run = place.waxcell(&["run", "long.py"]);
    let mut run = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut up = [0; 3];
    run.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
    fs::write(place.journal().join("head"), vec![7; 16384]).unwrap();
    let refused = audit(&place, &["recover", "--accept-loss"]);
    assert!(refused.code == 3 && refused.err().contains("a run is going on"), "{refused:?}");
    drop(run.stdin.take());
    run.wait().unwrap();
    done(&place, &["recover", "--accept-loss"]);
    assert_eq!(place.run("print(1)").code, 0);
    let records = place.records();
    assert_eq!(types(&records), ["begun", "witnesses", "started", "finished"]);
    assert_eq!(records[1]["witnesses"][0]["name"], "w", "who watched the old one watches the new one");
}

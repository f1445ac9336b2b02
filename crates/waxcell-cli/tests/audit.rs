//! The record as somebody else checks it: keys, checkpoints, proofs, copies, and what was done to any of them.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Place, Said, say};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";

/// Three runs, one of which is refused something.
fn place() -> Place {
    let place = Place::new(POLICY);
    assert_eq!(place.run("print(1)").code, 0);
    assert_eq!(place.run("raise SystemExit(4)").code, 4);
    assert_eq!(place.run("try: open('/etc/shadow')\nexcept OSError: pass").code, 0);
    place
}

fn verify(place: &Place, more: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["audit", "verify"], more].concat()))
}

fn key(place: &Place) -> String {
    let said = say(&mut place.waxcell(&["audit", "key"]));
    assert_eq!(said.code, 0, "{said:?}");
    said.out().trim().to_owned()
}

fn checkpoint(place: &Place, name: &str) -> String {
    let said = say(&mut place.waxcell(&["audit", "checkpoint"]));
    assert_eq!(said.code, 0, "{said:?}");
    place.write(name, said.out()).display().to_string()
}

fn copy(place: &Place, from: &Path, to: &Path) {
    let done = say(place.command("/bin/cp").arg("-a").arg(from).arg(to));
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn after_every_run_the_folder_is_a_signed_log() {
    let place = place();
    let key = key(&place);
    assert_eq!(verify(&place, &["--complete", "--key", &key]).code, 0);
    let log = place.journal().join("tlog");
    let copied = place.root().join("copy");
    copy(&place, &log, &copied);
    let copied = copied.display().to_string();
    // An auditor has nothing but the copy and the key.
    let audited = say(place.command(support::waxcell()).env_remove("WAXCELL_STATE").args([
        "audit",
        "verify",
        "--complete",
        "--key",
        &key,
        "--log",
        &copied,
    ]));
    assert_eq!((audited.code, audited.out().lines().next()), (0, Some("sound: 6 records")), "{audited:?}");
    let note = fs::read_to_string(log.join("checkpoint")).unwrap();
    let lines: Vec<&str> = note.lines().collect();
    assert_eq!((lines[0], lines[1]), (key.split('+').next().unwrap(), "6"));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.journal().join("key")), 0o600);
    // Somebody else's key is no key of this log.
    let other = self::place();
    let wrong = verify(&place, &["--key", &self::key(&other)]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert_eq!(verify(&place, &["--key", "nonsense"]).code, 3);
}

#[test]
fn a_proof_convinces_who_has_the_key_and_nobody_once_it_is_changed() {
    let place = place();
    let key = key(&place);
    let run = place.records()[2]["run"].as_str().unwrap().to_owned();
    let file = place.project().join("run.tlog-proof").display().to_string();
    let made = say(&mut place.waxcell(&["audit", "prove", &run, "--output", &file]));
    assert_eq!(made.code, 0, "{made:?}");
    let proof = fs::read_to_string(&file).unwrap();
    assert!(proof.len() <= 4096, "{} bytes", proof.len());
    let alone = |file: &str, key: &str| {
        say(place
            .command(support::waxcell())
            .env("WAXCELL_STATE", place.root().join("nowhere"))
            .args(["audit", "verify", file, "--key", key]))
    };
    let proved = alone(&file, &key);
    assert_eq!(proved.code, 0, "{proved:?}");
    assert!(proved.out().contains(&run) && proved.out().contains("`finished`, failed"), "{proved:?}");
    // Not over what is there.
    assert_eq!(say(&mut place.waxcell(&["audit", "prove", &run, "--output", &file])).code, 125);
    let mutants = proof.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(|(at, line)| {
        let mut lines: Vec<String> = proof.lines().map(str::to_owned).collect();
        let middle = line.len() / 2;
        let other = if line.as_bytes()[middle] == b'B' { "C" } else { "B" };
        lines[at].replace_range(
            line.char_indices().map(|(at, c)| at..at + c.len_utf8()).nth(middle).unwrap_or(0..1),
            other,
        );
        lines.join("\n") + "\n"
    });
    let mut changed = 0;
    for mutant in mutants {
        let said = alone(&place.write("mutant", &mutant).display().to_string(), &key);
        assert_eq!(said.code, 1, "{mutant}\n{said:?}");
        changed += 1;
    }
    assert!(changed > 6, "{changed}");
    assert_eq!(alone(&file, &self::key(&self::place())).code, 1);
    let unknown = say(&mut place.waxcell(&["audit", "prove", "ffff"]));
    assert_eq!(unknown.code, 3, "{unknown:?}");
    let beyond = say(&mut place.waxcell(&["audit", "prove", "--record", "600"]));
    assert!(beyond.code == 3 && beyond.err().contains("has 6 records"), "{beyond:?}");
}

#[test]
fn whatever_is_done_to_a_file_is_seen() {
    let place = place();
    let journal = place.journal();
    let kept = place.root().join("kept");
    copy(&place, &journal, &kept);
    let key = key(&place);
    let mut mutants = 0;
    for file in
        ["00000000.log", "head", "tlog/checkpoint", "tlog/tile/0/000.p/6", "tlog/tile/entries/000.p/6"]
    {
        let path = journal.join(file);
        let whole = fs::read(&path).unwrap();
        let used = whole.iter().rposition(|&byte| byte != 0).unwrap();
        let mut changed: Vec<(String, Option<Vec<u8>>)> = vec![("removed".to_owned(), None)];
        for part in 1..6 {
            let at = used * part / 6;
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            changed.push((format!("byte {at}"), Some(flipped)));
        }
        if file != "00000000.log" {
            changed.push(("cut".to_owned(), Some(whole[..used / 2].to_vec())));
            changed.push(("empty".to_owned(), Some(Vec::new())));
        }
        for (what, bytes) in changed {
            match &bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let said = verify(&place, &["--key", &key]);
            // One of two slots of the head may be what a crash has left.
            assert!(
                [1, 3].contains(&said.code) || (file == "head" && said.code == 2),
                "{file}, {what}: {said:?}"
            );
            assert!(!said.out().contains("sound"), "{file}, {what}: {said:?}");
            fs::write(&path, &whole).unwrap();
            mutants += 1;
        }
    }
    assert!(mutants > 25, "{mutants}");
    assert_eq!(verify(&place, &["--key", &key]).code, 0);
}

#[test]
fn records_that_were_signed_cannot_be_taken_away() {
    let place = place();
    let journal = place.journal();
    let early = place.root().join("early");
    copy(&place, &journal, &early);
    let old = checkpoint(&place, "old");
    assert_eq!(place.run("print(2)").code, 0);
    let new = checkpoint(&place, "new");
    assert_eq!(verify(&place, &["--against", &old]).code, 0);
    assert_eq!(verify(&place, &["--since", &old, "--complete"]).code, 0);
    // The records alone are put back: the head remembers more.
    let segment = "00000000.log";
    let newest = fs::read(journal.join(segment)).unwrap();
    fs::copy(early.join(segment), journal.join(segment)).unwrap();
    let shrunk = verify(&place, &[]);
    assert!(shrunk.code == 1 && shrunk.err().contains("records were removed"), "{shrunk:?}");
    let refused = place.run("print('must not run')");
    assert!(refused.code == 125 && refused.out().is_empty(), "{refused:?}");
    assert!(
        refused.err().contains("records were removed") && refused.err().contains("evidence"),
        "{refused:?}"
    );
    fs::write(journal.join(segment), newest).unwrap();
    assert_eq!(place.run("print(3)").code, 0);
    // All is put back: only what was kept elsewhere tells.
    fs::remove_dir_all(&journal).unwrap();
    copy(&place, &early, &journal);
    assert_eq!(verify(&place, &[]).code, 0, "control: nothing in the journal itself tells");
    let rolled_back = verify(&place, &["--against", &new]);
    assert!(rolled_back.code == 1 && rolled_back.err().contains("rolled back"), "{rolled_back:?}");
    assert_eq!(place.run("print(4)").code, 0);
    assert_eq!(place.run("print(5)").code, 0);
    let forked = verify(&place, &["--against", &new]);
    assert!(forked.code == 1 && forked.err().contains("rewritten or forked"), "{forked:?}");
    assert_eq!(verify(&place, &["--against", &old]).code, 0);
}

#[test]
fn without_its_key_or_with_one_that_others_may_read_nothing_runs() {
    let place = place();
    let key = place.journal().join("key");
    let text = fs::read(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let loose = place.run("print(1)");
    assert!(loose.code == 125 && loose.err().contains("chmod 600") && loose.out().is_empty(), "{loose:?}");
    fs::remove_file(&key).unwrap();
    let missing = place.run("print(1)");
    assert!(missing.code == 125 && missing.err().contains("is missing; put it back"), "{missing:?}");
    // Everything that was recorded can still be checked.
    assert_eq!(verify(&place, &["--complete"]).code, 0);
    fs::write(&key, text).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(place.run("print(1)").code, 0);
}

#[test]
fn a_run_that_dies_before_its_record_is_signed_is_signed_by_the_next() {
    let place = place();
    let strace = Path::new("/usr/bin/strace");
    if !strace.exists() {
        return support::skip(
            "audit::a_run_that_dies_before_its_record_is_signed_is_signed_by_the_next",
            "no `strace`",
        );
    }
    let key = key(&place);
    let mut records = 6;
    for call in ["renameat", "renameat2", "pwrite64", "unlink"] {
        for nth in 1..12 {
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            let trace = format!("trace={call}");
            place.write("script.py", "print(1)");
            let killed = say(place
                .command(strace)
                .env("WAXCELL_STATE", place.state())
                .args(["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject])
                .arg(support::waxcell())
                .args(["run", "script.py"]));
            if killed.code == 0 {
                break;
            }
            // Whatever state that left, the next run goes on, and all is signed.
            let next = place.run("print(2)");
            assert_eq!((next.code, next.out()), (0, "2\n".to_owned()), "{call} {nth}: {next:?}");
            let verified = verify(&place, &["--complete", "--key", &key]);
            assert_eq!(verified.code, 0, "{call} {nth}: {verified:?}");
            let now = place.records().len();
            assert!(now >= records + 2, "{call} {nth}");
            records = now;
        }
    }
    assert!(records > 30, "{records}: the calls were met");
    let types: Vec<Value> = place.records().iter().map(|record| record["type"].clone()).collect();
    assert!(types.contains(&Value::from("lost")));
}

#[test]
fn what_never_ends_is_not_read_to_its_end() {
    let place = place();
    for option in ["", "--trust", "--against", "--since", "--key", "--log"] {
        let waxcell = support::waxcell().display().to_string();
        let line = format!("ulimit -v 1500000; exec {waxcell} audit verify {option} /dev/zero");
        let said = say(&mut place.waxcell_shell(&line));
        assert!([1, 3].contains(&said.code) && !said.err().contains("memory"), "{option}: {said:?}");
    }
}

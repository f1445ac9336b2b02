//! Secrets stay out of all files of the record, and can be erased from what lies beside it while every proof stays valid.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Place, Said, say};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n  blocked_operations: [delete]\n";

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";

/// Chance; a test that fails says with which seed.
struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    fn new() -> Chance {
        let mut bytes = [0; 8];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).expect("chance");
        let seed = u64::from_ne_bytes(bytes) | 1;
        Chance { seed, state: seed }
    }

    fn next(&mut self) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 33) as usize
    }

    fn of(&mut self, length: usize, alphabet: &str) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length).map(|_| char::from(alphabet[self.next() % alphabet.len()])).collect()
    }

    fn word(&mut self, length: usize) -> String {
        self.of(length, &format!("{LETTERS}{DIGITS}"))
    }

    fn url(&mut self, length: usize) -> String {
        self.of(length, &format!("{LETTERS}{DIGITS}-_"))
    }

    /// A secret of one of seventeen forms, as it can stand in a name of a file.
    fn secret(&mut self, form: usize) -> String {
        let capitals = format!("{}{DIGITS}", &LETTERS[..26]);
        match form % 17 {
            0 => format!("AKIA{}", self.of(16, &capitals)),
            1 => format!("ghp_{}", self.word(36)),
            2 => format!("glpat-{}", self.url(20)),
            3 => format!("xoxb-{}-{}", self.of(11, DIGITS), self.word(24)),
            4 => format!("sk_live_{}", self.word(24)),
            5 => format!("AIza{}", self.url(35)),
            6 => format!("sk-{}", self.word(48)),
            7 => format!("npm_{}", self.word(36)),
            8 => format!("pypi-AgEIcHlwaS5vcmc{}", self.url(60)),
            9 => format!("eyJ{}.eyJ{}.{}", self.word(30), self.word(40), self.url(43)),
            10 => self.url(43),
            11 => self.of(48, "0123456789abcdef"),
            12 => format!("password={}", self.word(12)),
            13 => format!("key-{}", self.of(32, "0123456789abcdef")),
            14 => format!("sessionid={}", self.word(24)),
            15 => format!("dckr_pat_{}", self.url(27)),
            _ => format!("api_key={}", self.word(16)),
        }
    }

    /// As it can stand in the name of a host.
    fn label(&mut self, form: usize) -> String {
        let small = format!("{}{DIGITS}", &LETTERS[26..]);
        match form % 4 {
            0 => format!("akia{}", self.of(16, &small)),
            1 => format!("ghp_{}", self.of(36, &small)),
            2 => self.of(48, "0123456789abcdef"),
            _ => self.of(60, &small),
        }
    }
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            let mut bytes = fs::read(&path).expect("a file");
            // Segments are mostly empty.
            bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
            found.insert(path.clone(), bytes);
        }
    }
    found
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == part[0]) {
        rest = &rest[at..];
        if rest.starts_with(part) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut out = String::new();
    for three in bytes.chunks_exact(3) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        out.extend([18, 12, 6, 0].map(|shift| char::from(alphabet[(bits >> shift) as usize & 63])));
    }
    out
}

/// The text itself, in hexadecimal, and what of it shows in base 64 wherever it begins.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![text.as_bytes().to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for last in [b"+/", b"-_"] {
        let alphabet: [u8; 64] =
            [LETTERS.as_bytes(), DIGITS.as_bytes(), last].concat().try_into().expect("64 signs");
        for skipped in 0..3 {
            forms.push(base64(&text.as_bytes()[skipped..], &alphabet).into_bytes());
        }
    }
    forms
}

#[track_caller]
fn verify(place: &Place) -> Said {
    let said = say(&mut place.waxcell(&["audit", "verify", "--complete"]));
    assert_eq!(said.code, 0, "{said:?}");
    said
}

/// Where which of these secrets can be read, in any form, but for the values that are kept apart.
fn given_away(place: &Place, secrets: &[String]) -> Vec<(String, PathBuf)> {
    let files = files(&place.state());
    let mut found = Vec::new();
    for secret in secrets {
        for (number, form) in forms(secret).iter().enumerate() {
            // What is kept apart is in base 64; that is where it may be.
            let is_apart = |path: &Path| number > 2 && path.starts_with(place.journal().join("disclosures"));
            found.extend(
                files
                    .iter()
                    .filter(|(path, bytes)| !is_apart(path) && has(bytes, form))
                    .map(|(path, _)| (secret.clone(), path.clone())),
            );
        }
    }
    found
}

#[test]
fn of_200_secrets_none_is_in_a_file_of_the_record() {
    let mut chance = Chance::new();
    let place = Place::new(&format!("{POLICY}monitoring: {{log_level: DEBUG, secrets: [acme-*-seal]}}\n"));
    let mut secrets: Vec<String> = Vec::new();
    let mut plant = |secret: String| {
        secrets.push(secret.clone());
        secret
    };

    // Arguments: whatever they are.
    let mut args: Vec<String> = (0..42).map(|form| plant(chance.secret(form))).collect();
    args.push(plant(format!("https://app:{}@example.org/x", chance.word(9))));
    args.push(plant(format!("-----BEGIN PRIVATE KEY-----\n{}\n", chance.word(64))));
    args.extend((0..6).map(|_| plant(chance.of(10, &LETTERS[26..]))));
    // Values of variables with a telling name, however plain, and what the policy declares.
    let names = ["DEPLOY_TOKEN", "PGPASSWORD", "STRIPE_KEY", "CLIENT_SECRET", "SMTP_PASS"];
    let variables: Vec<_> = names.iter().map(|name| (name, plant(chance.of(12, &LETTERS[26..])))).collect();
    let declared: Vec<String> =
        (0..5).map(|_| plant(format!("acme-{}-seal", chance.of(6, LETTERS)))).collect();
    // Names of files that are created and cannot be deleted.
    let mut names: Vec<String> = (0..83).map(|form| plant(chance.secret(form))).collect();
    names.extend(declared);
    names.extend(variables.iter().map(|(_, value)| value.clone()));
    // Names of hosts.
    let hosts: Vec<String> = (0..40).map(|form| plant(chance.label(form))).collect();
    let reason = plant(chance.secret(1));
    place.write("data/x", "");
    let script = format!(
        "import os, socket\n\
         for name in {names:?}:\n\
         \x20   open('data/' + name, 'w').close()\n\
         \x20   try: os.unlink('data/' + name)\n\
         \x20   except OSError: pass\n\
         for name in {hosts:?}:\n\
         \x20   try: socket.getaddrinfo(name + '.example.org', 443)\n\
         \x20   except OSError: pass\n\
         for n in range(100):\n\
         \x20   open(f'data/report-{{n}}.csv', 'w').close()\n\
         \x20   try: os.unlink(f'data/report-{{n}}.csv')\n\
         \x20   except OSError: pass\n"
    );
    place.write("script.py", &script);
    let mut run = place.waxcell(&["--json", "run", "--reason", &reason, "script.py"]);
    let said = say(run.args(&args).envs(variables.iter().map(|(name, value)| (**name, value))));
    let report = said.report();
    assert_eq!(said.code, 0, "{report:#}");
    // Working directories and scripts with a secret in their path, one of which is refused.
    for form in 0..16 {
        let folder = plant(chance.secret(form));
        let script = if form == 3 { "def" } else { "print(1)" };
        let script = place.write(format!("data/{folder}/{form}.py"), script);
        let said = say(place.waxcell(&["run"]).arg(&script).current_dir(script.parent().unwrap()));
        assert!([0, 1, 126].contains(&said.code), "{said:?}");
    }
    assert_eq!(secrets.len(), 200);

    // It was all there to be seen: the report, which is the caller's, has it.
    let shown = report.to_string();
    let missing = |all: &[String]| all.iter().filter(|one| !shown.contains(&**one)).count();
    assert_eq!((missing(&names), missing(&hosts)), (0, 0), "{shown}");
    let files = files(&place.state());
    let is_somewhere = |text: &[u8]| files.values().any(|bytes| has(bytes, text));
    assert!(is_somewhere(b"report-7.csv") && is_somewhere(b"script.py"), "the search finds what is there");

    let found = given_away(&place, &secrets);
    let mut given_away: Vec<&String> = found.iter().map(|(secret, _)| secret).collect();
    given_away.dedup();
    assert!(given_away.len() <= 2, "seed {}: {found:#?}", chance.seed);
    // And whoever may read what is kept apart sees everything.
    let records = place.records();
    assert_eq!((&records[0]["args"], &records[0]["reason"]), (&json!(args), &json!(reason)));
    assert_eq!(records[1]["violations"], report["violations"]);
    for (path, _) in files.iter().filter(|(path, _)| path.starts_with(place.journal().join("disclosures"))) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    verify(&place);
}

/// What a script tries in vain, is refused for, and ends with.
#[test]
fn what_is_attempted_or_told_gives_no_secret_away() {
    let mut chance = Chance::new();
    let place = Place::new(&format!("{POLICY}monitoring: {{log_level: DEBUG}}\n"));
    place.write("data/x", "");
    let mut secrets: Vec<String> = Vec::new();
    let mut plant = |count: usize| {
        let some: Vec<String> = (0..count).map(|form| chance.secret(form)).collect();
        secrets.extend(some.iter().cloned());
        some
    };
    let (files, folders, links, targets, told) = (plant(28), plant(28), plant(14), plant(14), plant(14));
    let value = "horsebattery".to_owned();
    let script = format!(
        "import os\n\
         def vain(call, *args):\n\
         \x20   try: call(*args)\n\
         \x20   except OSError: pass\n\
         for name in {files:?}: vain(open, '/usr/share/' + name, 'w')\n\
         for name in {folders:?}: vain(os.mkdir, '/usr/' + name)\n\
         for name in {links:?}: vain(os.symlink, 'x', '/usr/lib/' + name)\n\
         for name in {targets:?}: vain(os.rename, 'data/x', '/usr/' + name)\n\
         vain(os.mkdir, '/usr/' + {value:?})\n\
         raise RuntimeError({:?})\n",
        told.join(" ")
    );
    place.write("script.py", script);
    let said = say(place.waxcell(&["--json", "run", "script.py"]).env("DEPLOY_TOKEN", &value));
    assert_eq!(said.code, 1, "{said:?}");
    let report = said.report().to_string();
    let seen = [&files, &folders, &links, &targets]
        .map(|all| all.iter().filter(|one| report.contains(*one)).count());
    assert_eq!(seen, [28, 28, 14, 14], "{report}");
    // What cannot be parsed, and what analysis shows of a script.
    for secret in plant(14) {
        place.write("broken.py", format!("x = '{secret}' ) (\n"));
        assert_eq!(say(&mut place.waxcell(&["run", "broken.py"])).code, 126);
        place.write("shown.py", format!("import os\neval({secret:?})\nos.system('curl -H {secret}')\n"));
        say(&mut place.waxcell(&["run", "shown.py"]));
    }
    secrets.push(value);
    let found = given_away(&place, &secrets);
    assert!(found.len() <= 1, "of {}, seed {}: {found:#?}", secrets.len(), chance.seed);
    verify(&place);
}

/// Of what is no secret, next to nothing is sealed.
#[test]
fn ordinary_fields_are_told_in_clear() {
    let place = Place::new(POLICY);
    place.write("data/x", "");
    let names: Vec<String> = (0..20)
        .flat_map(|n| {
            [
                format!("report-2024-11-{n:02}.csv"),
                format!("BIP-{n}-ProposalForTheCouncilV2.json"),
                format!("{:032x}", u128::MAX / (n + 3)),
                format!("{:064x}.json", u128::MAX / (n + 5)),
                format!("550e8400-e29b-41d4-a716-4466554400{n:02}"),
                format!("libpython3.{n}.so.1.0-x86_64-linux-gnu"),
                format!("test_that_a_run_is_refused_{n}.py"),
            ]
        })
        .collect();
    let script = format!(
        "import os\nfor name in {names:?}:\n    open('data/' + name, 'w').close()\n    try: os.unlink('data/' + name)\n    except OSError: pass"
    );
    place.write("script.py", script);
    assert_eq!(say(&mut place.waxcell(&["run", "--reason", "monthly tally", "script.py"])).code, 0);
    let sealed: Vec<Value> = sealed(&place);
    let objects = files(&place.journal().join("tlog/objects"));
    let text = sealed.iter().map(Value::to_string).collect::<String>()
        + &objects.values().map(|bytes| String::from_utf8_lossy(bytes)).collect::<String>();
    assert_eq!(text.matches("_sd").count() + text.matches("\"...\"").count(), 0, "{text}");
    assert!(names.iter().all(|name| text.contains(name)));
}

/// The records as the log has them.
fn sealed(place: &Place) -> Vec<Value> {
    let said = say(&mut place.waxcell(&["audit", "show", "--last", "100", "--sealed", "--json"]));
    assert_eq!(said.code, 0, "{said:?}");
    said.out().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn what_is_redacted_is_gone_and_every_proof_stays() {
    let place = Place::new(POLICY);
    place.write("script.py", "print(1)");
    let word = "a plain word of nobody";
    for args in [["--name", word], ["--name", "another"]] {
        assert_eq!(say(place.waxcell(&["run", "script.py"]).args(args)).code, 0);
    }
    let run = place.records()[0]["run"].as_str().unwrap().to_owned();
    let proof = place.root().join("proof");
    let prove = ["audit", "prove", "--record", "0", "--output", proof.to_str().unwrap()];
    assert_eq!(say(&mut place.waxcell(&prove)).code, 0);
    let before = sealed(&place);
    let digest = before[0]["args"][1]["..."].as_str().unwrap().to_owned();
    let shown = |place: &Place| say(&mut place.waxcell(&["audit", "show", &run])).out();
    assert!(shown(&place).contains(word));
    let apart = |place: &Place| {
        let files = files(&place.journal().join("disclosures"));
        files.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect::<String>()
    };
    assert!(apart(&place).contains(&digest));

    let redact = ["audit", "redact", &run, "--field", "args.1", "--reason", "asked for"];
    let said = say(&mut place.waxcell(&redact));
    assert_eq!(said.code, 0, "{said:?}");
    // Nothing of it is left, in any form.
    for form in forms(word) {
        assert!(!files(&place.state()).values().any(|bytes| has(bytes, &form)));
    }
    assert!(!apart(&place).contains(&digest) && apart(&place).lines().count() == 3);
    let text = shown(&place);
    assert!(text.contains("<erased>") && text.contains("--name") && !text.contains(word), "{text}");
    assert_eq!(place.records()[2]["args"][1], "another", "the other run keeps its own");
    // The records are as they were, and there is one more that says so.
    let after = sealed(&place);
    assert_eq!(after[..4], before[..]);
    let told = &after[4];
    assert_eq!((&told["type"], &told["run"]), (&json!("redact"), &json!(run)));
    assert_eq!(
        (&told["records"], &told["fields"], &told["digests"], &told["reason"]),
        (&json!([0]), &json!(["args.1"]), &json!([digest]), &json!("asked for"))
    );
    assert!(told["actor"]["uid"].is_u64());
    let said = verify(&place);
    assert!(said.out().contains("; 1 values are erased"), "{said:?}");
    assert_eq!(say(place.waxcell(&["audit", "verify"]).arg(&proof)).code, 0);

    let again = say(&mut place.waxcell(&redact));
    assert_eq!(again.code, 1, "{again:?}");
    let rest = say(&mut place.waxcell(&["audit", "redact", "--record", "0", "--reason", "all of it"]));
    assert_eq!(rest.code, 0, "{rest:?}");
    assert_eq!(place.records()[0]["args"], json!(["<erased>", "<erased>"]));
    verify(&place);
}

#[test]
fn a_value_that_was_changed_is_a_fault_and_one_that_is_missing_is_none() {
    let place = Place::new(POLICY);
    place.write("script.py", "print(1)");
    assert_eq!(say(place.waxcell(&["run", "script.py"]).arg("one")).code, 0);
    let folder = place.journal().join("disclosures");
    let path = files(&folder).into_keys().next().unwrap();
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    let at = changed.len() - 5;
    changed[at] ^= 1;
    fs::write(&path, changed).unwrap();
    let said = say(&mut place.waxcell(&["audit", "verify"]));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err().contains("line 1: the value is not the one that was recorded"), "{said:?}");
    fs::remove_file(&path).unwrap();
    assert!(verify(&place).out().contains("1 values are erased"));
    fs::write(&path, &whole).unwrap();
    assert!(!verify(&place).out().contains("erased"));
}

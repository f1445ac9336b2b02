//! Proofs that show values which the record has only the digest of, to whom they are given and to nobody else.

mod support;

use std::fs;

use support::{Place, Said, say};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n";

/// One run with two arguments; its beginning is record 0.
fn place() -> Place {
    let place = Place::new(POLICY);
    let script = place.write("s.py", "print(1)").display().to_string();
    assert_eq!(say(&mut place.waxcell(&["run", &script, "--bip", "quarterly\u{1b}[31m"])).code, 0);
    place
}

fn prove(place: &Place, name: &str, more: &[&str]) -> (Said, String) {
    let file = place.project().join(name).display().to_string();
    (say(&mut place.waxcell(&[&["audit", "prove", "--output", &file], more].concat())), file)
}

/// Checked by somebody who has nothing but the key.
fn alone(place: &Place, file: &str, key: &str) -> Said {
    let mut command = place.command(support::waxcell());
    command.env("WAXCELL_STATE", place.root().join("nowhere"));
    say(command.args(["audit", "verify", file, "--key", key]))
}

#[test]
fn a_proof_shows_the_values_that_were_chosen() {
    let place = place();
    let key = say(&mut place.waxcell(&["audit", "key"])).out().trim().to_owned();
    let made = |name: &str, more: &[&str]| {
        let (said, file) = prove(&place, name, &[&["--record", "0"], more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        (fs::read_to_string(&file).unwrap_or_default(), alone(&place, &file, &key))
    };
    let lines = |said: &Said| said.out().lines().filter(|line| line.starts_with("disclosed")).count();

    let (plain, proved) = made("plain", &[]);
    assert!(proved.code == 0 && lines(&proved) == 0, "{proved:?}");
    let (all, proved) = made("all", &["--disclose"]);
    assert!(proved.code == 0 && lines(&proved) == 2, "{proved:?}");
    let out = proved.out();
    assert!(out.contains("disclosed: args.0 is \"--bip\"\n"), "{out}");
    assert!(
        out.contains("quarterly\\u001b[31m") && !out.contains('\u{1b}'),
        "nothing reaches a terminal: {out}"
    );
    let (one, proved) = made("one", &["--disclose", "args.1"]);
    assert!(proved.code == 0 && lines(&proved) == 1 && !proved.out().contains("--bip"), "{proved:?}");
    assert!(plain.len() < one.len() && one.len() < all.len());

    // What is not shown is in no form in it.
    let disclosures = place.journal().join("disclosures");
    let kept: Vec<String> = fs::read_dir(disclosures)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .collect();
    let texts: Vec<&str> =
        kept.iter().flat_map(|text| text.lines()).filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(texts.len(), 2);
    let extra = |proof: &str| {
        let line = proof.lines().find_map(|line| line.strip_prefix("extra ")).unwrap_or_default();
        let decoded = say(place.command("/bin/sh").args(["-c", &format!("echo '{line}' | base64 -d")]));
        decoded.out()
    };
    let has = |proof: &str| texts.iter().filter(|text| extra(proof).contains(**text)).count();
    assert_eq!((has(&plain), has(&one), has(&all)), (0, 1, 2));

    // Every change of what is shown is seen.
    let whole = extra(&all);
    let begin = whole.find('\n').unwrap_or_default() + 1;
    for at in (begin..whole.len()).step_by(3) {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let encoded = say(place
            .command("/bin/sh")
            .args(["-c", &format!("printf '%s' '{}' | base64 -w0", String::from_utf8_lossy(&bytes))]));
        let line = all.lines().find(|line| line.starts_with("extra ")).unwrap_or_default();
        let mutant = all.replacen(line, &format!("extra {}", encoded.out()), 1);
        let file = place.write("mutant", mutant).display().to_string();
        let said = alone(&place, &file, &key);
        assert!(said.code == 1 && said.err().contains("proves nothing"), "{at}: {said:?}");
    }
}

#[test]
fn what_is_not_there_cannot_be_shown() {
    let place = place();
    let shown = |more: &[&str]| prove(&place, "proof", more).0;
    for more in [
        &["--record", "0", "--disclose", "args.7"][..],
        &["--record", "0", "--disclose", "arg"],
        &["--record", "0", "--disclose", "cwd"],
        &["--record", "1", "--disclose"],
    ] {
        let said = shown(more);
        assert!(said.code == 3 && said.err().contains("apart, or it is erased"), "{more:?}: {said:?}");
    }
    assert!(!place.has("proof"), "nothing is written");
    let redacted =
        say(&mut place.waxcell(&["audit", "redact", "--record", "0", "--field", "args.0", "--reason", "r"]));
    assert_eq!(redacted.code, 0, "{redacted:?}");
    assert_eq!(shown(&["--record", "0", "--disclose", "args.0"]).code, 3);
    let (said, file) = prove(&place, "rest", &["--record", "0", "--disclose", "args"]);
    assert_eq!(said.code, 0, "{said:?}");
    let key = say(&mut place.waxcell(&["audit", "key"])).out().trim().to_owned();
    let proved = alone(&place, &file, &key).out();
    assert!(proved.contains("args.1") && !proved.contains("args.0"), "{proved}");
}

//! Old records: packed, taken away, and shown, proved and verified all the same.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod many;
mod support;

use std::fs;

use many::run;
use support::{Place, Said, say};

const POLICY: &str = "filesystem: {allowed_paths: [./data]}\n";

/// A record of so many runs of January, and a real one behind them.
fn place(runs: u64) -> Place {
    let place = Place::new(POLICY);
    many::runs(&place, runs);
    assert_eq!(place.run("print(1)").code, 0);
    place
}

fn audit(place: &Place, words: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["audit"], words].concat()))
}

fn json_of(said: &Said) -> serde_json::Value {
    serde_json::from_str(&said.out()).unwrap_or_default()
}

#[test]
fn what_is_taken_away_is_shown_proved_and_verified() {
    let place = place(400);
    let key = audit(&place, &["key"]).out().trim().to_owned();
    let shown = audit(&place, &["show", &run(3).to_string()]).out();
    let why = |more: &[&str]| say(&mut place.waxcell(&[&["why", &run(3).to_string()], more].concat()));
    let told = why(&[]).out();
    assert!(told.contains(&run(3).to_string()), "{told}");
    // Nothing is in an archive yet.
    let refused = audit(&place, &["prune"]);
    assert!(refused.code == 1 && refused.err().contains("in no archive"), "{refused:?}");

    // Record 512 is of the 11th.
    let made = audit(&place, &["archive", "--before", "2026-01-12", "--json"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(json_of(&made)["last"], 511);
    assert_eq!(audit(&place, &["verify", "--complete"]).code, 0);
    let asked = audit(&place, &["prune", "--before", "2026-01-17", "--json"]);
    assert_eq!((asked.code, json_of(&asked)["before"].as_u64()), (0, Some(512)), "{asked:?}");
    assert!(
        json_of(&asked)["stays"]
            .as_str()
            .unwrap()
            .contains("record 512 and those behind it are in no archive")
    );
    assert!(!place.journal().join("00000000.log").exists());
    assert!(!place.journal().join("tlog/tile/entries/000").exists());

    assert_eq!(place.run("print(2)").code, 0);
    let whole = audit(&place, &["verify", "--complete", "--key", &key]);
    assert!(whole.code == 0 && whole.out().contains("512 of them were read from archives"), "{whole:?}");
    assert_eq!(audit(&place, &["show", &run(3).to_string()]).out(), shown);
    assert_eq!(why(&[]).out(), told);
    let file = place.project().join("proof").display().to_string();
    assert_eq!(audit(&place, &["prove", &run(3).to_string(), "--output", &file]).code, 0);
    let proved = say(place
        .command(support::waxcell())
        .env("WAXCELL_STATE", "/nowhere")
        .args(["audit", "verify", &file, "--key", &key]));
    assert!(proved.code == 0 && proved.out().contains("record 7 of"), "{proved:?}");
    let exported = audit(&place, &["export"]);
    assert_eq!(exported.out().lines().count(), place_records(&place), "{}", exported.err());

    // The archive is carried elsewhere.
    let elsewhere = place.root().join("elsewhere");
    fs::rename(place.journal().join("archive"), &elsewhere).unwrap();
    let elsewhere = elsewhere.display().to_string();
    let partly = audit(&place, &["verify"]);
    assert!(partly.code == 2 && partly.err().contains("512 records lie in an archive"), "{partly:?}");
    assert!(!partly.out().contains("sound"));
    assert_eq!(audit(&place, &["verify", "--since", "512"]).code, 0);
    assert_eq!(audit(&place, &["verify", "--archive", &elsewhere]).code, 0);
    let unknown = audit(&place, &["show", &run(3).to_string()]);
    assert!(unknown.code == 1 && unknown.err().contains("--archive"), "{unknown:?}");
    assert_eq!(audit(&place, &["show", &run(3).to_string(), "--archive", &elsewhere]).out(), shown);
    let nobody_knows = why(&[]);
    assert!(nobody_knows.code == 1 && nobody_knows.err().contains("--archive"), "{nobody_knows:?}");
    assert_eq!(why(&["--archive", &elsewhere]).out(), told);
    assert_eq!(audit(&place, &["prove", "--record", "7"]).code, 3);
    assert_eq!(audit(&place, &["prove", "--record", "7", "--archive", &elsewhere]).code, 0);
    // It goes on where it ended.
    let more = audit(&place, &["archive", "--to", &elsewhere, "--json"]);
    assert_eq!((more.code, json_of(&more)["first"].as_u64()), (0, Some(512)), "{more:?}");
    assert_eq!(audit(&place, &["archive", "--to", &elsewhere]).code, 1);
    assert_eq!(audit(&place, &["prune", "--archive", &elsewhere]).code, 0);
    assert_eq!(audit(&place, &["prune", "--archive", &elsewhere]).code, 1);
    assert_eq!(place.run("print(3)").code, 0);
    assert_eq!(audit(&place, &["verify", "--complete", "--archive", &elsewhere]).code, 0);

    // A changed archive is no archive.
    let packed = std::path::Path::new(&elsewhere).join("000000000000-000000000511.zst");
    let mut bytes = fs::read(&packed).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&packed, bytes).unwrap();
    let tampered = audit(&place, &["verify", "--archive", &elsewhere]);
    assert!(tampered.code == 1 && tampered.err().contains("the archive is not"), "{tampered:?}");
}

/// How many records there are, wherever.
fn place_records(place: &Place) -> usize {
    waxcell_journal::verify(&place.journal()).unwrap().next as usize
}

#[test]
fn what_is_not_there_or_not_meant_is_said() {
    let place = place(20);
    let nothing = audit(&place, &["archive"]);
    assert!(nothing.code == 1 && nothing.err().contains("256 at a time"), "{nothing:?}");
    assert_eq!(audit(&place, &["archive", "--before", "yesterday"]).code, 2);
    let nowhere = place.root().join("nowhere").display().to_string();
    assert_eq!(audit(&place, &["prune", "--state", &nowhere]).code, 3);
    assert!(!place.root().join("nowhere").exists());
}

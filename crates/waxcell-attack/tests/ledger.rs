//! The ledger is what catalogue and cases say, and the catalogue is whole.

use std::fs;
use std::path::{Path, PathBuf};

use waxcell_attack::{Case, Catalogue, of_folder};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../attacks")
}

fn read(name: &str) -> String {
    fs::read_to_string(corpus().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// How many ids each class has, A to V.
const IDS: [usize; 22] =
    [35, 12, 18, 14, 15, 18, 19, 23, 16, 54, 17, 12, 20, 18, 10, 10, 16, 14, 14, 15, 17, 16];

#[test]
fn the_catalogue_is_whole() {
    let catalogue = Catalogue::read(&read("catalogue.toml")).expect("a catalogue");
    assert_eq!(catalogue.classes.len(), IDS.len());
    assert_eq!(IDS.iter().sum::<usize>(), 403);
    for ((letter, class), (expected, count)) in catalogue.classes.iter().zip(('A'..='V').zip(IDS)) {
        assert_eq!(*letter, expected.to_string());
        let ids: Vec<String> = (1..=count).map(|number| format!("{letter}{number:02}")).collect();
        assert_eq!(class.ids.keys().cloned().collect::<Vec<_>>(), ids);
        assert!(class.ids.values().all(|text| !text.is_empty()), "{letter}");
    }
}

#[test]
fn the_ledger_is_up_to_date() {
    let catalogue = Catalogue::read(&read("catalogue.toml")).expect("a catalogue");
    let cases = of_folder(&corpus()).expect("cases");
    let ledger = catalogue.ledger(&cases, &read("without-case.toml")).expect("a ledger");
    assert!(read("LEDGER.md") == ledger, "attacks/LEDGER.md is older than the cases: `cargo xtask ledger`");
    // One line for each id, whatever it says.
    let rows = ledger.lines().filter(|line| {
        let id = line.strip_prefix("| ").and_then(|line| line.split(' ').next()).unwrap_or_default();
        id.len() == 3
    });
    assert_eq!(rows.count(), 403);
    for case in &cases {
        assert!(
            ledger.contains(&format!("[{0}]({1}/{0}/case.toml)", case.name, case.class())),
            "{}",
            case.name
        );
    }
}

#[test]
fn what_the_catalogue_does_not_know_is_refused() {
    let catalogue = Catalogue::read(&read("catalogue.toml")).expect("a catalogue");
    let cases = of_folder(&corpus()).expect("cases");
    let why = |without: &str| catalogue.ledger(&cases, without).expect_err("a fault").to_string();
    assert!(why("A99 = \"x\"").contains("there is no `A99`"));
    assert!(why("A01 = \"x\"").contains("has a case"));
    let mut stranger = cases.clone();
    stranger[0].told.id = "Z01".to_owned();
    let fault = catalogue.ledger(&stranger, "").expect_err("a fault").to_string();
    assert!(fault.contains("there is no `Z01`"), "{fault}");
}

/// Words of the form `E04`.
fn ids(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_id = |word: &&str| match word.as_bytes() {
        [letter, digits @ ..] => {
            letter.is_ascii_uppercase() && digits.len() == 2 && digits.iter().all(u8::is_ascii_digit)
        }
        [] => false,
    };
    words.filter(is_id).collect()
}

#[test]
fn the_threat_model_names_what_is_there() {
    let page = read("../docs/threat-model.md");
    let (held, rest) = page.split_once("\n## What nothing here stops\n").expect("the heading");
    let catalogue = Catalogue::read(&read("catalogue.toml")).expect("a catalogue");
    let cases = of_folder(&corpus()).expect("cases");
    let mut faults = Vec::new();
    for id in ids(held) {
        if !cases.iter().any(|case| case.told.id == id) {
            faults.push(format!("{id} has no case"));
        }
    }
    for id in ids(rest) {
        if !catalogue.classes.values().any(|class| class.ids.contains_key(id)) {
            faults.push(format!("there is no {id}"));
        }
    }
    // The layers of its table, as the cases call them.
    let rows: [(&str, &[&str]); 18] = [
        ("identity", &["identity"]),
        ("user namespace", &["userns"]),
        ("mounts", &["mounts"]),
        ("pid namespace", &["pidns"]),
        ("network namespace", &["netns"]),
        ("IPC namespace", &["ipcns"]),
        ("UTS, control-group namespace", &["utsns", "cgroupns"]),
        ("Landlock", &["landlock"]),
        ("system-call filter", &["seccomp"]),
        ("init as broker", &["broker"]),
        ("init and supervisor", &["dumpable"]),
        ("limits", &["limits", "cgroup"]),
        ("environment", &["environment"]),
        ("descriptors", &["descriptors"]),
        ("way out:", &["egress"]),
        ("gate", &["gate"]),
        ("journal", &["journal"]),
        ("host's side", &["supervisor"]),
    ];
    for (begin, names) in rows {
        let row = held.lines().find(|line| line.starts_with(&format!("| {begin}"))).expect(begin);
        let named = ids(row);
        if named.is_empty() {
            faults.push(format!("nothing shows `{begin}`"));
        }
        for id in named {
            let stops =
                |case: &Case| case.told.layers.iter().any(|layer| names.contains(&&*layer.to_string()));
            if !cases.iter().any(|case| case.told.id == id && stops(case)) {
                faults.push(format!("no case of {id} says that {} stops it", names.join(" or ")));
            }
        }
    }
    assert!(faults.is_empty(), "docs/threat-model.md:\n{}", faults.join("\n"));
}

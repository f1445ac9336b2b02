//! A log that changes its key under the eyes of witnesses, witnesses that are away or silent, and what is on record of them.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod served;
mod support;

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use served::{Served, copy, host, key, said_by, set, verified, verify};
use support::{Place, say};

fn rotate(place: &Place) {
    let rotated = say(&mut place.waxcell(&["audit", "key", "--rotate"]));
    assert_eq!(rotated.code, 0, "{rotated:?}");
}

fn cosigned(place: &Place) -> serde_json::Value {
    let found = verified(place);
    json!([found["cosigned"], found["quorum"]])
}

/// How many signatures the end of an epoch bears, the log's own among them.
fn signatures(place: &Place, epoch: u32) -> usize {
    let seal = fs::read_to_string(place.journal().join(format!("tlog/seals/{epoch}"))).unwrap();
    seal.lines().filter(|line| line.starts_with('\u{2014}')).count()
}

#[test]
fn a_witness_follows_a_log_to_its_next_key() {
    let (a, b) = (host(), host());
    let first = key(&a);
    let witness = Served::start(&b, &first, "127.0.0.1:0");
    let address = witness.address().to_owned();
    set(&a, &[(&witness.key, &witness.url)], "1", &[]);
    assert_eq!(a.run("print(1)").code, 0);
    rotate(&a);
    assert_eq!(signatures(&a, 1), 2);
    let run = a.run("print(2)");
    assert_eq!((run.code, run.err()), (0, String::new()));
    assert_eq!(cosigned(&a), json!([1, true]));
    assert!(said_by(&b).contains("follows to the key"), "{}", said_by(&b));

    // Started anew with the first key alone, it has not forgotten the way.
    drop(witness);
    let witness = Served::start(&b, &first, &address);
    assert_eq!(a.run("print(3)").code, 0);
    assert_eq!(cosigned(&a), json!([1, true]));

    // Away while the key changes twice, it signs the ends of both epochs when it is back, and goes on.
    drop(witness);
    rotate(&a);
    assert_eq!(a.run("print(4)").code, 0);
    rotate(&a);
    assert_eq!(a.run("print(5)").code, 0);
    assert_eq!((signatures(&a, 2), signatures(&a, 3)), (1, 1));
    let witness = Served::start(&b, &first, &address);
    let checkpoint = say(&mut a.waxcell(&["audit", "checkpoint"]));
    assert!(checkpoint.err().contains("cosigned 1 of 1"), "{checkpoint:?}\n{}", said_by(&b));
    assert_eq!((signatures(&a, 2), signatures(&a, 3)), (2, 2));
    assert_eq!(cosigned(&a), json!([1, true]));

    // So what was recorded meanwhile is proved with a quorum, by the key of then.
    let keys: Vec<String> = key(&a).lines().map(str::to_owned).collect();
    assert_eq!(keys.len(), 4);
    let trust = format!("log {}\nwitness w {}\nquorum w\n", keys[2], witness.key);
    let trust = a.write("trust.policy", trust).display().to_string();
    let records = a.records();
    let index = records.iter().rposition(|record| record["type"] == "key").unwrap() - 1;
    let proof = a.project().join("proof").display().to_string();
    let record = index.to_string();
    assert_eq!(say(&mut a.waxcell(&["audit", "prove", "--record", &record, "--output", &proof])).code, 0);
    let proved = verify(&a, &[&proof, "--trust", &trust]);
    assert_eq!(proved.code, 0, "{proved:?}");
    assert_eq!(verify(&a, &["--complete", "--key", &first]).code, 0);
}

/// Whoever took the machine before the key changed has a key that was to be destroyed.
#[test]
fn a_witness_that_has_followed_signs_nothing_by_the_old_key() {
    let (a, b) = (host(), host());
    let witness = Served::start(&b, &key(&a), "127.0.0.1:0");
    set(&a, &[(&witness.key, &witness.url)], "1", &[]);
    let taken = Place::new(served::POLICY);
    copy(&a.state(), &taken.state());
    rotate(&a);
    assert_eq!(a.run("print(1)").code, 0);
    assert_eq!(cosigned(&a), json!([1, true]));
    for _ in 0..3 {
        assert_eq!(taken.run("print('grows past it')").code, 0);
    }
    let said = said_by(&b);
    assert!(said.contains("signed by the old one"), "{said}");
    assert_ne!(verified(&taken)["state"], "cosigned");
    assert_eq!(a.run("print(1)").code, 0);
    assert_eq!(cosigned(&a), json!([1, true]), "and the log goes on");
}

#[test]
fn a_silent_witness_is_left_alone_for_a_while() {
    let (a, b) = (host(), host());
    let known = Served::start(&b, &key(&a), "127.0.0.1:0").key.clone();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = {
        let asked = Arc::clone(&asked);
        move || asked.load(Ordering::SeqCst)
    };
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in silent.incoming().map_while(Result::ok) {
            asked.fetch_add(1, Ordering::SeqCst);
            open.push(stream);
        }
    });
    set(&a, &[(&known, &url)], "1", &[]);
    assert_eq!(count(), 1, "control: it is asked when it is set");
    for _ in 0..3 {
        let run = a.run("print(1)");
        assert_eq!((run.code, run.err()), (0, String::new()));
    }
    assert_eq!(count(), 1, "nobody waits for it");
    let checkpoint = say(&mut a.waxcell(&["audit", "checkpoint"]));
    assert!(checkpoint.err().contains("no answer in time"), "{checkpoint:?}");
    assert_eq!(count(), 2, "whoever asks for its answer gets it asked");
    // Where everything depends on it, too.
    set(&a, &[(&known, &url)], "1", &["--require-within", "3600"]);
    let before = count();
    let refused = a.run("print('must not run')");
    assert!(refused.code == 125 && refused.err().contains("no answer in time"), "{refused:?}");
    assert_eq!(count(), before + 1);
    // What is remembered of it can be lost.
    fs::remove_file(a.journal().join("witnesses.silent")).unwrap();
    say(&mut a.waxcell(&["audit", "witness", "none"]));
    set(&a, &[(&known, &url)], "1", &[]);
    assert_eq!(count(), before + 2);
}

#[test]
fn who_watches_is_on_record() {
    let (a, b) = (host(), host());
    let witness = Served::start(&b, &key(&a), "127.0.0.1:0");
    set(&a, &[(&witness.key, &witness.url)], "1", &["--require-within", "60"]);
    assert_eq!(cosigned(&a), json!([1, true]), "they are the first to see that");
    assert_eq!(say(&mut a.waxcell(&["audit", "witness", "none"])).code, 0);
    let records = a.records();
    let [set, none] = &records[records.len() - 2..] else { panic!("{records:?}") };
    assert_eq!((&set["type"], &set["action"]), (&json!("witnesses"), &json!("set")));
    assert_eq!(set["witnesses"], json!([{"name": "w0", "vkey": witness.key, "url": witness.url}]));
    assert_eq!(set["require_within"], 60);
    let policy = say(a.command("/usr/bin/sha256sum").arg(a.project().join("witnesses.policy"))).out();
    assert_eq!(set["sha256"].as_str(), policy.split(' ').next());
    assert!(none["action"] == "none" && none["witnesses"].is_null() && none["actor"]["uid"].is_number());
    // What is refused is not.
    let file = a.write("policy", "nonsense\n").display().to_string();
    assert_eq!(say(&mut a.waxcell(&["audit", "witness", "set", &file])).code, 125);
    assert_eq!(a.records().len(), records.len());
}

//! Witnesses as processes on loopback: two hosts that watch each other, a record that was copied or put back, and what a
//! witness bears.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands, and starts programs"
)]

mod served;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use served::{POLICY, Served, copy, first_submission, host, key, reply, said_by, set, verified, verify};
use support::{Place, say};

#[test]
fn two_hosts_watch_each_other() {
    let (a, b) = (host(), host());
    assert_eq!(verified(&a)["state"], "signed");
    let (watches_b, watches_a) =
        (Served::start(&a, &key(&b), "127.0.0.1:0"), Served::start(&b, &key(&a), "127.0.0.1:0"));
    assert_eq!(say(&mut a.waxcell(&["witness", "key"])).out().trim(), watches_b.key);
    set(&a, &[(&watches_a.key, &watches_a.url)], "all", &[]);
    set(&b, &[(&watches_b.key, &watches_b.url)], "all", &[]);
    for round in 0..3 {
        for place in [&a, &b] {
            let run = place.run("print(2)");
            assert_eq!((run.code, run.err()), (0, String::new()), "{round}");
            let found = verified(place);
            let figures = ["state", "cosigned", "witnesses", "quorum"].map(|field| found[field].clone());
            assert_eq!(Value::from(figures.to_vec()), json!(["cosigned", 1, 1, true]), "{found}");
        }
    }
    assert!(verify(&a, &[]).out().contains("cosigned 1 of 1\n"));
    let checkpoint = say(&mut a.waxcell(&["audit", "checkpoint"]));
    assert!(checkpoint.err().contains("cosigned 1 of 1") && checkpoint.out().contains(&watches_a.key[..9]));
    let checkpoint = say(&mut a.waxcell(&["audit", "checkpoint", "--json"])).report();
    assert_eq!((&checkpoint["state"], &checkpoint["cosigned"]), (&json!("cosigned"), &json!(1)));

    // Whoever trusts log and witness by name gets what they ask for, of the log and of a proof.
    let policy = |quorum: &str, witness: &str| {
        let text = format!("log {}\nwitness w {witness}\nquorum {quorum}\n", key(&a));
        a.write("trust.policy", text).display().to_string()
    };
    let proof = a.root().join("proof").display().to_string();
    let made = say(&mut a.waxcell(&["audit", "prove", "--record", "2", "--output", &proof]));
    assert_eq!(made.code, 0, "{made:?}");
    let trust = policy("w", &watches_a.key);
    assert_eq!(verify(&a, &["--trust", &trust]).code, 0);
    let proved = verify(&a, &[&proof, "--trust", &trust]);
    assert!(proved.code == 0 && proved.out().contains("cosigned 1 of 1"), "{proved:?}");
    let trust = policy("w", &watches_b.key);
    for what in [vec!["--trust", &trust], vec![&proof, "--trust", &trust]] {
        let lacking = verify(&a, &what);
        assert!(lacking.code == 1 && lacking.err().contains("0 of the 1 witnesses"), "{lacking:?}");
    }
    assert_eq!(verify(&a, &["--trust", &policy("none", &watches_b.key)]).code, 0);
    assert_eq!(verify(&a, &["--trust", "nowhere"]).code, 3);

    // A cosignature that somebody made up is worse than none.
    let path = a.journal().join("tlog/checkpoint");
    let note = fs::read_to_string(&path).unwrap();
    let end = note.trim_end().len() - 6;
    let other = if &note[end..=end] == "A" { "B" } else { "A" };
    fs::write(&path, format!("{}{other}{}", &note[..end], &note[end + 1..])).unwrap();
    let made_up = verify(&a, &[]);
    assert!(made_up.code == 1 && made_up.err().contains("is wrong"), "{made_up:?}");
}

#[test]
fn of_two_witnesses_one_is_gone() {
    let (a, b, c) = (host(), host(), host());
    let (one, two) = (Served::start(&b, &key(&a), "127.0.0.1:0"), Served::start(&c, &key(&a), "127.0.0.1:0"));
    set(&a, &[(&one.key, &one.url), (&two.key, &two.url)], "2", &[]);
    assert_eq!(a.run("print(1)").code, 0);
    let count = || {
        let found = verified(&a);
        json!([found["cosigned"], found["quorum"]])
    };
    assert_eq!(count(), json!([2, true]));
    let gone = two.address().to_owned();
    drop(two);
    let run = a.run("print(1)");
    assert_eq!((run.code, run.err()), (0, String::new()), "nobody has to wait, and nothing is demanded");
    assert_eq!(count(), json!([1, false]));
    let checkpoint = say(&mut a.waxcell(&["audit", "checkpoint"]));
    assert!(checkpoint.code == 0 && checkpoint.err().contains("cosigned 1 of 2: that is no quorum"));
    assert!(
        checkpoint.err().contains("witness w1") && checkpoint.err().contains("refused"),
        "{checkpoint:?}"
    );
    // Back at the same address, it goes on from where it was.
    let _two = Served::start(&c, &key(&a), &gone);
    assert!(say(&mut a.waxcell(&["audit", "checkpoint"])).err().contains("cosigned 2 of 2"));
}

#[test]
fn a_witness_that_answers_nothing_holds_nobody_up_for_long() {
    let a = host();
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let b = host();
    let key_of_b = Served::start(&b, &key(&a), "127.0.0.1:0").key.clone();
    let begun = Instant::now();
    set(&a, &[(&key_of_b, &format!("http://{}", silent.local_addr().unwrap()))], "1", &[]);
    let run = a.run("print(1)");
    assert_eq!((run.code, run.err()), (0, String::new()));
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(1900), "control: it was waited for: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    // One that talks nonsense, at length, is as one that says nothing.
    std::thread::spawn(move || {
        for stream in silent.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let _ = stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".as_bytes());
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        }
    });
    let checkpoint = say(&mut a.waxcell(&["audit", "checkpoint"]));
    assert!(checkpoint.code == 0 && checkpoint.err().contains("too long"), "{checkpoint:?}");
    assert_eq!(verify(&a, &["--complete"]).code, 0);
}

/// An answer that was on its way when the witness died, after it was durable.
#[test]
fn a_witness_that_is_killed_before_its_answer_has_signed() {
    let (a, b) = (host(), host());
    let strace = Path::new("/usr/bin/strace");
    if !strace.exists() {
        return support::skip(
            "witness::a_witness_that_is_killed_before_its_answer_has_signed",
            "no `strace`",
        );
    }
    let mut command = b.command(strace);
    command.env("WAXCELL_STATE", b.state()).args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=sendto",
        "-e",
        "inject=sendto:signal=KILL:when=1",
    ]);
    command.arg(support::waxcell()).args(["witness", "serve", "--listen", "127.0.0.1:0", "--log", &key(&a)]);
    let dies = Served::of(command, &b);
    let body = first_submission(&a);
    assert_eq!(dies.submit(&body), (0, String::new()), "it is killed before it answers");
    drop(dies);
    let size = body.lines().nth(3).unwrap().to_owned();
    let lives = Served::start(&b, &key(&a), "127.0.0.1:0");
    assert_eq!(lives.submit(&body), (409, format!("{size}\n")));
    // The log goes by the answer, and gets what it did not get then.
    let (status, line) = lives.submit(&body.replacen("old 0", &format!("old {size}"), 1));
    assert!(status == 200 && line.starts_with("\u{2014} "), "{status} {line}");
    set(&a, &[(&lives.key, &lives.url)], "1", &[]);
    assert_eq!(a.run("print(1)").code, 0);
    assert_eq!(verified(&a)["state"], "cosigned");
}

#[test]
fn a_record_that_was_copied_is_caught_on_both_sides() {
    let (a, b) = (host(), host());
    let witness = Served::start(&b, &key(&a), "127.0.0.1:0");
    set(&a, &[(&witness.key, &witness.url)], "1", &[]);
    assert_eq!(a.run("print(1)").code, 0);
    let twin = Place::new(POLICY);
    copy(&a.state(), &twin.state());
    assert_eq!(a.run("print('the one')").code, 0);
    assert_eq!(verified(&a)["state"], "cosigned");
    // As many records, and others.
    let run = twin.run("print('the other')");
    assert!(run.code == 0 && run.err().contains("another log of this name and key"), "{run:?}");
    let said = said_by(&b);
    assert!(said.contains("EVIDENCE") && said.contains("different trees of one size"), "{said}");
    let refused = twin.run("print('must not run')");
    assert!(
        refused.code == 125 && refused.out().is_empty() && refused.err().contains("evidence"),
        "{refused:?}"
    );
    let checkpoint = say(&mut twin.waxcell(&["audit", "checkpoint"]));
    assert!(checkpoint.code == 3 && checkpoint.err().contains("split-view"), "{checkpoint:?}");
    let told = verify(&twin, &[]);
    assert!(told.code == 1 && told.err().contains("split-view"), "{told:?}");
    let evidence: Vec<_> =
        fs::read_dir(twin.journal().join("evidence")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    // Both notes are in it, each signed by the log.
    let text = fs::read_to_string(&evidence[0]).unwrap();
    let line = format!("\u{2014} {} ", key(&a).split('+').next().unwrap());
    assert_eq!(text.matches(&line).count(), 2, "{text}");
    // Whoever takes it away without doing anything about it is told again.
    fs::remove_file(&evidence[0]).unwrap();
    let run = twin.run("print('grows past it')");
    assert!(run.code == 0 && run.err().contains("another log of this name and key"), "{run:?}");
    assert_eq!(twin.run("print('must not run')").code, 125);
    // The one that was seen first goes on.
    let run = a.run("print(3)");
    assert_eq!((run.code, run.err()), (0, String::new()));
    assert_eq!(verified(&a)["state"], "cosigned");
    assert!(!a.journal().join("evidence").exists());
}

#[test]
fn a_record_that_was_put_back_is_caught() {
    let (a, b) = (host(), host());
    let witness = Served::start(&b, &key(&a), "127.0.0.1:0");
    set(&a, &[(&witness.key, &witness.url)], "1", &[]);
    assert_eq!(a.run("print(1)").code, 0);
    let early = a.root().join("early");
    copy(&a.journal(), &early);
    for _ in 0..3 {
        assert_eq!(a.run("print(2)").code, 0);
    }
    fs::remove_dir_all(a.journal()).unwrap();
    copy(&early, &a.journal());
    assert_eq!(verify(&a, &[]).code, 0, "control: nothing in the record itself tells");
    let run = a.run("print(3)");
    assert!(run.code == 0 && run.err().contains("rollback-"), "{run:?}");
    let refused = a.run("print('must not run')");
    assert!(refused.code == 125 && refused.out().is_empty(), "{refused:?}");
    assert!(said_by(&b).contains("shows fewer entries than before"), "{}", said_by(&b));
}

/// Anybody on the way can say anything; without a signature it stops nobody.
#[test]
fn a_claim_without_a_signature_is_told_and_stops_nothing() {
    let (a, b) = (host(), host());
    let known = Served::start(&b, &key(&a), "127.0.0.1:0").key.clone();
    let liar = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", liar.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in liar.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(b"HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\n999\n");
        }
    });
    set(&a, &[(&known, &url)], "1", &[]);
    for _ in 0..2 {
        let run = a.run("print(1)");
        assert!(run.code == 0 && run.out() == "1\n", "{run:?}");
        assert!(
            run.err().contains("has signed 999 records") && run.err().contains("does not show"),
            "{run:?}"
        );
    }
    assert!(!a.journal().join("evidence").exists());
    assert_eq!(verified(&a)["state"], "signed");
}

#[test]
fn where_a_quorum_is_demanded_nothing_runs_unseen() {
    let (a, b) = (host(), host());
    let witness = Served::start(&b, &key(&a), "127.0.0.1:0");
    set(&a, &[(&witness.key, &witness.url)], "1", &["--require-within", "1"]);
    assert_eq!(a.run("print(1)").code, 0, "what is on record is signed now, before it begins");
    assert_eq!(verified(&a)["quorum"], true);
    let address = witness.address().to_owned();
    drop(witness);
    assert_eq!(a.run("print(2)").code, 0, "all that is on record was seen");
    std::thread::sleep(Duration::from_millis(2100));
    let refused = a.run("print('must not run')");
    assert!(refused.code == 125 && refused.out().is_empty(), "{refused:?}");
    assert!(
        refused.err().contains("no quorum of witnesses") && refused.err().contains("refused"),
        "{refused:?}"
    );
    assert_eq!(verify(&a, &["--complete"]).code, 0);
    // It goes on by itself when the witness is back.
    let _back = Served::start(&b, &key(&a), &address);
    assert_eq!(a.run("print(3)").code, 0);
    let shown = say(&mut a.waxcell(&["audit", "witness", "show"]));
    assert!(shown.out().contains("for 1 s") && shown.out().contains("cosigned 1 of 1"), "{shown:?}");
    // And where it is not demanded any more.
    assert_eq!(say(&mut a.waxcell(&["audit", "witness", "none"])).code, 0);
    assert_eq!(say(&mut a.waxcell(&["audit", "witness", "show"])).out(), "no witnesses\n");
    // What cannot be read demands everything.
    fs::write(a.journal().join("witnesses"), "nonsense\n").unwrap();
    let unread = a.run("print('must not run')");
    assert!(unread.code == 125 && unread.err().contains("line 1 of the policy"), "{unread:?}");
}

#[test]
fn what_cannot_be_a_witness_is_refused_when_it_is_set() {
    let a = host();
    let set = |text: &str, more: &[&str]| {
        let file = a.write("policy", text).display().to_string();
        say(&mut a.waxcell(&[&["audit", "witness", "set", &file], more].concat()))
    };
    let key = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    for (text, more, word) in [
        (format!("witness w {key} https://a\nquorum w\n"), &[][..], "HTTPS"),
        (format!("witness w {key} 192.0.2.7:80\nquorum w\n"), &[], "http://ADDRESS"),
        (format!("witness w {key} http://watch.example\nquorum w\n"), &[], "not looked up"),
        (format!("witness w {key} http://192.0.2.7\n"), &[], "quorum"),
        (format!("witness w {key} http://192.0.2.7\nquorum none\n"), &["--require-within", "60"], "quorum"),
        (format!("witness w {key}\nquorum w\n"), &["--require-within", "60"], "address"),
    ] {
        let refused = set(&text, more);
        assert!(refused.code == 125 && refused.err().contains(word), "{text}: {refused:?}");
    }
    assert!(!a.journal().join("witnesses").exists());
    assert_eq!(set(&format!("witness w {key} http://127.0.0.1:9\nquorum none\n"), &[]).code, 0);
}

#[test]
fn ten_thousand_bad_requests_do_nothing() {
    let (a, b) = (host(), host());
    let witness = Served::start(&b, &key(&a), "127.0.0.1:0");
    let body = first_submission(&a);
    let whole = format!("POST /add-checkpoint HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    // A generator of numbers that is the same each time.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let mut answered = 0;
    for nth in 0..10_000 {
        let mut bytes = whole.clone().into_bytes();
        match nth % 4 {
            // A byte of the body, which is signed or is not a proof.
            0 => {
                let at = bytes.len() - 1 - next(body.len() - 8);
                bytes[at] ^= 1 << next(7);
            }
            // Anything in front.
            1 => bytes[next(whole.len() - body.len() - 4)] = next(256) as u8,
            // Cut off.
            2 => bytes.truncate(next(whole.len() - 1)),
            _ => bytes = (0..next(300)).map(|_| next(256) as u8).collect(),
        }
        let mut stream = witness.connect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let (status, said) = reply(&mut stream);
        // In front of the body a change may be none.
        assert!(status != 200 || nth % 4 == 1, "{status} {said}: {:?}", String::from_utf8_lossy(&bytes));
        assert!(status != 500, "{said}");
        answered += u32::from(status != 0);
    }
    assert!(answered > 7000, "{answered} were understood well enough to be answered");
    assert!([200, 409].contains(&witness.submit(&body).0), "and it is as before");
    assert!(!said_by(&b).contains("panicked"));
}

#[test]
fn who_sends_slowly_keeps_nobody_away() {
    let (a, b) = (host(), host());
    let witness = Served::start(&b, &key(&a), "127.0.0.1:0");
    let body = first_submission(&a);
    // More than there are places, each with the beginning of a request.
    let mut slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = witness.connect();
            let _ = stream.write_all(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 60000\r\n\r\nold");
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(witness.submit(&body).0, 200);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    // Threads and descriptors are bounded, whoever comes.
    let status = fs::read_to_string(format!("/proc/{}/status", witness.child.id())).unwrap();
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
    assert!(threads.trim().parse::<u32>().unwrap() < 160, "{threads}");
    // A byte now and then does not prolong a request.
    let mut dripping = slow.pop().unwrap();
    let ended = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        dripping.write_all(b" ").is_err()
    });
    assert!(ended && begun.elapsed() < Duration::from_secs(35), "{:?}", begun.elapsed());
    assert_eq!(witness.submit(&body).0, 409);
}

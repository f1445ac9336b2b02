//! A journal whose key is with a signer: what it signs, what it refuses, and what is left when either is cut off.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::epoch::{TIME, append, open, verify};
use super::support::scratch;
use crate::disk::faults::{Manner, Plan, under};
use crate::{Journal, Log, LogError, PublishError, Publisher, Signer, SignerError};

/// A signer on a socket, for as long as the test lasts.
pub(super) fn serve(home: &Path) -> (PathBuf, Arc<Signer>) {
    let signer = Arc::new(Signer::open(&home.join("signer")).unwrap());
    let socket = home.join("signer.sock");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = Arc::clone(&signer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut order = Vec::new();
            stream.read_to_end(&mut order).unwrap();
            let _ = stream.write_all(serving.answer(&order).answer.as_bytes());
        }
    });
    (socket, signer)
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
fn a_signer_signs_what_goes_on_and_its_key_follows_and_is_followed() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (socket, signer) = serve(home.path());
    let (publisher, mut journal) = open(&directory);
    let first = publisher.verifier().unwrap();
    append(&mut journal, 3);
    publisher.publish(3).unwrap();
    let second = publisher.move_to_signer(&mut journal, &socket, TIME).unwrap();
    assert_eq!((signer.verifier(), publisher.verifier().unwrap()), (Some(second.clone()), second.clone()));
    assert!(!directory.join("key").exists() && !directory.join("signer.next").exists());
    for count in [1, 300, 2] {
        append(&mut journal, count);
        publisher.publish(journal.next_index()).unwrap();
        assert_eq!(verify(&Log::at(publisher.folder()), &first).unwrap().faults, []);
        assert_eq!(publisher.signed().unwrap(), journal.next_index());
    }
    let third = publisher.rotate(&mut journal, TIME).unwrap();
    append(&mut journal, 2);
    let (publisher, _) = open(&directory);
    publisher.publish(journal.next_index()).unwrap();
    let log = Log::at(publisher.folder());
    for key in [&first, &second, &third] {
        assert_eq!(verify(&log, key).unwrap().faults, []);
    }
    assert_eq!(log.keys().unwrap(), [first, second, third.clone()]);
    assert_eq!(signer.verifier(), Some(third));
    assert!(matches!(
        publisher.move_to_signer(&mut journal, &socket, TIME),
        Err(PublishError::WithSigner(_))
    ));
    assert!(matches!(publisher.sign_envelope("text", b"x"), Err(PublishError::CheckpointsAlone(_))));
    // Another log has another signer, and one that has signed before is no new one.
    let (other, mut records) = open(&home.path().join("other"));
    append(&mut records, 1);
    let refused = other.move_to_signer(&mut records, &socket, TIME);
    assert!(matches!(refused, Err(PublishError::Signer(SignerError::Refused { .. }))), "{refused:?}");
    other.publish(1).unwrap();
}

#[test]
fn a_journal_that_was_put_back_or_rewritten_is_refused_and_the_evidence_kept() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (socket, _signer) = serve(home.path());
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 3);
    publisher.move_to_signer(&mut journal, &socket, TIME).unwrap();
    append(&mut journal, 5);
    publisher.publish(9).unwrap();
    let old = home.path().join("old");
    copy(&directory, &old);
    append(&mut journal, 4);
    publisher.publish(13).unwrap();
    let evidence = || fs::read_dir(home.path().join("signer/evidence")).unwrap().count();

    let (back, mut records) = open(&old);
    assert_eq!(back.signed().unwrap(), 13, "also where the head says less");
    assert!(matches!(back.publish(9), Err(PublishError::Shrunk { records: 9, signed: 13 })));
    assert_eq!(evidence(), 0);
    // Other records up to the same number, and beyond.
    let other = |index| format!(r#"{{"index":{index},"run":"{index:032x}","type":"refused","v":1}}"#);
    for size in [13, 15] {
        while records.next_index() < size {
            records.append_with(crate::Mark::None, crate::SpanId::NONE, |i| other(i + 77)).unwrap();
        }
        let refused = back.publish(size).unwrap_err();
        assert!(refused.is_evidence(), "{refused:?}");
        assert!(matches!(refused, PublishError::Signer(SignerError::Against { .. })), "{refused:?}");
    }
    assert_eq!(evidence(), 2);
    // Control: the true one goes on.
    append(&mut journal, 1);
    publisher.publish(14).unwrap();
}

#[test]
fn without_its_signer_a_journal_is_not_signed_and_goes_on_when_it_is_back() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (socket, signer) = serve(home.path());
    let (publisher, mut journal) = open(&directory);
    let first = publisher.verifier().unwrap();
    append(&mut journal, 1);
    publisher.move_to_signer(&mut journal, &socket, TIME).unwrap();
    fs::rename(&socket, home.path().join("away")).unwrap();
    let (publisher, mut journal) = open(&directory);
    append(&mut journal, 2);
    let silent = publisher.publish(4).unwrap_err();
    assert!(matches!(silent, PublishError::Signer(SignerError::Silent { .. })), "{silent:?}");
    assert!(!silent.is_evidence());
    assert_eq!(publisher.signed().unwrap(), 2);
    // Somebody else listens there, with a key of the same name.
    let strangers = home.path().join("strangers");
    fs::create_dir(&strangers).unwrap();
    let (strange, other) = serve(&strangers);
    let name = first.name();
    assert!(other.answer(format!("waxcell-signer/1 begin {name}\n").as_bytes()).answer.starts_with("done"));
    fs::rename(&strange, &socket).unwrap();
    let refused = publisher.publish(4).unwrap_err();
    assert!(matches!(refused, PublishError::Signer(SignerError::OtherKey { .. })), "{refused:?}");
    fs::rename(home.path().join("away"), &socket).unwrap();
    publisher.publish(4).unwrap();
    assert!(verify(&Log::at(publisher.folder()), &first).unwrap().is_sound());
    drop(signer);
}

#[test]
fn what_is_no_order_is_refused_and_nothing_is_signed() {
    let home = scratch();
    let directory = home.path().join("signer");
    let signer = Signer::open(&directory).unwrap();
    assert!(Signer::open(&directory).is_err(), "one at a time");
    let say = |order: &str| signer.answer(order.as_bytes()).answer;
    assert!(say("waxcell-signer/1 status\n").starts_with("refused"));
    assert!(say("waxcell-signer/1 begin host/log\n").starts_with("done\nkey host/log+"));
    assert!(say("waxcell-signer/1 begin host/other\n").starts_with("refused"));
    let root = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    for order in [
        "",
        "\n",
        "waxcell-signer/1 \n",
        "waxcell-signer/1 sign\n",
        "waxcell-signer/1 status\nmore",
        "waxcell-signer/2 status\n",
        &format!("waxcell-signer/1 sign\nold 0\n\nhost/other\n1\n{root}\n"),
        &format!("waxcell-signer/1 sign\nold 0\n\nhost/log\n1\n{root}\nmore\n"),
        &format!("waxcell-signer/1 sign\nold 3\n\nhost/log\n5\n{root}\n"),
        &format!("waxcell-signer/1 sign\nold 0\n{root}\n\nhost/log\n5\n{root}\n"),
        "waxcell-signer/1 follow host/log+00000000+AA\n",
        &"x".repeat(1 << 17),
    ] {
        assert!(say(order).starts_with("refused"), "{order:.60?}");
    }
    for noise in [&[0xff_u8; 64][..], &[0; 4], b"waxcell-signer/1 \xff\n", b"waxcell-signer/1 sign\n\xff"] {
        assert!(signer.answer(noise).answer.starts_with("refused"));
    }
    assert!(!say("waxcell-signer/1 status\n").contains("\u{2014}"), "no signature yet");
    let sign = format!("waxcell-signer/1 sign\nold 0\n\nhost/log\n5\n{root}\n");
    let signed = say(&sign);
    assert!(signed.contains("\u{2014} host/log "), "{signed}");
    assert_eq!(say(&sign), signed, "the same again");
    drop(signer);
    // The memory of a signer is not to be left out.
    fs::rename(directory.join("head"), directory.join("gone")).unwrap();
    assert!(matches!(Signer::open(&directory), Err(crate::SignerFailure::Memory(_))));
    fs::rename(directory.join("gone"), directory.join("head")).unwrap();
    fs::remove_file(directory.join("key")).unwrap();
    assert!(matches!(Signer::open(&directory), Err(crate::SignerFailure::Key(_))));
}

#[test]
fn a_signer_that_fails_says_nothing_it_does_not_remember() {
    for then in ["sign", "next", "follow"] {
        for manner in [Manner::Lost, Manner::Half, Manner::Done] {
            for after in 0.. {
                let home = scratch();
                let directory = home.path().join("signer");
                let root = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
                let other = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
                let sign = |root: &str| format!("waxcell-signer/1 sign\nold 0\n\nhost/log\n5\n{root}\n");
                let signer = Signer::open(&directory).unwrap();
                let say = |order: &str| signer.answer(order.as_bytes()).answer;
                say("waxcell-signer/1 begin host/log\n");
                let before = signer.verifier().unwrap();
                let mut order = sign(root);
                if then == "next" {
                    order = "waxcell-signer/1 next\n".to_owned();
                } else if then == "follow" {
                    let standing = say("waxcell-signer/1 next\n");
                    let next =
                        standing.lines().find_map(|line| line.strip_prefix("next ")).unwrap().to_owned();
                    order = format!("waxcell-signer/1 follow {next}\n");
                }
                let (answer, struck) =
                    under(Plan { after, manner, errno: 5, then_dead: true }, || say(&order));
                if !struck {
                    assert!(answer.starts_with("done"), "{answer}");
                    break;
                }
                assert!(answer.starts_with("failed"), "{then} {after}: {answer}");
                assert!(say(&sign(other)).starts_with("failed"), "it takes no more");
                drop(signer);
                let signer = Signer::open(&directory).unwrap();
                let key = signer.verifier().unwrap();
                assert!(then == "follow" || key == before);
                // Whichever of both it remembers, it signs no other.
                let answer = signer.answer(sign(root).as_bytes()).answer;
                assert!(answer.contains("\u{2014} host/log "), "{then} {after}: {answer}");
                assert!(signer.answer(sign(other).as_bytes()).answer.starts_with("against"));
            }
        }
    }
}

#[test]
fn a_move_to_a_signer_and_a_change_there_that_are_cut_off_anywhere_are_finished_or_undone() {
    let mut points = 0;
    for rotates in [false, true] {
        for manner in [Manner::Lost, Manner::Half, Manner::Done] {
            for after in 0.. {
                let home = scratch();
                let directory = home.path().join("journal");
                let (socket, signer) = serve(home.path());
                let (publisher, mut journal) = open(&directory);
                let first = publisher.verifier().unwrap();
                append(&mut journal, 3);
                publisher.publish(3).unwrap();
                if rotates {
                    publisher.move_to_signer(&mut journal, &socket, TIME).unwrap();
                    append(&mut journal, 3);
                }
                let plan = Plan { after, manner, errno: 5, then_dead: true };
                let change = |publisher: &Publisher, journal: &mut Journal| match rotates {
                    false => publisher.move_to_signer(journal, &socket, TIME),
                    true => publisher.rotate(journal, TIME),
                };
                let (changed, struck) = under(plan, || change(&publisher, &mut journal).map(|_| ()));
                if !struck {
                    changed.unwrap();
                    break;
                }
                points += 1;
                drop((publisher, journal));
                let (publisher, mut journal) = open(&directory);
                append(&mut journal, 2);
                publisher.publish(journal.next_index()).unwrap();
                let log = Log::at(publisher.folder());
                assert_eq!(verify(&log, &first).unwrap().faults, [], "{plan:?}");
                assert!(!directory.join("signer.next").exists(), "{plan:?}");
                assert!(directory.join("key").exists() != directory.join("signer").exists(), "{plan:?}");
                // And once more, whole.
                if rotates || directory.join("key").exists() {
                    change(&publisher, &mut journal).unwrap();
                }
                assert_eq!(signer.verifier(), Some(publisher.verifier().unwrap()), "{plan:?}");
                assert_eq!(verify(&log, &first).unwrap().faults, [], "{plan:?}");
            }
        }
    }
    assert!(points > 60, "{points}");
}

#[test]
fn whoever_has_the_journal_alone_cannot_sign_for_the_signer() {
    let home = scratch();
    let directory = home.path().join("journal");
    let (socket, _signer) = serve(home.path());
    let (publisher, mut journal) = open(&directory);
    let first = publisher.verifier().unwrap();
    append(&mut journal, 3);
    publisher.move_to_signer(&mut journal, &socket, TIME).unwrap();
    append(&mut journal, 1);
    publisher.publish(5).unwrap();
    // A key of one's own in the place of the signer.
    let (forger, _) = open(&home.path().join("forger"));
    fs::copy(home.path().join("forger/key"), directory.join("key")).unwrap();
    append(&mut journal, 1);
    let (publisher, journal) = open(&directory);
    let _ = publisher.publish(journal.next_index());
    assert!(matches!(
        verify(&Log::at(publisher.folder()), &first),
        Err(LogError::Checkpoint { .. } | LogError::Seal { .. })
    ));
    drop(forger);
}

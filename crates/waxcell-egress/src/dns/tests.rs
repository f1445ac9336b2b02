use std::net::IpAddr;

use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{A, AAAA, Answer, Found, Malformed, answer, answer_to_malformed, query, question, reply};
use crate::name::{Name, NameProblem};

fn name(written: &str) -> Name {
    Name::parse(written).unwrap()
}

/// A question about labels that need not be a name.
fn asking(labels: &[&[u8]], kind: u16) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in labels {
        message.push(label.len() as u8);
        message.extend(*label);
    }
    message.push(0);
    message.extend([(kind >> 8) as u8, kind as u8, 0, 1]);
    message
}

#[test]
fn a_question_is_read_and_answered() {
    let message = asking(&[b"WWW", b"Example", b"org"], A);
    let asked = query(&message).unwrap();
    assert_eq!((asked.name.clone().unwrap(), asked.kind, asked.ordinary), (name("www.example.org"), A, true));
    let told = answer(&asked, Answer::Address("198.18.1.0".parse().unwrap()));
    assert_eq!(told[..12], [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    // The case of the question comes back, which some look for.
    assert!(told[12..].starts_with(b"\x03WWW\x07Example\x03org\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01"));
    assert!(told.ends_with(&[0, 4, 198, 18, 1, 0]));
    assert_eq!(
        reply(&told, 0xabcd, &name("www.example.org"), A),
        Ok(Found::Addresses(vec!["198.18.1.0".parse().unwrap()]))
    );
    assert_eq!(
        reply(&answer(&asked, Answer::NoSuchName), 0xabcd, &name("www.example.org"), A),
        Ok(Found::NoSuchName)
    );
    assert_eq!(
        reply(&answer(&asked, Answer::Failed), 0xabcd, &name("www.example.org"), A),
        Ok(Found::Failed)
    );
    assert_eq!(
        reply(&answer(&asked, Answer::Nothing), 0xabcd, &name("www.example.org"), A),
        Ok(Found::Addresses(vec![]))
    );
}

#[test]
fn names_that_are_none_stay_none() {
    let of = |labels: &[&[u8]]| query(&asking(labels, A)).unwrap().name.unwrap_err();
    assert_eq!(of(&[b"evil.org\0", b"example", b"org"]), NameProblem::Character);
    assert_eq!(of(&[b"evil\0", b"org"]), NameProblem::Character);
    // One label, which would read as three.
    assert_eq!(of(&[b"www.example.org"]), NameProblem::Character);
    assert_eq!(of(&[]), NameProblem::Empty);
    assert_eq!(of(&[b"a%41", b"org"]), NameProblem::Character);
    assert_eq!(query(&asking(&[b"a\n\"", b"org"], A)).unwrap().written, r#"a\n\".org"#);
}

#[test]
fn what_is_no_question_is_refused() {
    let good = asking(&[b"a", b"org"], A);
    let changed = |at: usize, byte| {
        let mut message = good.clone();
        message[at] = byte;
        query(&message).err()
    };
    assert_eq!(changed(2, 0x81), Some(Malformed::Question), "an answer");
    assert_eq!(changed(5, 0), Some(Malformed::Question), "no question");
    assert_eq!(changed(5, 2), Some(Malformed::Question), "two questions");
    assert_eq!(changed(7, 1), Some(Malformed::Question), "an answer in a question");
    assert_eq!(changed(11, 2), Some(Malformed::Question), "two additional records");
    assert_eq!(changed(11, 1), Some(Malformed::Short), "an additional record that is not there");
    assert_eq!(changed(12, 0xc0), Some(Malformed::Label), "a reference");
    assert_eq!(changed(12, 0x41), Some(Malformed::Label), "an extended label");
    assert_eq!(changed(12, 63), Some(Malformed::Short), "a label that is not there");
    assert_eq!(query(&[&good[..], b"x"].concat()).err(), Some(Malformed::Long));
    for length in 0..good.len() {
        assert_eq!(query(&good[..length]).err(), Some(Malformed::Short), "{length}");
    }
    let many: Vec<&[u8]> = vec![b"a"; 128];
    assert_eq!(query(&asking(&many, A)).err(), Some(Malformed::Label), "256 bytes of name");
    assert!(
        query(&[&changed_additional(&good)[..], &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]].concat()).is_ok(),
        "EDNS"
    );
    // An unusual operation and an unusual class are questions, which nobody answers.
    let mut other = good.clone();
    other[2] = 0x28;
    assert!(!query(&other).unwrap().ordinary);
    let mut other = good.clone();
    *other.last_mut().unwrap() = 3;
    assert!(!query(&other).unwrap().ordinary);
    assert_eq!(answer_to_malformed(&good).unwrap()[2..4], [0x81, 0x81]);
    assert_eq!(answer_to_malformed(&good[..11]), None);
    assert_eq!(answer_to_malformed(&[0x80; 12]), None, "nobody answers answers");
}

fn changed_additional(good: &[u8]) -> Vec<u8> {
    let mut message = good.to_vec();
    message[11] = 1;
    message
}

/// An answer with records: owner, type, contents.
fn answering(asked: &str, kind: u16, records: &[(&[u8], u16, &[u8])]) -> Vec<u8> {
    let mut message = question(7, &name(asked), kind);
    message[2] = 0x81;
    message[7] = records.len() as u8;
    for (owner, kind, contents) in records {
        message.extend(*owner);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60, 0, contents.len() as u8]);
        message.extend(*contents);
    }
    message
}

#[test]
fn aliases_are_followed_from_the_name_that_was_asked_for() {
    let own: &[u8] = b"\xc0\x0c";
    let read = |records: &[(&[u8], u16, &[u8])]| reply(&answering("a.org", A, records), 7, &name("a.org"), A);
    let found = |addresses: &[&str]| {
        Ok(Found::Addresses(addresses.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect()))
    };
    assert_eq!(read(&[(own, A, &[1, 2, 3, 4]), (own, A, &[1, 2, 3, 5])]), found(&["1.2.3.4", "1.2.3.5"]));
    let chain: [(&[u8], u16, &[u8]); 3] = [
        (own, 5, b"\x01b\x03ORG\0"),
        (b"\x01B\x03org\0", 5, b"\x01c\xc0\x0e"),
        (b"\x01c\x03org\0", A, &[9, 9, 9, 9]),
    ];
    assert_eq!(read(&chain), found(&["9.9.9.9"]));
    // Of somebody else: of a name that nothing leads to, or of the alias' owner.
    assert_eq!(read(&[(b"\x04evil\x03org\0", A, &[6, 6, 6, 6])]), found(&[]));
    assert_eq!(read(&[(own, 5, b"\x01b\x03org\0"), (own, A, &[6, 6, 6, 6])]), found(&[]));
    // Aliases in a circle.
    assert_eq!(read(&[(own, 5, own), (own, A, &[1, 1, 1, 1])]), found(&["1.1.1.1"]));
    // Records of other types, and of the wrong length, are passed over.
    assert_eq!(read(&[(own, 16, b"\x03txt"), (own, AAAA, &[0; 16]), (own, A, &[1, 2, 3])]), found(&[]));
}

#[test]
fn answers_to_something_else_are_refused() {
    let good = answering("a.org", A, &[(b"\xc0\x0c", A, &[1, 2, 3, 4])]);
    let read = |message: &[u8]| reply(message, 7, &name("a.org"), A);
    assert!(read(&good).is_ok());
    assert_eq!(reply(&good, 8, &name("a.org"), A), Err(Malformed::Other), "another id");
    assert_eq!(reply(&good, 7, &name("b.org"), A), Err(Malformed::Other), "another name");
    assert_eq!(reply(&good, 7, &name("a.org"), AAAA), Err(Malformed::Other), "another type");
    assert_eq!(read(&question(7, &name("a.org"), A)), Err(Malformed::Other), "the question itself");
    for length in 0..good.len() {
        assert!(read(&good[..length]).is_err(), "{length}");
    }
    let mut truncated = good.clone();
    truncated[2] |= 2;
    assert_eq!(read(&truncated), Ok(Found::Truncated));
    // References to themselves, forward, out of the message.
    for reference in [b"\xc0\x17", b"\xc0\x18", b"\xff\xff"] {
        assert_eq!(read(&answering("a.org", A, &[(reference, A, &[1, 2, 3, 4])])), Err(Malformed::Label));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in any::<Vec<u8>>()) {
        let _ = (query(&bytes).is_ok(), answer_to_malformed(&bytes), reply(&bytes, 0, &name("a.org"), A).is_ok());
    }

    #[test]
    fn a_changed_message_is_read_without_harm(at in 0usize..60, byte in any::<u8>(), cut in 0usize..60) {
        let mut message = answering("a.org", A, &[(b"\xc0\x0c", 5, b"\x01b\xc0\x0e"), (b"\x01b\xc0\x0e", A, &[1, 2, 3, 4])]);
        let at = at % message.len();
        message[at] = byte;
        message.truncate(message.len().saturating_sub(cut % 8));
        let _ = reply(&message, 7, &name("a.org"), A);
    }

    #[test]
    fn what_is_asked_is_what_is_read(label in "[a-z]{1,63}", top in "[a-z]{2,20}", kind in any::<u16>(), id in any::<u16>()) {
        let asked = name(&format!("{label}.{top}"));
        let message = question(id, &asked, kind);
        let read = query(&message).unwrap();
        prop_assert_eq!((read.name, read.kind, read.ordinary), (Ok(asked), kind, true));
    }
}

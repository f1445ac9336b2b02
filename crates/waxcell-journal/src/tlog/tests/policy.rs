//! Policies: the example of the specification, what every line must be, and who is enough.

use proptest::prelude::*;

use crate::tlog::*;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(KeyName::new(&format!("key.example/{seed}")).unwrap(), &[seed; 32])
}

fn cosigner(seed: u8) -> String {
    key(seed).cosigner().to_string()
}

/// A file in which `LOG` and `W1` to `W9` stand for keys.
fn parse(file: &str) -> Result<Policy, PolicyError> {
    let file = file.replace("LOG", &key(0).verifier().to_string());
    Policy::parse((1..10).fold(file, |file, n| file.replace(&format!("W{n}"), &cosigner(n))).as_bytes())
}

/// A checkpoint of the log, cosigned by these witnesses.
fn signed(witnesses: &[u8], policy: &Policy) -> SignedCheckpoint {
    let log = key(0);
    let mut note = Note::new(Checkpoint::new(log.name(), 9, [7; 32]).to_string()).unwrap();
    note.sign(&log);
    for &witness in witnesses {
        note.add(cosign(&key(witness), &note, 1).unwrap());
    }
    SignedCheckpoint::open(note.to_string().as_bytes(), &[log.verifier()], &policy.witness_keys()).unwrap()
}

fn met(policy: &Policy, witnesses: &[u8]) -> bool {
    policy.check(&signed(witnesses, policy)).is_ok()
}

const EXAMPLE: &str = "log LOG

witness X1 W1
witness X2 W2
witness X3 W3
group X-witnesses 2 X1 X2 X3

witness Y1 W4
witness Y2 W5
witness Y3 W6
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
";

#[test]
fn the_example_of_the_specification() {
    let policy = parse(EXAMPLE).unwrap();
    assert_eq!(policy.log_keys(), [key(0).verifier()]);
    let names: Vec<_> = policy.witnesses().map(|witness| witness.name.as_slice()).collect();
    assert_eq!(names, [b"X1", b"X2", b"X3", b"Y1", b"Y2", b"Y3"]);
    for set in 0..64_u8 {
        let witnesses: Vec<u8> = (0..6).filter(|bit| set >> bit & 1 == 1).map(|bit| bit + 1).collect();
        let expected = (set & 0b111).count_ones() >= 2 && set >> 3 != 0;
        assert_eq!(met(&policy, &witnesses), expected, "{witnesses:?}");
    }
    let error = policy.check(&signed(&[1, 4], &policy)).unwrap_err();
    assert_eq!(error, QuorumError { quorum: "X-and-Y".to_owned(), cosigned: 2, known: 6 });
}

#[test]
fn simple_quorums() {
    let none = parse("quorum none\n").unwrap();
    assert!(met(&none, &[]) && none.logs().is_empty());
    assert!(met(&Policy::of_logs(&[key(0).verifier()]), &[]));
    let one = parse("witness a W1\nwitness b W2\nquorum b\n").unwrap();
    assert!(met(&one, &[2]) && met(&one, &[1, 2]) && !met(&one, &[1]) && !met(&one, &[]));
}

#[test]
fn blanks_comments_and_addresses() {
    let file = " \t# comment \u{e9}\n\n\t log\tLOG  https://log.example/ \nwitness \u{e9} W1 https://w.example/\n  quorum \u{e9}";
    let policy = parse(&format!("{file}\n")).unwrap();
    assert_eq!(policy.logs()[0].url.as_deref(), Some("https://log.example/"));
    let witness = policy.witnesses().next().unwrap();
    assert_eq!(
        (witness.name.as_slice(), witness.url.as_deref()),
        ("\u{e9}".as_bytes(), Some("https://w.example/"))
    );
    assert_eq!(parse(file), Err(PolicyError { line: 5, fault: PolicyFault::Unfinished }));
    // Names are bytes, not text.
    let bytes = [b"witness \xff ".as_slice(), cosigner(1).as_bytes(), b"\nquorum \xff\n"].concat();
    assert!(met(&Policy::parse(&bytes).unwrap(), &[1]));
}

#[test]
fn what_is_wrong_is_said() {
    let two = "witness a W1\nwitness b W2\n";
    let name = |name: &str| name.to_owned();
    let with = |more: &str| format!("{two}{more}quorum none\n");
    let group = PolicyFault::Form("group NAME all|any|K MEMBER...");
    for (file, line, fault) in [
        (String::new(), 1, PolicyFault::NoQuorum),
        (two.to_owned(), 3, PolicyFault::NoQuorum),
        (with("quorum none\n"), 4, PolicyFault::SecondQuorum),
        (name("quorum\n"), 1, PolicyFault::Form("quorum NAME")),
        (name("quorum a b\n"), 1, PolicyFault::Form("quorum NAME")),
        (name("quorum a\n"), 1, PolicyFault::Unknown(name("a"))),
        (format!("quorum a\n{two}"), 1, PolicyFault::Unknown(name("a"))),
        (with("witness c\n"), 3, PolicyFault::Form("witness NAME KEY [URL]")),
        (with("witness c W3 u # more\n"), 3, PolicyFault::Form("witness NAME KEY [URL]")),
        (with("witness a W3\n"), 3, PolicyFault::Taken(name("a"))),
        (with("witness none W3\n"), 3, PolicyFault::Taken(name("none"))),
        (with("witness c W1\n"), 3, PolicyFault::DuplicateKey),
        (with("witness c LOG\n"), 3, PolicyFault::Kind(KeyKind::Ed25519)),
        (with("log W3\n"), 3, PolicyFault::Kind(KeyKind::Cosignature)),
        (with("log LOG\nlog LOG u\n"), 4, PolicyFault::DuplicateKey),
        (with("log\n"), 3, PolicyFault::Form("log KEY [URL]")),
        (with("log k+00000000+!\n"), 3, PolicyFault::Key(KeyError::Base64)),
        (with("Log LOG\n"), 3, PolicyFault::Word(name("Log"))),
        (with("log LOG\r\n"), 3, PolicyFault::Control),
        (with("# \u{7f}\n"), 3, PolicyFault::Control),
        (with("group g all\n"), 3, group.clone()),
        (with("group g\n"), 3, group),
        (with("group g all c\n"), 3, PolicyFault::Unknown(name("c"))),
        (with("group g all g\n"), 3, PolicyFault::Unknown(name("g"))),
        (with("group g all none\n"), 3, PolicyFault::Unknown(name("none"))),
        (with("group a all b\n"), 3, PolicyFault::Taken(name("a"))),
        (with("group g all a a\n"), 3, PolicyFault::Member(name("a"))),
        (with("group g all a\ngroup h any a b\n"), 4, PolicyFault::Member(name("a"))),
        (with("group g 0 a b\n"), 3, PolicyFault::Threshold(name("0"), 2)),
        (with("group g 3 a b\n"), 3, PolicyFault::Threshold(name("3"), 2)),
        (with("group g +1 a b\n"), 3, PolicyFault::Threshold(name("+1"), 2)),
        (
            with("group g 99999999999999999999 a b\n"),
            3,
            PolicyFault::Threshold(name("99999999999999999999"), 2),
        ),
    ] {
        assert_eq!(parse(&file), Err(PolicyError { line, fault }), "{file}");
    }
}

#[test]
fn bounds() {
    let long = "#".repeat(MAX_POLICY) + "\n";
    assert_eq!(parse(&long), Err(PolicyError { line: 1, fault: PolicyFault::TooLong }));
    let many = (0..32).map(|nth| format!("witness w{nth} {}\n", cosigner(nth + 100))).collect::<String>()
        + &(0..32).map(|nth| format!("group g{nth} all w{nth}\n")).collect::<String>()
        + "group all 32";
    let members: String = (0..32).map(|nth| format!(" g{nth}")).collect();
    let policy = parse(&format!("{many}{members}\nquorum all\n")).unwrap();
    let all: Vec<u8> = (100..132).collect();
    assert!(met(&policy, &all) && !met(&policy, &all[1..]));
    let groups: String = (0..MAX_LINES).map(|nth| format!("group g{} all g{nth}\n", nth + 1)).collect();
    let error = parse(&format!("witness g0 W1\n{groups}quorum none\n")).unwrap_err();
    assert_eq!(error, PolicyError { line: MAX_LINES + 1, fault: PolicyFault::TooMany });
    let one_less: String = (0..MAX_LINES - 1).map(|nth| format!("group g{} all g{nth}\n", nth + 1)).collect();
    let deep = parse(&format!("witness g0 W1\n{one_less}quorum g{}\n", MAX_LINES - 1)).unwrap();
    assert!(met(&deep, &[1]) && !met(&deep, &[2]));
}

proptest! {
    #[test]
    fn any_bytes(bytes in "([a-z#+0-9 \\t\\n]|witness |group |quorum none\n|all |log ){0,60}") {
        let _ = Policy::parse(bytes.as_bytes());
    }
}

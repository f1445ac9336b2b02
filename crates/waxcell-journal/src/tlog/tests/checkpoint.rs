//! Checkpoints: what they say, what is refused, and whose signature makes one.

use crate::tlog::*;

const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
    text.parse()
}

fn key(name: &str, seed: u8) -> PrivateKey {
    PrivateKey::from_seed(KeyName::new(name).unwrap(), &[seed; 32])
}

#[test]
fn the_example_of_the_specification() {
    let checkpoint = parse(TEXT).unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size(), 20_852_163);
    assert_eq!(checkpoint.root()[..4], [0x0a, 0xc5, 0x18, 0x6a]);
    assert_eq!(checkpoint.to_string(), TEXT);
    let more = format!("{TEXT}more\nand more\n");
    let checkpoint = parse(&more).unwrap();
    assert_eq!(checkpoint.extensions(), ["more", "and more"]);
    assert_eq!(checkpoint.to_string(), more);
}

#[test]
fn an_empty_log() {
    let name = KeyName::new("host/log").unwrap();
    let empty = Checkpoint::new(&name, 0, empty_root());
    assert_eq!(empty.to_string(), "host/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
    assert_eq!(parse(&empty.to_string()), Ok(empty));
    let other = Checkpoint::new(&name, 0, [0; 32]);
    assert_eq!(parse(&other.to_string()), Err(CheckpointError { line: 3, fault: Line::EmptyRoot }));
}

#[test]
fn what_is_wrong_is_said() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for (text, line, fault) in [
        (String::new(), 1, Line::Missing),
        ("a".to_owned(), 1, Line::Missing),
        ("\n1\n".to_owned(), 1, Line::Empty),
        ("a\n".to_owned(), 2, Line::Missing),
        ("a\n1\n".to_owned(), 3, Line::Missing),
        (format!("a\n1\n{root}"), 3, Line::Missing),
        (format!("a\n\n{root}\n"), 2, Line::Empty),
        (format!("a\n01\n{root}\n"), 2, Line::Size),
        (format!("a\n+1\n{root}\n"), 2, Line::Size),
        (format!("a\n-1\n{root}\n"), 2, Line::Size),
        (format!("a\n1 \n{root}\n"), 2, Line::Size),
        (format!("a\n00\n{root}\n"), 2, Line::Size),
        (format!("a\n9223372036854775808\n{root}\n"), 2, Line::Size),
        (format!("a\n99999999999999999999\n{root}\n"), 2, Line::Size),
        (format!("a\n\u{661}\n{root}\n"), 2, Line::Size),
        ("a\n1\nAAAA\n".to_owned(), 3, Line::Root),
        (format!("a\n1\n{}\n", root.replace("I=", "J=")), 3, Line::Root),
        (format!("a\n1\n{root} \n"), 3, Line::Root),
        (format!("a\n1\n{root}\n\n"), 4, Line::Empty),
        (format!("a\n1\n{root}\nb"), 4, Line::Missing),
    ] {
        assert_eq!(parse(&text), Err(CheckpointError { line, fault }), "{text:?}");
    }
    let largest = format!("a\n9223372036854775807\n{root}\n");
    assert_eq!(parse(&largest).unwrap().size(), MAX_SIZE);
}

#[test]
fn a_log_signs_its_own_checkpoint() {
    let (log, other) = (key("host/log", 1), key("host/other", 2));
    let mut note = Note::new(Checkpoint::new(log.name(), 3, [7; 32]).to_string()).unwrap();
    note.sign(&log);
    note.sign(&other);
    let bytes = note.to_string();
    let open = |logs: &[VerifierKey], witnesses: &[VerifierKey]| {
        SignedCheckpoint::open(bytes.as_bytes(), logs, witnesses)
    };
    let signed = open(&[log.verifier()], &[]).unwrap();
    assert_eq!((signed.checkpoint.size(), signed.cosignatures.len()), (3, 0));
    assert_eq!(signed.signatures, [Verified { key: log.verifier(), time: None }]);
    assert_eq!(signed.note.to_string(), bytes);
    // Another log that is trusted is not a witness by that.
    assert_eq!(open(&[log.verifier(), other.verifier()], &[]), Ok(signed));
    // After a rotation, the keys before and after are both known.
    assert!(open(&[key("host/log", 3).verifier(), log.verifier()], &[]).is_ok());
    // Another log may not speak for this one, a witness may not stand in for the log, and a name is not enough.
    let unsigned = Err(OpenCheckpointError::Unsigned("host/log".to_owned()));
    assert_eq!(open(&[other.verifier()], &[]), unsigned);
    assert_eq!(open(&[key("host/log", 3).verifier()], &[other.verifier()]), unsigned);
    assert_eq!(open(&[], &[log.verifier()]), unsigned);
    let nobody = open(&[key("host/log", 3).verifier()], &[]);
    assert_eq!(nobody, Err(OpenCheckpointError::Note(NoteError::Untrusted)));
}

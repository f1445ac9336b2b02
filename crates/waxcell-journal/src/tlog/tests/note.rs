//! Notes: the examples of the specification and of Go's documentation, changed bytes, and the bounds.

use proptest::prelude::*;

use super::key::{PETER, PETER_PRIVATE};
use crate::tlog::*;

const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

/// The text and the signature of Go's documentation of `sumdb/note`.
const PETERS_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETERS_LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
const ENOCHS_LINE: &str = "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

fn parse(text: &str) -> Result<Note, NoteError> {
    Note::parse(text.as_bytes())
}

fn peters(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{PETERS_TEXT}\n{lines}")
}

#[test]
fn the_example_of_the_specification() {
    let note = parse(EXAMPLE).unwrap();
    assert_eq!(note.to_string(), EXAMPLE);
    let opened = note.open(&[key(EXAMPLE_KEY)]).unwrap();
    assert_eq!(opened.text, "This is an example message.\n");
    assert_eq!(opened.verified, [Verified { key: key(EXAMPLE_KEY), time: None }]);
    assert!(opened.unknown.is_empty());
}

#[test]
fn the_examples_of_go() {
    let mut note = Note::new(PETERS_TEXT).unwrap();
    note.sign(&PrivateKey::from_text(PETER_PRIVATE).unwrap());
    assert_eq!(note.to_string(), peters(&[PETERS_LINE]));

    let both = parse(&peters(&[PETERS_LINE, ENOCHS_LINE])).unwrap();
    let opened = both.open(&[key(ENOCH), key(PETER)]).unwrap();
    let whose: Vec<_> = opened.verified.iter().map(|verified| verified.key.name().as_str()).collect();
    assert_eq!((whose, opened.unknown.len()), (vec!["PeterNeumann", "EnochRoot"], 0));
    let opened = both.open(&[key(ENOCH)]).unwrap();
    assert_eq!((opened.verified.len(), opened.unknown), (1, vec![&both.signatures()[0]]));
    assert_eq!(both.open(&[key(EXAMPLE_KEY)]), Err(NoteError::Untrusted));
    assert_eq!(both.open(&[]), Err(NoteError::Untrusted));
}

#[test]
fn a_signature_takes_the_place_of_the_same_keys() {
    let mut note = parse(&peters(&[PETERS_LINE, ENOCHS_LINE])).unwrap();
    note.sign(&PrivateKey::from_text(PETER_PRIVATE).unwrap());
    assert_eq!(note.to_string(), peters(&[ENOCHS_LINE, PETERS_LINE]));
}

#[test]
fn the_first_signature_of_a_key_counts() {
    let wrong = PETERS_LINE.replace("ZJkuB", "ZJkuC");
    let note = |lines: &[&str]| parse(&peters(lines)).unwrap();
    let refused = Err(NoteError::Wrong(KeyName::new("PeterNeumann").unwrap(), 0xc74f_20a3));
    assert_eq!(note(&[&wrong]).open(&[key(PETER)]), refused);
    assert_eq!(note(&[&wrong, PETERS_LINE]).open(&[key(PETER)]), refused);
    assert_eq!(note(&[ENOCHS_LINE, &wrong]).open(&[key(ENOCH), key(PETER)]), refused);
    let twice = note(&[PETERS_LINE, &wrong, ENOCHS_LINE, ENOCHS_LINE]);
    let opened = twice.open(&[key(PETER), key(PETER)]).unwrap();
    assert_eq!((opened.verified.len(), opened.unknown.len()), (1, 1));
}

/// Two names that differ, or one name with two ids, are different keys: the signature is unknown, not wrong.
#[test]
fn a_key_is_a_name_and_an_id() {
    let other_name = PETERS_LINE.replace("Neumann", "Neuman");
    let other_id = PETERS_LINE.replace("x08go", "x08gp");
    for line in [&other_name, &other_id] {
        let note = parse(&peters(&[line])).unwrap();
        assert_eq!(note.open(&[key(PETER)]), Err(NoteError::Untrusted));
    }
}

/// Ids are short: these two keys of one name were found in a second. Which one is meant cannot be told.
#[test]
fn two_keys_with_one_name_and_id() {
    let twin = |seed: u16| {
        let mut bytes = [0; 32];
        bytes[30..].copy_from_slice(&seed.to_be_bytes());
        PrivateKey::from_seed(KeyName::new("twin").unwrap(), &bytes)
    };
    let (one, other) = (twin(14_970), twin(16_033));
    assert_eq!((one.verifier().id(), other.verifier().id()), (0x0991_3fee, 0x0991_3fee));
    let mut note = Note::new("text\n").unwrap();
    note.sign(&one);
    assert!(note.open(&[one.verifier(), one.verifier()]).is_ok());
    let ambiguous = Err(NoteError::Ambiguous(KeyName::new("twin").unwrap(), 0x0991_3fee));
    assert_eq!(note.open(&[one.verifier(), other.verifier()]), ambiguous);
    assert_eq!(note.open(&[other.verifier(), one.verifier()]), ambiguous);
    assert!(matches!(note.open(&[other.verifier()]), Err(NoteError::Wrong(..))));
}

/// No byte of a note with one signature can be changed, and nothing can be added or taken away.
#[test]
fn every_other_byte_is_refused() {
    let refused = |bytes: &[u8]| match Note::parse(bytes) {
        Ok(note) => {
            assert_eq!(note.to_string().as_bytes(), bytes, "written as it was read");
            note.open(&[key(EXAMPLE_KEY)]).is_err()
        }
        Err(_) => true,
    };
    let bytes = EXAMPLE.as_bytes();
    assert!(!refused(bytes));
    for at in 0..bytes.len() {
        for flip in [0x01, 0x02, 0x04, 0x20, 0x80, 0xff] {
            let mut other = bytes.to_vec();
            other[at] ^= flip;
            assert!(refused(&other), "byte {at} with {flip:#x}");
        }
        assert!(refused(&bytes[..at]), "cut at {at}");
        let mut more = bytes.to_vec();
        more.insert(at, b'A');
        assert!(refused(&more), "one more at {at}");
        more.remove(at);
        more.remove(at);
        assert!(refused(&more), "one less at {at}");
    }
    assert!(refused(format!("{EXAMPLE}\n").as_bytes()) && refused(format!("\n{EXAMPLE}").as_bytes()));
}

#[test]
fn where_and_why_is_said() {
    let line = |line, fault| NoteError::Line { line, fault };
    let short = format!("\u{2014} a {}", "AAAAAA==");
    for (text, error) in [
        (String::new(), NoteError::NoSignatures),
        ("text\n".to_owned(), NoteError::NoSignatures),
        ("text\n\n".to_owned(), NoteError::NoSignatures),
        (peters(&[PETERS_LINE]).trim_end().to_owned(), NoteError::Unfinished),
        (format!("a\r\n\n{PETERS_LINE}\n"), NoteError::Control { line: 1 }),
        (format!("a\nb\n\n{PETERS_LINE}\n\0"), NoteError::Control { line: 5 }),
        (peters(&[PETERS_LINE, "- a AAAA"]), line(5, SignatureFault::Dash)),
        (peters(&["\u{2014} a"]), line(4, SignatureFault::Words)),
        (peters(&["\u{2014}  AAAAAAAA"]), line(4, SignatureFault::Name)),
        (peters(&["\u{2014} a+b AAAAAAAA"]), line(4, SignatureFault::Name)),
        (peters(&["\u{2014} a AAAAAAAA AAAAAAAA"]), line(4, SignatureFault::Base64)),
        (peters(&["\u{2014} a AAAAAAA"]), line(4, SignatureFault::Base64)),
        // The same bytes as with `A=` at its end: one signature, one text.
        (peters(&["\u{2014} a AAAAAAB="]), line(4, SignatureFault::Base64)),
        (peters(&[&short]), line(4, SignatureFault::Short)),
        (peters(&["\u{2014} a "]), line(4, SignatureFault::Short)),
    ] {
        assert_eq!(parse(&text), Err(error), "{text}");
    }
    assert_eq!(Note::parse(b"a\xff\n"), Err(NoteError::NotUtf8 { offset: 1 }));
    assert_eq!(Note::new("a"), Err(NoteError::Text));
    assert_eq!(Note::new(""), Err(NoteError::Text));
    assert_eq!(Note::new("a\tb\n"), Err(NoteError::Control { line: 1 }));
}

#[test]
fn bounds() {
    let most = peters(&[PETERS_LINE; MAX_SIGNATURES]);
    assert_eq!(parse(&most).unwrap().open(&[key(PETER)]).unwrap().verified.len(), 1);
    assert_eq!(parse(&peters(&[PETERS_LINE; MAX_SIGNATURES + 1])), Err(NoteError::TooMany));
    let long = "a".repeat(MAX_NOTE) + "\n";
    assert_eq!(Note::new(long.as_str()), Err(NoteError::TooLong(MAX_NOTE + 1)));
    assert_eq!(parse(&long), Err(NoteError::TooLong(MAX_NOTE + 1)));
}

/// The text may have blank lines: the last one divides.
#[test]
fn a_text_with_blank_lines() {
    let mut note = Note::new("a\n\nb\n\n").unwrap();
    note.sign(&PrivateKey::from_text(PETER_PRIVATE).unwrap());
    let read = parse(&note.to_string()).unwrap();
    assert_eq!(read.open(&[key(PETER)]).unwrap().text, "a\n\nb\n\n");
}

proptest! {
    #[test]
    fn what_is_signed_opens(seed in any::<[u8; 32]>(), lines in prop::collection::vec("[^\\x00-\\x1f]{0,20}", 1..5)) {
        let key = PrivateKey::from_seed(KeyName::new("host.example/log").unwrap(), &seed);
        let text = lines.join("\n") + "\n";
        let mut note = Note::new(text.as_str()).unwrap();
        note.sign(&key);
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read, &note);
        prop_assert_eq!(read.open(&[key.verifier()]).unwrap().text, text);
        let again = PrivateKey::from_text(&key.to_text()).unwrap();
        prop_assert_eq!(again.verifier(), key.verifier());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }
}

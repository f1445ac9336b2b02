//! Names and keys: the examples of the specification and of Go's documentation, and what is refused.

use crate::tlog::*;

/// Of Go's documentation of `sumdb/note`.
pub(super) const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
pub(super) const PETER_PRIVATE: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

fn parse(text: &str) -> Result<VerifierKey, KeyError> {
    text.parse()
}

#[test]
fn keys_are_read_and_written() {
    let example = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    for text in [PETER, example] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
    let key = PrivateKey::from_text(PETER_PRIVATE).unwrap();
    assert_eq!(*key.to_text(), PETER_PRIVATE);
    assert_eq!(key.verifier(), parse(PETER).unwrap());
    let cosigner = key.cosigner();
    assert_eq!(cosigner.kind(), KeyKind::Cosignature);
    assert_ne!(cosigner.id(), key.verifier().id());
    assert_eq!(parse(&cosigner.to_string()), Ok(cosigner));
}

#[test]
fn new_keys_differ() {
    let new = || PrivateKey::generate(KeyName::new("host/log").unwrap()).unwrap();
    let (one, other) = (new(), new());
    assert_ne!(one.verifier().public(), other.verifier().public());
    assert_eq!(PrivateKey::from_text(&one.to_text()).unwrap().verifier(), one.verifier());
}

/// Whoever prints what holds a key does not print the key.
#[test]
fn a_private_key_is_not_shown() {
    let key = PrivateKey::from_text(PETER_PRIVATE).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey { name: KeyName(\"PeterNeumann\"), .. }");
    let short = PETER_PRIVATE.strip_suffix("Fz").unwrap();
    let error = PrivateKey::from_text(short).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("AYEK"));
}

#[test]
fn every_other_byte_is_refused() {
    for (text, private) in [(PETER, false), (PETER_PRIVATE, true)] {
        let refused = |text: &str| match private {
            true => PrivateKey::from_text(text).is_err(),
            false => parse(text).is_err(),
        };
        for at in 0..text.len() {
            assert!(refused(&text[..at]), "cut at {at}");
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1;
            let other = String::from_utf8(bytes).unwrap();
            assert!(refused(&other), "{other}");
        }
        assert!(
            refused(&format!("{text}\n")) && refused(&format!(" {text}")) && refused(&format!("{text}A"))
        );
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (text, error) in [
        ("", KeyError::Form("NAME+ID+KEY")),
        ("name+0", KeyError::Form("NAME+ID+KEY")),
        ("PeterNeumann+c74f20a3+!", KeyError::Base64),
        ("PeterNeumann+c74f20a3+", KeyError::Bytes),
        ("PeterNeumann+c74f20a3+AQ==", KeyError::Bytes),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Kind(0x65)),
        ("PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Id),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyError::Name(String::new())),
        (
            "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            KeyError::WrongId { expected: 0x9424_5f47, found: 0xc74f_20a3 },
        ),
        // A point of small order: for it, one signature is right for any text.
        ("a+00000000+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", KeyError::Bytes),
    ] {
        assert_eq!(parse(text), Err(error), "`{text}`");
    }
}

#[test]
fn names() {
    for name in ["a", "example.com/log42", "\u{dc}ber/42", "a\u{7f}"] {
        assert_eq!(KeyName::new(name).unwrap().as_str(), name);
    }
    for name in ["", " ", "a b", "a+b", "a\n", "\t", "a\u{a0}b", "a\u{2003}", "a\0", "\u{85}"] {
        assert_eq!(KeyName::new(name), Err(KeyError::Name(name.to_owned())));
    }
}

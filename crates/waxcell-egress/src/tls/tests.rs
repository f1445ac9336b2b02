use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{HELLO_MAX, TlsProblem, server_name};
use crate::name::{Name, NameProblem};

/// A hello with these extensions, in records of so many bytes.
pub(crate) fn hello(extensions: &[(u16, Vec<u8>)], record: usize) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let mut list = Vec::new();
    for (kind, contents) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend((contents.len() as u16).to_be_bytes());
        list.extend(contents);
    }
    body.extend((list.len() as u16).to_be_bytes());
    body.extend(list);
    records(&message(&body), record)
}

fn message(body: &[u8]) -> Vec<u8> {
    let mut message = (body.len() as u32 | 1 << 24).to_be_bytes().to_vec();
    message.extend(body);
    message
}

fn records(message: &[u8], record: usize) -> Vec<u8> {
    let records = message
        .chunks(record)
        .map(|part| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat());
    records.collect::<Vec<_>>().concat()
}

pub(crate) fn sni(name: &[u8]) -> (u16, Vec<u8>) {
    let (inner, outer) = ((name.len() as u16).to_be_bytes(), (name.len() as u16 + 3).to_be_bytes());
    (0, [&outer[..], &[0], &inner, name].concat())
}

fn read(extensions: &[(u16, Vec<u8>)]) -> Result<Option<String>, TlsProblem> {
    server_name(&hello(extensions, 16384)).map(|name| name.map(|name| name.to_string()))
}

#[test]
fn the_name_is_found_however_the_hello_is_cut() {
    let extensions = [(43, vec![2, 3, 4]), sni(b"WWW.example.org"), (16, vec![0, 3, 2, b'h', b'2'])];
    for record in [1, 2, 3, 5, 64, 16384] {
        let stream = hello(&extensions, record);
        for length in 0..stream.len() {
            assert_eq!(server_name(&stream[..length]), Ok(None), "{length} bytes, records of {record}");
        }
        let name = Name::parse("www.example.org").unwrap();
        assert_eq!(server_name(&stream), Ok(Some(name.clone())));
        // Early data behind it is not ours to read.
        assert_eq!(server_name(&[&stream[..], &[20, 3, 3, 0, 1, 1, 23, 3, 3]].concat()), Ok(Some(name)));
    }
}

#[test]
fn a_hello_without_exactly_one_plain_name_is_refused() {
    assert_eq!(read(&[]), Err(TlsProblem::NoName));
    assert_eq!(read(&[(43, vec![2, 3, 4])]), Err(TlsProblem::NoName));
    assert_eq!(read(&[sni(b"a.org"), (0xfe0d, vec![0])]), Err(TlsProblem::Hidden));
    assert_eq!(read(&[(0xffce, vec![]), sni(b"a.org")]), Err(TlsProblem::Hidden));
    assert_eq!(read(&[sni(b"a.org"), sni(b"a.org")]), Err(TlsProblem::Malformed), "twice");
    assert_eq!(
        read(&[sni(b"a.org"), (5, vec![]), (5, vec![])]),
        Err(TlsProblem::Malformed),
        "any extension twice"
    );
    let two = [&[0, 16, 0, 0, 5][..], b"a.org", &[0, 0, 5], b"b.org"].concat();
    assert_eq!(read(&[(0, two)]), Err(TlsProblem::Malformed), "two names");
    assert_eq!(
        read(&[(0, [&[0, 8, 1, 0, 5][..], b"a.org"].concat())]),
        Err(TlsProblem::Malformed),
        "another kind"
    );
    assert_eq!(read(&[(0, vec![0, 0])]), Err(TlsProblem::Malformed), "no name in the list");
    assert_eq!(read(&[(0, vec![])]), Err(TlsProblem::Malformed), "as in an answer");
    assert_eq!(
        read(&[(0, [&sni(b"a.org").1[..], b"x"].concat())]),
        Err(TlsProblem::Malformed),
        "more than it says"
    );
    for (name, problem) in [
        (&b"evil.org\0.example.org"[..], NameProblem::Character),
        (b"93.184.216.34", NameProblem::Address),
        (b"2606:2800::1", NameProblem::Address),
        (b"", NameProblem::Empty),
        (b"localhost", NameProblem::Localhost),
    ] {
        assert_eq!(read(&[sni(name)]), Err(TlsProblem::Name(problem)));
    }
    assert_eq!(
        read(&(0..200).map(|kind| (kind + 100, vec![])).collect::<Vec<_>>()),
        Err(TlsProblem::Malformed)
    );
    // A body that ends before its extensions: TLS 1.0 without any.
    let old = [&[3, 1][..], &[0; 32], &[0, 0, 2, 0, 5, 1, 0]].concat();
    assert_eq!(server_name(&records(&message(&old), 100)), Err(TlsProblem::NoName));
}

#[test]
fn other_protocols_and_broken_records_are_refused_at_once() {
    for (stream, problem) in [
        (&b"GET / HTTP/1.1\r\n"[..], TlsProblem::NotTls),
        (b"SSH-2.0-x\r\n", TlsProblem::NotTls),
        (b"\x16\x02", TlsProblem::NotTls),
        (b"\x80\x2e\x01\x03\x01", TlsProblem::NotTls),
        (b"\x16\x03\x05\x00\x05", TlsProblem::NotTls),
        (b"\x16\x03\x01\x00\x00", TlsProblem::NotTls),
        (b"\x16\x03\x01\x40\x01", TlsProblem::NotTls),
        (b"\x15\x03\x01\x00\x02\x02\x28", TlsProblem::NotTls),
        (b"\x16\x03\x01\x00\x05\x02", TlsProblem::Malformed),
        (b"\x16\x03\x01\x00\x04\x01\x00\x40\x00", TlsProblem::TooLong),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", TlsProblem::TooLong),
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x40\x17", TlsProblem::Malformed),
    ] {
        assert_eq!(server_name(stream), Err(problem), "{}", stream.escape_ascii());
    }
    let mut stream = hello(&[sni(b"a.org")], 20);
    // Another message behind the hello, in its record.
    let body = [&[3, 3][..], &[0; 32], &[0, 0, 2, 0, 5, 1, 0]].concat();
    assert_eq!(
        server_name(&records(&[&message(&body)[..], b"\x01"].concat(), 100)),
        Err(TlsProblem::Malformed)
    );
    // An alert between the records of a hello.
    stream.splice(25..25, [21, 3, 1, 0, 2, 1, 0]);
    assert_eq!(server_name(&stream), Err(TlsProblem::Malformed));
    // Records of one byte each reach the bound before the hello is there.
    let padded = hello(&[sni(b"a.org"), (21, vec![0; 4000])], 1);
    assert_eq!(server_name(&padded[..HELLO_MAX]), Err(TlsProblem::TooLong));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in any::<Vec<u8>>(), record in 1usize..40) {
        let _ = server_name(&bytes);
        let _ = server_name(&records(&message(&bytes), record));
    }

    // What was said stays said: more bytes change a refusal or a name no more.
    #[test]
    fn an_answer_is_final(at in 0usize..120, byte in any::<u8>(), record in 1usize..100) {
        let mut stream = hello(&[sni(b"www.example.org"), (43, vec![2, 3, 4])], record);
        let at = at % stream.len();
        stream[at] = byte;
        let mut said = None;
        for length in 0..=stream.len() {
            let now = server_name(&stream[..length]);
            if let Some(said) = &said {
                prop_assert_eq!(said, &now);
            } else if now != Ok(None) {
                said = Some(now);
            }
        }
    }
}

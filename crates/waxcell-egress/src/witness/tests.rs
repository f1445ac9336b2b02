use super::{Disagreement, POSTGRES, Witness};
use crate::http::HttpProblem;
use crate::name::Name;
use crate::tls::TlsProblem;
use crate::tls::tests::{hello, sni};

fn name(written: &str) -> Name {
    Name::parse(written).unwrap()
}

/// What comes through a connection to the port, byte by byte and at once; both have to agree.
fn on(port: u16, stream: &[u8]) -> (Result<(), Disagreement>, Vec<u8>, bool) {
    let (mut whole, mut through) = (Witness::new(name("example.org"), port), Vec::new());
    let result = whole.push(stream, &mut through);
    let (mut pieces, mut slowly) = (Witness::new(name("example.org"), port), Vec::new());
    let mut in_pieces = Ok(());
    for byte in stream {
        in_pieces = pieces.push(&[*byte], &mut slowly);
        if in_pieces.is_err() {
            break;
        }
    }
    assert_eq!(result, in_pieces, "{}", stream.escape_ascii());
    if result.is_ok() {
        assert_eq!(
            (&through, whole.is_settled()),
            (&slowly, pieces.is_settled()),
            "{}",
            stream.escape_ascii()
        );
    }
    (result, slowly, whole.is_settled())
}

fn passes(port: u16, stream: &[u8], settled: bool) {
    assert_eq!(on(port, stream), (Ok(()), stream.to_vec(), settled), "{}", stream.escape_ascii());
}

#[test]
fn the_ports_of_the_web_speak_its_protocols() {
    let own = hello(&[sni(b"example.org")], 100);
    passes(443, &own, true);
    let other = hello(&[sni(b"www.example.org")], 100);
    assert_eq!(on(443, &other).0, Err(Disagreement::OtherServer(name("www.example.org"))));
    assert_eq!(on(443, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").0, Err(TlsProblem::NotTls.into()));
    assert_eq!(on(80, &own).0, Err(HttpProblem::NotHttp.into()));
    passes(80, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", false);
    let mut waiting = Witness::new(name("example.org"), 443);
    assert!(waiting.comes_first() && waiting.is_waiting());
    assert_eq!(waiting.push(&own[..50], &mut Vec::new()), Ok(()));
    assert!(waiting.is_waiting() && !waiting.is_settled());
    assert!(!Witness::new(name("example.org"), 5432).comes_first());
}

#[test]
fn on_other_ports_what_looks_like_the_web_is_held_to_it() {
    passes(8443, &hello(&[sni(b"example.org")], 100), true);
    assert!(matches!(on(8443, &hello(&[sni(b"evil.org")], 100)).0, Err(Disagreement::OtherServer(_))));
    passes(8080, b"GET / HTTP/1.1\r\nHost: example.org:8080\r\n\r\n", false);
    passes(8080, b"MKCALENDAR http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n", false);
    for evil in [
        &b"GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n"[..],
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: evil.org\r\n\r\n",
        b"ANYTHING / HTTP/1.1\r\nHost: evil.org\r\n\r\n",
        b"get HTTP://evil.org/ HTTP/1.1\r\nHost: evil.org\r\n\r\n",
        b"CONNECT evil.org:443 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET   / HTTP/1.1\r\nHost: evil.org\r\n\r\n",
        &[&b"GET"[..], &[b' '; 500], b"/ HTTP/1.1\r\nHost: evil.org\r\n\r\n"].concat(),
        &[&[b'\n'; 500][..], b"GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n"].concat(),
    ] {
        let (result, through, _) = on(8080, evil);
        assert!(result.is_err(), "{}", evil.escape_ascii());
        // A method alone asks for nothing.
        assert!(
            !through.windows(4).any(|bytes| bytes == b"evil" || bytes == b"HTTP"),
            "{}",
            through.escape_ascii()
        );
    }
}

#[test]
fn other_protocols_pass_with_the_name_of_their_address() {
    for other in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"EHLO example.net\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\x00\x00\x00\x26\x00\x03\x00\x00user\0me\0",
        b"003agit-upload-pack /project.git\0host=example.org\0",
        b"hello world",
        &[b'a'; 100],
    ] {
        passes(2222, other, true);
    }
    passes(2222, b"ping", false);
    passes(2222, b"", false);
}

#[test]
fn postgres_asks_first_and_is_then_looked_at() {
    let own = hello(&[sni(b"example.org")], 100);
    passes(5432, &[&POSTGRES[0][..], &own].concat(), true);
    passes(5432, &[&POSTGRES[1][..], &POSTGRES[0], &own].concat(), true);
    passes(5432, &[&POSTGRES[0][..], b"\0\0\0\x26\0\x03\0\0user\0"].concat(), true);
    let evil = hello(&[sni(b"evil.org")], 100);
    let (result, through, _) = on(5432, &[&POSTGRES[0][..], &evil].concat());
    assert_eq!((result, through), (Err(Disagreement::OtherServer(name("evil.org"))), POSTGRES[0].to_vec()));
}

#[test]
fn whoever_is_refused_is_told_in_its_own_protocol() {
    let said = |port, stream: &[u8]| on(port, stream).0.unwrap_err().farewell();
    assert_eq!(said(443, &hello(&[], 100)), [21, 3, 1, 0, 2, 2, 49]);
    let text = String::from_utf8(said(80, b"GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n")).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 403 ")
            && text.ends_with("\r\n\r\nwaxcell: the request is for `evil.org`\n"),
        "{text}"
    );
    assert!(said(80, b"SSH-2.0-x\r\n").is_empty());
}

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{HEAD_MAX, HttpProblem as P, Requests};
use crate::name::{Name, NameProblem};

fn requests() -> Requests {
    Requests::new(Name::parse("example.org").unwrap(), 80)
}

/// Gives all bytes at once; what came through.
fn push(bytes: &[u8]) -> Result<Vec<u8>, P> {
    let mut through = Vec::new();
    requests().push(bytes, &mut through).map(|()| through)
}

fn all_through(bytes: &[u8]) {
    assert_eq!(push(bytes).as_deref(), Ok(bytes), "{}", bytes.escape_ascii());
    // One byte at a time comes to the same.
    let (mut requests, mut through) = (requests(), Vec::new());
    for byte in bytes {
        requests.push(&[*byte], &mut through).unwrap();
    }
    assert_eq!(through, bytes);
}

#[test]
fn requests_for_the_name_pass() {
    all_through(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    all_through(b"GET /?a=b HTTP/1.0\r\nhost:EXAMPLE.org.:80\r\nX: \xe4\t1\r\n\r\n");
    all_through(b"GET http://example.org/x HTTP/1.1\r\nHost: example.org\r\n\r\n");
    all_through(b"GET HTTP://Example.org:80?x HTTP/1.1\r\nHost: example.org\r\n\r\n");
    all_through(b"OPTIONS * HTTP/1.1\r\nHost: example.org\r\n\r\n");
    all_through(
        b"POST /a HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\n\r\nGET /\
          GET /b HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n",
    );
    all_through(
        b"PUT /a HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n\
          5\r\nhe\r\nl\r\n00A\r\n0123456789\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: example.org\r\n\r\n",
    );
    all_through(b"POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
}

#[test]
fn every_request_of_a_connection_has_to_be_for_the_name() {
    let first = b"POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\nabc";
    let (mut requests, mut through) = (requests(), Vec::new());
    let both = [&first[..], b"GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n"].concat();
    assert_eq!(requests.push(&both, &mut through), Err(P::OtherHost(Name::parse("evil.org").unwrap())));
    assert_eq!(through, first, "what was allowed before is sent");
    // Hidden behind chunks.
    let chunked = b"POST / HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: evil.org\r\n\r\n";
    assert!(matches!(push(chunked), Err(P::OtherHost(_))));
}

#[test]
fn requests_for_others_or_for_nobody_are_refused() {
    let other = || P::OtherHost(Name::parse("evil.org").unwrap());
    for (head, problem) in [
        (&b"GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n"[..], other()),
        (b"GET / HTTP/1.1\r\n\r\n", P::NoHost),
        (b"GET / HTTP/1.0\r\n\r\n", P::NoHost),
        (b"GET / HTTP/1.1\r\nHost: example.org\r\nHost: example.org\r\n\r\n", P::TwoHosts),
        (b"GET / HTTP/1.1\r\nHost: example.org\r\nhOST: evil.org\r\n\r\n", P::TwoHosts),
        (b"GET http://evil.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n", other()),
        (b"GET http://example.org/ HTTP/1.1\r\nHost: evil.org\r\n\r\n", other()),
        (
            b"GET http://example.org@evil.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
            P::Name(NameProblem::Character),
        ),
        (b"GET http://evil.org#@example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n", other()),
        (
            b"GET http://evil.org\\@example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
            P::Name(NameProblem::Character),
        ),
        (b"GET https://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n", P::Malformed("the target")),
        (b"GET example.org HTTP/1.1\r\nHost: example.org\r\n\r\n", P::Malformed("the target")),
        (b"GET * HTTP/1.1\r\nHost: example.org\r\n\r\n", P::Malformed("the target")),
        (b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", P::Tunnel),
        (b"GET / HTTP/1.1\r\nHost: example.org:8080\r\n\r\n", P::OtherPort(8080)),
        (b"GET / HTTP/1.1\r\nHost: example.org:\r\n\r\n", P::Malformed("the port of the host")),
        (b"GET / HTTP/1.1\r\nHost: example.org:80:80\r\n\r\n", P::Malformed("the port of the host")),
        (b"GET / HTTP/1.1\r\nHost: example.org:65616\r\n\r\n", P::Malformed("the port of the host")),
        (b"GET / HTTP/1.1\r\nHost: example.org, evil.org\r\n\r\n", P::Name(NameProblem::Character)),
        (b"GET / HTTP/1.1\r\nHost: example.org evil.org\r\n\r\n", P::Name(NameProblem::Character)),
        (b"GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n", P::Name(NameProblem::Address)),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", P::Name(NameProblem::Empty)),
        (b"GET / HTTP/1.1\r\nHost: evil.org\0.example.org\r\n\r\n", P::Malformed("a control character")),
    ] {
        assert_eq!(push(head), Err(problem), "{}", head.escape_ascii());
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let with = |line: &str| format!("POST / HTTP/1.1\r\nHost: example.org\r\n{line}\r\n\r\n").into_bytes();
    for line in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999",
        "Content-Length:",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        " folded: line",
        "\tfolded: line",
        "no colon",
        ": no name",
        "a b: c",
        "X: a\rb",
        "X: a\nY: b",
        "X: a\x7fb",
        "X: a\0b",
    ] {
        let head = with(line);
        assert!(matches!(push(&head), Err(P::Malformed(_))), "{}: {:?}", head.escape_ascii(), push(&head));
    }
    for line in [
        "Upgrade: h2c",
        "Upgrade: websocket, h2c",
        "Upgrade: TLS/1.0",
        "HTTP2-Settings: x",
        "Upgrade: websocket\r\nUpgrade: websocket",
        "Upgrade: websocket\r\nContent-Length: 3",
    ] {
        assert_eq!(push(&with(line)), Err(P::Upgrade), "{line}");
    }
    for bytes in [
        &b"\r\nGET / HTTP/1.1\r\n"[..],
        b" GET / HTTP/1.1\r\n\r\n",
        b"GET\t/ HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1 \r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / http/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"\x16\x03\x01",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHI",
    ] {
        assert_eq!(push(bytes), Err(P::NotHttp), "{}", bytes.escape_ascii());
    }
    assert_eq!(push(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Err(P::Http2));
    let chunks = |chunks: &str| push(&[&with("Transfer-Encoding: chunked")[..], chunks.as_bytes()].concat());
    for bad in [
        "5;x=y\r\n",
        "\r\n",
        "-5\r\n",
        "+5\r\n",
        "0x5\r\n",
        " 5\r\n",
        "5\n",
        "11112222333344445\r\n",
        "2\r\nabc\r\n",
        "0\r\nTrailer: x\r\n\r\n",
    ] {
        assert!(matches!(chunks(bad), Err(P::Malformed(_))), "{bad:?}");
    }
}

#[test]
fn heads_end_somewhere() {
    let endless = [&b"GET / HTTP/1.1\r\nHost: example.org\r\nX: "[..], &vec![b'a'; HEAD_MAX]].concat();
    assert_eq!(push(&endless), Err(P::TooLong));
    let many = format!("GET / HTTP/1.1\r\nHost: example.org\r\n{}\r\n", "a: b\r\n".repeat(300));
    assert_eq!(push(many.as_bytes()), Err(P::Malformed("too many lines")));
    let mut requests = requests();
    requests.push(b"GET / HTTP", &mut Vec::new()).unwrap();
    assert!(requests.is_in_head());
}

#[test]
fn a_websocket_is_one_when_the_server_says_so() {
    let upgrade = b"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (mut socket, mut through) = (requests(), Vec::new());
    socket.push(upgrade, &mut through).unwrap();
    assert!(socket.waits());
    socket.answered(b"HTTP/1.1 101 Switching Protocols\r\n");
    assert!(socket.is_tunnel());
    socket.push(b"\x81\x05hello", &mut through).unwrap();
    assert!(through.ends_with(b"\x81\x05hello"));
    // Refused by the server: the next request is looked at.
    let mut socket = requests();
    socket.push(upgrade, &mut Vec::new()).unwrap();
    socket.answered(b"HTTP/1.1 400 Bad Request\r\n");
    let evil = b"GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n";
    assert!(matches!(socket.push(evil, &mut Vec::new()), Err(P::OtherHost(_))));
    // Not waiting for the answer, or asking late.
    assert_eq!(push(&[&upgrade[..], b"x"].concat()), Err(P::Upgrade));
    assert_eq!(
        push(&[&b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"[..], upgrade].concat()),
        Err(P::Upgrade)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in any::<Vec<u8>>()) {
        let _ = push(&bytes);
    }

    // However a stream is cut, the same bytes come through, and the same answer.
    #[test]
    fn cuts_do_not_count(at in 0usize..200, byte in any::<u8>(), cuts in proptest::collection::vec(1usize..40, 1..12)) {
        let mut stream = b"POST /a HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 4\r\n\r\nabcdGET / HTTP/1.1\r\nHost: example.org\r\n\r\n".to_vec();
        let at = at % stream.len();
        stream[at] = byte;
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        let at_once = requests().push(&stream, &mut whole);
        let mut pieces = requests();
        let mut in_parts = Ok(());
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            let (part, behind) = rest.split_at((*cut).min(rest.len()));
            rest = behind;
            in_parts = pieces.push(part, &mut parts);
            if rest.is_empty() || in_parts.is_err() {
                break;
            }
        }
        prop_assert!(stream.starts_with(&whole));
        prop_assert_eq!((at_once.is_err(), whole), (in_parts.is_err(), parts));
    }
}

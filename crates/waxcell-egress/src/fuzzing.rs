//! What has to hold for any bytes: called by the fuzz targets in `fuzz/`, and by a test with their seeds.

use crate::dns::{A, AAAA, Answer, answer, query, reply};
use crate::name::Name;
use crate::tls::{HELLO_MAX, server_name};
use crate::witness::Witness;

/// The name that seeds are about.
const NAME: &str = "www.example.org";

/// A message of DNS, as a question and as an answer. What is answered to a question can be read again.
pub fn fuzz_dns(bytes: &[u8]) {
    let Ok(name) = Name::parse(NAME) else { return };
    for kind in [A, AAAA] {
        let id = bytes.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
        let _ = reply(bytes, id, &name, kind);
    }
    if let Ok(asked) = query(bytes) {
        let told = answer(&asked, Answer::Address([198, 18, 1, 0].into()));
        if let (Ok(name), A, true) = (&asked.name, asked.kind, asked.ordinary) {
            let id = told.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
            assert!(reply(&told, id, name, A).is_ok(), "an answer of ours is one");
        }
    }
}

/// The beginning of a stream of TLS: an answer is final, and comes before the bound.
pub fn fuzz_tls(bytes: &[u8]) {
    let whole = server_name(bytes);
    let half = server_name(bytes.get(..bytes.len() / 2).unwrap_or_default());
    assert!(half == Ok(None) || half == whole, "more bytes change an answer");
    assert!(bytes.len() < HELLO_MAX || whole != Ok(None), "a hello has no end");
}

/// A stream of a client on a port of HTTP and on one of anything: only what was sent comes through, however it is cut.
pub fn fuzz_http(bytes: &[u8]) {
    for port in [80, 8080] {
        let Ok(name) = Name::parse(NAME) else { return };
        let (mut at_once, mut whole) = (Witness::new(name.clone(), port), Vec::new());
        let said = at_once.push(bytes, &mut whole);
        assert!(bytes.starts_with(&whole), "what comes through was sent");
        let (mut cut, mut parts) = (Witness::new(name, port), Vec::new());
        let mut result = Ok(());
        for part in bytes.chunks(7) {
            result = cut.push(part, &mut parts);
            if result.is_err() {
                break;
            }
        }
        assert!(bytes.starts_with(&parts), "what comes through was sent");
        assert!(said.is_ok() == result.is_ok(), "a cut changes the answer");
    }
}

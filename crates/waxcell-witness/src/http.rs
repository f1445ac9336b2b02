//! Messages of HTTP/1.1 on a connection, as far as they are needed here: a head, and a body whose length it says.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest head, in bytes.
pub(crate) const MAX_HEAD: usize = 8 << 10;
const MAX_FIELDS: usize = 64;

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) path: String,
    /// How long the body is; nothing when the head does not say.
    pub(crate) length: Option<usize>,
    /// Whether the client waits to be told that it may send the body.
    pub(crate) expects: bool,
    /// Whether another request may follow.
    pub(crate) keep_alive: bool,
}

/// There is no request to answer, or none that can be understood.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The other side has left, or nothing came in time: nothing is to be said.
    Gone,
    /// To be answered with this status; nothing after it on this connection is looked at.
    Bad(u16, &'static str),
}

/// A connection, with what came and was not used yet. Whatever is read or written on it is over at `until`.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    kept: Vec<u8>,
    pub(crate) until: Instant,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, until: Instant) -> Connection {
        Connection { stream, kept: Vec::new(), until }
    }

    /// Whether part of a next message has come.
    pub(crate) fn has_begun(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Reads on. A single byte now and then does not prolong anything.
    pub(crate) fn read_more(&mut self) -> io::Result<usize> {
        let mut piece = [0; 4096];
        self.stream.set_read_timeout(Some(self.left()?))?;
        let read = loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.kept.extend_from_slice(&piece[..read]);
        Ok(read)
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            match self.stream.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written?..],
            }
        }
        Ok(())
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Reads the head of a request.
    pub(crate) fn request(&mut self) -> Result<Head, Unread> {
        loop {
            if let Some((used, head)) = request(&self.kept)? {
                self.kept.drain(..used);
                return Ok(head);
            }
            match self.read_more() {
                Ok(1..) => {}
                Ok(0) | Err(_) if self.kept.is_empty() => return Err(Unread::Gone),
                Ok(0) => return Err(Unread::Bad(400, "the request ends in its head")),
                Err(_) => return Err(Unread::Bad(408, "the head of the request took too long")),
            }
        }
    }

    /// Reads a body of this length.
    pub(crate) fn body(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.kept.len() < length {
            if self.read_more()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.kept.split_off(length);
        Ok(std::mem::replace(&mut self.kept, rest))
    }

    /// All that comes until the other side ends, or until it is enough for `is_whole`; not more than `most` bytes.
    pub(crate) fn reply(mut self, most: usize, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<Vec<u8>> {
        while self.kept.len() <= most && !is_whole(&self.kept) && self.read_more()? > 0 {}
        if self.kept.len() > most {
            return Err(io::Error::other("the answer is too long"));
        }
        Ok(self.kept)
    }
}

/// The head at the beginning of what came, and how long it is; nothing while it is not whole.
fn request(bytes: &[u8]) -> Result<Option<(usize, Head)>, Unread> {
    let bad = |what| Unread::Bad(400, what);
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let used = match parsed.parse(&bytes[..bytes.len().min(MAX_HEAD)]) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) if bytes.len() >= MAX_HEAD => {
            return Err(Unread::Bad(431, "the head of the request is too long"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Unread::Bad(431, "the request has too many fields"));
        }
        Err(_) => return Err(bad("this is no request of HTTP/1.1")),
    };
    let newest = parsed.version == Some(1);
    let mut head = Head {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        length: None,
        expects: false,
        keep_alive: newest,
    };
    for field in parsed.headers.iter() {
        let is = |name| field.name.eq_ignore_ascii_case(name);
        let value = std::str::from_utf8(field.value).map_err(|_| bad("a field is no text"))?;
        if is("transfer-encoding") {
            // Two who read lengths differently see different requests, so there is one way to say it.
            return Err(Unread::Bad(411, "the length of a body is said by `content-length` alone"));
        } else if is("content-length") {
            let length = length(value).ok_or_else(|| bad("the length of the body is no number"))?;
            if head.length.replace(length).is_some() {
                return Err(bad("the length of the body is said twice"));
            }
        } else if is("expect") {
            if !value.eq_ignore_ascii_case("100-continue") {
                return Err(Unread::Bad(417, "only `100-continue` can be expected"));
            }
            head.expects = newest;
        } else if is("connection") {
            let says = |word| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
            head.keep_alive = !says("close") && (newest || says("keep-alive"));
        }
    }
    Ok(Some((used, head)))
}

/// A number of bytes in plain digits.
pub(crate) fn length(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The words that go with a status.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Bad Request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Head {
        request(text.as_bytes()).unwrap().unwrap().1
    }

    #[test]
    fn a_head_says_where_the_request_ends_or_is_refused() {
        let head = whole("POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n");
        assert_eq!((head.method.as_str(), head.path.as_str()), ("POST", "/add-checkpoint"));
        assert_eq!((head.length, head.expects, head.keep_alive), (Some(12), false, true));
        assert!(!whole("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n").keep_alive);
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
        assert!(whole("POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n").expects);
        for (text, status) in [
            ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: \r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            ("POST / HTTP/1.1\r\nExpect: more\r\n\r\n", 417),
            ("old 0\n\norigin\n", 400),
            ("\u{1}\u{2}\u{3}", 400),
        ] {
            assert!(
                matches!(request(text.as_bytes()), Err(Unread::Bad(found, _)) if found == status),
                "{text}"
            );
        }
        assert!(request(b"POST / HTT").unwrap().is_none());
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_HEAD));
        assert!(matches!(request(long.as_bytes()), Err(Unread::Bad(431, _))));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
        assert!(matches!(request(many.as_bytes()), Err(Unread::Bad(431, _))));
    }
}

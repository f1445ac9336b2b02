//! The requests of one HTTP/1 connection, each of which has to be for the name that the connection is for. Pure.
//!
//! Every head is held back until all of it was read; bodies pass as they come. As with TLS, a server reads the same
//! bytes again, so whatever could be read in two ways is refused: a bare line feed, a folded line, two lengths.

mod head;

use crate::name::{Name, NameProblem};
use head::{Body, Head};

/// A head longer than this is refused.
pub(crate) const HEAD_MAX: usize = 32 * 1024;

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpProblem {
    #[error("it is not HTTP/1")]
    NotHttp,
    #[error("HTTP/2 without TLS cannot be looked into")]
    Http2,
    #[error("the head is malformed: {0}")]
    Malformed(&'static str),
    #[error("the head is too long")]
    TooLong,
    #[error("the request asks for a tunnel")]
    Tunnel,
    #[error("the request names no host")]
    NoHost,
    #[error("the request names its host twice")]
    TwoHosts,
    #[error("the host's name: {0}")]
    Name(NameProblem),
    #[error("the request is for `{0}`")]
    OtherHost(Name),
    #[error("the request is for port {0}")]
    OtherPort(u16),
    #[error("the request changes the protocol to something other than WebSocket")]
    Upgrade,
}

/// Follows the bytes that a client sends.
#[derive(Debug)]
pub(crate) struct Requests {
    name: Name,
    port: u16,
    state: State,
    /// Bytes of a head, or of a line between chunks, that is not complete.
    held: Vec<u8>,
    heads: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of a body are to come.
    Body(u64),
    ChunkSize,
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// The line behind the last chunk, which has to be empty.
    LastLine,
    /// A request for WebSocket is on its way: its answer decides what comes next.
    Upgrading,
    /// The connection is a WebSocket.
    Tunnel,
}

impl Requests {
    pub(crate) fn new(name: Name, port: u16) -> Requests {
        Requests { name, port, state: State::Head, held: Vec::new(), heads: 0 }
    }

    /// Takes bytes of the client; what may be sent on is added to `through`.
    pub(crate) fn push(&mut self, mut bytes: &[u8], through: &mut Vec<u8>) -> Result<(), HttpProblem> {
        while !bytes.is_empty() {
            match self.state {
                State::Head => {
                    let before = self.held.len();
                    let taken = bytes.get(..bytes.len().min(HEAD_MAX + 1 - before)).unwrap_or(bytes);
                    // Not twice as much as needed: a thousand connections can be in a head at one time.
                    if self.held.capacity() - before < taken.len() {
                        self.held.reserve_exact(taken.len().max(4096));
                    }
                    self.held.extend(taken);
                    let Some(length) = head::length(&self.held, before)? else {
                        if self.held.len() > HEAD_MAX {
                            return Err(HttpProblem::TooLong);
                        }
                        return Ok(());
                    };
                    self.held.truncate(length);
                    bytes = bytes.get(length - before..).unwrap_or_default();
                    let head = head::read(&self.held)?;
                    self.state = self.judge(&head)?;
                    self.heads = self.heads.saturating_add(1);
                    through.extend(std::mem::take(&mut self.held));
                }
                State::Body(left) => {
                    bytes = self.pass(bytes, left, through, State::Body, State::Head);
                }
                State::Chunk(left) => {
                    bytes = self.pass(bytes, left, through, State::Chunk, State::ChunkEnd);
                }
                State::ChunkSize | State::ChunkEnd | State::LastLine => {
                    let Some((line, rest)) = self.line(bytes)? else { return Ok(()) };
                    bytes = rest;
                    self.state = match (self.state, line.as_slice()) {
                        (State::ChunkSize, size) => match head::chunk_size(size)? {
                            0 => State::LastLine,
                            size => State::Chunk(size),
                        },
                        (State::ChunkEnd, b"") => State::ChunkSize,
                        (State::LastLine, b"") => State::Head,
                        _ => return Err(HttpProblem::Malformed("a chunk does not end where it says")),
                    };
                    through.extend(line);
                    through.extend(b"\r\n");
                }
                // Whoever gives more does not wait for the answer, which would say how to read it.
                State::Upgrading => return Err(HttpProblem::Upgrade),
                State::Tunnel => {
                    through.extend(bytes);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether the next bytes depend on how the server answers; see [`Requests::answered`].
    pub(crate) fn waits(&self) -> bool {
        self.state == State::Upgrading
    }

    /// Whether nothing more is read: the connection is a WebSocket.
    pub(crate) fn is_tunnel(&self) -> bool {
        self.state == State::Tunnel
    }

    /// Whether a head is begun and not complete.
    pub(crate) fn is_in_head(&self) -> bool {
        self.state == State::Head && !self.held.is_empty()
    }

    /// Takes the first bytes of the answer to a request that [`waits`](Requests::waits).
    pub(crate) fn answered(&mut self, answer: &[u8]) {
        if self.waits() {
            self.state = if answer.starts_with(b"HTTP/1.1 101 ") { State::Tunnel } else { State::Head };
        }
    }

    fn judge(&self, head: &Head<'_>) -> Result<State, HttpProblem> {
        let hosts = [head.target_host, Some(head.host)].into_iter().flatten();
        for host in hosts {
            let (name, port) = head::authority(host)?;
            if name != self.name {
                return Err(HttpProblem::OtherHost(name));
            }
            if let Some(port) = port.filter(|port| *port != self.port) {
                return Err(HttpProblem::OtherPort(port));
            }
        }
        match head.body {
            // Answers to earlier requests would hide which one is the answer to this.
            _ if head.websocket && self.heads > 0 => Err(HttpProblem::Upgrade),
            Body::None if head.websocket => Ok(State::Upgrading),
            _ if head.websocket => Err(HttpProblem::Upgrade),
            Body::None | Body::Length(0) => Ok(State::Head),
            Body::Length(length) => Ok(State::Body(length)),
            Body::Chunked => Ok(State::ChunkSize),
        }
    }

    fn pass<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        through: &mut Vec<u8>,
        more: impl Fn(u64) -> State,
        then: State,
    ) -> &'a [u8] {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (passing, rest) = bytes.split_at(count);
        through.extend(passing);
        let left = left - count as u64;
        self.state = if left == 0 { then } else { more(left) };
        rest
    }

    /// A line between chunks and the bytes behind it; `None`: it is not complete.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Line<'a>>, HttpProblem> {
        /// A size of 16 digits and the line end.
        const LINE_MAX: usize = 18;
        for (at, byte) in bytes.iter().enumerate() {
            self.held.push(*byte);
            if self.held.ends_with(b"\r\n") {
                let mut line = std::mem::take(&mut self.held);
                line.truncate(line.len() - 2);
                return Ok(Some((line, bytes.get(at + 1..).unwrap_or_default())));
            }
            if self.held.len() >= LINE_MAX || *byte == b'\n' {
                return Err(HttpProblem::Malformed("the line of a chunk"));
            }
        }
        Ok(None)
    }
}

/// A line without its end, and what follows it.
type Line<'a> = (Vec<u8>, &'a [u8]);

/// What a client is told whose request is refused.
pub(crate) fn refusal(why: &str) -> Vec<u8> {
    let text = format!("waxcell: {why}\n");
    let length = text.len();
    format!("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}")
        .into_bytes()
}

#[cfg(test)]
mod tests;

//! What a client says about where it goes, which has to agree with the name that it connected to. Pure.
//!
//! Port 443 is TLS and port 80 is HTTP. On any other port, whatever looks like one of them is held
//! to the same; what does not is for the name that the address stands for, and nothing in it says otherwise.

use crate::http::{self, HttpProblem, Requests};
use crate::name::Name;
use crate::tls::{self, HANDSHAKE, TlsProblem, server_name};

/// Follows what a client sends.
#[derive(Debug)]
pub(crate) struct Witness {
    name: Name,
    port: u16,
    state: State,
}

#[derive(Debug)]
enum State {
    /// All of a hello so far, of which so many bytes were sent on already.
    Tls(Vec<u8>, usize),
    /// Of what comes through, so many bytes were sent on already.
    Http(Requests, usize),
    /// What was said so far, all of it sent on.
    Watching(Vec<u8>),
    /// Nothing more is looked at.
    Settled,
}

/// Why a connection goes no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Disagreement {
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    #[error("the ClientHello is for `{0}`")]
    OtherServer(Name),
    #[error(transparent)]
    Http(#[from] HttpProblem),
}

impl Disagreement {
    /// What the client is told, in its own protocol.
    pub(crate) fn farewell(&self) -> Vec<u8> {
        match self {
            Disagreement::Tls(TlsProblem::NotTls)
            | Disagreement::Http(HttpProblem::NotHttp | HttpProblem::Http2) => Vec::new(),
            Disagreement::Tls(_) | Disagreement::OtherServer(_) => tls::REFUSAL.to_vec(),
            Disagreement::Http(problem) => http::refusal(&problem.to_string()),
        }
    }
}

/// PostgreSQL asks for encryption in these eight bytes (TLS, GSSAPI), and goes on with TLS if the answer is yes.
const POSTGRES: [[u8; 8]; 2] = [[0, 0, 0, 8, 4, 210, 22, 47], [0, 0, 0, 8, 4, 210, 22, 48]];

/// What the first bytes of a stream look like.
enum Guess {
    Tls,
    Http,
    Other,
    /// More bytes are needed; those that are there say nothing and may be sent on.
    Open,
}

/// Longer words are no methods of any server.
const METHOD_MAX: usize = 64;

fn guess(stream: &[u8]) -> Guess {
    let Some(first) = stream.first() else { return Guess::Open };
    if *first == HANDSHAKE {
        return Guess::Tls;
    }
    // Servers pass over empty lines before a request.
    let blank = stream.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let line = stream.get(blank..).unwrap_or_default();
    // What servers take for methods: the first word of git's own protocol has digits.
    let word = line.iter().take_while(|byte| byte.is_ascii_alphabetic() || b"-_".contains(byte)).count();
    if blank > METHOD_MAX {
        return Guess::Http;
    }
    if word > METHOD_MAX {
        return Guess::Other;
    }
    let (method, target) = line.split_at(word);
    if method.is_empty() || target.first().is_some_and(|byte| *byte != b' ') {
        return if line.is_empty() { Guess::Open } else { Guess::Other };
    }
    // Some servers pass over any number of blanks here. Nobody else sends many.
    let blank = target.iter().take_while(|byte| b" \t".contains(byte)).count();
    if blank > METHOD_MAX {
        return Guess::Http;
    }
    let target = target.get(blank..).unwrap_or_default();
    if target.is_empty() {
        return Guess::Open;
    }
    if b"/*".contains(&target[0]) || [&b"CONNECT"[..], b"PRI"].contains(&method) {
        return Guess::Http;
    }
    let scheme = target.iter().zip(b"http").take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    match scheme {
        4 => Guess::Http,
        _ if scheme == target.len() => Guess::Open,
        _ => Guess::Other,
    }
}

impl Witness {
    /// Of a connection to a port of a name.
    pub(crate) fn new(name: Name, port: u16) -> Witness {
        let state = match port {
            443 => State::Tls(Vec::new(), 0),
            80 => State::Http(Requests::new(name.clone(), port), 0),
            _ => State::Watching(Vec::new()),
        };
        Witness { name, port, state }
    }

    /// Takes bytes of the client; what may be sent on is added to `through`.
    pub(crate) fn push(&mut self, bytes: &[u8], through: &mut Vec<u8>) -> Result<(), Disagreement> {
        match &mut self.state {
            State::Settled => through.extend(bytes),
            State::Tls(held, sent) => {
                held.extend(bytes);
                let Some(name) = server_name(held)? else { return Ok(()) };
                if name != self.name {
                    return Err(Disagreement::OtherServer(name));
                }
                through.extend(held.get(*sent..).unwrap_or_default());
                self.state = State::Settled;
            }
            State::Http(requests, sent) => {
                let before = through.len();
                let result = requests.push(bytes, through);
                let repeated = (through.len() - before).min(*sent);
                through.drain(before..before + repeated);
                *sent -= repeated;
                result?;
                if requests.is_tunnel() {
                    self.state = State::Settled;
                }
            }
            State::Watching(seen) => {
                let sent = seen.len();
                seen.extend(bytes);
                let mut stream = &seen[..];
                // One request for each kind of encryption at most, then something else.
                for _ in POSTGRES {
                    let asks = POSTGRES.iter().find_map(|request| stream.strip_prefix(request));
                    stream = asks.unwrap_or(stream);
                }
                let skipped = seen.len() - stream.len();
                let begun = !stream.is_empty() && POSTGRES.iter().any(|request| request.starts_with(stream));
                match guess(stream) {
                    _ if begun => through.extend(bytes),
                    Guess::Open => through.extend(bytes),
                    Guess::Other => {
                        through.extend(bytes);
                        self.state = State::Settled;
                    }
                    looks @ (Guess::Tls | Guess::Http) => {
                        // What was asked before is sent on if it was not, and is no part of what is looked at.
                        let stream = stream.to_vec();
                        through.extend(seen.get(sent..skipped).unwrap_or_default());
                        let sent = sent.saturating_sub(skipped);
                        self.state = match looks {
                            Guess::Tls => State::Tls(Vec::new(), sent),
                            _ => State::Http(Requests::new(self.name.clone(), self.port), sent),
                        };
                        return self.push(&stream, through);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the client has to say something before anybody is called for it.
    pub(crate) fn comes_first(&self) -> bool {
        matches!(self.state, State::Tls(..) | State::Http(..))
    }

    /// Whether nothing more is looked at.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.state, State::Settled)
    }

    /// Whether the client is in the middle of saying where it goes.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.state {
            State::Tls(..) => true,
            State::Http(requests, _) => requests.is_in_head(),
            State::Watching(_) | State::Settled => false,
        }
    }

    /// Whether the server's first bytes decide what comes next.
    pub(crate) fn asks_server(&self) -> bool {
        matches!(&self.state, State::Http(requests, _) if requests.waits())
    }

    /// Takes the first bytes that the server sent.
    pub(crate) fn answered(&mut self, answer: &[u8]) {
        if let State::Http(requests, _) = &mut self.state {
            requests.answered(answer);
            if requests.is_tunnel() {
                self.state = State::Settled;
            }
        }
    }
}

#[cfg(test)]
mod tests;

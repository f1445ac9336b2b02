//! The first message of TLS, as far as it says for whom it is. Pure.
//!
//! What is read here is read again by a server, perhaps less strictly. So whatever could be read in two ways is refused:
//! lengths that do not agree, an extension that comes twice, two names, more messages in the same record.

use crate::name::{Name, NameProblem};

/// A hello longer than this is refused; a usual one has 300 to 2,000 bytes.
pub(crate) const HELLO_MAX: usize = 16 * 1024;

/// First byte of a record that holds messages of the handshake.
pub(crate) const HANDSHAKE: u8 = 22;

const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// Its drafts, under the number that was used for years.
const ENCRYPTED_SERVER_NAME: u16 = 0xffce;

/// Fatal, `access_denied`: what a refused client is told, so that its error says so.
pub(crate) const REFUSAL: [u8; 7] = [21, 3, 1, 0, 2, 2, 49];

/// Why it is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsProblem {
    #[error("it is not TLS")]
    NotTls,
    #[error("the ClientHello is malformed")]
    Malformed,
    #[error("the ClientHello is too long")]
    TooLong,
    #[error("the ClientHello names no server (SNI)")]
    NoName,
    #[error("the ClientHello hides its server (ECH)")]
    Hidden,
    #[error("the server's name: {0}")]
    Name(NameProblem),
}

/// The server's name in the ClientHello at the beginning of a stream; `None`: more bytes are needed.
///
/// Whatever follows the record in which the hello ends is not looked at.
pub(crate) fn server_name(stream: &[u8]) -> Result<Option<Name>, TlsProblem> {
    match hello(stream)? {
        Some(body) => named(&body).map(Some),
        None if stream.len() >= HELLO_MAX => Err(TlsProblem::TooLong),
        None => Ok(None),
    }
}

/// The body of the hello, put together from its records.
fn hello(stream: &[u8]) -> Result<Option<Vec<u8>>, TlsProblem> {
    let (mut rest, mut message) = (stream, Vec::new());
    loop {
        // Said as soon as it can be said: a client that waits for an answer to something else would wait for long.
        if rest.first().is_some_and(|kind| *kind != HANDSHAKE) || rest.get(1).is_some_and(|major| *major != 3)
        {
            return Err(if message.is_empty() { TlsProblem::NotTls } else { TlsProblem::Malformed });
        }
        let Some((&[_, _, minor, high, low], behind)) = rest.split_first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if minor > 4 || length == 0 || length > 1 << 14 {
            return Err(if message.is_empty() { TlsProblem::NotTls } else { TlsProblem::Malformed });
        }
        let whole = behind.get(..length);
        message.extend(whole.unwrap_or(behind));
        if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Err(TlsProblem::Malformed);
        }
        if let Some((&[_, a, b, c], body)) = message.split_first_chunk() {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            if length + 4 > HELLO_MAX {
                return Err(TlsProblem::TooLong);
            }
            if body.len() > length {
                return Err(TlsProblem::Malformed);
            }
            if body.len() == length && whole.is_some() {
                return Ok(Some(body.to_vec()));
            }
        }
        match whole {
            Some(_) => rest = behind.get(length..).unwrap_or_default(),
            None => return Ok(None),
        }
    }
}

/// The name in the body of a hello.
fn named(body: &[u8]) -> Result<Name, TlsProblem> {
    let mut body = Fields(body);
    // Version and random bytes; session, suites, compression.
    body.take(34)?;
    let session = body.behind_u8()?;
    let (suites, compression) = (body.behind_u16()?, body.behind_u8()?);
    if session.len() > 32 || suites.is_empty() || suites.len() % 2 != 0 || compression.is_empty() {
        return Err(TlsProblem::Malformed);
    }
    if body.0.is_empty() {
        return Err(TlsProblem::NoName);
    }
    let mut extensions = Fields(body.behind_u16()?);
    body.end()?;
    let (mut seen, mut name) = (Vec::new(), None);
    while !extensions.0.is_empty() {
        let (kind, contents) = (extensions.u16()?, extensions.behind_u16()?);
        // A hello of 16 KiB has room for 4,000 of them: looking through all that often is not what it may cost.
        if seen.contains(&kind) || seen.len() >= 128 {
            return Err(TlsProblem::Malformed);
        }
        seen.push(kind);
        match kind {
            SERVER_NAME => name = Some(host_name(contents)?),
            ENCRYPTED_CLIENT_HELLO | ENCRYPTED_SERVER_NAME => return Err(TlsProblem::Hidden),
            _ => {}
        }
    }
    Name::parse(name.ok_or(TlsProblem::NoName)?).map_err(TlsProblem::Name)
}

/// The one name of the extension.
fn host_name(contents: &[u8]) -> Result<&[u8], TlsProblem> {
    let mut contents = Fields(contents);
    let mut list = Fields(contents.behind_u16()?);
    contents.end()?;
    let (kind, name) = (list.take(1)?, list.behind_u16()?);
    list.end()?;
    // No other kind was ever defined.
    if kind == [0] { Ok(name) } else { Err(TlsProblem::Malformed) }
}

/// Fields one after another; nothing is read that is not there.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], TlsProblem> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(TlsProblem::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, TlsProblem> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().map_err(|_| TlsProblem::Malformed)?))
    }

    fn behind_u8(&mut self) -> Result<&'a [u8], TlsProblem> {
        let length = self.take(1)?[0];
        self.take(usize::from(length))
    }

    fn behind_u16(&mut self) -> Result<&'a [u8], TlsProblem> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    fn end(&self) -> Result<(), TlsProblem> {
        if self.0.is_empty() { Ok(()) } else { Err(TlsProblem::Malformed) }
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! What the run's init says while the run goes on: sockets to accept from, and who is about to connect from where.

use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::Interest;

use crate::report::{Attempt, Rule};
use crate::run::Run;
use crate::serve::listen;

/// A place is at most so long.
const PLACE_MAX: usize = 512;

/// One byte says what it is; then address, port and place.
const MESSAGE_MAX: usize = 1 + 16 + 2 + PLACE_MAX;

/// Listeners of a run; more are not accepted from.
pub(crate) const LISTENERS_MAX: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
enum Message<'a> {
    Listener,
    /// Something inside is about to send to this address.
    Place(SocketAddr, &'a str),
}

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum LineProblem {
    #[error("the run's init said what is no message")]
    NoMessage,
    #[error("the run's init spoke of a listener and sent none")]
    NoListener,
    #[error("the run has too many listeners")]
    TooMany,
    #[error("the listener cannot be accepted from")]
    Useless,
}

fn parse(message: &[u8]) -> Result<Message<'_>, LineProblem> {
    match message {
        b"l" => Ok(Message::Listener),
        [b'c', rest @ ..] => {
            let (address, rest) = rest.split_first_chunk::<16>().ok_or(LineProblem::NoMessage)?;
            let (port, place) = rest.split_first_chunk::<2>().ok_or(LineProblem::NoMessage)?;
            let place = std::str::from_utf8(place).map_err(|_| LineProblem::NoMessage)?;
            if place.len() > PLACE_MAX {
                return Err(LineProblem::NoMessage);
            }
            let address = IpAddr::V6(Ipv6Addr::from(*address)).to_canonical();
            Ok(Message::Place(SocketAddr::new(address, u16::from_be_bytes(*port)), place))
        }
        _ => Err(LineProblem::NoMessage),
    }
}

/// Hears the init until it is gone.
pub(crate) async fn line(run: Rc<Run>) {
    while run.line.readable().await.is_ok() {
        let heard = run.line.try_io(Interest::READABLE, || match hear(&run) {
            Heard::AllSoFar => Err(ErrorKind::WouldBlock.into()),
            Heard::TheEnd => Ok(()),
        });
        if heard.is_ok() {
            return;
        }
    }
}

/// What [`hear`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    AllSoFar,
    TheEnd,
}

/// Takes in all that was said until now. A note is sent before its connection can arrive: whoever has accepted one hears
/// first, and then knows its place.
pub(crate) fn hear(run: &Rc<Run>) -> Heard {
    let mut bytes = [0; MESSAGE_MAX + 1];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let length = match recvmsg(&run.line, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags) {
            Ok(received) if received.bytes > 0 => received.bytes,
            Err(Errno::AGAIN) => return Heard::AllSoFar,
            Err(Errno::INTR) => continue,
            Ok(_) | Err(_) => return Heard::TheEnd,
        };
        let socket = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        let message = bytes.get(..length).unwrap_or_default();
        if let Err(why) = parse(message).and_then(|message| heed(run, message, socket)) {
            run.refuse(Attempt::Connect, "a message".to_owned(), Rule::Malformed, why.to_string(), None);
        }
    }
}

fn heed(run: &Rc<Run>, message: Message<'_>, socket: Option<OwnedFd>) -> Result<(), LineProblem> {
    match message {
        Message::Place(address, place) => run.places.borrow_mut().keep(address, place.to_owned()),
        Message::Listener => {
            let listener = TcpListener::from(socket.ok_or(LineProblem::NoListener)?);
            if run.listeners.get() >= LISTENERS_MAX {
                return Err(LineProblem::TooMany);
            }
            listen(run, listener).map_err(|_| LineProblem::Useless)?;
            run.listeners.set(run.listeners.get() + 1);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LineProblem, Message, PLACE_MAX, parse};

    fn note(address: &str, port: u16, place: &[u8]) -> Vec<u8> {
        let address: std::net::Ipv6Addr = address.parse().unwrap();
        [b"c", &address.octets()[..], &port.to_be_bytes(), place].concat()
    }

    #[test]
    fn messages_are_read() {
        assert_eq!(parse(b"l"), Ok(Message::Listener));
        let place = |address: &str, place| Ok(Message::Place(address.parse().unwrap(), place));
        assert_eq!(
            parse(&note("::ffff:198.18.1.0", 443, b"tally.py:12")),
            place("198.18.1.0:443", "tally.py:12")
        );
        assert_eq!(parse(&note("fd77:6178:6365::100", 80, b"")), place("[fd77:6178:6365::100]:80", ""));
        let long = [b'a'; PLACE_MAX];
        assert!(parse(&note("::1", 1, &long)).is_ok());
    }

    #[test]
    fn what_is_no_message_is_told() {
        let long = [b'a'; PLACE_MAX + 1];
        let (long, text) = (note("::1", 1, &long), note("::1", 1, b"\xff"));
        for other in [&b""[..], b"x", b"ll", b"c", &note("::1", 1, b"")[..18], &long, &text] {
            assert_eq!(parse(other), Err(LineProblem::NoMessage), "{}", other.escape_ascii());
        }
    }
}

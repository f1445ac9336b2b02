//! The name server of a run without a network: it refuses every question, and tells what was asked.
//!
//! Without it a question would get lost on loopback, and nobody would learn which name a script wanted. It lies where
//! the C library looks if no other is named, at 127.0.0.1:53 of the run's own network (`resolv.conf(5)`; messages:
//! RFC 1035, section 4.1). Every byte it gets is the script's.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// The longest name, as text.
const NAME_MAX: usize = 253;
/// The longest question over UDP without extensions.
const MESSAGE_MAX: usize = 512;
const HEADER: usize = 12;
/// How many questions are answered before others get their turn.
const AT_ONCE: usize = 16;

/// Opens the socket in the network namespace that this process is in. Needs `CAP_NET_BIND_SERVICE` there.
pub(crate) fn open() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 53))?;
    Ok(socket)
}

/// Answers the questions that wait, and calls `tell` with the name of each.
pub(crate) fn serve(socket: BorrowedFd<'_>, mut tell: impl FnMut(&[u8])) {
    let mut message = [0u8; MESSAGE_MAX];
    for _ in 0..AT_ONCE {
        let (length, from) = match net::recvfrom(socket, &mut message, RecvFlags::TRUNC) {
            Ok((_, length, Some(from))) => (length.min(MESSAGE_MAX), from),
            Ok(_) => continue,
            Err(_) => return,
        };
        let mut name = [0u8; NAME_MAX];
        if let Some((name, length)) = refuse(&mut message[..length], &mut name) {
            tell(name);
            // Whoever does not take its answer meets its own timeout.
            let _ = net::sendto(socket, &message[..length], SendFlags::DONTWAIT, &from);
        }
    }
}

/// Turns a question into its refusal, in place. Returns the name that was asked for and the length of the answer;
/// `None` for what is no question.
fn refuse<'a>(message: &mut [u8], name: &'a mut [u8; NAME_MAX]) -> Option<(&'a [u8], usize)> {
    const RESPONSE: u8 = 0x80;
    const OPERATION_AND_RECURSION: u8 = 0x79;
    const REFUSED: u8 = 5;
    if message.len() < HEADER || message[2] & RESPONSE != 0 || message[4..6] != [0, 1] {
        return None;
    }
    let (mut at, mut length) = (HEADER, 0);
    loop {
        let label = usize::from(*message.get(at)?);
        if label == 0 {
            break;
        }
        // The upper two bits would say that the name goes on elsewhere, which that of a question does not.
        let bytes = message.get(at + 1..at + 1 + label).filter(|_| label < 64)?;
        let dot = usize::from(length > 0);
        let room = name.get_mut(length..length + dot + label)?;
        room[..dot].fill(b'.');
        room[dot..].copy_from_slice(bytes);
        (at, length) = (at + 1 + label, length + dot + label);
    }
    // The end of the name, type and class; what follows it goes.
    let end = at + 5;
    message.get(..end)?;
    message[2] = RESPONSE | message[2] & OPERATION_AND_RECURSION;
    message[3] = REFUSED;
    message[6..HEADER].fill(0);
    Some((&name[..length], end))
}

#[cfg(test)]
mod tests {
    use super::{NAME_MAX, refuse};

    fn question(name: &[u8]) -> Vec<u8> {
        let mut message = b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01".to_vec();
        message.extend(name);
        message.extend(b"\0\x01\0\x01\0\0\x29\x04\xb0\0\0\0\0\0\0");
        message
    }

    fn asked(mut message: Vec<u8>) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut name = [0; NAME_MAX];
        let (name, length) = refuse(&mut message, &mut name)?;
        Some((name.to_vec(), message[..length].to_vec()))
    }

    #[test]
    fn a_question_gets_its_refusal() {
        let (name, answer) = asked(question(b"\x04evil\x07example\0")).expect("a question");
        assert_eq!(name, b"evil.example");
        assert_eq!(answer, b"\x12\x34\x81\x05\0\x01\0\0\0\0\0\0\x04evil\x07example\0\0\x01\0\x01");
        assert_eq!(asked(question(b"\0")).expect("the root").0, b"");
    }

    #[test]
    fn what_is_no_question_gets_none() {
        let whole = question(b"\x04evil\0");
        for length in 0..12 + 6 + 4 {
            assert_eq!(asked(whole[..length].to_vec()), None, "{length}");
        }
        let mut response = whole.clone();
        response[2] |= 0x80;
        assert_eq!(asked(response), None);
        let mut two = whole.clone();
        two[5] = 2;
        assert_eq!(asked(two), None);
        // A name that goes on elsewhere, one that is too long, one that never ends.
        assert_eq!(asked(question(b"\xc0\x0c")), None);
        assert_eq!(asked(question(&[&[63; 64][..]; 4].concat())), None);
        assert_eq!(asked(question(&[1; 400])), None);
    }

    #[test]
    fn any_bytes_are_survived() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..100_000 {
            let mut bytes = Vec::new();
            for _ in 0..state % 64 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.push(state as u8 & if state & 1 << 40 == 0 { 7 } else { 0xFF });
            }
            state = state.wrapping_add(1);
            let _ = asked(bytes);
        }
    }
}

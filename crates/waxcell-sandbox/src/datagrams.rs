//! Datagrams to addresses that lead out of the run, which nobody takes.
//!
//! `sendto` with an address is refused before anything is sent. What is sent over a connected socket, or by `sendmsg`, nobody is
//! asked about; nor can a `connect` be refused, which is how the C library finds out which address to prefer. But the kernel
//! answers each datagram that nobody takes with a message that has the beginning of it (ICMP: RFC 792; RFC 4443, section
//! 3.1), on loopback as many as there are datagrams. The init hears those.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, ipproto};

use crate::frames::Place;

/// How many messages are heard before others get their turn.
const AT_ONCE: usize = 16;
/// Of so many sockets that were connected last it is known from where.
const SENDERS: usize = 16;

/// Both versions of the protocol; one that the kernel does not have is not listened to.
#[derive(Default)]
pub(crate) struct Datagrams {
    sockets: [Option<OwnedFd>; 2],
    /// The last that were connected, the oldest at `next`.
    senders: Vec<(SocketAddr, Place)>,
    next: usize,
}

impl Datagrams {
    pub(crate) fn new() -> Datagrams {
        Datagrams { sockets: [None, None], senders: Vec::with_capacity(SENDERS), next: 0 }
    }

    /// Begins to hear, in the network namespace that this process is in. Needs `CAP_NET_RAW` there.
    pub(crate) fn listen(&mut self) -> Result<(), Errno> {
        let raw = |family, protocol: Protocol| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            net::socket_with(family, SocketType::RAW, flags, Some(protocol)).map(Some)
        };
        let six = match raw(AddressFamily::INET6, ipproto::ICMPV6) {
            Err(Errno::AFNOSUPPORT) => None,
            other => other?,
        };
        self.sockets = [raw(AddressFamily::INET, ipproto::ICMP)?, six];
        Ok(())
    }

    pub(crate) fn descriptors(&self) -> [Option<BorrowedFd<'_>>; 2] {
        self.sockets.each_ref().map(|socket| socket.as_ref().map(std::os::fd::AsFd::as_fd))
    }

    /// A datagram socket is about to be connected to an address, from there in the script.
    pub(crate) fn connects(&mut self, address: SocketAddr, place: Place) {
        if self.senders.len() < SENDERS {
            return self.senders.push((address, place));
        }
        self.senders[self.next] = (address, place);
        self.next = (self.next + 1) % SENDERS;
    }

    /// From where the address was last connected to, if that was lately.
    pub(crate) fn place_of(&self, address: SocketAddr) -> Option<&Place> {
        let (newer, older) = self.senders.split_at(self.next);
        let mut latest_first = newer.iter().rev().chain(older.iter().rev());
        latest_first.find(|(known, _)| *known == address).map(|(_, place)| place)
    }

    /// Calls `tell` with the address of each datagram that nobody took, of some of those that wait; whether there may be more.
    pub(crate) fn hear(&self, mut tell: impl FnMut(SocketAddr)) -> bool {
        let mut heard = 0;
        let mut message = [0u8; 256];
        for (socket, find) in self.sockets.iter().zip([lost_4, lost_6]) {
            let Some(socket) = socket else { continue };
            while heard < AT_ONCE {
                let Ok((_, length)) = net::recv(socket, &mut message[..], RecvFlags::TRUNC) else { break };
                heard += 1;
                find(&message[..length.min(message.len())]).into_iter().for_each(&mut tell);
            }
        }
        heard == AT_ONCE
    }
}

/// The destination in a message that a port of UDP is nobody's, behind its header of IP.
fn lost_4(packet: &[u8]) -> Option<SocketAddr> {
    const UNREACHABLE: u8 = 3;
    const PORT: u8 = 3;
    let message = packet.get(header_4(packet)?..)?;
    let [UNREACHABLE, PORT, ..] = message else { return None };
    let datagram = message.get(8..)?;
    let ip: [u8; 4] = datagram.get(16..20)?.try_into().ok()?;
    if datagram.get(9)? != &UDP {
        return None;
    }
    Some(SocketAddr::new(Ipv4Addr::from(ip).into(), port(datagram.get(header_4(datagram)?..)?)?))
}

/// The same, where there is no header before the message.
fn lost_6(message: &[u8]) -> Option<SocketAddr> {
    const UNREACHABLE: u8 = 1;
    const PORT: u8 = 4;
    let [UNREACHABLE, PORT, ..] = message else { return None };
    let datagram = message.get(8..)?;
    let ip: [u8; 16] = datagram.get(24..40)?.try_into().ok()?;
    if datagram.get(6)? != &UDP {
        return None;
    }
    Some(SocketAddr::new(IpAddr::from(Ipv6Addr::from(ip)), port(datagram.get(40..)?)?))
}

const UDP: u8 = 17;

fn header_4(packet: &[u8]) -> Option<usize> {
    Some(usize::from(packet.first()? & 0xF) * 4)
}

/// Where a datagram goes: behind where it comes from.
fn port(datagram: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(datagram.get(2..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{lost_4, lost_6};

    /// A message about a datagram to 198.18.1.0:443 with 4 bytes of options.
    fn four() -> Vec<u8> {
        let outer = [&[0x45, 0, 0, 60, 0, 0, 0, 0, 64, 1, 0, 0][..], &[127, 0, 0, 1, 127, 0, 0, 1]].concat();
        let inner =
            [&[0x46, 0, 0, 33, 0, 0, 0, 0, 64, 17, 0, 0][..], &[127, 0, 0, 1, 198, 18, 1, 0, 1, 1, 1, 1]]
                .concat();
        [&outer[..], &[3, 3, 0, 0, 0, 0, 0, 0], &inner, &[0x80, 0, 1, 187, 0, 9, 0, 0]].concat()
    }

    /// The same to [fd77:6178:6365::100]:443.
    fn six() -> Vec<u8> {
        let to = "fd77:6178:6365::100".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let inner = [&[0x60, 0, 0, 0, 0, 9, 17, 64][..], &[0; 15], &[1], &to].concat();
        [&[1, 4, 0, 0, 0, 0, 0, 0][..], &inner, &[0x80, 0, 1, 187, 0, 9, 0, 0]].concat()
    }

    #[test]
    fn the_address_is_found_in_what_the_kernel_says() {
        assert_eq!(lost_4(&four()), "198.18.1.0:443".parse().ok());
        assert_eq!(lost_6(&six()), "[fd77:6178:6365::100]:443".parse().ok());
    }

    #[test]
    fn other_messages_say_nothing() {
        let with = |mut message: Vec<u8>, at: usize, byte: u8| {
            message[at] = byte;
            message
        };
        // An answer to an echo; a host that is not reached; about another protocol.
        for (at, byte) in [(20, 0), (21, 1), (37, 6)] {
            assert_eq!(lost_4(&with(four(), at, byte)), None, "{at}");
        }
        for (at, byte) in [(0, 129), (1, 3), (14, 6)] {
            assert_eq!(lost_6(&with(six(), at, byte)), None, "{at}");
        }
        for length in 0..four().len() - 4 {
            assert_eq!(lost_4(&four()[..length]), None, "{length}");
        }
        for length in 0..six().len() - 4 {
            assert_eq!(lost_6(&six()[..length]), None, "{length}");
        }
    }
}

//! Attempts to leave the run's network, which leads nowhere but to itself, and through its doors ([`crate::doors`]).
//!
//! That is the kernel's doing, whatever is read here: a call to an address of the run's own goes on in the kernel, which
//! looks at the address again. What is answered here is what the kernel would answer, and told.

use std::ffi::CStr;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use waxcell_operations::Operation;

use crate::doors::Doors;
use crate::ending::Layer;
use crate::guarded::Asked;
use crate::refusals::Refusals;
use crate::seccomp::Call;
use crate::sys::Answer;
use crate::target::{open_descriptor, own_descriptor, read_exactly, still_waiting};
use crate::text::Text;
use crate::wire::Attempt;

/// `sizeof(struct sockaddr_storage)`: the kernel takes no longer address.
pub(crate) const ADDRESS_MAX: usize = 128;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Stream,
    Datagram,
    /// Not of the network at all.
    Other,
}

/// `connect`, or `sendto` with an address.
pub(crate) fn reach(asked: &mut Asked<'_>, kind: Call, doors: Option<&mut Doors>) -> Result<Answer, Errno> {
    let a = asked.call.args;
    let (address, length, operation) = match kind {
        Call::Connect => (a[1], a[2], Operation::NetConnect),
        _ if a[3] as i32 & libc::MSG_FASTOPEN != 0 => (a[4], a[5], Operation::NetConnect),
        _ => (a[4], a[5], Operation::NetUdp),
    };
    let mut buffer = [0u8; ADDRESS_MAX];
    let bytes = read_address(asked, address, length, &mut buffer)?;
    if operation == Operation::NetUdp && bytes.starts_with(&(libc::AF_UNSPEC as u16).to_ne_bytes()) {
        // As which the kernel takes it from a socket of version 4; one of version 6 does without the address.
        bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    }
    let Some(address) = internet_address(bytes) else { return Ok(Answer::Continue) };
    if let Some(doors) = doors {
        let inside = SocketAddr::new(address.ip().to_canonical(), address.port());
        if doors.leads_out(inside) {
            return reach_inside(asked, (kind, operation), doors, inside);
        }
        if !doors.has_loopback && !leaves(address.ip()) {
            // As where it is down.
            return Err(Errno::NETUNREACH);
        }
    }
    if !leaves(address.ip()) {
        return Ok(Answer::Continue);
    }
    let operation = match kind {
        Call::Connect if transport_of(asked.call.tid, a[0]) == Transport::Datagram => Operation::NetUdp,
        _ => operation,
    };
    Err(deny(asked, operation, Errno::NETUNREACH, address))
}

/// The same to an address that leads out. Whatever goes on from here is the kernel's to decide: what nobody listens for is
/// refused.
fn reach_inside(
    asked: &mut Asked<'_>,
    (kind, operation): (Call, Operation),
    doors: &mut Doors,
    address: SocketAddr,
) -> Result<Answer, Errno> {
    let transport = transport_of(asked.call.tid, asked.call.args[0]);
    still_waiting(asked.listener, asked.call)?;
    let connects = operation == Operation::NetConnect;
    match transport {
        Transport::Datagram | Transport::Stream if doors.is_resolver(address) => {}
        // Nothing is sent by that: the C library asks which way there is. What is sent then is told in the end.
        Transport::Datagram if kind == Call::Connect => {
            if let Some(place) = asked.refusals.place(asked.call.tid) {
                doors.datagrams.connects(address, place);
            }
            return Ok(Answer::Continue);
        }
        Transport::Datagram => return Err(deny(asked, Operation::NetUdp, Errno::ACCESS, address)),
        Transport::Stream if connects && doors.blocks(address.port()) => {
            return Err(deny(asked, operation, Errno::ACCESS, address));
        }
        Transport::Stream if connects && address.port() != 0 => {
            if doors.open(address).is_err() {
                return Err(deny(asked, operation, Errno::CONNREFUSED, address));
            }
        }
        Transport::Stream | Transport::Other => return Ok(Answer::Continue),
    }
    doors.note(address, asked.refusals.place(asked.call.tid).as_ref());
    Ok(Answer::Continue)
}

/// `bind`: nobody is reached at an address that leads out.
pub(crate) fn bind(asked: &mut Asked<'_>, doors: Option<&mut Doors>) -> Result<Answer, Errno> {
    let a = asked.call.args;
    let mut buffer = [0u8; ADDRESS_MAX];
    let bytes = read_address(asked, a[1], a[2], &mut buffer)?;
    let address = internet_address(bytes);
    let address = address.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
    match address.zip(doors) {
        Some((address, doors)) if doors.leads_out(address) => {
            Err(deny(asked, Operation::NetListen, Errno::ADDRNOTAVAIL, address))
        }
        _ => Ok(Answer::Continue),
    }
}

fn read_address<'a>(
    asked: &Asked<'_>,
    address: u64,
    length: u64,
    buffer: &'a mut [u8; ADDRESS_MAX],
) -> Result<&'a mut [u8], Errno> {
    let length = usize::try_from(length as i32).ok().filter(|length| *length <= ADDRESS_MAX);
    let bytes = &mut buffer[..length.ok_or(Errno::INVAL)?];
    read_exactly(asked.call.tid, address, bytes)?;
    still_waiting(asked.listener, asked.call)?;
    Ok(bytes)
}

/// Tells of datagrams that were sent to where nobody takes them, of some of those that wait; whether there may be more.
pub(crate) fn tell_datagrams(doors: &Doors, control: BorrowedFd<'_>, refusals: &mut Refusals) -> bool {
    let (operation, layer, errno) = (Operation::NetUdp, Layer::Network, Errno::CONNREFUSED);
    doors.datagrams.hear(|address| {
        if !doors.leads_out(address) || doors.is_resolver(address) {
            return;
        }
        let is_first =
            refusals.add(control, Attempt { operation, layer, errno }, None, written(address, &mut [0; 128]));
        if let Some(place) = doors.datagrams.place_of(address).filter(|_| is_first) {
            refusals.say(control, place);
        }
    })
}

fn deny(asked: &mut Asked<'_>, operation: Operation, errno: Errno, address: SocketAddr) -> Errno {
    asked.deny(Attempt { operation, layer: Layer::Network, errno }, written(address, &mut [0; 128]));
    errno
}

fn written(address: SocketAddr, buffer: &mut [u8; 128]) -> &[u8] {
    let mut text = Text::new(buffer);
    // The longest address is half as long.
    let _ = write!(text, "{address}");
    text.bytes()
}

/// The kind of a socket of another process, by the name of its protocol (`sockfs`, as `lsof` asks for it).
fn transport_of(tid: u32, number: u64) -> Transport {
    let mut name = [0u8; 16];
    let length = open_descriptor(tid, number).and_then(|socket| {
        let mut link = [0; 64];
        fs::getxattr(own_descriptor(socket.as_fd(), &mut link)?, c"system.sockprotoname", &mut name[..])
    });
    match length {
        Ok(length) if name[..length].starts_with(b"TCP") => Transport::Stream,
        Ok(length) if name[..length].starts_with(b"UDP") => Transport::Datagram,
        Ok(_) => Transport::Other,
        Err(Errno::BADF | Errno::NODATA | Errno::OPNOTSUPP) => Transport::Other,
        // Whatever it is, a listener more does no harm.
        Err(_) => Transport::Stream,
    }
}

/// An address of either family (`ip(7)`, `ipv6(7)`); the kernel says what is wrong with any other.
fn internet_address(bytes: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    let ip = match family {
        libc::AF_INET => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(4..8)?).ok()?)),
        libc::AF_INET6 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Whether an address is none of this host itself, as which the kernel takes the unspecified one as well.
fn leaves(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    !ip.is_loopback() && !ip.is_unspecified()
}

/// How often the run's network had no way to a host, as it counts itself. `connect`, and `sendto` with an address, do not get so
/// far: they are answered here. What does is `sendmsg` and `sendmmsg`.
pub(crate) struct Unreachable {
    /// Counters of both versions of the protocol (`proc_pid_net(5)`).
    files: [OwnedFd; 2],
}

impl Unreachable {
    /// Of the network that this process is in by now, which is new.
    pub(crate) fn open() -> Result<Unreachable, Errno> {
        let open = |path: &CStr| fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        // A kernel without version 6 has no such file, and the other will do for both.
        let first = open(c"/proc/self/net/snmp")?;
        let second = open(c"/proc/self/net/snmp6").or_else(|_| rustix::io::fcntl_dupfd_cloexec(&first, 3))?;
        Ok(Unreachable { files: [first, second] })
    }

    /// How often so far.
    pub(crate) fn times(&self) -> u64 {
        let mut text = [0u8; 16384];
        let [four, six] = &self.files;
        no_routes(read_all(four, &mut text)) + no_routes_6(read_all(six, &mut text))
    }
}

fn read_all<'a>(file: &OwnedFd, text: &'a mut [u8]) -> &'a [u8] {
    let mut length = 0;
    while let Ok(read @ 1..) = rustix::io::pread(file, &mut text[length..], length as u64) {
        length += read;
    }
    &text[..length]
}

/// A line of names and one of numbers, for each protocol.
fn no_routes(snmp: &[u8]) -> u64 {
    let text = std::str::from_utf8(snmp).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else { return 0 };
    let mut counters = names.split(' ').zip(numbers.split(' '));
    counters.find(|(name, _)| *name == "OutNoRoutes").and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// A line of a name and a number each.
fn no_routes_6(snmp6: &[u8]) -> u64 {
    let text = std::str::from_utf8(snmp6).unwrap_or_default();
    let number = text.lines().find_map(|line| line.strip_prefix("Ip6OutNoRoutes"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{internet_address, leaves, no_routes, no_routes_6};

    #[test]
    fn the_counters_are_found_in_what_the_kernel_prints() {
        let four = b"Ip: Forwarding OutNoRoutes ReasmTimeout\nIp: 2 37 5\nIcmp: OutNoRoutes\nIcmp: 4\n";
        assert_eq!(no_routes(four), 37);
        let six =
            b"Ip6OutDiscards                  \t1\nIp6OutNoRoutes                  \t12\nIcmp6InMsgs\t3\n";
        assert_eq!(no_routes_6(six), 12);
        assert_eq!((no_routes(six), no_routes_6(four), no_routes(b"")), (0, 0, 0));
    }

    #[test]
    fn only_addresses_of_other_hosts_leave() {
        let v4 = |ip: [u8; 4]| [&[2, 0, 1, 187][..], &ip, &[0; 8]].concat();
        let v6 = |ip: [u8; 16]| [&[10, 0, 1, 187, 0, 0, 0, 0][..], &ip, &[0; 4]].concat();
        let mapped = |ip: [u8; 4]| v6([&[0; 10][..], &[0xFF, 0xFF], &ip].concat().try_into().unwrap());
        let told = |bytes: &[u8]| {
            internet_address(bytes).filter(|address| leaves(address.ip())).map(|address| address.to_string())
        };
        for own in [v4([127, 0, 0, 1]), v4([127, 9, 9, 9]), v4([0; 4]), v6([0; 16]), mapped([127, 0, 0, 1])] {
            assert_eq!(told(&own), None);
        }
        let mut one = [0; 16];
        one[15] = 1;
        assert_eq!(told(&v6(one)), None);
        assert_eq!(told(&v4([1, 2, 3, 4])).as_deref(), Some("1.2.3.4:443"));
        assert_eq!(told(&v4([224, 0, 0, 1])).as_deref(), Some("224.0.0.1:443"));
        assert_eq!(told(&mapped([10, 0, 0, 1])).as_deref(), Some("[::ffff:10.0.0.1]:443"));
        let mut link = [0; 16];
        (link[0], link[1], link[15]) = (0xFE, 0x80, 1);
        assert_eq!(told(&v6(link)).as_deref(), Some("[fe80::1]:443"));
        // Too short, of another family, empty.
        for other in [&v4([1, 2, 3, 4])[..7], &v6([1; 16])[..20], b"\x01\0/run/x", b"", b"\x02"] {
            assert_eq!(told(other), None);
        }
    }
}

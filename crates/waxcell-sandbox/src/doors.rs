//! Where connections from inside a run come to its way out: listening sockets in the run's network, made by the init when
//! somebody is about to connect, and handed to the process that accepts ([`crate::egress`]).
//!
//! The networks that lead out are the run's own inside, so the call goes on in the kernel, which looks at the address
//! again: whatever a script changes in between is still an address of its own network, and a port without a listener is
//! refused. Nothing here allocates once the fork is made.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, SendFlags, SocketFlags, SocketType, bind, listen, socket_with};

use crate::datagrams::Datagrams;
use crate::frames::Place;
use crate::handover;
use crate::plan::{Egress, Plan};
use crate::routes;

/// Listeners that are made at most.
const MOST: usize = 1024;
/// Connections that may wait for each; the kernel's own bound is as large.
const WAITING: i32 = 4096;
/// How long the process may take to have room for one.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest place in a note.
const PLACE_MAX: usize = 512;

/// Of the network namespace of whoever opens it; in seconds.
const FIN_TIMEOUT: &CStr = c"/proc/sys/net/ipv4/tcp_fin_timeout";

/// The port of name servers.
pub(crate) const DNS: u16 = 53;

/// What the init knows of the way out.
pub(crate) struct Doors {
    networks: Vec<(IpAddr, u8)>,
    /// Ports of loopback that lead out.
    loopback: Vec<((IpAddr, u8), u16)>,
    resolvers: Vec<IpAddr>,
    blocked: BTreeSet<u16>,
    /// Whether addresses of loopback are the script's to use.
    pub(crate) has_loopback: bool,
    /// Ports that have a listener, a bit each, of both families.
    open: [Vec<u64>; 2],
    /// Where somebody has the port on another address: those that have one of their own.
    single: Vec<SocketAddr>,
    count: usize,
    line: OwnedFd,
    pub(crate) datagrams: Datagrams,
}

impl Doors {
    /// `line` leads to the process.
    pub(crate) fn new(plan: &Plan, egress: &Egress, line: OwnedFd) -> Result<Doors, Errno> {
        sockopt::set_socket_timeout(&line, Timeout::Send, Some(PATIENCE))?;
        Ok(Doors {
            networks: egress.networks.clone(),
            loopback: egress.loopback.clone(),
            resolvers: egress.resolvers.clone(),
            blocked: egress.blocked_ports.clone(),
            has_loopback: plan.network.loopback,
            open: [vec![0; 1024], vec![0; 1024]],
            single: Vec::with_capacity(MOST),
            count: 0,
            line,
            datagrams: Datagrams::new(),
        })
    }

    /// What it holds open from before the fork.
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.line
    }

    /// Has the network that this process is in, which is new, forget a connection soon whose client has closed and whose other
    /// side has not: the process then learns that nobody is left. Before the run's own `/proc` is there, which has no such file.
    pub(crate) fn forget_soon() {
        let file = rustix::fs::open(FIN_TIMEOUT, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        // Where it is not to be written to, it takes a minute.
        let _ = file.and_then(|file| rustix::io::write(&file, b"2"));
    }

    /// Makes the networks the run's own, in the network namespace that this process is in, and hands over the sockets of the
    /// resolver.
    pub(crate) fn make(&mut self) -> Result<(), Errno> {
        routes::make_local(&self.networks)?;
        self.datagrams.listen()?;
        for address in &self.resolvers {
            let address = SocketAddr::new(*address, DNS);
            let datagrams = match bound(address, SocketType::DGRAM) {
                Err(Errno::AFNOSUPPORT) => continue,
                other => other?,
            };
            handover::give_as(self.line.as_fd(), crate::egress::DATAGRAMS, datagrams.as_fd())?;
            let streams = listener(address)?;
            handover::give_as(self.line.as_fd(), crate::egress::STREAMS, streams.as_fd())?;
        }
        net::send(&self.line, &[crate::egress::ALL], SendFlags::NOSIGNAL).map(drop)
    }

    /// Whether an address leads out. Loopback is the run itself, but for the ports that are listed, and so is the unspecified one.
    pub(crate) fn leads_out(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        if ip.is_loopback() {
            return self.loopback.iter().any(|(network, own)| *own == port && routes::contains(*network, ip));
        }
        !ip.is_unspecified() && self.networks.iter().any(|network| routes::contains(*network, ip))
    }

    /// Whether this is the resolver.
    pub(crate) fn is_resolver(&self, address: SocketAddr) -> bool {
        address.port() == DNS && self.resolvers.contains(&address.ip())
    }

    pub(crate) fn blocks(&self, port: u16) -> bool {
        self.blocked.contains(&port)
    }

    /// Sees to it that somebody listens at an address: at its port on all addresses of the family, if nobody else does.
    pub(crate) fn open(&mut self, address: SocketAddr) -> Result<(), Errno> {
        let (family, port) = (usize::from(address.is_ipv6()), address.port());
        let (index, bit) = (usize::from(port) / 64, 1u64 << (port % 64));
        if self.open[family][index] & bit != 0 || self.single.contains(&address) {
            return Ok(());
        }
        if self.count == MOST {
            return Err(Errno::MFILE);
        }
        let unspecified = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let (socket, is_single) = match listener(SocketAddr::new(unspecified, port)) {
            Err(Errno::ADDRINUSE) => (listener(address)?, true),
            other => (other?, false),
        };
        handover::give(self.line.as_fd(), socket.as_fd())?;
        self.count += 1;
        match is_single {
            true => self.single.push(address),
            false => self.open[family][index] |= bit,
        }
        Ok(())
    }

    /// Says who is about to connect, or to send. Whoever does not keep up with notes gets fewer.
    pub(crate) fn note(&self, address: SocketAddr, place: Option<&Place>) {
        let mut bytes = [0u8; 1 + 16 + 2 + PLACE_MAX];
        let length = note(address, place, &mut bytes);
        let _ = net::send(&self.line, &bytes[..length], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }
}

/// Writes a note, and returns its length. A place that is too long or no text is left out.
fn note(address: SocketAddr, place: Option<&Place>, bytes: &mut [u8; 1 + 16 + 2 + PLACE_MAX]) -> usize {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    bytes[0] = b'c';
    bytes[1..17].copy_from_slice(&ip.octets());
    bytes[17..19].copy_from_slice(&address.port().to_be_bytes());
    let mut rest = &mut bytes[19..];
    let written = place.and_then(|place| {
        let file = std::str::from_utf8(place.file().unwrap_or_default()).ok()?;
        match place.script_line {
            Some(script_line) => write!(rest, "{file}:{}:{script_line}", place.line).ok()?,
            None => write!(rest, "{file}:{}", place.line).ok()?,
        }
        Some(PLACE_MAX - rest.len())
    });
    19 + written.unwrap_or(0)
}

/// Whether there can be a way out of the network namespace that this process is in, which is new: an address that a route makes
/// its own is connected to, and what nobody takes is heard.
pub(crate) fn can_be() -> Result<(), Errno> {
    // A network of documentation.
    let network = (IpAddr::from([203, 0, 113, 0]), 24);
    routes::make_local(&[network])?;
    let address = SocketAddr::from(([203, 0, 113, 7], 443));
    let _listener = listener(address)?;
    let client = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    net::connect(&client, &address)?;
    Datagrams::new().listen()
}

fn listener(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let socket = bound(address, SocketType::STREAM)?;
    listen(&socket, WAITING)?;
    Ok(socket)
}

/// A socket of the run's network. Needs `CAP_NET_BIND_SERVICE` there for most ports.
fn bound(address: SocketAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
        // An address that a route makes the own is nobody's before it is used.
        sockopt::set_ipv6_freebind(&socket, true)?;
    }
    if kind == SocketType::STREAM {
        // Who was at that port before, and has closed, is in nobody's way.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::{PLACE_MAX, note};

    #[test]
    fn a_note_has_address_port_and_place() {
        let mut bytes = [0; 1 + 16 + 2 + PLACE_MAX];
        assert_eq!(note("198.18.0.5:443".parse().unwrap(), None, &mut bytes), 19);
        assert_eq!(bytes[..19], *b"c\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC6\x12\0\x05\x01\xBB");
    }
}

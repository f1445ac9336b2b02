//! Routes by which every address of a network is the run's own, and comes to whoever listens inside (`rtnetlink(7)`).
//! Nothing here allocates.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// The longest request: header, route, an address of version 6, an interface.
const LONGEST: usize = 16 + 12 + 20 + 8;

/// Makes the networks the own of the network namespace that this process is in, which is new. Where the kernel has no
/// version 6, there are none of it. Needs `CAP_NET_ADMIN` there.
pub(crate) fn make_local(networks: &[(IpAddr, u8)]) -> Result<(), Errno> {
    // Of the protocol that is the first of its family, `NETLINK_ROUTE`.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    for (address, prefix) in networks {
        match add(&socket, *address, *prefix) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::NODEV | Errno::ACCESS)
                if address.is_ipv6() => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn add(socket: &OwnedFd, address: IpAddr, prefix: u8) -> Result<(), Errno> {
    let mut request = [0u8; LONGEST];
    let length = route(address, prefix, &mut request);
    send(socket, &request[..length], SendFlags::empty())?;
    let mut answer = [0u8; 256];
    let (length, _) = recv(socket, &mut answer, RecvFlags::empty())?;
    // After its header, an answer says how it went (`NLMSG_ERROR`): 0, or less.
    let errno = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match errno {
        Some(0) => Ok(()),
        Some(errno) => Err(Errno::from_raw_os_error(-errno)),
        None => Err(Errno::BADMSG),
    }
}

/// Writes the request for one route, and returns its length.
fn route(address: IpAddr, prefix: u8, request: &mut [u8; LONGEST]) -> usize {
    /// The kernel makes it first in each namespace.
    const LOOPBACK: u32 = 1;
    const BOOT: u8 = 3;
    let mut length = 0;
    let mut put = |bytes: &[u8]| {
        request[length..length + bytes.len()].copy_from_slice(bytes);
        length += bytes.len();
    };
    let (four, six): ([u8; 4], [u8; 16]);
    let (family, destination) = match address {
        IpAddr::V4(address) => {
            four = (u32::from(address) & mask(prefix, 32) as u32).to_be_bytes();
            (libc::AF_INET, &four[..])
        }
        IpAddr::V6(address) => {
            six = (u128::from(address) & mask(prefix, 128)).to_be_bytes();
            (libc::AF_INET6, &six[..])
        }
    };
    let total = 16 + 12 + 4 + destination.len() + 8;
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    put(&(total as u32).to_ne_bytes());
    put(&libc::RTM_NEWROUTE.to_ne_bytes());
    put(&(flags as u16).to_ne_bytes());
    put(&[0; 8]);
    put(&[family as u8, prefix, 0, 0, libc::RT_TABLE_LOCAL, BOOT, libc::RT_SCOPE_HOST, libc::RTN_LOCAL]);
    put(&[0; 4]);
    put(&(4 + destination.len() as u16).to_ne_bytes());
    put(&libc::RTA_DST.to_ne_bytes());
    put(destination);
    put(&8u16.to_ne_bytes());
    put(&libc::RTA_OIF.to_ne_bytes());
    put(&LOOPBACK.to_ne_bytes());
    length
}

/// The bits of a network in an address of so many.
fn mask(prefix: u8, bits: u32) -> u128 {
    let host = bits.saturating_sub(u32::from(prefix));
    u128::MAX.checked_shl(host).unwrap_or(0)
}

/// Whether an address is in a network.
pub(crate) fn contains((network, prefix): (IpAddr, u8), address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u32::from(network) ^ u32::from(address)) & mask(prefix, 32) as u32 == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (u128::from(network) ^ u128::from(address)) & mask(prefix, 128) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, contains, route};

    #[test]
    fn a_request_is_what_the_manual_says() {
        let mut bytes = [0; LONGEST];
        let length = route("198.18.7.9".parse().unwrap(), 15, &mut bytes);
        assert_eq!(length, 44);
        assert_eq!(bytes[..8], [44, 0, 0, 0, 24, 0, 5, 6]);
        assert_eq!(bytes[16..24], [2, 15, 0, 0, 255, 3, 254, 2]);
        assert_eq!(bytes[28..44], [8, 0, 1, 0, 198, 18, 0, 0, 8, 0, 4, 0, 1, 0, 0, 0]);
        assert_eq!(route("fd77::1".parse().unwrap(), 48, &mut bytes), LONGEST);
        assert_eq!(bytes[16..18], [10, 48]);
        assert_eq!(bytes[32..36], [0xFD, 0x77, 0, 0]);
    }

    #[test]
    fn an_address_is_in_a_network_or_not() {
        let is = |network: &str, prefix, address: &str| {
            contains((network.parse().unwrap(), prefix), address.parse().unwrap())
        };
        assert!(is("198.18.0.0", 15, "198.19.255.255") && !is("198.18.0.0", 15, "198.20.0.0"));
        assert!(is("10.1.2.3", 32, "10.1.2.3") && !is("10.1.2.3", 32, "10.1.2.2"));
        assert!(is("0.0.0.0", 0, "255.1.1.1") && !is("0.0.0.0", 0, "::1"));
        assert!(is("fd77:6178:6365::", 48, "fd77:6178:6365:ffff::9"));
        assert!(!is("fd77:6178:6365::", 48, "fd77:6178:6366::") && is("::", 0, "fe80::1"));
    }
}

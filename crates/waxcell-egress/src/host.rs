//! How the host finds names: its resolvers and its own list, as its files say. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::name::Name;

/// How the host finds names.
///
/// Of `resolv.conf` counts: up to three `nameserver` lines (without one: this host itself), `options timeout:` and
/// `attempts:`. Search domains do not: a name is what was asked for. Of `hosts` counts every name that is one; it comes
/// before any resolver. `nsswitch.conf` is not read, and nothing but these two ways is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Asked in this order.
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) list: Vec<(Name, IpAddr)>,
    /// How long one server may take for one answer.
    pub(crate) timeout: Duration,
    /// How often all servers are asked.
    pub(crate) attempts: u32,
}

/// As `resolv.conf(5)` has it.
const SERVERS_MAX: usize = 3;
const PORT: u16 = 53;

impl Host {
    /// From the contents of `/etc/resolv.conf` and `/etc/hosts`. What cannot be read in them is passed over, as the C
    /// library does.
    pub fn parse(resolv_conf: &str, hosts: &str) -> Host {
        let mut host =
            Host { servers: Vec::new(), list: Vec::new(), timeout: Duration::from_secs(3), attempts: 2 };
        for line in resolv_conf.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    host.servers.extend(server.map(|address| SocketAddr::new(address, PORT)));
                }
                Some("options") => words.for_each(|word| host.option(word)),
                _ => {}
            }
        }
        host.servers.truncate(SERVERS_MAX);
        if host.servers.is_empty() {
            host.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        for line in hosts.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
            host.list.extend(words.filter_map(|word| Name::parse(word).ok()).map(|name| (name, address)));
        }
        host
    }

    fn option(&mut self, word: &str) {
        let number = |prefix| word.strip_prefix(prefix).and_then(|number: &str| number.parse::<u32>().ok());
        if let Some(seconds) = number("timeout:") {
            self.timeout = Duration::from_secs(u64::from(seconds.clamp(1, 5)));
        }
        if let Some(attempts) = number("attempts:") {
            self.attempts = attempts.clamp(1, 3);
        }
    }

    /// The addresses that the host's own list has for a name.
    pub(crate) fn listed(&self, name: &Name) -> Vec<IpAddr> {
        self.list.iter().filter(|(listed, _)| listed == name).map(|(_, address)| *address).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Host;
    use crate::name::Name;

    #[test]
    fn the_files_say_who_is_asked() {
        let host = Host::parse(
            "# nameserver 1.1.1.1\nsearch corp.example\nnameserver 192.168.1.1\nnameserver ::1 # x\nnameserver fe80::1%eth0\n\
             options edns0 timeout:1 attempts:9 rotate\nnameserver 9.9.9.9\nnameserver 8.8.8.8\n",
            "127.0.0.1 localhost\n10.0.0.5\tDB.corp.example db  # the old one\n# 1.2.3.4 no\nx y\n::1 ip6-localhost\nfd00::5 db\n",
        );
        let servers: Vec<_> = host.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.168.1.1:53", "[::1]:53", "9.9.9.9:53"]);
        assert_eq!((host.timeout, host.attempts), (Duration::from_secs(1), 3));
        let listed = |name: &str| {
            host.listed(&Name::parse(name).unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(listed("db.corp.example"), ["10.0.0.5"]);
        assert_eq!(listed("db"), ["10.0.0.5", "fd00::5"]);
        assert!(listed("localhost.example").is_empty());
    }

    #[test]
    fn without_a_word_this_host_is_asked() {
        let host = Host::parse("", "");
        assert_eq!(host.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((host.timeout, host.attempts), (Duration::from_secs(3), 2));
    }
}

//! How the host finds names, and which addresses are its own, as its files say.

use std::fs::read_to_string;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::{Network, beyond_translator, special};
use crate::name::Name;
use crate::own;

/// The contents of the host's files; an empty one says nothing.
#[derive(Clone, Debug, Default)]
pub struct HostFiles {
    /// `/etc/resolv.conf`
    pub resolv_conf: String,
    /// `/etc/hosts`
    pub hosts: String,
    /// `/proc/net/fib_trie`
    pub fib_trie: String,
    /// `/proc/net/if_inet6`
    pub if_inet6: String,
}

impl HostFiles {
    /// Reads them. An error names the file. Only [`HostFiles::fib_trie`] has to be there: a host can do without the others.
    pub fn read() -> io::Result<HostFiles> {
        let named = |path: &str, error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
        let read = |path| read_to_string(path).map_err(|error| named(path, error));
        let if_there = |path| match read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            other => other,
        };
        Ok(HostFiles {
            resolv_conf: if_there("/etc/resolv.conf")?,
            hosts: if_there("/etc/hosts")?,
            fib_trie: read("/proc/net/fib_trie")?,
            if_inet6: if_there("/proc/net/if_inet6")?,
        })
    }
}

/// How the host finds names, and which addresses are its own.
///
/// Of `resolv.conf` counts: up to three `nameserver` lines (without one: this host itself), `options timeout:` and
/// `attempts:`. Search domains do not: a name is what was asked for. Of `hosts` counts every name that is one; it comes
/// before any resolver. `nsswitch.conf` is not read, and nothing but these two ways is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Where this host itself answers.
    pub(crate) own: Vec<Network>,
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
    /// From the contents of the files. What cannot be read in them is passed over, as the C library does.
    pub fn parse(files: &HostFiles) -> Host {
        let mut host = Host {
            own: own::v4(&files.fib_trie),
            servers: Vec::new(),
            list: Vec::new(),
            timeout: Duration::from_secs(3),
            attempts: 2,
        };
        host.own.extend(own::v6(&files.if_inet6));
        for line in files.resolv_conf.lines().filter(|line| !line.starts_with(['#', ';'])) {
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
        for line in files.hosts.lines() {
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

    /// What an address is for, where that is not somebody else on the public internet.
    pub(crate) fn special(&self, address: IpAddr) -> Option<&'static str> {
        let whom = beyond_translator(address);
        special(address)
            .or_else(|| self.own.iter().any(|own| own.contains(whom)).then_some("this host's own"))
    }

    /// The addresses that the host's own list has for a name.
    pub(crate) fn listed(&self, name: &Name) -> Vec<IpAddr> {
        self.list.iter().filter(|(listed, _)| listed == name).map(|(_, address)| *address).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Host, HostFiles};
    use crate::name::Name;

    fn parse(resolv_conf: &str, hosts: &str) -> Host {
        let (resolv_conf, hosts) = (resolv_conf.to_owned(), hosts.to_owned());
        Host::parse(&HostFiles { resolv_conf, hosts, ..HostFiles::default() })
    }

    #[test]
    fn its_own_addresses_are_special() {
        let fib_trie = "     |-- 93.184.216.34\n        /32 host LOCAL\n".to_owned();
        let if_inet6 = "26062800022000010000000000000034 01 80 10 80 eth0\n".to_owned();
        let host = Host::parse(&HostFiles { fib_trie, if_inet6, ..HostFiles::default() });
        let of = |address: &str| host.special(address.parse().unwrap());
        for own in ["93.184.216.34", "2606:2800:220:1::34", "64:ff9b::93.184.216.34"] {
            assert_eq!(of(own), Some("this host's own"), "{own}");
        }
        assert_eq!(of("127.0.0.1"), Some("loopback"));
        for other in ["93.184.216.35", "2606:2800:220:1::35", "64:ff9b::93.184.216.35"] {
            assert_eq!(of(other), None, "{other}");
        }
        let here = Host::parse(&HostFiles::read().unwrap());
        assert!(here.own.iter().any(|own| own.contains([127, 0, 0, 1].into())), "{:?}", here.own);
    }

    #[test]
    fn the_files_say_who_is_asked() {
        let host = parse(
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
        let host = parse("", "");
        assert_eq!(host.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((host.timeout, host.attempts), (Duration::from_secs(3), 2));
    }
}

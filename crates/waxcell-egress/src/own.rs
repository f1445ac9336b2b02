//! The addresses that are this host's own, as the kernel lists them. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::Network;

/// Of `/proc/net/fib_trie`: what IPv4 delivers to this host, whole networks of it included. An address stands on a line, and
/// what it is for on those below it.
pub(crate) fn v4(fib_trie: &str) -> Vec<Network> {
    let mut networks = Vec::new();
    let mut address = None;
    for line in fib_trie.lines().map(str::trim_start) {
        if let Some(written) = line.strip_prefix("|-- ") {
            address = written.trim_end().parse::<Ipv4Addr>().ok();
        } else if let Some(written) = line.strip_prefix('/') {
            let mut words = written.split_whitespace();
            let prefix = words.next().and_then(|prefix| prefix.parse().ok());
            if let (Some(address), Some(prefix @ ..=32), true) =
                (address, prefix, words.any(|word| word == "LOCAL"))
            {
                let network = Network { address: address.into(), prefix };
                if !networks.contains(&network) {
                    networks.push(network);
                }
            }
        }
    }
    networks
}

/// Of `/proc/net/if_inet6`: the addresses of all interfaces, each the first word of a line.
pub(crate) fn v6(if_inet6: &str) -> Vec<Network> {
    let written = if_inet6.lines().filter_map(|line| line.split_whitespace().next());
    let bits = written.filter(|word| word.len() == 32).filter_map(|word| u128::from_str_radix(word, 16).ok());
    bits.map(|bits| Network { address: IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix: 128 }).collect()
}

#[cfg(test)]
mod tests {
    use super::{v4, v6};
    use crate::address::Network;

    fn network(address: &str, prefix: u8) -> Network {
        Network { address: address.parse().unwrap(), prefix }
    }

    #[test]
    fn the_kernel_lists_its_own() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 93.184.216.0/24 2 0 2\n        \
                    |-- 93.184.216.0\n           /24 link UNICAST\n        |-- 93.184.216.34\n           /32 host LOCAL\n        \
                    |-- 93.184.216.255\n           /32 link BROADCAST\n     |-- 5.6.0.0\n        /16 link UNICAST\n        /16 host LOCAL\n\
                    Local:\n     |-- 93.184.216.34\n        /32 host LOCAL\n     |-- x\n        /32 host LOCAL\n     |-- 9.9.9.9\n        /77 host LOCAL\n";
        assert_eq!(v4(trie), [network("93.184.216.34", 32), network("5.6.0.0", 16)]);
        let list = "fd000000000000000000000000000002 04 40 00 82     eth0\n26062800022000010000000000000034 01 80 10 80       lo\n\nshort 1\n";
        assert_eq!(v6(list), [network("fd00::2", 128), network("2606:2800:220:1::34", 128)]);
        assert_eq!((v4(""), v6("")), (vec![], vec![]));
    }
}

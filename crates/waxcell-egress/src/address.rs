//! Which addresses a name may lead to: those of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The leading bits of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// How many of the bits count: at most 32 or 128.
    pub prefix: u8,
}

impl Network {
    /// Whether the address is in it. Addresses of one family are never in a network of the other.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                (u64::from(first.to_bits()) >> shift) == (u64::from(address.to_bits()) >> shift)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                let leading = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
                leading(first.to_bits()) == leading(address.to_bits())
            }
            _ => false,
        }
    }
}

/// The IANA special-purpose registry of IPv4, and what else is not for a name of the internet. Some ranges in it can be
/// reached globally, but serve no script (the anycast addresses of 192.0.0.0/24).
const V4: [([u8; 4], u8, &str); 17] = [
    ([0, 0, 0, 0], 8, "unspecified"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a carrier"),
    ([127, 0, 0, 0], 8, "loopback"),
    // Before the range that it is in, since its name says more.
    ([169, 254, 169, 254], 32, "metadata of a cloud"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 88, 99, 0], 24, "a relay of 6to4"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    // Public by its number, answered by the host's own hypervisor (Azure).
    ([168, 63, 129, 16], 32, "metadata of a cloud"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// The same of IPv6, of which only 2000::/3 is handed out at all.
const V6: [([u16; 8], u8, &str); 15] = [
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "an IPv4 address in IPv6"),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, "an IPv4 address in IPv6"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "a local translator to IPv4"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarded"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "reserved"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// The translator of IPv4 that whole networks of IPv6 alone stand behind: what counts is whom it leads to.
const NAT64: Network =
    Network { address: IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), prefix: 96 };

const GLOBAL: Network =
    Network { address: IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)), prefix: 3 };

/// Whom a translator leads to; any other address leads to itself.
pub(crate) fn beyond_translator(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if NAT64.contains(address) => {
            let [.., a, b, c, d] = v6.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        other => other,
    }
}

/// What an address is for, where that is not the public internet; `None` may be reached by a name.
pub fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => V4
            .iter()
            .map(|&(first, prefix, what)| (Network { address: first.into(), prefix }, what))
            .find(|(network, _)| network.contains(v4.into()))
            .map(|(_, what)| what),
        IpAddr::V6(_) if NAT64.contains(address) => special(beyond_translator(address)),
        IpAddr::V6(_) => V6
            .iter()
            .map(|&(first, prefix, what)| (Network { address: first.into(), prefix }, what))
            .find(|(network, _)| network.contains(address))
            .map(|(_, what)| what)
            .or_else(|| (!GLOBAL.contains(address)).then_some("not handed out")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{Network, special};

    #[test]
    fn the_registries_ranges_end_where_they_end() {
        // First and last of each range, and its neighbours where those are public.
        let cases = [
            ("0.0.0.0", "0.255.255.255", "unspecified", "", "1.0.0.0"),
            ("10.0.0.0", "10.255.255.255", "private", "9.255.255.255", "11.0.0.0"),
            ("100.64.0.0", "100.127.255.255", "shared by a carrier", "100.63.255.255", "100.128.0.0"),
            ("127.0.0.0", "127.255.255.255", "loopback", "126.255.255.255", "128.0.0.0"),
            ("169.254.0.0", "169.254.255.255", "link-local", "169.253.255.255", "169.255.0.0"),
            ("172.16.0.0", "172.31.255.255", "private", "172.15.255.255", "172.32.0.0"),
            ("192.0.0.0", "192.0.0.255", "reserved", "191.255.255.255", "192.0.1.0"),
            ("192.0.2.0", "192.0.2.255", "documentation", "192.0.1.255", "192.0.3.0"),
            ("192.88.99.0", "192.88.99.255", "a relay of 6to4", "192.88.98.255", "192.88.100.0"),
            ("192.168.0.0", "192.168.255.255", "private", "192.167.255.255", "192.169.0.0"),
            ("198.18.0.0", "198.19.255.255", "benchmarking", "198.17.255.255", "198.20.0.0"),
            ("198.51.100.0", "198.51.100.255", "documentation", "198.51.99.255", "198.51.101.0"),
            ("203.0.113.0", "203.0.113.255", "documentation", "203.0.112.255", "203.0.114.0"),
            ("168.63.129.16", "168.63.129.16", "metadata of a cloud", "168.63.129.15", "168.63.129.17"),
            ("224.0.0.0", "239.255.255.255", "multicast", "223.255.255.255", ""),
            ("240.0.0.0", "255.255.255.255", "reserved", "", ""),
            ("::", "::", "unspecified", "", ""),
            ("::1", "::1", "loopback", "", ""),
            ("::2", "::ffff:ffff", "an IPv4 address in IPv6", "", ""),
            ("::ffff:0:0", "::ffff:255.255.255.255", "an IPv4 address in IPv6", "", ""),
            ("::ffff:8.8.8.8", "::ffff:127.0.0.1", "an IPv4 address in IPv6", "", ""),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "a local translator to IPv4", "", ""),
            ("100::", "100::ffff:ffff:ffff:ffff", "discarded", "", ""),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo", "2000:ffff::", ""),
            ("2001:1::", "2001:1ff:ffff::", "reserved", "", "2001:200::"),
            (
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "documentation",
                "2001:db7:ffff::",
                "2001:db9::",
            ),
            ("2002::", "2002:ffff:ffff:ffff::", "6to4", "2001:ffff::", "2003::"),
            ("3fff::", "3fff:fff:ffff:ffff::", "documentation", "3ffe::", "3fff:1000::"),
            ("fc00::", "fdff:ffff::", "private", "", ""),
            ("fd00:ec2::254", "fd00:ec2::254", "private", "", ""),
            ("fe80::", "febf:ffff::", "link-local", "", ""),
            ("fec0::", "feff:ffff::", "site-local", "", ""),
            ("ff00::", "ffff:ffff::", "multicast", "", ""),
            ("4000::", "fbff:ffff::", "not handed out", "3fff:ffff::", ""),
            ("5f00::", "5f00:ffff::", "not handed out", "", ""),
            // The translator leads where its last four bytes lead.
            (
                "64:ff9b::127.0.0.1",
                "64:ff9b::127.255.255.255",
                "loopback",
                "64:ff9b::1.1.1.1",
                "64:ff9b::8.8.8.8",
            ),
            (
                "64:ff9b::10.0.0.0",
                "64:ff9b::10.255.255.255",
                "private",
                "64:ff9b::9.9.9.9",
                "64:ff9b::11.0.0.0",
            ),
            ("64:ff9b::169.254.169.254", "64:ff9b::169.254.169.254", "metadata of a cloud", "", ""),
        ];
        let of = |text: &str| special(text.parse::<IpAddr>().unwrap());
        for (first, last, what, before, after) in cases {
            assert_eq!((of(first), of(last)), (Some(what), Some(what)), "{first} to {last}");
            for public in [before, after].into_iter().filter(|text| !text.is_empty()) {
                assert_eq!(of(public), None, "{public}");
            }
        }
        for metadata in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "fd00:ec2::254",
            "fd20:ce::254",
            "192.0.0.192",
        ] {
            assert!(of(metadata).is_some(), "{metadata}");
        }
        for public in
            ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "2001:4860:4860::8888"]
        {
            assert_eq!(of(public), None, "{public}");
        }
    }

    proptest! {
        // What the standard library knows has to be refused as well.
        #[test]
        fn nothing_that_std_calls_special_is_public(bits in any::<u32>(), tail in any::<u128>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let odd = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
            prop_assert!(!odd || special(v4.into()).is_some());
            prop_assert!(special(v4.to_ipv6_mapped().into()).is_some());
            let v6 = Ipv6Addr::from_bits(tail);
            let odd = v6.is_multicast() || v6.is_unicast_link_local() || v6.is_unique_local() || v6.is_loopback();
            prop_assert!(!odd || special(v6.into()).is_some());
        }

        #[test]
        fn a_network_contains_what_shares_its_leading_bits(first in any::<u128>(), other in any::<u128>(), prefix in 0u8..=128) {
            let network = Network { address: Ipv6Addr::from_bits(first).into(), prefix };
            let same = (0..u32::from(prefix)).all(|at| (first ^ other) >> (127 - at) & 1 == 0);
            prop_assert_eq!(network.contains(Ipv6Addr::from_bits(other).into()), same);
        }
    }
}

//! What the settings of the network become.

use super::super::mechanisms;
use super::{Explainer, bytes, join, seconds};

impl Explainer<'_> {
    pub(super) fn network(&mut self) {
        let network = &self.policy.network;
        let none = "no network";
        let [named, listed] = [network.allowed_domains.is_empty(), network.allow_addresses.is_empty()];
        let domains = join(network.allowed_domains.iter().map(|rule| with_ports(rule, &rule.ports)));
        let becomes = match (named, listed) {
            (false, _) => "reached by name, which TLS and HTTP have to say as well",
            (true, false) => "no name is reached",
            (true, true) => none,
        };
        self.reach("network.allowed_domains", domains, becomes);
        let addresses = join(network.allow_addresses.iter().map(|rule| with_ports(rule, &rule.ports)));
        let becomes = match (listed, named) {
            (false, _) => "reached as they are, and by names that lead there",
            (true, false) => "nothing but public addresses, each by its name",
            (true, true) => none,
        };
        self.reach("network.allow_addresses", addresses, becomes);
        let ports = join(network.blocked_ports.iter().map(u16::to_string));
        let becomes = match network.asks_for_egress() {
            true => "refused, whatever else is allowed",
            false => "refused, as every port is",
        };
        self.reach("network.blocked_ports", ports, becomes);
        self.loopback();
        self.bounds();
    }

    fn bounds(&mut self) {
        let network = &self.policy.network;
        let or_unbounded = |value: Option<u64>, unit: &str| {
            value.map_or("unbounded".to_owned(), |value| format!("{}{unit}", bytes(value)))
        };
        for (key, value, becomes) in [
            (
                "network.bandwidth_kb_s",
                or_unbounded(network.bandwidth, "/s"),
                "up, and as much down, all connections together",
            ),
            (
                "network.max_bytes",
                or_unbounded(network.max_bytes, ""),
                "up and down, all connections together, which are broken off then",
            ),
            (
                "network.max_connections",
                network.max_connections.to_string(),
                "at the same time, and one more is broken off",
            ),
            ("network.max_lookups", network.max_lookups.to_string(), "asked for outside, once each"),
            (
                "network.connect_timeout_seconds",
                seconds(network.connect_timeout),
                "until a server is given up",
            ),
        ] {
            let becomes = if network.asks_for_egress() { becomes } else { "no network" };
            self.reach(key, value, becomes);
        }
    }

    /// A setting of the way out, which is there if anything is allowed at all.
    fn reach(&mut self, key: &str, value: String, becomes: &str) {
        let mechanism = match self.policy.network.asks_for_egress() {
            true => mechanisms::way_out(self.host),
            false => mechanisms::network(self.host),
        };
        self.add(key, value, becomes, mechanism);
    }

    fn loopback(&mut self) {
        let (host, loopback) = (self.host, self.policy.network.loopback);
        let (value, becomes) = match (loopback, host.can_make_namespaces()) {
            (true, true) => ("true", "127.0.0.1 and ::1 of the run's own, not the host's"),
            (true, false) => ("true", "not even loopback: this host gives a run none of its own"),
            (false, _) => ("false", "not even loopback"),
        };
        let mechanism = match (host.can_make_namespaces(), loopback) {
            (true, true) => "lo is up in the network namespace",
            (true, false) => "lo is down in the network namespace",
            (false, _) => mechanisms::network(host),
        };
        self.add("network.loopback", value, becomes, mechanism);
    }
}

fn with_ports(name: &impl ToString, ports: &[u16]) -> String {
    match ports {
        [] => name.to_string(),
        _ => format!("{} (ports {})", name.to_string(), join(ports.iter().map(u16::to_string))),
    }
}

//! What the settings of the network become.

use super::super::mechanisms;
use super::{Explainer, bytes, join, seconds};

impl Explainer<'_> {
    pub(super) fn network(&mut self) {
        let host = self.host;
        let network = &self.policy.network;
        let nothing = "no network: this version has no way out of a run";
        let domains = join(network.allowed_domains.iter().map(|rule| with_ports(rule, &rule.ports)));
        let becomes = if network.allowed_domains.is_empty() { "no network" } else { nothing };
        self.add("network.allowed_domains", domains, becomes, mechanisms::network(host));
        let addresses = join(network.allow_addresses.iter().map(|rule| with_ports(rule, &rule.ports)));
        let becomes = if network.allow_addresses.is_empty() { "no network" } else { nothing };
        self.add("network.allow_addresses", addresses, becomes, mechanisms::network(host));
        let ports = join(network.blocked_ports.iter().map(u16::to_string));
        self.add("network.blocked_ports", ports, "refused, as every port is", mechanisms::network(host));
        self.loopback();
        let or_unbounded = |value: Option<u64>, unit: &str| {
            value.map_or("unbounded".to_owned(), |value| format!("{}{unit}", bytes(value)))
        };
        let becomes = if network.asks_for_egress() { nothing } else { "no network" };
        for (key, value) in [
            ("network.bandwidth_kb_s", or_unbounded(network.bandwidth, "/s each way")),
            ("network.max_bytes", or_unbounded(network.max_bytes, "")),
            ("network.max_connections", network.max_connections.to_string()),
            ("network.max_lookups", network.max_lookups.to_string()),
            ("network.connect_timeout_seconds", seconds(network.connect_timeout)),
        ] {
            self.add(key, value, becomes, mechanisms::network(host));
        }
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

//! What a run may reach, as plain data, and the decisions that follow from it alone.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Network;
use crate::host::Host;
use crate::name::{Name, Pattern};

/// What a run may reach, and how much of it. Total: nothing is allowed that is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Names that may be reached.
    pub domains: Vec<DomainRule>,
    /// Addresses that may be reached without a name, and that names may lead to though they are not public.
    pub addresses: Vec<AddressRule>,
    /// Ports that are refused whatever the other rules say.
    pub blocked_ports: BTreeSet<u16>,
    /// How much at a time and in all.
    pub limits: Limits,
}

/// One name, or all below one, and its ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRule {
    /// Which names.
    pub pattern: Pattern,
    /// Empty: every port that is not blocked.
    pub ports: Vec<u16>,
}

/// One address, or a network of them, and its ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRule {
    /// Which addresses.
    pub network: Network,
    /// Empty: every port that is not blocked.
    pub ports: Vec<u16>,
}

/// How much a run may use of the network, all its connections together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes a second from the script to servers; `None`: as fast as it goes.
    pub up: Option<u64>,
    /// Bytes a second from servers to the script; `None`: as fast as it goes.
    pub down: Option<u64>,
    /// Bytes of both directions, after which every connection is closed; `None`: no end.
    pub max_bytes: Option<u64>,
    /// Connections at one time, those included that have not said yet where they go.
    pub max_connections: usize,
    /// How often the host's resolver is asked for this run: one name, both families, is one look-up.
    pub lookups: usize,
    /// How long all attempts to connect to a server may take together.
    pub connect_timeout: Duration,
    /// How long a script may take to say what it wants: a ClientHello, a head of HTTP.
    pub head_timeout: Duration,
}

impl Default for Limits {
    /// No bound on bytes; 1,000 connections, 1,000 look-ups, ten seconds each to connect and to send a head.
    fn default() -> Limits {
        Limits {
            up: None,
            down: None,
            max_bytes: None,
            max_connections: 1000,
            lookups: 1000,
            connect_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
        }
    }
}

impl Rules {
    /// Whether any port of the name may be reached: whether it is resolved at all.
    pub(crate) fn knows(&self, name: &Name) -> bool {
        self.domains.iter().any(|rule| rule.pattern.matches(name))
    }

    /// The rule by which a port of a name may be reached.
    pub(crate) fn for_name(&self, name: &Name, port: u16) -> Result<String, Denied> {
        let mut matching = self.domains.iter().filter(|rule| rule.pattern.matches(name)).peekable();
        if matching.peek().is_none() {
            return Err(Denied::Name);
        }
        self.open(port)?;
        let rule = matching.find(|rule| has_port(&rule.ports, port)).ok_or(Denied::Port)?;
        Ok(format!("allowed_domains: {}", rule.pattern))
    }

    /// The rule by which a port of an address may be reached without a name.
    pub(crate) fn for_address(&self, address: IpAddr, port: u16) -> Result<String, Denied> {
        let mut matching = self.addresses.iter().filter(|rule| rule.network.contains(address)).peekable();
        if matching.peek().is_none() {
            return Err(Denied::Address);
        }
        self.open(port)?;
        let rule = matching.find(|rule| has_port(&rule.ports, port)).ok_or(Denied::Port)?;
        Ok(format!("allow_addresses: {}/{}", rule.network.address, rule.network.prefix))
    }

    /// Whether a name may lead to this address: a public one that is not the host's own, or one that is listed with this port.
    pub(crate) fn may_lead_to(&self, host: &Host, address: IpAddr, port: u16) -> Result<(), &'static str> {
        match host.special(address) {
            Some(what) if self.for_address(address, port).is_err() => Err(what),
            _ => Ok(()),
        }
    }

    fn open(&self, port: u16) -> Result<(), Denied> {
        if self.blocked_ports.contains(&port) { Err(Denied::Blocked) } else { Ok(()) }
    }
}

/// Which part of the rules says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Name,
    Address,
    Port,
    Blocked,
}

fn has_port(ports: &[u16], port: u16) -> bool {
    ports.is_empty() || ports.contains(&port)
}

#[cfg(test)]
mod tests {
    use super::{AddressRule, Denied, DomainRule, Limits, Rules};
    use crate::address::Network;
    use crate::host::{Host, HostFiles};
    use crate::name::{Name, Pattern};

    fn rules() -> Rules {
        let domain = |pattern, ports: &[u16]| DomainRule {
            pattern: Pattern::parse(pattern).unwrap(),
            ports: ports.to_vec(),
        };
        let network = Network { address: "10.1.0.0".parse().unwrap(), prefix: 16 };
        Rules {
            domains: vec![
                domain("example.org", &[]),
                domain("*.example.org", &[443, 22]),
                domain("db.example.org", &[5432]),
            ],
            addresses: vec![AddressRule { network, ports: vec![5432, 22] }],
            blocked_ports: [22, 3389].into(),
            limits: Limits::default(),
        }
    }

    #[test]
    fn name_and_port_decide_together() {
        let rules = rules();
        let decide = |name, port| rules.for_name(&Name::parse(name).unwrap(), port);
        assert_eq!(decide("example.org", 443).unwrap(), "allowed_domains: example.org");
        assert_eq!(decide("example.org", 80).unwrap(), "allowed_domains: example.org");
        assert_eq!(decide("example.org", 8080).unwrap(), "allowed_domains: example.org");
        assert_eq!(decide("example.org", 3389), Err(Denied::Blocked));
        assert_eq!(decide("db.example.org", 5432).unwrap(), "allowed_domains: db.example.org");
        assert_eq!(decide("db.example.org", 443).unwrap(), "allowed_domains: *.example.org");
        assert_eq!(decide("db.example.org", 80), Err(Denied::Port));
        assert_eq!(decide("a.example.org", 22), Err(Denied::Blocked));
        assert_eq!(decide("example.com", 443), Err(Denied::Name));
        assert_eq!(decide("example.com", 22), Err(Denied::Name));
    }

    #[test]
    fn addresses_are_reached_where_they_are_listed() {
        let rules = rules();
        let decide = |address: &str, port| rules.for_address(address.parse().unwrap(), port);
        assert_eq!(decide("10.1.2.3", 5432).unwrap(), "allow_addresses: 10.1.0.0/16");
        assert_eq!(decide("10.1.2.3", 443), Err(Denied::Port));
        assert_eq!(decide("10.1.2.3", 22), Err(Denied::Blocked));
        assert_eq!(decide("10.2.0.0", 5432), Err(Denied::Address));
        assert_eq!(decide("::ffff:10.1.2.3", 5432), Err(Denied::Address));
        let fib_trie =
            "  |-- 93.184.216.77\n   /32 host LOCAL\n  |-- 10.1.2.3\n   /32 host LOCAL\n".to_owned();
        let host = Host::parse(&HostFiles { fib_trie, ..HostFiles::default() });
        let leads = |address: &str, port| rules.may_lead_to(&host, address.parse().unwrap(), port);
        assert_eq!(leads("93.184.216.77", 5432), Err("this host's own"));
        assert_eq!(leads("93.184.216.34", 443), Ok(()));
        assert_eq!(leads("10.1.2.3", 5432), Ok(()));
        assert_eq!(leads("10.1.2.3", 443), Err("private"));
        assert_eq!(leads("127.0.0.1", 5432), Err("loopback"));
        assert_eq!(leads("::ffff:10.1.2.3", 5432), Err("an IPv4 address in IPv6"));
    }

    #[test]
    fn nothing_is_allowed_by_rules_that_allow_nothing() {
        let rules =
            Rules { domains: vec![], addresses: vec![], blocked_ports: [].into(), limits: Limits::default() };
        assert_eq!(rules.for_name(&Name::parse("example.org").unwrap(), 443), Err(Denied::Name));
        assert_eq!(rules.for_address("8.8.8.8".parse().unwrap(), 443), Err(Denied::Address));
    }
}

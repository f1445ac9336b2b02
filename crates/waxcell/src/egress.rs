//! What a policy says of the network, as the egress process has it.

use waxcell_egress::{AddressRule, DomainRule, Limits, Network, Rules};

use crate::policy::Policy;

/// What a run may reach; `None`: nothing.
pub(crate) fn rules(policy: &Policy) -> Option<Rules> {
    let network = &policy.network;
    if !network.asks_for_egress() {
        return None;
    }
    let domains = network.allowed_domains.iter();
    let addresses = network.allow_addresses.iter();
    Some(Rules {
        domains: domains
            .map(|rule| DomainRule { pattern: rule.pattern.clone(), ports: rule.ports.clone() })
            .collect(),
        addresses: addresses
            .map(|rule| AddressRule {
                network: Network { address: rule.address, prefix: rule.prefix },
                ports: rule.ports.clone(),
            })
            .collect(),
        blocked_ports: network.blocked_ports.clone(),
        limits: Limits {
            up: network.bandwidth,
            down: network.bandwidth,
            max_bytes: network.max_bytes,
            max_connections: network.max_connections as usize,
            lookups: network.max_lookups as usize,
            connect_timeout: network.connect_timeout,
            ..Limits::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use waxcell_egress::{AddressRule, DomainRule, Limits, Network, Pattern, Rules};

    use crate::policy::parse_all;

    fn rules(text: &str) -> Option<Rules> {
        let (policy, report) = parse_all(text, Path::new("/p/policy.yml"), Path::new("/p"));
        super::rules(&policy.unwrap_or_else(|| panic!("{}", report.render(false))))
    }

    #[test]
    fn a_policy_without_names_and_addresses_has_no_way_out() {
        for text in ["{}", "network: {allowed_domains: []}", "network: {max_bytes: 5, blocked_ports: []}"] {
            assert_eq!(rules(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_written_has_its_default() {
        let rules = rules("network: {allow_addresses: [10.0.0.5]}").unwrap();
        let network = Network { address: [10, 0, 0, 5].into(), prefix: 32 };
        let expected = Rules {
            domains: vec![],
            addresses: vec![AddressRule { network, ports: vec![] }],
            blocked_ports: [22, 23, 3389].into(),
            limits: Limits::default(),
        };
        assert_eq!(rules, expected);
    }

    #[test]
    fn every_word_of_the_network_arrives() {
        let rules = rules(
            "network:\n  allowed_domains: [A.example.org., {name: \"*.\u{fc}.org\", ports: [443, 80]}]\n  \
             allow_addresses: [{address: fd00::/64, ports: [5432]}]\n  blocked_ports: [25]\n  bandwidth_kb_s: 3\n  \
             max_bytes: 1000\n  max_connections: 7\n  max_lookups: 9\n  connect_timeout_seconds: 0.25\n",
        );
        let domain = |written, ports: &[u16]| {
            let pattern = Pattern::parse(written).unwrap();
            DomainRule { pattern, ports: ports.to_vec() }
        };
        let network = Network { address: "fd00::".parse().unwrap(), prefix: 64 };
        let expected = Rules {
            domains: vec![domain("a.example.org", &[]), domain("*.xn--tda.org", &[80, 443])],
            addresses: vec![AddressRule { network, ports: vec![5432] }],
            blocked_ports: [25].into(),
            limits: Limits {
                up: Some(3072),
                down: Some(3072),
                max_bytes: Some(1000),
                max_connections: 7,
                lookups: 9,
                connect_timeout: Duration::from_millis(250),
                head_timeout: Limits::default().head_timeout,
            },
        };
        assert_eq!(rules, Some(expected));
    }
}

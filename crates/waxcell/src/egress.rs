//! What a policy says of the network, as the egress process has it.

use waxcell_egress::{AddressRule, DomainRule, Limits, Network, Pattern, Rules};

use crate::policy::Policy;

/// What a run may reach; `None`: nothing.
pub(crate) fn rules(policy: &Policy) -> Option<Rules> {
    let network = &policy.network;
    if !network.asks_for_egress() {
        return None;
    }
    Some(Rules {
        domains: network
            .allowed_domains
            .iter()
            .filter_map(|rule| {
                let pattern = Pattern::parse(&rule.to_string()).ok()?;
                Some(DomainRule { pattern, ports: rule.ports.clone() })
            })
            .collect(),
        addresses: network
            .allow_addresses
            .iter()
            .map(|rule| AddressRule {
                network: Network { address: rule.address, prefix: rule.prefix },
                ports: rule.ports.clone(),
            })
            .collect(),
        blocked_ports: network.blocked_ports.clone(),
        limits: Limits::default(),
    })
}

//! Hosts, ports, and modules that are of no use without.

use std::net::IpAddr;

use waxcell_analysis::{Capabilities, Certainty, Target};
use waxcell_egress::Name;
use waxcell_operations::Operation;

use super::Need;
use crate::edit::Edit;
use crate::policy::{AddressRule, Policy};

/// A module that is of no use without a network, where there is none.
pub(super) fn module(name: &str, all: &Capabilities, policy: &Policy) -> Option<Need> {
    if policy.network.asks_for_egress() || policy.network.loopback && is_local(all) {
        return None;
    }
    let hosts = all.entries.iter().filter_map(|entry| match &entry.target {
        Target::Host { host: Some(host), .. } if entry.certainty == Certainty::Exact => Some(host),
        _ => None,
    });
    let mut edits: Vec<Edit> = Vec::new();
    for edit in hosts.filter(|host| !is_loopback(host)).flat_map(|host| allow(host)) {
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    let way = match edits.is_empty() {
        true => ": add a name to network.allowed_domains, or leave the import out",
        false => "",
    };
    Some((format!("imports `{name}`, and this policy gives no network{way}"), edits))
}

/// Whether everything that is known of where it connects is its own.
fn is_local(all: &Capabilities) -> bool {
    let mut known = all.entries.iter().filter_map(|entry| match (&entry.target, entry.operation) {
        (Target::Host { .. }, Some(Operation::NetListen))
        | (Target::Path { .. }, Some(Operation::IpcUnix)) => Some(true),
        (Target::Host { host: Some(host), .. }, _) => Some(is_loopback(host)),
        _ => None,
    });
    known.next().is_some_and(|first| first && known.all(|is_local| is_local))
}

/// A host that is connected to, or sent to, or looked for.
pub(super) fn host(
    operation: Operation,
    host: &str,
    port: Option<u16>,
    certainty: Certainty,
    policy: &Policy,
) -> Option<Need> {
    let network = &policy.network;
    if operation == Operation::NetListen {
        return None;
    }
    let shown = match port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    if is_loopback(host) {
        let edit = Edit::Set { key: "network.loopback", value: "true".to_owned() };
        let is_without = !network.loopback && certainty == Certainty::Exact;
        return is_without
            .then(|| (format!("connects to `{shown}`, and this policy gives no loopback"), vec![edit]));
    }
    if let Some(port) = port.filter(|port| network.blocked_ports.contains(port)) {
        let edits = match is_allowed(host, None, policy) {
            true => vec![Edit::unblock_port(port)],
            false => allow(host).into_iter().chain([Edit::unblock_port(port)]).collect(),
        };
        return Some((format!("connects to `{shown}`, and this policy blocks port {port}"), edits));
    }
    let is_given = match certainty {
        Certainty::Exact => is_allowed(host, port, policy),
        // Which names a pattern stands for is not known; without any, none of them is there.
        _ => network.asks_for_egress(),
    };
    if is_given {
        return None;
    }
    let why = match network.asks_for_egress() {
        true => "which this policy does not name",
        false => "and this policy gives no network",
    };
    let verb = if operation == Operation::NetDns { "looks for" } else { "connects to" };
    Some((
        format!("{verb} `{shown}`, {why}"),
        if certainty == Certainty::Exact { allow(host) } else { Vec::new() },
    ))
}

/// A UNIX socket: of the host's, no run reaches one.
pub(super) fn unix(path: &str) -> Option<Need> {
    let is_hosts = ["/run/", "/var/run/"].iter().any(|folder| path.starts_with(folder));
    is_hosts.then(|| {
        (format!("reaches for the UNIX socket `{path}` of the host, and no run may do that"), Vec::new())
    })
}

fn allow(host: &str) -> Vec<Edit> {
    match host.parse::<IpAddr>() {
        Ok(_) => Edit::allow_address(host),
        Err(_) => Edit::allow_name(host),
    }
}

fn is_allowed(host: &str, port: Option<u16>, policy: &Policy) -> bool {
    let has = |ports: &[u16]| ports.is_empty() || port.is_none_or(|port| ports.contains(&port));
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        return policy.network.allow_addresses.iter().any(|rule| contains(rule, address) && has(&rule.ports));
    }
    let Ok(name) = Name::parse(host) else { return true };
    policy.network.allowed_domains.iter().any(|rule| rule.pattern.matches(&name) && has(&rule.ports))
}

fn contains(rule: &AddressRule, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let ((network, width), (address, other)) = (bits(rule.address), bits(address));
    let shift = 128 - u32::from(rule.prefix);
    width == other && (shift == 128 || network >> shift == address >> shift)
}

/// Whether it is the run's own loopback interface.
pub(crate) fn is_loopback(host: &str) -> bool {
    matches!(host, "" | "localhost" | "0.0.0.0" | "::" | "<broadcast>")
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        || host.starts_with("127.") && host.contains('*')
}

//! Names and addresses that a run may reach.

use std::net::{IpAddr, SocketAddr};

use super::text::quoted;

/// Why a domain name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DomainProblem {
    #[error("the name is empty")]
    Empty,
    #[error("`*` is every name there is")]
    Everything,
    #[error("`*` before a single label is too wide")]
    WideWildcard,
    #[error("`*` is only allowed as the whole first label")]
    InnerWildcard,
    #[error("an address is not a name")]
    Address,
    #[error("a URL is not a name")]
    Url(String),
    #[error("a port does not belong to the name")]
    Port(String, String),
    #[error("the name is not ASCII")]
    NotAscii,
    #[error("the name contains a character that no name has")]
    Character,
    #[error("the name has an empty label")]
    EmptyLabel,
    #[error("a label begins or ends with `-`")]
    Hyphen,
    #[error("a name has at most 253 characters, and each label 63")]
    TooLong,
    #[error("this is the run itself")]
    Localhost,
}

impl DomainProblem {
    /// The problem together with the name, where it does not say it itself.
    pub(super) fn about(&self, written: &str) -> String {
        match self {
            DomainProblem::Empty | DomainProblem::Everything => self.to_string(),
            _ => format!("{}: {self}", quoted(written)),
        }
    }

    /// What to do about it.
    pub(super) fn help(&self) -> String {
        match self {
            DomainProblem::Empty => "write a name, such as `api.example.org`".to_owned(),
            DomainProblem::Everything => "name the hosts that the script needs".to_owned(),
            DomainProblem::WideWildcard => "write at least `*.name.tld`".to_owned(),
            DomainProblem::InnerWildcard => "write `*.example.org`, or each name".to_owned(),
            DomainProblem::Address => "addresses stand under `network: allow_addresses:`".to_owned(),
            DomainProblem::Url(host) => format!("write the name alone: `{host}`"),
            DomainProblem::Port(host, port) => match port.parse::<u16>() {
                Ok(1..) => format!("write `{{name: {host}, ports: [{port}]}}`"),
                _ => format!("write `{{name: {host}, ports: [443]}}`, with a port from 1 to 65535"),
            },
            DomainProblem::NotAscii => "write it in punycode, such as `xn--mnchen-3ya.de`".to_owned(),
            DomainProblem::Character => {
                "a label is made of letters, digits, `-` and `_`, with `.` between labels".to_owned()
            }
            DomainProblem::EmptyLabel => {
                "write it without the doubled or leading `.`; names below another are `*.example.org`"
                    .to_owned()
            }
            DomainProblem::Hyphen | DomainProblem::TooLong => "check the spelling".to_owned(),
            DomainProblem::Localhost => {
                "leave it out: a run has a loopback of its own, see `network: loopback:`".to_owned()
            }
        }
    }
}

/// The name in its one form (lower case, no final dot), and whether it stood behind `*.`.
pub(super) fn domain(written: &str) -> Result<(String, bool), DomainProblem> {
    if written.is_empty() {
        return Err(DomainProblem::Empty);
    }
    if !written.is_ascii() {
        return Err(DomainProblem::NotAscii);
    }
    let name = written.to_ascii_lowercase();
    if let Some((_, rest)) = name.split_once("://") {
        let host = rest.split(['/', ':', '?', '#']).next().unwrap_or(rest);
        return Err(if is_plain(host) {
            DomainProblem::Url(host.to_owned())
        } else {
            DomainProblem::Character
        });
    }
    if name.parse::<IpAddr>().is_ok()
        || name.parse::<SocketAddr>().is_ok()
        || address(&name).is_ok()
        || name.starts_with('[')
    {
        return Err(DomainProblem::Address);
    }
    if let Some((host, port)) = name.split_once(':')
        && is_plain(host)
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(DomainProblem::Port(host.to_owned(), port.to_owned()));
    }
    let name = name.strip_suffix('.').unwrap_or(&name);
    let (name, wildcard) = match name.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (name, false),
    };
    if name == "*" || wildcard && name.is_empty() {
        return Err(DomainProblem::Everything);
    }
    if name.contains('*') {
        return Err(DomainProblem::InnerWildcard);
    }
    if !is_plain(name) {
        return Err(DomainProblem::Character);
    }
    let labels: Vec<&str> = name.split('.').collect();
    if labels.iter().any(|label| label.is_empty()) {
        return Err(DomainProblem::EmptyLabel);
    }
    if labels.iter().any(|label| label.starts_with('-') || label.ends_with('-')) {
        return Err(DomainProblem::Hyphen);
    }
    if name.len() > 253 || labels.iter().any(|label| label.len() > 63) {
        return Err(DomainProblem::TooLong);
    }
    // `127.1`, `0x7f.1` and `2130706433` are addresses to a resolver.
    if labels.last().is_some_and(|last| is_numeric(last)) {
        return Err(DomainProblem::Address);
    }
    if name == "localhost" || name.ends_with(".localhost") {
        return Err(DomainProblem::Localhost);
    }
    if wildcard && labels.len() < 2 {
        return Err(DomainProblem::WideWildcard);
    }
    Ok((name.to_owned(), wildcard))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn is_numeric(label: &str) -> bool {
    label.bytes().all(|b| b.is_ascii_digit())
        || label.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressProblem {
    #[error("not an address or a network")]
    NotAnAddress,
    #[error("a port does not belong to the address")]
    Port(SocketAddr),
    #[error("the network has bits set behind its prefix")]
    HostBits(String),
    #[error("the network is too wide")]
    TooWide,
    #[error("loopback is the run itself")]
    Loopback,
    #[error("nothing has this address")]
    Unspecified,
}

impl AddressProblem {
    /// What to do about it.
    pub(super) fn help(&self) -> String {
        match self {
            AddressProblem::NotAnAddress => {
                "write `10.0.0.5`, `10.0.0.0/24` or `fd00::5`; names stand under `allowed_domains`".to_owned()
            }
            AddressProblem::Port(target) => {
                format!("write `{{address: \"{}\", ports: [{}]}}`", target.ip(), target.port())
            }
            AddressProblem::HostBits(network) => {
                format!("write `{network}`, or the address without a prefix")
            }
            AddressProblem::TooWide => {
                "a network has at least 8 bits (IPv4) or 32 bits (IPv6) of prefix".to_owned()
            }
            AddressProblem::Loopback => {
                "leave it out: a run has a loopback of its own, see `network: loopback:`".to_owned()
            }
            AddressProblem::Unspecified => "write the address of the host that the script needs".to_owned(),
        }
    }
}

/// The address and the bits of it that count.
pub(super) fn address(written: &str) -> Result<(IpAddr, u8), AddressProblem> {
    let (address, prefix) = match written.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (written, None),
    };
    if let Ok(target) = written.parse::<SocketAddr>() {
        return Err(AddressProblem::Port(target));
    }
    let address: IpAddr = address.parse().map_err(|_| AddressProblem::NotAnAddress)?;
    // One spelling of an address: `::ffff:10.0.0.5` would slip past a rule about `10.0.0.0/8`.
    let (bits, whole, widest) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32u8, 8u8),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => return Err(AddressProblem::NotAnAddress),
        IpAddr::V6(v6) => (v6.to_bits(), 128, 32),
    };
    let prefix = match prefix {
        None => whole,
        Some(text) if text.len() > 1 && text.starts_with('0') => return Err(AddressProblem::NotAnAddress),
        Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            let prefix = text.parse().map_err(|_| AddressProblem::NotAnAddress)?;
            if prefix > whole {
                return Err(AddressProblem::NotAnAddress);
            }
            prefix
        }
        Some(_) => return Err(AddressProblem::NotAnAddress),
    };
    if prefix < widest {
        return Err(AddressProblem::TooWide);
    }
    let host_bits = u32::from(whole - prefix);
    let host_mask = if host_bits == 0 { 0 } else { u128::MAX >> (128 - host_bits) };
    if bits & host_mask != 0 {
        let network = bits & !host_mask;
        let network = match address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(network).unwrap_or_default().into()),
            IpAddr::V6(_) => IpAddr::V6(network.into()),
        };
        return Err(AddressProblem::HostBits(format!("{network}/{prefix}")));
    }
    if address.is_loopback() {
        return Err(AddressProblem::Loopback);
    }
    if address.is_unspecified() {
        return Err(AddressProblem::Unspecified);
    }
    Ok((address, prefix))
}

//! Names and addresses that a run may reach.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use waxcell_egress::{Name, NameProblem, Pattern, PatternProblem};

use super::text::quoted;

/// Why a domain name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DomainProblem {
    #[error(transparent)]
    Pattern(#[from] PatternProblem),
    #[error("a URL is not a name")]
    Url(String),
    #[error("a port does not belong to the name")]
    Port(String, String),
    #[error("this is no name in any alphabet")]
    Alphabet,
    #[error("everybody can have a name below `{0}`")]
    PublicSuffix(String),
}

impl DomainProblem {
    /// The problem together with the name, where it does not say it itself.
    pub(super) fn about(&self, written: &str) -> String {
        match self {
            DomainProblem::Pattern(PatternProblem::Everything | PatternProblem::Name(NameProblem::Empty)) => {
                self.to_string()
            }
            _ => format!("{}: {self}", quoted(written)),
        }
    }

    /// What to do about it.
    pub(super) fn help(&self) -> String {
        let help = match self {
            DomainProblem::Pattern(PatternProblem::Everything) => "name the hosts that the script needs",
            DomainProblem::Pattern(PatternProblem::TooWide) => "write at least `*.name.tld`",
            DomainProblem::Pattern(PatternProblem::InnerWildcard) => "write `*.example.org`, or each name",
            DomainProblem::Pattern(PatternProblem::Name(problem)) => match problem {
                NameProblem::Empty => "write a name, such as `api.example.org`",
                NameProblem::Character => {
                    "a label is made of letters, digits, `-` and `_`, with `.` between labels"
                }
                NameProblem::EmptyLabel => {
                    "write it without the doubled or leading `.`; names below another are `*.example.org`"
                }
                NameProblem::Hyphen | NameProblem::TooLong => "check the spelling",
                NameProblem::Address => "addresses stand under `network: allow_addresses:`",
                NameProblem::Localhost => {
                    "leave it out: a run has a loopback of its own, see `network: loopback:`"
                }
            },
            DomainProblem::Url(host) => return format!("write the name alone: `{host}`"),
            DomainProblem::Port(host, port) => {
                return match port.parse::<u16>() {
                    Ok(1..) => format!("write `{{name: {host}, ports: [{port}]}}`"),
                    _ => format!("write `{{name: {host}, ports: [443]}}`, with a port from 1 to 65535"),
                };
            }
            DomainProblem::Alphabet => "check the spelling; `xn--` begins what is written in punycode",
            DomainProblem::PublicSuffix(suffix) => {
                return format!("write the name that you know, or those below it: `*.name.{suffix}`");
            }
        };
        help.to_owned()
    }
}

/// The one door for names of a policy: in their one form, whatever their alphabet.
pub(super) fn domain(written: &str) -> Result<Pattern, DomainProblem> {
    let pattern = Pattern::parse(&ascii(written)?).map_err(|problem| instead(written, problem))?;
    if pattern.is_below()
        && let Some(suffix) = public_suffix(pattern.name())
    {
        return Err(DomainProblem::PublicSuffix(suffix));
    }
    Ok(pattern)
}

/// Whether a policy can allow this name.
pub(crate) fn is_name(written: &str) -> bool {
    domain(written).is_ok()
}

/// Other alphabets in punycode (UTS 46, which browsers follow as well), and punycode only if it is one.
fn ascii(written: &str) -> Result<Cow<'_, str>, DomainProblem> {
    let is_punycode = |label: &str| label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
    if written.is_ascii() && !written.split('.').any(is_punycode) {
        return Ok(written.into());
    }
    if written.chars().count() > 255 {
        return Err(PatternProblem::Name(NameProblem::TooLong).into());
    }
    // What becomes of it is judged as any other name.
    let (deny, hyphens, length) = (AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore);
    let name = Uts46::new().to_ascii(written.as_bytes(), deny, hyphens, length);
    name.map_err(|_| DomainProblem::Alphabet)
}

/// What people write in place of a name.
fn instead(written: &str, problem: PatternProblem) -> DomainProblem {
    let is_name = |text: &str| Name::parse(text).is_ok();
    if let Some((_, rest)) = written.split_once("://") {
        let host = rest.split(['/', ':', '?', '#']).next().unwrap_or(rest);
        if is_name(host) {
            return DomainProblem::Url(host.to_ascii_lowercase());
        }
    }
    if written.parse::<SocketAddr>().is_ok() || address(written).is_ok() {
        return PatternProblem::Name(NameProblem::Address).into();
    }
    if let Some((host, port)) = written.split_once(':')
        && is_name(host)
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        return DomainProblem::Port(host.to_ascii_lowercase(), port.to_owned());
    }
    problem.into()
}

/// The name, if it is one below which names are handed out to everybody (`co.uk`, `github.io`), or all below it are.
fn public_suffix(name: &Name) -> Option<String> {
    let is_suffix = |name: &str| psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix == name);
    let name = name.as_str();
    (is_suffix(name) || is_suffix(&format!("any.{name}"))).then(|| name.to_owned())
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
    #[error("loopback is the run itself, but for ports that are named")]
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
                "for a service of the host write `{address: 127.0.0.1, ports: [5432]}`; that port is then not the run's own"
                    .to_owned()
            }
            AddressProblem::Unspecified => "write the address of the host that the script needs".to_owned(),
        }
    }
}

/// What an entry with these ports lists: the address and the bits of it that count.
pub(super) fn listed(written: &str, ports: &[u16]) -> Result<(IpAddr, u8), AddressProblem> {
    match address(written)? {
        (address, _) if address.is_loopback() && ports.is_empty() => Err(AddressProblem::Loopback),
        listed => Ok(listed),
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
    if address.is_unspecified() {
        return Err(AddressProblem::Unspecified);
    }
    Ok((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::{DomainProblem, domain};
    use waxcell_egress::{Name, NameProblem as N, PatternProblem as P};

    fn refused(written: &str) -> DomainProblem {
        domain(written).expect_err(written)
    }

    #[test]
    fn a_name_has_one_form_whatever_its_alphabet() {
        for (written, form) in [
            ("API.Example.ORG.", "api.example.org"),
            ("*.API.Example.ORG.", "*.api.example.org"),
            ("_dmarc.a_b.example.org", "_dmarc.a_b.example.org"),
            ("m\u{fc}nchen.de", "xn--mnchen-3ya.de"),
            ("M\u{dc}NCHEN.DE", "xn--mnchen-3ya.de"),
            ("mu\u{308}nchen.de", "xn--mnchen-3ya.de"),
            ("XN--MNCHEN-3YA.de", "xn--mnchen-3ya.de"),
            ("*.m\u{fc}nchen.de", "*.xn--mnchen-3ya.de"),
            ("\u{ff45}xample\u{3002}org", "example.org"),
            ("\u{436}.\u{440}\u{444}", "xn--f1a.xn--p1ai"),
            ("intranet", "intranet"),
            ("github.io", "github.io"),
        ] {
            assert_eq!(domain(written).map(|pattern| pattern.to_string()).as_deref(), Ok(form), "{written}");
        }
    }

    #[test]
    fn what_looks_like_another_name_is_not_that_name() {
        let apple = Name::parse("apple.com").unwrap();
        for written in ["\u{430}\u{440}\u{440}\u{4cf}\u{435}.com", "xn--80ak6aa92e.com", "\u{430}pple.com"] {
            let pattern = domain(written).unwrap();
            assert!(!pattern.matches(&apple), "{written}");
            assert!(pattern.to_string().starts_with("xn--"), "it is shown as what it is: {pattern}");
        }
        // Punycode of what needs none, of what is none, of what has another form.
        for written in [
            "xn--apple-.com",
            "xn--a.com",
            "xn--.com",
            "a.xn--\u{fc}.com",
            "xn--Mnchen-.de",
            "xn--MNCHEN-4PA.de",
        ] {
            assert_eq!(refused(written), DomainProblem::Alphabet, "{written}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let name = |problem| DomainProblem::Pattern(P::Name(problem));
        let (label, long) = ("a".repeat(64), format!("{}.org", ["a"; 125].join(".")));
        assert_eq!(long.len(), 253);
        assert!(domain(&long).is_ok() && domain(&format!("{}.org", "a".repeat(63))).is_ok());
        for (written, problem) in [
            ("", N::Empty),
            (".", N::Empty),
            ("a..org", N::EmptyLabel),
            (".a.org", N::EmptyLabel),
            ("a.org..", N::EmptyLabel),
            ("m\u{fc}nchen..de", N::EmptyLabel),
            (&format!("{label}.org"), N::TooLong),
            (&format!("b{long}"), N::TooLong),
            (&format!("{}.org", "\u{fc}".repeat(63)), N::TooLong),
            (&format!("{}.org", "\u{fc}".repeat(300)), N::TooLong),
            ("evil.org\0.example.org", N::Character),
            ("m\u{fc}nchen.de\0.example.org", N::Character),
            ("a%2eb.org", N::Character),
            ("m\u{fc}%00.org", N::Character),
            ("m\u{fc}\u{ff05}.org", N::Character),
            ("a\r\n.org", N::Character),
            ("a\t.org", N::Character),
            ("a\u{1b}.org", N::Character),
            ("a b.org", N::Character),
            ("user@example.org", N::Character),
            ("-a.org", N::Hyphen),
            ("a-.org", N::Hyphen),
            ("1.2.3.4", N::Address),
            ("1.2.3.4.", N::Address),
            ("0x7f.1", N::Address),
            ("0X7F.1", N::Address),
            ("127.1", N::Address),
            ("2130706433", N::Address),
            ("\u{ff11}.2.3.4", N::Address),
            ("[::1]", N::Address),
            ("::1", N::Address),
            ("1.2.3.4:80", N::Address),
            ("10.0.0.0/8", N::Address),
            ("localhost", N::Localhost),
            ("a.LocalHost.", N::Localhost),
        ] {
            assert_eq!(refused(written), name(problem), "{written:?}");
        }
    }

    #[test]
    fn names_that_are_everybodys_are_refused() {
        for (written, problem) in [
            ("*", P::Everything),
            ("*.", P::Everything),
            ("*.com", P::TooWide),
            ("*.com.", P::TooWide),
            ("*.xn--p1ai", P::TooWide),
            ("a.*.org", P::InnerWildcard),
            ("*a.org", P::InnerWildcard),
            ("*.*.org", P::InnerWildcard),
            ("*.m\u{fc}n*chen.de", P::InnerWildcard),
        ] {
            assert_eq!(refused(written), DomainProblem::Pattern(problem), "{written}");
        }
        let public = [
            "*.co.uk",
            "*.CO.UK.",
            "*.github.io",
            "*.s3.amazonaws.com",
            "*.compute.amazonaws.com",
            "*.kawasaki.jp",
            "*.foo.ck",
            "*.\u{516c}\u{53f8}.cn",
        ];
        for written in public {
            assert!(matches!(refused(written), DomainProblem::PublicSuffix(_)), "{written}");
        }
        for own in
            ["*.example.co.uk", "*.name.github.io", "*.bucket.s3.amazonaws.com", "*.corp.internal", "co.uk"]
        {
            assert!(domain(own).is_ok(), "{own}");
        }
    }
}

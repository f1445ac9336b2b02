//! The host and port of a URL (RFC 3986), with gaps for what is not known.

use super::path::GAP;

/// Ports that schemes have where a URL names none.
const PORTS: [(&str, u16); 14] = [
    ("http", 80),
    ("https", 443),
    ("ws", 80),
    ("wss", 443),
    ("ftp", 21),
    ("ssh", 22),
    ("git", 9418),
    ("redis", 6379),
    ("rediss", 6379),
    ("postgresql", 5432),
    ("postgres", 5432),
    ("mysql", 3306),
    ("mongodb", 27017),
    ("amqp", 5672),
];

/// What a URL leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// Host, which may have gaps, and port.
    Host(String, Option<u16>),
    /// A file of the host (`file:`).
    File(String),
    /// Nowhere (`data:`), or it is no URL.
    Nowhere,
    /// It is not known where.
    Unknown,
}

pub(super) fn leads(url: &str) -> Leads {
    let Some((scheme, rest)) = url.split_once("://") else {
        return match url.contains(GAP) {
            true => Leads::Unknown,
            false => Leads::Nowhere,
        };
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme.contains(GAP) && scheme != format!("http{GAP}") {
        return Leads::Unknown;
    }
    if scheme == "file" {
        return Leads::File(rest.trim_start_matches("localhost").to_owned());
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let place = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = host_and_port(place);
    let known = || PORTS.iter().find(|(name, _)| *name == scheme).map(|(_, port)| *port);
    let port = if place[host.len()..].contains(':') && !host.starts_with('[') || place.ends_with(']') {
        port.or_else(|| if place.ends_with(']') { known() } else { None })
    } else {
        port.or_else(known)
    };
    // What stands before a gap in a name is the least of it: the gap may hold the end of the host, and the path.
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() || host.chars().all(|letter| letter == GAP) {
        return Leads::Unknown;
    }
    Leads::Host(host.to_ascii_lowercase(), if host.ends_with(GAP) { None } else { port })
}

/// `host:port`, `[::1]:port` or a host alone.
pub(super) fn host_and_port(place: &str) -> (&str, Option<u16>) {
    let end = match place.starts_with('[') {
        true => place.find(']').map_or(place.len(), |at| at + 1),
        false => place.find(':').unwrap_or(place.len()),
    };
    let (host, port) = place.split_at(end);
    (host, port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_hosts() {
        let host = |name: &str, port| Leads::Host(name.to_owned(), port);
        for (url, expected) in [
            ("https://api.example.org/v1?x=http://other", host("api.example.org", Some(443))),
            ("HTTP://API.example.org", host("api.example.org", Some(80))),
            ("http://localhost:8080/x", host("localhost", Some(8080))),
            ("https://user:pw@example.org:8443", host("example.org", Some(8443))),
            ("https://good.org@evil.org/", host("evil.org", Some(443))),
            ("http://[::1]:80/", host("::1", Some(80))),
            ("http://[::1]/", host("::1", Some(80))),
            ("https://example.org/\0", host("example.org", Some(443))),
            ("https://\0.example.org/x", host("\0.example.org", Some(443))),
            ("https://example.org\0", host("example.org\0", None)),
            ("http://127.0.0.1:\0/", host("127.0.0.1", None)),
            ("https://\0/x", Leads::Unknown),
            ("\0/x", Leads::Unknown),
            ("data:text/plain,x", Leads::Nowhere),
            ("file:///etc/passwd", Leads::File("/etc/passwd".to_owned())),
            ("redis://cache:6380/0", host("cache", Some(6380))),
        ] {
            assert_eq!(leads(url), expected, "{url:?}");
        }
    }
}

//! Addresses of witnesses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Where a witness is: `http://ADDRESS[:PORT][/PREFIX]`, with an address of IPv4, or of IPv6 in brackets. Names would have to
/// be looked up by the C library, which a static binary cannot load the parts of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    address: SocketAddr,
    prefix: String,
}

/// A text is not such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is one of HTTPS.
    #[error("`{0}`: HTTPS is not spoken here; name a local proxy that does, by `http://`")]
    Https(String),
    /// It names a host.
    #[error("`{0}`: names of hosts are not looked up; put the IP address in place of `{1}`")]
    Name(String, String),
    /// It has another form.
    #[error("`{0}` is not of the form `http://ADDRESS[:PORT][/PREFIX]`")]
    Form(String),
}

impl Url {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What requests below this address name as their path.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.prefix)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.address, self.prefix)
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        let form = || UrlError::Form(text.to_owned());
        if text.starts_with("https://") {
            return Err(UrlError::Https(text.to_owned()));
        }
        let rest = text.strip_prefix("http://").ok_or_else(form)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // What would end the line of a request, or be another part of an address.
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte)) {
            return Err(form());
        }
        let end = if authority.starts_with('[') {
            authority.find(']').map(|at| at + 1)
        } else {
            authority.find(':')
        };
        let (host, port) = authority.split_at(end.unwrap_or(authority.len()));
        let port = match port {
            "" => 80,
            port => {
                let digits =
                    port.strip_prefix(':').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                digits.and_then(|text| text.parse().ok()).filter(|&port| port != 0).ok_or_else(form)?
            }
        };
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let address = match inner {
            Some(inner) => IpAddr::V6(inner.parse().map_err(|_| form())?),
            None => match host.parse() {
                Ok(address) => IpAddr::V4(address),
                Err(_) if is_name(host) => return Err(UrlError::Name(text.to_owned(), host.to_owned())),
                Err(_) => return Err(form()),
            },
        };
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Url { address: SocketAddr::new(address, port), prefix })
    }
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nothing_else_is() {
        for (text, address, path) in [
            ("http://192.0.2.7", "192.0.2.7:80", "/add-checkpoint"),
            ("http://192.0.2.7:8080/", "192.0.2.7:8080", "/add-checkpoint"),
            ("http://127.0.0.1:7380/w/1/", "127.0.0.1:7380", "/w/1/add-checkpoint"),
            ("http://[::1]:7380", "[::1]:7380", "/add-checkpoint"),
            ("http://[::1]", "[::1]:80", "/add-checkpoint"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!(
                (url.address().to_string().as_str(), url.path("add-checkpoint").as_str()),
                (address, path)
            );
            assert_eq!(url.to_string().parse(), Ok(url));
        }
        for text in [
            "192.0.2.7",
            "ftp://192.0.2.7",
            "http://",
            "http://:80",
            "http://192.0.2.7:b",
            "http://192.0.2.7:+1",
            "http://192.0.2.7:0",
            "http://192.0.2.7:65536",
            "http://a b",
            "http://192.0.2.7/b c",
            "http://192.0.2.7/\r\nX: y",
            "http://user@192.0.2.7",
            "http://192.0.2.7/?q",
            "http://[::1",
            "http://[::g]",
            "http://[::1]x",
            "http://[192.0.2.7]",
        ] {
            assert!(matches!(text.parse::<Url>(), Err(UrlError::Form(_))), "{text}");
        }
        assert!(matches!("https://a".parse::<Url>(), Err(UrlError::Https(_))));
        assert!(matches!("http://watch.example:80/x".parse::<Url>(), Err(UrlError::Name(..))));
    }
}

//! Addresses of witnesses.

use std::fmt;
use std::str::FromStr;

/// Where a witness is: `http://HOST[:PORT][/PREFIX]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    prefix: String,
}

/// A text is not such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is one of HTTPS.
    #[error("`{0}`: HTTPS is not spoken here; name a local proxy that does, by `http://`")]
    Https(String),
    /// It has another form.
    #[error("`{0}` is not of the form `http://HOST[:PORT][/PREFIX]`")]
    Form(String),
}

impl Url {
    /// The name or address of the host, without the brackets of IPv6.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What requests below this address name as their path.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.prefix)
    }

    /// What requests name as their host.
    pub(crate) fn authority(&self) -> String {
        match (self.host.contains(':'), self.port) {
            (true, port) => format!("[{}]:{port}", self.host),
            (false, 80) => self.host.clone(),
            (false, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.prefix)
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
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(form)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| form())?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(form)?) })
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(form());
        }
        let port = match port {
            None => 80,
            Some(port) => port.parse().ok().filter(|&port| port != 0).ok_or_else(form)?,
        };
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Url { host: host.to_owned(), port, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nothing_else_is() {
        for (text, authority, path) in [
            ("http://watch.example", "watch.example", "/add-checkpoint"),
            ("http://watch.example:8080/", "watch.example:8080", "/add-checkpoint"),
            ("http://127.0.0.1:7380/w/1/", "127.0.0.1:7380", "/w/1/add-checkpoint"),
            ("http://[::1]:7380", "[::1]:7380", "/add-checkpoint"),
            ("http://[::1]", "[::1]:80", "/add-checkpoint"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.authority().as_str(), url.path("add-checkpoint").as_str()), (authority, path));
            assert_eq!(url.to_string().parse(), Ok(url));
        }
        for text in [
            "watch.example",
            "ftp://watch.example",
            "http://",
            "http://:80",
            "http://a:b",
            "http://a:0",
            "http://a:65536",
            "http://a b",
            "http://a/b c",
            "http://a/\r\nX: y",
            "http://user@a",
            "http://a/?q",
            "http://[::1",
            "http://[::g]",
            "http://[::1]x",
        ] {
            assert!(matches!(text.parse::<Url>(), Err(UrlError::Form(_))), "{text}");
        }
        assert!(matches!("https://a".parse::<Url>(), Err(UrlError::Https(_))));
    }
}

//! One head: the lines of a request up to the empty one.

use super::HttpProblem;
use crate::name::Name;

/// What a head says about where it goes and what follows it.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// The authority of a target in absolute form.
    pub(crate) target_host: Option<&'a [u8]>,
    pub(crate) host: &'a [u8],
    pub(crate) body: Body,
    pub(crate) websocket: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// No request has more; each is compared by its name only.
const FIELDS_MAX: usize = 256;

/// The longest name of a method that is registered has 17 letters.
const METHOD_MAX: usize = 32;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The length of the head at the beginning, its empty line included; `None`: it is not complete. Bytes before `known`
/// were looked at before.
pub(crate) fn length(bytes: &[u8], known: usize) -> Result<Option<usize>, HttpProblem> {
    // As soon as it can be said: whoever speaks something else waits for an answer that does not come.
    let first = bytes.iter().position(|byte| !is_token(*byte));
    match first {
        Some(0) => return Err(HttpProblem::NotHttp),
        Some(at) if bytes.get(at) != Some(&b' ') || at > METHOD_MAX => return Err(HttpProblem::NotHttp),
        None if bytes.len() > METHOD_MAX => return Err(HttpProblem::NotHttp),
        _ => {}
    }
    if bytes.starts_with(PREFACE) {
        return Err(HttpProblem::Http2);
    }
    let from = known.saturating_sub(3);
    let end = bytes.get(from..).unwrap_or_default().windows(4).position(|four| four == b"\r\n\r\n");
    Ok(end.map(|at| from + at + 4))
}

/// Reads a complete head.
pub(crate) fn read(bytes: &[u8]) -> Result<Head<'_>, HttpProblem> {
    let bytes = bytes.strip_suffix(b"\r\n\r\n").unwrap_or(bytes);
    let mut lines = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        lines.push(line);
        if lines.len() > FIELDS_MAX {
            return Err(HttpProblem::Malformed("too many lines"));
        }
    }
    let last = lines.len().saturating_sub(1);
    for (at, line) in lines.iter_mut().enumerate() {
        if at < last {
            *line = line.strip_suffix(b"\r").ok_or(HttpProblem::Malformed("a line does not end in CR LF"))?;
        }
        // Tabs and bytes beyond ASCII are in values of fields; control characters are nowhere.
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(HttpProblem::Malformed("a control character"));
        }
    }
    let (first, fields) = lines.split_first().ok_or(HttpProblem::NotHttp)?;
    let (target_host, is_http_1_1) = request_line(first)?;
    let (mut host, mut length, mut chunked, mut upgrade) = (None, None, false, None);
    for line in fields {
        let (name, value) = field(line)?;
        match name.to_ascii_lowercase().as_slice() {
            b"host" if host.is_some() => return Err(HttpProblem::TwoHosts),
            b"host" => host = Some(value),
            b"content-length" => match (length, number(value)) {
                (None, Some(value)) => length = Some(value),
                _ => return Err(HttpProblem::Malformed("the length of the body")),
            },
            b"transfer-encoding" if !chunked && is_http_1_1 && value.eq_ignore_ascii_case(b"chunked") => {
                chunked = true;
            }
            b"transfer-encoding" => return Err(HttpProblem::Malformed("the transfer encoding")),
            b"upgrade" if upgrade.is_some() => return Err(HttpProblem::Upgrade),
            b"upgrade" => upgrade = Some(value),
            b"http2-settings" => return Err(HttpProblem::Upgrade),
            _ => {}
        }
    }
    let websocket = upgrade.is_some();
    if upgrade.is_some_and(|to| !is_http_1_1 || !to.eq_ignore_ascii_case(b"websocket")) {
        return Err(HttpProblem::Upgrade);
    }
    let body = match (length, chunked) {
        (Some(_), true) => return Err(HttpProblem::Malformed("two lengths of the body")),
        (None, true) => Body::Chunked,
        (Some(length), false) => Body::Length(length),
        (None, false) => Body::None,
    };
    Ok(Head { target_host, host: host.ok_or(HttpProblem::NoHost)?, body, websocket })
}

/// `METHOD target HTTP/1.x`: the authority of the target if it has one, and whether it is HTTP/1.1.
fn request_line(line: &[u8]) -> Result<(Option<&[u8]>, bool), HttpProblem> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HttpProblem::NotHttp);
    };
    let is_http_1_1 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return Err(HttpProblem::NotHttp),
    };
    if method.eq_ignore_ascii_case(b"CONNECT") {
        return Err(HttpProblem::Tunnel);
    }
    if !target.iter().all(u8::is_ascii_graphic) {
        return Err(HttpProblem::Malformed("the target"));
    }
    let scheme = target.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http://"));
    let host = match target {
        b"*" if method == b"OPTIONS" => None,
        [b'/', ..] => None,
        [_, _, _, _, _, _, _, rest @ ..] if scheme => {
            let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
            rest.get(..end)
        }
        _ => return Err(HttpProblem::Malformed("the target")),
    };
    Ok((host, is_http_1_1))
}

/// `name: value`, without the blanks around the value.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), HttpProblem> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) =
        colon.and_then(|at| line.split_at_checked(at)).ok_or(HttpProblem::Malformed("a field"))?;
    // A blank at the beginning folds the line into the one before, one before the colon is read in two ways.
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(HttpProblem::Malformed("the name of a field"));
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// A name, and a port if there is one. No user, no brackets.
pub(crate) fn authority(written: &[u8]) -> Result<(Name, Option<u16>), HttpProblem> {
    let (name, port) = match written.iter().position(|byte| *byte == b':') {
        Some(at) => (written.get(..at), written.get(at + 1..)),
        None => (Some(written), None),
    };
    let port = match port {
        None => None,
        Some(digits) => match number(digits).and_then(|port| u16::try_from(port).ok()) {
            Some(port) => Some(port),
            None => return Err(HttpProblem::Malformed("the port of the host")),
        },
    };
    Ok((Name::parse(name.unwrap_or_default()).map_err(HttpProblem::Name)?, port))
}

/// Decimal digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Hexadecimal digits and nothing else: no extensions, which nobody uses and some read as part of the data.
pub(crate) fn chunk_size(line: &[u8]) -> Result<u64, HttpProblem> {
    let text =
        std::str::from_utf8(line).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or(HttpProblem::Malformed("the size of a chunk"))
}

/// What names of methods and fields are made of.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

//! Asks the host's resolvers for a name: once for a run, both families at a time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::dns::{A, AAAA, Found, question, reply};
use crate::host::Host;
use crate::name::Name;

/// What is known of a name, for as long as the run lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// In the order in which they are tried; none: the name has no address.
    Addresses(Vec<IpAddr>),
    NoSuchName,
}

/// Nobody could say, this time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unanswered;

/// An answer of ours, without extensions, is never longer over UDP.
const ANSWER_MAX: usize = 1500;

/// What the host knows of a name.
pub(crate) async fn lookup(host: &Host, name: &Name) -> Result<Known, Unanswered> {
    let listed = host.listed(name);
    if !listed.is_empty() {
        return Ok(Known::Addresses(listed));
    }
    let (six, four) = tokio::join!(ask_all(host, name, AAAA), ask_all(host, name, A));
    combine(six, four)
}

/// What the answers of both families say together.
fn combine(six: Found, four: Found) -> Result<Known, Unanswered> {
    let (mut lists, mut no_such_name, mut failed) = ([Vec::new(), Vec::new()], false, false);
    for (found, list) in [six, four].into_iter().zip(&mut lists) {
        match found {
            Found::Addresses(addresses) => *list = addresses,
            Found::NoSuchName => no_such_name = true,
            Found::Truncated | Found::Failed => failed = true,
        }
    }
    // In turns, so that a family that leads nowhere costs one attempt.
    let [six, four] = lists;
    let mut addresses = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        match (six.next(), four.next()) {
            (None, None) => break,
            (a, b) => addresses.extend(a.into_iter().chain(b)),
        }
    }
    match addresses.is_empty() {
        // Some servers say so of a family that they do not know, though the name has the other one.
        false => Ok(Known::Addresses(addresses)),
        true if no_such_name => Ok(Known::NoSuchName),
        // What was not answered may be there: that is not kept for the run.
        true if failed => Err(Unanswered),
        true => Ok(Known::Addresses(addresses)),
    }
}

async fn ask_all(host: &Host, name: &Name, kind: u16) -> Found {
    for _ in 0..host.attempts {
        for server in &host.servers {
            let asked = async {
                match over_udp(*server, name, kind).await {
                    Ok(Found::Truncated) => over_tcp(*server, name, kind).await,
                    other => other,
                }
            };
            match timeout(host.timeout, asked).await {
                Ok(Ok(Found::Failed | Found::Truncated) | Err(_)) | Err(_) => {}
                Ok(Ok(found)) => return found,
            }
        }
    }
    Found::Failed
}

/// A number that nobody can guess, which an answer has to repeat.
fn random_id() -> io::Result<u16> {
    let mut bytes = [0; 2];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(u16::from_ne_bytes(bytes))
}

async fn over_udp(server: SocketAddr, name: &Name, kind: u16) -> io::Result<Found> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // The port is the kernel's choice, and connected: only this server is heard.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let id = random_id()?;
    socket.send(&question(id, name, kind)).await?;
    let mut answer = [0; ANSWER_MAX];
    loop {
        let length = socket.recv(&mut answer).await?;
        // What is no answer to this is somebody's guess: the real one may still come.
        if let Ok(found) = reply(answer.get(..length).unwrap_or_default(), id, name, kind) {
            return Ok(found);
        }
    }
}

async fn over_tcp(server: SocketAddr, name: &Name, kind: u16) -> io::Result<Found> {
    let mut stream = TcpStream::connect(server).await?;
    let id = random_id()?;
    let asked = question(id, name, kind);
    // A name has at most 255 bytes.
    let mut message = (asked.len() as u16).to_be_bytes().to_vec();
    message.extend(asked);
    stream.write_all(&message).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    reply(&answer, id, name, kind).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Found, Known, Unanswered, combine};

    #[test]
    fn both_families_count() {
        let list =
            |texts: &[&str]| texts.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect::<Vec<_>>();
        let found = |texts: &[&str]| Found::Addresses(list(texts));
        let known = |texts: &[&str]| Ok(Known::Addresses(list(texts)));
        let both = combine(found(&["2003::1", "2003::2"]), found(&["1.1.1.1", "1.1.1.2", "1.1.1.3"]));
        assert_eq!(both, known(&["2003::1", "1.1.1.1", "2003::2", "1.1.1.2", "1.1.1.3"]));
        assert_eq!(combine(found(&[]), found(&["1.1.1.1"])), known(&["1.1.1.1"]));
        assert_eq!(combine(Found::NoSuchName, found(&["1.1.1.1"])), known(&["1.1.1.1"]));
        assert_eq!(combine(Found::Failed, found(&["1.1.1.1"])), known(&["1.1.1.1"]));
        assert_eq!(combine(Found::NoSuchName, Found::NoSuchName), Ok(Known::NoSuchName));
        assert_eq!(combine(Found::NoSuchName, Found::Failed), Ok(Known::NoSuchName));
        assert_eq!(combine(found(&[]), found(&[])), known(&[]));
        assert_eq!(combine(found(&[]), Found::Failed), Err(Unanswered));
        assert_eq!(combine(Found::Failed, Found::Failed), Err(Unanswered));
    }
}

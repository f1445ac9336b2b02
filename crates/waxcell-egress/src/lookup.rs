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
#[derive(Debug)]
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
    let mut answered = false;
    let mut lists = [Vec::new(), Vec::new()];
    for (found, list) in [six, four].into_iter().zip(&mut lists) {
        match found {
            Found::Addresses(addresses) => {
                answered = true;
                *list = addresses;
            }
            Found::NoSuchName => return Ok(Known::NoSuchName),
            Found::Truncated | Found::Failed => {}
        }
    }
    if !answered {
        return Err(Unanswered);
    }
    // In turns, so that a family that leads nowhere costs one attempt.
    let [six, four] = lists;
    let mut addresses = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        match (six.next(), four.next()) {
            (None, None) => return Ok(Known::Addresses(addresses)),
            (a, b) => addresses.extend(a.into_iter().chain(b)),
        }
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

//! What the supervisor is told: JSON, one report a line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// One line. Times are milliseconds since [`serve`](crate::serve) began, on a clock that is never set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// A connection that was made, or tried, has ended.
    Connection(Connection),
    /// An attempt was refused; comes again with a higher count, at most once a second, if it is repeated.
    Refusal(Refusal),
    /// A name has addresses inside from now on.
    Name(Named),
    /// Where the counters are; at most once a second, and not if nothing changed.
    Counters(Counters),
    /// Nothing follows. A stream that ends without this is that of a process that died.
    Done(Counters),
    /// There is no way out, or none any more.
    Failed {
        /// Why.
        why: String,
    },
}

impl Report {
    /// The report on a line.
    pub fn parse(line: &str) -> Result<Report, serde_json::Error> {
        serde_json::from_str(line)
    }
}

/// A name, and what stands for it inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Its address of IPv4.
    pub v4: Ipv4Addr,
    /// Its address of IPv6.
    pub v6: Ipv6Addr,
}

/// A connection that the rules allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The name it was for; none where a rule allows the address.
    pub name: Option<String>,
    /// The server that was dialled; none if no attempt came to an end.
    pub address: Option<IpAddr>,
    /// The port, inside and outside.
    pub port: u16,
    /// The rule that allowed it, as `allowed_domains: *.example.org`.
    pub rule: String,
    /// What the script connected to.
    pub inside: SocketAddr,
    /// The script's own end, which tells connections to the same address apart.
    pub from: SocketAddr,
    /// Where in the script it was begun, as `tally.py:12`, if that was told: of the last one to that address.
    pub place: Option<String>,
    /// Bytes that the server's socket took.
    pub up: u64,
    /// Bytes that the script's socket took.
    pub down: u64,
    /// When the script was accepted.
    pub start_ms: u64,
    /// From then to its end.
    pub duration_ms: u64,
    /// How it ended.
    pub end: End,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", content = "why", rename_all = "snake_case")]
pub enum End {
    /// The client said that it was done, or broke it off; or the server did when it was done.
    Closed,
    /// The server broke it off while the client was not done.
    Broken(String),
    /// No server was reached.
    Unreachable(String),
    /// What the script said did not agree with the name; there is a [`Refusal`] as well.
    Refused(String),
    /// The run's bytes were used up.
    BytesUsedUp,
    /// The run was over.
    RunEnded,
}

/// Attempts that were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What was tried.
    pub operation: Attempt,
    /// Name or address, and the port; of more kinds than can be counted, the last are taken together as `others`.
    pub target: String,
    /// What speaks against it, in words.
    pub why: String,
    /// The part of the rules that speaks against it, or would have to allow it.
    pub rule: Rule,
    /// Where in the script it was tried first, as `tally.py:12`, if that was told.
    pub place: Option<String>,
    /// How often so far.
    pub count: u64,
    /// First and last time.
    pub first_ms: u64,
    /// See `first_ms`.
    pub last_ms: u64,
}

/// An operation, by its name in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Attempt {
    /// A name was asked for.
    #[serde(rename = "net.dns")]
    Resolve,
    /// A connection was begun.
    #[serde(rename = "net.connect")]
    Connect,
}

/// Parts of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// No entry has the name.
    AllowedDomains,
    /// No entry has the address.
    AllowAddresses,
    /// An entry has the name or address, and not the port.
    Ports,
    /// The port is refused whatever else is allowed.
    BlockedPorts,
    /// Name and what was said do not agree, or nothing was said.
    Witness,
    /// Too many connections at a time.
    MaxConnections,
    /// Too many bytes.
    MaxBytes,
    /// Too many names.
    Lookups,
    /// The message is none.
    Malformed,
}

/// Of the run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Connections at this moment.
    pub open: u64,
    /// Connections of scripts that were accepted, refused ones included.
    pub accepted: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Bytes to servers.
    pub up: u64,
    /// Bytes to the script.
    pub down: u64,
    /// Questions of the script to the resolver inside.
    pub questions: u64,
    /// Names that the host's resolver was asked for.
    pub lookups: u64,
}

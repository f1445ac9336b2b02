//! The way out of a run: what of it stands in the plan, and what the process that is it tells.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::Errno;
use serde::Serialize;
use serde_json::json;
use waxcell_egress::{
    self as egress, Attempt, Counters, End, Host, HostFiles, Named, Refusal, Rule, Rules, Sockets,
};
use waxcell_journal::with_causes;
use waxcell_operations::Operation;
use waxcell_sandbox::{Egress, Handed, Layer, Serve, Switch, Switches};

use crate::edit::{self, Edit};
use crate::plan_error::PlanError;
use crate::policy::Policy;
use crate::violation::{Violation, place};

/// Connections of a run that are kept one by one.
const KEPT: usize = 1000;

/// Where the resolver inside is: the first addresses of those that stand for names stand for none.
fn resolvers() -> Vec<IpAddr> {
    let (v4, v6) = (egress::SYNTHETIC_V4.0.to_bits(), egress::SYNTHETIC_V6.0.to_bits());
    vec![Ipv4Addr::from_bits(v4 + 1).into(), Ipv6Addr::from_bits(v6 + 1).into()]
}

/// The networks whose addresses stand for names.
fn of_names() -> [(IpAddr, u8); 2] {
    let (v4, v6) = (egress::SYNTHETIC_V4, egress::SYNTHETIC_V6);
    [(v4.0.into(), v4.1), (v6.0.into(), v6.1)]
}

/// The networks of which a run with a way out has every address.
fn networks(policy: &Policy) -> Vec<(IpAddr, u8)> {
    let listed = policy.network.allow_addresses.iter().filter(|rule| !rule.address.is_loopback());
    of_names().into_iter().chain(listed.map(|rule| (rule.address, rule.prefix))).collect()
}

/// Of loopback, which is the run's own, what is listed: each port with its network.
fn loopback(policy: &Policy) -> Vec<((IpAddr, u8), u16)> {
    let listed = policy.network.allow_addresses.iter().filter(|rule| rule.address.is_loopback());
    listed.flat_map(|rule| rule.ports.iter().map(|port| ((rule.address, rule.prefix), *port))).collect()
}

fn is_in(ip: IpAddr, mut networks: impl Iterator<Item = (IpAddr, u8)>) -> bool {
    networks.any(|(address, prefix)| egress::Network { address, prefix }.contains(ip))
}

/// Whether a connection to this address of the run's network comes to the way out.
pub(crate) fn leads_out(ip: IpAddr, policy: &Policy) -> bool {
    policy.network.asks_for_egress() && is_in(ip.to_canonical(), networks(policy).into_iter())
}

/// The way out that a policy asks for, if it asks for any. A run without a network of its own, which the policy accepts, has none.
///
/// # Errors
///
/// Where it is not known how the host finds names.
pub(crate) fn plan(policy: &Policy, is_plain: bool) -> Result<Option<Egress>, PlanError> {
    let Some(rules) = crate::egress::rules(policy).filter(|_| !is_plain) else { return Ok(None) };
    let host = Host::parse(&HostFiles::read().map_err(PlanError::HostNetwork)?);
    Ok(Some(Egress {
        networks: networks(policy),
        loopback: loopback(policy),
        resolvers: resolvers(),
        blocked_ports: rules.blocked_ports.clone(),
        open_files: rules.limits.open_files(),
        serve: {
            let order = serde_json::to_vec(&(&rules, &host)).unwrap_or_default();
            Serve::new(move |handed| serve(&rules, &host, handed)).or_anew(order)
        },
    }))
}

/// The run's `resolv.conf`. That of the host, where a test build gives the run the network of the host.
pub(crate) fn resolv_conf(egress: Option<&Egress>, switches: Switches) -> String {
    match egress {
        Some(_) if switches.off(Switch::Egress) => {
            std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()
        }
        Some(egress) => egress.resolv_conf(),
        None => "# no name server: this run has no network but loopback\n".to_owned(),
    }
}

/// If this program was executed to be the way out of a run, that is what it is from here on, and this does not return.
pub(crate) fn serve_if_asked(arguments: impl Iterator<Item = OsString>) {
    waxcell_sandbox::serve_if_asked(arguments, |order, handed| {
        let order: Result<(Rules, Host), _> = serde_json::from_slice(order);
        order.is_ok_and(|(rules, host)| serve(&rules, &host, handed))
    });
}

/// What the process beside the run does until the run is over. To say why it ends, it has no other way than a line.
fn serve(rules: &Rules, host: &Host, handed: Handed) -> bool {
    let Handed { resolver_datagrams, resolver_streams, line, reports } = handed;
    let sockets = Sockets {
        resolver_datagrams: resolver_datagrams.into_iter().map(UdpSocket::from).collect(),
        resolver_streams: resolver_streams.into_iter().map(TcpListener::from).collect(),
        line,
    };
    let Ok(last) = reports.try_clone() else { return false };
    let served = egress::serve(rules.clone(), host.clone(), sockets, reports);
    served.map_err(|error| say(&last, &error)).is_ok()
}

fn say(mut to: &UnixStream, error: &dyn Error) {
    let line = json!({"report": "failed", "why": with_causes(error)});
    // If nobody hears it: that the process has ended is told in any case.
    let _ = to.write_all(format!("{line}\n").as_bytes());
}

/// A connection that the policy allowed, as it is told and recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// `allowed`, or `denied` if what was said on it did not agree with its name.
    pub decision: &'static str,
    /// The name it was for; null where the policy allows the address.
    pub name: Option<String>,
    /// The server's address; null if none was reached.
    pub address: Option<IpAddr>,
    /// The server's port.
    pub port: u16,
    /// The line of the policy that allows it.
    pub rule: String,
    /// Bytes that the server's socket took.
    pub bytes_up: u64,
    /// Bytes that the script's socket took.
    pub bytes_down: u64,
    /// When the script connected, in milliseconds since its start.
    pub start_ms: u64,
    /// From then to its end.
    pub duration_ms: u64,
    /// How it ended: `closed`, `broken` (by the server, before the script was done), `unreachable`, `refused`, `bytes_used_up`, `run_ended`.
    pub end: &'static str,
    /// The same in words, where there is more to say.
    pub why: Option<String>,
    /// The line of the script, or of `file`, that connected; as the script's memory has it.
    pub line: Option<u32>,
    /// The Python file, if it is another one than the script.
    pub file: Option<String>,
    /// The line of the script that led to `file`.
    pub script_line: Option<u32>,
}

/// What the report says of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// A connection.
    Connection(Connection),
    /// An attempt that was refused; there is a violation as well.
    Denied {
        /// `denied`.
        decision: &'static str,
        /// See [`Violation`].
        operation: &'static str,
        /// Name or address, and port.
        target: String,
        /// The line of the policy that decided.
        rule: String,
        /// How often.
        count: u64,
        /// First and last time since the start, in milliseconds.
        first_ms: u64,
        /// See `first_ms`.
        last_ms: u64,
        /// See [`Connection`].
        line: Option<u32>,
        /// See [`Connection`].
        file: Option<String>,
        /// See [`Connection`].
        script_line: Option<u32>,
    },
}

impl Entry {
    /// Of a violation that is one of the network.
    pub(crate) fn denied(violation: &Violation) -> Option<Entry> {
        violation.operation.starts_with("net.").then(|| Entry::Denied {
            decision: "denied",
            operation: violation.operation,
            target: violation.target.clone(),
            rule: violation.rule.clone(),
            count: violation.count,
            first_ms: violation.first_ms,
            last_ms: violation.last_ms,
            line: violation.line,
            file: violation.file.clone(),
            script_line: violation.script_line,
        })
    }
}

/// What is worth saying while the run goes on.
#[derive(Debug)]
pub(crate) enum News {
    /// One has ended, and is kept.
    Connection(Connection),
    /// Where the counters are; at most once a second, and not if nothing changed.
    Counters(Counters),
}

/// What the process that is the way out has told so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// So much later than the process began the script.
    late_ms: u64,
    connections: Vec<egress::Connection>,
    /// Connections beyond those that are kept.
    pub(crate) beyond: u64,
    /// By operation, target and rule, in the order in which they came first.
    refusals: Vec<Refusal>,
    positions: BTreeMap<(u8, String, u8), usize>,
    names: BTreeMap<IpAddr, String>,
    /// Of all connections.
    pub(crate) counters: Counters,
    /// Why there is no way out any more.
    pub(crate) failed: Option<String>,
}

impl Told {
    /// Nothing yet, of a process that began so much earlier than the script.
    pub(crate) fn new(late: Duration) -> Told {
        Told { late_ms: late.as_millis() as u64, ..Told::default() }
    }

    /// Takes a line. One that is none says nothing: the sandbox sees how the process ends.
    pub(crate) fn hear(&mut self, line: &[u8], policy: &Policy) -> Option<News> {
        let report = std::str::from_utf8(line).ok().and_then(|line| egress::Report::parse(line).ok());
        match report {
            Some(egress::Report::Connection(_)) if self.connections.len() >= KEPT => self.beyond += 1,
            Some(egress::Report::Connection(connection)) => {
                let news = News::Connection(told(&connection, policy, self.late_ms));
                self.connections.push(connection);
                return Some(news);
            }
            Some(egress::Report::Refusal(refusal)) => self.refuse(refusal),
            Some(egress::Report::Name(Named { name, v4, v6 })) => {
                self.names.insert(v4.into(), name.clone());
                self.names.insert(v6.into(), name);
            }
            Some(egress::Report::Counters(counters)) => {
                self.counters = counters;
                return Some(News::Counters(counters));
            }
            Some(egress::Report::Done(counters)) => self.counters = counters,
            Some(egress::Report::Failed { why }) => self.failed = Some(why),
            None => {}
        }
        None
    }

    /// The last word about an attempt counts.
    fn refuse(&mut self, refusal: Refusal) {
        let key = (refusal.operation as u8, refusal.target.clone(), refusal.rule as u8);
        match self.positions.get(&key).and_then(|at| self.refusals.get_mut(*at)) {
            Some(known) => *known = refusal,
            None => {
                self.positions.insert(key, self.refusals.len());
                self.refusals.push(refusal);
            }
        }
    }

    /// `NAME:PORT` for `ADDRESS:PORT` inside.
    pub(crate) fn named(&self, target: &str) -> Option<String> {
        let inside: SocketAddr = target.parse().ok()?;
        self.names.get(&inside.ip()).map(|name| format!("{name}:{}", inside.port()))
    }

    /// The connections.
    pub(crate) fn connections(&self, policy: &Policy) -> Vec<Connection> {
        self.connections.iter().map(|connection| told(connection, policy, self.late_ms)).collect()
    }

    /// The attempts that were refused.
    pub(crate) fn violations(&self, policy: &Policy) -> Vec<Violation> {
        self.refusals.iter().map(|refusal| violation(refusal, policy, self.late_ms)).collect()
    }
}

fn told(connection: &egress::Connection, policy: &Policy, late_ms: u64) -> Connection {
    let (end, why) = match &connection.end {
        End::Closed => ("closed", None),
        End::Broken(why) => ("broken", Some(why)),
        End::Unreachable(why) => ("unreachable", Some(why)),
        End::Refused(why) => ("refused", Some(why)),
        End::BytesUsedUp => ("bytes_used_up", None),
        End::RunEnded => ("run_ended", None),
    };
    let key = connection.rule.split(':').next().unwrap_or_default();
    let (file, line, script_line) = place_of(connection.place.as_deref());
    Connection {
        decision: if end == "refused" { "denied" } else { "allowed" },
        name: connection.name.clone(),
        address: connection.address,
        port: connection.port,
        rule: format!("network.{} ({})", connection.rule, place(policy, &format!("network.{key}"))),
        bytes_up: connection.up,
        bytes_down: connection.down,
        start_ms: connection.start_ms.saturating_sub(late_ms),
        duration_ms: connection.duration_ms,
        end,
        why: why.cloned(),
        line,
        file,
        script_line,
    }
}

/// The file, unless it is the script, its line, and that of the script that led there.
fn place_of(place: Option<&str>) -> (Option<String>, Option<u32>, Option<u32>) {
    let numbered = |text: &str| {
        text.rsplit_once(':').and_then(|(rest, line)| Some((rest.to_owned(), line.parse().ok()?)))
    };
    let Some((rest, last)) = place.and_then(numbered) else { return (None, None, None) };
    let (file, line, script_line) = match numbered(&rest) {
        Some((file, line)) => (file, line, Some(last)),
        None => (rest, last, None),
    };
    ((!file.is_empty()).then_some(file), Some(line), script_line)
}

fn violation(refusal: &Refusal, policy: &Policy, late_ms: u64) -> Violation {
    let (operation, errno) = match refusal.operation {
        // The resolver says that there is no such name; that is no `errno`.
        Attempt::Resolve => (Operation::NetDns, 0),
        Attempt::Connect => (Operation::NetConnect, Errno::CONNRESET.raw_os_error()),
    };
    let (rule, edits) = decided_by(refusal, policy);
    let (file, line, script_line) = place_of(refusal.place.as_deref());
    Violation {
        operation: operation.name(),
        target: refusal.target.clone(),
        target_hex: None,
        rule: format!("{rule}: {}", refusal.why),
        layer: Layer::Egress,
        errno,
        count: refusal.count,
        first_ms: refusal.first_ms.saturating_sub(late_ms),
        last_ms: refusal.last_ms.saturating_sub(late_ms),
        process: None,
        thread: None,
        program: None,
        program_hex: None,
        line,
        file,
        file_hex: None,
        script_line,
        allow: edit::in_words(&edits),
        edits,
    }
}

/// The line of the policy that speaks against it, and what would allow it.
fn decided_by(refusal: &Refusal, policy: &Policy) -> (String, Vec<Edit>) {
    let stands = |key: &str| format!("{key} ({})", place(policy, key));
    let target = refusal.target.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let (host, port) = target.unwrap_or((&refusal.target, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let none = Vec::new();
    let twice = |key: &'static str, value: u64| {
        (stands(key), vec![Edit::Set { key, value: value.saturating_mul(2).to_string() }])
    };
    match refusal.rule {
        Rule::AllowedDomains => (stands("network.allowed_domains"), Edit::allow_name(host)),
        // One that stands for names, and for none that was asked for.
        Rule::AllowAddresses if host.parse().is_ok_and(|ip| is_in(ip, of_names().into_iter())) => {
            (stands("network.allow_addresses"), none)
        }
        Rule::AllowAddresses => (stands("network.allow_addresses"), Edit::allow_address(host)),
        Rule::BlockedPorts => {
            (stands("network.blocked_ports"), port.parse().map(Edit::unblock_port).into_iter().collect())
        }
        Rule::Ports => (stands("network.allowed_domains"), none),
        Rule::Witness => ("what is said on a connection has to agree with its name".to_owned(), none),
        // How much it takes, nobody can tell.
        Rule::MaxConnections => twice("network.max_connections", policy.network.max_connections.into()),
        Rule::MaxBytes => twice("network.max_bytes", policy.network.max_bytes.unwrap_or(u64::MAX)),
        Rule::Lookups => twice("network.max_lookups", policy.network.max_lookups.into()),
        Rule::Malformed => ("what is no message is not answered".to_owned(), none),
    }
}

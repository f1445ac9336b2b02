//! The whole of it, against real servers and clients, in network namespaces of the test's own: an outer one with addresses
//! that look public and no way out, where the servers and the egress process are, and the run's, inside it.
//! Everything is judged from outside: what servers were asked, and what was reported.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails where it stands, starts its world, and prints what it says"
)]

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use waxcell_egress::{
    AddressRule, DomainRule, Host, HostFiles, Limits, Network, Pattern, Rules, Sockets, serve,
};

/// What the world says on the socket that is this process' standard input, with the sockets of the run beside it: the resolver's and the line.
#[derive(Deserialize)]
struct Asked {
    domains: Vec<(String, Vec<u16>)>,
    addresses: Vec<(std::net::IpAddr, u8, Vec<u16>)>,
    blocked_ports: Vec<u16>,
    up: Option<u64>,
    down: Option<u64>,
    max_bytes: Option<u64>,
    max_connections: usize,
    lookups: usize,
    head_timeout_ms: u64,
    connect_timeout_ms: u64,
    resolv_conf: String,
    hosts: String,
    /// Whether the host's own addresses are known.
    own_addresses: bool,
}

/// The process that a world starts: not a test, but the library in a process of its own.
#[test]
#[ignore = "started by the worlds, with their sockets"]
fn egress_process() {
    let supervisor = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut text = vec![0; 65536];
    let mut fds: Vec<OwnedFd> = Vec::new();
    let mut space = [std::mem::MaybeUninit::uninit(); 4096];
    let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(
        &supervisor,
        &mut [std::io::IoSliceMut::new(&mut text)],
        &mut control,
        rustix::net::RecvFlags::CMSG_CLOEXEC,
    )
    .unwrap();
    for message in control.drain() {
        if let rustix::net::RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let asked: Asked = serde_json::from_slice(&text[..received.bytes]).unwrap();
    let Ok([datagrams, streams, line]) = <[OwnedFd; 3]>::try_from(fds) else {
        panic!("three sockets come with the rules")
    };
    let sockets =
        Sockets { resolver_datagrams: vec![datagrams.into()], resolver_streams: vec![streams.into()], line };
    let domains = asked.domains.iter();
    let rules = Rules {
        domains: domains
            .map(|(name, ports)| DomainRule { pattern: Pattern::parse(name).unwrap(), ports: ports.clone() })
            .collect(),
        addresses: asked
            .addresses
            .into_iter()
            .map(|(address, prefix, ports)| AddressRule { network: Network { address, prefix }, ports })
            .collect(),
        blocked_ports: asked.blocked_ports.into_iter().collect(),
        limits: Limits {
            up: asked.up,
            down: asked.down,
            max_bytes: asked.max_bytes,
            max_connections: asked.max_connections,
            lookups: asked.lookups,
            connect_timeout: Duration::from_millis(asked.connect_timeout_ms),
            head_timeout: Duration::from_millis(asked.head_timeout_ms),
        },
    };
    // The servers of the world are at addresses of this host, which is no fault of theirs unless that is what is looked at.
    let here = if asked.own_addresses { HostFiles::read().unwrap() } else { HostFiles::default() };
    let host = Host::parse(&HostFiles { resolv_conf: asked.resolv_conf, hosts: asked.hosts, ..here });
    serve(rules, host, sockets, UnixStream::from(supervisor)).unwrap();
}

/// Says that something did not take place, also where it is counted.
fn skip(name: &str, why: &str) {
    println!("SKIPPED {name}: {why}");
    if let Some(list) = std::env::var_os("WAXCELL_SKIP_LOG").filter(|value| !value.is_empty()) {
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        list.write_all(format!("SKIPPED {name}: {why}\n").as_bytes()).unwrap();
    }
}

/// Where the package is: not where it was built, since an ordinary user runs these tests from a copy.
fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Runs a scenario of `world/world.py`. Its lines: `ok name`, `FAILED name: why`, `SKIPPED name: why`.
fn world(scenario: &str) {
    for tool in ["unshare", "ip", "openssl"] {
        if !["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
            .iter()
            .any(|place| Path::new(place).join(tool).exists())
        {
            return skip(&format!("egress {scenario}"), &format!("no `{tool}`"));
        }
    }
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let place = tempfile::tempdir().unwrap();
    let script = package().join("tests/world/world.py");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--mount", "--kill-child", "--fork", python]);
    command.arg("-B").arg(script).arg(scenario).arg(std::env::current_exe().unwrap()).arg(place.path());
    let output = command.output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}\n{errors}");
    if errors.starts_with("unshare: ") {
        return skip(&format!("egress {scenario}"), "no user namespaces for this user");
    }
    for line in said.lines() {
        if let Some((name, why)) = line.strip_prefix("SKIPPED ").and_then(|line| line.split_once(": ")) {
            skip(name, why);
        }
    }
    assert!(output.status.success(), "{scenario}: {}", output.status);
    assert!(said.lines().any(|line| line.starts_with("ok ")), "{scenario}: nothing was looked at");
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn an_ordinary_script_reaches_the_names_that_are_allowed() {
    world("reach");
}

#[test]
fn everything_else_is_refused_and_told() {
    world("refuse");
}

#[test]
fn a_public_address_of_this_host_is_not_reached() {
    world("own");
}

#[test]
fn quotas_hold() {
    world("quotas");
}

#[test]
fn connections_end_when_either_side_has_gone() {
    world("ends");
}

#[test]
fn floods_and_silence_harm_nobody_else() {
    world("floods");
}

/// Prints figures; `cargo test --release -p waxcell-egress --test world figures -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and proves nothing"]
fn figures() {
    world("figures");
}

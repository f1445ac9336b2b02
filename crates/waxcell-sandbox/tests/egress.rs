//! The way out of a run's network: what comes to the process beside the run, what does not, and what becomes of the run
//! when that process fails. What the process does here is an echo; the real one is another crate's.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use support::echo::{HELD, echo};
use support::{Ran, run_with};
use waxcell_sandbox::*;

/// What scripts here begin with: `reach` says where a connection came to.
const PRELUDE: &str = "
import errno, os, socket, sys
def reach(host, port, family=None):
    s = socket.socket(family or (socket.AF_INET6 if ':' in host else socket.AF_INET))
    s.settimeout(5)
    s.connect((host, port))
    return s.recv(100).decode()
def attempt(name, action):
    try: print(name, action())
    except OSError as error: print(name, errno.errorcode[error.errno] if error.errno else error)
";

fn way_out(serve: impl Fn(Handed) -> bool + Send + Sync + 'static) -> Egress {
    let network = |address: &str, prefix| (address.parse().unwrap_or([0; 4].into()), prefix);
    Egress {
        loopback: vec![(network("127.0.0.1", 32), 5432)],
        networks: vec![
            network("198.18.0.0", 15),
            network("fd77:6178:6365::", 48),
            network("203.0.113.7", 32),
            network("2001:db8::7", 128),
        ],
        resolvers: vec![network("198.18.0.1", 32).0, network("fd77:6178:6365::1", 128).0],
        blocked_ports: BTreeSet::from([25]),
        open_files: 256,
        serve: Serve::new(serve),
    }
}

fn run_connected(script: &str, egress: Egress) -> Ran {
    run_with(&format!("{PRELUDE}{script}"), |plan| plan.network.egress = Some(egress))
}

/// Operation, target, errno, count.
fn denials(ran: &Ran) -> Vec<(&'static str, String, i32, u64)> {
    let told = ran.ending.denials.iter().map(|denial| {
        let target = String::from_utf8_lossy(&denial.target).into_owned();
        assert_eq!(denial.layer, Layer::Network, "{target}");
        (denial.operation.name(), target, denial.errno, denial.count)
    });
    told.collect()
}

#[test]
fn connections_inside_come_to_the_process() {
    let script = "
for host, port in (('198.18.0.5', 80), ('198.19.255.254', 8443), ('198.18.0.6', 80), ('fd77:6178:6365::5', 443), ('203.0.113.7', 5432), ('2001:db8::7', 1)):
    attempt(host, lambda: reach(host, port))
attempt('mapped', lambda: reach('::ffff:198.18.0.5', 7777, socket.AF_INET6))
attempt('names', lambda: reach('198.18.0.9', 53))
s = socket.socket(); s.bind(('127.0.0.1', 6000)); s.listen()
for host in ('198.18.0.5', '198.18.0.6', '198.18.0.5'): attempt('beside', lambda: reach(host, 6000))
c = socket.create_connection(s.getsockname()); print('loopback')
";
    let ran = run_with(&format!("{PRELUDE}{script}"), |plan| {
        plan.network.egress = Some(way_out(echo));
        plan.program.code = Some(Code { script: vec!["/script.py".into()], project: "/data".into() });
    });
    assert_eq!(
        ran.output,
        "198.18.0.5 198.18.0.5:80\n198.19.255.254 198.19.255.254:8443\n198.18.0.6 198.18.0.6:80\n\
         fd77:6178:6365::5 [fd77:6178:6365::5]:443\n203.0.113.7 203.0.113.7:5432\n2001:db8::7 [2001:db8::7]:1\n\
         mapped 198.18.0.5:7777\nnames 198.18.0.9:53\n\
         beside 198.18.0.5:6000\nbeside 198.18.0.6:6000\nbeside 198.18.0.5:6000\nloopback\n",
        "{}",
        ran.error
    );
    assert_eq!((ran.ending.exit, ran.ending.failed), (Some(Exit::Code(0)), None));
    assert!(denials(&ran).is_empty(), "{:?}", denials(&ran));
    assert!(ran.enforced.egress);
    let reached = ran.lines.iter().filter(|line| line.starts_with("reached "));
    assert_eq!((reached.count(), ran.lines.last().map(String::as_str)), (11, Some("done")));
    assert!(ran.lines.contains(&"told 198.18.0.5 7777 :6".to_owned()), "{:?}", ran.lines);
}

#[test]
fn what_is_refused_is_on_record() {
    let script = "
attempt('blocked', lambda: reach('198.18.0.5', 25))
attempt('again', lambda: reach('198.18.0.5', 25))
attempt('outside', lambda: reach('198.20.0.1', 80))
attempt('beside', lambda: reach('203.0.113.8', 5432))
quic = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
attempt('quic', lambda: quic.sendto(b'x', ('198.18.0.5', 443)))
attempt('quic6', lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('fd77:6178:6365::5', 443)))
attempt('fast', lambda: quic.sendto(b'x', socket.MSG_FASTOPEN, ('198.18.0.5', 444)))
attempt('bind', lambda: socket.socket().bind(('198.18.0.5', 8080)))
attempt('low', lambda: socket.socket().bind(('127.0.0.1', 80)))
own = socket.socket(); own.bind(('0.0.0.0', 9999)); own.listen()
attempt('own', lambda: reach('198.18.0.5', 9999))
";
    let ran = run_connected(script, way_out(echo));
    assert_eq!(
        ran.output,
        "blocked EACCES\nagain EACCES\noutside ENETUNREACH\nbeside ENETUNREACH\nquic EACCES\n\
         quic6 EACCES\nfast EACCES\nbind EADDRNOTAVAIL\nlow EACCES\nown ECONNREFUSED\n",
        "{}",
        ran.error
    );
    let expected = [
        ("net.connect", "198.18.0.5:25", libc::EACCES, 2),
        ("net.connect", "198.20.0.1:80", libc::ENETUNREACH, 1),
        ("net.connect", "203.0.113.8:5432", libc::ENETUNREACH, 1),
        ("net.udp", "198.18.0.5:443", libc::EACCES, 1),
        ("net.udp", "[fd77:6178:6365::5]:443", libc::EACCES, 1),
        ("net.udp", "198.18.0.5:444", libc::EACCES, 1),
        ("net.listen", "198.18.0.5:8080", libc::EADDRNOTAVAIL, 1),
        ("net.connect", "198.18.0.5:9999", libc::ECONNREFUSED, 1),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(what, target, errno, count)| (what, target.to_owned(), errno, count))
        .collect();
    assert_eq!(denials(&ran), expected);
    assert_eq!(ran.lines, ["", "done"][1..]);
}

#[test]
fn the_resolver_is_asked_and_sockets_that_only_ask_for_a_way_are_nothing() {
    let script = "
for host in ('198.18.0.1', 'fd77:6178:6365::1'):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
    s.sendto(b'sent', (host, 53)); print(s.recv(100))
    s.connect((host, 53)); s.send(b'connected'); print(s.recv(100))
    print(reach(host, 53))
for port in (0, 80, 443):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('198.18.0.5', port)); print(s.getsockname()[0], port)
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(('fd77:6178:6365::5', port)); print(s.getsockname()[0], port)
";
    let ran = run_connected(script, way_out(echo));
    let resolvers = ["198.18.0.1:53", "[fd77:6178:6365::1]:53"];
    let asked = resolvers.map(|address| format!("b'sent'\nb'connected'\n{address}\n")).concat();
    let ways = [0, 80, 443].map(|port| format!("198.18.0.5 {port}\n::1 {port}\n")).concat();
    assert_eq!(ran.output, asked + &ways, "{}", ran.error);
    assert!(denials(&ran).is_empty(), "{:?}", denials(&ran));
    let told = ran.lines.iter().filter(|line| line.starts_with("told "));
    assert!(told.clone().all(|line| line.contains(" 53 ")) && told.count() == 6, "{:?}", ran.lines);
}

#[test]
fn datagrams_that_nobody_takes_are_on_record() {
    let script = "
def connected(host, port):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((host, port)); return s
quic = connected('198.18.0.5', 443); quic.send(b'x')
attempt('recv', lambda: quic.recv(9))
attempt('send', lambda: quic.send(b'x')); attempt('again', lambda: quic.send(b'x'))
six = connected('fd77:6178:6365::5', 443); os.write(six.fileno(), b'x')
connected('198.18.0.5', 443)
connected('203.0.113.7', 80).send(b'x')
connected('127.0.0.1', 5432).send(b'x')
connected('127.0.0.1', 5433).send(b'x'); connected('::1', 5433).send(b'x')
for port in (1, 2): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('198.18.0.6', port))
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); own.bind(('0.0.0.0', 9999))
connected('198.18.0.5', 9999).send(b'own'); print(own.recv(9))
";
    let ran = run_with(&format!("{PRELUDE}{script}"), |plan| {
        plan.network.egress = Some(way_out(echo));
        plan.program.code = Some(Code { script: vec!["/script.py".into()], project: "/data".into() });
    });
    let answered = "recv ECONNREFUSED\nsend 1\nagain ECONNREFUSED\nb'own'\n";
    assert_eq!(ran.output, answered, "{}", ran.error);
    let expected = [
        ("198.18.0.5:443", 2),
        ("[fd77:6178:6365::5]:443", 1),
        ("203.0.113.7:80", 1),
        ("127.0.0.1:5432", 1),
        ("198.18.0.6:1", 1),
        ("198.18.0.6:2", 1),
    ];
    let expected = expected.map(|(target, count)| ("net.udp", target.to_owned(), libc::ECONNREFUSED, count));
    let mut told = denials(&ran);
    // What two sockets heard is told one after the other.
    told.sort_by_key(|told| expected.iter().position(|expected| expected == told));
    assert_eq!(told, expected);
    let line = |target: &[u8]| {
        let told = ran.ending.denials.iter().find(|denial| denial.target == target);
        told.and_then(|denial| denial.place.as_ref()).map(|place| place.line)
    };
    assert_eq!((line(b"198.18.0.5:443"), line(b"203.0.113.7:80")), (Some(14), Some(14)));
    assert_eq!(line(b"198.18.0.6:1"), None, "nobody was asked");
}

/// The count may fall short of what a flood sends, by what the init could not hear in time.
#[test]
fn a_flood_of_datagrams_is_counted_and_ends() {
    let script = "
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('198.18.0.5', 443))
for _ in range(20000):
    try: s.send(b'x')
    except ConnectionRefusedError: s.send(b'x')
print(reach('198.18.0.5', 80))
";
    let ran = run_connected(script, way_out(echo));
    assert_eq!(ran.output, "198.18.0.5:80\n", "{}", ran.error);
    let told = denials(&ran);
    assert_eq!((told.len(), &*told[0].1), (1, "198.18.0.5:443"), "{told:?}");
    assert!((100..=20_000).contains(&told[0].3), "{told:?}");
}

#[test]
fn what_the_script_has_closed_is_forgotten_soon() {
    let script = format!(
        "
import time
def waits_for_the_other_side():
    return sum(line.split()[3] in ('04', '05') for line in open('/proc/self/net/tcp'))
print(reach('198.18.0.5', {HELD}), waits_for_the_other_side())
until = time.monotonic() + 20
while waits_for_the_other_side() and time.monotonic() < until: time.sleep(.1)
print(waits_for_the_other_side())
"
    );
    let ran = run_connected(&script, way_out(echo));
    assert_eq!(ran.output, format!("198.18.0.5:{HELD} 1\n0\n"), "{}", ran.error);
}

#[test]
fn the_process_has_nothing_but_its_sockets() {
    let beyond = |handed: Handed| {
        use std::io::Write;
        let mut reports = handed.reports.try_clone().unwrap_or_else(|_| std::process::abort());
        let mut say = |what: &str, is: bool| drop(writeln!(reports, "{what} {is}"));
        let listener = || {
            let any = rustix::net::SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(
                rustix::net::AddressFamily::INET,
                rustix::net::SocketType::STREAM,
                any,
                None,
            )?;
            rustix::net::listen(&socket, 1)
        };
        say("file", std::fs::read("/etc/passwd").is_ok());
        say("folder", std::fs::read_dir("/proc/self").is_ok());
        say("thread", std::thread::Builder::new().spawn(|| ()).is_ok());
        say("listen", listener().is_ok());
        say("unix", std::os::unix::net::UnixStream::pair().is_ok());
        let signal = rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::URG);
        say("signal", signal != Err(rustix::io::Errno::NOSYS));
        say("memory", !vec![1u8; 8 << 20].is_empty());
        say("socket", std::net::UdpSocket::bind("127.0.0.1:0").is_ok());
        echo(handed)
    };
    let ran = run_connected("print(reach('198.18.0.5', 80))", way_out(beyond));
    assert_eq!(ran.output, "198.18.0.5:80\n", "{} {:?} {:?}", ran.error, ran.lines, ran.ending);
    let expected =
        ["file", "folder", "thread", "listen", "unix", "signal"].map(|what| format!("{what} false"));
    assert_eq!(ran.lines[..6], expected);
    assert_eq!(ran.lines[6..8], ["memory true", "socket true"]);
}

#[test]
fn a_run_that_loses_it_ends_as_an_error() {
    let lost = Some(("connecting the run to the network", libc::EPIPE));
    let gone = |ending: &Ending| (ending.failed, ending.exit);
    let sleeps = "import time\ntime.sleep(15)";
    let started = Instant::now();
    // Too early, also if it thinks that all is well.
    for is_well in [true, false] {
        let ran = run_connected(sleeps, way_out(move |_| is_well));
        assert_eq!(gone(&ran.ending), (lost, Some(Exit::Signal(libc::SIGKILL))));
    }
    let ran = run_connected(sleeps, way_out(|_| panic!("what happens there stays there")));
    assert_eq!(gone(&ran.ending), (lost, Some(Exit::Signal(libc::SIGKILL))));
    // Killed in the middle.
    let ran = run_connected(
        sleeps,
        way_out(|handed| {
            let _ = rustix::io::write(&handed.reports, b"half a line");
            std::process::abort()
        }),
    );
    assert_eq!(gone(&ran.ending), (lost, Some(Exit::Signal(libc::SIGKILL))));
    assert!(ran.lines.is_empty());
    // Too much in one line.
    let ran = run_connected(
        sleeps,
        way_out(|handed| {
            let _ = rustix::io::write(&handed.reports, &[b'x'; 100_000]);
            echo(handed)
        }),
    );
    assert_eq!(ran.ending.failed, Some(("connecting the run to the network", libc::EMSGSIZE)));
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    // In the end, when it was not well.
    let ran = run_connected(
        "print(1)",
        way_out(|handed| {
            echo(handed);
            false
        }),
    );
    assert_eq!(gone(&ran.ending), (lost, Some(Exit::Code(0))));
    // Not at all.
    let started = Instant::now();
    let ran = run_connected(
        "print(1)",
        way_out(|handed| {
            loop {
                let _ = poll(&mut [PollFd::new(&handed.line, PollFlags::empty())], None);
            }
        }),
    );
    assert_eq!(ran.ending.failed, Some(("connecting the run to the network", libc::ETIMEDOUT)));
    assert!(started.elapsed() > Duration::from_secs(3) && started.elapsed() < Duration::from_secs(10));
}

#[test]
fn listeners_are_bounded() {
    let script = "
import resource
count = 0
for port in range(1000, 3000):
    if port in (25, 53): continue
    try: reach('198.18.0.5', port); count += 1
    except ConnectionRefusedError: break
print(count, port)
try: reach('198.18.0.5', 1000); print('one that is there')
except OSError as error: print(error)
";
    let mut egress = way_out(echo);
    egress.open_files = 2048;
    let ran = run_connected(script, egress);
    assert_eq!(ran.output, "1024 2024\none that is there\n", "{}", ran.error);
    assert_eq!(denials(&ran), [("net.connect", "198.18.0.5:2024".to_owned(), libc::ECONNREFUSED, 1)]);
}

#[test]
fn loopback_is_the_run_itself_also_where_everything_leads_out() {
    let script = "
own = socket.socket(); own.bind(('127.0.0.1', 0)); own.listen()
c = socket.create_connection(own.getsockname()); own.accept()[0].send(b'own'); print(c.recv(9))
print(reach('1.2.3.4', 80), reach('2606::1', 81))
";
    let mut egress = way_out(echo);
    egress.networks = vec![([0; 4].into(), 0), ([0u16; 8].into(), 0)];
    let ran = run_connected(script, egress);
    assert_eq!(ran.output, "b'own'\n1.2.3.4:80 [2606::1]:81\n", "{}", ran.error);
}

#[test]
fn a_port_of_loopback_leads_out_where_it_is_listed() {
    let script = "
print(reach('127.0.0.1', 5432), reach('::ffff:127.0.0.1', 5432))
attempt('other port', lambda: reach('127.0.0.1', 5433))
attempt('other address', lambda: reach('127.0.0.2', 5434))
attempt('bind', lambda: socket.socket().bind(('127.0.0.1', 5432)))
own = socket.socket(); own.bind(('127.0.0.1', 5433)); print('bound')
";
    let ran = run_connected(script, way_out(echo));
    let expected = "127.0.0.1:5432 127.0.0.1:5432\nother port ECONNREFUSED\nother address ECONNREFUSED\nbind EADDRNOTAVAIL\nbound\n";
    assert_eq!(ran.output, expected, "{}", ran.error);
    assert_eq!(denials(&ran), [("net.listen", "127.0.0.1:5432".to_owned(), libc::EADDRNOTAVAIL, 1)]);
}

#[test]
fn without_loopback_there_is_only_the_way_out() {
    let script = format!(
        "{PRELUDE}
print(reach('198.18.0.5', 80))
attempt('self', lambda: reach('127.0.0.1', 80))
attempt('self6', lambda: reach('::1', 80))
attempt('bind', lambda: socket.socket().bind(('127.0.0.1', 8080)))
"
    );
    let ran =
        run_with(&script, |plan| plan.network = Network { loopback: false, egress: Some(way_out(echo)) });
    let bind = if landlock_abi() >= Some(4) { "EACCES" } else { "None" };
    assert_eq!(
        ran.output,
        format!("198.18.0.5:80\nself ENETUNREACH\nself6 ENETUNREACH\nbind {bind}\n"),
        "{}",
        ran.error
    );
}

#[test]
fn a_run_without_one_has_no_process_and_no_networks() {
    let script = format!(
        "{PRELUDE}attempt('out', lambda: reach('198.18.0.5', 80))\nattempt('bind', lambda: socket.socket().bind(('198.18.0.5', 8080)))"
    );
    let ran = run_with(&script, |_| ());
    assert_eq!(ran.output, "out ENETUNREACH\nbind EADDRNOTAVAIL\n", "{}", ran.error);
    assert!(!ran.enforced.egress && ran.lines.is_empty());
    let without = ran.processes;
    // What is left of the other run is not of this one.
    drop(ran);
    assert_eq!(run_connected("pass", way_out(echo)).processes, without + 1);
}

//! Scripts that reach the names of their policy and nothing else, as a user runs them, on a host of the test's own: its
//! network leads to servers of the test alone, at addresses that look public.

mod host;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::{PYTHON, Place, is_root, say, skip, waxcell};

const POLICY: &str =
    "network: {allowed_domains: ['*.example.org', {name: db.example.org, ports: [7]}], blocked_ports: [22]}";
const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";
const HELP: &str = "
import asyncio, json, os, socket, ssl, subprocess, urllib.request
def tried(call, *args):
    try: return call(*args)
    except ssl.SSLError as error: return 'SSLError'
    except OSError as error: return type(error).__name__ + ': ' + str(error)
def get(url):
    trust = ssl.create_default_context(cafile='ca.pem') if url.startswith('https') else None
    with urllib.request.urlopen(url, timeout=10, context=trust) as answer: return answer.read().decode()
def tell(**what): print(json.dumps(what))
";

/// What a run in a world came to, and what was seen outside.
struct World {
    report: Value,
    said: Value,
    seen: Vec<String>,
    asked: Vec<String>,
}

impl World {
    fn network(&self, decision: &str) -> Vec<&Value> {
        let entries = self.report["network"].as_array().expect("a list");
        entries.iter().filter(|entry| entry["decision"] == decision).collect()
    }

    /// Operation, target, layer and line of each violation.
    fn violations(&self) -> Vec<(String, String, String, u64)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = self.report["violations"].as_array().expect("a list");
        let part = |one: &Value| {
            (
                text(&one["operation"]),
                text(&one["target"]),
                text(&one["layer"]),
                one["line"].as_u64().unwrap_or(0),
            )
        };
        list.iter().map(part).collect()
    }
}

/// Runs a script in a world of its own; `None` where the host cannot have one, which is told.
fn world(name: &str, place: &Place, script: &str) -> Option<World> {
    place.write("script.py", format!("{HELP}{script}"));
    world_of(name, place, Path::new(PYTHON), None)
}

/// Runs `script.py` with a Python, in a world in which there are the servers of `peers` as well.
fn world_of(name: &str, place: &Place, python: &Path, peers: Option<&str>) -> Option<World> {
    let name = format!("egress::{name}");
    for tool in ["ip", "openssl", "unshare"] {
        let places = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
        if !places.iter().any(|folder| Path::new(folder).join(tool).exists()) {
            skip(&name, &format!("no `{tool}`"));
            return None;
        }
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let new = if is_root() {
        ["--net", "--mount"].as_slice()
    } else {
        &["--user", "--map-root-user", "--net", "--mount"]
    };
    let veth = place
        .command("unshare")
        .env("PATH", PATH)
        .args(new)
        .args(["ip", "link", "add", "name", "outer", "type", "veth", "peer", "name", "inner"])
        .output();
    if !veth.is_ok_and(|veth| veth.status.success()) {
        skip(&name, "this host makes no pair of interfaces");
        return None;
    }
    let mut command = place.command("unshare");
    let path = format!("{}:{PATH}", python.parent().expect("a folder").display());
    command.env("WAXCELL_STATE", place.state()).env("PATH", path).args(new).arg(python);
    let log = place.project().join("world.log");
    command.arg("-B").arg(host::tree("attacks/world/world.py")).arg(place.project()).arg(&log);
    if let Some(peers) = peers {
        command.arg("--peers").arg(host::tree(peers));
    }
    command.args([uid.to_string(), gid.to_string()]);
    command.arg(waxcell()).args(["run", "--json", "script.py"]);
    let said = say(&mut command);
    let report: Value = serde_json::from_slice(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert_eq!(report["verdict"], "ok", "{report:#}");
    let log = std::fs::read_to_string(log).expect("what was seen");
    let lines = |word: &str| {
        let told = log.lines().filter_map(|line| line.strip_prefix(word));
        told.map(|told| told.trim_start().to_owned()).collect::<Vec<String>>()
    };
    let said = report["stdout"].as_str().expect("text").lines().last().unwrap_or("null");
    // Without the kind of record that was asked for.
    let asked: BTreeSet<String> =
        lines("asked").iter().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
    Some(World {
        said: serde_json::from_str(said).expect("JSON"),
        seen: lines("reached"),
        asked: asked.into_iter().collect(),
        report,
    })
}

#[test]
fn scripts_that_know_nothing_of_it_reach_what_is_allowed() {
    let place = Place::new(POLICY);
    let script = "
async def stream():
    reader, writer = await asyncio.open_connection('db.example.org', 7)
    writer.write(b'one\\n'); line = await reader.readline(); writer.close()
    return line.decode()
def run(*line):
    done = subprocess.run(line, capture_output=True, text=True, timeout=20)
    return done.stdout[:60] or done.stderr[:200]
tell(http=tried(get, 'http://www.example.org/a'), https=tried(get, 'https://www.example.org/b'),
     other_port=tried(get, 'http://v4.example.org:8080/c'), six=tried(get, 'http://v6.example.org/d'),
     stream=asyncio.run(stream()),
     curl=run('curl', '-sS', '--noproxy', '*', '--cacert', 'ca.pem', 'https://www.example.org/e') if os.path.exists('/usr/bin/curl') else '/e 0',
     git=run('git', 'ls-remote', 'http://www.example.org/repo.git')[:10] if os.path.exists('/usr/bin/git') else '1234567890')
";
    let Some(world) = world("scripts_that_know_nothing_of_it_reach_what_is_allowed", &place, script) else {
        return;
    };
    let expected = serde_json::json!({
        "http": "/a 0", "https": "/b 0", "other_port": "/c 0", "six": "/d 0", "stream": "one\n", "curl": "/e 0", "git": "1234567890",
    });
    assert_eq!(world.said, expected, "{:#}", world.report);
    assert_eq!(world.violations(), [], "{:#}", world.report["violations"]);
    for seen in [
        "80 /a www.example.org",
        "443 /b www.example.org",
        "8080 /c v4.example.org:8080",
        "80 /d v6.example.org",
    ] {
        assert!(world.seen.iter().any(|line| line.ends_with(seen)), "{seen}: {:?}", world.seen);
    }
    let allowed = world.network("allowed");
    let first = allowed.iter().find(|entry| entry["port"] == 443).expect("a connection");
    assert_eq!(first["name"], "www.example.org");
    assert!(
        ["93.184.216.34", "2606:2800:220:1::34"].contains(&first["address"].as_str().expect("an address"))
    );
    assert!(first["bytes_up"].as_u64() > Some(0) && first["bytes_down"].as_u64() > Some(0), "{first:#}");
    assert_eq!((&first["end"], first["line"].as_u64()), (&"closed".into(), Some(9)), "{first:#}");
    assert!(
        first["rule"].as_str().expect("text").starts_with("network.allowed_domains: *.example.org ("),
        "{first:#}"
    );
    assert_eq!(world.report["enforced"]["egress"], true);
    assert_eq!(world.report["network_usage"]["accepted"].as_u64(), Some(allowed.len() as u64));
    let finished = place.records().into_iter().find(|record| record["type"] == "finished").expect("a record");
    assert_eq!(finished["network"].as_array().map(Vec::len), Some(allowed.len()), "{finished:#}");
}

/// Clients and servers that others wrote.
#[test]
fn clients_that_know_nothing_of_it_get_what_they_ask_for() {
    const NAME: &str = "clients_that_know_nothing_of_it_get_what_they_ask_for";
    let python = host::python();
    let place = Place::new(POLICY);
    if say(place.command(&python).args(["-c", "import aiohttp, httpx, hypercorn, psycopg, requests"])).code
        != 0
    {
        return skip(&format!("egress::{NAME}"), "no Python with what `xtask/requirements.txt` names");
    }
    let has_postgres = Path::new("/usr/lib/postgresql").exists();
    if !has_postgres {
        skip("egress PostgreSQL", "there is none");
    }
    let script = std::fs::read(host::tree("crates/waxcell-cli/tests/egress/clients.py"));
    place.write("script.py", script.expect("the script"));
    let Some(world) = world_of(NAME, &place, &python, Some("crates/waxcell-cli/tests/egress/peers.py"))
    else {
        return;
    };
    let expected = serde_json::json!({
        "requests_": ["1.1 /plain 5000", "1.1 /tls 100000", "1.1 /tls 100000", "1.1 /tls 100000", "1.1 /there 0"],
        "httpx_": ["1.1 /plain 0", "2 /tls 0", "2 /tls 0", "2 /tls 0"],
        "httpx_many": [["HTTP/2"], 20],
        "aiohttp_": ["1.1 /plain 0", "1.1 /tls 0", "1.1 /tls 0", "1.1 /tls 0", "hello"],
        "websockets_": [50_000, 50_000],
        "websockets_async": "hello",
        "psycopg_": [[true, 1_000_000], [true, 1_000_000], [true, 1_000_000]],
        "psycopg_async": [2],
        "git": [[0, 0, 0], ["first", "first", "first"]],
        "curl": ["1.1 /plain 0", "1.1 /tls 0", "2 /tls 0", "2 /tls 0", "2 /tls 0"],
    });
    assert_eq!(world.said, expected, "{:#}", world.report);
    // Nothing of what they do by habit is a violation.
    assert_eq!(world.violations(), [], "{:#}", world.report["violations"]);
    let (four, six) = ("93.184.216.35", "2606:2800:220:1::35");
    for seen in [
        format!("{four} https 1.1 /tls four.example.org"),
        format!("{six} https 2 /tls six.example.org"),
        format!("{six} wss 1.1 /ws six.example.org"),
    ] {
        assert!(world.seen.contains(&seen), "{seen}: {:?}", world.seen);
    }
    let allowed = world.network("allowed");
    let ports: &[u64] = if has_postgres { &[80, 443, 5432, 9418] } else { &[80, 443, 9418] };
    for port in ports {
        assert!(allowed.iter().any(|entry| entry["port"] == *port), "{port}: {:#}", world.report["network"]);
    }
    for (name, address) in [("four.example.org", four), ("six.example.org", six)] {
        let of_name = allowed.iter().filter(|entry| entry["name"] == name);
        assert!(of_name.clone().count() > 3 && of_name.clone().all(|entry| entry["address"] == address));
    }
    // Some of them close before they have read all.
    assert!(
        allowed.iter().all(|entry| entry["end"] == "closed" || entry["end"] == "run_ended"),
        "{:#}",
        world.report["network"]
    );
}

#[test]
fn whatever_else_is_tried_is_refused_and_told() {
    let place = Place::new(POLICY);
    let script = "
def hello(host, name):
    trust = ssl.create_default_context(cafile='ca.pem'); trust.check_hostname = False
    with socket.create_connection((host, 443), timeout=10) as plain: trust.wrap_socket(plain, server_hostname=name).close()
def quic(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.sendto(b'x', (socket.gethostbyname(host), 443))
def connected(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.connect((host, 444)); s.send(b'x'); s.recv(9)
tell(name=tried(get, 'http://evil.example.com/'),
     address=tried(get, 'http://93.184.216.34/'),
     private=tried(get, 'http://private.example.org/'),
     rebinding=tried(get, 'http://rebind.example.org/'),
     metadata=tried(get, 'http://meta.example.org/latest/meta-data/'),
     port=tried(get, 'http://www.example.org:22/'),
     other_name=tried(hello, 'www.example.org', 'evil.example.com'),
     datagram=tried(quic, 'www.example.org'), connected=tried(connected, 'www.example.org'))
";
    let Some(world) = world("whatever_else_is_tried_is_refused_and_told", &place, script) else { return };
    let violations = world.violations();
    for (operation, target, layer) in [
        ("net.dns", "evil.example.com", "egress"),
        ("net.connect", "93.184.216.34:80", "network"),
        ("net.dns", "private.example.org", "egress"),
        ("net.dns", "rebind.example.org", "egress"),
        ("net.dns", "meta.example.org", "egress"),
        ("net.connect", "www.example.org:22", "network"),
        ("net.connect", "www.example.org:443", "egress"),
        ("net.udp", "www.example.org:443", "network"),
        ("net.udp", "www.example.org:444", "network"),
    ] {
        let found = violations
            .iter()
            .filter(|one| (one.0.as_str(), one.1.as_str(), one.2.as_str()) == (operation, target, layer));
        assert_eq!(found.count(), 1, "{operation} {target}: {violations:#?}");
    }
    let refused = world.said["connected"].as_str();
    assert!(refused.is_some_and(|said| said.starts_with("ConnectionRefused")), "{:#}", world.said);
    assert_eq!(violations.len(), 9, "{violations:#?}");
    assert!(violations.iter().all(|one| one.3 > 0), "{violations:#?}");
    assert_eq!(world.seen, [""; 0], "{:#}", world.said);
    assert!(!world.asked.iter().any(|name| name.contains("evil")), "{:?}", world.asked);
    let edits = |target: &str| {
        let list = world.report["violations"].as_array().expect("a list").iter();
        list.filter(|one| one["target"] == target).map(|one| one["allow"].clone()).next().unwrap_or_default()
    };
    assert_eq!(edits("evil.example.com"), "add `evil.example.com` to network.allowed_domains");
    assert_eq!(edits("93.184.216.34:80"), "add `93.184.216.34` to network.allow_addresses");
    assert_eq!(edits("www.example.org:22"), "leave `22` out of network.blocked_ports");
}

#[test]
fn an_address_that_is_listed_is_reached_and_no_other() {
    let place = Place::new(
        "monitoring: {security_events: {log_network_activity: true}}\nnetwork: {allow_addresses: [{address: 10.0.0.5, ports: [7]}, {address: 127.0.0.1, ports: [8080]}]}",
    );
    let script = "
def echo(host, port):
    with socket.create_connection((host, port), timeout=5) as s: s.sendall(b'x'); return s.recv(1).decode()
tell(listed=tried(echo, '10.0.0.5', 7), port=tried(echo, '10.0.0.5', 80), other=tried(echo, '10.0.0.6', 7), own=tried(get, 'http://localhost:8080/own'))
";
    let Some(world) = world("an_address_that_is_listed_is_reached_and_no_other", &place, script) else {
        return;
    };
    assert_eq!(
        (&world.said["listed"], &world.said["own"]),
        (&"x".into(), &"/own 0".into()),
        "{:#}",
        world.report
    );
    let told: Vec<_> = world.violations().into_iter().map(|one| (one.1, one.2)).collect();
    assert_eq!(told, [("10.0.0.5:80".into(), "egress".into()), ("10.0.0.6:7".into(), "network".into())]);
    assert_eq!(
        world.seen,
        ["10.0.0.5 7 connected", "127.0.0.1 8080 connected", "127.0.0.1 8080 /own localhost:8080"]
    );
    let view = place.view("security_events.log");
    let connections = view.iter().filter(|line| line["event_type"] == "CONNECTION");
    let messages: Vec<_> = connections.map(|line| line["message"].as_str().unwrap_or_default()).collect();
    assert_eq!(messages, ["connection to 10.0.0.5 on port 7", "connection to 127.0.0.1 on port 8080"]);
}

/// The script waits for a file that is made when its connections were seen in the views.
#[test]
fn what_goes_on_is_in_the_views_while_it_does() {
    let place =
        Place::new(&format!("monitoring: {{security_events: {{log_network_activity: true}}}}\n{POLICY}"));
    let script = "
import time
def connect():
    s = socket.create_connection(('db.example.org', 7), timeout=10); s.sendall(b'hello'); s.recv(5)
    return s
connect().close()
held = connect()
until = time.monotonic() + 30
while not os.path.exists('seen') and time.monotonic() < until: time.sleep(.05)
tell(seen=os.path.exists('seen'), asked=connect().close())
";
    let open = |line: &Value| line["network_usage"]["open"] == 1 && line["network_usage"]["up"] == 10;
    let is_seen = || {
        let ended = |line: &Value| line["event_type"] == "CONNECTION" && line["details"]["end"] == "closed";
        place.view("resource_usage.log").iter().any(open)
            && place.view("security_events.log").iter().any(ended)
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    let world = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) && !is_seen() {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            place.write("seen", "");
        });
        let world = world("what_goes_on_is_in_the_views_while_it_does", &place, script);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        world
    });
    let Some(world) = world else { return };
    assert_eq!(world.said["seen"], true, "{:#}", world.report);
    let lines = place.view("resource_usage.log");
    let last = lines.last().expect("a line");
    assert_eq!(
        (&last["network_usage"]["accepted"], &last["return_code"]),
        (&3.into(), &0.into()),
        "{last:#}"
    );
    let views = place.view("security_events.log");
    assert_eq!(views.iter().filter(|line| line["event_type"] == "CONNECTION").count(), 3, "{views:#?}");
}

/// Everything that a process can write to in its memory, and what it was started with.
fn memory(pid: u32) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let mut all = [read("environ"), read("cmdline")].concat();
    let Ok(file) = std::fs::File::open(format!("/proc/{pid}/mem")) else { return all };
    for line in String::from_utf8_lossy(&read("maps")).lines().filter(|line| line.contains(" rw")) {
        let ends = line.split(' ').next().and_then(|range| range.split_once('-'));
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or(0);
        let Some((from, to)) = ends.map(|(from, to)| (number(from), number(to))) else { continue };
        let mut bytes = vec![0; (to - from) as usize];
        // Some of it is there for the kernel alone.
        if file.read_exact_at(&mut bytes, from).is_ok() {
            all.append(&mut bytes);
        }
    }
    all
}

#[test]
fn the_way_out_has_nothing_of_the_supervisors_memory() {
    const NAME: &str = "egress::the_way_out_has_nothing_of_the_supervisors_memory";
    if !is_root() {
        return skip(NAME, "only root may read the memory of such a process");
    }
    let place = Place::new("network: {allow_addresses: [10.0.0.5]}");
    let wait = "import os, time\nuntil = time.monotonic() + 60\nwhile not os.path.exists('seen') and time.monotonic() < until: time.sleep(.05)\n";
    place.write("script.py", format!("# written by nobody\n{wait}"));
    let mut command = place.command(waxcell());
    command.env("WAXCELL_STATE", place.state()).env("TOKEN", "known to nobody");
    let mut child = command.args(["run", "script.py"]).spawn().expect("a run");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let is_confined = |pid: &u32| {
        let file = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        file("cmdline").starts_with("waxcell-egress\0") && file("status").contains("Seccomp:\t2")
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let found = loop {
        let list = std::fs::read_to_string(&children).unwrap_or_default();
        let found = list.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_confined);
        if found.is_some() || std::time::Instant::now() > until {
            break found;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let [supervisor, way_out] = [Some(child.id()), found].map(|pid| pid.map(memory).unwrap_or_default());
    place.write("seen", "");
    assert!(child.wait().expect("its end").success());
    let has = |memory: &[u8], what: &str| String::from_utf8_lossy(memory).contains(what);
    for secret in ["known to nobody", "written by nobody"] {
        assert!(has(&supervisor, secret), "the control: {secret}");
        assert!(!way_out.is_empty() && !has(&way_out, secret), "{secret}");
    }
    assert!(has(&way_out, "10.0.0.5"), "what it needs it has");
}

#[test]
fn bounds_of_the_policy_hold() {
    let place = Place::new(
        "network: {allowed_domains: ['*.example.org', {name: db.example.org, ports: [7]}], max_bytes: 100000, \
         max_connections: 2, max_lookups: 3}",
    );
    let script = "
def echo(s, text):
    s.sendall(text); return s.recv(100).decode()
def connect(): return socket.create_connection(('db.example.org', 7), timeout=10)
def many():
    held = [connect() for _ in range(2)]
    said = [echo(s, b'x') for s in held]
    said.append(tried(lambda: echo(connect(), b'x')))
    for s in held: s.close()
    return said
def much():
    with connect() as s:
        for _ in range(20): s.sendall(bytes(50000)); s.recv(50000)
connections = many()
names = [tried(socket.getaddrinfo, f's{n}.example.org', 80) for n in range(5)]
import time; time.sleep(0.3)
tell(names=names, connections=connections, bytes=tried(much), after=tried(lambda: echo(connect(), b'x')))
";
    let Some(world) = world("bounds_of_the_policy_hold", &place, script) else { return };
    let bounds = ["network.max_connections", "network.max_bytes", "network.max_lookups"];
    let rules: Vec<&str> = world.report["violations"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["rule"].as_str())
        .collect();
    for bound in bounds {
        assert!(rules.iter().any(|rule| rule.starts_with(bound)), "{bound}: {:#}", world.report);
    }
    let said = |key: &str| world.said[key].to_string();
    assert!(said("connections").starts_with(r#"["x","x","Conn"#), "{}", said("connections"));
    assert!(said("bytes").contains("Error") && said("after").contains("Error"), "{:#}", world.said);
    let entries = world.network("allowed");
    let bytes = |key: &str| entries.iter().filter_map(|one| one[key].as_u64()).sum::<u64>();
    assert_eq!(bytes("bytes_up") + bytes("bytes_down"), 100_000, "{:#}", world.report);
    assert_eq!(world.asked, ["db.example.org", "s0.example.org", "s1.example.org"]);
}

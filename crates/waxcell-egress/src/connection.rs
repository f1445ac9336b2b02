//! The story of one connection of a script.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use rustix::net::{Shutdown, sockopt};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::dial::dial;
use crate::lookup::Known;
use crate::name::Name;
use crate::pipe::{Pipe, Stop};
use crate::report::{Attempt, Connection, End, Rule};
use crate::rules::Denied;
use crate::run::{Run, Way};
use crate::witness::{Disagreement, Witness};

/// Bytes that are read at a time while somebody looks at them.
const LOOK: usize = 16 * 1024;

/// How long a client that was told why has to read it.
const FAREWELL: Duration = Duration::from_millis(300);

/// How often a client is asked whether it is still there, once it has said all.
const ASKED_EVERY: Duration = Duration::from_secs(5);

/// What is known of a connection before anything was sent.
struct Target {
    name: Option<Name>,
    port: u16,
    rule: String,
    servers: Vec<SocketAddr>,
}

/// Why a connection goes no further.
enum Halt {
    /// The server broke it off.
    Broken(io::Error),
    /// The same, when the client had said all: servers that are told goodbye leave without reading what is behind it.
    BrokenAfterAll,
    UsedUp,
    Disagreement(Disagreement),
    Silent,
    /// The client left: before it said where it goes, or before the server had said all.
    Left,
    Unreachable(String),
}

impl Halt {
    /// Why nothing more goes to the server. One that had said all before is not to blame.
    fn up(stop: Stop, passed: &Passed) -> Halt {
        match stop {
            Stop::Source(_) => Halt::Left,
            Stop::Sink(_) if passed.answer_ended.get() => Halt::Left,
            Stop::Sink(error) => Halt::Broken(error),
            Stop::UsedUp => Halt::UsedUp,
        }
    }

    /// Why nothing more goes to the client.
    fn down(stop: Stop, passed: &Passed) -> Halt {
        match stop {
            Stop::Source(_) if passed.client_ended.get() => Halt::BrokenAfterAll,
            Stop::Source(error) => Halt::Broken(error),
            Stop::Sink(_) => Halt::Left,
            Stop::UsedUp => Halt::UsedUp,
        }
    }
}

/// What has passed, and the beginning of what the server said.
#[derive(Default)]
struct Passed {
    up: Cell<u64>,
    down: Cell<u64>,
    address: Cell<Option<IpAddr>>,
    /// Whether the client has said all.
    client_ended: Cell<bool>,
    answer: RefCell<Vec<u8>>,
    answer_ended: Cell<bool>,
    answered: Notify,
}

/// `HTTP/1.1 101 `
const STATUS: usize = 13;

/// From the moment that the kernel accepted it to its record.
pub(crate) async fn connection(run: Rc<Run>, mut client: TcpStream, from: SocketAddr) {
    let start_ms = run.now();
    let Ok(inside) = client.local_addr().map(canonical) else { return };
    let place = run.place_of(inside);
    let refuse = |target: String, rule, why| run.refuse(Attempt::Connect, target, rule, why, place.clone());
    let target = match decide(&run, inside) {
        Ok(target) => target,
        Err(refused) => {
            if let Some((target, rule, why)) = refused {
                refuse(target, rule, why);
            }
            return reset(&client);
        }
    };
    let passed = Passed::default();
    let result = tokio::select! {
        result = pass(&run, &target, &client, &passed) => Some(result),
        () = run.is_over() => None,
    };
    let is_quiet = matches!(result, Some(Ok(()) | Err(Halt::Left)));
    let end = match result {
        None => End::RunEnded,
        Some(Ok(()) | Err(Halt::Left | Halt::BrokenAfterAll)) => End::Closed,
        Some(Err(Halt::Unreachable(why))) => End::Unreachable(why),
        Some(Err(Halt::Broken(error))) => End::Broken(error.to_string()),
        Some(Err(Halt::UsedUp)) => {
            let why = "the bytes of the run are used up".to_owned();
            refuse(target.to_string(), Rule::MaxBytes, why);
            End::BytesUsedUp
        }
        Some(Err(Halt::Silent)) => {
            let why = "it did not say in time where it goes".to_owned();
            refuse(target.to_string(), Rule::Witness, why.clone());
            End::Refused(why)
        }
        Some(Err(Halt::Disagreement(why))) => {
            refuse(target.to_string(), Rule::Witness, why.to_string());
            // Behind a request that was sent on it would be taken for the answer to that.
            if passed.up.get() == 0 && passed.down.get() == 0 {
                say_farewell(&mut client, &why.farewell()).await;
            }
            End::Refused(why.to_string())
        }
    };
    if !is_quiet {
        reset(&client);
    }
    let connection = Connection {
        name: target.name.as_ref().map(Name::to_string),
        address: passed.address.get(),
        port: target.port,
        rule: target.rule,
        inside,
        from: canonical(from),
        place,
        up: passed.up.get(),
        down: passed.down.get(),
        start_ms,
        duration_ms: run.now() - start_ms,
        end,
    };
    run.tell(connection).await;
}

/// IPv4 as IPv4, whatever kind of socket it came through.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

type Refused = (String, Rule, String);

/// What the destination inside says about where it goes; `None` is nothing to speak of.
fn decide(run: &Run, inside: SocketAddr) -> Result<Target, Option<Refused>> {
    let (ip, port) = (inside.ip(), inside.port());
    // The run's own loopback, on a port on which only we listen: nobody is there, unless that port is the host's.
    if ip.is_loopback() && run.rules.for_address(ip, port).is_err() {
        return Err(None);
    }
    let entry = run.name_at(ip);
    let (name, addresses, decision) = match &entry {
        Some(entry) => {
            let addresses = match entry.known.get() {
                Some(Known::Addresses(addresses)) => addresses.clone(),
                _ => Vec::new(),
            };
            (Some(entry.name.clone()), addresses, run.rules.for_name(&entry.name, port))
        }
        None => (None, vec![ip], run.rules.for_address(ip, port)),
    };
    let described = describe(name.as_ref(), inside);
    let rule = decision.map_err(|denied| {
        let (rule, why) = match denied {
            Denied::Name => (Rule::AllowedDomains, "the name is not allowed"),
            Denied::Address => (Rule::AllowAddresses, "the address is not allowed"),
            Denied::Port => (Rule::Ports, "the port is not allowed for it"),
            Denied::Blocked => (Rule::BlockedPorts, "the port is blocked"),
        };
        Some((described.clone(), rule, why.to_owned()))
    })?;
    let mut why = None;
    let mut servers = Vec::new();
    for address in addresses {
        match run.rules.may_lead_to(&run.host, address, port) {
            Ok(()) => servers.push(SocketAddr::new(address, port)),
            Err(what) => why = Some(format!("the name leads to {address} ({what})")),
        }
    }
    if servers.is_empty() {
        let why = why.unwrap_or_else(|| "the address stands for nothing".to_owned());
        return Err(Some((described, Rule::AllowAddresses, why)));
    }
    Ok(Target { name, port, rule, servers })
}

/// What the script connected to, by name where the address stands for one.
pub(crate) fn destination(run: &Run, inside: SocketAddr) -> String {
    describe(run.name_at(inside.ip()).as_ref().map(|entry| &entry.name), inside)
}

fn describe(name: Option<&Name>, inside: SocketAddr) -> String {
    match name {
        Some(name) => format!("{name}:{}", inside.port()),
        None => inside.to_string(),
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.name, self.servers.first()) {
            (Some(name), _) => write!(f, "{name}:{}", self.port),
            (None, Some(server)) => write!(f, "{server}"),
            (None, None) => write!(f, "port {}", self.port),
        }
    }
}

/// From the first byte to the last.
async fn pass(run: &Run, target: &Target, client: &TcpStream, passed: &Passed) -> Result<(), Halt> {
    let mut witness = target.name.clone().map(|name| Witness::new(name, target.port));
    // Where the client has to say for whom it is, nobody is called before it did.
    let mut first = Vec::new();
    if let Some(witness) = witness.as_mut().filter(|witness| witness.comes_first()) {
        let said = async {
            while first.is_empty() {
                let bytes = read(run, client).await.map_err(|_| Halt::Left)?;
                if bytes.is_empty() {
                    return Err(Halt::Left);
                }
                witness.push(&bytes, &mut first).map_err(Halt::Disagreement)?;
            }
            Ok(())
        };
        timeout(run.rules.limits.head_timeout, said).await.unwrap_or(Err(Halt::Silent))?;
    }
    let server = dial(&target.servers, run.rules.limits.connect_timeout).await.map_err(Halt::Unreachable)?;
    passed.address.set(server.peer_addr().ok().map(|address| address.ip()));
    // What either side sends in one piece is not held back for more.
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let up = Pipe { run, from: client, to: &server, way: Way::Up, passed: &passed.up };
    let down = Pipe { run, from: &server, to: client, way: Way::Down, passed: &passed.down };
    let result = tokio::try_join!(
        async {
            up.send(&first).await.map_err(|stop| Halt::up(stop, passed))?;
            drop(first);
            if let Some(witness) = witness {
                look(witness, &up, passed).await?;
            }
            up.forward(|_| {}).await.map_err(|stop| Halt::up(stop, passed))?;
            passed.client_ended.set(true);
            tokio::select! {
                () = passed.end_of_answer() => Ok(()),
                () = leaves(client) => Err(Halt::Left),
            }
        },
        async {
            let result = down.forward(|bytes| passed.see(bytes)).await;
            passed.answer_ended.set(true);
            passed.answered.notify_one();
            result.map_err(|stop| Halt::down(stop, passed))
        }
    );
    if result.is_err() {
        reset(&server);
    }
    result.map(|_| ())
}

/// Looks at what the client says for as long as it says where it goes; an end of it is left to whoever forwards the rest.
async fn look(mut witness: Witness, up: &Pipe<'_>, passed: &Passed) -> Result<(), Halt> {
    while !witness.is_settled() {
        if witness.asks_server() {
            passed.wait_for_answer().await;
            witness.answered(&passed.answer.borrow());
            continue;
        }
        let bytes = match witness.is_waiting() {
            true => timeout(up.run.rules.limits.head_timeout, read(up.run, up.from))
                .await
                .map_err(|_| Halt::Silent)?,
            false => read(up.run, up.from).await,
        };
        let bytes = bytes.map_err(|_| Halt::Left)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut through = Vec::new();
        let verdict = witness.push(&bytes, &mut through);
        // What was said before the mistake was allowed.
        up.send(&through).await.map_err(|stop| Halt::up(stop, passed))?;
        verdict.map_err(Halt::Disagreement)?;
    }
    Ok(())
}

impl Passed {
    /// Keeps the beginning of what the server says.
    fn see(&self, bytes: &[u8]) {
        let mut answer = self.answer.borrow_mut();
        let missing = STATUS.saturating_sub(answer.len());
        if missing > 0 {
            answer.extend(bytes.iter().take(missing));
            self.answered.notify_one();
        }
    }

    async fn wait_for_answer(&self) {
        while self.answer.borrow().len() < STATUS && !self.answer_ended.get() {
            self.answered.notified().await;
        }
    }

    async fn end_of_answer(&self) {
        while !self.answer_ended.get() {
            self.answered.notified().await;
        }
    }
}

/// Ends when a client that has said all is not there any more to hear the rest. Of one that closed, the kernel inside knows
/// nothing after a while (`tcp_fin_timeout`), and says so when it is asked.
async fn leaves(client: &TcpStream) {
    // Where it cannot be asked, it is known when the server says something.
    let _ = sockopt::set_tcp_keepidle(client, ASKED_EVERY);
    let _ = sockopt::set_tcp_keepintvl(client, ASKED_EVERY);
    let _ = sockopt::set_socket_keepalive(client, true);
    let _ = client.ready(Interest::ERROR).await;
}

/// Some bytes; none: the client has said all it will.
async fn read(run: &Run, client: &TcpStream) -> io::Result<Vec<u8>> {
    loop {
        client.readable().await?;
        let mut buffer = run.buffer.borrow_mut();
        let room = buffer.get_mut(..LOOK).unwrap_or_default();
        match client.try_read(room) {
            Ok(count) => return Ok(room.get(..count).unwrap_or_default().to_vec()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Tells the client why, and waits a little until it has read it: what is reset takes unread bytes away with it.
async fn say_farewell(client: &mut TcpStream, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let said = async {
        client.write_all(bytes).await?;
        rustix::net::shutdown(&*client, Shutdown::Write)?;
        let mut rest = [0; 512];
        loop {
            client.readable().await?;
            match client.try_read(&mut rest) {
                Ok(0) => return Ok::<(), io::Error>(()),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    };
    // Late or broken: it was told, or does not want to know.
    let _ = timeout(FAREWELL, said).await;
}

/// What is closed from now on tells the other side that it was broken off.
pub(crate) fn reset(stream: &TcpStream) {
    // On a socket that is gone already, nobody is left to be told.
    let _ = stream.set_zero_linger();
}

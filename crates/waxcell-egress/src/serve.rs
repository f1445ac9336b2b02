//! The process from its first socket to its last report.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, sleep, timeout};

use crate::connection::{canonical, connection, destination, reset};
use crate::host::Host;
use crate::line::{LISTENERS_MAX, hear, line};
use crate::report::{Attempt, Counters, Report, Rule};
use crate::resolver;
use crate::rules::{Limits, Rules};
use crate::run::Run;

/// Sockets of the run's network, made there and handed over.
#[derive(Debug)]
pub struct Sockets {
    /// Where the run's `resolv.conf` points, port 53: datagrams.
    pub resolver_datagrams: Vec<UdpSocket>,
    /// The same, listening.
    pub resolver_streams: Vec<TcpListener>,
    /// A socket of sequenced packets (`SOCK_SEQPACKET`), at whose other end the run's init says one of two things in each:
    ///
    /// - `l`, with one descriptor: a listening socket of the run's network, at the unspecified address of one family and at
    ///   one port, which is accepted from until the end;
    /// - `c`, an address (16 bytes; IPv4 as in `::ffff:0:0/96`), a port (two bytes, the high one first), a place (UTF-8, at
    ///   most 512 bytes): somebody in the run is about to send to that address, from there in the script.
    ///
    /// Nothing is answered. Its end means that nobody is left who could connect.
    pub line: OwnedFd,
}

/// Why there is no way out of the run, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The bound on open files is below what the connections of the rules need.
    #[error("{needed} open files are needed, and the bound is {bound}")]
    OpenFiles {
        /// For all connections and what stands beside them.
        needed: u64,
        /// What the process may have.
        bound: u64,
    },
    /// The event loop or a socket could not be set up.
    #[error("cannot begin")]
    Begin(#[source] io::Error),
    /// The supervisor does not take reports any more.
    #[error("cannot report")]
    Report(#[source] io::Error),
}

/// Besides connections and listeners: look-ups, the resolver's own.
const FILES_BESIDE: u64 = 256;

impl Limits {
    /// How many files the process of [`serve`] has to be able to have open.
    pub fn open_files(&self) -> u64 {
        2 * self.max_connections as u64 + LISTENERS_MAX as u64 + FILES_BESIDE
    }
}

/// How often counters are told.
const TICK: Duration = Duration::from_secs(1);

/// How long connections have to end when the run has.
const LAST: Duration = Duration::from_secs(2);

/// Connects the run to the network until the other end of `reports` is closed for writing, then tells the rest and returns.
///
/// `reports` takes one [`Report`] a line; what is sent the other way is not read. To be called in a process of its own with one
/// thread, whose network is that of the host; it opens no files and starts no threads.
pub fn serve(rules: Rules, host: Host, sockets: Sockets, reports: UnixStream) -> Result<(), ServeError> {
    let needed = rules.limits.open_files();
    allow_open_files(needed)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Begin)?;
    LocalSet::new().block_on(&runtime, until_over(rules, host, sockets, reports))
}

fn allow_open_files(needed: u64) -> Result<(), ServeError> {
    let limit = getrlimit(Resource::Nofile);
    let (soft, hard) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    if soft >= needed {
        return Ok(());
    }
    if hard < needed {
        return Err(ServeError::OpenFiles { needed, bound: hard });
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| ServeError::Begin(error.into()))
}

async fn until_over(
    rules: Rules,
    host: Host,
    sockets: Sockets,
    reports: UnixStream,
) -> Result<(), ServeError> {
    let (say_over, over) = watch::channel(false);
    let said = packets(sockets.line).map_err(ServeError::Begin)?;
    let (run, waiting) = Run::new(rules, host, over, said);
    for socket in sockets.resolver_streams {
        let socket = nonblocking(socket).map_err(ServeError::Begin)?;
        door(&run, resolver::streams(run.clone(), socket));
    }
    for socket in sockets.resolver_datagrams {
        let opened = socket.set_nonblocking(true).and_then(|()| tokio::net::UdpSocket::from_std(socket));
        let socket = opened.map_err(ServeError::Begin)?;
        door(&run, resolver::datagrams(run.clone(), Rc::new(socket)));
    }
    door(&run, line(run.clone()));
    reports.set_nonblocking(true).map_err(ServeError::Begin)?;
    let (mut supervisor, reports) =
        tokio::net::UnixStream::from_std(reports).map_err(ServeError::Begin)?.into_split();
    let (say_last, last) = oneshot::channel();
    let mut telling = spawn_local(tell(run.clone(), waiting, reports, last));
    let mut ignored = [0; 64];
    let over = async { while matches!(supervisor.read(&mut ignored).await, Ok(1..)) {} };
    tokio::select! {
        () = over => {}
        told = &mut telling => return finish(told),
    }
    // If nobody hears it, no connection is left.
    let _ = say_over.send(true);
    let gone = async {
        while run.counters.borrow().open > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    // What does not end by then is a connection whose report nobody takes.
    let _ = timeout(LAST, gone).await;
    let _ = say_last.send(());
    finish(telling.await)
}

fn finish(told: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), ServeError> {
    told.map_err(|error| ServeError::Begin(io::Error::other(error)))?.map_err(ServeError::Report)
}

/// A task that lasts as long as the run.
fn door(run: &Rc<Run>, door: impl Future<Output = ()> + 'static) {
    let run = run.clone();
    spawn_local(async move {
        tokio::select! {
            () = door => {}
            () = run.is_over() => {}
        }
    });
}

/// Its kind is another, but it is waited for and read in the same way.
fn packets(line: OwnedFd) -> io::Result<UnixDatagram> {
    let line = std::os::unix::net::UnixDatagram::from(line);
    line.set_nonblocking(true)?;
    UnixDatagram::from_std(line)
}

fn nonblocking(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Accepts from a socket of the run as long as it lasts.
pub(crate) fn listen(run: &Rc<Run>, listener: TcpListener) -> io::Result<()> {
    door(run, accept(run.clone(), nonblocking(listener)?));
    Ok(())
}

async fn accept(run: Rc<Run>, listener: tokio::net::TcpListener) {
    loop {
        let Ok((client, from)) = listener.accept().await else {
            // No files or no memory for now; the kernel keeps who waits.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        run.counters.borrow_mut().accepted += 1;
        // What was said of it is there already.
        hear(&run);
        if run.counters.borrow().open >= run.rules.limits.max_connections as u64 {
            refuse_one_more(&run, &client);
            continue;
        }
        run.counters.borrow_mut().open += 1;
        let run = run.clone();
        spawn_local(async move {
            connection(run.clone(), client, from).await;
            run.counters.borrow_mut().open -= 1;
        });
    }
}

fn refuse_one_more(run: &Run, client: &TcpStream) {
    let inside = client.local_addr().ok().map(canonical);
    let target = inside.map_or_else(|| "a connection".to_owned(), |inside| destination(run, inside));
    let why = "too many connections at a time".to_owned();
    let place = inside.and_then(|inside| run.place_of(inside));
    run.refuse(Attempt::Connect, target, Rule::MaxConnections, why, place);
    reset(client);
}

/// Writes reports until the last one.
async fn tell(
    run: Rc<Run>,
    mut waiting: mpsc::Receiver<Report>,
    mut to: OwnedWriteHalf,
    mut last: oneshot::Receiver<()>,
) -> io::Result<()> {
    let mut tick = interval(TICK);
    let mut told = Counters::default();
    loop {
        tokio::select! {
            Some(report) = waiting.recv() => write(&mut to, &report).await?,
            _ = tick.tick() => {
                for report in run.untold() {
                    write(&mut to, &report).await?;
                }
                let now = *run.counters.borrow();
                if now != told {
                    told = now;
                    write(&mut to, &Report::Counters(now)).await?;
                }
            }
            _ = &mut last => break,
        }
    }
    while let Ok(report) = waiting.try_recv() {
        write(&mut to, &report).await?;
    }
    for report in run.untold() {
        write(&mut to, &report).await?;
    }
    let done = *run.counters.borrow();
    write(&mut to, &Report::Done(done)).await?;
    to.shutdown().await
}

async fn write(to: &mut OwnedWriteHalf, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    to.write_all(&line).await
}

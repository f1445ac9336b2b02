//! The process from its first socket to its last report.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, sleep, timeout};

use crate::connection::connection;
use crate::host::Host;
use crate::report::{Attempt, Counters, Report, Rule};
use crate::resolver;
use crate::rules::Rules;
use crate::run::Run;

/// Sockets of the run's network, made there and handed over.
#[derive(Debug, Default)]
pub struct Sockets {
    /// One for each of [`Rules::ports`] and each family, listening on the unspecified address.
    pub listeners: Vec<TcpListener>,
    /// Where the run's `resolv.conf` points, port 53: datagrams.
    pub resolver_datagrams: Vec<UdpSocket>,
    /// The same, listening.
    pub resolver_streams: Vec<TcpListener>,
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

/// Besides connections: listeners, look-ups, the resolver's own.
const FILES_BESIDE: u64 = 256;

/// How often counters are told.
const TICK: Duration = Duration::from_secs(1);

/// How long connections have to end when the run has.
const LAST: Duration = Duration::from_secs(2);

/// Connects the run to the network until the other end of `reports` is closed for writing, then tells the rest and returns.
///
/// `reports` takes one [`Report`] a line; what is sent the other way is not read. To be called in a process of its own with one
/// thread, whose network is that of the host; it opens no files and starts no threads.
pub fn serve(rules: Rules, host: Host, sockets: Sockets, reports: UnixStream) -> Result<(), ServeError> {
    let needed = 2 * rules.limits.max_connections as u64 + sockets.listeners.len() as u64 + FILES_BESIDE;
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
    let (run, waiting) = Run::new(rules, host, over);
    let doors = open(&run, sockets).map_err(ServeError::Begin)?;
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
    doors.iter().for_each(tokio::task::JoinHandle::abort);
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

/// One task for each socket of the run.
fn open(run: &Rc<Run>, sockets: Sockets) -> io::Result<Vec<tokio::task::JoinHandle<()>>> {
    let mut doors = Vec::new();
    let listen = |listener: TcpListener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    };
    for listener in sockets.listeners {
        doors.push(spawn_local(accept(run.clone(), listen(listener)?)));
    }
    for listener in sockets.resolver_streams {
        doors.push(spawn_local(resolver::streams(run.clone(), listen(listener)?)));
    }
    for socket in sockets.resolver_datagrams {
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        doors.push(spawn_local(resolver::datagrams(run.clone(), Rc::new(socket))));
    }
    Ok(doors)
}

async fn accept(run: Rc<Run>, listener: tokio::net::TcpListener) {
    loop {
        let Ok((client, from)) = listener.accept().await else {
            // No files or no memory for now; the kernel keeps who waits.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        run.counters.borrow_mut().accepted += 1;
        if run.counters.borrow().open >= run.rules.limits.max_connections as u64 {
            let target = client
                .local_addr()
                .map_or_else(|_| "a connection".to_owned(), |address| format!("port {}", address.port()));
            run.refuse(
                Attempt::Connect,
                target,
                Rule::MaxConnections,
                "too many connections at a time".to_owned(),
            );
            let _ = client.set_zero_linger();
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

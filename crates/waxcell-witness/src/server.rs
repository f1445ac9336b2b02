//! A witness on a socket: some threads, each with one connection.
//!
//! Nobody can keep others away for long: a request has a time in which it must have come, however slowly its bytes drip,
//! and where all places are taken, the connection that has been there longest without finishing a request loses its own.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use waxcell_journal::Witness;
use waxcell_journal::tlog::MAX_SUBMISSION;

use crate::http::{Connection, Unread};
use crate::reply::{Reply, of_seal, of_submission};

/// What a witness bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// So many connections at a time.
    pub connections: usize,
    /// From the beginning of a request to the end of its answer.
    pub request: Duration,
    /// From one request to the next of a connection.
    pub idle: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { connections: 128, request: Duration::from_secs(10), idle: Duration::from_secs(30) }
    }
}

/// So many requests a connection has.
const MOST_REQUESTS: usize = 1000;

/// Enough for one request with its body; nothing here recurses.
const STACK: usize = 256 << 10;

type Told = dyn Fn(&str) + Send + Sync;

struct Shared {
    witness: Witness,
    bounds: Bounds,
    /// The time, in seconds since 1970.
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    tell: Box<Told>,
    open: Mutex<Vec<Open>>,
    next: AtomicU64,
}

/// A connection that has a place.
struct Open {
    id: u64,
    stream: TcpStream,
    /// Since when it has finished nothing.
    waits: Instant,
}

/// Answers on a socket for as long as that can be listened on. `clock` gives seconds since 1970; `tell` is given a line for
/// every cosignature, for whatever speaks against a log, and for failures.
///
/// # Errors
///
/// When the socket fails.
pub fn serve(
    listener: &TcpListener,
    witness: Witness,
    bounds: Bounds,
    clock: impl Fn() -> u64 + Send + Sync + 'static,
    tell: impl Fn(&str) + Send + Sync + 'static,
) -> io::Result<()> {
    let shared = Arc::new(Shared {
        witness,
        bounds,
        clock: Box::new(clock),
        tell: Box::new(tell),
        open: Mutex::default(),
        next: AtomicU64::new(0),
    });
    loop {
        match listener.accept() {
            Ok((stream, _)) => shared.begin(stream),
            Err(error) if passes(&error) => {}
            // Descriptors or memory are short: those who have some finish first.
            Err(error) if is_shortage(&error) => {
                (shared.tell)(&format!("cannot take a connection: {error}"));
                thread::sleep(Duration::from_millis(100));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether it was the connection that failed, and not the socket.
pub(crate) fn passes(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable, TimedOut,
    };
    let kinds =
        [ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable, TimedOut];
    kinds.contains(&error.kind())
}

pub(crate) fn is_shortage(error: &io::Error) -> bool {
    // EMFILE, ENFILE, ENOMEM, ENOBUFS.
    matches!(error.raw_os_error(), Some(24 | 23 | 12 | 105))
}

impl Shared {
    /// Gives a connection a place and a thread.
    fn begin(self: &Arc<Self>, stream: TcpStream) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let Ok(again) = stream.try_clone() else { return };
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.len() >= self.bounds.connections {
                let longest = open.iter().enumerate().min_by_key(|(_, one)| one.waits).map(|(at, _)| at);
                if let Some(at) = longest {
                    // Its thread finds the connection gone.
                    let _ = open.swap_remove(at).stream.shutdown(Shutdown::Both);
                }
            }
            open.push(Open { id, stream: again, waits: Instant::now() });
        }
        let shared = Arc::clone(self);
        let spawned = thread::Builder::new().stack_size(STACK).spawn(move || {
            shared.attend(stream, id);
            shared.end(id);
        });
        if spawned.is_err() {
            self.end(id);
        }
    }

    fn end(&self, id: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| one.id != id);
    }

    fn served(&self, id: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = open.iter_mut().find(|one| one.id == id) {
            one.waits = Instant::now();
        }
    }

    /// The requests of one connection, one after another.
    fn attend(&self, stream: TcpStream, id: u64) {
        let _ = stream.set_nodelay(true);
        let mut connection = Connection::new(stream, Instant::now() + self.bounds.request);
        for _ in 0..MOST_REQUESTS {
            let reply = match self.answer(&mut connection) {
                Err(Unread::Gone) => return,
                Err(Unread::Bad(status, what)) => Reply::new(status, format!("{what}\n")).last(),
                Ok(reply) => reply,
            };
            if connection.write(&reply.to_bytes()).is_err() || reply.is_last {
                return;
            }
            self.served(id);
            // The next request begins with its first byte.
            connection.until = Instant::now() + self.bounds.idle;
            if !connection.has_begun() && !connection.read_more().is_ok_and(|read| read > 0) {
                return;
            }
            connection.until = Instant::now() + self.bounds.request;
        }
    }

    fn answer(&self, connection: &mut Connection) -> Result<Reply, Unread> {
        let head = connection.request()?;
        let length = match head.method.as_str() {
            "POST" => head.length.ok_or(Unread::Bad(411, "the length of the body is missing"))?,
            _ => head.length.unwrap_or(0),
        };
        if length > MAX_SUBMISSION {
            return Err(Unread::Bad(413, "the body is too long"));
        }
        if head.expects && length > 0 {
            connection.write(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| Unread::Gone)?;
        }
        let body =
            connection.body(length).map_err(|_| Unread::Bad(408, "the body of the request took too long"))?;
        let reply = match (head.method.as_str(), head.path.as_str()) {
            ("POST", "/add-checkpoint") => {
                let answer = self.witness.add_checkpoint(&body, (self.clock)());
                let (reply, said) = of_submission(&answer);
                if let Some(said) = said {
                    (self.tell)(&said);
                }
                reply
            }
            // Of our own: how a log that has changed its key goes on.
            ("POST", "/add-seal") => {
                let (reply, said) = of_seal(&self.witness.follow(&body));
                if let Some(said) = said {
                    (self.tell)(&said);
                }
                reply
            }
            (_, "/add-seal") => Reply::new(405, "a seal is sent by POST\n"),
            (_, "/add-checkpoint") => Reply::new(405, "a checkpoint is sent by POST\n"),
            (method, path) => {
                let hash = path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint"));
                match hash.filter(|_| ["GET", "HEAD"].contains(&method)) {
                    Some(hash) => self.checkpoint(hash).without_body(method == "HEAD"),
                    None => Reply::new(404, "there is nothing here\n"),
                }
            }
        };
        Ok(if head.keep_alive { reply } else { reply.last() })
    }

    /// The last checkpoint that was cosigned for a log.
    fn checkpoint(&self, origin_hash: &str) -> Reply {
        match self.witness.checkpoint(origin_hash) {
            Ok(Some(note)) => Reply::new(200, note.to_string()),
            Ok(None) => Reply::new(404, "no checkpoint of such a log was cosigned here\n"),
            Err(error) => {
                (self.tell)(&format!("failed: {error}"));
                Reply::new(500, "the witness cannot read what it remembers\n")
            }
        }
    }
}

//! A signer on a Unix socket: some threads, each with one order. The kernel says who asks.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use waxcell_journal::{MAX_REQUEST, Signer};

use crate::server::{is_shortage, passes};

/// From the beginning of a connection to the end of the answer.
const LONGEST: Duration = Duration::from_secs(5);
/// So many connections at a time: one process signs, and some look.
const CONNECTIONS: usize = 32;
/// Enough for one order; nothing here recurses.
const STACK: usize = 256 << 10;

/// Carries out the orders of these users, given by their numbers, for as long as the socket can be listened on. `tell` is
/// given a line for each signature, each change of keys, and whatever is refused or fails.
///
/// # Errors
///
/// When the socket fails.
pub fn serve_signer(
    listener: &UnixListener,
    signer: Signer,
    users: &[u32],
    tell: impl Fn(&str) + Send + Sync + 'static,
) -> io::Result<()> {
    let (signer, tell) = (Arc::new(signer), Arc::new(tell));
    let places: Arc<Mutex<Vec<(u64, UnixStream)>>> = Arc::default();
    for id in 0.. {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if passes(&error) => continue,
            Err(error) if is_shortage(&error) => {
                tell(&format!("cannot take a connection: {error}"));
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            Err(error) => return Err(error),
        };
        // Who it is that connected, and not who has the socket by now.
        let Ok(peer) = rustix::net::sockopt::socket_peercred(&stream) else { continue };
        if !users.contains(&peer.uid.as_raw()) {
            tell(&format!("refused user {}, who may not ask", peer.uid.as_raw()));
            continue;
        }
        let Ok(again) = stream.try_clone() else { continue };
        {
            let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
            if places.len() >= CONNECTIONS {
                // Whoever has been there longest goes; its thread finds the connection gone.
                let _ = places.remove(0).1.shutdown(Shutdown::Both);
            }
            places.push((id, again));
        }
        let (signer, tell, of) = (Arc::clone(&signer), Arc::clone(&tell), Arc::clone(&places));
        let leave = move || of.lock().unwrap_or_else(PoisonError::into_inner).retain(|(one, _)| *one != id);
        let attend = move || {
            // What comes too slowly or leaves early gets no answer.
            let _ = one_order(stream, &signer, &*tell);
            leave();
        };
        if thread::Builder::new().stack_size(STACK).spawn(attend).is_err() {
            places.lock().unwrap_or_else(PoisonError::into_inner).retain(|(one, _)| *one != id);
        }
    }
    Ok(())
}

fn one_order(mut stream: UnixStream, signer: &Signer, tell: &dyn Fn(&str)) -> io::Result<()> {
    let until = Instant::now() + LONGEST;
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let (mut order, mut piece) = (Vec::new(), [0; 4096]);
    // An order ends where its sender stops sending.
    while order.len() <= MAX_REQUEST {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => order.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let done = signer.answer(&order);
    if let Some(told) = &done.told {
        tell(told);
    }
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(done.answer.as_bytes())
}

//! Sends on what comes from one socket to another. Nothing of it is kept: bytes stay in the kernel until the other side
//! takes them, so that a thousand connections need one buffer.

use std::cell::Cell;
use std::io::{self, ErrorKind};

use rustix::net::{RecvFlags, SendFlags, Shutdown};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::run::{BUFFER, NotNow, Run, Way};

/// Why a way ended before its source did.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Who sends broke it off.
    Source(io::Error),
    /// Who is sent to did.
    Sink(io::Error),
    UsedUp,
}

/// One way of a connection.
pub(crate) struct Pipe<'a> {
    pub(crate) run: &'a Run,
    pub(crate) from: &'a TcpStream,
    pub(crate) to: &'a TcpStream,
    pub(crate) way: Way,
    /// Bytes that were taken by the other side.
    pub(crate) passed: &'a Cell<u64>,
}

/// After so many rounds others have their turn, even if all of them are ready.
const ROUNDS: u32 = 2;

impl Pipe<'_> {
    /// Sends on until the source ends, then says so to the other side. `seen` is given what passed.
    pub(crate) async fn forward(&self, mut seen: impl FnMut(&[u8])) -> Result<(), Stop> {
        let mut round = 0;
        loop {
            self.from.readable().await.map_err(Stop::Source)?;
            let taken = self.take(BUFFER).await?;
            // From here to `settle` nobody else is let in.
            let moved = self.step(taken, &mut seen);
            let passed = match moved {
                Ok(Moved::Bytes(count)) => count,
                _ => 0,
            };
            self.settle(taken, passed);
            match moved? {
                Moved::Bytes(_) => {}
                Moved::NothingThere => continue,
                Moved::NoRoom => self.to.writable().await.map_err(Stop::Sink)?,
                Moved::End => {
                    // The other side may be gone, which is no concern of this one.
                    let _ = rustix::net::shutdown(self.to, Shutdown::Write);
                    return Ok(());
                }
            }
            round += 1;
            if round % ROUNDS == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Sends bytes that were read before.
    pub(crate) async fn send(&self, mut bytes: &[u8]) -> Result<(), Stop> {
        while !bytes.is_empty() {
            self.to.writable().await.map_err(Stop::Sink)?;
            let taken = self.take(bytes.len()).await?;
            let sent =
                self.to.try_io(Interest::WRITABLE, || send(self.to, bytes.get(..taken).unwrap_or(bytes)));
            self.settle(taken, *sent.as_ref().unwrap_or(&0));
            match sent {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Stop::Sink(error)),
            }
        }
        Ok(())
    }

    /// Looks at what there is, sends it, and then takes away as much as was sent.
    fn step(&self, taken: usize, seen: &mut impl FnMut(&[u8])) -> Result<Moved, Stop> {
        let mut buffer = self.run.buffer.borrow_mut();
        let room = buffer.get_mut(..taken).unwrap_or_default();
        let peek = || Ok(rustix::net::recv(self.from, &mut *room, RecvFlags::PEEK)?.1);
        let there = match self.from.try_io(Interest::READABLE, peek) {
            Ok(0) => return Ok(Moved::End),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Moved::NothingThere),
            Err(error) => return Err(Stop::Source(error)),
        };
        let bytes = buffer.get_mut(..there).unwrap_or_default();
        let sent = match self.to.try_io(Interest::WRITABLE, || send(self.to, bytes)) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Moved::NoRoom),
            Err(error) => return Err(Stop::Sink(error)),
        };
        let sent_bytes = bytes.get_mut(..sent).unwrap_or_default();
        seen(sent_bytes);
        // They are there, and nobody else reads: the kernel throws them away without a copy.
        let mut left = sent;
        while left > 0 {
            let room = sent_bytes.get_mut(..left).unwrap_or_default();
            let taken = rustix::net::recv(self.from, room, RecvFlags::TRUNC);
            left -= taken.map_err(|errno| Stop::Source(errno.into()))?.1.clamp(1, left);
        }
        Ok(Moved::Bytes(sent))
    }

    async fn take(&self, wanted: usize) -> Result<usize, Stop> {
        loop {
            match self.run.take(self.way, wanted) {
                Ok(taken) => return Ok(taken),
                Err(NotNow::Wait(wait)) => sleep(wait).await,
                Err(NotNow::UsedUp) => return Err(Stop::UsedUp),
            }
        }
    }

    fn settle(&self, taken: usize, passed: usize) {
        self.run.settle(self.way, taken, passed);
        self.passed.set(self.passed.get() + passed as u64);
    }
}

enum Moved {
    Bytes(usize),
    NothingThere,
    NoRoom,
    End,
}

fn send(to: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(to, bytes, SendFlags::NOSIGNAL)?)
}

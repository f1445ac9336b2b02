//! A journal's way to its signer: one connection for each order, with a bound on its time.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::{MAX_REPLY, Order, Reply, Standing};

/// So long an order may take: more than a wait for a slow disk, and less than anybody minds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signer did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// Nobody answers.
    #[error("the signer at `{}` does not answer", socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it answers is no answer.
    #[error("what listens at `{}` is no signer", .0.display())]
    Strange(PathBuf),
    /// It holds the key of something else.
    #[error("the signer at `{}` has the key {key}, which is not the one of this log", socket.display())]
    OtherKey {
        /// The socket.
        socket: PathBuf,
        /// Its key.
        key: String,
    },
    /// It has signed for this log before.
    #[error("the signer at `{}` has signed for this log before: give it a new directory", .0.display())]
    Used(PathBuf),
    /// It refuses.
    #[error("the signer at `{}` refuses: {why}", socket.display())]
    Refused {
        /// The socket.
        socket: PathBuf,
        /// What it says.
        why: String,
    },
    /// It has signed another tree.
    #[error("the signer at `{}` has signed something else: {why}", socket.display())]
    Against {
        /// The socket.
        socket: PathBuf,
        /// What it says.
        why: String,
    },
    /// It failed.
    #[error("the signer at `{}` failed: {why}", socket.display())]
    Failed {
        /// The socket.
        socket: PathBuf,
        /// What it says.
        why: String,
    },
}

/// A signer, as the journal knows it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    pub(crate) fn at(socket: &Path) -> Client {
        Client { socket: socket.to_owned() }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Gives an order, and gets how the signer stands after it.
    pub(crate) fn ask(&self, order: &Order) -> Result<Standing, SignerError> {
        let socket = || self.socket.clone();
        let answer = exchange(&self.socket, order.to_string().as_bytes())
            .map_err(|source| SignerError::Silent { socket: socket(), source })?;
        match Reply::parse(&answer).ok_or_else(|| SignerError::Strange(socket()))? {
            Reply::Done(standing) => Ok(*standing),
            Reply::Refused(why) => Err(SignerError::Refused { socket: socket(), why }),
            Reply::Against(why) => Err(SignerError::Against { socket: socket(), why }),
            Reply::Failed(why) => Err(SignerError::Failed { socket: socket(), why }),
        }
    }
}

fn exchange(socket: &Path, order: &[u8]) -> io::Result<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let mut stream = connected(socket, until)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(order)?;
    stream.shutdown(Shutdown::Write)?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
        if answer.len() > MAX_REPLY {
            return Err(io::Error::other("its answer is too long"));
        }
    }
}

/// Connects without waiting for a place in the queue longer than that.
fn connected(socket: &Path, until: Instant) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(socket)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    loop {
        match connect(&fd, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

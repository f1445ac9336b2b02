//! The process beside a run that is its way out of its network.

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// What the process has of the run.
#[derive(Debug)]
pub struct Handed {
    /// Sockets on the addresses of the resolver, port 53.
    pub resolver_datagrams: Vec<OwnedFd>,
    /// The same, listening.
    pub resolver_streams: Vec<OwnedFd>,
    /// What the init says while the run goes on, over `SOCK_SEQPACKET`; nobody hears an answer. `l` with a descriptor: a
    /// listening socket of the run's network, on the unspecified address of its family. `c`, 16 bytes of an address (of
    /// version 4: mapped), 2 of a port, both as on the network, and a place in the script: somebody is about to
    /// connect there, or to send there. At its end nobody of the run is left.
    pub line: OwnedFd,
    /// Lines for the supervisor. Its end says that the run is over.
    pub reports: UnixStream,
}

/// What a process beside a run does until the run is over; whether it did it well.
///
/// It is called in a process of its own with one thread, which may open no files and begin no other processes.
#[derive(Clone)]
pub struct Serve(Arc<dyn Fn(Handed) -> bool + Send + Sync>);

impl Serve {
    /// What is to be done.
    pub fn new(serve: impl Fn(Handed) -> bool + Send + Sync + 'static) -> Serve {
        Serve(Arc::new(serve))
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serve")
    }
}

/// The same if it is one and the same: what it does cannot be compared.
impl PartialEq for Serve {
    fn eq(&self, other: &Serve) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

//! How a descriptor comes from one process of ours to another: through a socket (`unix(7)`, `SCM_RIGHTS`). Taking it
//! (`pidfd_getfd(2)`) needs a right over the other process that Yama and filters of containers refuse. Nothing here allocates.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Both ends, the receiving one first.
pub(crate) fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::STREAM;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

/// Sends a descriptor.
pub(crate) fn give(socket: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> Result<(), Errno> {
    give_as(socket, b'l', fd)
}

/// Sends a descriptor, and a byte that says what it is.
pub(crate) fn give_as(socket: BorrowedFd<'_>, what: u8, fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::NOBUFS);
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&[what])], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// Receives a descriptor; an error if the other side has gone without giving one.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    receive_as(socket)?.1.ok_or(Errno::PIPE)
}

/// Receives the byte that says what it is, and a descriptor if there is one.
pub(crate) fn receive_as(socket: BorrowedFd<'_>) -> Result<(u8, Option<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0u8; 1];
    let into = &mut [IoSliceMut::new(&mut byte)];
    let received = rustix::net::recvmsg(socket, into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let given = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    if received.bytes == 0 { Err(Errno::PIPE) } else { Ok((byte[0], given)) }
}

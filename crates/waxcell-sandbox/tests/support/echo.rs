//! A way out that leads nowhere: it answers with where it was reached, and tells of that and of what the init says.

use std::io::{IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, accept_with, getsockname,
    recvfrom, recvmsg, send, sendto,
};
use waxcell_sandbox::Handed;

/// At this port it never closes.
pub(crate) const HELD: u16 = 4000;

/// Until the run is over.
pub(crate) fn echo(handed: Handed) -> bool {
    let Handed { resolver_datagrams, mut resolver_streams, line, mut reports } = handed;
    let mut listeners: Vec<OwnedFd> = Vec::new();
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut line = Some(line);
    listeners.append(&mut resolver_streams);
    loop {
        let mut fds = vec![PollFd::new(&reports, PollFlags::IN)];
        fds.extend(
            resolver_datagrams.iter().chain(&listeners).chain(&line).map(|fd| PollFd::new(fd, PollFlags::IN)),
        );
        poll(&mut fds, None).unwrap();
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let (of_reports, ready) = ready.split_first().unwrap();
        let (of_datagrams, ready) = ready.split_at(resolver_datagrams.len());
        let of_listeners = &ready[..listeners.len()];
        for (socket, _) in resolver_datagrams.iter().zip(of_datagrams).filter(|(_, is)| **is) {
            let mut bytes = [0; 512];
            let (length, _, from) = recvfrom(socket, &mut bytes, RecvFlags::empty()).unwrap();
            sendto(socket, &bytes[..length], SendFlags::empty(), &from.unwrap()).unwrap();
            writeln!(reports, "asked {}", String::from_utf8_lossy(&bytes[..length])).unwrap();
        }
        for (listener, _) in listeners.iter().zip(of_listeners).filter(|(_, is)| **is) {
            let Ok(client) = accept_with(listener, SocketFlags::CLOEXEC) else { continue };
            let at = SocketAddr::try_from(getsockname(&client).unwrap()).unwrap();
            send(&client, at.to_string().as_bytes(), SendFlags::NOSIGNAL).unwrap();
            writeln!(reports, "reached {at}").unwrap();
            held.extend(Some(client).filter(|_| at.port() == HELD));
        }
        if let Some(from) = line.as_ref().filter(|_| ready[listeners.len()..].contains(&true)) {
            match hear(from) {
                Some((b'l', _, Some(listener))) => listeners.push(listener),
                Some((b'c', bytes, None)) => {
                    let ip = Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[1..17]).unwrap()).to_canonical();
                    let port = u16::from_be_bytes([bytes[17], bytes[18]]);
                    writeln!(reports, "told {ip} {port} {}", String::from_utf8_lossy(&bytes[19..])).unwrap();
                }
                None => line = None,
                other => panic!("{other:?}"),
            }
        }
        if *of_reports {
            writeln!(reports, "done").unwrap();
            return true;
        }
    }
}

/// A message of the init, and what came with it.
fn hear(line: &OwnedFd) -> Option<(u8, Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; 1024];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let into = &mut [IoSliceMut::new(&mut bytes)];
    let length = recvmsg(line, into, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap().bytes;
    let given = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    bytes.truncate(length);
    Some((*bytes.first()?, bytes, given))
}

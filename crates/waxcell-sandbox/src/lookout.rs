//! The lookout: a process beside a run that serves the run's root, so that the kernel asks it for every name that the run
//! does not show, and for no other (FUSE, `fuse(4)`).
//!
//! Whoever reaches for such a name waits, while the lookout has the init look at the call; then it is told that nothing
//! is there, as without a lookout. What the run does show is mounted on places of this root, or cached by the kernel for
//! ever: to open it costs nothing.
//!
//! The init cannot be the lookout, since it uses the run's files itself; nor can the supervisor, which must never wait for
//! a run. The lookout knows nothing but the names of the root. It is a fork of the supervisor and allocates nothing, may make
//! no system call but to read, write and wait, and goes when the init does.
//!
//! It must never be that the init waits for a folder of this root while the lookout waits for the init. So the init itself
//! is answered at once; it does not look in this root for what it knows not to be there ([`Skeleton::child`]); and whoever has
//! waited for too long goes on, whether he was looked at or not.

mod mount;
mod processor;
mod protocol;
mod skeleton;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::process::{self, Signal};
use rustix::thread::{self, CapabilitySet};

use crate::beside::Beside;
use crate::handover;
use crate::plan::Plan;
use crate::seccomp;
use crate::stage;
use crate::sys::{self, Fork, SignalSet};

use processor::Bound;
use protocol::{Answer, Attributes, Entry, LONGEST_REQUEST, Request, Want};

pub(crate) use mount::{Served, is_served, unserved};
pub(crate) use skeleton::{Kind, Skeleton, cover};

/// The number of no node: a name that is not there, which the kernel may remember (`<linux/fuse.h>`).
const NOTHING: u64 = 0;

/// How long somebody waits for the init at most.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why the init is asked to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Something of the root that is not there, or may not be opened.
    Root = 1,
    /// Somebody goes through a place behind which the kernel would tell nothing.
    Passing,
}

/// A thread that waits for the init to look at what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) unique: u64,
    pub(crate) tid: u32,
    pub(crate) why: Why,
}

/// The init's end.
#[derive(Debug)]
pub(crate) struct Line(OwnedFd);

const BEGIN: u64 = 1;
const LOOKED: u64 = 2;
const INIT: u64 = 3;
const TOGETHER: u64 = 4;

type Message = [u8; 16];

fn message(kind: u64, value: u64) -> Message {
    let mut message = [0; 16];
    message[..8].copy_from_slice(&kind.to_ne_bytes());
    message[8..].copy_from_slice(&value.to_ne_bytes());
    message
}

fn parts(message: Message) -> (u64, u64) {
    let part = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| message[at + byte]));
    (part(0), part(8))
}

/// Receives a message; `None` at the end of the conversation.
fn receive(socket: BorrowedFd<'_>, flags: RecvFlags) -> Result<Option<(u64, u64)>, Errno> {
    let mut bytes = [0; 16];
    match rustix::net::recv(socket, &mut bytes, flags) {
        Ok((_, 16)) => Ok(Some(parts(bytes))),
        Ok(_) | Err(Errno::CONNRESET) => Ok(None),
        Err(errno) => Err(errno),
    }
}

impl Line {
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }

    fn send(&self, kind: u64, value: u64) -> Result<(), Errno> {
        rustix::net::send(&self.0, &message(kind, value), SendFlags::NOSIGNAL).map(drop)
    }

    /// From here on the script runs, and the init has time to look.
    pub(crate) fn begin(&self) -> Result<(), Errno> {
        self.send(BEGIN, 0)
    }

    /// Who waits next; `None` if nobody does, an error if the lookout is gone.
    pub(crate) fn next(&self) -> Result<Option<Ask>, Errno> {
        match receive(self.0.as_fd(), RecvFlags::DONTWAIT) {
            Ok(Some((unique, what))) => {
                let why = if what >> 32 == Why::Root as u64 { Why::Root } else { Why::Passing };
                Ok(Some(Ask { unique, tid: what as u32, why }))
            }
            Ok(None) => Err(Errno::PIPE),
            Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Lets one who waits go on. That the lookout is gone is found out elsewhere.
    pub(crate) fn looked(&self, ask: Ask) {
        let _ = self.send(LOOKED, ask.unique);
    }
}

struct Waiting {
    unique: u64,
    tid: u32,
    why: Why,
    then: Then,
    since: Instant,
    is_told: bool,
}

/// What somebody is told in the end.
#[derive(Clone, Copy)]
enum Then {
    Failed(Errno),
    Node(u64),
}

/// What the lookout needs, made before its fork.
pub(crate) struct Lookout {
    socket: OwnedFd,
    skeleton: Skeleton,
    filter: Vec<libc::sock_filter>,
    uid: u32,
    gid: u32,
    time: u64,
    /// One for each thread of the run at most.
    waiting: Vec<Waiting>,
    /// The init's number in the run, once it has begun; nobody has 0.
    init: u32,
    has_begun: bool,
    /// To where the init is, until it has begun.
    bound: Option<Bound>,
}

/// Posts a lookout for a run that is still to be built; returns it and the init's end.
pub(crate) fn post(plan: &Plan, skeleton: &Skeleton) -> Result<(Beside, Line), Errno> {
    let kind = SocketType::SEQPACKET;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    // When the socket was made.
    let time = rustix::fs::fstat(&ours)?.st_mtime.max(0) as u64;
    let lookout = Lookout {
        socket: theirs,
        skeleton: skeleton.clone(),
        filter: seccomp::only(&[
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_sendto,
            libc::SYS_recvfrom,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_poll,
            libc::SYS_ppoll,
            libc::SYS_clock_gettime,
            libc::SYS_sched_getaffinity,
            libc::SYS_sched_setaffinity,
            libc::SYS_exit_group,
        ]),
        uid: plan.identity.uid,
        gid: plan.identity.gid,
        time,
        waiting: Vec::with_capacity(plan.limits.tasks() as usize),
        init: 0,
        has_begun: false,
        bound: None,
    };
    match sys::fork(0, None)? {
        Fork::Child => lookout.run(),
        Fork::Parent { pidfd, .. } => Ok((Beside::new(pidfd), Line(ours))),
    }
}

impl Lookout {
    fn run(mut self) -> ! {
        if let Ok(kernel) = self.begin() {
            let _ = self.serve(kernel.as_fd());
            // Nothing is dropped: the filter has no calls for that.
            sys::exit(0)
        }
        sys::exit(0)
    }

    /// Confines itself and takes the way to the kernel.
    fn begin(&mut self) -> Result<OwnedFd, Errno> {
        SignalSet::all().set();
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        sys::close_all_but(&[self.socket.as_raw_fd()])?;
        let kernel = handover::receive(self.socket.as_fd())?;
        stage::capabilities(CapabilitySet::empty())?;
        thread::set_no_new_privs(true)?;
        sys::install_filter(&self.filter, false)?;
        Ok(kernel)
    }

    fn serve(&mut self, kernel: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut request = [0u8; LONGEST_REQUEST];
        loop {
            let untold =
                if self.waiting.iter().all(|one| one.is_told) { PollFlags::empty() } else { PollFlags::OUT };
            let mut fds =
                [PollFd::new(&self.socket, PollFlags::IN | untold), PollFd::new(&kernel, PollFlags::IN)];
            match poll(&mut fds, self.next_look().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
            let [line, asked] = fds.each_ref().map(PollFd::revents);
            if line.intersects(PollFlags::IN | PollFlags::HUP) {
                self.hear(kernel)?;
            }
            if !asked.is_empty() {
                match rustix::io::read(kernel, &mut request[..]) {
                    Ok(length) => self.answer(kernel, &request[..length])?,
                    // Taken back meanwhile.
                    Err(Errno::AGAIN | Errno::INTR | Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            self.tell();
            self.let_go(kernel, |one| one.since.elapsed() >= PATIENCE)?;
        }
    }

    fn next_look(&self) -> Option<Timespec> {
        let left = self.waiting.iter().map(|one| PATIENCE.saturating_sub(one.since.elapsed())).min()?;
        Some(Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() })
    }

    /// Takes the messages of the init.
    fn hear(&mut self, kernel: BorrowedFd<'_>) -> Result<(), Errno> {
        loop {
            match receive(self.socket.as_fd(), RecvFlags::DONTWAIT) {
                Ok(Some((LOOKED, unique))) => self.let_go(kernel, |one| one.unique == unique)?,
                Ok(Some((BEGIN, _))) => {
                    self.has_begun = true;
                    self.bound = None;
                }
                Ok(Some((TOGETHER, processor))) => self.bound = Bound::to(processor as usize).ok(),
                Ok(Some((INIT, number))) => self.init = number as u32,
                Ok(Some(_)) => {}
                Ok(None) => return Err(Errno::PIPE),
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Has the init look at those of whom it does not know yet.
    fn tell(&mut self) {
        for one in self.waiting.iter_mut().filter(|one| !one.is_told) {
            let message = message(one.unique, (one.why as u64) << 32 | u64::from(one.tid));
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match rustix::net::send(&self.socket, &message, flags) {
                Ok(_) => one.is_told = true,
                Err(_) => return,
            }
        }
    }

    fn let_go(&mut self, kernel: BorrowedFd<'_>, who: impl Fn(&Waiting) -> bool) -> Result<(), Errno> {
        while let Some(position) = self.waiting.iter().position(&who) {
            let Waiting { unique, then, .. } = self.waiting.swap_remove(position);
            send(kernel, &mut self.outcome(unique, then))?;
        }
        Ok(())
    }

    fn outcome(&self, unique: u64, then: Then) -> Answer {
        match then {
            Then::Failed(errno) => Answer::failed(unique, errno),
            Then::Node(number) => {
                let is_watched = self.skeleton.node(number).is_some_and(|node| node.is_watched);
                let mut answer = Answer::new(unique);
                answer.entry(&self.attributes(number), is_watched);
                answer
            }
        }
    }

    /// Answers, at once or when the init has looked.
    fn answer(&mut self, kernel: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
        let Some(request) = Request::read(bytes) else { return Ok(()) };
        if matches!(request.want, Want::Forget | Want::Interrupt) {
            return Ok(());
        }
        let (then, why) = match self.judge(&request) {
            Ok(mut answer) => return send(kernel, &mut answer),
            Err(outcome) => outcome,
        };
        let is_asked = self.has_begun && ![0, self.init].contains(&request.tid);
        match why.filter(|_| is_asked && self.waiting.len() < self.waiting.capacity()) {
            Some(why) => {
                let Request { unique, tid, .. } = request;
                self.waiting.push(Waiting { unique, tid, why, then, since: Instant::now(), is_told: false });
                Ok(())
            }
            None => send(kernel, &mut self.outcome(request.unique, then)),
        }
    }

    /// The answer, or how it ends once the init has looked at who asks.
    fn judge(&self, request: &Request<'_>) -> Result<Answer, (Then, Option<Why>)> {
        const NAME_MAX: usize = 255;
        let mut answer = Answer::new(request.unique);
        if let Want::Start { minor, readahead } = request.want {
            // The only one about no node.
            answer.start(minor, readahead);
            return Ok(answer);
        }
        let Some(node) = self.skeleton.node(request.node) else {
            return Err((Then::Failed(Errno::STALE), None));
        };
        match request.want {
            Want::Lookup if request.name.len() > NAME_MAX => {
                return Err((Then::Failed(Errno::NAMETOOLONG), None));
            }
            // Whoever opens it, it is no attempt: the kernel need not ask again.
            Want::Lookup if self.skeleton.is_preload(request.node, request.name) => {
                answer.entry(&self.attributes(NOTHING), false)
            }
            Want::Lookup => {
                return Err(match self.skeleton.child(request.node, request.name) {
                    Some(number) => {
                        let is_watched = self.skeleton.node(number).is_some_and(|node| node.is_watched);
                        (Then::Node(number), is_watched.then_some(Why::Passing))
                    }
                    None if node.is_blank => (Then::Failed(Errno::ACCESS), Some(Why::Root)),
                    None => (Then::Failed(Errno::NOENT), Some(Why::Root)),
                });
            }
            Want::Open | Want::OpenFolder if node.is_blank => {
                return Err((Then::Failed(Errno::ACCESS), Some(Why::Root)));
            }
            Want::Access { mask: 1.. } if node.is_blank => return Err((Then::Failed(Errno::ACCESS), None)),
            Want::Attributes => answer.attributes(&self.attributes(request.node)),
            Want::ReadLink => match &node.kind {
                Kind::Link(to) => answer.bytes(to),
                _ => return Err((Then::Failed(Errno::INVAL), None)),
            },
            Want::Open | Want::OpenFolder => answer.opened(),
            Want::List { from, size, with_nodes } => {
                self.list(&mut answer, request.node, from, size, with_nodes)
            }
            Want::FileSystem => answer.file_system(),
            Want::Access { .. } | Want::Read | Want::Release => &mut answer,
            Want::Start { .. } | Want::Other | Want::Forget | Want::Interrupt => {
                return Err((Then::Failed(Errno::NOSYS), None));
            }
        };
        Ok(answer)
    }

    fn attributes(&self, number: u64) -> Attributes {
        let Lookout { uid, gid, time, .. } = *self;
        let (mode, size) = match self.skeleton.node(number).map(|node| (&node.kind, node.is_blank)) {
            Some((Kind::Folder, true)) => (libc::S_IFDIR, 0),
            Some((Kind::Folder, false)) => (libc::S_IFDIR | 0o755, 0),
            Some((Kind::Link(to), _)) => (libc::S_IFLNK | 0o777, to.len() as u64),
            Some((Kind::File, true)) | None => (libc::S_IFREG, 0),
            Some((Kind::File, false)) => (libc::S_IFREG | 0o444, 0),
        };
        Attributes { node: number, mode, size, uid, gid, time }
    }

    fn list<'a>(
        &self,
        answer: &'a mut Answer,
        folder: u64,
        from: u64,
        size: usize,
        with_nodes: bool,
    ) -> &'a mut Answer {
        const FOLDER: u32 = libc::DT_DIR as u32;
        let own = [(folder, b".".as_slice()), (self.skeleton.folder_of(folder), b"..")];
        let mut next = from;
        for (node, name) in own.into_iter().skip(from.min(2) as usize) {
            next += 1;
            // The kernel takes nothing about these two.
            let entry = Entry { node, next, kind: FOLDER, name, told: with_nodes.then_some(None) };
            if !answer.name(&entry, size) {
                return answer;
            }
        }
        for (number, name, node) in self.skeleton.list(folder, next.saturating_sub(2) as usize) {
            next += 1;
            let kind = match node.kind {
                Kind::Folder => FOLDER,
                Kind::File => libc::DT_REG.into(),
                Kind::Link(_) => libc::DT_LNK.into(),
            };
            // Whoever comes through what is watched has to ask.
            let told = with_nodes.then(|| (!node.is_watched).then(|| self.attributes(number)));
            if !answer.name(&Entry { node: number, next, kind, name, told }, size) {
                break;
            }
        }
        answer
    }
}

fn send(kernel: BorrowedFd<'_>, answer: &mut Answer) -> Result<(), Errno> {
    match rustix::io::write(kernel, answer.whole()) {
        // Nobody waits for it any more.
        Ok(_) | Err(Errno::NOENT | Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

//! The filter over system calls and its listener, and the calls that the sandbox itself is made of.

use std::os::fd::{AsFd, OwnedFd};

use libc::sock_filter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use rustix::thread;

use super::child::{self, Answers, Child, Outcome, Voice};
use super::feature::{Entry, Feature, FeatureGroup, Importance, errno};
use super::host::Settings;
use crate::handover;
use crate::stage;
use crate::sys::{self, Answer, Fork};

const fn entry(
    importance: Importance,
    name: &'static str,
    without: &'static str,
    how: &'static str,
) -> Entry {
    Entry { group: FeatureGroup::SystemCalls, importance, name, without, how }
}

const CLONE3: Entry = entry(
    Importance::Layer,
    "clone3",
    "no process can be started into its namespaces with a descriptor to it",
    "Linux 5.3; docker: --security-opt seccomp=unconfined (its default profile hides clone3)",
);
const PIDFD: Entry = entry(
    Importance::Required,
    "process descriptors",
    "a run could not be waited for and killed without mistaking another process for it",
    "Linux 5.4, and a container profile that passes pidfd_send_signal",
);
const CLOSE_RANGE: Entry = entry(
    Importance::Required,
    "close_range",
    "open files of waxcell could leak into a run",
    "Linux 5.11, and a container profile that passes close_range",
);
const FILTER: Entry = entry(
    Importance::Required,
    "seccomp filter",
    "a script could make every system call of the kernel",
    "a kernel with CONFIG_SECCOMP_FILTER",
);
const NOTIFY: Entry = entry(
    Importance::Layer,
    "call notification",
    "blocked operations are refused on scratch space as well; processes and threads are counted less exactly",
    "Linux 5.5, and a container profile that passes seccomp",
);
const HAND_OVER: Entry = entry(
    Importance::Layer,
    "listener hand-over",
    "the script's process cannot hand its listener over (through a socket), so notification is of no use",
    "a container profile that passes socketpair, sendmsg and recvmsg",
);
const READ_MEMORY: Entry = entry(
    Importance::Layer,
    "reading arguments",
    "paths in a script's calls cannot be read (process_vm_readv): delete, chmod and chown are not told apart",
    "a container profile that passes process_vm_readv; sysctl kernel.yama.ptrace_scope=1",
);
const KILLABLE: Entry = entry(
    Importance::Better,
    "calls done once",
    "a call that waxcell does for a script may be done twice if a signal comes in between",
    "Linux 5.19",
);

const NO_NEW_PRIVS: u8 = 0;
const CLOSES: u8 = 1;
const AVAILABLE: u8 = 2;
const KNOWN_FLAG: u8 = 3;
const FILTERS: u8 = 4;
const FORKS: u8 = 5;
const LISTENS: u8 = 6;
const TAKES: u8 = 7;
const RECEIVES: u8 = 8;
const READS: u8 = 9;
const ANSWERS: u8 = 10;
const ARRIVES: u8 = 11;

/// Errors that nothing else returns from these calls.
const OF_FILTER: Errno = Errno::XFULL;
const OF_ANSWER: Errno = Errno::NOCSI;
/// Where no call leads; read back out of the asking process.
const PATH: &std::ffi::CStr = c"/waxcell-probe/no-such-directory";

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// A filter with an answer of its own to one call.
const fn filter(nr: libc::c_long, action: u32) -> [sock_filter; 4] {
    const fn step(code: u16, k: u32, jf: u8) -> sock_filter {
        sock_filter { code, jt: 0, jf, k }
    }
    [
        step(LOAD, 0, 0),
        step(IF_EQUAL, nr as u32, 1),
        step(RETURN, action, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0),
    ]
}

/// What was found out about system calls.
pub(super) struct Trial {
    clone3: Result<(), Errno>,
    signals: Result<(), Errno>,
    answers: Result<Answers, Errno>,
}

impl Trial {
    pub(super) fn new() -> Trial {
        let clone3 = match sys::fork(0, None) {
            Ok(Fork::Child) => sys::exit(0),
            Ok(Fork::Parent { pidfd, .. }) => {
                child::end(&pidfd);
                Ok(())
            }
            Err(errno) => Err(errno),
        };
        // As the run's init, with a capability only where it has one: in a user namespace of its own.
        let flags = if stage::kept_by_init().is_empty() { 0 } else { libc::CLONE_NEWUSER as u64 };
        let answers = Child::start(flags, ask).or_else(|_| Child::start(0, ask)).map(Child::finish);
        Trial { clone3, signals: signals(), answers }
    }

    fn outcome(&self, question: u8) -> Outcome {
        match &self.answers {
            Ok(answers) => answers.get(question),
            Err(errno) => Outcome::Failed(*errno),
        }
    }

    pub(super) fn clone3(&self) -> bool {
        self.clone3.is_ok()
    }

    /// Whether a supervisor can be asked, can read what it is asked about, and is obeyed.
    pub(super) fn notifies(&self) -> bool {
        [LISTENS, TAKES, RECEIVES, READS, ANSWERS, ARRIVES]
            .iter()
            .all(|question| self.outcome(*question).held())
    }

    pub(super) fn features(&self, settings: &Settings) -> Vec<Feature> {
        vec![
            self.clone3_feature(settings),
            match self.signals {
                Ok(()) => PIDFD.present("a child was signalled and waited for through one"),
                Err(failure) => PIDFD.absent(errno(failure)),
            },
            self.judge(&CLOSE_RANGE, &[CLOSES], "open files are marked and closed in one call"),
            self.filter(),
            self.notification(settings),
            self.judge(&HAND_OVER, &[TAKES], "came from an unprivileged child through a socket"),
            self.judge(&READ_MEMORY, &[READS], "a path was read out of a waiting child (process_vm_readv)"),
            match self.outcome(KNOWN_FLAG) {
                Outcome::Held(1) => KILLABLE.present("only deadly signals interrupt a call that was taken"),
                Outcome::Held(_) => KILLABLE.absent("the kernel does not know WAIT_KILLABLE_RECV"),
                outcome => KILLABLE.absent(outcome.why()),
            },
        ]
    }

    fn judge(&self, entry: &Entry, questions: &[u8], found: &str) -> Feature {
        match questions.iter().map(|question| self.outcome(*question)).find(|outcome| !outcome.held()) {
            None => entry.present(found),
            Some(outcome) => entry.absent(outcome.why()),
        }
    }

    fn clone3_feature(&self, settings: &Settings) -> Feature {
        match self.clone3 {
            Ok(()) => CLONE3.present("started a child"),
            Err(Errno::NOSYS) if settings.filters != 0 => CLONE3.absent_because(
                "ENOSYS: hidden by the filter that is in force on waxcell (docker's default profile does that)",
                "--security-opt seccomp=unconfined, or a profile that passes clone3",
            ),
            Err(failure) => CLONE3.absent(errno(failure)),
        }
    }

    fn filter(&self) -> Feature {
        match self.answers.as_ref().map(|answers| answers.killed_by) {
            Ok(Some(signal)) if !self.outcome(FILTERS).held() => {
                FILTER.absent(format!("killed by signal {signal}"))
            }
            _ => self.judge(&FILTER, &[NO_NEW_PRIVS, FILTERS], "installed in a child, and it refused a call"),
        }
    }

    fn notification(&self, settings: &Settings) -> Feature {
        match self.outcome(LISTENS) {
            Outcome::Failed(Errno::BUSY) => NOTIFY.absent_because(
                "EBUSY: another supervisor listens already; the kernel allows one in a line of processes",
                "start waxcell outside of the supervised sandbox or container",
            ),
            Outcome::Failed(Errno::INVAL) if !self.outcome(AVAILABLE).held() => {
                NOTIFY.absent("EINVAL: the kernel does not know SECCOMP_RET_USER_NOTIF")
            }
            _ if self.notifies() => NOTIFY.present("a child's call was taken, read and answered"),
            Outcome::Held(_) if !self.outcome(TAKES).held() || !self.outcome(READS).held() => {
                NOTIFY.partly("a listener can be made, but what is below is missing")
            }
            Outcome::Held(_) => {
                let outcomes = [RECEIVES, ANSWERS, ARRIVES].map(|question| self.outcome(question));
                let failed = outcomes.into_iter().find(|outcome| !outcome.held()).unwrap_or(Outcome::Untried);
                NOTIFY.absent(format!("a listener can be made, but it does not work: {}", failed.why()))
            }
            outcome if settings.filters != 0 => {
                NOTIFY.absent(format!("{}, under the filter that is in force on waxcell", outcome.why()))
            }
            outcome => NOTIFY.absent(outcome.why()),
        }
    }
}

/// A signal through a descriptor reaches a child and no other process.
fn signals() -> Result<(), Errno> {
    let child = Child::start(0, |voice| {
        let _ = voice.wait();
    })?;
    let sent = child.signal(Signal::KILL);
    if sent.is_err() {
        child.kill();
    }
    // Its gate is closed only after it has ended, so nothing but the signal ends it.
    if child.finish().overdue { Err(Errno::TIMEDOUT) } else { sent }
}

/// In the child, which stands where the run's init stands: with its capabilities, above the script's process.
fn ask(voice: &Voice) {
    voice.say(CLOSES, sys::cloexec_from(3));
    if stage::capabilities(stage::kept_by_init()).is_err() {
        let _ = stage::capabilities(thread::CapabilitySet::empty());
    }
    if !voice.say(NO_NEW_PRIVS, thread::set_no_new_privs(true)) {
        return;
    }
    let available = sys::seccomp_action_available(libc::SECCOMP_RET_USER_NOTIF);
    voice.say(AVAILABLE, if available { Ok(()) } else { Err(Errno::OPNOTSUPP) });
    // Linux 5.19; only together with a listener.
    const WAIT_KILLABLE_RECV: u64 = 1 << 5;
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE_RECV;
    voice.number(KNOWN_FLAG, sys::seccomp_flags_known(flags).map(u32::from));
    supervise(voice);
    let refusing = filter(libc::SYS_getsid, libc::SECCOMP_RET_ERRNO | OF_FILTER.raw_os_error() as u32);
    voice.say(
        FILTERS,
        sys::install_filter(&refusing, false).and_then(|_| match rustix::process::getsid(None) {
            Err(OF_FILTER) => Ok(()),
            _ => Err(Errno::EXIST),
        }),
    );
}

/// Lets a grandchild ask, takes its listener as the run's init does, reads the argument and answers.
fn supervise(voice: &Voice) {
    let Ok((receive, give)) = handover::pair() else { return };
    let forked = match sys::fork(0, None) {
        Err(Errno::NOSYS) => sys::fork_by_clone(0),
        other => other,
    };
    let (pid, asking) = match forked {
        Ok(Fork::Child) => {
            child::prepare();
            asks(voice, &give);
            sys::exit(0)
        }
        Ok(Fork::Parent { pid, pidfd }) => (pid, pidfd),
        Err(errno) => {
            voice.say(FORKS, Err(errno));
            return;
        }
    };
    drop(give);
    answer(voice, &receive, &asking);
    if pidfd_send_signal(&asking, Signal::KILL).is_err() {
        // It was not waited for yet, so the number is still its own.
        let _ = sys::kill(pid, libc::SIGKILL);
    }
    child::end(&asking);
}

/// In the grandchild: installs the filter, hands its listener over, and makes the call.
fn asks(voice: &Voice, give: &OwnedFd) {
    let notifying = filter(libc::SYS_chdir, libc::SECCOMP_RET_USER_NOTIF);
    let listener = sys::install_filter(&notifying, true).and_then(|listener| listener.ok_or(Errno::BADF));
    voice.say(LISTENS, listener.as_ref().map(drop).map_err(|errno| *errno));
    let Ok(listener) = listener else { return };
    let _ = handover::give(give.as_fd(), listener.as_fd());
    voice.say(
        ARRIVES,
        match rustix::process::chdir(PATH) {
            Err(OF_ANSWER) => Ok(()),
            Err(errno) => Err(errno),
            Ok(()) => Err(Errno::EXIST),
        },
    );
}

fn answer(voice: &Voice, receive: &OwnedFd, asking: &OwnedFd) {
    let taken = handover::receive(receive.as_fd());
    voice.say(TAKES, taken.as_ref().map(drop).map_err(|errno| *errno));
    let Ok(listener) = taken else { return };
    let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
    let received = match poll(&mut [PollFd::new(&listener, PollFlags::IN)], Some(&patience)) {
        Ok(0) => Err(Errno::TIMEDOUT),
        Err(errno) => Err(errno),
        Ok(_) => sys::notification_receive(listener.as_fd()),
    };
    voice.say(RECEIVES, received.map(drop));
    let Ok(notification) = received else { return };
    let mut path = [0u8; PATH.count_bytes()];
    voice.say(
        READS,
        match sys::read_memory(notification.tid, notification.args[0], &mut path) {
            Ok(_) if path == *PATH.to_bytes() => Ok(()),
            Ok(_) => Err(Errno::FAULT),
            Err(errno) => Err(errno),
        },
    );
    voice.say(ANSWERS, sys::notification_answer(listener.as_fd(), notification.id, Answer::Fail(OF_ANSWER)));
    // It tells what it got before it ends.
    let _ = poll(&mut [PollFd::new(asking, PollFlags::IN)], Some(&patience));
}

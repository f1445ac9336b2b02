//! Namespaces: a child with all seven, ids mapped into it, and in it what [`super::files`] and [`super::limits`] try.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{self, DumpableBehavior, Gid, Uid};
use rustix::thread;

use super::child::{Answers, Child, Outcome, Voice};
use super::feature::{Entry, Feature, FeatureGroup, Importance, errno};
use super::files;
use super::host::Settings;
use super::limits;
use crate::doors;
use crate::sys;

/// The kinds beside the user namespace: name in `/proc/PID/ns`, clone flag, limit in `/proc/sys/user`, what is lost.
const KINDS: [(&str, u64, &str, Entry); 6] = [
    (
        "mnt",
        libc::CLONE_NEWNS as u64,
        "max_mnt_namespaces",
        kind(
            "mount namespace",
            "a script sees the whole file system; only permissions and Landlock are in its way",
        ),
    ),
    (
        "pid",
        libc::CLONE_NEWPID as u64,
        "max_pid_namespaces",
        kind(
            "pid namespace",
            "a script sees and signals the user's other processes, and one may outlive the run",
        ),
    ),
    (
        "net",
        libc::CLONE_NEWNET as u64,
        "max_net_namespaces",
        kind(
            "network namespace",
            "a script reaches the host's network, loopback services and abstract sockets",
        ),
    ),
    (
        "ipc",
        libc::CLONE_NEWIPC as u64,
        "max_ipc_namespaces",
        kind("ipc namespace", "a script reaches the host's shared memory, semaphores and message queues"),
    ),
    (
        "uts",
        libc::CLONE_NEWUTS as u64,
        "max_uts_namespaces",
        kind("uts namespace", "a script sees the host's name, and its output depends on the machine"),
    ),
    (
        "cgroup",
        libc::CLONE_NEWCGROUP as u64,
        "max_cgroup_namespaces",
        kind(
            "cgroup namespace",
            "a script sees the host's control groups: which service or container it runs in",
        ),
    ),
];

const fn kind(name: &'static str, without: &'static str) -> Entry {
    Entry {
        group: FeatureGroup::Namespaces,
        importance: Importance::Layer,
        name,
        without,
        how: "a kernel built with all namespaces, as those of distributions are",
    }
}

const USER: Entry = Entry {
    group: FeatureGroup::Namespaces,
    importance: Importance::Layer,
    name: "user namespaces",
    without: "no file system, processes or network of the run's own: Landlock and the filter stand alone",
    how: "a kernel built with CONFIG_USER_NS",
};

const IDS: Entry = Entry {
    group: FeatureGroup::Namespaces,
    importance: Importance::Layer,
    name: "id maps",
    without: "a script cannot be given a user id in its namespaces, so they cannot be used",
    how: "run waxcell as an ordinary user",
};

const HOSTNAME: Entry = Entry {
    group: FeatureGroup::Namespaces,
    importance: Importance::Layer,
    name: "host name",
    without: "the run cannot have a host name of its own; the step fails and the run with it",
    how: "let the container's filter pass sethostname: --security-opt seccomp=unconfined",
};

const LOOPBACK: Entry = Entry {
    group: FeatureGroup::Namespaces,
    importance: Importance::Layer,
    name: "own loopback",
    without: "a script that talks to itself on 127.0.0.1 cannot",
    how: "let the container's profile pass network administration inside the run's own namespace",
};

const WAY_OUT: Entry = Entry {
    group: FeatureGroup::Namespaces,
    importance: Importance::Better,
    name: "local routes",
    without: "a script reaches nothing: a policy that names anything under `network` is refused",
    how: "let the container's filter pass netlink and raw sockets: --security-opt seccomp=unconfined",
};

const ALL: u64 = {
    let mut flags = libc::CLONE_NEWUSER as u64;
    let mut at = 0;
    while at < KINDS.len() {
        flags |= KINDS[at].1;
        at += 1;
    }
    flags
};

/// Questions to the child; [`files`] and [`limits`] go on from [`FIRST_FREE`].
const IDENTITY: u8 = 0;
const SESSION: u8 = 1;
const SET_HOSTNAME: u8 = 2;
const LOOPBACK_UP: u8 = 3;
const ROUTES: u8 = 4;
pub(super) const FIRST_FREE: u8 = 5;

/// Which ids the script of this user has, inside and outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    root: bool,
    inside: (u32, u32),
    outside: (u32, u32),
}

impl Ids {
    fn of_this_user() -> Option<Ids> {
        let (uid, gid) = (process::geteuid(), process::getegid());
        if !uid.is_root() {
            let own = (uid.as_raw(), gid.as_raw());
            return Some(Ids { root: false, inside: own, outside: own });
        }
        let spare = |map: &str| spare_id(&fs::read_to_string(map).unwrap_or_default());
        let outside = (spare("/proc/self/uid_map")?, spare("/proc/self/gid_map")?);
        Some(Ids { root: true, inside: (1000, 1000), outside })
    }
}

/// An id that the caller may map and that is nobody's: far above what distributions hand out, or the last there is.
fn spare_id(map: &str) -> Option<u32> {
    const FREE: u64 = 1_900_000_000;
    let ranges: Vec<(u64, u64)> = map
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().map(str::parse::<u64>);
            let (first, _, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
            (count > 0).then_some((first, first + count - 1))
        })
        .collect();
    let free = ranges.iter().any(|(first, last)| (*first..=*last).contains(&FREE)).then_some(FREE);
    let highest = || ranges.iter().map(|(_, last)| *last).max().filter(|last| *last > 0);
    u32::try_from(free.or_else(highest)?).ok()
}

/// Why ids could not be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NotMapped {
    /// Root has no other id to give away.
    NoSpareId,
    /// The kernel refused to take this file.
    Refused(&'static str, Errno),
}

/// A child with seven namespaces, and what became of it.
pub(super) struct Room {
    /// The user namespace alone, and each other kind together with it; all held if the whole did.
    user: Result<(), Errno>,
    kinds: [Result<(), Errno>; KINDS.len()],
    /// All of them at once, through `clone3` as the sandbox does it.
    whole: Result<(), Errno>,
    ids: Result<(), NotMapped>,
    pub(super) answers: Answers,
    /// Root only, whose layers lie over mounts with mapped ids.
    pub(super) over_mapped: Result<(), Errno>,
}

impl Room {
    /// Makes the child and lets it try everything that needs its namespaces.
    pub(super) fn open() -> Room {
        let ids = Ids::of_this_user();
        let child = Child::start(ALL, |voice| {
            if voice.wait().is_ok() {
                inside(voice, ids);
            }
        });
        let child = match child {
            Ok(child) => child,
            Err(errno) => return Room::refused(errno),
        };
        let kinds = KINDS.map(|(name, ..)| is_own(child.pid, name));
        let user = is_own(child.pid, "user");
        let mapped = match ids {
            Some(ids) => map(child.pid, ids),
            None => Err(NotMapped::NoSpareId),
        };
        if mapped.is_ok() {
            child.go();
        } else {
            child.kill();
        }
        let over_mapped = if process::geteuid().is_root() { files::over_mapped() } else { Ok(()) };
        Room { user, kinds, whole: Ok(()), ids: mapped, answers: child.finish(), over_mapped }
    }

    /// Which of them it was that could not be made.
    fn refused(whole: Errno) -> Room {
        let alone = |flags: u64| {
            let child = Child::start(libc::CLONE_NEWUSER as u64 | flags, |_| {})?;
            child.finish();
            Ok(())
        };
        let user = alone(0);
        let kinds = match user {
            Ok(()) => KINDS.map(|(_, flag, ..)| alone(flag)),
            Err(errno) => [Err(errno); KINDS.len()],
        };
        let ids = Err(NotMapped::Refused("uid_map", whole));
        Room { user, kinds, whole: Err(whole), ids, answers: Answers::none(), over_mapped: Ok(()) }
    }

    /// Whether a run would have namespaces, with everything that is done in them outside the file system.
    pub(super) fn holds(&self) -> bool {
        let own = [IDENTITY, SESSION, SET_HOSTNAME, LOOPBACK_UP];
        self.whole.is_ok()
            && self.kinds.iter().chain([&self.user]).all(Result::is_ok)
            && self.ids.is_ok()
            && own.iter().all(|question| self.answers.get(*question).held())
    }
}

/// Whether a child has a namespace of this kind that is not ours.
fn is_own(pid: i32, name: &str) -> Result<(), Errno> {
    let link = |who: &str| {
        fs::read_link(format!("/proc/{who}/ns/{name}"))
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    };
    if link(&pid.to_string())? == link("self")? { Err(Errno::EXIST) } else { Ok(()) }
}

fn map(pid: i32, ids: Ids) -> Result<(), NotMapped> {
    let write = |name: &'static str, value: &str| {
        fs::OpenOptions::new()
            .write(true)
            .open(format!("/proc/{pid}/{name}"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes()))
            .map_err(|error| NotMapped::Refused(name, Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    };
    if !ids.root {
        write("setgroups", "deny")?;
    }
    write("uid_map", &format!("{} {} 1\n", ids.inside.0, ids.outside.0))?;
    write("gid_map", &format!("{} {} 1\n", ids.inside.1, ids.outside.1))
}

/// In the child: everything in the order in which the stage does it.
fn inside(voice: &Voice, ids: Option<Ids>) {
    let Some(ids) = ids else { return };
    if !voice.say(IDENTITY, become_script(ids)) {
        return;
    }
    voice.say(SESSION, process::setsid().map(drop));
    voice.say(SET_HOSTNAME, rustix::system::sethostname(b"waxcell"));
    voice.say(LOOPBACK_UP, loopback());
    voice.say(ROUTES, doors::can_be());
    files::try_all(voice);
    limits::try_processes(voice);
}

fn become_script(ids: Ids) -> Result<(), Errno> {
    if ids.root {
        let (uid, gid) = (Some(Uid::from_raw(ids.inside.0)), Some(Gid::from_raw(ids.inside.1)));
        thread::set_thread_groups(&[])?;
        thread::set_thread_res_gid(gid, gid, gid)?;
        thread::set_thread_res_uid(uid, uid, uid)?;
        process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    }
    // A change of ids forgets it.
    super::child::prepare();
    if process::geteuid().as_raw() == ids.inside.0 { Ok(()) } else { Err(Errno::PERM) }
}

fn loopback() -> Result<(), Errno> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    use std::os::fd::AsFd;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::loopback_up(socket.as_fd())
}

pub(super) fn features(room: &Room, settings: &Settings) -> Vec<Feature> {
    let mut features = vec![user(room, settings)];
    for ((.., limit, entry), outcome) in KINDS.iter().zip(&room.kinds) {
        features.push(match (outcome, room.user) {
            (Ok(()), _) => entry.present("made, and not the host's"),
            (Err(_), Err(_)) => dependent(entry),
            (Err(Errno::NOSPC), _) => {
                entry.absent_because(errno(Errno::NOSPC), format!("sysctl -w user.{limit}=16384"))
            }
            (Err(failure), _) => {
                let (found, how) = blame(*failure, settings);
                entry.absent_because(found, how.unwrap_or_else(|| entry.how.to_owned()))
            }
        });
    }
    features.push(ids(room, settings));
    for (entry, question, found) in [
        (HOSTNAME, SET_HOSTNAME, "set inside, the host's is as it was"),
        (LOOPBACK, LOOPBACK_UP, "brought up inside"),
        (WAY_OUT, ROUTES, "an address of another network is connected to inside"),
    ] {
        features.push(match room.answers.get(question) {
            Outcome::Held(_) => entry.present(found),
            Outcome::Untried => dependent(&entry),
            outcome => entry.absent(outcome.why()),
        });
    }
    features
}

/// A feature that lives in the namespaces that are not there.
pub(super) fn dependent(entry: &Entry) -> Feature {
    entry.absent_because("not tried: it needs the namespaces above", "as for the namespaces above")
}

fn user(room: &Room, settings: &Settings) -> Feature {
    match (room.user, room.whole) {
        (Ok(()), Ok(())) => USER.present("made in a child, together with the six kinds below"),
        (Ok(()), Err(failure)) => {
            let (found, how) = blame(failure, settings);
            let feature = USER.partly(format!("made alone, but not with the kinds below: {found}"));
            Feature { how: how.unwrap_or(feature.how), ..feature }
        }
        (Err(failure), _) => {
            let (found, how) = blame(failure, settings);
            USER.absent_because(found, how.unwrap_or_else(|| USER.how.to_owned()))
        }
    }
}

fn ids(room: &Room, settings: &Settings) -> Feature {
    match (&room.ids, room.answers.get(IDENTITY)) {
        (_, _) if room.whole.is_err() => dependent(&IDS),
        (Ok(()), Outcome::Held(_)) => IDS.present(match settings.root {
            true => "mapped to an id that nobody has",
            false => "mapped to this user",
        }),
        (Err(NotMapped::NoSpareId), _) => IDS.absent_because(
            "root, and no other id to give to a script",
            "run waxcell as an ordinary user, or give the container a range of ids (/etc/subuid)",
        ),
        (Err(NotMapped::Refused(file, failure)), _) => {
            let (found, how) = blame(*failure, settings);
            IDS.absent_because(format!("{file}: {found}"), how.unwrap_or_else(|| IDS.how.to_owned()))
        }
        (Ok(()), outcome) => IDS.absent(outcome.why()),
    }
}

/// Which setting it is that refuses, told from the error and from what else is in force; and how to change it.
fn blame(failure: Errno, settings: &Settings) -> (String, Option<String>) {
    let name = errno(failure);
    let denied = matches!(failure, Errno::PERM | Errno::ACCESS);
    let tell = |found: &str, how: &str| (format!("{name}: {found}"), Some(how.to_owned()));
    if settings.max_user_namespaces == Some(0) {
        return tell(
            "user.max_user_namespaces is 0",
            "sysctl -w user.max_user_namespaces=16384 (and in /etc/sysctl.d to keep it)",
        );
    }
    if matches!(failure, Errno::NOSPC | Errno::USERS) {
        return tell(
            "a limit of a namespace further out is reached, or 32 levels are nested",
            "raise user.max_user_namespaces there, or start waxcell further out",
        );
    }
    if denied && !settings.admin && settings.userns_clone == Some(0) {
        return tell(
            "kernel.unprivileged_userns_clone is 0",
            "sysctl -w kernel.unprivileged_userns_clone=1 (and in /etc/sysctl.d to keep it)",
        );
    }
    let filtered = (denied || failure == Errno::NOSYS) && settings.filters != 0;
    let apparmor = denied && !settings.admin && settings.apparmor_userns == Some(1);
    match (filtered, apparmor) {
        (true, true) => tell(
            "refused by the seccomp filter that is in force on waxcell itself, most likely a container's, or because \
             kernel.apparmor_restrict_unprivileged_userns is 1",
            "start the container with --security-opt seccomp=unconfined, and on the host \
             sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (true, false) => tell(
            "a seccomp filter is in force on waxcell itself, most likely a container's",
            "start the container with --security-opt seccomp=unconfined, or with a profile that passes it",
        ),
        (false, true) => tell(
            "kernel.apparmor_restrict_unprivileged_userns is 1",
            "an AppArmor profile for waxcell with `userns,` (docs/doctor.md), or \
             sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (false, false) => unexplained(failure, settings),
    }
}

/// A refusal that no setting explains.
fn unexplained(failure: Errno, settings: &Settings) -> (String, Option<String>) {
    let name = errno(failure);
    let denied = matches!(failure, Errno::PERM | Errno::ACCESS);
    let tell = |found: &str, how: &str| (format!("{name}: {found}"), Some(how.to_owned()));
    if denied && settings.modules.iter().any(|module| module == "selinux") {
        return tell(
            "SELinux or another security module refuses, or waxcell runs in a chroot",
            "ausearch -m avc -ts recent, and allow user_namespace:create for waxcell's domain",
        );
    }
    if denied {
        return tell(
            "a security module refuses, or waxcell runs in a chroot",
            "start waxcell outside of the chroot, or ask the container's operator",
        );
    }
    if failure == Errno::AGAIN {
        return tell(
            "no further process may be started",
            "ulimit -u, or the pids limit of the control group",
        );
    }
    (name, None)
}

/// Reads a number from below `/proc/sys`.
pub(super) fn setting(proc: &Path, name: &str) -> Option<i64> {
    fs::read_to_string(proc.join("sys").join(name)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { max_user_namespaces: Some(100), ..Settings::default() }
    }

    #[test]
    fn a_spare_id_is_one_that_is_mapped_and_not_root() {
        assert_eq!(spare_id("         0          0 4294967295\n"), Some(1_900_000_000));
        assert_eq!(spare_id("0 100000 65536\n"), Some(65535));
        assert_eq!(spare_id("0 1000 1\n1 100000 65536\n"), Some(65536));
        assert_eq!(spare_id("0 1000 1\n"), None);
        assert_eq!(spare_id("nonsense"), None);
    }

    #[test]
    fn the_knob_that_refuses_is_named() {
        let says = |failure, settings: &Settings| {
            let (found, how) = blame(failure, settings);
            format!("{found} / {}", how.unwrap_or_default())
        };
        let none = Settings { max_user_namespaces: Some(0), ..settings() };
        assert!(says(Errno::NOSPC, &none).contains("user.max_user_namespaces=16384"));
        assert!(says(Errno::NOSPC, &settings()).contains("further out"));
        let debian = Settings { userns_clone: Some(0), ..settings() };
        assert!(says(Errno::PERM, &debian).contains("kernel.unprivileged_userns_clone=1"));
        let ubuntu = Settings { apparmor_userns: Some(1), ..settings() };
        assert!(says(Errno::ACCESS, &ubuntu).contains("apparmor_restrict_unprivileged_userns=0"));
        let both = Settings { filters: 1, ..ubuntu.clone() };
        assert!(
            says(Errno::PERM, &both).contains("seccomp") && says(Errno::PERM, &both).contains("apparmor")
        );
        let root = Settings { root: true, admin: true, ..ubuntu };
        assert!(!says(Errno::PERM, &root).contains("apparmor"), "the restriction spares root");
        let docker = Settings { filters: 1, ..settings() };
        assert!(says(Errno::PERM, &docker).contains("seccomp=unconfined"));
        assert!(says(Errno::NOSYS, &docker).contains("seccomp=unconfined"));
        assert!(says(Errno::PERM, &settings()).contains("chroot"));
        assert_eq!(blame(Errno::INVAL, &settings()), ("EINVAL (Invalid argument)".to_owned(), None));
    }
}

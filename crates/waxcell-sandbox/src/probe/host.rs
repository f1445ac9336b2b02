//! The kernel as a whole, and settings of the host that are worth knowing. The one part that is looked up: what these
//! settings do shows only after an accident.

use std::fs;
use std::path::{Path, PathBuf};

use super::feature::{Entry, Feature, FeatureGroup, Importance};
use super::files;
use super::namespaces::setting;

/// What is set on this host, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) root: bool,
    /// Whether this process has CAP_SYS_ADMIN, which spares it the restrictions of ordinary users.
    pub(super) admin: bool,
    pub(super) release: String,
    pub(super) machine: String,
    pub(super) proc_is_there: bool,
    pub(super) max_user_namespaces: Option<i64>,
    pub(super) userns_clone: Option<i64>,
    pub(super) apparmor_userns: Option<i64>,
    /// Seccomp filters in force on this process.
    pub(super) filters: u32,
    /// Security modules, in their order; empty if the host does not say.
    pub(super) modules: Vec<String>,
    pub(super) profile: Option<String>,
    pub(super) core_pattern: Option<String>,
    pub(super) tiocsti: Option<i64>,
    pub(super) io_uring: Option<i64>,
    pub(super) bpf: Option<i64>,
    pub(super) yama: Option<i64>,
    pub(super) tmp: Option<(String, String)>,
}

const CAP_SYS_ADMIN: u64 = 1 << 21;

impl Settings {
    /// Reads below `proc` and `sys`, which are `/proc` and `/sys`.
    pub(super) fn read(proc: &Path, sys: &Path) -> Settings {
        let name = rustix::system::uname();
        let text = |path: PathBuf| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let status = text(proc.join("self/status")).unwrap_or_default();
        let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let field = |key: &str| value(key)?.trim().parse::<u32>().ok();
        let capabilities = value("CapEff").and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
        let filtered = field("Seccomp").is_some_and(|mode| mode != 0);
        let mounts = text(proc.join("self/mountinfo")).unwrap_or_default();
        Settings {
            root: rustix::process::geteuid().is_root(),
            admin: capabilities.is_some_and(|bits| bits & CAP_SYS_ADMIN != 0),
            release: name.release().to_string_lossy().into_owned(),
            machine: name.machine().to_string_lossy().into_owned(),
            proc_is_there: !status.is_empty(),
            max_user_namespaces: setting(proc, "user/max_user_namespaces"),
            userns_clone: setting(proc, "kernel/unprivileged_userns_clone"),
            apparmor_userns: setting(proc, "kernel/apparmor_restrict_unprivileged_userns"),
            // Linux before 5.9 does not count them.
            filters: field("Seccomp_filters").unwrap_or(u32::from(filtered)),
            modules: text(sys.join("kernel/security/lsm"))
                .map(|list| list.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            profile: text(proc.join("self/attr/current"))
                .map(|profile| profile.trim_end_matches('\0').to_owned())
                .filter(|profile| !profile.is_empty()),
            core_pattern: text(proc.join("sys/kernel/core_pattern")),
            tiocsti: setting(proc, "dev/tty/legacy_tiocsti"),
            io_uring: setting(proc, "kernel/io_uring_disabled"),
            bpf: setting(proc, "kernel/unprivileged_bpf_disabled"),
            yama: setting(proc, "kernel/yama/ptrace_scope"),
            tmp: files::mount_of(&mounts, Path::new("/tmp"))
                .map(|(kind, options)| (kind.to_owned(), options.to_owned())),
        }
    }
}

const fn required(name: &'static str, without: &'static str, how: &'static str) -> Entry {
    Entry { group: FeatureGroup::Kernel, importance: Importance::Required, name, without, how }
}

const LINUX: Entry = required(
    "Linux 5.13",
    "older kernels lack calls that the sandbox is made of",
    "a distribution from 2022 on: Debian 12, Ubuntu 22.04, Fedora 35, RHEL 9",
);
const MACHINE: Entry = required(
    "architecture",
    "the numbers of system calls, and with them the filter, are those of these two",
    "a machine with x86_64 or aarch64",
);
const PROC: Entry = required("/proc", "what is enforced cannot be read back", "mount -t proc proc /proc");

/// `6.8.0-45-generic` to `(6, 8)`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn kernel(settings: &Settings) -> Vec<Feature> {
    let release = format!("Linux {}", settings.release);
    vec![
        match version(&settings.release) {
            Some(version) if version >= (5, 13) => LINUX.present(release),
            _ => LINUX.absent(release),
        },
        match settings.machine.as_str() {
            machine @ ("x86_64" | "aarch64") => MACHINE.present(machine),
            machine => MACHINE.absent(machine),
        },
        match settings.proc_is_there {
            true => PROC.present("mounted, and shows this process"),
            false => PROC.absent("/proc/self/status cannot be read"),
        },
    ]
}

const fn hazard(name: &'static str, without: &'static str, how: &'static str) -> Entry {
    Entry { group: FeatureGroup::Host, importance: Importance::Better, name, without, how }
}

const FILTERS: Entry = hazard(
    "no outer filter",
    "what the filter around waxcell refuses, the sandbox cannot use either",
    "start waxcell outside of the container or service that sets the filter, if something is missing",
);
const CORES: Entry = hazard(
    "core dumps",
    "a crashing script's memory is handed to a program on the host, outside of the sandbox, as root",
    "sysctl -w kernel.core_pattern=core (Ubuntu: systemctl disable --now apport)",
);
const TERMINAL: Entry = hazard(
    "terminal input",
    "a process can type into its terminal (TIOCSTI); in a run its session and the filter stand against that",
    "sysctl -w dev.tty.legacy_tiocsti=0 (Linux 6.2)",
);
const IO_URING: Entry = hazard(
    "io_uring",
    "unprivileged processes may use io_uring, often attacked; in a run the filter refuses it",
    "sysctl -w kernel.io_uring_disabled=1 (Linux 6.6)",
);
const BPF: Entry = hazard(
    "unprivileged BPF",
    "unprivileged processes may load BPF programs, often attacked; in a run the filter refuses it",
    "sysctl -w kernel.unprivileged_bpf_disabled=1",
);
const YAMA: Entry = hazard(
    "ptrace scope",
    "any process of a user may read the memory of any other, waxcell's too; in a run namespaces stand against that",
    "sysctl -w kernel.yama.ptrace_scope=1 (a kernel with CONFIG_SECURITY_YAMA)",
);
const MODULES: Entry = hazard(
    "security modules",
    "nothing beside what waxcell sets itself",
    "mount -t securityfs securityfs /sys/kernel/security shows the list",
);
const TMP: Entry = hazard(
    "/tmp",
    "files that users leave in the host's /tmp can be executed; in a run /tmp is private and noexec",
    "mount /tmp as a tmpfs with nosuid,nodev,noexec",
);

pub(super) fn hazards(settings: &Settings) -> Vec<Feature> {
    vec![
        match settings.filters {
            0 => FILTERS.present("no seccomp filter is in force on waxcell itself"),
            1 => FILTERS.partly("1 seccomp filter is in force on waxcell itself"),
            count => FILTERS.partly(format!("{count} seccomp filters are in force on waxcell itself")),
        },
        match settings.core_pattern.as_deref() {
            Some(pattern) if pattern.starts_with('|') => CORES.partly(format!("piped: {pattern}")),
            Some(pattern) if pattern.starts_with('@') => CORES.partly(format!("sent to a socket: {pattern}")),
            Some("") => CORES.present("none"),
            Some(pattern) => CORES.present(format!("to a file, which a run's limit forbids: {pattern}")),
            None => CORES.present("kernel.core_pattern cannot be read"),
        },
        match settings.tiocsti {
            Some(0) => TERMINAL.present("TIOCSTI is off for ordinary users"),
            Some(value) => TERMINAL.partly(format!("dev.tty.legacy_tiocsti is {value}")),
            None => TERMINAL.partly("TIOCSTI is on: this kernel has no switch for it"),
        },
        match settings.io_uring {
            Some(value @ 1..) => IO_URING.present(format!("kernel.io_uring_disabled is {value}")),
            Some(value) => IO_URING.partly(format!("kernel.io_uring_disabled is {value}")),
            None => IO_URING.partly("this kernel has no switch for it"),
        },
        match settings.bpf {
            Some(value @ 1..) => BPF.present(format!("kernel.unprivileged_bpf_disabled is {value}")),
            Some(value) => BPF.partly(format!("kernel.unprivileged_bpf_disabled is {value}")),
            None => BPF.present("not built into this kernel, or not shown"),
        },
        match settings.yama {
            Some(value @ 1) => YAMA.present(format!("kernel.yama.ptrace_scope is {value}")),
            Some(value @ 2..) => {
                YAMA.present(format!("kernel.yama.ptrace_scope is {value}: see `reading arguments` above"))
            }
            Some(value) => YAMA.partly(format!("kernel.yama.ptrace_scope is {value}")),
            None => YAMA.partly("Yama is not there"),
        },
        modules(settings),
        match &settings.tmp {
            Some((kind, options)) if options.split(',').any(|option| option == "noexec") => {
                TMP.present(format!("{kind}, {options}"))
            }
            Some((kind, options)) => TMP.partly(format!("{kind}, {options}")),
            None => TMP.partly("not in the table of mounts"),
        },
    ]
}

fn modules(settings: &Settings) -> Feature {
    let profile =
        settings.profile.as_deref().map_or(String::new(), |name| format!("; waxcell runs as `{name}`"));
    match settings.modules.is_empty() {
        true => MODULES.partly(format!("/sys/kernel/security/lsm cannot be read{profile}")),
        false => MODULES.present(format!("{}{profile}", settings.modules.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::feature::FeatureState;
    use super::*;

    #[test]
    fn a_kernel_is_judged_by_its_release() {
        for (release, state) in [
            ("5.13.0-rc1", FeatureState::Present),
            ("6.8.0-45-generic", FeatureState::Present),
            ("10.0", FeatureState::Present),
            ("5.10.0-28-amd64", FeatureState::Absent),
            ("4.18.0-553.el8", FeatureState::Absent),
            ("", FeatureState::Absent),
        ] {
            let settings = Settings { release: release.to_owned(), ..Settings::default() };
            assert_eq!(kernel(&settings)[0].state, state, "{release}");
        }
    }

    #[test]
    fn settings_are_read_where_they_are_and_missed_where_they_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/self/status", "Name:\tx\nCapEff:\t0000000000200000\nSeccomp:\t2\nSeccomp_filters:\t3\n");
        write(
            "proc/self/mountinfo",
            "1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /tmp rw,noexec - tmpfs t rw\n",
        );
        write("proc/self/attr/current", "docker-default (enforce)\n");
        write("proc/sys/user/max_user_namespaces", "0\n");
        write("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        write("proc/sys/kernel/core_pattern", "|/usr/share/apport/apport %p\n");
        write("sys/kernel/security/lsm", "lockdown,capability,landlock,yama,apparmor");
        let settings = Settings::read(&dir.path().join("proc"), &dir.path().join("sys"));
        assert_eq!(settings.filters, 3);
        assert!(settings.admin);
        assert_eq!(settings.max_user_namespaces, Some(0));
        assert_eq!(settings.apparmor_userns, Some(1));
        assert_eq!(settings.modules.len(), 5);
        let found = |name: &str| hazards(&settings).into_iter().find(|hazard| hazard.name == name).unwrap();
        assert_eq!(found("core dumps").state, FeatureState::Partly);
        assert_eq!(found("/tmp").state, FeatureState::Present);
        assert!(found("security modules").found.ends_with("; waxcell runs as `docker-default (enforce)`"));

        let nothing = Settings::read(&dir.path().join("no"), &dir.path().join("no"));
        assert!(!nothing.proc_is_there);
        assert_eq!(kernel(&nothing)[2].state, FeatureState::Absent);
        assert!(hazards(&nothing).iter().all(|hazard| hazard.state != FeatureState::Absent));
    }
}

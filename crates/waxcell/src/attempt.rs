//! Which attempts on what a run does not show count as attempts.
//!
//! To open a file that is nowhere is no attempt, nor is what programs and libraries look for wherever they run. To open one
//! that the host has is; so is to look where people keep secrets, whether there are any or not.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use waxcell_operations::Operation;
use waxcell_sandbox::mounted;

use crate::credentials;
use crate::policy::HOME;

/// Where programs and the C library look by habit, and do without: files, and folders with all that is in them.
const HABITS: [&str; 68] = [
    // The loader and the C library: names, places, languages.
    "/etc/ld.so.preload",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/netconfig",
    "/etc/networks",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/passwd",
    "/etc/group",
    "/etc/services",
    "/etc/protocols",
    "/etc/rpc",
    "/etc/ethers",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/adjtime",
    "/etc/locale.conf",
    "/etc/default/locale",
    "/etc/malloc.conf",
    "/etc/suid-debug",
    "/run/nscd",
    "/var/run/nscd",
    "/var/db/nscd",
    "/var/cache/nscd",
    "/run/systemd/userdb",
    "/run/systemd/resolve/io.systemd.Resolve",
    "/etc/selinux",
    // Which system this is.
    "/etc/debian_version",
    "/etc/lsb-release",
    "/etc/os-release",
    "/etc/redhat-release",
    "/etc/system-release",
    "/etc/alpine-release",
    // Settings of shells, terminals and libraries.
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/inputrc",
    "/etc/terminfo",
    "/etc/gitconfig",
    "/etc/gitattributes",
    "/etc/pip.conf",
    "/etc/krb5.conf",
    "/etc/gss",
    "/etc/wgetrc",
    "/etc/ssh/ssh_config",
    "/etc/ssh/ssh_config.d",
    "/etc/ssh/ssh_known_hosts",
    "/etc/gcrypt",
    "/etc/crypto-policies",
    "/etc/ca-certificates",
    "/etc/ssl/cert.pem",
    "/etc/pki",
    "/etc/xdg",
    "/etc/fonts",
    "/etc/OpenCL",
    "/etc/vulkan",
    "/var/cache/fontconfig",
    "/var/lib/dbus/machine-id",
    // Lists of file types (`mimetypes.knownfiles`).
    "/etc/mime.types",
    "/etc/mailcap",
    "/etc/apache",
    "/etc/apache2/mime.types",
    "/etc/httpd/mime.types",
    "/etc/httpd/conf/mime.types",
];

/// Who asks a person opens it to read and to write (`getpass`).
const TERMINAL: &str = "/dev/tty";

/// What libraries ask the kernel about the machine and the process.
const MACHINE: [&str; 28] = [
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/devices/virtual/dmi/id",
    "/sys/kernel/mm/transparent_hugepage",
    "/sys/kernel/mm/hugepages",
    "/sys/fs/cgroup",
    "/sys/fs/selinux",
    "/sys/hypervisor",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/version_signature",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/filesystems",
    "/proc/mounts",
    "/proc/net",
    "/proc/devices",
    "/proc/vmstat",
    "/proc/zoneinfo",
    "/proc/cgroups",
    "/proc/self",
    "/proc/thread-self",
    "/proc/sys/vm",
    "/proc/sys/crypto",
    "/proc/sys/net",
    "/proc/sys/fs",
];

/// Settings of the kernel that are asked for as the above; others of their folder say more.
const KERNEL: [&str; 8] =
    ["osrelease", "ostype", "version", "hostname", "pid_max", "ngroups_max", "cap_last_cap", "random"];

/// Where a system keeps secrets, whether it has any there or not: files, and folders with all that is in them.
const SECRETS: [&str; 14] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/krb5.keytab",
    "/etc/wireguard",
    "/run/secrets",
    "/var/run/secrets",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/proc/kcore",
];

/// Where people keep them, below a home.
const OF_PEOPLE: [&str; 10] = [
    ".config/gcloud",
    ".config/gh",
    ".azure",
    ".docker/config.json",
    ".password-store",
    ".local/share/keyrings",
    ".mozilla",
    ".config/google-chrome",
    ".bash_history",
    ".python_history",
];

/// Where clients look for a password before they connect (libcurl and with it git, libpq), whether they need one or not. The
/// run's own home is empty, and a home of the host is not where they look.
const OF_CLIENTS: [&str; 3] = [".netrc", "_netrc", ".pgpass"];

/// What is not shown to a run, and which attempts on it count.
pub(crate) struct Unshown {
    /// Folders in which programs are looked for, one after the other.
    programs: Vec<PathBuf>,
    /// Where a look may have to wait for another machine or program, and nobody looks.
    distant: OnceCell<Vec<PathBuf>>,
}

impl Unshown {
    /// `path` is the run's `PATH`.
    pub(crate) fn new(path: Option<&[u8]>) -> Unshown {
        let path = OsStr::from_bytes(path.unwrap_or_default());
        Unshown { programs: std::env::split_paths(path).collect(), distant: OnceCell::new() }
    }

    /// Whether an attempt on a path that is not shown counts. A target that begins with `@` is an abstract socket.
    pub(crate) fn counts(&self, operation: Operation, target: &[u8]) -> bool {
        let path = Path::new(OsStr::from_bytes(target));
        if let Some(name) = target.strip_prefix(b"@") {
            return is_bound(name);
        }
        // To ask is a habit, to change something is none.
        let only_asks = matches!(operation, Operation::FsRead | Operation::ProcExec | Operation::IpcUnix);
        if is_secret(path) {
            return !(only_asks && is_of_clients(path));
        }
        if path.starts_with(HOME) || path == Path::new(TERMINAL) || only_asks && is_habit(path) {
            return false;
        }
        if self.is_distant(path) {
            return true;
        }
        match operation {
            // A command is looked for in every one of them.
            Operation::ProcExec if self.programs.iter().any(|folder| path.parent() == Some(folder)) => false,
            // What is made anew needs a folder only.
            Operation::FsCreate | Operation::FsLink | Operation::FsRename => {
                path.parent().is_some_and(exists)
            }
            _ => exists(path),
        }
    }

    /// Whether a path leads into a file system of another machine, or of a program: a script must not be able to make
    /// its supervisor wait for those.
    fn is_distant(&self, path: &Path) -> bool {
        let distant =
            self.distant.get_or_init(|| distant(&fs::read("/proc/self/mountinfo").unwrap_or_default()));
        distant.iter().any(|place| path.starts_with(place))
    }
}

/// The places of such file systems in the kernel's table of mounts.
fn distant(table: &[u8]) -> Vec<PathBuf> {
    const KINDS: [&[u8]; 11] =
        [b"autofs", b"nfs", b"nfs4", b"cifs", b"smb3", b"ceph", b"afs", b"9p", b"fuse", b"fuseblk", b"coda"];
    let is_one =
        |kind: &[u8]| KINDS.contains(&kind) || kind.starts_with(b"fuse.") || kind.starts_with(b"gluster");
    mounted(table).filter(|(_, kind)| is_one(kind)).map(|(place, _)| place).collect()
}

fn is_habit(path: &Path) -> bool {
    let kernel = || path.strip_prefix("/proc/sys/kernel").is_ok_and(|rest| is_below(rest, &KERNEL));
    is_below(path, &HABITS) || is_below(path, &MACHINE) || kernel()
}

fn is_secret(path: &Path) -> bool {
    let ssh_key = || {
        path.strip_prefix("/etc/ssh").is_ok_and(|name| {
            let name = name.as_os_str().as_bytes();
            name.starts_with(b"ssh_host_") && name.ends_with(b"_key")
        })
    };
    is_below(path, &SECRETS) || ssh_key() || of_people(path)
}

fn is_of_clients(path: &Path) -> bool {
    path.strip_prefix(HOME).is_ok_and(|name| OF_CLIENTS.iter().any(|known| name == Path::new(known)))
}

fn of_people(path: &Path) -> bool {
    let below = if path.starts_with("/root") {
        path.strip_prefix("/root").ok()
    } else {
        path.strip_prefix("/home").ok().map(|path| {
            let mut parts = path.components();
            parts.next();
            parts.as_path()
        })
    };
    below.is_some_and(|below| is_below(below, &OF_PEOPLE) || credentials::is_in_one(below))
}

fn is_below(path: &Path, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

/// Whether the host has it, as far as the caller may say. What is behind a folder that is closed to the caller counts.
fn exists(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    }
}

/// Whether somebody of the host listens at an abstract address (`unix(7)`).
fn is_bound(name: &[u8]) -> bool {
    let Ok(table) = fs::read("/proc/net/unix") else { return true };
    let shown: Vec<u8> = name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }).collect();
    table.split(|byte| *byte == b'\n').any(|line| {
        let path = line.splitn(8, |byte| *byte == b' ').last().unwrap_or_default();
        path.strip_prefix(b"@").is_some_and(|path| path == shown.as_slice())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(operation: Operation, path: &str) -> bool {
        Unshown::new(Some(b"/usr/local/bin:/usr/bin")).counts(operation, path.as_bytes())
    }

    #[test]
    fn habits_do_not_count_and_secrets_do_wherever_they_are() {
        for path in [
            "/etc/nsswitch.conf",
            "/etc/passwd",
            "/etc/ld.so.conf.d/x",
            "/sys/devices/system/cpu/online",
            "/proc/cpuinfo",
            "/proc/sys/kernel/osrelease",
            "/proc/sys/vm/overcommit_memory",
            "/home/waxcell/.config/git/config",
            "/home/waxcell/.netrc",
            "/home/waxcell/.pgpass",
            "/etc/gss/mech.d",
            "/nowhere/at/all",
        ] {
            assert!(!counts(Operation::FsRead, path), "{path}");
        }
        for path in [
            "/etc/shadow",
            "/root/.ssh/id_ed25519",
            "/home/waxcell/.ssh/id_ed25519",
            "/home/nobody-here/.aws/credentials",
            "/home/nobody-here/.netrc",
            "/root/.netrc",
            "/home/waxcell/.ssh/.netrc",
            "/run/secrets/token",
            "/proc/sys/kernel/core_pattern",
            "/etc/ssh/ssh_host_rsa_key",
            "/proc/1/environ",
            "/boot",
        ] {
            assert!(counts(Operation::FsRead, path), "{path}");
        }
    }

    #[test]
    fn where_a_look_could_wait_nobody_looks() {
        let table = b"1 0 8:1 / / rw shared:1 - ext4 /dev/vda rw\n\
            2 1 0:9 / /net/a\\040b rw,nosuid shared:2 master:1 - nfs4 server:/x rw\n\
            3 1 0:8 / /mnt/s rw - fuse.sshfs user@host: rw\n4 1 0:7 / /tmp rw - tmpfs tmpfs rw\n";
        assert_eq!(distant(table), [Path::new("/net/a b"), Path::new("/mnt/s")]);
        assert_eq!(distant(b"\n1 2 3\n\\"), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_command_is_looked_for_and_a_new_file_needs_a_folder() {
        assert!(!counts(Operation::ProcExec, "/usr/bin/env"));
        assert!(counts(Operation::ProcExec, "/boot"));
        assert!(counts(Operation::FsCreate, "/boot/new"));
        assert!(!counts(Operation::FsCreate, "/nowhere/new"));
        assert!(counts(Operation::FsLink, "/boot/new") && counts(Operation::FsRename, "/boot/new"));
        assert!(counts(Operation::FsWrite, "/proc/sys/vm/overcommit_memory"));
        assert!(!counts(Operation::FsWrite, "/dev/tty"));
    }

    #[test]
    fn an_abstract_socket_counts_if_somebody_listens() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};
        let name = format!("waxcell-attempt-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        assert!(counts(Operation::IpcUnix, &format!("@{name}")));
        drop(listener);
        assert!(!counts(Operation::IpcUnix, &format!("@{name}")));
    }
}

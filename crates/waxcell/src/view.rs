//! The file system of a run beside project, packages and policy paths: the system, `/etc`, scratch space.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Component, Path, PathBuf};

use waxcell_sandbox::{Access, Identity, Mount, PathMap};

use crate::planning::bind;
use crate::policy::{HOME, PathAccess, Policy};
use crate::run::Caller;

/// Folders of the system, shown to every script: read-only, executable.
pub(crate) const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];
/// What programs read of `/etc`: nothing that tells hosts or people apart, nothing secret.
const ETC: [&str; 19] = [
    "/etc/alternatives",
    "/etc/ca-certificates.conf",
    "/etc/fonts",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/python3",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/etc/xdg/mime",
    "/etc/xml",
];

/// What is made for each run.
const MADE: [&str; 6] =
    ["/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/nsswitch.conf", "/etc/resolv.conf"];

/// Whether every run sees this path, or something below it, of the system.
pub(crate) fn shows_of_system(path: &Path) -> bool {
    let all = SYSTEM.iter().chain(&ETC).chain(&MADE).map(Path::new);
    let is_python = path.to_str().is_some_and(|path| path.starts_with("/etc/python3"));
    is_python || all.into_iter().any(|shown| path.starts_with(shown) || shown.starts_with(path))
}

/// The file system beside project, packages and policy paths.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
}

impl View {
    pub(crate) fn system(&mut self) {
        for path in SYSTEM.map(Path::new) {
            match fs::read_link(path) {
                Ok(to) => self.mounts.push(Mount::Symlink { target: path.to_owned(), to }),
                Err(error) if is_no_link(&error) && path.is_dir() => {
                    self.mounts.push(bind(path, Access::ReadExecute, false))
                }
                Err(_) => {}
            }
        }
    }

    pub(crate) fn etc(&mut self, identity: &Identity, caller: &Caller, resolv_conf: String) {
        // Named one by one: to list a folder as full as `/etc` takes ten times as long.
        let versioned = (8..=20).map(|minor| PathBuf::from(format!("/etc/python3.{minor}")));
        for path in ETC.iter().map(PathBuf::from).chain(versioned) {
            match fs::read_link(&path) {
                Ok(to) => self.mounts.push(Mount::Symlink { target: path, to }),
                Err(error) if is_no_link(&error) => self.mounts.push(bind(&path, Access::Read, false)),
                Err(_) => {}
            }
        }
        let text = |path: &str, contents: String| Mount::File {
            target: PathBuf::from(path),
            contents: contents.into_bytes(),
            mode: 0o444,
        };
        let (user, group) = (caller.user_inside(), caller.group_inside());
        let (uid, gid) = (identity.uid, identity.gid);
        let nologin = "/usr/sbin/nologin";
        let users = [
            (user, uid, format!("{user}:x:{uid}:{gid}:{user}:{HOME}:/bin/sh")),
            ("root", 0, format!("root:x:0:0:root:/root:{nologin}")),
            ("nobody", 65534, format!("nobody:x:65534:65534:nobody:/nonexistent:{nologin}")),
        ];
        let groups = [
            (group, gid, format!("{group}:x:{gid}:")),
            ("root", 0, "root:x:0:".to_owned()),
            ("nogroup", 65534, "nogroup:x:65534:".to_owned()),
        ];
        let host = &identity.hostname;
        self.mounts.extend([
            text("/etc/passwd", accounts(users)),
            text("/etc/group", accounts(groups)),
            text(
                "/etc/hosts",
                format!("127.0.0.1 localhost\n127.0.1.1 {host}\n::1 localhost ip6-localhost ip6-loopback\n"),
            ),
            text("/etc/hostname", format!("{host}\n")),
            text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
            text("/etc/resolv.conf", resolv_conf),
        ]);
    }

    pub(crate) fn scratch(&mut self, policy: &Policy) {
        self.mounts.extend([Mount::Devices, Mount::Processes]);
        let elsewise = |path: &str| {
            let mut rules = policy.filesystem.paths.iter().filter(|rule| rule.path == Path::new(path));
            rules.any(|rule| rule.shared || rule.access == PathAccess::None)
        };
        for (path, mode) in [(HOME, 0o700), ("/tmp", 0o1777), ("/var/tmp", 0o1777), ("/dev/shm", 0o1777)] {
            if path == HOME || !elsewise(path) {
                let target = PathBuf::from(path);
                let execute = may_execute(policy, &target);
                self.mounts.push(Mount::Scratch { target, mode, execute });
            }
        }
    }

    pub(crate) fn shows(&self, path: &Path) -> bool {
        self.mounts
            .iter()
            .any(|mount| matches!(mount, Mount::Bind { target, .. } if path.starts_with(target)))
    }

    /// Makes a path that leads through symbolic links of the host lead to the same place inside.
    pub(crate) fn reach(&mut self, path: &Path, binds: &PathMap<'_, Access>) {
        let mut at = PathBuf::new();
        for component in path.components() {
            match component {
                Component::ParentDir => {
                    at.pop();
                }
                other => at.push(other),
            }
            let visible = binds.covers(&at) || self.shows(&at);
            if !visible && let Ok(to) = fs::read_link(&at) {
                let known = self.links.iter().any(|(link, _)| *link == at);
                let system =
                    self.mounts.iter().any(|m| matches!(m, Mount::Symlink { target, .. } if *target == at));
                if !known && !system {
                    self.links.push((at.clone(), to));
                }
                let Ok(real) = at.canonicalize() else { return };
                at = real;
            }
        }
    }
}

/// Whether it is there, and something else than a link (`readlink(2)`).
fn is_no_link(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidInput
}

/// Whether the policy lets programs in the run's own folder of this name be executed.
pub(crate) fn may_execute(policy: &Policy, private: &Path) -> bool {
    policy.filesystem.paths.iter().any(|rule| rule.execute && rule.is_private() && rule.path == private)
}

/// Lines of `/etc/passwd` or `/etc/group`, the script's own first; of the others those that share neither name nor
/// number with it.
fn accounts([own, others @ ..]: [(&str, u32, String); 3]) -> String {
    let others = others.iter().filter(|other| other.0 != own.0 && other.1 != own.1);
    std::iter::once(&own).chain(others).map(|(_, _, line)| format!("{line}\n")).collect()
}

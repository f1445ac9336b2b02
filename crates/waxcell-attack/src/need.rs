//! What a host must have for a case to say anything there.

use std::path::Path;

use serde::Deserialize;

/// What is known of the host, from whoever tried it out.
#[derive(Clone, Debug)]
pub struct Host {
    /// Whether the runner is root.
    pub root: bool,
    /// Whether namespaces can be made.
    pub user_namespaces: bool,
    /// The version of Landlock.
    pub landlock_abi: Option<u32>,
    /// What holds memory: `cgroup2`, `cgroup1`, `rlimit+watch`.
    pub limits_by: String,
    /// Where programs are looked for.
    pub path: String,
}

/// One thing that is needed, as a case says it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Need {
    /// `root`
    Root,
    /// `user`: anybody but root.
    User,
    /// `userns`
    Userns,
    /// `landlock>=6`
    Landlock(u32),
    /// `kernel>=6.3`
    Kernel(u32, u32),
    /// `cgroup`, of any version.
    Cgroup,
    /// `route`: an IPv4 address beside that of loopback.
    Route,
    /// `world`: it takes place on a host with servers of the corpus as its internet.
    World,
    /// `program:gcc`: on the path.
    Program(String),
    /// `file:/dev/kvm`: is there.
    File(String),
    /// `/proc/sys/fs/protected_hardlinks=0`: a file of the kernel says so.
    Setting(String, String),
    /// `x86_64`
    Architecture(String),
}

impl TryFrom<String> for Need {
    type Error = String;

    fn try_from(text: String) -> Result<Need, String> {
        let unknown = || format!("`{text}` is no need; `attacks/README.md` lists them");
        Ok(match text.as_str() {
            "root" => Need::Root,
            "user" => Need::User,
            "userns" => Need::Userns,
            "cgroup" => Need::Cgroup,
            "route" => Need::Route,
            "world" => Need::World,
            "x86_64" | "aarch64" => Need::Architecture(text),
            other => {
                if let Some(version) = other.strip_prefix("kernel>=") {
                    let (major, minor) = release(version).ok_or_else(unknown)?;
                    Need::Kernel(major, minor)
                } else if let Some(abi) = other.strip_prefix("landlock>=") {
                    Need::Landlock(abi.parse().map_err(|_| unknown())?)
                } else if let Some(program) = other.strip_prefix("program:") {
                    Need::Program(program.to_owned())
                } else if let Some(file) = other.strip_prefix("file:") {
                    Need::File(file.to_owned())
                } else if let Some((file, value)) = other.split_once('=').filter(|_| other.starts_with('/')) {
                    Need::Setting(file.to_owned(), value.to_owned())
                } else {
                    return Err(unknown());
                }
            }
        })
    }
}

impl Need {
    /// Why this host has it not, if so.
    pub(crate) fn missing(&self, host: &Host) -> Option<String> {
        let (there, what) = match self {
            // It is tried: `World::missing`.
            Need::World => return None,
            Need::Root => (host.root, "root".to_owned()),
            Need::User => (!host.root, "a user who is not root".to_owned()),
            Need::Userns => (host.user_namespaces, "namespaces".to_owned()),
            Need::Landlock(abi) => (host.landlock_abi >= Some(*abi), format!("Landlock ABI {abi}")),
            Need::Kernel(major, minor) => {
                let said = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
                (release(&said) >= Some((*major, *minor)), format!("Linux {major}.{minor}"))
            }
            Need::Cgroup => (host.limits_by.starts_with("cgroup"), "control groups".to_owned()),
            Need::Route => (address().is_some(), "an address beside that of loopback".to_owned()),
            Need::Architecture(name) => (std::env::consts::ARCH == name, name.clone()),
            Need::Program(name) => (find(name, &host.path).is_some(), format!("the program `{name}`")),
            Need::File(path) => (Path::new(path).symlink_metadata().is_ok(), format!("`{path}`")),
            Need::Setting(path, value) => {
                let said = std::fs::read_to_string(path).unwrap_or_default();
                (said.trim() == value, format!("`{path}` to be {value}"))
            }
        };
        (!there).then(|| format!("needs {what}"))
    }
}

/// The first two numbers of a kernel's version.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The address that this host has towards others. Nothing is sent.
pub(crate) fn address() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // An address that documentation is written with.
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

/// A program on a search path.
pub(crate) fn find(name: &str, path: &str) -> Option<std::path::PathBuf> {
    path.split(':').filter(|folder| folder.starts_with('/')).find_map(|folder| {
        let file = Path::new(folder).join(name);
        file.is_file().then_some(file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(text: &str) -> Result<Need, String> {
        Need::try_from(text.to_owned())
    }

    #[test]
    fn needs_are_read() {
        assert_eq!(need("landlock>=6"), Ok(Need::Landlock(6)));
        assert_eq!(need("program:gcc"), Ok(Need::Program("gcc".into())));
        let setting = Need::Setting("/proc/sys/fs/x".into(), "0".into());
        assert_eq!(need("/proc/sys/fs/x=0"), Ok(setting));
        assert!(need("luck").is_err() && need("landlock>=x").is_err());
    }

    #[test]
    fn what_is_not_there_is_missing() {
        let host = Host {
            root: false,
            user_namespaces: true,
            landlock_abi: Some(2),
            limits_by: "cgroup1".into(),
            path: "/usr/bin:/bin".into(),
        };
        let missing = |text: &str| need(text).expect("a need").missing(&host);
        for there in ["user", "userns", "landlock>=2", "cgroup", "program:sh", "file:/proc/self"] {
            assert_eq!(missing(there), None, "{there}");
        }
        assert_eq!(missing("root").as_deref(), Some("needs root"));
        assert_eq!(missing("landlock>=6").as_deref(), Some("needs Landlock ABI 6"));
        assert!(missing("program:no-such-program").is_some() && missing("file:/no/such").is_some());
    }
}

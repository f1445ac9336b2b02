//! What somebody else has on the host while the probe tries: files, sockets, processes, open descriptors.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::case::{Case, File, Kind, Listener, Victim};
use crate::place::Place;
use crate::process;

/// All that is planted. Gone when dropped.
pub(crate) struct Planted {
    pub(crate) listeners: BTreeMap<String, Socket>,
    pub(crate) victims: BTreeMap<String, Sleeper>,
    /// Kept open, to be inherited.
    _descriptors: Vec<OwnedFd>,
}

/// A socket that somebody may knock at.
pub(crate) enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
    Unix(UnixListener),
}

/// A process that somebody may harm.
pub(crate) struct Sleeper {
    child: Child,
    before: Vec<String>,
}

impl Planted {
    /// Plants what a case asks for, and gives it names: `{NAME.port}`, `{NAME.socket}`, `{NAME.pid}`, `{NAME.fd}`.
    pub(crate) fn plant(case: &Case, place: &mut Place) -> io::Result<Planted> {
        let mut planted =
            Planted { listeners: BTreeMap::new(), victims: BTreeMap::new(), _descriptors: Vec::new() };
        // Listeners and victims first: files may name them.
        for (name, listener) in &case.told.listeners {
            let socket = listen(name, listener, place)?;
            planted.listeners.insert(name.clone(), socket);
        }
        for (name, victim) in &case.told.victims {
            let sleeper = Sleeper::start(victim, place)?;
            place.name(&format!("{name}.pid"), sleeper.child.id().to_string());
            planted.victims.insert(name.clone(), sleeper);
        }
        for file in &case.told.files {
            write(file, place)?;
        }
        for (name, path) in &case.told.descriptors {
            let file: OwnedFd = fs::File::open(place.path(path))?.into();
            rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
            place.name(&format!("{name}.fd"), file.as_raw_fd().to_string());
            planted._descriptors.push(file);
        }
        // Only now: to be inherited is for the run, not for the victims.
        Ok(planted)
    }

    /// The processes that belong here.
    pub(crate) fn pids(&self) -> Vec<i32> {
        self.victims.values().map(|victim| victim.child.id() as i32).collect()
    }
}

fn write(file: &File, place: &Place) -> io::Result<()> {
    let path = place.path(&file.path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if let Some(link) = &file.link {
        return symlink(place.fill(link), path);
    }
    if let Some(other) = &file.hard_link {
        return fs::hard_link(place.path(other), path);
    }
    if file.folder || file.tmpfs {
        fs::create_dir_all(&path)?;
    } else if file.fifo {
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from(0o644))?;
    } else {
        fs::write(&path, place.fill(&file.content))?;
    }
    if file.tmpfs {
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("waxcell-attack", &path, "tmpfs", flags, Some(c"size=1m,mode=777"))?;
    }
    match &file.mode {
        None => Ok(()),
        Some(mode) => {
            let mode = u32::from_str_radix(mode, 8)
                .map_err(|_| io::Error::other(format!("`{mode}` is no mode in octal digits")))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        }
    }
}

fn listen(name: &str, listener: &Listener, place: &mut Place) -> io::Result<Socket> {
    let address: IpAddr = match &listener.address {
        None => Ipv4Addr::LOCALHOST.into(),
        Some(address) => {
            address.parse().map_err(|_| io::Error::other(format!("`{address}` is no address")))?
        }
    };
    let address = SocketAddr::new(address, 0);
    let port = |place: &mut Place, port: u16| place.name(&format!("{name}.port"), port.to_string());
    Ok(match listener.kind {
        Kind::Tcp => {
            let socket = TcpListener::bind(address)?;
            socket.set_nonblocking(true)?;
            port(place, socket.local_addr()?.port());
            Socket::Tcp(socket)
        }
        Kind::Udp => {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            port(place, socket.local_addr()?.port());
            Socket::Udp(socket)
        }
        Kind::Unix => {
            let path = place.path(listener.path.as_deref().unwrap_or("outside/socket"));
            let socket = UnixListener::bind(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
            unix(socket, path.display().to_string(), name, place)?
        }
        Kind::Abstract => {
            let path = format!("waxcell-attack-{}", crate::place::token()?);
            let socket = UnixListener::bind_addr(&UnixAddress::from_abstract_name(&path)?)?;
            unix(socket, path, name, place)?
        }
    })
}

fn unix(socket: UnixListener, path: String, name: &str, place: &mut Place) -> io::Result<Socket> {
    socket.set_nonblocking(true)?;
    place.name(&format!("{name}.socket"), path);
    Ok(Socket::Unix(socket))
}

impl Socket {
    /// Whether somebody was there. The kernel keeps who knocked until it is asked.
    pub(crate) fn heard(&self) -> bool {
        match self {
            Socket::Tcp(socket) => socket.accept().is_ok(),
            Socket::Unix(socket) => socket.accept().is_ok(),
            Socket::Udp(socket) => socket.recv(&mut [0; 16]).is_ok(),
        }
    }
}

/// What of a process somebody else could change.
const ASPECTS: [&str; 4] = ["limits", "oom_score_adj", "coredump_filter", "comm"];

impl Sleeper {
    #[expect(
        clippy::disallowed_methods,
        reason = "a process of the host, for the probe to harm; not a script"
    )]
    fn start(victim: &Victim, place: &Place) -> io::Result<Sleeper> {
        let mut words = victim.command.iter().map(|word| place.fill(word));
        let mut command = match words.next() {
            Some(program) => Command::new(program),
            None => {
                let mut command = Command::new("sleep");
                command.arg("600");
                command
            }
        };
        command.args(words).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        for (name, value) in &victim.environment {
            command.env(name, place.fill(value));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // It is started before it has its name.
        let name = |whose: &str| fs::read_to_string(format!("/proc/{whose}/comm")).unwrap_or_default();
        let (ours, whose) = (name("thread-self"), child.id().to_string());
        let end = Instant::now() + Duration::from_millis(100);
        while name(&whose) == ours && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        let before = aspects(child.id());
        Ok(Sleeper { child, before })
    }

    /// What was done to it, if anything.
    pub(crate) fn hurt(&mut self) -> Option<String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(format!("ended ({status})"));
        }
        let pid = self.child.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name| process::field(&status, name).unwrap_or_default();
        if field("State").starts_with(['T', 't']) {
            return Some("was stopped".to_owned());
        }
        if field("TracerPid") != "0" {
            return Some("is traced".to_owned());
        }
        let now = aspects(pid);
        let other = now.iter().zip(&self.before).position(|(now, before)| now != before)?;
        Some(format!("has another {}", ASPECTS.get(other).copied().unwrap_or("priority or affinity")))
    }
}

fn aspects(pid: u32) -> Vec<String> {
    let read = |file: &str| fs::read_to_string(Path::new("/proc").join(pid.to_string()).join(file));
    let mut aspects: Vec<String> = ASPECTS.iter().map(|file| read(file).unwrap_or_default()).collect();
    let stat = read("stat").unwrap_or_default();
    // Priority and nice value: fields 18 and 19, the 16th and 17th behind the name in parentheses.
    let behind = stat.rsplit_once(") ").map_or("", |(_, behind)| behind);
    let nice: Vec<&str> = behind.split(' ').skip(15).take(2).collect();
    let status = read("status").unwrap_or_default();
    let allowed = process::field(&status, "Cpus_allowed_list").unwrap_or_default();
    aspects.push(format!("{} {allowed}", nice.join(" ")));
    aspects
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harm_is_seen() {
        let base = tempfile::tempdir().expect("a folder");
        let place = Place::new(base.path(), "H10").expect("a place");
        let mut sleeper = Sleeper::start(&Victim::default(), &place).expect("a process");
        assert_eq!(sleeper.hurt(), None);
        let pid = rustix::process::Pid::from_child(&sleeper.child);
        rustix::process::setpriority_process(Some(pid), 5).expect("another priority");
        assert_eq!(sleeper.hurt().as_deref(), Some("has another priority or affinity"));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a signal");
        while !sleeper.hurt().is_some_and(|how| how.starts_with("ended")) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn who_knocks_is_heard() {
        let base = tempfile::tempdir().expect("a folder");
        let mut place = Place::new(base.path(), "I01").expect("a place");
        let told = |kind| Listener { kind, address: None, path: None };
        let tcp = listen("a", &told(Kind::Tcp), &mut place).expect("a socket");
        assert!(!tcp.heard());
        let port = place.fill("{a.port}").parse().expect("a port");
        let _knock = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a knock");
        assert!(tcp.heard());
        let unix = listen("b", &told(Kind::Abstract), &mut place).expect("a socket");
        assert!(!unix.heard());
        let name = UnixAddress::from_abstract_name(place.fill("{b.socket}")).expect("a name");
        let _knock = std::os::unix::net::UnixStream::connect_addr(&name).expect("a knock");
        assert!(unix.heard());
    }
}

//! What is taken from the world once: environment, ids, clock, descriptors.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, Mode};
use waxcell::policy::{LoadError, Policy};
use waxcell::{Caller, Streams, Switch, Switches};
pub(crate) use waxcell_journal::with_causes;
use waxcell_journal::{ARCHIVE, Archive};

use crate::args::{Color, Common};
use crate::exit::Exit;

/// The caller, as this process finds itself.
pub(crate) fn caller() -> io::Result<Caller> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    // Reading the mask is only possible by setting it.
    let umask = rustix::process::umask(Mode::from(0o022));
    rustix::process::umask(umask);
    Ok(Caller {
        uid,
        gid,
        user: name_of(&read("/etc/passwd"), uid),
        group: name_of(&read("/etc/group"), gid),
        // All ones: nobody logged in for this.
        login_uid: read("/proc/self/loginuid").parse().ok().filter(|id| *id != u32::MAX),
        pid: std::process::id(),
        host: host_name(),
        boot: boot(),
        cwd: std::env::current_dir()?,
        umask: umask.bits(),
        env: std::env::vars_os().collect(),
    })
}

/// Which start of the machine this is.
pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// How long ago that was, time asleep counted.
pub(crate) fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The name of a user or group in the text of `passwd(5)` or `group(5)`. Not asked of NSS: a lookup there may go
/// anywhere.
fn name_of(list: &str, id: u32) -> Option<String> {
    let id = id.to_string();
    let found = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, given) = (fields.next()?, fields.nth(1)?);
        (given == id
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)))
        .then_some(name)
    });
    found.map(str::to_owned)
}

/// The number of a user, given as one or by a name in `/etc/passwd`.
pub(crate) fn user_of(given: &str) -> Option<u32> {
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == given).then(|| fields.nth(1)?.parse().ok())?
    });
    named.or_else(|| given.parse().ok())
}

/// Where old records are looked for: in the folder that was named, or in that of the journal.
pub(crate) fn archive(state: &Path, named: Option<&Path>) -> Archive {
    Archive::at(&named.map_or_else(|| state.join("journal").join(ARCHIVE), Path::to_owned))
}

/// Where runs are recorded, if there is a place for it.
pub(crate) fn state_directory(common: &Common) -> Option<PathBuf> {
    if let Some(directory) = &common.state {
        return Some(directory.clone());
    }
    if let Some(directory) = std::env::var_os("WAXCELL_STATE").filter(|value| !value.is_empty()) {
        return Some(PathBuf::from(directory));
    }
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/waxcell"));
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .map(|state| state.join("waxcell"))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/waxcell")))
}

/// The script's streams: ours, or for `--json` kept for the report.
pub(crate) fn streams(captured: bool) -> Result<Streams, String> {
    let own = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map_err(|error| error.to_string());
    let stdin = own(io::stdin().as_fd())?;
    let kind = kind_of(&stdin);
    if kind == Some(FileType::Directory) {
        return Err("standard input is a folder; give a file, or `< /dev/null`".to_owned());
    }
    let copied = match kind {
        // It could carry descriptors of the host into the run; bytes through a pipe cannot.
        Some(FileType::Socket) => true,
        // Only Landlock keeps its owner from opening it anew, for writing (`/proc/self/fd/0`).
        Some(FileType::RegularFile) => waxcell_sandbox::landlock_abi().is_none(),
        _ => false,
    };
    let stdin = if copied { through_pipe(stdin).map_err(|e| e.to_string())? } else { stdin };
    let stdin = read_only_terminal(stdin);
    if captured {
        return Ok(Streams { stdin, stdout: None, stderr: None, joined: false });
    }
    let (stdout, stderr) = (own(io::stdout().as_fd())?, own(io::stderr().as_fd())?);
    let joined = same_file(&stdout, &stderr);
    Ok(Streams { stdin, stdout: Some(stdout), stderr: Some(stderr), joined })
}

fn kind_of(fd: &OwnedFd) -> Option<FileType> {
    rustix::fs::fstat(fd).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

fn same_file(a: &OwnedFd, b: &OwnedFd) -> bool {
    let id = |fd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino, stat.st_rdev));
    matches!((id(a), id(b)), (Ok(a), Ok(b)) if a == b)
}

/// What a descriptor gives, as the bytes of a pipe.
fn through_pipe(source: OwnedFd) -> io::Result<OwnedFd> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    std::thread::spawn(move || {
        let mut buffer = [0u8; 8192];
        // Ends when either side does. Not `io::copy`, which splices: that holds the pipe while it waits for more.
        while let Ok(read @ 1..) = rustix::io::read(&source, &mut buffer) {
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                let Ok(written) = rustix::io::write(&write, rest) else { return };
                rest = &rest[written..];
            }
        }
    });
    Ok(read)
}

/// A terminal is usually open for writing on all three descriptors; the script only reads from this one.
fn read_only_terminal(stdin: OwnedFd) -> OwnedFd {
    use rustix::fs::OFlags;
    if !rustix::termios::isatty(&stdin) {
        return stdin;
    }
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    // Where it cannot be opened anew it is passed on as it is; the filter keeps its input queue closed all the same.
    rustix::fs::open("/proc/self/fd/0", flags, Mode::empty()).unwrap_or(stdin)
}

/// Whether messages are coloured.
pub(crate) fn color(common: &Common) -> bool {
    match common.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}

/// An error message.
pub(crate) fn complain(message: &str) {
    eprintln!("waxcell: error: {}", printable(message));
}

/// What a service has to say.
pub(crate) fn note(message: &str) {
    eprintln!("waxcell: {}", printable(message));
}

/// What to do, or to know.
pub(crate) fn advise(message: &str) {
    eprintln!("waxcell: help: {}", printable(message));
}

/// An error with its causes.
pub(crate) fn complain_of(error: &dyn std::error::Error) {
    complain(&with_causes(error));
}

/// Text on one line with nothing in it that a terminal would act on.
pub(crate) fn printable(text: &str) -> String {
    if is_off(Switch::Journal) {
        return text.to_owned();
    }
    printable_lines(text).replace('\n', "\\n")
}

/// As [`printable`], for text of ours that has several lines.
pub(crate) fn printable_lines(text: &str) -> String {
    let bidi = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{061C}');
    text.chars()
        .flat_map(|c| {
            let escape = (c.is_control() && c != '\n') || bidi(c);
            let escaped: Vec<char> = if escape { c.escape_default().collect() } else { vec![c] };
            escaped
        })
        .collect()
}

/// Prints what a program or person asked for, and gives back `exit`; unless it could not be printed. A reader that has
/// gone away is no error.
pub(crate) fn print(text: &str, exit: Exit) -> Exit {
    // Not through the buffer of `io::stdout`, which would try again what it could not write.
    let written =
        io::stdout().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).write_all(text.as_bytes()));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            Exit::FAILED
        }
        _ => exit,
    }
}

/// The caller's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The variable that says which layers a test build leaves out. No other knows it.
pub(crate) const SWITCHES: &str = if cfg!(feature = "switches") { "WAXCELL_TEST_WITHOUT" } else { "" };

/// The layers to leave out: none, in a build that cannot.
#[cfg(not(feature = "switches"))]
pub(crate) fn switches() -> Result<Switches, String> {
    Ok(Switches::default())
}

/// The layers that [`SWITCHES`] names, and a word about it on every run.
#[cfg(feature = "switches")]
pub(crate) fn switches() -> Result<Switches, String> {
    let list = std::env::var(SWITCHES).unwrap_or_default();
    eprintln!(
        "waxcell: A TEST BUILD, WHICH IS NO SANDBOX: layers can be switched off; off now: `{}`",
        printable(&list)
    );
    let switches =
        Switches::of_list(&list).map_err(|name| format!("`{SWITCHES}` names `{name}`, which is no layer"))?;
    if switches.off(Switch::Userns) && !rustix::process::geteuid().is_root() {
        return Err(format!("`{SWITCHES}`: only root can do without `userns`"));
    }
    Ok(switches)
}

/// Whether a test build leaves out what this program does itself.
#[cfg(not(feature = "switches"))]
const fn is_off(_: Switch) -> bool {
    false
}

/// Whether a layer is left out that is this program's own.
#[cfg(feature = "switches")]
fn is_off(switch: Switch) -> bool {
    std::env::var(SWITCHES).is_ok_and(|list| Switches::of_list(&list).is_ok_and(|off| off.off(switch)))
}

/// The policy as it is, in a build that has to have one.
#[cfg(not(feature = "switches"))]
pub(crate) fn past_the_gate(policy: Result<Policy, LoadError>, _: &Path) -> Result<Policy, LoadError> {
    policy
}

/// The policy; without the gate, for one that is refused, one that lets the project and everything beside it be written, and
/// names that documents are written with be reached.
#[cfg(feature = "switches")]
pub(crate) fn past_the_gate(policy: Result<Policy, LoadError>, folder: &Path) -> Result<Policy, LoadError> {
    if policy.is_ok() || !is_off(Switch::Gate) {
        return policy;
    }
    let root = waxcell::policy::project_root_of_script(folder)?;
    let around = root.parent().unwrap_or(&root);
    let text = format!(
        "{{filesystem: {{allowed_paths: [., {around:?}], blocked_operations: []}}, \
          network: {{allowed_domains: ['*.example.com']}}}}"
    );
    // In no file, which would lie among what it lets be written.
    waxcell::policy::parse(&text, Path::new("no policy"), &root)
}

/// `WAXCELL_POLICY`.
pub(crate) fn policy_variable() -> Option<std::ffi::OsString> {
    std::env::var_os("WAXCELL_POLICY")
}

/// The folder that a relative policy search starts from.
pub(crate) fn folder_of(script: &Path, cwd: &Path) -> PathBuf {
    let path = cwd.join(script);
    let path = path.canonicalize().unwrap_or(path);
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

/// What is done when nobody waits any more. The record is durable by then.
pub(crate) fn rest(state: &waxcell::State) {
    match state.rest() {
        Ok(claims) => claims.iter().for_each(|claim| complain(claim)),
        Err(error) => complain_of(&error),
    }
}

pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_or_group_is_named_by_the_file_alone() {
        let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\ne\u{1b}vil:x:7:7::/:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(name_of(passwd, 7), None);
        assert_eq!(name_of(passwd, 5), None);
        assert_eq!(name_of("root:x:0:\nstaff:x:50:ann,bob\n", 50).as_deref(), Some("staff"));
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_act_on() {
        assert_eq!(printable_lines("a\u{1b}[31m\r\u{202e}b\nc"), "a\\u{1b}[31m\\r\\u{202e}b\nc");
        assert_eq!(printable("a\nb"), "a\\nb");
    }
}

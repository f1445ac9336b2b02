//! A host with an internet of its own, for cases that a network is needed for: namespaces that lead nowhere, and servers in them
//! that write down who came to them. One serves all cases, since to make one takes most of a second.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::corpus::built_in_file;
use crate::need;
use crate::subject::Tools;

/// How long it may take until what was sent is written down.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// The world of the cases that need one. It is made when the first of them is tried, and gone when dropped.
#[derive(Debug, Default)]
pub struct World {
    corpus: Option<PathBuf>,
    is_possible: OnceLock<bool>,
    started: OnceLock<io::Result<Started>>,
}

/// One that is there.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    log: PathBuf,
}

impl World {
    /// One whose servers are those of a corpus; of the one that was built in, if there is none.
    pub fn of(corpus: Option<&Path>) -> World {
        World { corpus: corpus.map(Path::to_owned), ..World::default() }
    }

    /// Why this host can have none, if so.
    pub(crate) fn missing(&self, tools: &Tools) -> Option<String> {
        let is_possible = self.is_possible.get_or_init(|| {
            let programs = ["nsenter", "ip", "openssl"];
            let pair = ["ip", "link", "add", "name", "outer", "type", "veth", "peer", "name", "inner"];
            programs.iter().all(|program| need::find(program, &path(tools)).is_some())
                && apart(tools).args(pair).output().is_ok_and(|done| done.status.success())
        });
        let what = "needs a world (`unshare`, `nsenter`, `ip`, `openssl`, and a pair of interfaces)";
        (!is_possible).then(|| what.to_owned())
    }

    /// The world.
    pub(crate) fn get(&self, tools: &Tools) -> io::Result<&Started> {
        let started = self.started.get_or_init(|| Started::start(self.corpus.as_deref(), tools));
        started.as_ref().map_err(|error| io::Error::other(format!("there is no world: {error}")))
    }

    /// The process that it is, if it is there: below whoever judges, and no part of any attempt.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.started.get()?.as_ref().ok().map(|started| started.child.id() as i32)
    }
}

/// A command that has its words run in namespaces of their own.
#[expect(clippy::disallowed_methods, reason = "a host and servers for the probe to reach; not a script")]
fn apart(tools: &Tools) -> Command {
    let mut command = Command::new("unshare");
    let user = if is_root() { [].as_slice() } else { &["--user", "--map-root-user"] };
    command.env("PATH", path(tools)).args(user).args(["--net", "--mount"]);
    command
}

/// Where the programs of a world are: `ip` is not on everybody's path.
fn path(tools: &Tools) -> String {
    format!("{}:/usr/sbin:/sbin", tools.path)
}

/// Whether the runner, and with it the world, is root without further ado.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Started {
    fn start(corpus: Option<&Path>, tools: &Tools) -> io::Result<Started> {
        let folder = tools.place.join("world");
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        for name in ["world.py", "servers.py"] {
            let text = match corpus {
                Some(corpus) => fs::read_to_string(corpus.join("world").join(name))?,
                None => built_in_file(&format!("world/{name}")).to_owned(),
            };
            fs::write(folder.join(name), text)?;
        }
        let log = folder.join("log");
        let mut command = apart(tools);
        command.arg(&tools.python).arg("-B").arg(folder.join("world.py")).arg(&folder).arg(&log);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut said = [0; 6];
        let is_there = child.stdout.take().is_some_and(|mut out| out.read_exact(&mut said).is_ok());
        let started = Started { child, log };
        if is_there && &said == b"ready\n" { Ok(started) } else { Err(started.complaint()) }
    }

    /// The last thing that it said before it ended.
    fn complaint(mut self) -> io::Error {
        let mut text = String::new();
        let told = self.child.stderr.take().map(|mut err| err.read_to_string(&mut text));
        match told {
            Some(Err(error)) => error,
            _ => io::Error::other(text.lines().last().unwrap_or("it ended").to_owned()),
        }
    }

    /// A command that runs a program there, in a folder, as the runner's own user.
    #[expect(
        clippy::disallowed_methods,
        reason = "as in `Subject`: the corpus starts what it judges from outside"
    )]
    pub(crate) fn enter(&self, folder: &Path, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.child.id().to_string(), "--net", "--mount"]);
        if !is_root() {
            let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
            command.args(["--user", "--preserve-credentials", "--", "unshare", "--user"]);
            command.arg(format!("--map-user={}", uid.as_raw())).arg(format!("--map-group={}", gid.as_raw()));
        }
        // Whoever enters is in the root folder.
        command.args(["--", "env", "--chdir"]).arg(folder).arg(program);
        command
    }

    /// How much has been seen so far.
    pub(crate) fn seen(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |meta| meta.len())
    }

    /// The first of `lines` that was written down behind `since`.
    pub(crate) fn has(&self, since: u64, lines: &[String], patience: u32) -> Option<String> {
        if lines.is_empty() {
            return None;
        }
        let pause = UNDER_WAY / 10;
        (0..=10 * patience).find_map(|turn| {
            if turn > 0 {
                std::thread::sleep(pause);
            }
            let text = fs::read(&self.log).unwrap_or_default();
            let text = String::from_utf8_lossy(text.get(since as usize..).unwrap_or_default()).into_owned();
            text.lines().find(|line| lines.iter().any(|told| begins(line, told))).map(str::to_owned)
        })
    }
}

/// Whether a line begins with these words, whole ones.
fn begins(line: &str, words: &str) -> bool {
    line.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_tell() {
        let line = "reached 93.184.216.34 80 /x www.example.org";
        for words in ["reached 93.184.216.34", "reached 93.184.216.34 80 /x", line] {
            assert!(begins(line, words), "{words}");
        }
        for words in
            ["reached 93.184.216.3", "reached 93.184.216.34 8", "asked 93.184.216.34", "93.184.216.34"]
        {
            assert!(!begins(line, words), "{words}");
        }
    }
}

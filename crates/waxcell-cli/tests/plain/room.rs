//! A host that lets nobody make namespaces, with a project on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{self, PYTHON, Place, Said, is_root, say};

/// Whom root becomes for these tests.
const USER: u32 = 23457;

/// A project on a host that lets nobody make namespaces.
pub(crate) struct Room {
    pub(crate) place: Place,
    pub(crate) user: String,
}

impl Room {
    pub(crate) fn new(policy: &str) -> Room {
        let place = Place::new(policy);
        fs::create_dir(place.root().join("outside")).unwrap();
        // Where every user finds them.
        let bin = place.root().join("bin");
        fs::create_dir(&bin).unwrap();
        // By another process: a descriptor of ours that is open for writing would be in every child that other threads
        // fork meanwhile, and what is open for writing cannot be executed.
        let copied = Command::new("cp").arg(support::waxcell()).arg(bin.join("waxcell")).status();
        assert!(copied.unwrap().success());
        fs::write(bin.join("host.py"), include_str!("host.py")).unwrap();
        let user = if is_root() { USER.to_string() } else { "-".to_owned() };
        Room { place, user }
    }

    /// Of root's own.
    pub(crate) fn of_root(policy: &str) -> Room {
        Room { user: "-".to_owned(), ..Room::new(policy) }
    }

    pub(crate) fn own(&self) {
        if self.user != "-" {
            let owner = format!("{0}:{0}", self.user);
            assert!(
                Command::new("chown").args(["-R", &owner]).arg(self.place.root()).status().unwrap().success()
            );
        } else {
            fs::set_permissions(self.place.root(), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// What every user can run.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.place.root().join("bin").join(name)
    }

    /// A program on such a host.
    pub(crate) fn command(&self, program: &Path, args: &[&str]) -> Command {
        self.own();
        let mut command = self.place.command(PYTHON);
        command.arg(self.tool("host.py")).arg(&self.user).arg(program).args(args);
        command.env("WAXCELL_STATE", self.place.state());
        command
    }

    pub(crate) fn waxcell(&self, args: &[&str]) -> Command {
        self.command(&self.tool("waxcell"), args)
    }

    pub(crate) fn run(&self, script: &str) -> (Said, Value) {
        self.run_with(script, &[])
    }

    /// With a word in the arguments of all its processes.
    pub(crate) fn run_marked(&self, script: &str, marker: &str) -> (Said, Value) {
        self.run_with(script, &[marker])
    }

    pub(crate) fn run_with(&self, script: &str, args: &[&str]) -> (Said, Value) {
        self.place.write("script.py", script);
        let said = say(self.waxcell(&["--json", "run", "script.py"]).args(args));
        let report = said.report();
        (said, report)
    }

    /// The same without waxcell.
    pub(crate) fn bare(&self, script: &str) -> Said {
        self.place.write("script.py", script);
        say(&mut self.command(Path::new(PYTHON), &["script.py"]))
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.place.root().join("outside")
    }

    /// Nothing is left of scratch space.
    #[track_caller]
    pub(crate) fn is_swept(&self) {
        let left = fs::read_dir(self.place.state().join("scratch")).unwrap().count();
        assert_eq!(left, 0, "scratch space is left");
    }
}

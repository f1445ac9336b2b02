//! `cargo xtask bench`: what a run under Waxcell costs, against bare Python and against bubblewrap where it is
//! installed, in one run, one after the other, so that the drift of the machine meets all alike.

mod check;
mod facts;
mod memory;
mod network;
mod numbers;
mod scripts;

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::ordinary::{Place, USER, copy};
use crate::shell::{Done, at, cargo, is_root, root, run, succeeds, target};
use numbers::{median, milliseconds};
use scripts::Script;

/// Runs before the ones that count: caches fill, the journal makes its first segments.
const WARM_UP: usize = 3;

const PYTHON: &str = "/usr/bin/python3";

/// Who runs: root or the ordinary user, and what belongs to them.
pub(crate) struct Person {
    name: &'static str,
    user: Option<u32>,
    folder: PathBuf,
    waxcell: PathBuf,
}

/// A way to run a script.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Bare,
    Waxcell,
    Bubblewrap,
    /// Waxcell, under a policy that does not ask which files are reached for in vain.
    Untold,
}

/// The same policy as the other, but for that.
const UNTOLD: &str = "untold.yml";

pub(crate) fn bench(runs: usize) -> Done {
    run(&mut cargo(&["build", "--release", "--package", "waxcell-cli"]))?;
    let place = Place::new()?;
    let waxcell = place.0.join("waxcell");
    at(&waxcell, fs::copy(target().join("release/waxcell"), &waxcell))?;

    let mut people = vec![Person::new(&place, "the caller", None, &waxcell)?];
    if is_root() {
        people[0].name = "root";
        people.push(Person::new(&place, "an ordinary user", Some(USER), &waxcell)?);
    }
    println!("{}\n", facts::machine(&place.0));
    for person in &people {
        let peer = succeeds(person.command(Path::new("bwrap")).args(["--ro-bind", "/", "/", "true"]));
        println!("### As {}\n", person.name);
        println!("{}", numbers::head(peer));
        let ways =
            if peer { vec![Way::Bare, Way::Waxcell, Way::Bubblewrap] } else { vec![Way::Bare, Way::Waxcell] };
        for script in scripts::ALL {
            println!("{}", numbers::row(script.name, &measure(person, script, runs, &ways)?));
        }
        println!("\n{}", numbers::told_head());
        for script in scripts::ALL.iter().filter(|script| script.reads) {
            let times = measure(person, script, runs, &[Way::Untold, Way::Waxcell])?;
            println!("{}", numbers::row(script.name, &times));
        }
        println!("\n{}", memory::supervisor(person)?);
        println!("{}\n", facts::disk(&person.folder)?);
    }
    Ok(())
}

/// What a durable record costs.
pub(crate) fn journal() -> Done {
    let place = Place::new()?;
    println!("{}\n", facts::machine(&place.0));
    run(cargo(&["run", "--quiet", "--release", "--package", "waxcell-journal", "--example", "measure", "--"])
        .arg(&place.0))
}

/// What the way out of a run's network costs, as root.
pub(crate) fn network(turns: usize) -> Done {
    if !is_root() {
        return Err("only root measures the network: it makes one of its own".to_owned());
    }
    run(&mut cargo(&["build", "--release", "--package", "waxcell-cli"]))?;
    let place = Place::new()?;
    let root = Person::new(&place, "root", None, &target().join("release/waxcell"))?;
    println!("{}\n\n{}", facts::machine(&place.0), network::network(&root, turns)?);
    Ok(())
}

/// What `waxcell check` takes, against others that look for the same.
pub(crate) fn check(turns: usize) -> Done {
    run(&mut cargo(&["build", "--release", "--package", "waxcell-cli"]))?;
    let place = Place::new()?;
    let waxcell = target().join("release/waxcell");
    println!("{}\n\n{}", facts::machine(&place.0), check::check(&waxcell, &place.0, turns)?);
    Ok(())
}

/// The times of one script: a list for each way.
fn measure(person: &Person, script: &Script, runs: usize, ways: &[Way]) -> Done<Vec<Vec<Duration>>> {
    let mut times = vec![Vec::new(); ways.len()];
    for turn in 0..WARM_UP + runs {
        for (way, times) in ways.iter().zip(&mut times) {
            let mut command = person.way(*way, script);
            let started = Instant::now();
            let output = command.output().map_err(|error| format!("{}: {error}", script.name))?;
            let took = started.elapsed();
            if !output.status.success() || output.stdout.len() < script.least_output {
                let error = String::from_utf8_lossy(&output.stderr);
                return Err(format!("`{}` as {}: {}\n{error}", script.name, person.name, output.status));
            }
            if turn >= WARM_UP {
                times.push(took);
            }
        }
    }
    Ok(times)
}

impl Person {
    fn new(place: &Place, name: &'static str, user: Option<u32>, waxcell: &Path) -> Done<Person> {
        let folder = place.0.join(user.map_or_else(|| "self".to_owned(), |user| user.to_string()));
        let person = Person { name, user, folder, waxcell: waxcell.to_owned() };
        copy(&root().join("examples/hive"), &person.folder.join("hive"))?;
        let project = person.folder.join("project");
        at(&project, fs::create_dir(&project))?;
        for script in scripts::ALL.iter().filter(|script| !script.text.is_empty()) {
            let path = project.join(script.path);
            at(&path, fs::write(&path, script.text))?;
        }
        let policy = project.join("security_policy.yml");
        at(&policy, fs::copy(root().join("examples/hive/security_policy.yml"), &policy))?;
        let told = at(&policy, fs::read_to_string(&policy))?;
        let untold = told.replacen("  monitoring:\n", "  monitoring:\n    file_attempts: false\n", 1);
        for folder in [&project, &person.folder.join("hive")] {
            at(folder, fs::write(folder.join(UNTOLD), &untold))?;
        }
        let read = project.join("read");
        at(&read, fs::create_dir(&read))?;
        for number in 0..100 {
            at(&read, fs::write(read.join(number.to_string()), "x".repeat(1000)))?;
        }
        if let Some(user) = user {
            give(&person.folder, user)?;
        }
        Ok(person)
    }

    /// A program that this person runs, with an environment like that of a login.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("HOME", &self.folder);
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn way(&self, way: Way, script: &Script) -> Command {
        let mut command = match way {
            Way::Bare => self.command(Path::new(PYTHON)),
            Way::Waxcell | Way::Untold => {
                let mut command = self.command(&self.waxcell);
                let policy = if way == Way::Untold { UNTOLD } else { "security_policy.yml" };
                command.args(["run", "--policy", policy, "--state"]).arg(self.folder.join("state"));
                command
            }
            Way::Bubblewrap => {
                let mut command = self.command(Path::new("bwrap"));
                command.args(["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/"]);
                command.args(["--dev", "/dev", "--proc", "/proc"]);
                command.arg("--bind").arg(&self.folder).arg(&self.folder).arg(PYTHON);
                command
            }
        };
        let project = if script.text.is_empty() { "hive" } else { "project" };
        command.current_dir(self.folder.join(project)).arg(script.path).args(script.args);
        command
    }
}

/// Hands a folder and all in it to a user.
fn give(path: &Path, user: u32) -> Done {
    at(path, std::os::unix::fs::lchown(path, Some(user), Some(user)))?;
    if path.is_dir() && !path.is_symlink() {
        for entry in at(path, fs::read_dir(path))? {
            give(&at(path, entry)?.path(), user)?;
        }
    }
    at(path, if path.is_symlink() { Ok(()) } else { chown(path, Some(user), Some(user)) })
}

/// The middle of several measurements of one thing, in words.
fn middle(times: &[Duration]) -> String {
    milliseconds(median(&times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>()))
}

//! Tests that did not take place: each says so in the file that `WAXCELL_SKIP_LOG` names, as `SKIPPED name: why`, and
//! `xtask/announced-skips.txt` has to know the name, as root or as an ordinary user. A test that is silently not there is
//! worth nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Done, at, is_root, root, target};

/// The variables that name the list to tests; the second is an older name of the first.
pub(crate) const VARIABLES: [&str; 2] = ["WAXCELL_SKIP_LOG", "WAXCELL_SKIPS"];

/// What was skipped in one run of all tests: lines, each behind the word for who ran it.
pub(crate) struct List {
    path: PathBuf,
    ordinary: Vec<String>,
}

impl List {
    /// An empty list.
    pub(crate) fn new() -> Done<List> {
        let path = target().join("skips.txt");
        at(&path, fs::create_dir_all(target()))?;
        at(&path, fs::write(&path, ""))?;
        Ok(List { path, ordinary: Vec::new() })
    }

    /// Where tests of our own user append to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what one of our own steps could not do.
    pub(crate) fn add(&self, name: &str, why: &str) -> Done {
        use std::io::Write;
        let line = format!("SKIPPED {name}: {why}\n");
        print!("{line}");
        let file = fs::OpenOptions::new().append(true).open(&self.path);
        at(&self.path, file.and_then(|mut file| file.write_all(line.as_bytes())))
    }

    /// Takes in what was skipped as an ordinary user, if anything was.
    pub(crate) fn take_in(&mut self, list: &Path) -> Done {
        if list.exists() {
            self.ordinary.extend(at(list, fs::read_to_string(list))?.lines().map(str::to_owned));
        }
        Ok(())
    }

    /// Prints all skips; those that nobody announced are an error.
    pub(crate) fn check(&self) -> Done {
        let announced = root().join("xtask/announced-skips.txt");
        let announced = at(&announced, fs::read_to_string(&announced))?;
        let own = at(&self.path, fs::read_to_string(&self.path))?;
        let us = if is_root() { "root" } else { "user" };
        let own = own.lines().map(|line| (us, line));
        let skips: Vec<(&str, &str)> =
            own.chain(self.ordinary.iter().map(|line| ("user", line.as_str()))).collect();
        skips.iter().for_each(|(who, line)| println!("{who}: {line}"));
        let surprises = unannounced(&skips, &announced);
        if surprises.is_empty() {
            return Ok(());
        }
        Err(format!("not announced in xtask/announced-skips.txt:\n{}", surprises.join("\n")))
    }
}

/// The skips that the list of announced ones does not name for this user.
fn unannounced(skips: &[(&str, &str)], announced: &str) -> Vec<String> {
    // `who: name: why` against `SKIPPED name: why`.
    let is_announced = |who: &str, line: &str| {
        let name = line.strip_prefix("SKIPPED ").and_then(|line| line.split_once(": ")).map(|(name, _)| name);
        announced.lines().any(|known| {
            let mut parts = known.splitn(3, ": ");
            parts.next() == Some(who) && parts.next() == name && parts.next().is_some()
        })
    };
    let surprises = skips.iter().filter(|(who, line)| !is_announced(who, line));
    surprises.map(|(who, line)| format!("{who}: {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::unannounced;

    #[test]
    fn a_skip_that_nobody_announced_is_found() {
        let announced = "# comment: no: no\nroot: a::known: there is a reason\nuser: without a reason\n";
        let skips = [
            ("root", "SKIPPED a::known: no pyenv"),
            ("user", "SKIPPED a::known: no pyenv"),
            ("root", "SKIPPED new: no luck"),
            ("user", "SKIPPED without a reason: x"),
            ("root", "no name"),
        ];
        assert_eq!(
            unannounced(&skips, announced),
            [
                "user: SKIPPED a::known: no pyenv",
                "root: SKIPPED new: no luck",
                "user: SKIPPED without a reason: x",
                "root: no name",
            ]
        );
    }
}

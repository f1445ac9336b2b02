//! Tests that did not take place: each says so in the file that `WAXCELL_SKIP_LOG` names, as `SKIPPED name: why`, and
//! `xtask/announced-skips.txt` has to know the name. A test that is silently not there is worth nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Done, at, root, target};

/// The variables that name the list to tests; the second is an older name of the first.
pub(crate) const VARIABLES: [&str; 2] = ["WAXCELL_SKIP_LOG", "WAXCELL_SKIPS"];

/// The list of one run of all tests.
pub(crate) struct List {
    path: PathBuf,
}

impl List {
    /// An empty list. Everybody may append to it: some tests run as another user.
    pub(crate) fn new() -> Done<List> {
        use std::os::unix::fs::PermissionsExt;
        let path = target().join("skips.txt");
        at(&path, fs::create_dir_all(target()))?;
        at(&path, fs::write(&path, ""))?;
        at(&path, fs::set_permissions(&path, fs::Permissions::from_mode(0o666)))?;
        Ok(List { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes in the skips of tests that could not reach the list.
    pub(crate) fn extend(&self, other: &Path) -> Done {
        use std::io::Write;
        let lines = at(other, fs::read_to_string(other))?;
        let mut list = at(&self.path, fs::OpenOptions::new().append(true).open(&self.path))?;
        at(&self.path, list.write_all(lines.as_bytes()))
    }

    /// Prints all skips; those that nobody announced are an error.
    pub(crate) fn check(&self) -> Done {
        let announced = root().join("xtask/announced-skips.txt");
        let announced = at(&announced, fs::read_to_string(&announced))?;
        let skips = at(&self.path, fs::read_to_string(&self.path))?;
        println!("{}", if skips.is_empty() { "no test was skipped" } else { skips.trim_end() });
        let surprises = unannounced(&skips, &announced);
        if surprises.is_empty() {
            return Ok(());
        }
        Err(format!("not announced in xtask/announced-skips.txt:\n{}", surprises.join("\n")))
    }
}

/// The skips that the list of announced ones does not name.
fn unannounced<'a>(skips: &'a str, announced: &str) -> Vec<&'a str> {
    let names: Vec<&str> = announced
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim())
        .collect();
    let is_announced = |line: &&str| {
        let name = line.strip_prefix("SKIPPED ").and_then(|line| line.split_once(':'));
        name.is_some_and(|(name, _)| names.contains(&name.trim()))
    };
    skips.lines().filter(|line| !is_announced(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::unannounced;

    #[test]
    fn a_skip_that_nobody_announced_is_found() {
        let announced = "# comment: no\nknown: there is a reason\n";
        let skips = "SKIPPED known: no pyenv\nSKIPPED new: no luck\nSKIPPED # comment: x\nno name\n";
        assert_eq!(
            unannounced(skips, announced),
            ["SKIPPED new: no luck", "SKIPPED # comment: x", "no name"]
        );
    }
}

//! Writable paths that do not exist yet: made for the run, and gone after it unless the script used them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What was made. Dropping it removes what is still empty and unclaimed.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    /// Outermost first.
    folders: Vec<(PathBuf, bool)>,
    files: Vec<PathBuf>,
}

impl Placeholders {
    /// Makes a path and the folders above it. Whether it is to be a file is told by its name: one with an ending is.
    pub(crate) fn make(&mut self, path: &Path) -> io::Result<()> {
        let is_file = path.extension().is_some();
        let folder = if is_file { path.parent().unwrap_or(path) } else { path };
        let mut missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        missing.reverse();
        for folder in missing {
            fs::create_dir(folder)?;
            self.folders.push((folder.to_owned(), false));
        }
        if is_file {
            fs::OpenOptions::new().write(true).create_new(true).open(path)?;
            self.files.push(path.to_owned());
        }
        Ok(())
    }

    /// The folders, which the script's own first `mkdir` may make once more.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        self.folders.iter().map(|(path, _)| path.clone()).collect()
    }

    /// The script has made these its own.
    pub(crate) fn claim(&mut self, indices: &[usize]) {
        for index in indices {
            if let Some((_, claimed)) = self.folders.get_mut(*index) {
                *claimed = true;
            }
        }
    }
}

impl Drop for Placeholders {
    fn drop(&mut self) {
        for file in &self.files {
            if fs::symlink_metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() == 0) {
                // If it cannot be removed, an empty file is left, as its name says.
                let _ = fs::remove_file(file);
            }
        }
        for (folder, claimed) in self.folders.iter().rev() {
            if !claimed {
                // Refused by the kernel as soon as anything is in it.
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_is_gone_and_what_was_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut made = Placeholders::default();
        for path in ["a/b", "used", "claimed", "x/out.json"] {
            made.make(&dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join("used/file"), "").unwrap();
        let claimed = made.folders().iter().position(|path| path.ends_with("claimed")).unwrap();
        made.claim(&[claimed]);
        drop(made);
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["claimed", "used"]);
    }
}

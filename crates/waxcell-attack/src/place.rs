//! The folder in which one attempt takes place, and the words that stand for what lies there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Everything of one attempt on disk. Gone when dropped.
///
/// | folder | what it is to the run |
/// |---|---|
/// | `project` | the project root, with probe and policy |
/// | `outside` | the host: nothing there is shown |
/// | `home` | the caller's home folder |
/// | `state` | waxcell's records |
pub(crate) struct Place {
    root: PathBuf,
    /// A word that nobody can guess, planted as the secret.
    pub(crate) secret: String,
    names: BTreeMap<String, String>,
}

impl Place {
    /// A fresh one below `base`.
    pub(crate) fn new(base: &Path, name: &str) -> io::Result<Place> {
        // A path that only this attempt has: what survives is found by it.
        let root = base.join(format!("{name}.{}", &token()?[..8]));
        fs::create_dir(&root)?;
        let secret = token()?;
        let mut place = Place { root, secret, names: BTreeMap::new() };
        // A repository of its own, so that none above is taken for the project.
        for folder in ["project", "project/.git", "outside", "home", "state"] {
            let path = place.root.join(folder);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            place.name(folder, path.display().to_string());
        }
        // Root's script is somebody else and has to get here.
        fs::set_permissions(&place.root, fs::Permissions::from_mode(0o755))?;
        place.name("root", place.root.display().to_string());
        place.name("secret", place.secret.clone());
        Ok(place)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// Gives a word its meaning: `{name}`.
    pub(crate) fn name(&mut self, name: &str, meaning: String) {
        self.names.insert(name.to_owned(), meaning);
    }

    /// A text with the words in braces replaced that stand for something; other braces are left alone.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let word = rest.find('}').map(|end| (&rest[1..end], end + 1));
            match word.and_then(|(word, end)| Some((self.names.get(word)?, end))) {
                Some((meaning, end)) => {
                    filled.push_str(meaning);
                    rest = &rest[end..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled + rest
    }

    /// A path as a case means it: below this place, unless it is absolute.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        self.root.join(self.fill(text))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What was mounted here goes first.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
            if Path::new(mount).starts_with(&self.root) {
                let _ = rustix::mount::unmount(mount, rustix::mount::UnmountFlags::DETACH);
            }
        }
        remove(&self.root);
    }
}

/// Removes a folder and what is in it, also where the owner may not look.
pub(crate) fn remove(folder: &Path) {
    if fs::remove_dir_all(folder).is_err() {
        open_up(folder, 0);
        // What is left is in a folder for temporary files.
        let _ = fs::remove_dir_all(folder);
    }
}

fn open_up(folder: &Path, depth: usize) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if depth < 256 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path(), depth + 1);
        }
    }
}

/// 32 hexadecimal digits of chance.
pub(crate) fn token() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_braces_are_filled_in_and_others_left() {
        let base = tempfile::tempdir().expect("a folder");
        let mut place = Place::new(base.path(), "A01").expect("a place");
        place.name("web.port", "80".into());
        let outside = place.root().join("outside").display().to_string();
        assert_eq!(
            place.fill("{outside}/x:{web.port} {path: ./data} {{web.port}} {"),
            format!("{outside}/x:80 {{path: ./data}} {{80}} {{")
        );
        assert_eq!(place.path("outside/x"), place.path("{outside}/x"));
        let root = place.root().to_owned();
        fs::create_dir(root.join("closed")).expect("a folder");
        fs::write(root.join("closed/file"), "").expect("a file");
        fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o000)).expect("closed");
        drop(place);
        assert!(!root.exists());
    }
}

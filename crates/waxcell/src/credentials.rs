//! What a script may not have of its own project unless the policy names it: credentials, and files that the host
//! executes later by themselves.
//!
//! The project is walked once, by names; only files that may be private keys are looked into.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags};

/// More entries than this are not walked: nobody could say what is among them.
const MOST_ENTRIES: usize = 1_000_000;

/// The project has more entries than are walked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Files that hold credentials by their name.
const CREDENTIALS: [&[u8]; 16] = [
    b".env",
    b".netrc",
    b"_netrc",
    b".pypirc",
    b".npmrc",
    b".pgpass",
    b".my.cnf",
    b".htpasswd",
    b".git-credentials",
    b".vault-token",
    b"credentials.json",
    b"id_rsa",
    b"id_dsa",
    b"id_ecdsa",
    b"id_ed25519",
    b"id_ed25519_sk",
];
/// Folders that hold credentials.
const CREDENTIAL_FOLDERS: [&[u8]; 4] = [b".ssh", b".aws", b".gnupg", b".kube"];
/// Files that Python executes when it starts, by name.
const STARTED_BY_PYTHON: [&[u8]; 2] = [b"sitecustomize.py", b"usercustomize.py"];
/// Variants of `.env` that are meant to be read.
const TEMPLATES: [&[u8]; 4] = [b".env.example", b".env.sample", b".env.template", b".env.dist"];

/// Everything below `root` that is covered, without what lies in `except` (the interpreter's own folders) or is named.
pub(crate) fn find(root: &Path, except: &[&Path], named: &[&Path]) -> Result<Vec<PathBuf>, TooLarge> {
    let mut walk = Walk { except, named, found: Vec::new(), left: MOST_ENTRIES };
    walk.folder(root)?;
    walk.found.sort();
    Ok(walk.found)
}

struct Walk<'a> {
    except: &'a [&'a Path],
    named: &'a [&'a Path],
    found: Vec<PathBuf>,
    left: usize,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path) -> Result<(), TooLarge> {
        if self.except.contains(&path) {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // What we may not list, the script may not either.
        let Ok(fd) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return Ok(()) };
        let Ok(entries) = Dir::read_from(&fd) else { return Ok(()) };
        let is_git = path.file_name().is_some_and(|name| name == ".git");
        for entry in entries.flatten() {
            self.left = self.left.checked_sub(1).ok_or(TooLarge)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = kind_of(fd.as_fd(), entry.file_name(), entry.file_type());
            let inner = || path.join(std::ffi::OsStr::from_bytes(name));
            if is_covered(fd.as_fd(), entry.file_name(), kind, is_git) {
                let inner = inner();
                if !self.named.contains(&inner.as_path()) {
                    self.found.push(inner);
                    continue;
                }
            }
            if kind == FileType::Directory {
                self.folder(&inner())?;
            }
        }
        Ok(())
    }
}

fn kind_of(folder: BorrowedFd<'_>, name: &CStr, kind: FileType) -> FileType {
    if kind != FileType::Unknown {
        return kind;
    }
    // Some file systems tell only when asked about each.
    rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}

fn is_covered(folder: BorrowedFd<'_>, name: &CStr, kind: FileType, in_git: bool) -> bool {
    let text = name.to_bytes();
    match kind {
        // A UNIX socket leads to a process of the host, whatever the mount says.
        FileType::Socket => true,
        FileType::Directory => CREDENTIAL_FOLDERS.contains(&text) || (in_git && text == b"hooks"),
        FileType::RegularFile => {
            CREDENTIALS.contains(&text)
                || STARTED_BY_PYTHON.contains(&text)
                || (text.starts_with(b".env.") && !TEMPLATES.contains(&text))
                || text.ends_with(b".pth")
                || (in_git && text == b"config")
                || (looks_like_key(text) && holds_private_key(folder, name))
        }
        _ => false,
    }
}

fn looks_like_key(name: &[u8]) -> bool {
    [b".pem".as_slice(), b".key", b".p12", b".pfx", b".ppk"].iter().any(|end| name.ends_with(end))
}

fn holds_private_key(folder: BorrowedFd<'_>, name: &CStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(fd) = rustix::fs::openat(folder, name, flags, Mode::empty()) else { return true };
    let mut head = Vec::new();
    let marks: [&[u8]; 2] = [b"PRIVATE KEY", b"PuTTY-User-Key-File"];
    // PKCS #12 is not text; whatever has that ending counts.
    if File::from(fd).take(64 * 1024).read_to_end(&mut head).is_err() || !head.is_ascii() {
        return true;
    }
    marks.iter().any(|mark| head.windows(mark.len()).any(|window| window == *mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn credentials_hooks_sockets_and_start_files_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let covered = [
            ".env",
            "a/.env.local",
            "a/.netrc",
            ".git/config",
            "deep/er/x.pth",
            "sitecustomize.py",
            "keys/server.pem",
            "id_ed25519",
        ];
        let open = [
            ".env.example",
            "a/config",
            "keys/public.pem",
            "hooks/x",
            "a/notes.key.md",
            ".git/HEAD",
            "venv/lib/a.pth",
        ];
        for name in covered.iter().chain(&open) {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), "text").unwrap();
        }
        fs::write(root.join("keys/server.pem"), "-----BEGIN PRIVATE KEY-----").unwrap();
        fs::create_dir_all(root.join(".git/hooks")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("a/s.sock")).unwrap();
        let mut expected: Vec<_> = covered
            .iter()
            .map(|name| root.join(name))
            .chain([root.join(".git/hooks"), root.join("a/s.sock")])
            .collect();
        expected.sort();
        assert_eq!(find(&root, &[&root.join("venv")], &[]), Ok(expected.clone()));
        let named = root.join(".env");
        expected.retain(|path| *path != named);
        assert_eq!(find(&root, &[&root.join("venv")], &[&named]), Ok(expected));
    }
}

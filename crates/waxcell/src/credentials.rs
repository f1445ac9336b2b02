//! What a script may not have of its own project unless the policy names it: credentials, and files that the host
//! executes later by themselves.
//!
//! The project is walked by names; only files that may be private keys are looked into. What a folder held is
//! remembered for as long as the folder is the same ([`memory`]).

mod memory;

use std::collections::BTreeSet;
use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir};
use serde::{Deserialize, Serialize};

use memory::Memory;

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
/// `memory` is where it is kept what the folders held the last time.
pub(crate) fn find(
    root: &Path,
    except: &[&Path],
    named: &BTreeSet<&Path>,
    memory: &Path,
) -> Result<Vec<PathBuf>, TooLarge> {
    let mut memory = Memory::open(memory);
    let mut found = Vec::new();
    let mut left = MOST_ENTRIES;
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        if except.contains(&path.as_path()) {
            continue;
        }
        // What we may not list, the script may not either.
        let Some(folder) = memory.recall_or(&path, Folder::scan) else { continue };
        left = left.checked_sub(1 + folder.entries).ok_or(TooLarge)?;
        for Covered { name, is_folder } in &folder.covered {
            let inner = path.join(name);
            if !named.contains(inner.as_path()) {
                found.push(inner);
            } else if *is_folder {
                waiting.push(inner);
            }
        }
        // Their content may have changed without a trace in the folder.
        let keys = folder.keys.iter().map(|name| path.join(name));
        found.extend(keys.filter(|key| !named.contains(key.as_path()) && holds_private_key(key)));
        waiting.extend(folder.folders.iter().map(|name| path.join(name)));
    }
    memory.keep();
    found.sort();
    Ok(found)
}

/// What one folder holds, by name, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Folder {
    entries: usize,
    covered: Vec<Covered>,
    /// Files that may be private keys.
    keys: Vec<OsString>,
    folders: Vec<OsString>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Covered {
    name: OsString,
    is_folder: bool,
}

impl Folder {
    fn scan(path: &Path) -> Option<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?;
        let mut folder = Folder::default();
        let mut git = Git { has: [path.file_name().is_some_and(|name| name == ".git"); 3], own: Vec::new() };
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut entries = RawDir::new(fd.as_fd(), buffer.spare_capacity_mut());
        while let Some(Ok(entry)) = entries.next() {
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            folder.entries += 1;
            let kind = kind_of(fd.as_fd(), entry.file_name(), entry.file_type());
            let name = || OsStr::from_bytes(bytes).to_owned();
            git.see(bytes, kind);
            if is_covered(bytes, kind) {
                folder.covered.push(Covered { name: name(), is_folder: kind == FileType::Directory });
            } else if kind == FileType::Directory {
                folder.folders.push(name());
            } else if kind == FileType::RegularFile && looks_like_key(bytes) {
                folder.keys.push(name());
            }
        }
        if git.is_one() {
            folder.folders.retain(|name| name != "hooks");
            folder.covered.extend(git.own);
        }
        Some(folder)
    }
}

/// Whether a folder is a repository's own (`gitrepository-layout(5)`): `.git`, that of a submodule below it, or a bare
/// one.
struct Git {
    /// Its marks; a folder of that name needs none.
    has: [bool; 3],
    /// What git would execute, and the settings that may hold a credential.
    own: Vec<Covered>,
}

impl Git {
    fn see(&mut self, name: &[u8], kind: FileType) {
        let is_folder = kind == FileType::Directory;
        for (has, mark) in
            self.has.iter_mut().zip([(b"HEAD".as_slice(), false), (b"objects", true), (b"refs", true)])
        {
            *has |= (name, is_folder) == mark;
        }
        let is_own = match name {
            b"hooks" => is_folder,
            b"config" => kind == FileType::RegularFile,
            _ => false,
        };
        if is_own {
            self.own.push(Covered { name: OsStr::from_bytes(name).to_owned(), is_folder });
        }
    }

    fn is_one(&self) -> bool {
        self.has == [true; 3]
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

fn is_covered(text: &[u8], kind: FileType) -> bool {
    match kind {
        // A UNIX socket leads to a process of the host, whatever the mount says.
        FileType::Socket => true,
        FileType::Directory => CREDENTIAL_FOLDERS.contains(&text),
        FileType::RegularFile => {
            CREDENTIALS.contains(&text)
                || STARTED_BY_PYTHON.contains(&text)
                || (text.starts_with(b".env.") && !TEMPLATES.contains(&text))
                || text.ends_with(b".pth")
                || text == b"config.worktree"
        }
        _ => false,
    }
}

/// Whether a path is that of a credential by its names, whatever is there.
pub(crate) fn is_in_one(path: &Path) -> bool {
    let mut names = path.components().map(|name| name.as_os_str().as_bytes());
    let last = path.file_name().is_some_and(|name| is_covered(name.as_bytes(), FileType::RegularFile));
    last || names.any(|name| is_covered(name, FileType::Directory))
}

/// Whether the host would execute a file some time, going by the names in its path: Python when it starts, git when anybody
/// uses the repository.
pub(crate) fn is_executed_later(path: &Path) -> bool {
    let names: Vec<&[u8]> = path.components().map(|name| name.as_os_str().as_bytes()).collect();
    let last = names.last().is_some_and(|last| {
        STARTED_BY_PYTHON.contains(last) || last.ends_with(b".pth") || *last == b".git".as_slice()
    });
    let of_git = |rest: &[&[u8]]| {
        let is_setting = matches!(rest.last(), Some(&(b"config" | b"config.worktree")));
        rest.first() == Some(&b".git".as_slice()) && (rest.contains(&b"hooks".as_slice()) || is_setting)
    };
    last || (0..names.len()).any(|from| of_git(&names[from..]))
}

fn looks_like_key(name: &[u8]) -> bool {
    [b".pem".as_slice(), b".key", b".p12", b".pfx", b".ppk"].iter().any(|end| name.ends_with(end))
}

fn holds_private_key(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(fd) = rustix::fs::openat(CWD, path, flags, Mode::empty()) else { return true };
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
    fn what_is_executed_later_is_known_by_its_names() {
        let check = |path: &str| is_executed_later(Path::new(path));
        for path in [
            "sitecustomize.py",
            "a/usercustomize.py",
            "lib/x.pth",
            "repository/.git",
            ".git/config",
            "a/.git/config.worktree",
            ".git/hooks/pre-commit",
            ".git/modules/sub/hooks/update",
            ".git/modules/sub/config",
        ] {
            assert!(check(path), "{path}");
        }
        for path in
            ["", "customize.py", "hooks/x", "config", ".git/HEAD", ".git/objects/ab/cdef", "a.pth.txt"]
        {
            assert!(!check(path), "{path}");
        }
    }

    #[test]
    fn credentials_hooks_sockets_and_start_files_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let covered = [
            ".env",
            "a/.env.local",
            "a/.netrc",
            ".git/config",
            ".git/config.worktree",
            ".git/modules/sub/config",
            "bare/config",
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
            ".git/modules/sub/HEAD",
            ".git/modules/sub/objects/x",
            ".git/modules/sub/refs/x",
            ".git/modules/config",
            "bare/HEAD",
            "bare/objects/x",
            "bare/refs/x",
            "venv/lib/a.pth",
        ];
        for name in covered.iter().chain(&open) {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), "text").unwrap();
        }
        fs::write(root.join("keys/server.pem"), "-----BEGIN PRIVATE KEY-----").unwrap();
        for hooks in [".git/hooks", "bare/hooks"] {
            fs::create_dir_all(root.join(hooks)).unwrap();
        }
        let _socket = std::os::unix::net::UnixListener::bind(root.join("a/s.sock")).unwrap();
        let mut expected: Vec<_> = covered
            .iter()
            .map(|name| root.join(name))
            .chain([".git/hooks", "bare/hooks", "a/s.sock"].map(|name| root.join(name)))
            .collect();
        expected.sort();
        let memory = tempfile::tempdir().unwrap();
        let memory = memory.path().join("memory.json");
        let venv = root.join("venv");
        let find = |except: &[&Path], named: &[&Path]| {
            super::find(&root, except, &named.iter().copied().collect(), &memory)
        };
        assert_eq!(find(&[&venv], &[]), Ok(expected.clone()));
        let named = root.join(".env");
        expected.retain(|path| *path != named);
        assert_eq!(find(&[&venv], &[&named]), Ok(expected.clone()));
        expected.push(root.join("venv/lib/a.pth"));
        expected.sort();
        assert_eq!(find(&[], &[&named]), Ok(expected));
    }
}

//! Where a journal may live, and what is said when it may not.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests are tests as well")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use waxcell_journal::{
    DiskFault, Entry, Journal, Mark, OpenError, ReadError, Reader, SpanId, SpanLock, SpanLockError, verify,
};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn refused(path: &Path) -> OpenError {
    Journal::open(path).expect_err("this is no place for a journal")
}

#[test]
fn what_is_made_is_private() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("a/b/journal");
    let mut journal = Journal::open(&directory).unwrap();
    journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"x" }).unwrap();
    for made in ["a", "a/b", "a/b/journal"] {
        assert_eq!(mode(&home.path().join(made)), 0o700);
    }
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files, [directory.join("00000000.log"), directory.join("lock")]);
    files.iter().for_each(|file| assert_eq!(mode(file), 0o600));
}

#[test]
fn a_place_that_others_can_change_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("journal");
    drop(Journal::open(&directory).unwrap());
    for loose in [0o770, 0o702, 0o777] {
        chmod(&directory, loose);
        let error = refused(&directory);
        assert!(matches!(&error, OpenError::Loose { mode, .. } if *mode == loose), "{error}");
        assert_eq!(
            error.to_string(),
            format!(
                "others may write to `{}` (mode {loose:03o}); run `chmod go-w` on it",
                directory.display()
            )
        );
    }
    // To be read by others is the owner's own decision.
    chmod(&directory, 0o755);
    drop(Journal::open(&directory).unwrap());
    for file in ["lock", "00000000.log"] {
        chmod(&directory.join(file), 0o620);
        assert!(matches!(refused(&directory), OpenError::Loose { path, .. } if path == directory.join(file)));
        chmod(&directory.join(file), 0o600);
    }
    drop(Journal::open(&directory).unwrap());
}

#[test]
fn what_is_no_directory_or_no_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::write(at("file"), b"").unwrap();
    assert!(matches!(refused(&at("file")), OpenError::NotADirectory(_)));
    assert!(matches!(refused(&at("file/journal")), OpenError::Disk(_) | OpenError::NotADirectory(_)));
    drop(Journal::open(&at("real")).unwrap());
    symlink(at("real"), at("link")).unwrap();
    for path in [at("link"), at("link/")] {
        assert!(matches!(refused(&path), OpenError::SymbolicLink(_)));
    }
    symlink(at("nowhere"), at("dangling")).unwrap();
    assert!(matches!(refused(&at("dangling")), OpenError::SymbolicLink(_)));
    assert!(!at("nowhere").exists());

    for file in ["lock", "00000000.log"] {
        let file = at("real").join(file);
        let content = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(matches!(refused(&at("real")), OpenError::NotAFile(path) if path == file));
        fs::remove_dir(&file).unwrap();
        symlink("/dev/null", &file).unwrap();
        assert!(matches!(refused(&at("real")), OpenError::NotAFile(path) if path == file));
        fs::remove_file(&file).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &file,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert!(matches!(refused(&at("real")), OpenError::NotAFile(path) if path == file));
        fs::remove_file(&file).unwrap();
        fs::write(&file, content).unwrap();
        chmod(&file, 0o600);
    }
    drop(Journal::open(&at("real")).unwrap());
}

#[test]
fn a_foreign_owner_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("journal");
    drop(Journal::open(&directory).unwrap());
    for path in [directory.join("00000000.log"), directory.join("lock"), directory.clone()] {
        if let Err(error) = std::os::unix::fs::chown(&path, Some(12345), None) {
            skip(&format!("only root can give a file away: {error}"));
            return;
        }
        assert!(
            matches!(refused(&directory), OpenError::ForeignOwner { owner: 12345, .. }),
            "{}",
            path.display()
        );
    }
}

#[test]
fn missing_permission_is_named() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("journal");
    drop(Journal::open(&directory).unwrap());
    if rustix::process::geteuid().is_root() {
        skip("nothing is forbidden to root");
        return;
    }
    chmod(home.path(), 0o500);
    let error = refused(&home.path().join("another"));
    assert!(matches!(&error, OpenError::Disk(error) if error.fault == DiskFault::Denied), "{error}");
    chmod(home.path(), 0o700);
    chmod(&directory.join("00000000.log"), 0o400);
    let error = refused(&directory);
    assert!(matches!(&error, OpenError::Disk(error) if error.fault == DiskFault::Denied), "{error}");
}

#[test]
fn reading_changes_nothing_and_needs_no_lock() {
    let home = tempfile::tempdir().unwrap();
    let (directory, copy) = (home.path().join("journal"), home.path().join("copy"));
    assert!(matches!(verify(&directory), Err(ReadError::NotAJournal(_))));
    assert!(matches!(Reader::open(&directory), Err(ReadError::NotAJournal(_))));
    assert!(!directory.exists());
    let mut journal = Journal::open(&directory).unwrap();
    journal.append(Entry { mark: Mark::None, span: SpanId::NONE, payload: b"x" }).unwrap();
    fs::create_dir(&copy).unwrap();
    fs::copy(directory.join("00000000.log"), copy.join("00000000.log")).unwrap();
    chmod(&copy.join("00000000.log"), 0o444);
    chmod(&copy, 0o555);
    assert_eq!(verify(&copy).unwrap(), verify(&directory).unwrap());
    assert_eq!(Reader::open(&copy).unwrap().count(), 1);
    chmod(&copy, 0o755);
    assert_eq!(fs::read_dir(&copy).unwrap().count(), 1);
}

#[test]
fn a_span_is_alive_while_its_lock_is_held() {
    let home = tempfile::tempdir().unwrap();
    let (runs, span) = (home.path().join("runs"), SpanId::new([0xab; 16]));
    assert!(!SpanLock::is_alive(&runs, span).unwrap());
    let lock = SpanLock::hold(&runs, span).unwrap();
    assert_eq!(mode(&runs), 0o700);
    assert!(runs.join("ab".repeat(16)).is_file());
    for _ in 0..2 {
        assert!(SpanLock::is_alive(&runs, span).unwrap());
        assert_eq!(SpanLock::pause(&runs).unwrap().left().unwrap(), [], "its holder lives");
        assert!(matches!(SpanLock::hold(&runs, span), Err(SpanLockError::Taken(taken)) if taken == span));
    }
    fs::write(runs.join(format!("{}.tmp", "cd".repeat(16))), b"").unwrap();
    assert_eq!(SpanLock::pause(&runs).unwrap().left().unwrap(), []);
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 1, "what never got its name is gone");
    drop(lock);
    assert!(!SpanLock::is_alive(&runs, span).unwrap());
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 0);
    chmod(&runs, 0o777);
    assert!(matches!(SpanLock::hold(&runs, span), Err(SpanLockError::Directory(OpenError::Loose { .. }))));
}

/// Nobody ever finds the name of a span that somebody holds without its lock.
#[test]
fn a_span_is_never_seen_half_locked() {
    let home = tempfile::tempdir().unwrap();
    let runs = &home.path().join("runs");
    fs::create_dir(runs).unwrap();
    chmod(runs, 0o700);
    let seen = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !runs.join("stop").exists() {
                for entry in fs::read_dir(runs).unwrap().map_while(Result::ok) {
                    let name = entry.file_name().into_string().unwrap();
                    // Neither `stop` nor a lock that has not got its name yet.
                    if name.len() != 32 {
                        continue;
                    }
                    let id = u128::from_str_radix(&name, 16).unwrap().to_be_bytes();
                    if !SpanLock::is_alive(runs, SpanId::new(id)).unwrap() {
                        // Released meanwhile: then the name is gone, too.
                        assert!(!runs.join(&name).exists(), "{name} was there and not locked");
                    }
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        // Who clears away meanwhile takes nothing from the living.
        scope.spawn(|| {
            while !runs.join("stop").exists() {
                assert_eq!(SpanLock::pause(runs).unwrap().left().unwrap(), []);
            }
        });
        // On a machine with more to do the watcher may need a while for its first look.
        for round in (1..500_000u128).take_while(|round| *round < 2000 || seen.load(Ordering::Relaxed) == 0) {
            drop(SpanLock::hold(runs, SpanId::new(round.to_be_bytes())).unwrap());
        }
        fs::write(runs.join("stop"), b"").unwrap();
        assert!(seen.load(Ordering::Relaxed) > 0);
    });
}

/// Says that a test did not take place; `WAXCELL_SKIP_LOG` names a file that collects these lines.
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test's own report")]
fn skip(why: &str) {
    use std::io::Write as _;
    let name = std::thread::current().name().unwrap_or("places").to_owned();
    println!("SKIPPED {name}: {why}");
    if let Some(list) = std::env::var_os("WAXCELL_SKIP_LOG").filter(|value| !value.is_empty()) {
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        // In one write: tests run side by side.
        list.write_all(format!("SKIPPED {name}: {why}\n").as_bytes()).unwrap();
    }
}

//! Layers of scripts that mean no good.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::support::*;
use crate::quarantine::{Change, QuarantineError, commit, discard, list, show};

fn shown(world: &World) -> Vec<Change> {
    let mut changes = Vec::new();
    show(&mut world.state(), "0101", true, &mut |change| changes.push(change)).unwrap();
    changes
}

fn refused(world: &World, allow_links: bool) -> Vec<(String, String)> {
    let before = world.seen();
    match commit(&mut world.state(), "0101", &caller(), allow_links, NOW) {
        Err(QuarantineError::Refused(blockers, 0)) => {
            assert_eq!(world.seen(), before);
            let data = world.data();
            let name = |path: &str| path.strip_prefix(data.to_str().unwrap()).unwrap_or(path).to_owned();
            blockers.into_iter().map(|blocker| (name(&blocker.path), blocker.why)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_neither_file_nor_folder_is_named_and_nobody_waits_for_it() {
    let world = World::new();
    world.run(|layer| {
        rustix::fs::mknodat(CWD, layer.join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        drop(std::os::unix::net::UnixListener::bind(layer.join("socket")).unwrap());
        write(&layer.join("in/plain"), "x");
        rustix::fs::mknodat(CWD, layer.join("in/fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    });
    let kinds: Vec<String> = shown(&world).iter().map(|change| change.kind.clone()).collect();
    assert_eq!(kinds, ["a FIFO", "folder", "a FIFO", "file", "a socket"]);
    assert_eq!(
        refused(&world, true),
        [("/fifo", "is a FIFO"), ("/in/fifo", "is a FIFO"), ("/socket", "is a socket")]
            .map(|(path, why)| (path.to_owned(), why.to_owned()))
    );
    discard(&mut world.state(), "0101", &caller(), NOW).unwrap();
}

#[test]
fn links_are_not_followed_and_made_only_when_somebody_says_so() {
    let world = World::new();
    let outside = world.root().join("outside");
    write(&outside.join("target"), "precious");
    write(&world.data().join("file"), "f");
    world.run(|layer| {
        symlink("/etc/passwd", layer.join("absolute")).unwrap();
        symlink("../../outside", layer.join("folder")).unwrap();
        symlink("../../outside/target", layer.join("file")).unwrap();
        write(&layer.join("sub/x"), "x");
        symlink("../../../../../..", layer.join("sub/up")).unwrap();
    });
    let links: Vec<_> = shown(&world).into_iter().filter(|change| change.kind == "link").collect();
    assert!(links.len() == 4 && links.iter().all(|link| link.refused.is_some() && link.lines.is_none()));
    assert_eq!(links[0].target.as_deref(), Some("/etc/passwd"));
    assert_eq!(refused(&world, false).len(), 4);
    commit(&mut world.state(), "0101", &caller(), true, NOW).unwrap();
    let seen = world.seen();
    assert_eq!(seen[&world.data().join("file")].0, 'l');
    assert_eq!(seen[&world.data().join("sub/up")].2, b"../../../../../..");
    assert_eq!(fs::read_to_string(outside.join("target")).unwrap(), "precious");
}

#[test]
fn what_the_host_would_execute_later_is_named_and_not_committed() {
    let world = World::new();
    write(&world.data().join("old.pth"), "o");
    write(&world.data().join("going.pth"), "g");
    world.run(|layer| {
        write(&layer.join("old.pth"), "import os");
        write(&layer.join("lib/sitecustomize.py"), "import os");
        write(&layer.join("repository/.git/hooks/post-checkout"), "#!/bin/sh");
        write(&layer.join("repository/.git/objects/x"), "x");
        symlink("lib/plain.py", layer.join("usercustomize.py")).unwrap();
        write(&layer.join("lib/plain.py"), "import os");
        whiteout(&layer.join("going.pth"));
    });
    let mut names: Vec<String> = refused(&world, true)
        .into_iter()
        .map(|(path, why)| {
            assert!(why.contains("execute later"), "{path}: {why}");
            path
        })
        .collect();
    names.sort();
    let expected =
        ["/lib/sitecustomize.py", "/old.pth", "/repository/.git/hooks/post-checkout", "/usercustomize.py"];
    assert_eq!(names, expected);
}

#[test]
fn what_the_policy_names_itself_is_committed_whatever_it_is_called() {
    let world = World::new();
    let named = world.data().join("tool.pth");
    write(&named, "old");
    world.run_over(std::slice::from_ref(&named), |layer| write(&layer.join("tool.pth"), "new"));
    commit(&mut world.state(), "0101", &caller(), false, NOW).unwrap();
    assert_eq!(fs::read_to_string(named).unwrap(), "new");
}

/// A link in the place of a folder of the host, on which the layer builds: nothing is written behind it.
#[test]
fn a_link_on_the_host_leads_nowhere() {
    let world = World::new();
    let outside = world.root().join("outside");
    fs::create_dir(&outside).unwrap();
    write(&world.data().join("sub/old"), "o");
    world.run(|layer| write(&layer.join("sub/new"), "n"));
    fs::rename(world.data().join("sub"), world.root().join("aside")).unwrap();
    symlink(&outside, world.data().join("sub")).unwrap();
    assert!(!refused(&world, true).is_empty());
    fs::remove_file(world.data().join("sub")).unwrap();
    fs::rename(world.data(), world.root().join("moved")).unwrap();
    symlink(&outside, world.data()).unwrap();
    assert_eq!(refused(&world, true).len(), 1, "the folder itself");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn what_the_script_closed_to_itself_is_committed_with_its_mode() {
    let world = World::new();
    world.run(|layer| {
        write(&layer.join("shut/deep/file"), "x");
        for (name, mode) in [("shut/deep/file", 0o200), ("shut/deep", 0o000), ("shut", 0o000)] {
            chmod(&layer.join(name), mode);
        }
    });
    assert_eq!(shown(&world).iter().filter_map(|change| change.mode).collect::<Vec<_>>(), [0, 0, 0o200]);
    commit(&mut world.state(), "0101", &caller(), false, NOW).unwrap();
    let shut = world.data().join("shut");
    let mode = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).unwrap().mode() & 0o7777
    };
    assert_eq!(mode(&shut), 0);
    chmod(&shut, 0o700);
    assert_eq!(mode(&shut.join("deep")), 0);
    chmod(&shut.join("deep"), 0o700);
    assert_eq!(mode(&shut.join("deep/file")), 0o200);
}

#[test]
fn names_of_every_kind_are_committed_as_they_are_and_shown_on_one_line() {
    let world = World::new();
    let names: [&[u8]; 6] =
        [b"new\nline", b"\x1b[31mred", b"\xff\xfe", b" ", "\u{202e}gnp".as_bytes(), b"-rf"];
    world.run(|layer| {
        for name in names {
            fs::write(layer.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
        }
    });
    let changes = shown(&world);
    assert_eq!(changes.len(), names.len());
    assert!(
        changes.iter().any(|change| change.path.ends_with("/\\xff\\xfe") && change.path_hex["0"].is_string())
    );
    commit(&mut world.state(), "0101", &caller(), false, NOW).unwrap();
    for name in names {
        assert_eq!(fs::read(world.data().join(std::ffi::OsStr::from_bytes(name))).unwrap(), name);
    }
}

fn deep(top: &Path, depth: usize, name: &str) {
    let mut at = rustix::fs::open(top, OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, name, OFlags::PATH, Mode::empty()).unwrap();
    }
}

#[test]
fn ten_thousand_folders_deep_is_told_and_can_be_discarded() {
    let world = World::new();
    let left = world.run(|layer| {
        write(&layer.join("plain"), "x");
        deep(layer, 10_000, "folder");
    });
    assert!(left.waiting.is_some_and(|head| head.partly.is_some()) && !left.changes.whole);
    assert!(shown(&world).len() > 100);
    let refused = commit(&mut world.state(), "0101", &caller(), false, NOW);
    assert!(matches!(refused, Err(QuarantineError::Partly { .. })), "{refused:?}");
    discard(&mut world.state(), "0101", &caller(), NOW).unwrap();
    assert!(!world.folder_of_run().exists());
}

#[test]
fn a_thousand_folders_deep_are_committed() {
    let world = World::new();
    world.run(|layer| deep(layer, 1000, "abc"));
    commit(&mut world.state(), "0101", &caller(), false, NOW).unwrap();
    assert!(world.data().join(["abc"; 900].iter().collect::<PathBuf>()).is_dir());
}

#[test]
fn what_is_withheld_is_not_committed_whatever_the_layer_says() {
    let world = World::new();
    for name in ["votes/a", "in/.env", "free"] {
        write(&world.data().join(name), name);
    }
    let withheld = [world.data(), world.data().join("votes"), world.data().join("in/.env")];
    std::thread::sleep(std::time::Duration::from_millis(30));
    let before = crate::changes::Before::note(vec![world.data()]);
    let mut layers = crate::quarantine::Layers::begin(&world.folder_of_run()).unwrap();
    layers.add(&world.data(), false, &[]).unwrap();
    let note = crate::quarantine::Note::new(String::new(), Path::new("/"), Path::new("/"));
    layers.note(note, withheld.to_vec()).unwrap();
    let layer = world.layer();
    write(&layer.join("votes/a"), "forged");
    whiteout(&layer.join("in"));
    write(&layer.join("free"), "fine");
    layers.seal(&before, &[]).unwrap();
    let paths: Vec<String> = refused(&world, true).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/in", "/votes", "/votes/a"]);
}

#[test]
fn a_run_that_was_lost_is_shown_and_discarded_alone() {
    let world = World::new();
    let mut layers = crate::quarantine::Layers::begin(&world.folder_of_run()).unwrap();
    layers.add(&world.data(), false, &[]).unwrap();
    let note = crate::quarantine::Note::new(String::new(), Path::new("/s.py"), Path::new("/"));
    layers.note(note, Vec::new()).unwrap();
    write(&world.layer().join("half"), "x");
    // As a process that was killed.
    std::mem::forget(layers);
    assert_eq!(list(&mut world.state()).unwrap()[0].state, crate::quarantine::Standing::Lost);
    assert_eq!(shown(&world).len(), 1);
    let refused = commit(&mut world.state(), "0101", &caller(), false, NOW);
    assert!(matches!(refused, Err(QuarantineError::Lost(_))), "{refused:?}");
    discard(&mut world.state(), "0101", &caller(), NOW).unwrap();
    assert!(list(&mut world.state()).unwrap().is_empty());
}

#[test]
fn a_damaged_list_keeps_nobody_from_the_others_and_can_be_discarded() {
    let world = World::new();
    world.run(|layer| write(&layer.join("x"), "x"));
    let list_of_it = world.folder_of_run().join("sealed");
    let whole = fs::read_to_string(&list_of_it).unwrap();
    let (head, rest) = whole.split_once('\n').unwrap();
    let broken =
        ["".to_owned(), "{}\n".to_owned(), format!("{head}\n{}", &rest[..rest.len() - 9]), rest.to_owned()];
    for text in broken {
        fs::write(&list_of_it, &text).unwrap();
        assert_eq!(list(&mut world.state()).unwrap().len(), 1, "{text}");
        let refused = commit(&mut world.state(), "0101", &caller(), false, NOW);
        assert!(matches!(refused, Err(QuarantineError::Io { .. })), "{text}: {refused:?}");
    }
    discard(&mut world.state(), "0101", &caller(), NOW).unwrap();
    assert!(list(&mut world.state()).unwrap().is_empty());
}

#[test]
fn a_lost_run_that_wrote_nothing_is_swept_away() {
    let world = World::new();
    let mut layers = crate::quarantine::Layers::begin(&world.folder_of_run()).unwrap();
    layers.add(&world.data(), false, &[]).unwrap();
    std::mem::forget(layers);
    crate::quarantine::settle(&mut world.state());
    assert!(!world.folder_of_run().exists());
}

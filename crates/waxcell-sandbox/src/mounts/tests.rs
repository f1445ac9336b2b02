//! What the order of mounts counts, and that no place is reached through a link.

use super::*;

#[test]
fn mount_points_in_scratch_space_are_counted_once_and_not_those_of_the_host() {
    let bind = |path: &str| Mount::Bind {
        source: path.into(),
        target: path.into(),
        access: Access::Read,
        owned: true,
    };
    let tmp = || Mount::Scratch { target: "/tmp".into(), mode: 0o1777, execute: false };
    let file = |path: &str| Mount::File { target: path.into(), contents: Vec::new(), mode: 0o444 };
    assert_eq!(scratch_overhead(&[tmp(), bind("/srv/a"), bind("/tmpfiles/a")]), 2);
    // `a`, `a/p`, `a/q`, `x`, `x/y`, and nothing below `a/p`.
    let mounts = [bind("/tmp/a/p"), bind("/tmp/a/q"), bind("/tmp/a/p/in/side"), file("/tmp/x/y")];
    assert_eq!(scratch_overhead(&[&[tmp()], &mounts[..]].concat()), 2 + 5);
}

#[test]
fn a_place_is_not_reached_through_a_link() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("root/data/real")).unwrap();
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("outside"), dir.path().join("root/data/link")).unwrap();
    let root = fs::open(dir.path().join("root"), OFlags::PATH, Mode::empty()).unwrap();
    let open = |folder: &str| {
        let (folder, name) = (CString::new(folder).unwrap(), c"x".to_owned());
        let placed = Placed { piece: Piece::Directory, folder, name, parents: Vec::new() };
        let root = root.as_fd();
        let site = Site { root, store: root, scratch: root, aside: None, is_served: false };
        (placed.open_folder(root).map(drop), placed.apply(&site))
    };
    assert_eq!(open("data/real"), (Ok(()), Ok(())));
    assert_eq!(open("data/link"), (Err(Errno::LOOP), Err(Errno::LOOP)));
    assert_eq!(open("data/real/../../.."), (Err(Errno::XDEV), Err(Errno::XDEV)));
    assert!(dir.path().join("root/data/real/x").is_dir() && !dir.path().join("outside/x").exists());
}

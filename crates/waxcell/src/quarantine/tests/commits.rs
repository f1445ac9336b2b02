//! What a commit does, what it refuses, and that a crash at any step leaves all of it or nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::support::*;
use crate::quarantine::commit::{Order, Step, sealed, story};
use crate::quarantine::store::Store;
use crate::quarantine::{QuarantineError, Standing, commit, discard, list, show};
use crate::state::State;

/// One of everything: what is there, and what a script makes of it.
fn rich(world: &World) {
    let data = world.data();
    for name in [
        "same",
        "changed",
        "gone",
        "tree/a",
        "tree/deep/b",
        "emptied/x",
        "kept/in",
        "kept/closed/y",
        "was_file",
        "was_folder/y",
    ] {
        write(&data.join(name), name);
    }
    fs::hard_link(data.join("changed"), data.join("other_name")).unwrap();
    chmod(&data.join("kept"), 0o750);
    chmod(&data.join("changed"), 0o640);
}

fn rich_script(layer: &Path) {
    write(&layer.join("changed"), "another");
    write(&layer.join("other_name"), "a third");
    chmod(&layer.join("changed"), 0o640);
    write(&layer.join("new"), "new");
    chmod(&layer.join("new"), 0o4755);
    write(&layer.join("made/deep/er"), "deep");
    chmod(&layer.join("made/deep"), 0o500);
    whiteout(&layer.join("gone"));
    whiteout(&layer.join("tree"));
    opaque(&layer.join("emptied"));
    write(&layer.join("emptied/z"), "z");
    write(&layer.join("kept/out"), "out");
    whiteout(&layer.join("kept/closed"));
    chmod(&layer.join("kept"), 0o500);
    opaque(&layer.join("was_file"));
    write(&layer.join("was_file/inside"), "i");
    write(&layer.join("was_folder"), "now a file");
    fs::write(layer.join("hole"), "").unwrap();
    fs::File::options().write(true).open(layer.join("hole")).unwrap().set_len(HOLE).unwrap();
}

/// Bytes that are nowhere.
const HOLE: u64 = 1 << 20;

fn committed(world: &World) -> Seen {
    let done = commit(&mut world.state(), &world.run.to_string(), &caller(), false, NOW).unwrap();
    assert_eq!(done.left, [""; 0]);
    world.seen()
}

#[test]
fn what_a_run_wrote_takes_the_place_of_what_was_there() {
    let world = World::new();
    rich(&world);
    let before = world.seen();
    let left = world.run(rich_script);
    assert_eq!(left.waiting.as_ref().unwrap().partly, None);
    let mut changes: Vec<String> = left
        .changes
        .list
        .iter()
        .map(|c| format!("{:?} {}", c.change, c.path.strip_prefix(world.data().to_str().unwrap()).unwrap()))
        .collect();
    changes.sort();
    assert_eq!(
        changes,
        [
            "Changed /changed",
            "Changed /other_name",
            "Created /emptied/z",
            "Created /hole",
            "Created /kept/out",
            "Created /made/deep/er",
            "Created /new",
            "Created /was_file/inside",
            "Created /was_folder",
            "Removed /emptied/x",
            "Removed /gone",
            "Removed /kept/closed/y",
            "Removed /tree/a",
            "Removed /tree/deep/b",
            "Removed /was_file",
            "Removed /was_folder/y",
        ]
    );
    assert_eq!(world.seen(), before, "nothing has happened yet");
    let after = committed(&world);
    let at = |name: &str| {
        after
            .get(&world.data().join(name))
            .map(|(kind, mode, content)| (*kind, *mode, String::from_utf8_lossy(content).into_owned()))
    };
    let file = |mode, content: &str| Some(('f', mode, content.to_owned()));
    let folder = |mode| Some(('d', mode, String::new()));
    let own = 0o666 & !umask();
    assert_eq!(at("same"), file(own, "same"));
    assert_eq!(at("changed"), file(0o640, "another"));
    assert_eq!(at("other_name"), file(own, "a third"));
    assert_eq!(at("new"), file(0o755, "new"), "without its set-user-id bit");
    assert_eq!(at("made/deep"), folder(0o500));
    assert_eq!((at("kept"), at("kept/closed")), (folder(0o500), None));
    assert_eq!((at("kept/in"), at("kept/out")), (file(own, "kept/in"), file(own, "out")));
    assert_eq!((at("gone"), at("tree"), at("emptied/x")), (None, None, None));
    assert_eq!((at("emptied/z"), at("was_file/inside")), (file(own, "z"), file(own, "i")));
    assert_eq!(at("was_folder"), file(own, "now a file"));
    let hole = fs::metadata(world.data().join("hole")).unwrap();
    assert!(hole.len() == HOLE && hole.blocks() < 100, "a hole stays one");
    assert!(!after.keys().any(|path| path.to_string_lossy().contains("waxcell")), "{after:?}");
    let records = world.records();
    assert_eq!((records.len(), &records[0]["action"]), (1, &"commit".into()));
    assert!(list(&mut world.state()).unwrap().is_empty() && !world.folder_of_run().exists());
}

fn umask() -> u32 {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x"), "").unwrap();
    0o666 & !fs::metadata(dir.path().join("x")).unwrap().mode()
}

/// Dies at the step that `at` counts, with all that the process knew.
fn dies(world: &World, at: usize) -> Option<Step> {
    let mut died = None;
    let mut count = 0;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let mut state = world.state();
        let store = Store::open(&mut state, true).unwrap().unwrap();
        let run = world.run.to_string();
        let sealed = sealed(&store, &run).unwrap();
        let order = Order { run: &run, caller: &caller(), allow_links: false, now: NOW };
        story(&store, &mut state, &order, &sealed, &mut |step| {
            if count == at {
                died = Some(step);
                std::panic::resume_unwind(Box::new(()));
            }
            count += 1;
        })
        .unwrap();
    }));
    died
}

#[test]
fn a_crash_at_any_step_leaves_all_of_it_or_nothing() {
    let expected = {
        let world = World::new();
        rich(&world);
        world.run(rich_script);
        let root = world.root();
        let relative = |seen: Seen| -> Vec<_> {
            seen.into_iter()
                .map(|(path, what)| (path.strip_prefix(&root).unwrap().to_owned(), what))
                .collect()
        };
        (relative(world.seen()), relative(committed(&world)))
    };
    assert_ne!(expected.0, expected.1, "control");
    let mut steps = Vec::new();
    for at in 0.. {
        let world = World::new();
        rich(&world);
        world.run(rich_script);
        let Some(step) = dies(&world, at) else { break };
        steps.push(step);
        let decided = steps.contains(&Step::Decided);
        // Whoever comes next: a run, or a command, once more killed in the middle of it.
        if decided && at % 2 == 1 {
            dies_in_recovery(&world, at % 5);
        }
        crate::quarantine::settle(&mut world.state());
        let root = world.root();
        let seen: Vec<_> = world
            .seen()
            .into_iter()
            .map(|(path, what)| (path.strip_prefix(&root).unwrap().to_owned(), what))
            .collect();
        let expected = if decided { &expected.1 } else { &expected.0 };
        assert_eq!(&seen, expected, "after a crash at {step:?}");
        let records = world.records();
        let waiting = list(&mut world.state()).unwrap();
        if decided {
            assert_eq!((records.len(), waiting.len()), (1, 0), "{step:?}: {records:?}");
            assert!(!world.folder_of_run().exists());
        } else {
            assert_eq!((records.len(), waiting.len()), (0, 1), "{step:?}: {records:?}");
            committed(&world);
            assert_eq!(world.records().len(), 1);
        }
        let quarantine = world.root().join("state/quarantine");
        let names: Vec<_> = fs::read_dir(quarantine).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["lock"], "after a crash at {step:?}");
    }
    for step in [Step::Begun, Step::Synchronised, Step::Decided, Step::Done, Step::Recorded, Step::Hidden] {
        assert!(steps.contains(&step), "{steps:?}");
    }
    assert!(steps.iter().filter(|step| matches!(step, Step::Between(_))).count() >= 4, "{steps:?}");
}

fn dies_in_recovery(world: &World, at: usize) {
    let mut count = 0;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let mut state = world.state();
        let store = Store::open(&mut state, true).unwrap().unwrap();
        let Some(intent) = store.intent().unwrap() else { return };
        let Ok(sealed) = sealed(&store, &intent.run) else { return };
        let record = intent.record.unwrap();
        let crash = &mut |_| {
            if count == at {
                std::panic::resume_unwind(Box::new(()));
            }
            count += 1;
        };
        let _ =
            crate::quarantine::commit::finish(&store, &mut state, &intent.run, &sealed, record, true, crash);
    }));
}

/// What may happen to the host between run and commit, and whether the commit is still that of the same files.
#[test]
fn a_commit_is_refused_when_what_it_touches_has_changed() {
    type Change = fn(&Path);
    let others: [(&str, Change); 14] = [
        ("changed", |data| fs::write(data.join("changed"), "by hand").unwrap()),
        ("changed", |data| fs::write(data.join("changed"), "changed").unwrap()),
        ("changed", |data| chmod(&data.join("changed"), 0o600)),
        ("changed", |data| fs::remove_file(data.join("changed")).unwrap()),
        ("changed", |data| {
            fs::remove_file(data.join("changed")).unwrap();
            symlink("same", data.join("changed")).unwrap();
        }),
        ("gone", |data| fs::write(data.join("gone"), "by hand").unwrap()),
        ("gone", |data| fs::remove_file(data.join("gone")).unwrap()),
        ("new", |data| fs::write(data.join("new"), "by hand").unwrap()),
        ("made", |data| write(&data.join("made/by"), "hand")),
        ("tree", |data| fs::write(data.join("tree/deep/c"), "by hand").unwrap()),
        ("tree", |data| fs::write(data.join("tree/deep/b"), "by hand").unwrap()),
        ("kept", |data| chmod(&data.join("kept"), 0o755)),
        ("kept", |data| {
            fs::rename(data.join("kept"), data.join("aside")).unwrap();
            write(&data.join("kept/in"), "by hand");
            chmod(&data.join("kept"), 0o750);
        }),
        ("was_folder", |data| fs::remove_file(data.join("was_folder/y")).unwrap()),
    ];
    for (number, (name, change)) in others.into_iter().enumerate() {
        let world = World::new();
        rich(&world);
        world.run(rich_script);
        change(&world.data());
        let before = world.seen();
        let refused = commit(&mut world.state(), "0101", &caller(), false, NOW);
        let Err(QuarantineError::Refused(blockers, 0)) = refused else { panic!("{number}: {refused:?}") };
        let path = world.data().join(name);
        assert!(blockers.iter().any(|b| Path::new(&b.path).starts_with(&path)), "{number}: {blockers:?}");
        assert_eq!(world.seen(), before, "{number}");
        assert_eq!(world.records().len(), 0);
    }
    // What it does not touch may change, and an empty folder where it makes one is no loss.
    let world = World::new();
    rich(&world);
    world.run(rich_script);
    fs::write(world.data().join("same"), "by hand").unwrap();
    fs::write(world.data().join("kept/beside"), "by hand").unwrap();
    chmod(&world.root().join("project"), 0o700);
    fs::create_dir(world.data().join("made")).unwrap();
    let after = committed(&world);
    assert_eq!(after[&world.data().join("same")].2, b"by hand");
    assert!(after.contains_key(&world.data().join("made/deep/er")));
}

#[test]
fn what_changes_while_the_run_goes_on_is_not_overwritten() {
    type Change = fn(&Path);
    let others: [(&str, Change); 4] = [
        ("changed", |data| fs::write(data.join("changed"), "by hand").unwrap()),
        ("changed", |data| fs::remove_file(data.join("changed")).unwrap()),
        ("new", |data| fs::write(data.join("new"), "by hand").unwrap()),
        ("tree", |data| fs::write(data.join("tree/c"), "by hand").unwrap()),
    ];
    for (name, change) in others {
        let world = World::new();
        rich(&world);
        let data = world.data();
        world.run(|layer| {
            change(&data);
            rich_script(layer);
        });
        let refused = commit(&mut world.state(), "0101", &caller(), false, NOW);
        let Err(QuarantineError::Refused(blockers, 0)) = refused else { panic!("{name}: {refused:?}") };
        assert!(blockers.iter().any(|b| b.path == data.join(name).to_str().unwrap()), "{blockers:?}");
    }
}

#[test]
fn of_two_runs_that_touch_one_file_the_second_is_refused() {
    let (first, second) = (World::new(), SecondRun);
    write(&first.data().join("x"), "0");
    first.run(|layer| write(&layer.join("x"), "1"));
    second.run(&first, |layer| write(&layer.join("x"), "2"));
    assert_eq!(list(&mut first.state()).unwrap().len(), 2);
    commit(&mut first.state(), "0101", &caller(), false, NOW).unwrap();
    let refused = commit(&mut first.state(), "0202", &caller(), false, NOW);
    assert!(matches!(refused, Err(QuarantineError::Refused(..))), "{refused:?}");
    assert_eq!(fs::read_to_string(first.data().join("x")).unwrap(), "1");
    discard(&mut first.state(), "0202", &caller(), NOW).unwrap();
    assert!(list(&mut first.state()).unwrap().is_empty());
}

struct SecondRun;

impl SecondRun {
    /// Another run over the same data.
    fn run(&self, world: &World, script: impl FnOnce(&Path)) {
        use crate::changes::Before;
        use crate::quarantine::{Layers, Note};
        let before = Before::note(vec![world.data()]);
        let folder = world.root().join("state/quarantine").join("02".repeat(16));
        let mut layers = Layers::begin(&folder).unwrap();
        layers.add(&world.data(), false, &[]).unwrap();
        layers.note(Note::new(String::new(), Path::new("/"), Path::new("/")), Vec::new()).unwrap();
        script(&folder.join("0/upper"));
        layers.seal(&before, &[]).unwrap();
    }
}

/// As the kernel does for a file that is opened for writing.
fn copy_up(world: &World, layer: &Path, name: &str) {
    let from = world.data().join(name);
    fs::copy(&from, layer.join(name)).unwrap();
    let modified = fs::metadata(&from).unwrap().modified().unwrap();
    let copy = fs::File::options().write(true).open(layer.join(name)).unwrap();
    copy.set_times(fs::FileTimes::new().set_modified(modified)).unwrap();
}

#[test]
fn a_run_that_changes_nothing_leaves_nothing() {
    let world = World::new();
    write(&world.data().join("opened"), "x");
    write(&world.data().join("folder/in"), "x");
    let left = world.run(|layer| {
        copy_up(&world, layer, "opened");
        // A file made and removed in a folder that was there.
        fs::create_dir(layer.join("folder")).unwrap();
    });
    assert_eq!((left.changes.list.len(), left.waiting), (0, None));
    assert!(!world.folder_of_run().exists());
}

#[test]
fn what_only_the_times_do_not_show_is_a_change() {
    let world = World::new();
    for name in ["content", "mode", "attribute"] {
        write(&world.data().join(name), "x");
    }
    let left = world.run(|layer| {
        write(&world.data().join("content"), "x");
        for name in ["content", "mode", "attribute"] {
            copy_up(&world, layer, name);
        }
        let modified = fs::metadata(layer.join("content")).unwrap().modified().unwrap();
        fs::write(layer.join("content"), "y").unwrap();
        let file = fs::File::options().write(true).open(layer.join("content")).unwrap();
        file.set_times(fs::FileTimes::new().set_modified(modified)).unwrap();
        chmod(&layer.join("mode"), 0o751);
        let set = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(layer.join("attribute"), "user.mark", b"1", set).unwrap();
        rustix::fs::setxattr(layer.join("attribute"), "user.overlay.origin", b"", set).unwrap();
    });
    assert_eq!(left.waiting.unwrap().changes, 3);
    // The first was changed by hand as well, meanwhile.
    let refused = commit(&mut world.state(), "0101", &caller(), false, NOW);
    assert!(
        matches!(&refused, Err(QuarantineError::Refused(blockers, 0)) if blockers.len() == 1),
        "{refused:?}"
    );
}

#[test]
fn attributes_of_files_are_carried_over_but_for_those_of_the_kernel() {
    let world = World::new();
    write(&world.data().join("x"), "x");
    world.run(|layer| {
        write(&layer.join("x"), "y");
        let set = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(layer.join("x"), "user.mark", b"1", set).unwrap();
        rustix::fs::setxattr(layer.join("x"), "user.overlay.origin", b"", set).unwrap();
    });
    commit(&mut world.state(), "0101", &caller(), false, NOW).unwrap();
    let mut names = [0u8; 100];
    let length = rustix::fs::listxattr(world.data().join("x"), &mut names[..]).unwrap();
    let names: Vec<_> =
        names[..length].split(|b| *b == 0).filter(|name| name.starts_with(b"user.")).collect();
    assert_eq!(names, [b"user.mark"]);
}

#[test]
fn what_was_put_beside_the_files_belongs_to_the_commit_alone() {
    for action in ["removed", "folder moved"] {
        let world = World::new();
        rich(&world);
        world.run(rich_script);
        let mut state = world.state();
        let store = Store::open(&mut state, true).unwrap().unwrap();
        let run = world.run.to_string();
        let sealed = sealed(&store, &run).unwrap();
        let order = Order { run: &run, caller: &caller(), allow_links: false, now: NOW };
        let kept = world.data().join("kept");
        let done = story(&store, &mut state, &order, &sealed, &mut |step| {
            if step != Step::Decided {
                return;
            }
            if action == "removed" {
                let staged = fs::read_dir(&kept).unwrap().flatten().map(|entry| entry.path());
                let staged = staged.filter(|path| path.to_string_lossy().ends_with(".new"));
                staged.for_each(|path| fs::remove_file(path).unwrap());
            } else {
                fs::rename(&kept, world.data().join("aside")).unwrap();
                fs::create_dir(&kept).unwrap();
            }
        });
        assert!(
            matches!(&done, Err(QuarantineError::Half { path, .. }) if path.starts_with(&kept)),
            "{done:?}"
        );
        assert_eq!(world.records().len(), 0, "it is not said to be done");
    }
}

#[test]
fn folders_that_were_not_there_are_made_on_commit_and_only_if_something_is_in_them() {
    let world = World::new();
    let places = [world.root().join("project/later/on"), world.root().join("project/later/off")];
    world.run_over(&places, |layer| write(&layer.join("x"), "x"));
    let after = committed(&world);
    let project = world.root().join("project");
    assert!(
        after.contains_key(&project.join("later/off/x")) || after.contains_key(&project.join("later/on/x"))
    );
    let made = after.keys().filter(|path| path.starts_with(project.join("later"))).count();
    assert_eq!(made, 3, "{after:?}");
}

#[test]
fn a_half_done_commit_that_cannot_go_on_says_so_and_can_be_given_up() {
    // Something has been done, and something has not.
    let world = (0..)
        .map(|at| {
            let world = World::new();
            rich(&world);
            world.run(rich_script);
            (dies(&world, at), world)
        })
        .find_map(|(died, world)| (died.expect("a step") == Step::Applied(0)).then_some(world))
        .unwrap();
    fs::write(world.data().join("changed"), "somebody's work").unwrap();
    let mut state = world.state();
    let stuck = commit(&mut state, "0101", &caller(), false, NOW);
    assert!(matches!(stuck, Err(QuarantineError::Half { .. })), "{stuck:?}");
    assert_eq!(list(&mut state).unwrap()[0].state, Standing::HalfCommitted);
    assert_eq!(show(&mut state, "0101", true, &mut |_| {}).unwrap().state, Standing::HalfCommitted);
    let done = discard(&mut state, "0101", &caller(), NOW).unwrap();
    assert_eq!(done.left, [""; 0]);
    assert_eq!(fs::read_to_string(world.data().join("changed")).unwrap(), "somebody's work");
    assert!(!world.seen().keys().any(|path| path.to_string_lossy().contains("waxcell")));
    let records = world.records();
    assert_eq!((&records[0]["action"], &records[0]["half_committed"]), (&"discard".into(), &true.into()));
    assert!(list(&mut state).unwrap().is_empty());
}

#[test]
fn names_are_found_by_their_first_digits_and_nothing_else_is() {
    let world = World::new();
    let mut state = world.state();
    begin_journal(&mut state);
    assert!(list(&mut state).unwrap().is_empty());
    let found =
        |state: &mut State, name: &str| show(state, name, false, &mut |_| {}).map(|waiting| waiting.run);
    assert!(matches!(found(&mut state, "01"), Err(QuarantineError::None(_))));
    world.run(|layer| write(&layer.join("x"), "1"));
    SecondRun.run(&world, |layer| write(&layer.join("y"), "2"));
    fs::create_dir(world.root().join("state/quarantine/0101")).unwrap();
    assert_eq!(found(&mut state, "01").unwrap(), "01".repeat(16));
    assert_eq!(found(&mut state, &"01".repeat(16).to_uppercase()).unwrap(), "01".repeat(16));
    assert!(matches!(found(&mut state, "0"), Err(QuarantineError::Several(_))));
    for name in ["", "03", "../state", "lock", &"01".repeat(17)] {
        assert!(matches!(found(&mut state, name), Err(QuarantineError::None(_))), "{name}");
    }
}

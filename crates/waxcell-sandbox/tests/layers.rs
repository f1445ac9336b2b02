//! Layers over what a script may write to: it finds its own writes, and the host's files stay as they were.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use support::{directory, plan, run};
use waxcell_sandbox::*;

/// A folder of the host, and the folder of a layer over it.
fn places(dir: &Path) -> (PathBuf, PathBuf) {
    let (data, layer) = (dir.join("data"), dir.join("layer"));
    fs::create_dir(&data).unwrap();
    for part in LAYER_PARTS {
        fs::create_dir_all(layer.join(part)).unwrap();
        fs::set_permissions(layer.join(part), fs::Permissions::from_mode(0o700)).unwrap();
    }
    (data, layer)
}

fn over(source: &Path, target: &str, layer: &Path) -> Mount {
    Mount::Overlay {
        source: source.into(),
        is_file: source.is_file(),
        target: target.into(),
        access: Access::Write,
        layer: layer.into(),
    }
}

/// A plan whose `/data` is a layer over `data`.
fn layered(script: &str, data: &Path, layer: &Path) -> Plan {
    let mut plan = plan(script, data);
    for mount in &mut plan.mounts {
        if mount.target() == Some(Path::new("/data")) {
            *mount = over(data, "/data", layer);
        }
    }
    plan
}

#[test]
fn what_a_script_writes_is_in_the_layer_and_nothing_of_the_host_changes() {
    let dir = directory();
    let (data, layer) = places(dir.path());
    fs::create_dir_all(data.join("sub/deep")).unwrap();
    for name in ["kept", "changed", "gone", "sub/gone", "sub/deep/x"] {
        fs::write(data.join(name), name).unwrap();
    }
    let before = fs::metadata(data.join("changed")).unwrap();
    let script = "
import os, shutil, stat
open('changed', 'a').write('+')
open('new', 'w').write('n')
os.mkdir('made'); open('made/in', 'w').write('i')
os.remove('gone'); shutil.rmtree('sub'); os.mkdir('sub'); open('sub/other', 'w').write('o')
os.replace('new', 'newer')
print(sorted(os.listdir('.')), open('changed').read(), open('kept').read(), os.listdir('sub'), os.stat('newer').st_uid == os.getuid())
";
    let ran = run(&layered(script, &data, &layer));
    assert_eq!(ran.error, "");
    assert_eq!(ran.output, "['changed', 'kept', 'made', 'newer', 'sub'] changed+ kept ['other'] True\n");
    assert_eq!(ran.enforced.layers, ["/data"]);
    assert!(["nosuid", "nodev", "noexec"].iter().all(|option| ran.enforced.mounts["/data"].contains(option)));
    for name in ["kept", "changed", "gone", "sub/gone", "sub/deep/x"] {
        assert_eq!(fs::read_to_string(data.join(name)).unwrap(), name, "the host's own");
    }
    let after = fs::metadata(data.join("changed")).unwrap();
    assert_eq!((before.ctime(), before.ctime_nsec()), (after.ctime(), after.ctime_nsec()));
    assert_eq!(fs::read_dir(&data).unwrap().count(), 4);
    let upper = layer.join(LAYER_PARTS[0]);
    assert_eq!(fs::read_to_string(upper.join("changed")).unwrap(), "changed+");
    assert_eq!(fs::read_to_string(upper.join("sub/other")).unwrap(), "o");
    assert!(fs::symlink_metadata(upper.join("gone")).unwrap().file_type().is_char_device());
    let caller = rustix::process::geteuid().as_raw();
    for name in ["changed", "newer", "made", "made/in", "gone"] {
        assert_eq!(fs::symlink_metadata(upper.join(name)).unwrap().uid(), caller, "{name}");
    }
}

#[test]
fn one_file_is_written_to_in_a_layer_and_its_neighbours_are_not_there() {
    let dir = directory();
    let (data, layer) = places(dir.path());
    fs::write(data.join("state.json"), "1").unwrap();
    fs::write(data.join("neighbour"), "n").unwrap();
    let script = "
import os
f = open('/one/state.json', 'r+'); f.write('23'); f.close()
print(open('/one/state.json').read(), os.listdir('/one'))
for act in (lambda: os.remove('/one/state.json'), lambda: open('/one/other', 'w'), lambda: os.rename('/one/state.json', '/one/x')):
    try: act(); print('DONE')
    except OSError as e: pass
";
    let other = directory();
    let mut plan = plan(script, other.path());
    plan.mounts.push(over(&data.join("state.json"), "/one/state.json", &layer));
    let ran = run(&plan);
    assert_eq!((ran.output.as_str(), ran.error.as_str()), ("23 ['state.json']\n", ""));
    assert_eq!(ran.enforced.layers, ["/one/state.json"]);
    assert_eq!(fs::read_to_string(data.join("state.json")).unwrap(), "1");
    let upper = layer.join(LAYER_PARTS[0]);
    assert_eq!(fs::read_to_string(upper.join("state.json")).unwrap(), "23");
    assert_eq!(fs::read_dir(upper).unwrap().count(), 1);
}

#[test]
fn a_layer_holds_what_lies_over_it_and_what_is_blocked() {
    let dir = directory();
    let (data, layer) = places(dir.path());
    for name in ["in/secret", "votes/a", "plain"] {
        fs::create_dir_all(data.join(name).parent().unwrap()).unwrap();
        fs::write(data.join(name), name).unwrap();
    }
    let script = "
import os
def tries(what, act):
    try: act(); print(what, 'DONE')
    except OSError as e: print(what, e.errno)
tries('secret', lambda: open('in/secret').read())
tries('unlink', lambda: os.unlink('in/secret'))
tries('rename', lambda: os.rename('in', 'out'))
tries('votes', lambda: open('votes/a', 'w'))
tries('delete', lambda: os.unlink('plain'))
tries('chmod', lambda: os.chmod('plain', 0o777))
tries('setid', lambda: os.chmod('votes', 0o6777))
open('in/new', 'w').write('x')
";
    let mut plan = layered(script, &data, &layer);
    plan.mounts.extend([
        Mount::Pin { target: "/data/in".into() },
        Mount::Cover { target: "/data/in/secret".into(), shows: None },
        Mount::Bind {
            source: data.join("votes"),
            target: "/data/votes".into(),
            access: Access::ReadExecute,
            owned: true,
        },
    ]);
    plan.guard = Guard { delete: true, chmod: true, ..Guard::default() };
    let ran = run(&plan);
    assert_eq!(ran.error, "");
    assert_eq!(ran.output, "secret 13\nunlink 1\nrename 16\nvotes 30\ndelete 1\nchmod 1\nsetid 1\n",);
    let refused: Vec<String> = ran
        .ending
        .denials
        .iter()
        .map(|denial| String::from_utf8_lossy(&denial.target).into_owned())
        .collect();
    assert!(refused.contains(&"/data/plain".to_owned()), "{refused:?}");
    let upper = layer.join(LAYER_PARTS[0]);
    assert_eq!(fs::read_to_string(upper.join("in/new")).unwrap(), "x");
    assert!(!upper.join("in/secret").exists() && !upper.join("votes").exists());
}

#[test]
fn a_layer_that_cannot_be_mounted_is_a_refusal_that_names_the_place() {
    let dir = directory();
    let (data, layer) = places(dir.path());
    // The kernel wants two folders that are not one in the other.
    fs::remove_dir(layer.join(LAYER_PARTS[1])).unwrap();
    let plan = layered("print('ran')", &data, &layer);
    let stdio = Stdio {
        stdin: rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap(),
        stdout: Destination::Captured,
        stderr: None,
    };
    let ground = Ground::lay(&plan.identity, &plan.limits, "no-layer").expect("ground");
    let building = spawn(&plan, ground, stdio, SignalSet::of(&[])).expect("spawn");
    let error = building.ready().expect_err("no layer, no run");
    assert!(error.is_refusal() && matches!(&error, SpawnError::Layer { .. }), "{error}");
    assert!(error.to_string().contains("/data"), "{error}");
}

//! `write_mode: overlay`, from the outside: nothing of the host changes until somebody commits, and then all of it or
//! nothing does.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Place, Running, Said, alive, is_root, marker, policy, say, skip, types, until};

/// A policy that writes to layers.
fn layered(paths: &str) -> String {
    let direct = policy(&[("max_open_files", "256")]);
    direct.replace("[./data]", paths).replace("filesystem:\n", "filesystem:\n  write_mode: overlay\n")
}

fn place() -> Place {
    let place = Place::new(&layered("[./data]"));
    for name in ["changed", "gone", "same", "tree/a", "tree/b/c"] {
        place.write(format!("data/{name}"), format!("{name}\n"));
    }
    place
}

const SCRIPT: &str = "
import os, shutil
open('data/changed', 'a').write('more\\n')
os.remove('data/gone')
shutil.rmtree('data/tree')
os.mkdir('data/made')
open('data/made/new', 'w').write('new\\n')
assert sorted(os.listdir('data')) == ['changed', 'made', 'same'], os.listdir('data')
assert open('data/changed').read() == 'changed\\nmore\\n'
";

fn quarantine(place: &Place, args: &[&str]) -> Said {
    say(&mut place.waxcell(&[&["quarantine"], args].concat()))
}

/// The lines of JSON that a command prints.
fn lines(place: &Place, args: &[&str]) -> Vec<Value> {
    let said = quarantine(place, &[args, &["--json"]].concat());
    said.out().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{said:?}"))).collect()
}

/// The only run that waits.
fn waiting(place: &Place) -> String {
    let waiting = lines(place, &["list"]);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    waiting[0]["run"].as_str().expect("a name").to_owned()
}

/// Only what a project has that a policy lets scripts write to.
fn data(place: &Place) -> Vec<(String, u32, Vec<u8>)> {
    let data = place.project().join("data");
    let tree = place.tree().into_iter().filter(|(path, _)| path.starts_with(&data));
    tree.map(|(path, (mode, content))| {
        (path.strip_prefix(&data).unwrap().to_string_lossy().into_owned(), mode, content)
    })
    .collect()
}

fn is_committed(place: &Place) -> bool {
    let names: Vec<String> = data(place).into_iter().map(|(name, ..)| name).collect();
    names == ["", "changed", "made", "made/new", "same"] && place.read("data/changed") == "changed\nmore\n"
}

#[test]
fn nothing_changes_until_it_is_committed() {
    let place = place();
    let before = place.tree();
    let said = place.run(SCRIPT);
    place.write("script.py", SCRIPT);
    assert_eq!(said.code, 0, "{said:?}");
    let run = waiting(&place);
    assert_eq!(said.err(), format!("waxcell: 5 changes wait in quarantine: waxcell quarantine show {run}\n"));
    let after: Vec<_> = place.tree().into_iter().filter(|(path, _)| !path.ends_with("script.py")).collect();
    assert_eq!(after, before.into_iter().collect::<Vec<_>>(), "the host's files are as they were");

    let listed = quarantine(&place, &["list"]).out();
    assert!(listed.starts_with(&run) && listed.contains("waiting  5 changes"), "{listed}");
    let shown = quarantine(&place, &["show", &run[..8]]);
    let data_at = place.project().join("data");
    let expected = format!(
        "changed  file    {0}/changed  8 -> 13 bytes\n    @@ -1,1 +1,2 @@\n     changed\n    +more\n\
         removed  file    {0}/gone  5 bytes\n    @@ -1,1 +0,0 @@\n    -gone\n\
         created  folder  {0}/made\n\
         created  file    {0}/made/new  4 bytes\n    @@ -0,0 +1,1 @@\n    +new\n\
         removed  folder  {0}/tree\n",
        data_at.display()
    );
    assert_eq!(shown.out(), expected);
    assert_eq!(quarantine(&place, &["show", "--names", &run]).out().lines().count(), 5);
    let changes: Vec<_> =
        lines(&place, &["show", &run]).iter().map(|change| change["change"].clone()).collect();
    assert_eq!(changes, ["changed", "removed", "created", "created", "removed"]);

    let done = quarantine(&place, &["commit", &run]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(is_committed(&place), "{:?}", data(&place));
    assert_eq!(quarantine(&place, &["list"]).out(), "");
    for (path, _) in place.tree() {
        let owner = rustix::process::geteuid().as_raw();
        assert_eq!(fs::symlink_metadata(&path).unwrap().uid(), owner, "{path:?}");
    }
    let again = quarantine(&place, &["commit", &run]);
    assert!(again.code == 1 && again.err().contains("no run"), "{again:?}");
    place.check_journal();
}

#[test]
fn the_record_says_where_writes_went_and_who_decided() {
    let place = place();
    let (_, report) = place.report(SCRIPT);
    assert_eq!(report["quarantine"]["changes"], 5, "{report:#}");
    assert_eq!(report["enforced"]["layers"], serde_json::json!([place.project().join("data")]));
    let changed: Vec<String> = report["files_changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            format!("{} {}", change["change"], change["path"].as_str().unwrap().rsplit('/').next().unwrap())
        })
        .collect();
    assert_eq!(
        changed,
        ["\"changed\" changed", "\"removed\" gone", "\"created\" new", "\"removed\" a", "\"removed\" c"]
    );
    let run = waiting(&place);
    let done = lines(&place, &["commit", &run]);
    let records = place.records();
    assert_eq!(types(&records), ["started", "finished", "operator"]);
    assert_eq!(
        (&records[1]["quarantine"]["changes"], &records[1]["enforced"]["layers"]),
        (&5.into(), &1.into())
    );
    let commit = &records[2];
    assert_eq!((&commit["action"], &commit["run"]), (&"commit".into(), &report["run_id"]));
    assert_eq!(commit["actor"]["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(commit["paths"].as_array().unwrap().len(), 5, "{commit:#}");
    let of = |name: &str| {
        let mut paths = commit["paths"].as_array().unwrap().iter();
        paths.find(|path| path["path"].as_str().unwrap().ends_with(name)).unwrap().clone()
    };
    // That of `new` and a line end.
    let hash = "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c";
    assert_eq!((&of("made/new")["sha256"], &of("made/new")["change"]), (&hash.into(), &"created".into()));
    assert_eq!((&of("data/tree")["sha256"], &of("data/tree")["change"]), (&Value::Null, &"removed".into()));
    assert_eq!(done[0]["record"]["index"], commit["index"]);

    place.run("open('data/same', 'a').write('x')");
    let run = waiting(&place);
    assert_eq!(quarantine(&place, &["discard", &run]).code, 0);
    let records = place.records();
    assert_eq!((&records[5]["action"], &records[5]["changes"]), (&"discard".into(), &1.into()));
    assert_eq!(place.read("data/same"), "same\n");
    let (_, report) = place.report("print(1)");
    assert_eq!(report["quarantine"], Value::Null, "nothing was written");
    assert_eq!(fs::read_dir(place.state().join("quarantine")).unwrap().count(), 1, "the lock");
}

#[test]
fn direct_is_the_default_and_leaves_no_quarantine() {
    let place = Place::new(&policy(&[]));
    let (_, report) = place.report("import os\nos.makedirs('data')\nopen('data/x', 'w').write('x')");
    assert_eq!(
        (&report["quarantine"], &report["enforced"]["layers"]),
        (&Value::Null, &serde_json::json!([]))
    );
    assert!(place.has("data/x") && !place.state().join("quarantine").exists());
    let listed = quarantine(&place, &["list"]);
    assert_eq!((listed.code, listed.out().as_str()), (0, ""));
}

#[test]
fn a_base_that_changed_is_not_overwritten() {
    let place = place();
    place.run(SCRIPT);
    let run = waiting(&place);
    place.write("data/tree/b/d", "by hand");
    let before = data(&place);
    let said = quarantine(&place, &["commit", &run]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err().contains("data/tree` has changed on the host since the run began"), "{said:?}");
    let refused = lines(&place, &["commit", &run]);
    assert!(refused[0]["refused"][0]["path"].as_str().unwrap().ends_with("data/tree"), "{refused:?}");
    assert_eq!(data(&place), before);
    let shown = quarantine(&place, &["show", "--names", &run]).out();
    assert!(shown.contains("data/tree  [not committed: has changed"), "{shown}");
    assert_eq!(types(&place.records()), ["started", "finished"]);
    fs::remove_file(place.project().join("data/tree/b/d")).unwrap();
    assert_eq!(quarantine(&place, &["commit", &run]).code, 0, "control: it is as it was");
}

#[test]
fn of_two_runs_over_one_file_one_is_committed() {
    let place = place();
    place.run("open('data/changed', 'a').write('1')");
    let first = waiting(&place);
    place.run("open('data/changed', 'a').write('2'); open('data/own', 'w')");
    let second = lines(&place, &["list"])[1]["run"].as_str().unwrap().to_owned();
    assert_eq!(quarantine(&place, &["commit", &first]).code, 0);
    assert_eq!(quarantine(&place, &["commit", &second]).code, 1);
    assert!(place.read("data/changed") == "changed\n1" && !place.has("data/own"));
}

#[test]
fn what_is_not_there_yet_is_made_by_the_commit_alone() {
    let place =
        Place::new(&layered("[./reports, ./deep/er, ./out.json, ./in/x.csv, ./unused, ./state.json]"));
    place.write("state.json", "{}");
    let before: Vec<_> = place.tree().into_keys().collect();
    let said = place.run(
        "
import os
os.mkdir('reports'); open('reports/a', 'w').write('a')
os.makedirs('deep/er', exist_ok=True); open('deep/er/b', 'w').write('b')
open('out.json', 'w').write('[]'); assert open('out.json').read() == '[]'
open('in/x.csv', 'w').write('1,2'); open('state.json', 'w').write('{1}')
",
    );
    assert_eq!((said.code, said.out()), (0, String::new()), "{said:?}");
    fs::remove_file(place.project().join("script.py")).unwrap();
    assert_eq!(place.tree().into_keys().collect::<Vec<_>>(), before, "nothing was left for the run");
    assert_eq!(place.read("state.json"), "{}");
    assert_eq!(quarantine(&place, &["commit", &waiting(&place)]).code, 0);
    let names = ["reports/a", "deep/er/b", "out.json", "in/x.csv", "state.json"];
    assert_eq!(names.map(|name| place.read(name)), ["a", "b", "[]", "1,2", "{1}"]);
    assert!(!place.has("unused"));
}

#[test]
fn what_is_withheld_in_a_writable_folder_stays_so() {
    let place = Place::new(&layered(
        "[./data, {path: ./data/votes, access: read}, {path: ./data/no, access: none}, {path: ./data/absent, access: none}]",
    ));
    for name in ["data/votes/a", "data/no/x", "data/in/.env", "data/free"] {
        place.write(name, name);
    }
    let before = place.tree();
    let said = place.run(
        "
import os
def tries(act):
    try: act(); print('DONE')
    except OSError: pass
for name in ('data/in/.env', 'data/no/x', 'data/absent/x'): tries(lambda: open(name).read())
for name in ('data/votes/a', 'data/votes/b', 'data/in/.env', 'data/no/y', 'data/absent/x'): tries(lambda: open(name, 'w'))
for name in ('data/in', 'data/votes', 'data/no', 'data/absent'): tries(lambda: os.rename(name, 'data/aside'))
for name in ('data/in/.env', 'data/votes/a', 'data/no', 'data/absent'): tries(lambda: os.unlink(name)); tries(lambda: os.rmdir(name))
open('data/in/new', 'w').write('n'); open('data/free', 'w').write('f')
",
    );
    assert_eq!((said.code, said.out().as_str()), (0, ""), "{said:?}");
    let run = waiting(&place);
    let shown: Vec<String> = lines(&place, &["show", &run])
        .iter()
        .map(|change| change["path"].as_str().unwrap().rsplit("data/").next().unwrap().to_owned())
        .collect();
    assert_eq!(shown, ["free", "in/new"]);
    assert_eq!(quarantine(&place, &["commit", &run]).code, 0);
    for name in ["data/votes/a", "data/no/x", "data/in/.env"] {
        assert_eq!(place.read(name), name);
    }
    assert!(!place.has("data/absent") && place.read("data/free") == "f");
    assert_eq!(place.tree().len(), before.len() + 2, "the script and one file");
}

#[test]
fn links_are_made_only_on_demand_and_never_followed() {
    let place = place();
    let outside = place.root().join("outside");
    fs::create_dir(&outside).unwrap();
    place.run(&format!(
        "
import os
os.symlink('{0}', 'data/out'); os.symlink('{0}/x', 'data/out_x'); os.remove('data/same'); os.symlink('/etc/passwd', 'data/same')
",
        outside.display()
    ));
    let run = waiting(&place);
    let said = quarantine(&place, &["commit", &run]);
    assert!(said.code == 1 && said.err().contains("--allow-links"), "{said:?}");
    assert!(quarantine(&place, &["show", &run]).out().contains("data/same  5 bytes  -> /etc/passwd"));
    assert_eq!(quarantine(&place, &["commit", "--allow-links", &run]).code, 0);
    assert_eq!(fs::read_link(place.project().join("data/same")).unwrap(), Path::new("/etc/passwd"));
    // Links of the host's own are neither followed nor copied.
    place.run("import os\nopen('data/out/y', 'w')");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn hostile_names_reach_no_terminal() {
    let place = place();
    place.run(
        "
import os
for name in (b'\\x1b[31mred', b'a\\nb', b'\\xff\\xfe', '\\u202egnp'.encode()): open(b'data/' + name, 'wb').write(b'\\x1b]0;title\\x07')
",
    );
    let run = waiting(&place);
    for args in [&["show", &run][..], &["show", "--json", &run], &["list"]] {
        let said = quarantine(&place, args);
        let bad = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
        let text = if args.contains(&"--json") { String::new() } else { said.out() };
        assert_eq!((said.code, text.chars().filter(bad).count()), (0, 0), "{said:?}");
    }
    assert_eq!(quarantine(&place, &["commit", &run]).code, 0);
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"data/\xff\xfe");
    assert!(place.project().join(name).exists());
}

#[test]
fn a_run_that_is_killed_is_lost_and_only_discarded() {
    let place = place();
    let marker = marker();
    place.write(
        "script.py",
        "import time\nopen('data/half', 'w').write('h')\nprint('READY', flush=True)\ntime.sleep(60)",
    );
    let mut running = Running::start(&mut place.waxcell(&["run", "script.py", &marker]));
    until(Duration::from_secs(10), "it writes", || {
        let upper = fs::read_dir(place.state().join("quarantine")).into_iter().flatten().flatten();
        upper.into_iter().any(|run| run.path().join("0/upper/half").exists())
    });
    let run = lines(&place, &["list"])[0].clone();
    assert_eq!(run["state"], "running");
    let run = run["run"].as_str().unwrap().to_owned();
    for action in ["show", "commit", "discard"] {
        let said = quarantine(&place, &[action, &run]);
        assert!(said.code == 1 && said.err().contains("still going on"), "{said:?}");
    }
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    until(Duration::from_secs(2), "nothing is alive", || alive(&marker).is_empty());
    assert_eq!(lines(&place, &["list"])[0]["state"], "lost");
    assert!(quarantine(&place, &["show", &run]).out().contains("data/half"));
    let said = quarantine(&place, &["commit", &run]);
    assert!(said.code == 1 && said.err().contains("lost"), "{said:?}");
    assert_eq!(quarantine(&place, &["discard", &run]).code, 0);
    assert!(!place.has("data/half") && lines(&place, &["list"]).is_empty());
}

/// Numbers that are spread evenly and are the same each time.
fn spread(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn place_with_writes() -> Place {
    let place = place();
    assert_eq!(place.run(SCRIPT).code, 0);
    place
}

#[test]
fn a_commit_that_is_killed_at_any_moment_is_all_of_it_or_nothing() {
    let place = place_with_writes();
    let begun = Instant::now();
    assert_eq!(quarantine(&place, &["commit", &waiting(&place)]).code, 0, "control");
    let longest = begun.elapsed().as_micros() as u64;
    let mut chance = 3;
    let (mut nothing, mut all) = (0, 0);
    for _ in 0..40 {
        let place = place_with_writes();
        let before = data(&place);
        let run = waiting(&place);
        let mut commit = Running::start(&mut place.waxcell(&["quarantine", "commit", &run]));
        std::thread::sleep(Duration::from_micros(spread(&mut chance) % longest));
        let _ = commit.child.kill();
        commit.child.wait().unwrap();
        let left = lines(&place, &["list"]);
        let commits = place.records().iter().filter(|record| record["action"] == "commit").count();
        if is_committed(&place) {
            all += 1;
            assert_eq!((left.len(), commits), (0, 1), "{left:?}");
        } else {
            nothing += 1;
            assert_eq!(data(&place), before);
            assert_eq!((left.len(), commits), (1, 0), "{left:?}");
            assert_eq!(quarantine(&place, &["commit", &run]).code, 0);
            assert!(is_committed(&place));
        }
        place.check_journal();
    }
    assert!(nothing > 0 && all > 0, "control: it was killed before and after ({nothing}, {all})");
}

#[test]
fn of_two_commits_at_once_one_does_it() {
    for _ in 0..5 {
        let place = place();
        place.run(SCRIPT);
        let run = waiting(&place);
        let start = || Running::start(&mut place.waxcell(&["quarantine", "commit", &run]));
        let both = [start(), start(), start()].map(|running| running.end().code);
        let mut sorted = both;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 1]);
        assert!(is_committed(&place));
        assert_eq!(types(&place.records()), ["started", "finished", "operator"]);
    }
}

#[test]
fn a_commit_that_has_no_room_changes_nothing() {
    let place = place();
    place.run("open('data/large', 'w').write('x' * 300000); open('data/changed', 'w')");
    let run = waiting(&place);
    let before = data(&place);
    let waxcell = support::waxcell();
    let line = format!("ulimit -f 200; exec {} quarantine commit {run}", waxcell.display());
    let said = say(&mut place.waxcell_shell(&line));
    assert_eq!(said.code, 125, "{said:?}");
    assert!(said.err().contains("data/large"), "{said:?}");
    assert_eq!(data(&place), before, "and nothing is left beside them");
    assert_eq!(quarantine(&place, &["commit", &run]).code, 0);
}

#[test]
fn somebody_elses_runs_are_out_of_reach() {
    let place = place();
    place.run(SCRIPT);
    let run = waiting(&place);
    if !is_root() {
        skip("quarantine::somebody_elses_runs_are_out_of_reach", "only root can be another user");
        return;
    }
    for folder in [place.root(), place.project()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let copy = place.root().join("waxcell");
    fs::copy(support::waxcell(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    for action in ["list", "show", "commit", "discard"] {
        let mut command = place.command("/usr/bin/setpriv");
        command.args(["--reuid=1234", "--regid=1234", "--clear-groups"]).arg(&copy);
        command.args(["quarantine", action]).args((action != "list").then_some(&run));
        let said = say(command.env("WAXCELL_STATE", place.state()));
        assert_ne!(said.code, 0, "{action}: {said:?}");
        assert!(said.err().to_lowercase().contains("permission denied"), "{action}: {said:?}");
    }
    assert_eq!(quarantine(&place, &["commit", &run]).code, 0);
}

#[test]
fn a_mount_below_a_writable_folder_is_refused_by_name() {
    if !is_root() {
        skip("quarantine::a_mount_below_a_writable_folder_is_refused_by_name", "only root can mount");
        return;
    }
    let place = place();
    place.write("script.py", "open('data/tree/x', 'w')");
    let waxcell = support::waxcell();
    let line = format!("mount -t tmpfs none data/tree && exec {} run script.py", waxcell.display());
    let mut command = place.command("/usr/bin/unshare");
    let said = say(command.env("WAXCELL_STATE", place.state()).args(["-m", "/bin/sh", "-c", &line]));
    assert_eq!(said.code, 126, "{said:?}");
    assert!(
        said.err().contains("data/tree` is mounted below") && said.err().contains("write_mode"),
        "{said:?}"
    );
    assert!(lines(&place, &["list"]).is_empty(), "nothing is left of it");
}

#[test]
fn state_beside_a_single_file_is_refused_by_name() {
    let place = Place::new(&layered("[./state.json]"));
    place.write("state.json", "{}");
    place.write("script.py", "");
    let state = place.project().join("inner");
    let said = say(place.waxcell(&["run", "script.py"]).env("WAXCELL_STATE", &state));
    assert_eq!(said.code, 126, "{said:?}");
    assert!(said.err().contains("state.json") && said.err().contains("--state"), "{said:?}");
    assert_eq!(place.run("open('state.json', 'w').write('1')").code, 0, "control");
}

/// What programs do all day works as it does without a layer.
#[test]
fn everyday_writes_work() {
    let place = Place::new(&layered("[./data]"));
    for name in ["old", "folder/in"] {
        place.write(format!("data/{name}"), "1");
    }
    symlink("old", place.project().join("data/link")).unwrap();
    let said = place.run(
        "
import fcntl, mmap, os, shutil, sqlite3, tempfile
os.chdir('data')
with tempfile.NamedTemporaryFile('w', dir='.', delete=False) as t: t.write('2')
os.replace(t.name, 'old')
assert open('link').read() == '2'
os.link('old', 'second'); assert os.stat('old').st_nlink == 2
db = sqlite3.connect('db'); db.execute('create table t (x)'); db.execute('insert into t values (1)'); db.commit(); db.close()
assert sqlite3.connect('db').execute('select x from t').fetchall() == [(1,)]
with open('mapped', 'wb') as f: f.truncate(8192)
with open('mapped', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0); m[:3] = b'abc'; m.flush(); m.close()
assert open('mapped', 'rb').read(3) == b'abc'
with open('old', 'a') as f: fcntl.flock(f, fcntl.LOCK_EX); os.fsync(f.fileno())
shutil.copytree('folder', 'copy'); shutil.move('copy', 'moved'); shutil.rmtree('moved')
shutil.move('folder', 'elsewhere')
os.utime('elsewhere/in', (1, 1)); os.chmod('elsewhere/in', 0o600)
",
    );
    assert_eq!((said.code, said.out().as_str()), (0, ""), "{said:?}");
    assert_eq!(quarantine(&place, &["commit", &waiting(&place)]).code, 0);
    let moved = fs::metadata(place.project().join("data/elsewhere/in")).unwrap();
    assert_eq!((moved.mtime(), moved.mode() & 0o777), (1, 0o600));
    assert!(!place.has("data/folder") && place.read("data/second") == "2");
}

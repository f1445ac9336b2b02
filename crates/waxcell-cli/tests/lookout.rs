//! The lookout that serves a run's root: what it tells is what the filter would tell, what it does not is cheap, and
//! whatever a script does there, nobody waits for ever.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use support::{PATIENCE, Place, Running, Told, is_root, skip, told, until};

const POLICY: &str = "filesystem: {allowed_paths: [./data], blocked_operations: []}";
const TRIED: &str = "
import errno, os, resource, signal, sys, threading, time
def tried(what, *args):
    try: what(*args)
    except OSError as e: return errno.errorcode[e.errno]
    return 'fine'
def read(path):
    with open(path) as f: f.read()
";

fn read(target: &str, errno: i32, count: u64) -> Told {
    ("fs.read".into(), target.into(), "mounts".into(), errno.into(), count)
}

/// The report of a run; `None` where the host has no lookout, which is told as a test that did not take place.
fn run(name: &str, place: &Place, script: &str) -> Option<Value> {
    let (said, report) = place.report(&format!("{TRIED}{script}"));
    assert_eq!(report["verdict"], "ok", "{report:#} {}", said.err());
    has_lookout(name, &report).then_some(report)
}

fn has_lookout(name: &str, report: &Value) -> bool {
    let has_one = report["enforced"]["attempts_by"] == "lookout";
    if !has_one {
        skip(name, "the run has no lookout: /dev/fuse cannot be used here");
    }
    has_one
}

#[test]
fn what_is_shown_is_opened_without_asking() {
    let place = Place::new(POLICY);
    place.write("f", "x");
    let script = "
before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
for _ in range(5000): read('f'); read('/etc/passwd'); os.stat('/etc'); os.listdir('/tmp'); os.access('/etc/ld.so.preload', 0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before)
";
    let Some(report) = run("lookout::what_is_shown_is_opened_without_asking", &place, script) else { return };
    let waits: u64 = report["stdout"].as_str().expect("text").trim().parse().expect("a number");
    assert!(waits < 1000, "the script waited {waits} times");
}

#[test]
fn the_filter_tells_the_same_where_there_is_no_lookout() {
    const NAME: &str = "lookout::the_filter_tells_the_same_where_there_is_no_lookout";
    if !is_root() {
        return skip(NAME, "only root can hide /dev/fuse");
    }
    let place = Place::new(POLICY);
    place.write(".env", "TOKEN=1");
    fs::create_dir(place.project().join("data")).expect("a folder");
    std::os::unix::fs::symlink("/etc/../etc/shadow", place.project().join("data/link")).expect("a link");
    let script = format!(
        "{TRIED}
etc = os.open('/etc', os.O_PATH)
print(tried(read, '/etc/shadow'), tried(read, 'data/link'), tried(read, '.env'), tried(read, '/proc/1/environ'))
print(tried(read, '/proc/kcore'), tried(read, os.path.expanduser('~/.pypirc')), tried(os.listdir, '/boot'), tried(os.chdir, '/boot'))
print(tried(os.open, 'shadow', os.O_RDONLY, 0o600), tried(lambda: os.open('shadow', os.O_RDONLY, dir_fd=etc)))
print(tried(read, '/etc/shadow/x'), tried(read, '/proc/self/root/etc/gshadow'), tried(os.open, '/etc/shadow', os.O_RDWR))
print(tried(os.stat, '/etc/shadow'), tried(os.access, '/etc/shadow', 4), tried(os.readlink, '/etc/shadow'))
print(tried(os.rename, '/etc/shadow', '/etc/x'), tried(os.unlink, '/etc/shadow'), tried(os.mkdir, '/etc/shadow'))
proc = os.open('/proc', os.O_PATH)
print(*(tried(lambda: os.open(name, os.O_RDONLY, dir_fd=proc)) for name in ('kcore', '1/auxv', '../etc/shadow')))
print(tried(os.chdir, '/proc/1'), tried(os.chdir, '/proc'), tried(os.chdir, '1/ns'))
"
    );
    place.write("script.py", &script);
    let inner = format!(
        "mount --bind /dev/null /dev/fuse && exec {} run --json script.py",
        support::waxcell().display()
    );
    let without =
        Running::start(place.command("/usr/bin/unshare").args(["-m", "/bin/sh", "-c", &inner])).end();
    if without.err().contains("unshare failed") || without.err().contains("mount:") {
        return skip(NAME, "no mount namespace can be made here");
    }
    let without = without.report();
    assert_eq!(without["enforced"]["attempts_by"], "filter", "{without:#}");
    let (_, with) = place.report(&script);
    if !has_lookout(NAME, &with) {
        return;
    }
    assert_eq!(with["stdout"], without["stdout"]);
    assert_eq!(told(&with), told(&without));
    assert!(told(&with).len() >= 9, "{:?}", told(&with));
    let places = |report: &Value| -> Vec<_> {
        let violations = report["violations"].as_array().cloned().unwrap_or_default();
        violations
            .iter()
            .map(|one| (one["line"].clone(), one["program"].clone(), one["rule"].clone()))
            .collect()
    };
    assert_eq!(places(&with), places(&without));
}

/// Root's scripts are somebody else's, and what root may open they may not.
#[test]
fn the_doctor_says_what_a_run_will_have() {
    const NAME: &str = "lookout::the_doctor_says_what_a_run_will_have";
    if !is_root() {
        return skip(NAME, "only root can put another /dev/fuse into its place");
    }
    let place = Place::new(POLICY);
    place.write("script.py", "");
    place.write("dev/x", "");
    for mode in ["600", "660", "666"] {
        let inner = format!(
            "mount -t tmpfs none dev && mknod -m {mode} dev/fuse c 10 229 && mount --bind dev/fuse /dev/fuse && \
             {waxcell} --json doctor > doctor.json; exec {waxcell} run --json script.py",
            waxcell = support::waxcell().display()
        );
        let said =
            Running::start(place.command("/usr/bin/unshare").args(["-m", "/bin/sh", "-c", &inner])).end();
        if ["unshare failed", "mount:", "mknod:"].iter().any(|what| said.err().contains(what)) {
            return skip(NAME, "no mount namespace or device can be made here");
        }
        let doctor: Value = serde_json::from_str(&place.read("doctor.json")).expect("JSON");
        let features = doctor["features"].as_array().expect("a list");
        let fuse = features.iter().find(|feature| feature["name"] == "FUSE").expect("a line on FUSE");
        let has_lookout = said.report()["enforced"]["attempts_by"] == "lookout";
        assert_eq!(fuse["state"] == "present", has_lookout, "{mode}: {fuse}");
        assert!(mode == "666" || !has_lookout, "{mode}");
    }
}

#[test]
fn the_root_is_as_any_other() {
    let place = Place::new(POLICY);
    let script = "
assert {'usr', 'etc', 'proc', 'tmp'} <= set(os.listdir('/')) == {entry.name for entry in os.scandir('/')}
assert not any(name.startswith('.') for name in os.listdir('/')), os.listdir('/')
assert os.stat('/').st_mode == 0o40755 and os.statvfs('/').f_namemax == 255
assert os.path.realpath('/bin') == '/usr/bin' and sum(1 for _ in os.walk('/etc')) > 1
print(tried(read, '/' + 'x' * 255), tried(read, '/' + 'x' * 256), tried(read, b'/etc/\\xff'), tried(read, '/etc/a\\nb'))
print(tried(os.mkdir, '/x'), tried(os.listdir, '/etc/passwd'), tried(os.getxattr, '/', 'user.x'), os.access('/', os.R_OK))
";
    let Some(report) = run("lookout::the_root_is_as_any_other", &place, script) else { return };
    let expected = "ENOENT ENAMETOOLONG ENOENT ENOENT\nEROFS ENOTDIR ENOTSUP True\n";
    assert_eq!(report["stdout"], expected);
}

#[test]
fn many_who_look_and_change_in_one_folder_are_counted_and_do_not_wait_for_each_other() {
    const NAME: &str =
        "lookout::many_who_look_and_change_in_one_folder_are_counted_and_do_not_wait_for_each_other";
    let place = Place::new(POLICY);
    let script = "
def work(own):
    for _ in range(100):
        tried(read, '/etc/shadow')
        if own % 2: tried(os.rename, '/etc/a', '/etc/b'); tried(os.unlink, '/etc/shadow')
        else: tried(os.mkdir, '/etc/shadow'); tried(os.stat, '/etc/shadow')
threads = [threading.Thread(target=work, args=(own,)) for own in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
";
    let started = Instant::now();
    let Some(report) = run(NAME, &place, script) else { return };
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let told = told(&report);
    assert!(told.contains(&read("/etc/shadow", libc::ENOENT, 800)), "{told:?}");
}

#[test]
fn who_is_killed_while_it_waits_is_gone_and_the_run_ends() {
    let place = Place::new(POLICY);
    let script = "
def child():
    pid = os.fork()
    if pid: return pid
    while True: tried(read, '/boot')
for _ in range(20):
    pid = child(); time.sleep(0.005); os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
for _ in range(5): child()
print('end')
";
    let Some(report) = run("lookout::who_is_killed_while_it_waits_is_gone_and_the_run_ends", &place, script)
    else {
        return;
    };
    assert_eq!(report["stdout"], "end\n");
    assert_eq!(told(&report).len(), 1);
}

/// Whoever is killed while it waits for the lookout cannot go before it is answered.
#[test]
fn nobody_who_still_waits_holds_up_the_end() {
    let place = Place::new(&format!("{POLICY}\nexecution: {{max_processes: 20}}"));
    let script = "
for path in ['/x', '/etc/x', '/home/x', '/var/x', '/run/x', '/root']:
    if os.fork() == 0:
        while True: os.access(path, 0)
time.sleep(0.05)
";
    // How often somebody waits at that moment is chance. A machine that stands still makes few of them long.
    let mut held_up = Vec::new();
    for _ in 0..16 {
        let started = Instant::now();
        let Some(report) = run("lookout::nobody_who_still_waits_holds_up_the_end", &place, script) else {
            return;
        };
        let wall = report["resource_usage"]["counters"]["wall_us"].as_u64().expect("a number");
        let end = started.elapsed().saturating_sub(Duration::from_micros(wall));
        // As long as the lookout waits for the init at most.
        held_up.extend((end >= Duration::from_secs(1)).then_some(end));
    }
    assert!(held_up.len() <= 2, "{held_up:?}");
}

#[test]
fn who_has_waited_for_too_long_goes_on_though_nobody_looked() {
    const NAME: &str = "lookout::who_has_waited_for_too_long_goes_on_though_nobody_looked";
    let place = Place::new(POLICY);
    let script = format!(
        "{TRIED}
done = open('data/done', 'w')
open('data/on', 'w').close()
while not os.path.exists('data/go'): time.sleep(0.01)
done.write(tried(read, '/etc/shadow')); done.flush()
while not os.path.exists('data/end'): time.sleep(0.01)
"
    );
    let path = place.write("script.py", &script);
    let running = Running::start(&mut place.waxcell(&["run", "--json", path.to_str().expect("text")]));
    until(PATIENCE, "the script runs", || place.has("data/on"));
    let lookout = children(running.pid()).into_iter().find(|child| serves(*child));
    let init = children(running.pid()).into_iter().find(|child| Some(*child) != lookout).expect("an init");
    if lookout.is_none() {
        place.write("data/go", "");
        place.write("data/end", "");
        running.end();
        return skip(NAME, "the run has no lookout");
    }
    rustix::process::kill_process(init, Signal::STOP).expect("a process of ours");
    place.write("data/go", "");
    let since = Instant::now();
    while place.read("data/done").is_empty() && since.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    let done = place.read("data/done");
    rustix::process::kill_process(init, Signal::CONT).expect("a process of ours");
    place.write("data/end", "");
    assert_eq!(done, "ENOENT", "nobody waits for an init that does nothing");
    assert_eq!(running.end().report()["verdict"], "ok");
}

#[test]
fn what_is_read_by_a_name_that_begins_behind_a_watched_place_is_told_once() {
    const NAME: &str = "lookout::what_is_read_by_a_name_that_begins_behind_a_watched_place_is_told_once";
    let place = Place::new(POLICY);
    place.write("f", "x");
    let script = "
def at(folder, *names):
    fd = os.open(folder, os.O_PATH)
    return ' '.join(tried(lambda: os.open(name, os.O_RDONLY, dir_fd=fd)) for name in names)
print(at('/proc', 'kcore', '1/environ', '../proc/1/environ', '/proc/1/environ', 'self/root/proc/1/environ'))
print(at('/proc', 'self/environ', 'self/fd/99', '../etc/shadow', '../etc/passwd'), at('/proc/1', 'environ', 'status'))
print(at(os.path.expanduser('~'), '.ssh/id_rsa', 'none'), at('/tmp', 'none', '../etc/shadow'), at('/etc', 'shadow'))
print(at('.', 'f', 'none', '../../../../../../../../etc/shadow'))
";
    let Some(report) = run(NAME, &place, script) else { return };
    let expected = "ENOENT EACCES EACCES EACCES EACCES\nfine ENOENT ENOENT fine EACCES fine\n\
        ENOENT ENOENT ENOENT ENOENT ENOENT\nfine ENOENT ENOENT\n";
    assert_eq!(report["stdout"], expected);
    let environ: Told =
        ("fs.read".into(), "/proc/1/environ".into(), "processes".into(), libc::EACCES.into(), 5);
    assert_eq!(
        told(&report),
        [
            read("/proc/kcore", libc::ENOENT, 1),
            environ,
            read("/etc/shadow", libc::ENOENT, 4),
            read("/home/waxcell/.ssh/id_rsa", libc::ENOENT, 1),
        ]
    );
}

#[test]
fn nobody_goes_to_the_folder_of_the_init_and_who_tries_is_told() {
    let place = Place::new(POLICY);
    let script = "
one = os.open('/proc/1', os.O_PATH)
print(tried(os.chdir, '/proc/1'), tried(os.fchdir, one), tried(os.chdir, '/proc/self/root/proc/1'))
print(tried(os.chdir, '/proc'), tried(os.chdir, '1/task'), tried(os.chdir, 'self'), tried(read, 'environ'))
print(tried(os.chdir, f'/proc/{os.getpid()}/task'), tried(os.chdir, os.path.expanduser('~')), tried(os.chdir, '/proc/1x'))
";
    const NAME: &str = "lookout::nobody_goes_to_the_folder_of_the_init_and_who_tries_is_told";
    let Some(report) = run(NAME, &place, script) else { return };
    assert_eq!(report["stdout"], "EACCES EACCES EACCES\nfine EACCES fine fine\nfine fine ENOENT\n");
    let folder = |name: &str, count| -> Told {
        ("fs.read".into(), name.into(), "processes".into(), libc::EACCES.into(), count)
    };
    assert_eq!(told(&report), [folder("/proc/1", 3), folder("/proc/1/task", 1)]);
}

#[test]
fn what_was_listed_is_watched_as_before() {
    let place = Place::new(POLICY);
    let script = "
for _ in range(3):
    for name in os.listdir('/'): os.lstat('/' + name)
    tried(read, '/proc/1/environ'); tried(read, os.path.expanduser('~/.ssh/id_rsa'))
";
    let Some(report) = run("lookout::what_was_listed_is_watched_as_before", &place, script) else { return };
    let told = told(&report);
    assert_eq!(told.iter().map(|one| one.4).collect::<Vec<_>>(), [3, 3], "{told:?}");
}

#[test]
fn nobody_stays_on_one_processor() {
    let place = Place::new(POLICY);
    let Some((running, [supervisor, lookout, init])) = begun(&place) else {
        return skip("lookout::nobody_stays_on_one_processor", "the run has no lookout");
    };
    let script = children(init)[0];
    let processors = |process: Pid| {
        let path = format!("/proc/{}/status", process.as_raw_nonzero());
        let status = fs::read_to_string(path).expect("a process of ours");
        status.lines().find(|line| line.starts_with("Cpus_allowed_list")).map(str::to_owned)
    };
    let of_all = [supervisor, lookout, init, script].map(processors);
    running.signal(Signal::TERM);
    running.end();
    assert!(of_all.iter().all(|one| *one == of_all[0]), "{of_all:?}");
}

#[test]
fn without_its_lookout_a_run_ends_as_an_error() {
    let place = Place::new(POLICY);
    let Some((running, [_, lookout, _])) = begun(&place) else {
        return skip("lookout::without_its_lookout_a_run_ends_as_an_error", "the run has no lookout");
    };
    rustix::process::kill_process(lookout, Signal::KILL).expect("a process of ours");
    let report = running.end().report();
    assert_eq!(report["verdict"], "error", "{report:#}");
    assert!(report["cause"].as_str().expect("text").contains("looking at what is opened"), "{report:#}");
}

/// A run whose script has begun and goes on, its supervisor, lookout and init; `None` without a lookout.
fn begun(place: &Place) -> Option<(Running, [Pid; 3])> {
    let path = place.write("script.py", "import time\nprint('on', flush=True)\ntime.sleep(60)\n");
    let running = Running::start(&mut place.waxcell(&["run", "--json", path.to_str().expect("text")]));
    let supervisor = running.pid();
    let mut lookout = None;
    let since = Instant::now();
    while lookout.is_none() && since.elapsed() < Duration::from_secs(5) {
        lookout = children(supervisor).into_iter().find(|child| serves(*child));
        std::thread::sleep(Duration::from_millis(20));
    }
    let Some(lookout) = lookout else {
        running.signal(Signal::TERM);
        running.end();
        return None;
    };
    let init = || children(supervisor).into_iter().find(|child| *child != lookout);
    until(Duration::from_secs(5), "a script", || init().is_some_and(|init| !children(init).is_empty()));
    std::thread::sleep(Duration::from_millis(300));
    Some((running, [supervisor, lookout, init().expect("still there")]))
}

fn children(of: Pid) -> Vec<Pid> {
    let of = of.as_raw_nonzero();
    let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

fn serves(process: Pid) -> bool {
    let open = fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero()));
    let mut links = open.into_iter().flatten().flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    // It was opened below a mount that is gone by now.
    links.any(|link| link.file_name() == Some("fuse".as_ref()))
}

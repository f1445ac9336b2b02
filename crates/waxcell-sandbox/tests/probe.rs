//! The probe against this kernel, and against kernels that this one is made to look like: each feature that is found
//! present here is taken away once by other means than the probe's own, and has to be found missing then.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waxcell_sandbox::{FeatureState, HostFeatures, measure_fdatasync, probe};

/// Run in a process of its own by the other tests: probes, and tells what it found and what it left behind.
#[test]
#[ignore = "run by the other tests, under what they arrange"]
fn tell() {
    let before = Surroundings::now();
    let here = std::env::current_dir().unwrap();
    let mut quickest = Duration::MAX;
    let mut last = None;
    for _ in 0..3 {
        let start = Instant::now();
        last = Some(probe(&[&here, Path::new("/dev/shm/not/there")]));
        quickest = quickest.min(start.elapsed());
    }
    let last = last.unwrap();
    let start = Instant::now();
    let quick = HostFeatures::quick();
    let quick_took = start.elapsed();
    let told = json!({
        "probe": last,
        "quick": quick,
        "render": last.render(false),
        "required_missing": last.required_missing().iter().map(|f| f.name).collect::<Vec<_>>(),
        "layers_missing": last.layers_missing().iter().map(|f| f.name).collect::<Vec<_>>(),
        "left": Surroundings::now() != before,
        "milliseconds": [quickest.as_millis() as u64, quick_took.as_millis() as u64],
    });
    println!("\nTOLD {told}");
}

/// What a probe could leave behind.
#[derive(Debug, PartialEq)]
struct Surroundings {
    descriptors: usize,
    children: String,
    mounts: String,
    groups: usize,
    hostname: String,
    blocked_signals: String,
    here: BTreeSet<PathBuf>,
}

impl Surroundings {
    fn now() -> Surroundings {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let thread = read("/proc/thread-self/status");
        let field =
            |key: &str| thread.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        Surroundings {
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            children: read("/proc/thread-self/children"),
            mounts: read("/proc/self/mountinfo"),
            groups: groups(Path::new("/sys/fs/cgroup"), &format!("waxcell-probe-{}-", std::process::id())),
            hostname: read("/proc/sys/kernel/hostname"),
            blocked_signals: field("SigBlk") + &field("NoNewPrivs") + &field("Seccomp") + &field("CapEff"),
            here: fs::read_dir(".").unwrap().map(|entry| entry.unwrap().path()).collect(),
        }
    }
}

fn groups(dir: &Path, prefix: &str) -> usize {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let dirs = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| {
        usize::from(entry.file_name().to_string_lossy().starts_with(prefix)) + groups(&entry.path(), prefix)
    })
    .sum()
}

/// A world-readable copy of this program, in an empty directory.
struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    fn new() -> Copy {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = dir.path().join("probe");
        let own = std::env::current_exe().unwrap();
        if fs::hard_link(&own, &copy).is_err() {
            fs::copy(&own, &copy).unwrap();
        }
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        Copy { dir }
    }

    #[expect(clippy::disallowed_methods, reason = "the test arranges a process around the probe")]
    fn run(&self, wrapper: &[&str]) -> Output {
        let own = self.dir.path().join("probe").into_os_string().into_string().unwrap();
        let tell = [&*own, "--ignored", "--exact", "tell", "--nocapture", "--test-threads=1"];
        let words: Vec<&str> = wrapper.iter().chain(&tell).copied().collect();
        Command::new(words[0]).args(&words[1..]).current_dir(self.dir.path()).output().unwrap()
    }
}

struct Told(Value);

impl Told {
    /// What a probe finds that is started through `wrapper`. Every one is judged by the same rules.
    fn under(wrapper: &[&str]) -> Told {
        let output = Copy::new().run(wrapper);
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.strip_prefix("TOLD "));
        let line =
            line.unwrap_or_else(|| panic!("{wrapper:?}: {text}{}", String::from_utf8_lossy(&output.stderr)));
        let told = Told(serde_json::from_str(line).unwrap());
        assert_eq!(told.0["left"], false, "{wrapper:?} left something behind");
        assert_eq!(told.0["probe"]["facts"], told.0["quick"], "{wrapper:?}: quick() says something else");
        let milliseconds = told.0["milliseconds"][0].as_u64().unwrap();
        assert!(milliseconds < 300, "{wrapper:?} took {milliseconds} ms");
        for line in told.0["render"].as_str().unwrap().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        told
    }

    fn feature(&self, name: &str) -> &Value {
        let features = self.0["probe"]["features"].as_array().unwrap();
        features.iter().find(|feature| feature["name"] == name).unwrap_or_else(|| panic!("no `{name}`"))
    }

    fn state(&self, name: &str) -> &str {
        self.feature(name)["state"].as_str().unwrap()
    }

    fn fact(&self, name: &str) -> &Value {
        &self.0["quick"][name]
    }

    fn says(&self, name: &str, state: &str, found: &str) {
        let feature = self.feature(name);
        assert_eq!(feature["state"], state, "{feature:#}");
        let text = format!("{} / {}", feature["found"].as_str().unwrap(), feature["how"].as_str().unwrap());
        assert!(text.contains(found), "`{found}` not in `{text}`");
    }

    /// Names of the features that are absent.
    fn absent(&self) -> BTreeSet<&str> {
        let features = self.0["probe"]["features"].as_array().unwrap();
        features.iter().filter(|f| f["state"] == "absent").map(|f| f["name"].as_str().unwrap()).collect()
    }

    fn layers_missing(&self) -> Vec<&str> {
        self.0["layers_missing"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
    }

    fn required_missing(&self) -> Vec<&str> {
        self.0["required_missing"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
    }
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What makes a root's command an ordinary user's; nothing for one who is that already.
const ORDINARY: [&str; 4] = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"];

fn ordinary<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let user: &[&str] = if root() { &ORDINARY } else { &[] };
    user.iter().chain(more).copied().collect()
}

/// Installs a filter, then becomes another program. The filter is a list of `call=errno`, `call=kill` or `namespaces`
/// (no flag for one in `clone`); `listener` stays around and hears of nothing.
const FILTER: &str = r"
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
program, listener = [(0x20, 0, 0, 0)], False
for word in sys.argv[1].split(','):
    if word == 'listener':
        listener = True
    elif word.startswith('namespaces'):
        program += [(0x15, 0, 4, int(word.split('=')[1])), (0x20, 0, 0, 16), (0x54, 0, 0, 0x7e020000),
                    (0x15, 1, 0, 0), (6, 0, 0, 0x50001), (0x20, 0, 0, 0)]
    else:
        call, action = word.split('=')
        action = 0x80000000 if action == 'kill' else 0x50000 | int(action)
        program += [(0x15, 0, 1, int(call)), (6, 0, 0, action)]
program.append((6, 0, 0, 0x7fff0000))
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in program))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
filter = Program(len(program), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
call = 317 if os.uname().machine == 'x86_64' else 277
fd = libc.syscall(call, 1, 8 if listener else 0, ctypes.byref(filter))
assert fd >= 0, ctypes.get_errno()
if listener:
    os.set_inheritable(fd, True)
os.execvp(sys.argv[2], sys.argv[2:])
";

/// What an ordinary user's probe finds under a filter.
fn under_filter(filter: &str) -> Told {
    Told::under(&ordinary(&["/usr/bin/python3", "-c", FILTER, filter]))
}

fn refuse(calls: &[libc::c_long], errno: i32) -> String {
    calls.iter().map(|call| format!("{call}={errno}")).collect::<Vec<_>>().join(",")
}

const LANDLOCK: [libc::c_long; 3] =
    [libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self];

#[test]
fn this_host_holds_everything_for_root_and_for_an_ordinary_user() {
    // The tests of the sandbox itself need all of this as well; here it is the control for what is taken away below.
    for wrapper in [vec!["env"], ordinary(&["env"])] {
        let told = Told::under(&wrapper);
        assert_eq!(told.required_missing(), [""; 0]);
        assert_eq!(told.layers_missing(), [""; 0], "{wrapper:?}");
        assert_eq!(told.fact("user_namespaces"), true);
        assert_eq!(told.fact("seccomp_notify"), true);
        assert!(told.0["render"].as_str().unwrap().contains("This host can hold every layer."));
    }
}

#[test]
fn features_have_names_of_their_own_and_sentences_in_one_style() {
    let probe = probe(&[]);
    let names: BTreeSet<_> = probe.features.iter().map(|feature| feature.name).collect();
    assert_eq!(names.len(), probe.features.len(), "two features of one name");
    for feature in &probe.features {
        for text in [feature.without, &feature.how, &feature.found] {
            assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{feature:?}");
        }
    }
    assert!(probe.features.is_sorted_by_key(|feature| feature.group), "groups are mixed");
    assert_eq!(
        probe.feature("Landlock").map(|f| f.state == FeatureState::Present),
        Some(probe.facts.landlock_abi.is_some())
    );
    assert!(probe.feature("no such feature").is_none());
}

#[test]
fn without_user_namespaces_nothing_that_needs_them_is_found() {
    let told = Told::under(&[
        "unshare",
        "-U",
        "-r",
        "sh",
        "-c",
        "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"",
        "sh",
    ]);
    told.says("user namespaces", "absent", "user.max_user_namespaces is 0");
    assert_eq!(told.fact("user_namespaces"), false);
    assert_eq!(told.required_missing(), [""; 0], "a policy may accept it");
    for name in ["pid namespace", "id maps", "pivot_root", "own /proc", "bounded scratch"] {
        assert!(told.layers_missing().contains(&name), "{name}");
    }
    assert_eq!(told.state("processes per run"), "absent");
    assert_eq!(told.state("Landlock"), "present");
    assert_eq!(told.fact("seccomp_notify"), true);
}

#[test]
fn a_single_kind_of_namespace_that_is_missing_is_named() {
    let told = Told::under(&[
        "unshare",
        "-U",
        "-r",
        "sh",
        "-c",
        "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$@\"",
        "sh",
    ]);
    told.says("network namespace", "absent", "user.max_net_namespaces");
    assert_eq!(told.state("user namespaces"), "partly");
    assert_eq!(told.state("pid namespace"), "present");
    assert_eq!(told.fact("user_namespaces"), false);
}

#[test]
fn root_without_another_id_has_none_for_the_script() {
    let told = Told::under(&["unshare", "-U", "-r"]);
    told.says("id maps", "absent", "ordinary user");
    assert_eq!(told.state("id-mapped mounts"), "absent");
    assert_eq!(told.fact("user_namespaces"), false);
    assert_eq!(told.fact("root"), true);
}

#[test]
fn a_proc_with_something_hidden_keeps_a_new_one_from_being_mounted() {
    if !root() {
        return;
    }
    // What container runtimes do to theirs.
    let mask = "mount --make-rprivate / && mount --bind /dev/null /proc/version && exec \"$@\"";
    let told = Told::under(&[&["unshare", "-m", "sh", "-c", mask, "sh"], &ORDINARY[..]].concat());
    told.says("own /proc", "absent", "systempaths=unconfined");
    assert_eq!(told.absent().iter().filter(|name| told.layers_missing().contains(name)).count(), 1);
    assert_eq!(told.fact("user_namespaces"), false, "a run could not build its file system");
}

#[test]
fn devices_that_do_not_work_are_found_out() {
    if !root() {
        return;
    }
    let nodev = "mount --make-rprivate / && mount -o remount,bind,nodev /dev && exec \"$@\"";
    let told = Told::under(&[&["unshare", "-m", "sh", "-c", nodev, "sh"], &ORDINARY[..]].concat());
    assert_eq!(told.layers_missing(), ["device nodes"]);
}

#[test]
fn calls_that_a_filter_hides_are_missing_alone() {
    let eperm = libc::EPERM;
    for (calls, errno, missing) in [
        (&[libc::SYS_mount_setattr][..], libc::ENOSYS, &["read-only binds", "device nodes"][..]),
        (&[libc::SYS_openat2], libc::ENOSYS, &["openat2"]),
        (&[libc::SYS_pivot_root], eperm, &["pivot_root", "overlayfs"]),
        (&[libc::SYS_sethostname], eperm, &["host name"]),
        (&[libc::SYS_listen], eperm, &["local routes"]),
        (&[libc::SYS_process_vm_readv], eperm, &["reading arguments"]),
        (&[libc::SYS_close_range], libc::ENOSYS, &["close_range"]),
        (&[libc::SYS_pidfd_send_signal], libc::ENOSYS, &["process descriptors"]),
    ] {
        let told = under_filter(&refuse(calls, errno));
        // No control groups and no filter on top: this user has no groups on every host, and not on every one /dev/fuse.
        let mut absent = told.absent();
        absent.remove("control groups");
        absent.remove("FUSE");
        assert_eq!(absent, missing.iter().copied().collect(), "{calls:?}");
        told.says("no outer filter", "partly", "filter");
    }
}

#[test]
fn landlock_that_is_hidden_is_absent_with_all_its_steps() {
    let told = under_filter(&refuse(&LANDLOCK, libc::ENOSYS));
    told.says("Landlock", "absent", "ENOSYS");
    for step in ["renames (ABI 2)", "truncation (ABI 3)", "TCP (ABI 4)", "scopes (ABI 6)"] {
        assert_eq!(told.state(step), "absent");
    }
    assert_eq!(told.fact("landlock_abi"), &Value::Null);
    assert_eq!(told.layers_missing(), ["Landlock"]);
    let not_started = under_filter(&refuse(&LANDLOCK, libc::EOPNOTSUPP));
    not_started.says("Landlock", "absent", "lsm=");
    let version_alone = under_filter(&refuse(&LANDLOCK[2..], libc::EPERM));
    version_alone.says("Landlock", "absent", "does not hold");
    assert_eq!(version_alone.fact("landlock_abi"), &Value::Null);
}

#[test]
fn what_kills_a_trial_does_not_kill_the_probe() {
    let told = under_filter(&format!("{}=kill", libc::SYS_landlock_create_ruleset));
    assert_eq!(told.layers_missing(), ["Landlock"]);
    let told = under_filter(&format!("{}=kill", libc::SYS_fsopen));
    assert!(told.layers_missing().contains(&"bounded scratch"));
    assert_eq!(told.state("Landlock"), "present");
    let told = under_filter(&format!("{}=kill", libc::SYS_seccomp));
    assert_eq!(told.required_missing(), ["seccomp filter"]);
    assert_eq!(told.fact("seccomp_notify"), false);
}

#[test]
fn a_container_that_hides_clone3_is_told_from_one_that_forbids_namespaces() {
    let hidden = under_filter(&refuse(&[libc::SYS_clone3], libc::ENOSYS));
    assert_eq!(hidden.required_missing(), [""; 0], "without namespaces it is not needed");
    hidden.says("clone3", "absent", "seccomp=unconfined");
    assert_eq!(hidden.state("user namespaces"), "present", "tried by clone");
    assert_eq!(hidden.fact("user_namespaces"), false, "the sandbox starts with clone3");
    let told = hidden.0["render"].as_str().unwrap().split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("accepts the loss of: clone3."), "{told}");
    assert!(told.contains("`degrade: [namespaces]`"), "{told}");

    // As docker's default profile does it.
    let docker = under_filter(&format!(
        "{},namespaces={},{}",
        refuse(&[libc::SYS_clone3], libc::ENOSYS),
        libc::SYS_clone,
        refuse(
            &[libc::SYS_unshare, libc::SYS_fsopen, libc::SYS_open_tree, libc::SYS_pidfd_getfd],
            libc::EPERM
        ),
    ));
    docker.says("user namespaces", "absent", "seccomp filter is in force on waxcell itself");
    assert_eq!(docker.state("listener hand-over"), "present");
    assert_eq!(docker.state("call notification"), "present");
    assert_eq!(docker.fact("seccomp_notify"), true);
    assert_eq!(docker.state("Landlock"), "present");
    assert_eq!(docker.state("seccomp filter"), "present");
}

#[test]
fn a_listener_further_out_takes_the_only_place() {
    let told = under_filter("listener");
    told.says("call notification", "absent", "EBUSY");
    assert_eq!(told.fact("seccomp_notify"), false);
    assert_eq!(told.state("seccomp filter"), "present");
}

#[test]
fn control_groups_are_tried_as_this_user() {
    let told = Told::under(&ordinary(&["env"]));
    let rung = told.fact("rung").as_str().unwrap();
    let state = told.state("control groups");
    assert_eq!(state == "absent", rung == "rlimit+watch", "{rung} {state}");
    if !root() {
        return;
    }
    // Without the tree of groups there are none for root either.
    let none = "mount --make-rprivate / && umount -l /sys/fs/cgroup && exec \"$@\"";
    let told = Told::under(&["unshare", "-m", "sh", "-c", none, "sh"]);
    told.says("control groups", "absent", "not mounted");
    assert_eq!(told.fact("rung"), "rlimit+watch");
    assert_eq!(told.layers_missing(), [""; 0]);
}

#[test]
fn a_host_that_is_full_is_no_reason_to_panic() {
    // No process, few descriptors, no children to wait for.
    let full = Told::under(&ordinary(&["prlimit", "--nproc=1", "env"]));
    full.says("clone3", "absent", "EAGAIN");
    full.says("user namespaces", "absent", "EAGAIN");
    let few = Told::under(&ordinary(&["prlimit", "--nofile=10", "env"]));
    assert!(few.0["probe"]["features"].as_array().unwrap().len() > 40);
    let ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); \
                    os.execvp(sys.argv[1], sys.argv[1:])";
    let told = Told::under(&ordinary(&["/usr/bin/python3", "-c", ignoring]));
    assert_eq!(told.layers_missing(), [""; 0]);
    assert_eq!(told.required_missing(), [""; 0]);
}

#[test]
fn probes_at_the_same_time_do_not_disturb_each_other() {
    let facts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| probe(&[]))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for probe in &facts {
        assert_eq!(probe.facts, facts[0].facts);
        assert!(probe.required_missing().is_empty(), "{:?}", probe.required_missing());
    }
}

#[test]
fn the_disk_is_measured_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let took = measure_fdatasync(dir.path()).unwrap();
    assert!(took > Duration::ZERO && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(measure_fdatasync(&dir.path().join("no")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert!(measure_fdatasync(Path::new("/proc")).is_err());
}

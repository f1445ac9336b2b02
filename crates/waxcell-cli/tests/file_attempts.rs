//! Attempts on files that a run does not show or may not write to, and the record that each leaves: the host has them, and
//! the script is told that it is not so, or that it may not.

mod support;

use std::fs;
use std::os::unix::net::UnixListener;

use serde_json::Value;
use support::{Place, Told, told};

const POLICY: &str =
    "filesystem: {allowed_paths: [./data, {path: ./given, access: read}], blocked_operations: []}";
const TRIED: &str = "
import errno, os, socket, subprocess, sys
def tried(what, *args):
    try: what(*args)
    except OSError as e: return errno.errorcode[e.errno]
    return 'fine'
def read(path):
    with open(path) as f: f.read()
def write(path):
    with open(path, 'w') as f: f.write('x')
";

fn mounts(operation: &str, target: impl AsRef<str>, errno: i32, count: u64) -> Told {
    (operation.into(), target.as_ref().into(), "mounts".into(), errno.into(), count)
}

/// What the script printed, and its violations.
fn run(place: &Place, script: &str) -> (String, Vec<Told>) {
    let (said, report) = place.report(&format!("{TRIED}{script}"));
    assert_eq!(report["verdict"], "ok", "{report:#} {}", said.err());
    (report["stdout"].as_str().expect("text").to_owned(), told(&report))
}

/// The record has each.
#[test]
fn names_of_one_folder_are_told_in_one_line() {
    let place = Place::new(POLICY);
    let script = format!(
        "{TRIED}
for name in ('id_rsa', 'id_ecdsa', 'id_ed25519'): tried(read, os.path.expanduser('~/.ssh/' + name))
tried(read, '/etc/shadow')
"
    );
    let said = place.run(&script);
    let record = place.records().pop().expect("a record");
    assert_eq!(record["violations"].as_array().map(Vec::len), Some(4), "{record:#}");
    let told = said.err();
    let lines: Vec<&str> = told.lines().collect();
    let [first, second, last] = lines[..] else { panic!("{told}") };
    let folded = "waxcell: denied fs.read on /home/waxcell/.ssh/id_rsa and 2 more of its folder at line ";
    assert!(first.starts_with(folded), "{told}");
    assert!(second.starts_with("waxcell: denied fs.read on /etc/shadow at line "), "{told}");
    assert!(last.starts_with("waxcell: `waxcell why ") && last.ends_with("has them all"), "{told}");
}

#[test]
fn what_the_host_has_and_the_run_does_not_show_is_an_attempt() {
    let place = Place::new(POLICY);
    let outside = tempfile::tempdir_in("/var/tmp").expect("a folder");
    fs::write(outside.path().join("secret"), "loot").expect("a file");
    let secret = outside.path().join("secret");
    let secret = secret.to_str().expect("text");
    place.write(".env", "TOKEN=1");
    fs::create_dir(place.project().join("data")).expect("a folder");
    std::os::unix::fs::symlink(secret, place.project().join("data/link")).expect("a link");
    // Private scratch space hides the host's own.
    let (printed, violations) = run(
        &place,
        "
print(tried(read, '/etc/shadow'), tried(read, os.path.expanduser('~/.ssh/id_ed25519')), tried(read, '/proc/1/environ'))
print(tried(read, '.env'), tried(os.listdir, '/boot'), tried(os.chdir, '/boot'), tried(os.unlink, '/etc/shadow'))
print(tried(read, 'data/link'), tried(read, '/etc/../etc//./shadow'), tried(read, '/proc/self/root/etc/shadow'))
print(tried(read, '/nowhere'), tried(read, '/etc/nowhere'), tried(read, '/etc/ld.so.preload'), tried(read, 'data/none'))
",
    );
    assert_eq!(
        printed,
        "ENOENT ENOENT EACCES\nEACCES ENOENT ENOENT ENOENT\nENOENT ENOENT ENOENT\nENOENT ENOENT ENOENT ENOENT\n"
    );
    let (noent, acces) = (libc::ENOENT, libc::EACCES);
    let environ = ("fs.read".into(), "/proc/1/environ".into(), "processes".into(), acces.into(), 1);
    assert_eq!(
        violations,
        [
            mounts("fs.read", "/etc/shadow", noent, 3),
            mounts("fs.read", "/home/waxcell/.ssh/id_ed25519", noent, 1),
            environ,
            mounts("fs.read", place.project().join(".env").to_str().expect("text"), acces, 1),
            mounts("fs.read", "/boot", noent, 2),
            mounts("fs.delete", "/etc/shadow", noent, 1),
        ]
    );
}

#[test]
fn what_may_not_be_written_to_is_an_attempt() {
    let place = Place::new(POLICY);
    place.write("given/f", "x");
    place.write("f", "x");
    let at = |name: &str| place.project().join(name).to_str().expect("text").to_owned();
    let (printed, violations) = run(
        &place,
        "
write('data/own')
print(tried(write, 'f'), tried(write, 'new'), tried(write, 'given/f'), tried(write, '/usr/new'), tried(os.mkdir, 'd'))
print(tried(os.rename, 'f', 'g'), tried(os.rename, 'data/own', 'g'), tried(os.link, 'f', 'data/f'), tried(os.symlink, 'a', 'l'))
print(tried(os.unlink, 'f'), tried(os.truncate, 'f', 0), tried(os.utime, 'f'), tried(os.chmod, 'f', 0o600), tried(write, '/boot/x'))
print(tried(write, '/dev/null'), tried(os.mkdir, '__pycache__'), tried(os.unlink, 'none'), tried(os.mkdir, 'given'))
print(tried(os.symlink, 'a', '/etc/l'), tried(os.rename, 'data/own', '/etc/own'), tried(write, '/etc/none/x'))
",
    );
    assert_eq!(
        printed,
        "EROFS EROFS EROFS EROFS EROFS\nEROFS EXDEV EXDEV EROFS\nEROFS EROFS EROFS EROFS ENOENT\nfine EROFS ENOENT EEXIST\nEROFS EXDEV ENOENT\n"
    );
    let (rofs, xdev) = (libc::EROFS, libc::EXDEV);
    assert_eq!(
        violations,
        [
            // `open`, `truncate`, `utime`.
            mounts("fs.write", at("f"), rofs, 3),
            mounts("fs.create", at("new"), rofs, 1),
            mounts("fs.write", at("given/f"), rofs, 1),
            mounts("fs.create", "/usr/new", rofs, 1),
            mounts("fs.create", at("d"), rofs, 1),
            mounts("fs.rename", at("f"), rofs, 1),
            mounts("fs.rename", at("g"), xdev, 1),
            mounts("fs.link", at("f"), xdev, 1),
            mounts("fs.link", at("l"), rofs, 1),
            mounts("fs.delete", at("f"), rofs, 1),
            mounts("fs.chmod", at("f"), rofs, 1),
            mounts("fs.create", "/boot/x", libc::ENOENT, 1),
            mounts("fs.link", "/etc/l", rofs, 1),
            mounts("fs.rename", "/etc/own", xdev, 1),
        ]
    );
}

#[test]
fn the_rule_is_named_and_what_would_allow_it() {
    let place = Place::new(POLICY);
    place.write("given/f", "x");
    place.write("f", "x");
    let (_, report) = place.report(&format!(
        "{TRIED}\nfor path in 'f', 'given/f', '/etc/x': tried(write, path)\ntried(read, '/etc/shadow')\n"
    ));
    let [project, given, etc, shadow] = [0, 1, 2, 3]
        .map(|n| (report["violations"][n]["rule"].clone(), report["violations"][n]["allow"].clone()));
    let policy = place.project().join("security_policy.yml");
    let policy = policy.display();
    assert_eq!(
        project.0,
        "the project is read-only where filesystem.allowed_paths says nothing else (the default)"
    );
    assert_eq!(project.1, "add `./f` to filesystem.allowed_paths");
    assert_eq!(given.0, format!("filesystem.allowed_paths: `./given`, access read ({policy}:1)"));
    assert_eq!(given.1, "add `./given/f` to filesystem.allowed_paths");
    assert_eq!(etc.0, format!("filesystem.allowed_paths ({policy}:1)"));
    assert_eq!(shadow.1, "add `{path: /etc/shadow, access: read}` to filesystem.allowed_paths");
}

#[test]
fn a_project_that_is_a_home_is_not_shown_and_the_rule_says_so() {
    // What is below `/tmp` is scratch space where it is not shown.
    let Ok(home) = tempfile::tempdir_in("/var/lib") else {
        let why = "only root can make a project in no scratch space";
        return support::skip(
            "file_attempts::a_project_that_is_a_home_is_not_shown_and_the_rule_says_so",
            why,
        );
    };
    let place = Place::new(POLICY);
    for (name, content) in [
        ("security_policy.yml", support::at_the_kernel(POLICY).as_str()),
        ("f", "x"),
        (
            "script.py",
            format!("{TRIED}print(tried(read, 'f'), tried(write, 'f'), tried(write, 'data/f'))").as_str(),
        ),
    ] {
        fs::write(home.path().join(name), content).expect("a file");
    }
    let mut run = place.waxcell(&["run", "--json", "script.py"]);
    let report = support::say(run.current_dir(home.path()).env("HOME", home.path())).report();
    assert_eq!(report["stdout"], "ENOENT EROFS fine\n", "{report:#}");
    let rules: Vec<_> = (0..2).map(|n| report["violations"][n]["rule"].clone()).collect();
    let rule = "the project root is a home or a folder of the system, of which only what \
        filesystem.allowed_paths names is shown (the default)";
    assert_eq!(rules, [rule, rule], "{report:#}");
}

#[test]
fn programs_are_looked_for_and_executed_where_they_may_be() {
    let place = Place::new(POLICY);
    let (printed, violations) = run(
        &place,
        "
write('data/program'); os.chmod('data/program', 0o755)
print(tried(subprocess.run, ['./data/program']), tried(subprocess.run, ['no-such-command']), tried(subprocess.run, ['true']))
",
    );
    assert_eq!(printed, "EACCES ENOENT fine\n");
    let program = place.project().join("data/program");
    assert_eq!(violations, [mounts("proc.exec", program.to_str().expect("text"), libc::EACCES, 1)]);
}

#[test]
fn the_interpreter_that_a_program_names_is_told_where_it_may_not_be_executed() {
    let place = Place::new("filesystem: {allowed_paths: [./data]}");
    let data = place.project().join("data");
    std::fs::create_dir_all(&data).expect("a folder");
    std::fs::copy("/bin/sh", data.join("sh")).expect("a copy");
    let executable = |name: &str, content: String| {
        place.write(name, &content);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(place.project().join(name), mode).expect("a mode");
    };
    executable("fine", "#! /bin/sh -e\nexit 0\n".into());
    executable("program", format!("#!{}/sh\n", data.display()));
    // By way of a program that names one itself; and by a relative name.
    executable("outer", format!("#!{}/program -x\n", place.project().display()));
    executable("relative", "#!data/sh".into());
    let script = "
import errno, os, subprocess
for name in ('fine', 'program', 'outer', 'relative'):
    try: print(subprocess.run([os.path.abspath(name)]).returncode)
    except OSError as e: print(errno.errorcode[e.errno])
";
    let (printed, violations) = run(&place, script);
    assert_eq!(printed, "0\nEACCES\nEACCES\nEACCES\n");
    let shell = data.join("sh");
    assert_eq!(violations, [mounts("proc.exec", shell.to_str().expect("text"), libc::EACCES, 3)]);
}

#[test]
fn sockets_of_the_host_are_out_of_reach() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let place = Place::new(POLICY);
    let folder =
        tempfile::tempdir_in("/var/lib").or_else(|_| tempfile::tempdir_in("/dev/shm")).expect("a folder");
    let path = folder.path().join("s");
    let _listener = UnixListener::bind(&path).expect("a socket");
    let name = format!("waxcell-file-attempts-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _abstract = UnixListener::bind_addr(&address).expect("a socket");
    let path = path.to_str().expect("text");
    let (printed, violations) = run(
        &place,
        &format!(
            "
def reach(address):
    with socket.socket(socket.AF_UNIX) as s: s.connect(address)
own = socket.socket(socket.AF_UNIX); own.bind('/tmp/own'); own.listen()
print(tried(reach, '{path}'), tried(reach, '\\0{name}'), tried(reach, '\\0none'), tried(reach, '/tmp/own'))
"
        ),
    );
    assert_eq!(printed, "ENOENT ECONNREFUSED ECONNREFUSED fine\n");
    let refused = libc::ECONNREFUSED.into();
    // `/dev/shm` is the run's own, where nothing of the host's is looked for.
    let by_path = (!path.starts_with("/dev/shm")).then(|| mounts("ipc.unix", path, libc::ENOENT, 1));
    let by_name = ("ipc.unix".into(), format!("@{name}"), "network".into(), refused, 1);
    assert_eq!(violations, by_path.into_iter().chain([by_name]).collect::<Vec<_>>());
}

#[test]
fn a_flood_is_counted_to_the_last_and_hides_nothing() {
    let place = Place::new(POLICY);
    let (_, violations) = run(
        &place,
        "
for i in range(20000): tried(read, '/etc/shadow')
for i in range(3000): tried(read, f'/etc/none-{i}')
for i in range(2): tried(read, '/boot')
for i in range(7): tried(read, '/etc/shadow')
",
    );
    let noent = libc::ENOENT;
    assert_eq!(
        violations,
        [mounts("fs.read", "/etc/shadow", noent, 20007), mounts("fs.read", "/boot", noent, 2)]
    );
}

#[test]
fn names_are_told_as_they_are() {
    let place = Place::new(POLICY);
    let (said, report) = place.report(&format!(
        "{TRIED}\nfor name in b'a\\n\\x1b[31m', b'\\xff', b'\\xe2\\x80\\xae': tried(write, name)\n"
    ));
    assert_eq!(report["verdict"], "ok", "{}", said.err());
    let targets: Vec<_> = (0..3)
        .map(|n| (report["violations"][n]["target"].clone(), report["violations"][n]["target_hex"].clone()))
        .collect();
    let at = |name: &str| Value::from(format!("{}/{name}", place.project().display()).replace("//", "/"));
    let hex = |name: &[u8]| {
        let path = place.project();
        let path = path.to_str().expect("text").trim_end_matches('/');
        let bytes = [path.as_bytes(), b"/", name].concat();
        Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    assert_eq!(
        targets,
        [(at("a\n\x1b[31m"), Value::Null), (at("\u{fffd}"), hex(b"\xff")), (at("\u{202e}"), Value::Null),]
    );
}

#[test]
fn where_nobody_wants_to_know_nothing_is_told_and_all_is_refused() {
    let place = Place::new(&format!("{POLICY}\nmonitoring: {{file_attempts: false}}"));
    place.write("f", "x");
    let (printed, violations) = run(&place, "print(tried(read, '/etc/shadow'), tried(write, 'f'))\n");
    assert_eq!((printed.as_str(), violations), ("ENOENT EROFS\n", Vec::new()));
}

#[test]
fn what_has_no_name_may_be_changed_whatever_is_blocked() {
    let place = Place::new("filesystem: {allowed_paths: [./data]}");
    let (printed, violations) = run(
        &place,
        "
ends = os.pipe()
print(tried(os.fchmod, ends[0], 0o600), tried(os.fchown, ends[1], os.getuid(), -1))
pair = socket.socketpair()
print(tried(os.fchmod, pair[0].fileno(), 0o600))
",
    );
    assert_eq!((printed.as_str(), violations), ("fine fine\nfine\n", Vec::new()));
}

#[test]
fn what_a_process_of_the_run_has_not_is_no_attempt_on_one_of_the_host() {
    let place = Place::new(POLICY);
    let (printed, violations) = run(
        &place,
        "
print(tried(read, '/proc/self/fd/99'), tried(read, f'/proc/{os.getpid()}/none'), tried(os.unlink, '/proc/self/fd/99/x'))
",
    );
    assert_eq!((printed.as_str(), violations), ("ENOENT ENOENT ENOENT\n", Vec::new()));
}

#[test]
fn what_is_the_inits_is_told_whatever_its_mode_says() {
    let place = Place::new(POLICY);
    let (printed, violations) = run(
        &place,
        "
closed = ('maps', 'task/1/smaps', 'root/etc/passwd', 'cwd/x', 'exe', 'fd/1', 'fdinfo/1', 'ns/pid', 'mem', 'auxv')
print({tried(read, f'/proc/1/{name}') for name in closed}, tried(os.listdir, '/proc/1/fd'), tried(os.chdir, '/proc/1/root'))
print({tried(read, f'/proc/1/{name}') for name in ('status', 'stat', 'cmdline', 'limits', 'mountinfo', 'task/1/comm')})
print({tried(read, f'/proc/self/{name}') for name in ('maps', 'smaps', 'root/etc/passwd')})
",
    );
    assert_eq!(printed, "{'EACCES'} EACCES EACCES\n{'fine'}\n{'fine'}\n");
    let closed = [
        "maps",
        "task/1/smaps",
        "root/etc/passwd",
        "cwd/x",
        "exe",
        "fd/1",
        "fdinfo/1",
        "ns/pid",
        "mem",
        "auxv",
    ];
    let told: Vec<Told> = closed
        .into_iter()
        .chain(["fd", "root"])
        .map(|name| ("fs.read".into(), format!("/proc/1/{name}"), "processes".into(), libc::EACCES.into(), 1))
        .collect();
    assert_eq!(violations, told);
}

#[test]
fn a_blocked_operation_is_told_whatever_links_lead_to_it() {
    let place = Place::new("filesystem: {allowed_paths: [./data], blocked_operations: [delete, chmod]}");
    place.write("data/kept", "precious");
    let (printed, violations) = run(
        &place,
        "
data = os.open('data', os.O_PATH)
print(tried(os.unlink, '/proc/self/cwd/data/kept'), tried(os.chmod, f'/proc/self/fd/{data}/kept', 0o600))
open('/tmp/own', 'w').close(); os.chdir('/tmp')
print(tried(os.unlink, '/proc/self/cwd/own'), tried(os.unlink, '/proc/self/cwd/none'), tried(os.unlink, 'none'))
",
    );
    assert_eq!(printed, "ELOOP ELOOP\nELOOP ELOOP ENOENT\n");
    let kept = place.project().join("data/kept").to_str().expect("text").to_owned();
    let guard = |operation: &str| (operation.into(), kept.clone(), "guard".into(), libc::ELOOP.into(), 1);
    assert_eq!(violations, [guard("fs.delete"), guard("fs.chmod")]);
}

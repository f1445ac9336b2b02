//! What scripts take for granted of a system: a user with a name, a host that resolves, terminals of their own, the error
//! that comes first. Where the bare interpreter can say what is right, it does.

mod support;

use support::{PYTHON, Place, Said, is_root, on_a_terminal, say};

const POLICY: &str = "filesystem:\n  allowed_paths: [./data]\n  blocked_operations: []\n";

/// The script bare and held, under a policy; both must say the same.
#[track_caller]
fn same_under(policy: &str, text: &str) -> Said {
    let place = Place::new(policy);
    place.write("data/here", "x");
    let bare = place.bare(text);
    let held = place.run(text);
    assert_eq!(held, bare, "held is left, bare is right");
    held
}

#[test]
fn the_script_is_a_user_of_its_own_beside_root_and_nobody() {
    let text = "
import getpass, grp, os, pathlib, pwd
own = pwd.getpwuid(os.getuid())
print(own.pw_name, grp.getgrgid(os.getgid()).gr_name)
assert getpass.getuser() == own.pw_name == pathlib.Path('data').owner()
assert pathlib.Path('data').group() == grp.getgrgid(os.getgid()).gr_name
assert str(pathlib.Path.home()) == os.path.expanduser('~') == own.pw_dir == os.path.expanduser('~' + own.pw_name)
assert os.access(own.pw_dir, os.W_OK)
assert (pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name, pwd.getpwnam('root').pw_uid) == ('root', 'root', 0)
for known in (pwd.getpwall(), grp.getgrall()):
    for field in (0, 2): assert len({entry[field] for entry in known}) == len(known), known
";
    let place = Place::new(POLICY);
    place.write("data/x", "");
    place.write("script.py", text);
    let outside = say(place.command("/usr/bin/id").arg("-un"));
    // A user without a name has a number there.
    let expected =
        if is_root() || outside.code != 0 { "waxcell".to_owned() } else { outside.out().trim().to_owned() };
    let outside = outside.out();
    for variables in [&[][..], &["USER", "LOGNAME"][..]] {
        let mut command = place.waxcell(&["run", "script.py"]);
        // What the caller's shell says: the caller's name.
        command.envs(variables.iter().map(|name| (*name, outside.trim())));
        let said = say(&mut command);
        assert_eq!((said.code, said.err()), (0, String::new()), "{said:?}");
        assert!(said.out().starts_with(&format!("{expected} ")), "{said:?}");
    }
}

#[test]
fn the_hosts_own_name_resolves() {
    let said = Place::new(POLICY).run(
        "
import socket
name = socket.gethostname()
address = socket.gethostbyname(name)
assert address.startswith('127.') and socket.gethostbyaddr(address)[0] == name, address
server = socket.create_server((name, 0))
socket.create_connection(server.getsockname())
try: socket.gethostbyname('no-such-name')
except socket.gaierror: print('and no other')
",
    );
    assert_eq!((said.out().as_str(), said.code), ("and no other\n", 0), "{said:?}");
}

#[test]
fn pseudo_terminals_are_there() {
    same_under(
        POLICY,
        r"
import fcntl, os, pty, struct, subprocess, sys, termios
master, slave = os.openpty()
print(os.isatty(slave), os.ttyname(slave).startswith('/dev/pts/'), os.path.exists(os.ttyname(slave)))
print(os.fstat(slave).st_uid == os.getuid())
def read(fd, length):
    seen = b''
    while len(seen) < length: seen += os.read(fd, length - len(seen))
    return seen
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 99, 0, 0))
print(os.get_terminal_size(master))
os.write(master, b'line\n'); print(os.read(slave, 100), read(master, 6))
os.write(slave, b'out\n'); print(read(master, 5), flush=True)
pid, fd = pty.fork()
if pid == 0:
    print(os.isatty(0), os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpid(), input('? '), flush=True)
    os._exit(7)
seen = b''
while b'? ' not in seen: seen += os.read(fd, 1000)
os.write(fd, b'typed\n')
while True:
    try: chunk = os.read(fd, 1000)
    except OSError: break
    if not chunk: break
    seen += chunk
print(seen, os.waitpid(pid, 0)[1] >> 8)
# What a key sends reaches the terminal's foreground.
pid, fd = pty.fork()
if pid == 0:
    try:
        print('READY', flush=True)
        while True: os.read(0, 1)
    except KeyboardInterrupt: os._exit(9)
while b'READY' not in os.read(fd, 100): pass
os.write(fd, b'\x03'); print(os.waitpid(pid, 0)[1] >> 8)
print(subprocess.run([sys.executable, '-c', 'import os; print(os.isatty(1))'], stdout=slave).returncode, read(master, 6))
",
    );
}

#[test]
fn the_hosts_terminals_are_not() {
    let place = Place::new(POLICY);
    place.write(
        "script.py",
        r"
import errno, fcntl, os, termios
def tries(name, call):
    try: call(); print(name, 'DONE')
    except OSError as e: print(name, errno.errorcode[e.errno])
print(os.listdir('/dev/pts'), os.path.exists('/dev/tty'), os.path.exists('/dev/console'))
master, slave = os.openpty()
for fd in (0, 1, 2, master, slave):
    tries('type', lambda: fcntl.ioctl(fd, termios.TIOCSTI, b'x'))
# One more than the caller's session may hold it.
tries('take', lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
tries('steal', lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 1))
tries('exclude', lambda: fcntl.ioctl(0, termios.TIOCEXCL))
tries('discipline', lambda: fcntl.ioctl(slave, termios.TIOCSETD, b'\0\0\0\0'))
many = [master, slave]
try:
    while True: many += os.openpty()
except OSError as e: print(len(many) // 2, errno.errorcode[e.errno])
print('the end')
",
    );
    let (waxcell, state) = (support::waxcell(), place.state());
    let words = [waxcell.to_str().unwrap(), "--state", state.to_str().unwrap(), "run", "script.py"];
    let said = on_a_terminal(&place, &words, "");
    let lines: Vec<&str> = said.trim_start_matches('\'').split("\\r\\n").collect();
    let expected = [
        "['ptmx'] False False",
        "type ENOTTY",
        "type ENOTTY",
        "type ENOTTY",
        "type ENOTTY",
        "type ENOTTY",
        "take EPERM",
        "steal EPERM",
        "exclude ENOTTY",
        "discipline ENOTTY",
        "32 ENOSPC",
        "the end",
    ];
    assert_eq!(
        lines[..expected.len()].iter().map(|l| l.trim_start_matches('"')).collect::<Vec<_>>(),
        expected
    );
}

/// A terminal that is no session's belongs to whoever takes it first, which must not be the script.
#[test]
fn a_terminal_of_nobody_is_not_taken() {
    let place = Place::new(POLICY);
    place.write(
        "script.py",
        "import fcntl, termios\ntry: fcntl.ioctl(0, termios.TIOCSCTTY, 0); print('taken')\nexcept OSError as e: print('refused', e.errno)",
    );
    let driver = "
import os, subprocess, sys
master, slave = os.openpty()
print(subprocess.run(sys.argv[1:], stdin=slave, capture_output=True, text=True, start_new_session=True).stdout, end='')
";
    let on_it = |words: &[&str]| say(place.command(PYTHON).args(["-c", driver]).args(words)).out();
    assert_eq!(on_it(&[PYTHON, "script.py"]), "taken\n", "control");
    let (waxcell, state) = (support::waxcell(), place.state());
    let words = [waxcell.to_str().unwrap(), "--state", state.to_str().unwrap(), "run", "script.py"];
    assert_eq!(on_it(&words), "refused 25\n");
}

#[test]
fn other_users_are_refused_as_outside() {
    let text = "
import errno, os
def tries(call, *args):
    try: call(*args); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
uid, gid = os.getuid(), os.getgid()
for call, own in ((os.setuid, uid), (os.seteuid, uid), (os.setgid, gid), (os.setegid, gid)):
    print(call.__name__, [tries(call, id) for id in (own, 0, own + 1)])
for call, own in ((os.setreuid, uid), (os.setregid, gid)):
    print(call.__name__, [tries(call, *ids) for ids in ((own, own), (-1, -1), (0, -1), (-1, 0))])
for call, own in ((os.setresuid, uid), (os.setresgid, gid)):
    print(call.__name__, [tries(call, *ids) for ids in ((own, own, own), (-1, -1, -1), (0, -1, -1), (-1, -1, 0))])
print(tries(os.setgroups, [0]))
fd = os.open('data/here', os.O_RDWR)
for name in ('data/here', 'data/missing', 'missing', '/usr/missing'):
    for ids in ((uid, gid), (-1, -1), (0, -1), (-1, 0), (uid + 1, gid + 1)):
        print(name, [tries(call, name, *ids) for call in (os.chown, os.lchown)])
print([tries(os.fchown, fd, *ids) for ids in ((uid, gid), (0, 0))], tries(os.fchown, 99, 0, 0))
print([tries(os.chown, 'data/link', 0, 0, ), tries(os.lchown, 'data/link', 0, 0)])
";
    let place = Place::new(POLICY);
    place.write("data/here", "");
    std::os::unix::fs::symlink("nowhere", place.project().join("data/link")).unwrap();
    let held = place.run(text);
    // What it says itself is that it was told: these are attempts.
    assert_eq!(held.code, 0, "{held:?}");
    assert!(held.err().lines().all(|line| line.starts_with("waxcell: ")), "{held:?}");
    let out = held.out();
    if is_root() {
        assert!(out.contains("setuid ['ok', 'EPERM', 'EPERM']") && !out.contains("EINVAL"), "{out}");
        assert!(out.ends_with("['ok', 'EPERM'] EBADF\n['ENOENT', 'EPERM']\n"), "{out}");
    } else {
        assert_eq!(out, place.bare(text).out(), "held is left, bare is right");
    }
}

/// With a blocked `delete` and without, in the read-only project, in `/usr`, in data and in scratch.
#[test]
fn what_is_not_there_is_not_there_before_it_is_read_only() {
    let text = "
import errno, os, pathlib, shutil, tempfile
def tries(call, *args, **more):
    try: call(*args, **more); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
scratch = tempfile.mkdtemp()
for folder in ('.', 'data', '/usr/lib', scratch, os.path.abspath('data')):
    gone, here = os.path.join(folder, 'gone'), os.path.join(folder, 'gone too', 'x')
    calls = [(os.remove, gone), (os.remove, here), (os.rmdir, gone), (os.rmdir, gone + '/'), (os.remove, ''), (shutil.rmtree, gone), (os.truncate, gone, 0), (os.utime, gone),
             (os.chmod, gone, 0o600), (os.link, gone, here), (open, gone, 'r+'), (os.remove, 'script.py/x')]
    print([tries(*call) for call in calls])
    directory = os.open(folder, os.O_RDONLY)
    print(tries(os.remove, 'gone', dir_fd=directory), tries(os.rmdir, 'gone', dir_fd=directory))
    pathlib.Path(gone).unlink(missing_ok=True)
    shutil.rmtree(gone, ignore_errors=True)
for made in ('.', 'data', '/usr', '/usr/lib', scratch):
    os.makedirs(made, exist_ok=True); pathlib.Path(made).mkdir(parents=True, exist_ok=True)
    print(tries(os.mkdir, made), tries(os.makedirs, made))
try: open('script.py', 'x')
except FileExistsError: print('exists')
pathlib.Path('data/here').touch(exist_ok=True)
";
    same_under(POLICY, text);
    same_under("filesystem:\n  allowed_paths: [./data]\n", &text.replace("(os.chmod, gone, 0o600), ", ""));
}

/// Fonts, keys, names of locales, catalogs of XML: each asked for where a program or a library asks.
#[test]
fn what_programs_read_of_etc_is_there() {
    let text = "
import hashlib, os
for name in ('fonts/fonts.conf', 'inputrc', 'locale.alias', 'xml/catalog', 'mime.types', 'services', 'ssl/openssl.cnf', 'os-release'):
    path = '/etc/' + name
    print(name, hashlib.sha256(open(path, 'rb').read()).hexdigest() if os.path.exists(path) else 'absent')
";
    let said = same_under(POLICY, text);
    assert!(!said.out().contains("services absent"), "control: {said:?}");
}

#[test]
fn a_script_may_step_back() {
    let text = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
IDLE, BEST_EFFORT, REAL_TIME = (kind << 13 for kind in (3, 2, 1))
NUMBERS = {'x86_64': (251, 252), 'aarch64': (30, 31)}[os.uname().machine]
def io(priority): return libc.syscall(NUMBERS[0], 1, 0, priority), libc.syscall(NUMBERS[1], 1, 0) >> 13
print(io(IDLE), os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)))
";
    assert!(same_under(POLICY, text).out().starts_with("(0, 3)"), "control");
    // Outside, anybody may have the highest level of best effort.
    let further = text.replace("print", "print(io(BEST_EFFORT), io(REAL_TIME))\nprint");
    let said = Place::new(POLICY).run(&further);
    assert!(said.out().starts_with("(-1, "), "{said:?}");
}

#[test]
fn limits_of_a_process_are_its_own_affair() {
    let said = same_under(
        POLICY,
        "
import os, resource, subprocess, sys, time
core = (0, 0)
resource.setrlimit(resource.RLIMIT_CORE, core)
print(resource.prlimit(0, resource.RLIMIT_CORE), resource.prlimit(os.getpid(), resource.RLIMIT_CORE))
child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
print(resource.prlimit(child.pid, resource.RLIMIT_CORE, core), resource.prlimit(child.pid, resource.RLIMIT_CORE))
child.communicate(b'x')
for pid in (child.pid, -1, 2**22 + 1):
    try: resource.prlimit(pid, resource.RLIMIT_CORE)
    except OSError as e: print(type(e).__name__)
",
    );
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn execute_is_for_the_paths_that_say_so() {
    let text = "
import mmap, os, shutil, subprocess
for folder in ('/tmp', '/var/tmp', '/dev/shm', os.path.expanduser('~'), 'data', 'tools'):
    program = os.path.join(folder, 'program')
    shutil.copyfile('/usr/bin/true', program); os.chmod(program, 0o755)
    try: ran = subprocess.run([os.path.abspath(program)]).returncode
    except PermissionError: ran = 'refused'
    with open(program, 'rb') as file:
        try: mapped = bool(mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))
        except PermissionError: mapped = 'refused'
    print(folder.replace(os.path.expanduser('~'), '~'), ran, mapped, os.access(program, os.X_OK), shutil.which(program) is not None)
";
    let run = |paths: &str| {
        let place =
            Place::new(&format!("filesystem:\n  allowed_paths: [{paths}]\n  blocked_operations: []\n"));
        place.write("tools/x", "");
        place.write("data/x", "");
        let said = place.run(text);
        let denied = said
            .err()
            .lines()
            .all(|line| line.starts_with("waxcell: denied proc.exec on ") || line.contains(" more;"));
        assert!(denied, "{said:?}");
        said.out().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let told = |executable: &[&str]| {
        ["/tmp", "/var/tmp", "/dev/shm", "~", "data", "tools"]
            .map(|folder| match executable.contains(&folder) {
                true => format!("{folder} 0 True True True"),
                false => format!("{folder} refused refused False False"),
            })
            .to_vec()
    };
    assert_eq!(run("./data, ./tools"), told(&[]));
    assert_eq!(run("./data, {path: ./tools, execute: true}"), told(&["tools"]));
    let both = "./data, {path: ./tools, execute: true}, {path: /tmp, execute: true}";
    assert_eq!(run(both), told(&["/tmp", "tools"]));
}

#[test]
fn git_reads_the_repository_and_the_script_no_secret_of_it() {
    let place = Place::new(POLICY);
    let git = |args: &[&str]| {
        let mut command = place.command("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a"]).args(args);
        assert_eq!(say(&mut command).code, 0, "git {args:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["remote", "add", "origin", "https://bee:SECRET@example.org/a.git"]);
    place.write("data/x", "");
    if is_root() {
        // Out of the reach of the script's user in any case: nothing to show, and nothing to fail for.
        let foreign = place.write("data/foreign/.git/config", "[core]").parent().unwrap().to_owned();
        std::os::unix::fs::chown(foreign.parent().unwrap(), Some(34567), Some(34567)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(foreign.parent().unwrap(), mode).unwrap();
    }
    let text = "
import subprocess
for words in (['status', '--short'], ['log', '--format=%s'], ['rev-parse', '--show-toplevel'], ['branch', '--show-current'], ['remote']):
    ended = subprocess.run(['git', *words], capture_output=True, text=True)
    print(words, ended.returncode, ended.stdout, ended.stderr)
print('SECRET' in open('.git/config').read())
";
    place.write("script.py", text);
    git(&["add", "script.py"]);
    git(&["commit", "-qm", "first"]);
    let (held, bare) = (place.run(text), place.bare(text));
    assert!(bare.out().ends_with("True\n"), "control: {bare:?}");
    assert_eq!(held.out(), bare.out().replace("True\n", "False\n"));
    place.write(
        "security_policy.yml",
        "filesystem:\n  allowed_paths: [{path: ./.git/config, access: none}]\n",
    );
    assert!(place.run(text).err().contains("PermissionError"));
}

#[test]
fn output_that_a_disk_does_not_take_is_told() {
    let place = Place::new(POLICY);
    for (text, control) in [("print('x')", 0), ("import sys; print('x'); sys.exit(3)", 3)] {
        place.write("script.py", text);
        assert_eq!(say(place.waxcell_shell("$0 run script.py").arg(support::waxcell())).code, control);
        let said = say(place.waxcell_shell("$0 run script.py > /dev/full").arg(support::waxcell()));
        assert_eq!(said.code, 125, "{said:?}");
        assert!(said.err().contains("standard output could not be written: No space left"), "{said:?}");
    }
    // A reader who has seen enough is no fault.
    place.write("script.py", "print('x' * 1000000)");
    let said = say(place.waxcell_shell("$0 run script.py 2> data.err | head -c 3").arg(support::waxcell()));
    assert_eq!((said.out().as_str(), said.err().as_str()), ("xxx", ""));
    assert!(!place.read("data.err").contains("could not be written"));
}

#[test]
fn limits_of_the_caller_hold_as_well() {
    let place = Place::new(POLICY);
    place.write(
        "script.py",
        "import resource as r\nprint(r.getrlimit(r.RLIMIT_NOFILE)[1], r.getrlimit(r.RLIMIT_FSIZE)[1])",
    );
    let with = |limits: &str| {
        say(place.waxcell_shell(&format!("{limits} $0 run script.py")).arg(support::waxcell()))
    };
    // In blocks of 512 bytes.
    assert_eq!(with("ulimit -n 200; ulimit -f 80000;").out(), "200 40960000\n");
    assert_eq!(with("").out(), "1024 104857600\n", "control");
}

#[test]
fn standard_streams_can_be_opened_by_name() {
    let text = "
open('/dev/stdout', 'w').write('one\\n'); open('/dev/stderr', 'w').write('two\\n')
open('/proc/self/fd/1', 'w').write('three\\n'); open('/dev/fd/2', 'a').write('four\\n')
import subprocess; subprocess.run('echo five > /dev/stderr', shell=True)
";
    assert_eq!(same_under(POLICY, text).out(), "one\nthree\n");
    let place = Place::new(POLICY);
    place.write("script.py", text);
    let (waxcell, state) = (support::waxcell(), place.state());
    let words = [waxcell.to_str().unwrap(), "--state", state.to_str().unwrap(), "run", "script.py"];
    let bare = on_a_terminal(&place, &[PYTHON, "script.py"], "");
    assert_eq!(on_a_terminal(&place, &words, ""), bare, "held is left, bare is right");
    // A file that is read, and nothing but read; the caller's terminal not at all.
    place.write(
        "script.py",
        "
import errno
def tries(name, mode):
    try: return open(name, mode).read(4)
    except OSError as e: return errno.errorcode[e.errno]
print(tries('/dev/stdin', 'r'), tries('/dev/stdin', 'r+') in ('EACCES', 'EROFS'))
",
    );
    std::fs::write(place.root().join("input"), "text").unwrap();
    let said = say(place.waxcell_shell("$0 run script.py < ../input").arg(support::waxcell()));
    assert_eq!(said.out(), "text True\n", "{said:?}");
    assert!(on_a_terminal(&place, &words, "").contains("EACCES True"));
}

#[test]
fn a_signal_makes_no_fork_fail() {
    let place = Place::new(&format!("{POLICY}execution: {{max_processes: 12, timeout_seconds: 35}}\n"));
    // Children end while others are forked, and the script handles that; so does the shell in a pipeline.
    let said = place.run(
        "
import os, signal, subprocess
signal.signal(signal.SIGCHLD, lambda *_: None)
alive = 0
for _ in range(1500):
    if os.fork() == 0: os._exit(0)
    alive += 1
    while alive and os.waitpid(-1, 0 if alive == 8 else os.WNOHANG)[0]: alive -= 1
while alive: os.wait(); alive -= 1
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
for _ in range(60): subprocess.run(['/bin/sh', '-c', 'echo x | cat | cat | wc -l'], check=True)
",
    );
    assert_eq!((said.code, said.err()), (0, String::new()), "{said:?}");
    assert_eq!(said.out(), "1\n".repeat(60));
}

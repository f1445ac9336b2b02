//! Which files there are for a script, what it can do to them, and whose they are afterwards.

mod beside;
mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use beside::POLICY;
use support::{PYTHON, Place, say};

#[test]
fn tmp_is_private_unless_it_is_shared() {
    let name = format!("/tmp/waxcell-test-{}", std::process::id());
    let seen = format!("{name}-seen");
    let text = format!(
        "import os\nprint(os.path.exists('{seen}'))\nopen('{name}', 'w').write('x')\nprint(os.path.exists('{name}'))"
    );
    fs::write(&seen, "").unwrap();
    let private = Place::new(POLICY);
    assert_eq!(private.run(&text).out(), "False\nTrue\n");
    assert!(!Path::new(&name).exists());
    let listed = Place::new("filesystem: {allowed_paths: [/tmp]}\n");
    assert_eq!(listed.run(&text).out(), "False\nTrue\n");
    assert!(!Path::new(&name).exists());
    let shared = Place::new("filesystem:\n  allowed_paths: [{path: /tmp, shared: true}]\n");
    let said = shared.run(&text);
    println!("{said:?}");
    // Here the project lies in /tmp itself, so that the policy would be writable: refused, and it is said why.
    if shared.root().starts_with("/tmp") {
        assert_eq!(said.code, 126, "{said:?}");
        assert!(said.err().contains("policy"), "{said:?}");
    }
    fs::remove_file(&seen).unwrap();
}

#[test]
fn tmp_shared_by_a_project_elsewhere() {
    let Some(elsewhere) =
        ["/var/tmp", "/dev/shm"].into_iter().find_map(|folder| tempfile::tempdir_in(folder).ok())
    else {
        return support::skip("files::tmp_shared_by_a_project_elsewhere", "nowhere to write but /tmp");
    };
    let root = elsewhere.path();
    let name = format!("/tmp/waxcell-shared-{}", std::process::id());
    fs::write(
        root.join("security_policy.yml"),
        "filesystem:\n  allowed_paths: [{path: /tmp, shared: true}]\n  blocked_operations: []\n",
    )
    .unwrap();
    fs::write(root.join("script.py"), format!("open('{name}', 'w').write('x')")).unwrap();
    let place = Place::new(POLICY);
    let said =
        say(place.waxcell(&["run", "script.py"]).current_dir(root).env("WAXCELL_STATE", root.join("state")));
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fs::read(&name).unwrap(), b"x");
    let meta = fs::metadata(&name).unwrap();
    assert_eq!(meta.uid(), rustix::process::geteuid().as_raw());
    fs::remove_file(&name).unwrap();
}

#[test]
fn the_host_is_not_there() {
    let place = Place::new(POLICY);
    let home = place.root().join("home");
    fs::write(home.join("secret"), "secret").unwrap();
    fs::write(place.root().join("beside"), "secret").unwrap();
    let text = format!(
        "
import os
for path in ('{home}/secret', '{root}/beside', '{root}/state/journal', '/root', '/sys', '/etc/shadow', '/var/run', '/run', '/proc/1/environ', '/boot'):
    try: os.listdir(path) if os.path.isdir(path) else open(path).read(1); print('SEEN', path)
    except OSError: pass
print(sorted(p for p in os.listdir('/proc') if p.isdigit() and int(p) > 2))
",
        home = home.display(),
        root = place.root().display()
    );
    assert_eq!(place.run(&text).out(), "[]\n");
    assert!(place.bare(&text).out().contains("SEEN"), "control");
}

#[test]
fn credentials_are_covered_unless_they_are_named() {
    let names = [
        ".env",
        ".git/config",
        ".git/hooks/pre-commit",
        "lib/x.pth",
        "deep/.netrc",
        "sitecustomize.py",
        "deep/id_rsa",
    ];
    let open = [".env.example", ".git/HEAD", "deep/config"];
    let text = "
import os, sys
for name in sys.argv[1:]:
    try: content = open(name).read()
    except OSError as e: content = type(e).__name__
    print(name, content)
    try: open(name, 'w').close(); print('WRITTEN')
    except OSError: pass
    try: os.rename(name, 'data/moved'); print('MOVED')
    except OSError: pass
";
    let run = |policy: &str| {
        let place = Place::new(policy);
        for name in names.iter().chain(&open) {
            place.write(name, "# secret");
        }
        place.write("script.py", text);
        let said = say(place.waxcell(&["run", "script.py"]).args(names).args(open));
        assert_eq!(said.code, 0, "{said:?}");
        for name in names.iter().chain(&open) {
            assert_eq!(place.read(name), "# secret");
        }
        said.out()
    };
    let covered = run(POLICY);
    assert_eq!(covered.matches("# secret").count(), open.len(), "{covered}");
    assert!(!covered.contains("WRITTEN") && !covered.contains("MOVED"), "{covered}");
    let list = names.map(|name| format!("{{path: ./{}, access: read}}", name.replace("/pre-commit", "")));
    let named = run(&format!("filesystem:\n  allowed_paths: [{}]\n", list.join(", ")));
    assert_eq!(named.matches("# secret").count(), names.len() + open.len(), "{named}");
}

#[test]
fn what_lies_in_a_writable_path_is_covered_as_well() {
    let place = Place::new("filesystem:\n  allowed_paths: [./data]\n  blocked_operations: []\n");
    place.write("data/.env", "secret");
    place.write("data/sub/x.pth", "secret");
    let said = place.run(
        "
import os, shutil
for name in ('data/.env', 'data/sub/x.pth'):
    for f in (lambda: print(open(name).read()), lambda: open(name, 'w').close(), lambda: os.unlink(name), lambda: os.rename(name, 'data/y')):
        try: f(); print('DONE')
        except OSError: pass
try: os.rename('data/sub', 'data/sub2')
except OSError: pass
shutil.rmtree('data/sub', ignore_errors=True)
",
    );
    assert!(!said.out().contains("secret") && !said.out().contains("DONE"), "{said:?}");
    assert_eq!((place.read("data/.env"), said.code), ("secret".to_owned(), 0));
}

#[test]
fn access_none_and_the_most_specific_entry() {
    let place = Place::new(
        "filesystem:\n  allowed_paths:\n    - ./data\n    - {path: ./data/private, access: none}\n    - {path: ./data/fixed, access: read}\n    - ./data/fixed/open\n    - {path: ./secret.txt, access: none}\n",
    );
    for name in ["data/private/x", "data/fixed/x", "data/fixed/open/x", "data/x", "secret.txt", "plain.txt"] {
        place.write(name, "text");
    }
    let said = place.run(
        "
import os
for name in ('data/private/x', 'data/fixed/x', 'data/fixed/open/x', 'data/x', 'secret.txt', 'plain.txt'):
    def t(f):
        try: f(); return 'y'
        except OSError: return 'n'
    print(name, t(lambda: open(name).read()), t(lambda: open(name, 'a').write('+')))
try: print(os.listdir('data/private'))
except OSError: print('closed')
",
    );
    assert_eq!(
        said.out(),
        "data/private/x n n\ndata/fixed/x y n\ndata/fixed/open/x y y\ndata/x y y\nsecret.txt n n\nplain.txt y n\nclosed\n",
        "{said:?}"
    );
}

#[test]
fn the_project_is_read_only() {
    let place = Place::new(POLICY);
    let script = "
import os
def t(f):
    try: f(); print('DONE')
    except OSError as e: print(e.strerror)
t(lambda: open('new', 'w')); t(lambda: open('script.py', 'a')); t(lambda: os.mkdir('dir')); t(lambda: os.rename('script.py', 'data/s'))
t(lambda: os.link('script.py', 'data/link')); t(lambda: os.unlink('script.py')); t(lambda: os.chmod('script.py', 0o777)); t(lambda: os.truncate('script.py', 0))
t(lambda: open('security_policy.yml', 'a')); t(lambda: os.utime('script.py')); t(lambda: os.symlink('x', 'y'))
";
    fs::create_dir(place.project().join("data")).unwrap();
    place.write("script.py", script);
    let before = place.tree();
    let said = say(&mut place.waxcell(&["run", "script.py"]));
    assert!(!said.out().contains("DONE") && said.out().lines().count() == 11, "{said:?}");
    assert_eq!(place.tree(), before);
}

#[test]
fn a_missing_allowed_path_is_made_by_the_script_alone() {
    let ways = [
        ("os.mkdir('fresh'); print(os.listdir('fresh'))", true),
        ("os.makedirs('fresh'); os.makedirs('fresh', exist_ok=True)", true),
        ("os.makedirs('fresh/a/b')", true),
        ("pathlib.Path('fresh').mkdir(parents=True, exist_ok=True)", true),
        ("pathlib.Path('fresh').mkdir(); open('fresh/x', 'w').close()", true),
        ("pass", false),
        ("open('README').read()", false),
    ];
    for (way, stays) in ways {
        let run = |held: bool| {
            let place = Place::new("filesystem:\n  allowed_paths: [./fresh]\n");
            place.write("README", "");
            place.write("script.py", format!("import os, pathlib\n{way}\n"));
            let said = if held {
                say(&mut place.waxcell(&["run", "script.py"]))
            } else {
                say(place.command(PYTHON).arg("script.py"))
            };
            let files: Vec<String> = place
                .tree()
                .into_keys()
                .map(|path| path.strip_prefix(place.project()).unwrap().display().to_string())
                .collect();
            (said.code, said.out(), said.err(), files)
        };
        let (bare, held) = (run(false), run(true));
        assert_eq!(held, bare, "{way}");
        assert_eq!(bare.3.contains(&"fresh".to_owned()), stays, "control: {way}");
    }
    // A second `mkdir` fails as it does bare, and an absent path does not seem to be there.
    for way in [
        "os.mkdir('fresh'); os.mkdir('fresh')",
        "print(os.path.exists('fresh'))",
        "print(os.path.isfile('out.json'))",
        "open('out.json').read()",
        "print(sorted(os.listdir('.')))",
        "open('fresh/x', 'w')",
    ] {
        let run = |held: bool| {
            let place = Place::new("filesystem:\n  allowed_paths: [./fresh, ./out.json]\n");
            place.write("script.py", format!("import os\n{way}\n"));
            let said = if held {
                say(&mut place.waxcell(&["run", "script.py"]))
            } else {
                say(place.command(PYTHON).arg("script.py"))
            };
            (said.code, said.out())
        };
        let (bare, held) = (run(false), run(true));
        println!("{}{way}: bare {bare:?} held {held:?}", if bare == held { "" } else { "DIFFERS " });
    }
}

#[test]
fn a_missing_allowed_file_is_made_by_open() {
    let place = Place::new("filesystem:\n  allowed_paths: [./out.json, ./new/log.txt]\n");
    let said = place.run("open('out.json', 'w').write('{}')");
    assert_eq!(
        (said.code, place.read("out.json"), place.has("new")),
        (0, "{}".to_owned(), false),
        "{said:?}"
    );
    let said = place.run("import os\nos.makedirs('new', exist_ok=True)\nopen('new/log.txt', 'a').write('x')");
    assert_eq!((said.code, place.read("new/log.txt")), (0, "x".to_owned()), "{said:?}");
    // Through a temporary file beside it: only the entry itself is writable.
    let said = place.run("open('out.json', 'w').write('[]')");
    assert_eq!((said.code, place.read("out.json")), (0, "[]".to_owned()));
}

#[test]
fn blocked_operations_hold_data_and_not_scratch() {
    let place = Place::new("filesystem:\n  allowed_paths: [./data]\n");
    let said = place.run(
        "
import os, subprocess, tempfile
os.makedirs('data', exist_ok=True)
with tempfile.TemporaryDirectory() as folder:
    for where in ('data', folder):
        f = where + '/f'
        def t(g):
            open(f, 'a').close()
            try: g(); return 'done'
            except OSError as e: return e.strerror
        print(t(lambda: os.unlink(f)), t(lambda: os.chmod(f, 0o600)), t(lambda: os.chown(f, os.getuid(), -1)),
              subprocess.run(['rm', '-f', f], stderr=subprocess.DEVNULL).returncode,
              t(lambda: (open(f + '.new', 'w').close(), os.replace(f + '.new', f))), t(lambda: os.rename(f, where + '/g')))
print(os.path.exists(folder), os.path.exists('data/g'))
",
    );
    let denied = "Operation not permitted";
    assert!(said.out().ends_with("done done done 0 done done\nFalse True\n"), "{said:?}");
    assert!(said.out().starts_with(&format!("{denied} {denied} {denied} 1 done done\n")), "{said:?}");
    assert!(said.err().lines().all(|line| line.starts_with("waxcell: denied")), "{said:?}");
}

#[test]
fn files_belong_to_the_caller_with_the_callers_mask() {
    let text = "import os\nos.makedirs('data/a', exist_ok=True); open('data/a/b', 'w').close(); os.mkdir('data/c', 0o777); os.symlink('x', 'data/l')";
    for mask in ["022", "077", "002"] {
        let run = |program: &str| {
            let place = Place::new(POLICY);
            place.write("script.py", text);
            let said = say(&mut place.waxcell_shell(&format!("umask {mask}; {program} script.py")));
            assert_eq!(said.code, 0, "{said:?}");
            ["data", "data/a", "data/a/b", "data/c", "data/l"].map(|name| {
                let meta = fs::symlink_metadata(place.project().join(name)).unwrap();
                (name, meta.mode(), meta.uid(), meta.gid())
            })
        };
        assert_eq!(run(&format!("{} run", support::waxcell().display())), run(PYTHON), "{mask}");
    }
}

/// What bare Python says about it as well, but for other names.
const NEW_FILES: &str = "
import ctypes, errno, os, stat, threading
def tried(what, *args):
    try: return what(*args)
    except OSError as e: return errno.errorcode[e.errno]
def read(name):
    with open(name) as file: return file.read()
def write(name, mode, text):
    with open(name, mode) as file: return file.write(text)
name = 'state.json'
print(os.path.exists(name), name in os.listdir('.'), tried(read, name), tried(write, name, 'r+', 'x'))
print(tried(write, name, 'x', 'one'), tried(write, name, 'x', 'two'), read(name), oct(os.stat(name).st_mode))
print(tried(write, os.path.abspath(name), 'a', ' more'), tried(write, './sub/../' + name, 'r+', 'ONE'), read(name))
here = os.open('.', os.O_RDONLY | os.O_DIRECTORY)
held = os.open(name, os.O_RDWR, dir_fd=here)
print(os.get_inheritable(held), os.get_blocking(held), os.ftruncate(held, 3), os.fstat(held).st_size, os.read(held, 9))
threads = [threading.Thread(target=write, args=(name, 'a', '.')) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
os.umask(0o077)
print(read(name), tried(write, 'sub/log.txt', 'w', 'log'), oct(os.stat('sub/log.txt').st_mode))
";

#[test]
fn a_writable_file_that_is_not_there_is_made_by_the_script() {
    let place = Place::new("filesystem: {allowed_paths: [./state.json, ./sub/log.txt, ./never.json]}");
    fs::create_dir(place.project().join("sub")).unwrap();
    let script = format!(
        "{NEW_FILES}\nprint(tried(write, 'other.json', 'w', 'x'), tried(write, 'sub/state.json', 'w', 'x'))\n\
         print(tried(os.link, 'state.json', 'sub/never.json'), tried(os.symlink, '/etc/passwd', 'never.json'))"
    );
    let expected = "\
False False ENOENT ENOENT
3 EEXIST one 0o100644
5 3 ONE more
False True None 3 b'ONE'
ONE........ 3 0o100600
";
    let bare = Place::new(POLICY);
    fs::create_dir(bare.project().join("sub")).unwrap();
    assert_eq!(bare.bare(NEW_FILES).out(), expected, "control: as outside");
    let (said, report) = place.report(&script);
    let printed = report["stdout"].as_str().unwrap();
    assert_eq!(printed, format!("{expected}EROFS EROFS\nEROFS EROFS\n"), "{said:?}");
    let told = report["violations"].as_array().unwrap().iter().map(|told| {
        let target = Path::new(told["target"].as_str().unwrap()).strip_prefix(place.project()).unwrap();
        (told["operation"].as_str().unwrap(), target.to_str().unwrap())
    });
    // What was allowed is no attempt; these are.
    let tried = [
        ("fs.create", "other.json"),
        ("fs.create", "sub/state.json"),
        ("fs.link", "state.json"),
        ("fs.link", "never.json"),
    ];
    assert!(told.eq(tried), "{report:#}");
    assert_eq!((place.read("state.json"), place.read("sub/log.txt")), ("ONE........".into(), "log".into()));
    assert!(!place.has("never.json") && !place.has("other.json") && !place.has("sub/state.json"));
    let own = fs::metadata(place.project()).unwrap().uid();
    assert_eq!(fs::metadata(place.project().join("state.json")).unwrap().uid(), own);
    let changed: Vec<_> = report["files_changed"].as_array().unwrap().iter().map(|c| &c["change"]).collect();
    assert_eq!(changed, ["created", "created"], "{report:#}");
    // From then on it is a file like any other.
    assert_eq!(
        place.run("with open('state.json', 'a') as f: f.write('!')\nprint(open('state.json').read())").out(),
        "ONE........!\n"
    );
}

#[test]
fn nothing_but_the_file_itself_is_opened_for_the_script() {
    let place = Place::new("filesystem: {allowed_paths: [./state.json]}");
    place.write("victim", "precious");
    // While the script waits for it, somebody outside puts something else into the place.
    for (kind, expected) in [("link", "ELOOP"), ("fifo", "ENXIO"), ("folder", "EISDIR")] {
        let at = place.project().join("state.json");
        let script = "import errno, os, time\nprint('ready', flush=True)\nwhile not os.path.lexists('state.json'): time.sleep(0.01)\n\
             try: open('state.json', 'w').write('x')\nexcept OSError as e: print(errno.errorcode[e.errno])";
        place.write("script.py", script);
        let running = support::Running::start(&mut place.waxcell(&["run", "script.py"]));
        std::thread::sleep(std::time::Duration::from_millis(300));
        match kind {
            "link" => std::os::unix::fs::symlink(place.project().join("victim"), &at).unwrap(),
            "fifo" => {
                rustix::fs::mknodat(rustix::fs::CWD, &at, rustix::fs::FileType::Fifo, 0o644.into(), 0)
                    .unwrap();
            }
            _ => fs::create_dir(&at).unwrap(),
        }
        let said = running.end();
        assert_eq!(said.out(), format!("ready\n{expected}\n"), "{kind}: {said:?}");
        if kind == "folder" { fs::remove_dir(&at).unwrap() } else { fs::remove_file(&at).unwrap() }
    }
    assert_eq!(place.read("victim"), "precious");
}

/// As most hosts do (`systemd(1)`): what is mounted on a copy of a shared mount appears on the host as well.
#[test]
fn a_host_that_shares_its_mounts_gets_none_of_the_runs() {
    let place = Place::new(POLICY);
    if !support::is_root() {
        return support::skip(
            "files::a_host_that_shares_its_mounts_gets_none_of_the_runs",
            "mounting needs root",
        );
    }
    place.write(".env", "SECRET=1\n");
    place.write("script.py", "import os\nos.makedirs('data', exist_ok=True)\nprint(os.path.getsize('.env'))");
    let inner = format!(
        "mount --make-rshared / || exit 99
         before=$(cat /proc/self/mountinfo)
         {waxcell} run script.py && {waxcell} run script.py || exit 1
         test \"$before\" = \"$(cat /proc/self/mountinfo)\" && cat .env",
        waxcell = support::waxcell().display()
    );
    let mut command = place.command("/usr/bin/unshare");
    command.env("WAXCELL_STATE", place.state());
    let said = say(command.args(["--mount", "--propagation", "unchanged", "/bin/sh", "-c", &inner]));
    assert_eq!((said.code, said.out().as_str()), (0, "0\n0\nSECRET=1\n"), "{said:?}");
}

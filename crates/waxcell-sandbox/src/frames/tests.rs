//! Every interpreter of this machine says where it is, and is looked at.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Interpreters from 3.8 to 3.13.
fn pythons() -> Vec<PathBuf> {
    let pyenv = fs::read_dir("/root/.pyenv/versions").into_iter().flatten().flatten();
    let prefixes = pyenv.map(|entry| entry.path()).chain([PathBuf::from("/usr")]);
    let programs =
        prefixes.flat_map(|prefix| (8..=13).map(move |minor| prefix.join(format!("bin/python3.{minor}"))));
    let found: Vec<PathBuf> = programs.filter(|program| program.exists()).collect();
    assert!(!found.is_empty(), "no Python from 3.8 to 3.13 in /usr or /root/.pyenv");
    found
}

/// Tells thread, file and line of the caller and the line of the script that led there, and waits for a byte.
const STOP: &str = "
import os, sys, threading
def stop():
    frame = script = sys._getframe(1)
    while script and script.f_code.co_filename != sys.modules['__main__'].__file__: script = script.f_back
    name = os.fsencode(os.path.realpath(frame.f_code.co_filename)).hex()
    line = script.f_lineno if script and script is not frame else 0
    os.write(1, b'%d %s %d %d\\n' % (threading.get_native_id(), name.encode(), frame.f_lineno, line))
    os.read(0, 1)
";

const MODULE: &str = "
from stop import stop
def far(times=0):
    if times: return far(times - 1)
    stop()
def call(what):
    what()
class Rows:
    def __iter__(self):
        yield 1
        stop()
stop()
";

const SCRIPT: &str = "
import os, sys, threading
sys.path[:0] = ['venv/site-packages', os.path.join('scripts', '..', 'lib')]
from stop import stop; import module
def inner(): stop()
inner()
for _ in range(2):
    stop()


    [stop() for _ in 'x']; (lambda: stop())()
thread = threading.Thread(target=inner); thread.start(); thread.join()
thread = threading.Thread(target=module.far); thread.start(); thread.join()
module.far()
module.far(200)
module.call(inner)
list(module.Rows())
exec('def made():\\n stop()\\n\\nmade()')
eval('module.call(stop)')
sorted([2, 1], key=lambda _: stop() or 0)
class Late:
    def __del__(self): stop()
def leave(): late = Late()
leave()
if not os.fork(): stop(); thread = threading.Thread(target=inner); thread.start(); thread.join(); os._exit(0)
os.wait()
def long():
    x = 0
#MANY
    stop()
    return x
long()
try: raise ValueError
except ValueError: stop()
finally: stop()
print('done', flush=True)
";

#[expect(clippy::disallowed_methods, reason = "an interpreter to look at")]
fn look_at(python: &Path, project: &Path) -> usize {
    let script = project.join("scripts/script.py");
    for (name, text) in [
        ("venv/site-packages/stop.py", STOP),
        ("lib/module.py", MODULE),
        ("scripts/script.py", &SCRIPT.replace("#MANY", &"    x += 1\n\n".repeat(2000))),
    ] {
        fs::create_dir_all(project.join(name).parent().unwrap()).unwrap();
        fs::write(project.join(name), text).unwrap();
    }
    let frames = Frames {
        script: vec![script.as_os_str().as_bytes().to_vec()],
        project: project.as_os_str().as_bytes().to_vec(),
        cwd: project.as_os_str().as_bytes().to_vec(),
    };
    let mut child = Command::new(python)
        .args(["-B", "scripts/script.py"])
        .current_dir(project)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut stops = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let [tid, name, line, script_line] = words[..] else {
            assert_eq!(line, "done");
            break;
        };
        let tid = tid.parse().unwrap();
        let name: Vec<u8> =
            (0..name.len()).step_by(2).map(|at| u8::from_str_radix(&name[at..at + 2], 16).unwrap()).collect();
        let (line, script_line) = (line.parse().unwrap(), script_line.parse().unwrap());
        let expected = if name == script.as_os_str().as_bytes() {
            (None, line, None)
        } else if name.ends_with(b"<string>") {
            // Made by `exec`, it has no file.
            (None, script_line, None)
        } else {
            (Some(name), line, Some(script_line).filter(|line| *line != 0))
        };
        wait_for_read(tid);
        // As the init does.
        std::env::set_current_dir("/proc").unwrap();
        let place = frames.place(tid);
        let found =
            place.as_ref().map(|place| (place.file().map(<[u8]>::to_vec), place.line, place.script_line));
        assert_eq!(found, Some(expected), "{}: stop {stops}", python.display());
        stops += 1;
        input.write_all(b"x").unwrap();
    }
    assert!(child.wait().unwrap().success());
    stops
}

/// Until a thread is where it said that it would be.
fn wait_for_read(tid: u32) {
    let since = Instant::now();
    let read = format!("{} 0x0 ", libc::SYS_read);
    while !fs::read_to_string(format!("/proc/{tid}/syscall")).is_ok_and(|call| call.starts_with(&read)) {
        assert!(since.elapsed() < Duration::from_secs(20), "thread {tid} does not wait");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_interpreter_is_found_where_it_says_it_is() {
    for python in pythons() {
        let folder = tempfile::tempdir().unwrap();
        let stops = look_at(&python, &folder.path().canonicalize().unwrap());
        assert_eq!(stops, 24, "{}", python.display());
    }
}

#[test]
fn names_need_not_be_ascii_nor_text() {
    for python in pythons() {
        for name in [b"pr\xc3\xb6jekt".as_slice(), "\u{20ac}\u{1f41d}".as_bytes(), b"\xff\xfe"] {
            let folder = tempfile::tempdir().unwrap();
            let project = folder.path().canonicalize().unwrap().join(OsStr::from_bytes(name));
            assert_eq!(look_at(&python, &project), 24);
        }
    }
}

/// Memory in which every word leads back into it, at whose end it is over.
struct MadeUp(Vec<u64>);

impl MadeUp {
    fn new(seed: u64) -> MadeUp {
        let mut words = vec![0u64; 4096];
        let start = words.as_ptr() as u64;
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for word in &mut words {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            *word = match random % 16 {
                0 => random,
                1 => random % 64,
                _ => start + random % (8 * 4096),
            };
        }
        MadeUp(words)
    }

    fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }
}

#[test]
fn memory_may_be_made_up() {
    // What is read is this process's own.
    let memory = Memory { tid: rustix::thread::gettid().as_raw_nonzero().get() as u32 };
    for seed in 0..200 {
        let mut made_up = MadeUp::new(seed);
        let address = made_up.address();
        for minor in 8..=13 {
            // What 3.13 says of itself, with offsets that lead anywhere.
            made_up.0[0] = u64::from_le_bytes(*b"xdebugpy");
            (made_up.0[1], made_up.0[2]) = (0x030d_00f0, 0);
            (3..64).for_each(|index| made_up.0[index] = seed * 131 * index as u64 % (8 * 4096));
            let Some(layout) = Layout::of(minor, memory, address) else { continue };
            let python = Python { memory, layout };
            let thread = python.thread(address);
            let frame = python.innermost(thread.unwrap_or(address + 8 * seed)).unwrap_or(address);
            let code = python.code(frame).unwrap_or(address + 1);
            let _ = (python.line(frame, code), python.text(code, &mut Name::new()));
        }
        made_up.0[0] = u64::from_le_bytes(*b"\x7fELF\x02\x01\x01\0");
        for segment in 0..64 {
            // Offset, size and place of tables, near enough to be followed.
            made_up.0[4 + segment] = [1, 2, 0, seed, 8 * seed, 64][segment % 6];
        }
        let _ = symbol::symbol(memory, address);
    }
}

#[test]
fn a_circle_of_threads_or_frames_ends() {
    let memory = Memory { tid: rustix::thread::gettid().as_raw_nonzero().get() as u32 };
    // Every word is the address of the first: whatever is followed comes back here.
    let mut words = vec![0u64; 512];
    let address = words.as_ptr() as u64;
    words.fill(address);
    for minor in 8..=12 {
        let python = Python { memory, layout: Layout::of(minor, memory, address).unwrap() };
        let since = Instant::now();
        assert_eq!(python.thread(address), None);
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    }
}

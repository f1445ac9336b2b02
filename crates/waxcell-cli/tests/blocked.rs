//! Operations on what outlives a run, tried in every form that the kernel has; judged from outside.

mod support;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use support::Place;

const ALL: &str = "filesystem: {allowed_paths: [./data], blocked_operations: [delete, chmod, chown]}";
const NONE: &str = "filesystem: {allowed_paths: [./data], blocked_operations: []}";
/// Raw calls, as no library makes them.
const RAW: &str = "
import ctypes, errno, os, struct, threading, time
c = ctypes.CDLL(None, use_errno=True)
def raw(*args):
    ctypes.set_errno(0)
    result = c.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return errno.errorcode[ctypes.get_errno()] if result < 0 else result
def tried(what, *args):
    try: return what(*args)
    except OSError as e: return errno.errorcode[e.errno]
";

fn place(policy: &str) -> Place {
    let place = Place::new(policy);
    place.write("data/kept", "precious");
    place.write("data/other", "other");
    place
}

/// What a script printed, which has to end well.
#[track_caller]
fn said(place: &Place, script: &str) -> String {
    let (said, report) = place.report(&format!("{RAW}{script}"));
    assert_eq!(report["verdict"], "ok", "{report:#} {}", said.err());
    report["stdout"].as_str().expect("text").to_owned()
}

#[test]
fn a_mode_that_lends_the_caller_is_not_set_on_what_outlives_the_run() {
    let script = "
os.mkdir('data/folder'); print(tried(os.chmod, 'data/folder', 0o2755))
for mode in (0o4755, 0o2755, 0o6755):
    print(tried(os.chmod, 'data/kept', mode), tried(os.fchmod, os.open('data/kept', os.O_RDONLY), mode))
    print(tried(os.open, f'data/new{mode}', os.O_CREAT | os.O_WRONLY, mode), tried(os.mknod, 'data/node', mode))
    print(tried(os.open, 'data', os.O_TMPFILE | os.O_WRONLY, mode))
print(tried(os.chmod, 'data/kept', 0o751))
open('/tmp/own', 'w').close(); os.chmod('/tmp/own', 0o6755); print(oct(os.stat('/tmp/own').st_mode))
";
    let place = place(NONE);
    let refused = "EPERM EPERM\nEPERM EPERM\nEPERM\n".repeat(3);
    assert_eq!(said(&place, script), format!("None\n{refused}None\n0o106755\n"));
    for entry in fs::read_dir(place.project().join("data")).expect("a folder").flatten() {
        let mode = entry.metadata().expect("an entry").mode();
        assert!(mode & 0o6000 == 0 || mode & 0o170_000 == 0o040_000, "{entry:?} {mode:o}");
    }
    assert_eq!(fs::metadata(place.project().join("data/kept")).expect("the file").mode() & 0o7777, 0o751);
}

#[test]
fn no_device_node_by_renaming() {
    let place = place(NONE);
    #[cfg(target_arch = "x86_64")]
    const RENAMEAT2: u32 = 316;
    #[cfg(target_arch = "aarch64")]
    const RENAMEAT2: u32 = 276;
    let script = format!(
        "for flags in (4, 2): print(raw({RENAMEAT2}, -100, b'data/kept', -100, b'data/other', flags))"
    );
    // The control: an exchange goes through.
    assert_eq!(said(&place, &script), "EPERM\n0\n");
    for name in ["data/kept", "data/other"] {
        let kind = fs::symlink_metadata(place.project().join(name)).expect("a file").file_type();
        assert!(!kind.is_char_device(), "{name}");
    }
}

#[test]
fn no_lease_on_the_hosts_files() {
    let script = "
import fcntl
print(tried(fcntl.fcntl, os.open('script.py', os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK))
print(tried(fcntl.flock, os.open('script.py', os.O_RDONLY), fcntl.LOCK_SH))
";
    assert_eq!(said(&place(NONE), script), "EPERM\nNone\n");
}

#[test]
fn a_memory_file_is_scratch_and_is_not_executed() {
    let script = "
import mmap
fd = os.memfd_create('x', os.MFD_CLOEXEC)
print(os.get_inheritable(fd), os.write(fd, open('/bin/true', 'rb').read()) > 0)
os.fchmod(fd, 0o700)
print(tried(os.execv, f'/proc/self/fd/{fd}', ['true']))
print(tried(mmap.mmap, fd, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))
print(mmap.mmap(fd, 4096)[:4])
print(tried(os.memfd_create, 'x', 4))
fd = os.memfd_create('y', 0)
print(os.get_inheritable(fd), os.fstat(fd).st_dev == os.stat('/tmp').st_dev)
";
    let told = "False True\nEACCES\nEPERM\nb'\\x7fELF'\nEINVAL\nTrue True\n";
    assert_eq!(said(&place(ALL), script), told);
}

#[test]
fn an_attribute_of_the_users_is_no_mode() {
    let script = "
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', tag, 7, 0xffffffff) for tag in (1, 4, 32))
for name, value in (('user.note', b'x'), ('system.posix_acl_access', acl)):
    for path in ('data/kept', '/tmp/own'):
        open(path, 'a').close(); print(tried(os.setxattr, path, name, value))
";
    let place = place(ALL);
    let (_, report) = place.report(&format!("{RAW}{script}"));
    let lines: Vec<&str> = report["stdout"].as_str().expect("text").lines().collect();
    // A file system may have no attributes of this kind at all; never is one refused as a change of mode.
    assert!(["None", "ENOTSUP", "EOPNOTSUPP"].contains(&lines[0]), "{report:#}");
    assert_eq!((lines[1], lines[2], lines[3]), ("None", "EPERM", "None"), "{report:#}");
    let refused = report["violations"].as_array().expect("a list");
    assert_eq!((refused.len(), &refused[0]["operation"]), (1, &"fs.chmod".into()), "{report:#}");
}

#[test]
fn a_path_that_changes_while_it_is_judged() {
    #[cfg(target_arch = "x86_64")]
    const CALLS: &str = "
def attempts():
    raw(87, path); raw(263, -100, b'/tmp/d/kept', 0); raw(90, path, 0o777); raw(260, -100, b'/tmp/d/kept', os.getuid(), os.getgid(), 0)
def exchange(): raw(316, -100, b'/tmp/d', -100, b'/tmp/other', 2)
";
    #[cfg(target_arch = "aarch64")]
    const CALLS: &str = "
def attempts():
    raw(35, -100, path, 0); raw(35, -100, b'/tmp/d/kept', 0); raw(53, -100, path, 0o777); raw(54, -100, b'/tmp/d/kept', os.getuid(), os.getgid(), 0)
def exchange(): raw(276, -100, b'/tmp/d', -100, b'/tmp/other', 2)
";
    let script = "
data = os.path.abspath('data').encode()
os.mkdir('/tmp/d'); os.symlink(data, '/tmp/other')
path = ctypes.create_string_buffer(b'/tmp/d/kept', 4096)
names = [data + b'/kept\\0', b'/tmp/d/kept\\0']
over = False
def change():
    while not over:
        for name in names: ctypes.memmove(path, name, len(name))
def swap():
    while not over: exchange()
threads = [threading.Thread(target=t) for t in (change, swap)]
for t in threads: t.start()
removed = 0
end = time.time() + 1.5
while time.time() < end:
    for name in (b'/tmp/d/kept', b'/tmp/other/kept'):
        fd = raw(OPEN, -100, name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        if isinstance(fd, int): os.close(fd); removed += 1
    attempts()
over = True
for t in threads: t.join()
print(removed > 3)
";
    let open = if cfg!(target_arch = "x86_64") { "257" } else { "56" };
    let place = place(ALL);
    let kept = place.project().join("data/kept");
    let before = fs::metadata(&kept).expect("the file");
    // That the file was made again and again is the control: its like on scratch was deleted in between.
    assert_eq!(said(&place, &format!("{CALLS}{}", script.replace("OPEN", open))), "True\n");
    let after = fs::metadata(&kept).expect("the file is still there");
    assert_eq!((after.ino(), after.mode(), after.uid()), (before.ino(), before.mode(), before.uid()));
    assert_eq!(place.read("data/kept"), "precious");
}

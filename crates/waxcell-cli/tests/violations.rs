//! Attempts that no policy allows, and the record that each leaves; judged by the report and by what the script got.

mod support;

use support::{Place, Told, told};

const POLICY: &str = "filesystem: {allowed_paths: [./data]}";
const RAW: &str = "
import ctypes, errno, fcntl, os, platform, socket, threading
c = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == 'x86_64'
def raw(x86_64, aarch64, *args):
    ctypes.set_errno(0)
    c.syscall(ctypes.c_long(x86_64 if x86 else aarch64), *map(ctypes.c_long, args))
    return errno.errorcode.get(ctypes.get_errno())
def tried(what, *args):
    try: return what(*args)
    except OSError as e: return errno.errorcode[e.errno]
";

/// What the script printed, and its violations.
fn run(script: &str) -> (String, Vec<Told>) {
    let place = Place::new(POLICY);
    let (said, report) = place.report(&format!("{RAW}{script}"));
    assert_eq!(report["verdict"], "ok", "{report:#} {}", said.err());
    (report["stdout"].as_str().expect("text").to_owned(), told(&report))
}

fn filtered(operation: &str, target: &str, errno: i32, count: u64) -> Told {
    (operation.into(), target.into(), "filter".into(), errno.into(), count)
}

#[test]
fn what_the_filter_refuses_is_on_record() {
    let (printed, violations) = run("
print(raw(165, 40), raw(101, 117, 16, 1), raw(321, 280), raw(425, 425, 8), raw(272, 97, 0x10000000))
print(tried(socket.socket, 17, 3), tried(socket.socket, 2, 3), tried(socket.socket, 2, 1, 262))
print(tried(fcntl.ioctl, 0, 0x5412, b'x'), tried(os.setuid, 0), raw(135, 92, 8), raw(56, 220, 0x10000011))
");
    assert_eq!(
        printed,
        "EPERM EPERM EPERM ENOSYS EPERM\nEAFNOSUPPORT EPERM EPROTONOSUPPORT\nENOTTY EPERM EPERM EPERM\n"
    );
    let (perm, nosys) = (libc::EPERM, libc::ENOSYS);
    assert_eq!(
        violations,
        [
            filtered("fs.mount", "mount()", perm, 1),
            filtered("proc.ptrace", "ptrace()", perm, 1),
            filtered("sys.bpf", "bpf()", perm, 1),
            filtered("sys.io_uring", "io_uring_setup()", nosys, 1),
            filtered("sys.userns", "unshare()", perm, 1),
            filtered("net.raw", "socket(0x11, 0x80003, 0x0)", libc::EAFNOSUPPORT, 1),
            filtered("net.raw", "socket(0x2, 0x80003, 0x0)", perm, 1),
            filtered("net.raw", "socket(0x2, 0x80001, 0x106)", libc::EPROTONOSUPPORT, 1),
            filtered("ipc.terminal", "ioctl(_, 0x5412)", libc::ENOTTY, 1),
            filtered("proc.identity", "setuid(0x0)", perm, 1),
            filtered("proc.control", "personality(0x8)", perm, 1),
            filtered("sys.userns", "clone(0x10000011)", perm, 1),
        ]
    );
}

fn unreachable(operation: &str, target: &str, count: u64) -> Told {
    (operation.into(), target.into(), "network".into(), libc::ENETUNREACH.into(), count)
}

#[test]
fn attempts_to_leave_the_network_are_on_record() {
    let (printed, violations) = run("
def reach(family, kind, *address):
    with socket.socket(family, kind) as s: return tried(s.connect, address)
def send(family, *address):
    with socket.socket(family, socket.SOCK_DGRAM) as s: return tried(s.sendto, b'x', address)
tcp, udp, v4, v6 = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.AF_INET, socket.AF_INET6
print(reach(v4, tcp, '93.184.216.34', 443), reach(v4, tcp, '93.184.216.34', 443))
print(reach(v6, tcp, '2606:2800:220:1::1', 80), reach(v6, tcp, '::ffff:169.254.169.254', 80))
print(send(v4, '8.8.8.8', 53), send(v6, 'ff02::fb', 5353), reach(v4, udp, '10.0.2.2', 9))
with socket.socket(v4, udp) as s:
    of_no_family = b'\\0\\0\\0\\x35\\x08\\x08\\x04\\x04' + bytes(8)
    print(c.sendto(s.fileno(), b'x', 1, 0, of_no_family, 16), errno.errorcode[ctypes.get_errno()])
");
    assert_eq!(
        printed,
        "ENETUNREACH ENETUNREACH\nENETUNREACH ENETUNREACH\nENETUNREACH ENETUNREACH ENETUNREACH\n-1 ENETUNREACH\n"
    );
    assert_eq!(
        violations,
        [
            unreachable("net.connect", "93.184.216.34:443", 2),
            unreachable("net.connect", "[2606:2800:220:1::1]:80", 1),
            unreachable("net.connect", "[::ffff:169.254.169.254]:80", 1),
            unreachable("net.udp", "8.8.8.8:53", 1),
            unreachable("net.udp", "[ff02::fb]:5353", 1),
            unreachable("net.udp", "10.0.2.2:9", 1),
            unreachable("net.udp", "8.8.4.4:53", 1),
        ]
    );
}

/// The kernel counts them itself; without a loopback it finds nothing to send from to a host of version 6, and counts none.
#[test]
fn messages_to_others_are_counted() {
    for (loopback, six, count) in [(true, "ENETUNREACH", 3), (false, "EADDRNOTAVAIL", 2)] {
        let place = Place::new(&format!("network: {{loopback: {loopback}}}"));
        let (said, report) = place.report(&format!(
            "{RAW}
def message(family, kind, flags, *address):
    with socket.socket(family, kind) as s: return tried(s.sendmsg, [b'x'], [], flags, address)
tcp, udp, v4, v6 = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.AF_INET, socket.AF_INET6
print(message(v4, udp, 0, '198.51.100.7', 53), message(v6, udp, 0, '2001:db8::7', 53), message(v4, tcp, 0x20000000, '198.51.100.7', 80))
if '{loopback}' == 'true':
    with socket.socket(v4, udp) as here:
        here.bind(('127.0.0.1', 0))
        message(v4, udp, 0, *here.getsockname())
a, b = socket.socketpair()
a.sendmsg([b'among ourselves'])
print(b.recv(99))
"
        ));
        let printed = format!("ENETUNREACH {six} ENETUNREACH\nb'among ourselves'\n");
        assert_eq!(report["stdout"], printed, "{report:#} {}", said.err());
        assert_eq!(told(&report), [unreachable("net.udp", "sendmsg()", count)], "loopback: {loopback}");
    }
}

#[test]
fn queues_and_groups_are_on_record() {
    let (printed, violations) =
        run("print(c.mq_open(b'/waxcell-test', 0o102, 0o600, None), tried(os.setgroups, []))");
    assert_eq!(printed, "-1 EPERM\n");
    let perm = libc::EPERM;
    assert_eq!(
        violations,
        [filtered("ipc.mq", "mq_open()", perm, 1), filtered("proc.identity", "setgroups()", perm, 1)]
    );
}

/// `int 0x80`, which is there whatever the host can execute.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_of_a_32_bit_program_is_on_record_and_ends_the_process() {
    let script = "
import mmap
code = b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3'  # getpid(); ret
page = mmap.mmap(-1, 4096, prot=7)
page[:len(code)] = code
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
import signal
signal.signal(signal.SIGSYS, signal.SIG_IGN)
print(call(), flush=True)
signal.signal(signal.SIGSYS, signal.SIG_DFL)
call()
print('not reached')
";
    let (said, report) = Place::new(POLICY).report(&format!("{RAW}{script}"));
    assert_eq!((report["stdout"].as_str(), said.code), (Some("-38\n"), 159), "{report:#}");
    assert_eq!(told(&report), [filtered("proc.control", "system call 20 of i386", libc::ENOSYS, 2)]);
}

#[test]
fn names_that_are_asked_for_are_on_record() {
    let (printed, violations) = run("
def ask(name):
    try: return socket.getaddrinfo(name, 443)
    except socket.gaierror as e: return e.errno == socket.EAI_AGAIN
print(ask('secret.in.a.name.example'), ask('localhost')[0][4][0])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.connect(('127.0.0.1', 53))
    for junk in (b'', b'x', bytes(600), bytes(12), b'\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + b'\\xff' * 40): s.send(junk)
print(ask('after.junk.example'))
");
    assert_eq!(printed, "True 127.0.0.1\nTrue\n");
    let names: Vec<_> = violations.iter().map(|v| (v.0.as_str(), v.1.as_str(), v.2.as_str())).collect();
    // The C library asks for both kinds of address, and more than once.
    assert_eq!(
        names,
        [("net.dns", "secret.in.a.name.example", "network"), ("net.dns", "after.junk.example", "network")]
    );
}

#[test]
fn the_network_within_is_no_concern() {
    let (printed, violations) = run("
def talk(family, host):
    with socket.create_server((host, 0), family=family) as server:
        with socket.create_connection(server.getsockname()[:2]) as client:
            other, _ = server.accept()
            client.sendall(b'over'); received = other.recv(9); other.close()
    with socket.socket(family, socket.SOCK_DGRAM) as a, socket.socket(family, socket.SOCK_DGRAM) as b:
        a.bind((host, 0)); b.sendto(b'under', a.getsockname()[:2])
        return received, a.recv(9)
print(talk(socket.AF_INET, '127.0.0.1'), talk(socket.AF_INET6, '::1'))
with socket.socket() as s: print(tried(s.connect, ('0.0.0.0', 1)), tried(s.connect, ('127.0.0.1', 1)))
with socket.socket(socket.AF_UNIX) as s: print(tried(s.connect, '/tmp/none'))
");
    assert_eq!(printed, "(b'over', b'under') (b'over', b'under')\nECONNREFUSED ECONNREFUSED\nENOENT\n");
    assert_eq!(violations, []);
}

#[test]
fn a_flood_is_counted_and_told_once() {
    let (printed, violations) = run("
def flood():
    for _ in range(5000): raw(250, 219, 0)
threads = [threading.Thread(target=flood) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(raw(250, 219, 0))
");
    assert_eq!(printed, "EPERM\n");
    assert_eq!(violations, [filtered("ipc.keyring", "keyctl()", libc::EPERM, 20_001)]);
}

#[test]
fn targets_beyond_the_bound_are_counted() {
    let place = Place::new(POLICY);
    let script = "
for number in range(300):
    for _ in range(3): raw(135, 92, 0x1000 + number)
";
    let (_, report) = place.report(&format!("{RAW}{script}"));
    let violations = report["violations"].as_array().expect("a list");
    assert_eq!(violations.len(), 256, "{report:#}");
    assert!(violations.iter().all(|violation| violation["count"] == 3), "{report:#}");
    assert_eq!(report["violations_beyond"], 44 * 3, "{report:#}");
}

/// What well-behaved programs try, since another kernel or host may have it.
#[test]
fn habits_are_no_violations() {
    let (_, violations) = run("
import asyncio, multiprocessing, subprocess, tempfile
socket.getaddrinfo('localhost', 80)
tried(socket.socket, 16, 3)
socket.socket(socket.AF_INET6).close(); a, b = socket.socketpair()
tried(os.isatty, 0), tried(os.get_terminal_size, 0)
subprocess.run(['true'], check=True)
with tempfile.TemporaryDirectory() as folder: open(folder + '/x', 'w').close()
threading.Thread(target=print).start()
asyncio.run(asyncio.sleep(0))
");
    assert_eq!(violations, []);
}

"""What the machine that `cargo xtask vm` boots does instead of starting up: every check, then power off.

It is process 1. `waxcell.checks=` on the kernel's command line names the part: a function below. Each check is one line on the console, `ok` or `FAILED`, which the
host counts. The situations are made here, with files of the kernel; what is checked is what waxcell says and what it
leaves behind.
"""

import json
import os
import pathlib
import platform
import shutil
import subprocess
import time
import traceback

HERE = pathlib.Path("/opt/vm")
WAXCELL = HERE / "waxcell"
GROUPS = pathlib.Path("/sys/fs/cgroup")
USER = 23456
KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split("+")[0].split(".")[:2])
ROOT, ORDINARY = 0, USER
# What lies over a system call is emulated where the host cannot run guests itself; a run takes seconds there.
PATIENCE = 120
# So many times as long as on a machine of its own.
SLOWNESS = 4


def main():
    for kind, place in [("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run"), ("cgroup2", GROUPS)]:
        subprocess.run(["mount", "-t", kind, kind, place], check=True)
    subprocess.run(["mount", "-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", make("/dev/pts")], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "shm", make("/dev/shm")], check=True)
    for name, target in [("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1")]:
        link = pathlib.Path("/dev", name)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    os.environ.update(PATH="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", LANG="C.UTF-8", HOME="/root")
    part = told()["waxcell.checks"]
    print(f"\nkernel {platform.release()}, part {part}")
    try:
        if KERNEL < (5, 13) and part != "basics":
            print("nothing to do: no run is possible here")
        else:
            {"basics": basics, "groups": groups, "landlock": without_landlock, "attacks": attacks, "tests": tests}[part]()
        print("THE END")
    except BaseException:
        traceback.print_exc()
    os.sync()
    pathlib.Path("/proc/sysrq-trigger").write_text("o")
    time.sleep(60)


# --- tools


def told():
    """What the kernel's command line says."""
    return dict(word.split("=", 1) for word in read("/proc/cmdline").split() if "=" in word)


def read(path):
    return pathlib.Path(path).read_text()


def write(path, text):
    pathlib.Path(path).write_text(str(text))


def make(path, owner=0):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, owner, owner)
    return path


def sysctl(name, value):
    """Sets it if the kernel has it; whether it has."""
    path = pathlib.Path("/proc/sys", name)
    if path.exists():
        path.write_text(str(value))
    return path.exists()


def start(words, user=ROOT, group=GROUPS, cwd="/tmp", **more):
    """A program as that user in that control group."""

    def become():
        write(group / "cgroup.procs", 0)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)

    home = make(f"/tmp/home-{user}", user)
    state = make(f"/tmp/state-{user}", user)
    environment = {**os.environ, "HOME": str(home), "WAXCELL_STATE": str(state), **more.pop("env", {})}
    return subprocess.Popen(
        list(map(str, words)), cwd=cwd, env=environment, preexec_fn=become, stdin=subprocess.DEVNULL,
        stdout=more.pop("stdout", subprocess.PIPE), stderr=more.pop("stderr", subprocess.PIPE), text=True, **more,
    )  # fmt: skip


class Said:
    def __init__(self, process):
        self.out, self.err = process.communicate(timeout=PATIENCE)
        self.code = process.returncode

    def __str__(self):
        out = self.out
        if out.startswith("{"):
            report = self.json
            wanted = ["verdict", "cause", "stdout", "stderr", "resource_usage", "violations"]
            out = json.dumps({name: report.get(name) for name in wanted})
        return f"exit code {self.code}\n{out}\n{self.err}"

    @property
    def json(self):
        return json.loads(self.out)


def say(words, *where, **more):
    return Said(start(words, *where, **more))


def check(name, holds, otherwise=""):
    print(f"{'ok    ' if holds else 'FAILED'} {name}")
    if not holds:
        print("       | " + str(otherwise).replace("\n", "\n       | "))


def project(user, policy="", name="project"):
    """A folder of that user with a policy."""
    folder = pathlib.Path(f"/tmp/{name}-{user}")
    shutil.rmtree(folder, ignore_errors=True)
    make(folder, user)
    write(folder / "security_policy.yml", "project_root: folder\n" + policy)
    return folder


def run(script, user=ROOT, group=GROUPS, policy=""):
    folder = project(user, policy)
    write(folder / "script.py", script)
    return say([WAXCELL, "run", "--json", "script.py"], user, group, folder)


def left_over():
    return [str(path) for path in GROUPS.glob("**/waxcell-*")]


def settle():
    """Groups that are left after a moment."""
    for _ in range(50):
        if not left_over():
            break
        time.sleep(0.1)
    return left_over()


def last_record(user):
    said = say([WAXCELL, "audit", "show", "--json"], user)
    return [json.loads(line) for line in said.out.splitlines() if line.strip()]


# --- one situation of control groups


def limits(title, rung, user, group):
    """Everything that depends on control groups, in this group as this user; `rung` is what it has to stand on."""
    stands(title, rung, user, group)
    said = run("import time\nx = bytearray(64 << 20)\nt = time.process_time()\nwhile time.process_time() < t + 0.3: pass",
               user, group, "execution: {memory_mb: 256}\n")  # fmt: skip
    report = said.json
    used = report["resource_usage"]
    check(f"{title}: the rung of the record", report["enforced"]["limits_by"] == rung, said)
    check(f"{title}: memory is measured", 64 <= used["memory_mb"] <= 160, used)
    check(f"{title}: CPU is measured", 0.3 <= used["cpu_seconds"] <= 30, used)

    script = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        x = bytearray(32 << 20); time.sleep(4); os._exit(0)
for _ in range(3): os.wait()
"""
    said = run(script, user, group, "execution: {memory_mb: 256}\n")
    check(f"{title}: memory of children is measured as a sum", 96 <= said.json["resource_usage"]["memory_mb"] <= 200, said)

    trips = {
        "memory": ("memory_mb: 64", "memory_limit", "import time\nx = bytearray(160 << 20)\ntime.sleep(3)"),
        "memory of children": (
            "memory_mb: 100, max_processes: 8",
            "memory_limit",
            "import os, time\nfor _ in range(5):\n"
            "    if os.fork() == 0:\n        x = bytearray(30 << 20); time.sleep(20); os._exit(0)\n"
            "for _ in range(5): os.wait()",
        ),
        "memory as scratch": (
            "memory_mb: 64, scratch_mb: 256",
            "memory_limit",
            "import time\nf = open('/tmp/x', 'wb')\nfor _ in range(160): f.write(bytes(1 << 20))\ntime.sleep(3)",
        ),
        "cpu": ("cpu_seconds: 1", "cpu_limit", "while True: pass"),
        "processes": (
            "max_processes: 3",
            "process_limit",
            "import os, time\nfor _ in range(9):\n    if os.fork() == 0: time.sleep(20); os._exit(0)\ntime.sleep(20)",
        ),
        "threads": (
            "max_threads: 3",
            "process_limit",
            "import threading, time\nfor _ in range(9): threading.Thread(target=time.sleep, args=(20,)).start()",
        ),
        "wall clock": ("timeout_seconds: 1", "timeout", "import time; time.sleep(60)"),
        "output": ("output_mb: 1", "output_limit", "while True: print('x' * 1000)"),
        "file size": ("file_size_mb: 1", "file_size_limit", "open('/tmp/x', 'wb').write(bytes(2 << 20))"),
        "scratch": ("scratch_mb: 1", "disk_limit", "open('/tmp/x', 'wb', 0).write(bytes(2 << 20)); open('/tmp/y', 'wb', 0).write(b'x')"),
    }  # fmt: skip
    for name, (limit, verdict, script) in trips.items():
        said = run(script, user, group, f"execution: {{{limit}}}\n")
        report = said.json if said.out.startswith("{") else {}
        check(f"{title}: {name} ends as {verdict}", report.get("verdict") == verdict, said)
    check(f"{title}: no group is left", not settle(), left_over())

    folder = project(user)
    write(folder / "script.py", "import time; print('begun', flush=True); time.sleep(100)")
    running = start([WAXCELL, "run", "script.py"], user, group, folder)
    running.stdout.readline()
    if rung != "rlimit+watch":
        check(f"{title}: a run has a group", left_over(), "none")
    running.kill()
    running.communicate()
    time.sleep(1)
    if rung != "rlimit+watch":
        check(f"{title}: a killed waxcell leaves its group", left_over(), "none")
    run("", user, group)
    check(f"{title}: the next run sweeps it", not settle(), left_over())


def hive(title, rung, user, group=GROUPS):
    """The example project's tally, with and without waxcell."""
    folder = make(f"/tmp/hive-{user}")
    shutil.rmtree(folder)
    shutil.copytree(HERE / "tree/examples/hive", folder)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, user)
    bare = say(["python3", "scripts/tally.py", "--bip", "25"], user, group, folder)
    said = say([WAXCELL, "run", "--json", "scripts/tally.py", "--bip", "25"], user, group, folder)
    report = said.json if said.out.startswith("{") else {}
    same = report.get("stdout") == bare.out and report.get("verdict") == "ok"
    check(f"{title}: the tally is what it is without waxcell", same, f"{said}\n{bare}")
    held = report.get("enforced") or {}
    check(f"{title}: the record says what held", held.get("limits_by") == rung, held)
    if abi := landlock_abi():
        check(f"{title}: Landlock {abi} is on record", (held.get("landlock") or {}).get("abi") == min(abi, 7), held)


def landlock_abi():
    """As the kernel says it, by another way than waxcell's."""
    import ctypes

    abi = ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)
    return abi if abi > 0 else None


def groups():
    """The whole ladder of version 2, as root and as an ordinary user."""
    login = make(GROUPS / "login")
    limits("root in a group with processes", "cgroup2", ROOT, login)
    limits("user without a group", "rlimit+watch", USER, login)

    # Handing the controllers down in it is left to waxcell.
    given = delegate("given")
    limits("user in a leaf of a delegated group", "cgroup2", USER, make(given / "leaf", USER))

    stands("root in the first group", "cgroup2", ROOT, GROUPS)
    stands("user directly in a delegated group", "rlimit+watch", USER, delegate("direct"))
    make(GROUPS / "outer")
    stands("user in a leaf without the memory controller", "rlimit+watch", USER, make(delegate("outer/inner") / "leaf", USER))
    folder = delegate("folder")
    os.chown(folder / "cgroup.procs", 0, 0)
    stands("user in a leaf of a group that is its folder only", "rlimit+watch", USER, make(folder / "leaf", USER))
    full = delegate("full")
    leaf = make(full / "leaf", USER)
    write(full / "cgroup.max.descendants", 1)
    said = run("print('RAN')", USER, leaf)
    check("a group that may have no other below it is told", said.code == 125 and "new group" in said.err, said)


def stands(title, rung, user, group):
    """What a run stands on, without tripping each limit."""
    print(f"-- {title}: {rung}")
    doctor = say([WAXCELL, "doctor", "--json"], user, group).json
    check(f"{title}: doctor says {rung}", doctor["facts"]["rung"] == rung, doctor["facts"])
    hive(title, rung, user, group)
    check(f"{title}: no group is left", not settle(), left_over())


def delegate(name):
    """A group that is the user's, as systemd's `Delegate=yes` makes it."""
    write(GROUPS / "cgroup.subtree_control", "+memory +pids")
    group = make(GROUPS / name, USER)
    for file in ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]:
        os.chown(group / file, USER, USER)
    return group


def settings():
    """Settings of the kernel that forbid something: what is refused says so, and nothing has run."""
    print("-- settings")
    for name, value, found in [
        ("user/max_user_namespaces", 0, "user.max_user_namespaces is 0"),
        ("kernel/unprivileged_userns_clone", 0, "kernel.unprivileged_userns_clone is 0"),
        ("kernel/apparmor_restrict_unprivileged_userns", 1, "kernel.apparmor_restrict_unprivileged_userns is 1"),
    ]:
        path = pathlib.Path("/proc/sys", name)
        if not path.exists():
            print(f"not here: {name}")
            continue
        before = read(path)
        write(path, value)
        for who, user in [("root", ROOT), ("user", USER)]:
            if user == ROOT and "max" not in name:
                check(f"{name}={value}: root runs", run("", user).code == 0)
                continue
            refused(f"{name}={value}: {who}", user, "namespace", found, code=0)
            said = run("print('ran')", user, policy="degrade: [namespaces]\n")
            check(f"{name}={value}: {who} runs with `degrade: [namespaces]`", '"ran\\n"' in said.out, said)
        write(path, before)
        check(f"{name}={value}: taken back, the user runs", run("", USER).code == 0)


def refused(title, user, error, found, policy="", code=1):
    """A run is refused before the script's first instruction, and doctor says why."""
    said = run("open('/tmp/ran', 'w'); print('RAN')", user, policy=policy)
    check(f"{title}: refused", said.code == 126 and "RAN" not in said.out and error in said.out + said.err, said)
    # fmt: off
    plain = say([WAXCELL, "run", "script.py"], user, cwd=f"/tmp/project-{user}")
    print("       " + plain.err.strip().replace("\n", "\n       "))
    doctor = say([WAXCELL, "doctor"], user)
    text = " ".join(doctor.out.split())
    check(f"{title}: doctor says so", found in text and doctor.code == code, doctor)
    check(f"{title}: on record", any(r.get("type") == "refused" for r in last_record(user)), last_record(user))


GUARDED = """
import os
open('data/x', 'w').close()
try:
    os.remove('data/x')
except OSError as error:
    print(error.errno)
os.remove(open('/tmp/y', 'w').name)
print('scratch')
"""
GUARD = "filesystem: {allowed_paths: [./data], blocked_operations: [delete]}\n"


def guarded(title, user):
    said = run(GUARDED, user, policy=GUARD)
    report = said.json if said.out.startswith("{") else {}
    held = report.get("stdout") == "1\nscratch\n" and report.get("violations")
    check(f"{title}: a blocked operation is denied and noted, scratch is free", held, said)


def yama():
    print("-- Yama")
    if not sysctl("kernel/yama/ptrace_scope", 0):
        print("not here")
        return
    for scope in [0, 1, 2]:
        sysctl("kernel/yama/ptrace_scope", scope)
        for who, user in [("root", ROOT), ("user", USER)]:
            guarded(f"Yama {scope}, {who}", user)
            hive(f"Yama {scope}, {who}", "cgroup2" if user == ROOT else "rlimit+watch", user)
    sysctl("kernel/yama/ptrace_scope", 3)
    for who, user in [("root", ROOT), ("user", USER)]:
        refused(f"Yama 3, {who}", user, "system calls", "ptrace_scope", GUARD)


def basics():
    """What does not depend on control groups: old kernels, settings, Yama."""
    if KERNEL < (5, 13):
        for who, user in [("root", ROOT), ("user", USER)]:
            refused(f"too old, {who}", user, "Linux 5.13", "No run is possible")
            refused(f"too old, also without Landlock, {who}", user, "", "No run is possible", "degrade: [landlock]\n")
        return
    for who, user in [("root", ROOT), ("user", USER)]:
        doctor = say([WAXCELL, "doctor"], user)
        print(doctor.out)
        check(f"{who}: doctor says that a run is possible", doctor.code == 0, doctor)
        guarded(who, user)
    settings()
    yama()


def without_landlock():
    for who, user in [("root", ROOT), ("user", USER)]:
        refused(f"no Landlock, {who}", user, "Landlock", "lsm=", code=0)
        said = run("print('ran')", user, policy="degrade: [landlock]\n")
        held = said.json
        check(f"degrade: [landlock], {who}: runs", held["stdout"] == "ran\n", said)
        check(f"degrade: [landlock], {who}: the record says so", held["enforced"]["landlock"] is None, said)


def loopback():
    """Takes the machine's own network into use (`netdevice(7)`)."""
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # SIOCSIFFLAGS; then SIOCSIFADDR and SIOCSIFNETMASK: a network besides, of those that documentation is written with.
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))
        for call, address in [(0x8916, "192.0.2.7"), (0x891C, "255.255.255.0")]:
            packed = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, call, packed)


def attacks():
    """The attack corpus, where limits are held by control groups of version 2: both users at once, each on a processor."""
    leaf = make(delegate("given") / "leaf", USER)
    shadow = pathlib.Path("/etc/shadow")
    shadow.write_text("root:*:20000:0:99999:7:::\n")
    shadow.chmod(0o640)
    write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    for folder in ["/run/lock", "/var/lock"]:
        make(folder).chmod(0o1777)
    loopback()
    users = [("root", ROOT, make(GROUPS / "login")), ("user", USER, leaf)]
    classes = told().get("waxcell.classes")
    begun, left = time.monotonic(), corpus(users, ["--class", classes] if classes else [])
    # What did not succeed where nobody holds it, or was not told in time, may have been too slow: alone it is not.
    for who, user, group in users:
        slow = [case["name"] for case in left[who] if case["outcome"] != "escaped"]
        if slow:
            again = corpus([(who, user, group)], ["--case", ",".join(slow)])[who]
            left[who] = [case for case in left[who] if case["outcome"] == "escaped"] + again
        check(f"{who}: every attack is contained or cannot be shown here", not left[who], json.dumps(left[who], indent=1))
    print(f"{time.monotonic() - begun:.0f} s")


def corpus(users, words):
    """Runs it for each of them, all at once; the cases that came out wrong, by user."""
    running, wrong = [], {}
    for who, user, group in users:
        environment = {"XDG_CACHE_HOME": str(make(f"/opt/attacks-{user}", user))}
        attack = [WAXCELL, "attack", "--json", "--patience", SLOWNESS, *words]
        running.append((who, start(attack, user, group, "/", env=environment)))
    for who, process in running:
        out, err = process.communicate(timeout=3400)
        if not out.startswith("{"):
            raise RuntimeError(f"{who}: {err}")
        report = json.loads(out)
        print(f"{who}: {json.dumps({key: value for key, value in report.items() if key != 'cases'})}")
        told = [case for case in report["cases"] if case["outcome"] != "contained"]
        for case in told:
            print(f"{who}: {case['name']}: {case['outcome']} {case['why']}")
        wrong[who] = [case for case in told if case["outcome"] != "not_holdable"]
    return wrong


def tests():
    """The test programs that face the kernel, on control groups of version 2."""
    leaf = make(delegate("given") / "leaf", USER)
    for who, user, group in [("root", ROOT, make(GROUPS / "login")), ("user", USER, leaf)]:
        for program in sorted((HERE / "tests").iterdir(), reverse=True):
            package, name = program.name.split("--")
            environment = {
                "CARGO_MANIFEST_DIR": str(HERE / "tree/crates" / package),
                "WAXCELL_BIN": str(WAXCELL),
                "WAXCELL_TREE": str(HERE / "tree"),
                "WAXCELL_TEST_PYTHON": str(HERE / "python/bin/python3"),
                "TMPDIR": str(make(f"/tmp/tests-{user}", user)),
                "RUST_BACKTRACE": "0",
            }
            # One has a bound on its time that only a machine that is not emulated keeps.
            options = ["--test-threads=2", "--skip=cost_of_a_call_that_is_decided_is_bounded"]
            process = start([program, *options], user, group, HERE / "tree/crates" / package,
                            env=environment, stderr=subprocess.STDOUT)  # fmt: skip
            out, _ = process.communicate(timeout=1200)
            failed = out[out.find("failures:") :] if "failures:" in out else ""
            check(f"{who}: the tests of {package}, {name}", process.returncode == 0, failed or out)


main()

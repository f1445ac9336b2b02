"""What the way out of a run costs, as the command of a world (`attacks/world/world.py`): the same script bare, under `waxcell run`, and in
a network namespace behind slirp4netns where that is installed, by turns. `network.py WAXCELL TURNS`; prints a table and what else there
is to say.
"""
import json, os, shutil, socket, statistics, subprocess, sys, time

WAXCELL, TURNS = sys.argv[1], int(sys.argv[2])
NAME, ADDRESS = "db.example.org", "93.184.216.34"   # of `servers.py`
PYTHON = "/usr/bin/python3"
POLICY = "network: {allowed_domains: [%s]}\nexecution: {max_open_files: 1200, timeout_seconds: 60}\n"

MEASURE = """
import json, socket, sys, time
HOST = sys.argv[1]
def connect(port): return socket.create_connection((HOST, port), 10)
def set_up():
    begun = time.perf_counter()
    with connect(7) as s: s.sendall(b'x'); s.recv(1)
    return time.perf_counter() - begun
def bulk(port, seconds=1.5, buffer=bytearray(1 << 18)):
    total = 0
    with connect(port) as s:
        begun = time.perf_counter()
        while (took := time.perf_counter() - begun) < seconds: total += s.send(buffer) if port == 9 else s.recv_into(buffer)
    return total / took
HOST = socket.getaddrinfo(HOST, 7, socket.AF_INET)[0][4][0]
times = sorted(set_up() for _ in range(300))
print(json.dumps({'set_up': times[150], 'up': bulk(9), 'down': bulk(19)}))
"""

HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[1])):
    s = socket.create_connection(('db.example.org', 7), 10); s.sendall(b'x'); s.recv(1); held.append(s)
print('held', flush=True)
sys.stdin.read()
"""


CAPPED = """
import json, socket, time
def seconds(port, call):
    with socket.create_connection(('db.example.org', port), 10) as s:
        begun = time.perf_counter()
        call(s)
        return time.perf_counter() - begun
def up(s):
    s.sendall(bytes(SIZE)); s.shutdown(socket.SHUT_WR); s.recv(1)
def down(s):
    left = SIZE
    while left > 0: left -= len(s.recv(min(left, 1 << 18)))
SIZE = 4 * CAP
print(json.dumps({'up': SIZE / seconds(9, up), 'down': SIZE / seconds(19, down)}))
"""
CAP = 16 << 20     # bytes a second


def write(name, text):
    with open(name, "w") as file:
        file.write(text)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def bare():
    return run(PYTHON, "measure.py", ADDRESS)


def waxcell():
    return run(WAXCELL, "run", "measure.py", NAME)


def slirp():
    """A namespace whose only interface is a tun device that slirp4netns reads."""
    inner = subprocess.Popen(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", "echo; read line; exec \"$@\"", "sh",
                              PYTHON, "measure.py", ADDRESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    inner.stdout.readline()
    told, tells = os.pipe()
    outer = subprocess.Popen(["slirp4netns", "--configure", "--mtu=65520", f"--ready-fd={tells}", str(inner.pid), "tap0"],
                             pass_fds=[tells], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(tells)
    if os.read(told, 1) != b"1":
        raise SystemExit("slirp4netns does not start")
    os.close(told)
    out, _ = inner.communicate("go\n")
    outer.kill()
    outer.wait()
    return json.loads(out)


def family(pid):
    """The children of a process, with proportional set size in KiB and the number of their descriptors."""
    found = {}
    for child in map(int, open(f"/proc/{pid}/task/{pid}/children").read().split()):
        with open(f"/proc/{child}/smaps_rollup") as file:
            pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        found[child] = (pss, len(os.listdir(f"/proc/{child}/fd")))
    return found


def beside(policy, count):
    """The supervisor's children while a script holds connections."""
    write("security_policy.yml", policy)
    child = subprocess.Popen([WAXCELL, "run", "hold.py", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if child.stdout.readline() != "held\n":
        raise SystemExit("the connections are not held")
    found = family(child.pid)
    child.communicate()
    return found


def main():
    write("measure.py", MEASURE)
    write("hold.py", HOLD)
    write("security_policy.yml", POLICY % NAME)
    ways = {"direct": bare, "waxcell": waxcell} | ({"slirp4netns": slirp} if shutil.which("slirp4netns") else {})
    got = {way: [] for way in ways}
    for _ in range(TURNS):
        for way, call in ways.items():
            got[way].append(call())
    print("| | " + " | ".join(ways) + " |")
    print("|---" * (len(ways) + 1) + "|")
    for key, words, scale in (("set_up", "connect and one byte back, us", 1e6), ("up", "one bulk stream up, GB/s", 1e-9), ("down", "one bulk stream down, GB/s", 1e-9)):
        cells = []
        for way in ways:
            values = [one[key] * scale for one in got[way]]
            ratio = statistics.median(one[key] / other[key] for one, other in zip(got[way], got["direct"]))
            shown = "%.0f" if key == "set_up" else "%.2f"
            cells.append(shown % statistics.median(values) + (f" ({ratio:.2f})" if way != "direct" else ""))
        print(f"| {words} | " + " | ".join(cells) + " |")
    added = statistics.median(one["set_up"] - other["set_up"] for one, other in zip(got["waxcell"], got["direct"]))
    print(f"\nAdded to setting up a connection: {added * 1e3:.2f} ms.")
    without, held = beside(POLICY % "", 0), beside(POLICY % NAME, 1000)
    pss, descriptors = max(held.values(), key=lambda one: one[1])
    write("capped.py", f"CAP = {CAP}{CAPPED}")
    write("security_policy.yml", f"network: {{allowed_domains: [{NAME}], bandwidth_kb_s: {CAP >> 10}}}\n")
    capped = run(WAXCELL, "run", "capped.py")
    print("With `bandwidth_kb_s: %d`, 4 seconds' worth in one stream: up %.3f of that, down %.3f." % (CAP >> 10, capped["up"] / CAP, capped["down"] / CAP))
    print(f"Processes that the supervisor starts: {len(without)} for a run without network, {len(held)} with a name.")
    print(f"The way out with 1,000 connections: {descriptors} descriptors, {pss / 1024:.1f} MiB (PSS).")


main()

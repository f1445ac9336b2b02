"""A world without a way out: servers at addresses that look public, the egress process, and a run's network inside.

`world.py SCENARIO PROGRAM FOLDER`, as root of new user, network and mount namespaces. Prints a line for each thing looked at.
"""
import ctypes, ipaddress, json, os, socket, struct, subprocess, sys, threading, time

SCENARIO, PROGRAM, FOLDER = sys.argv[1:4]
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../../../attacks/world")]
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, CLONE_NEWNS, MS_BIND = 0x40000000, 0x00020000, 4096
SITE, EVIL, PRIVATE, META, SITE6 = "93.184.216.34", "93.184.216.66", "10.0.0.5", "169.254.169.254", "2606:2800:220:1::34"


def sh(line):
    subprocess.run(line.split(), check=True)


def unshare(flags):
    if LIBC.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


class World:
    """The outer network, its servers, and one run in it."""

    def __init__(self, ports, **rules):
        """`ports` are those that a listener is made for at the beginning."""
        self.rules = dict(domains=[], addresses=[], blocked_ports=[], up=None, down=None, max_bytes=None, max_connections=1000,
                          lookups=100, head_timeout_ms=10000, connect_timeout_ms=3000, own_addresses=False, hosts="", resolv_conf="nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.rules.update(rules)
        self.ports = ports
        self.reports = []

    def run(self, inside, abandon=False):
        """Calls `inside` in the run's network, in a process of its own; gives what it returned, as JSON. A supervisor that
        abandons reads nothing more in the end, as if it were dead."""
        ours, theirs = socket.socketpair()
        answer_read, answer_write = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ours.close()
                os.close(answer_read)
                self.enter(theirs)
                result = inside()
                os.write(answer_write, json.dumps(result).encode())
                code = 0
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                os._exit(code)
        theirs.close()
        os.close(answer_write)
        _, fds, _, _ = socket.recv_fds(ours, 1, 3)
        supervisor, egress = socket.socketpair()
        self.process = subprocess.Popen([PROGRAM, "--ignored", "--exact", "egress_process", "--nocapture"], stdin=egress, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        egress.close()
        socket.send_fds(supervisor, [json.dumps(self.rules).encode()], fds)
        [os.close(fd) for fd in fds]
        reader = threading.Thread(target=self.read, args=(supervisor,))
        reader.start()
        ours.send(str(self.process.pid).encode())
        with open(answer_read) as answers:
            text = answers.read()
        _, status = os.waitpid(child, 0)
        self.alive = self.process.poll() is None
        supervisor.shutdown(socket.SHUT_RDWR if abandon else socket.SHUT_WR)
        reader.join()
        said, _ = self.process.communicate()
        if self.process.returncode and not abandon:
            print(said.decode())
        assert status == 0, "the inside died"
        return json.loads(text)

    def read(self, supervisor):
        for line in supervisor.makefile():
            self.reports.append(json.loads(line))

    def enter(self, to):
        unshare(CLONE_NEWNET | CLONE_NEWNS)
        for line in ("ip link set lo up", "ip route add local 198.18.0.0/15 dev lo", "ip -6 route add local fd77:6178:6365::/48 dev lo"):
            sh(line)
        # As the init does.
        with open("/proc/sys/net/ipv4/tcp_fin_timeout", "w") as file:
            file.write("2")
        for address, prefix, _ in self.rules["addresses"]:
            sh(f"ip {'-6' if ':' in address else '-4'} route add local {address}/{prefix} dev lo")
        self.line, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sh("ip address add 198.18.0.1/32 dev lo")
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("198.18.0.1", 53))
        sockets = [datagrams, listener(socket.AF_INET, "198.18.0.1", 53), line]
        socket.send_fds(to, [b"x"], [s.fileno() for s in sockets])
        [s.close() for s in sockets]
        with open(f"{FOLDER}/resolv.conf", "w") as file:
            file.write("nameserver 198.18.0.1\noptions timeout:2 attempts:1\n")
        if LIBC.mount(f"{FOLDER}/resolv.conf".encode(), os.path.realpath("/etc/resolv.conf").encode(), None, MS_BIND, None):
            raise OSError(ctypes.get_errno(), "mount")
        for port in self.ports:
            self.open(port)
        self.egress = int(to.recv(20))

    def open(self, port):
        """Has connections to a port accepted from now on, in the run."""
        for family, any_ in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            with listener(family, any_, port) as s:
                socket.send_fds(self.line, [b"l"], [s.fileno()])

    def note(self, address, port, place):
        """Says, in the run, from where the address is about to be sent to."""
        packed = ipaddress.ip_address(address).packed
        self.line.send(b"c" + (bytes(10) + b"\xff\xff" + packed if len(packed) == 4 else packed) + struct.pack(">H", port) + place.encode())

    def connections(self):
        return [r for r in self.reports if r["report"] == "connection"]

    def refusals(self):
        """Operation, target, rule -> count."""
        return {(r["operation"], r["target"], r["rule"]): r["count"] for r in self.reports if r["report"] == "refusal"}

    def done(self):
        return self.reports[-1] if self.reports and self.reports[-1]["report"] == "done" else None


def listener(family, address, port):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, port))
    s.listen(1024)
    return s


def check(name, good, why=""):
    print(f"ok {name}" if good else f"FAILED {name}: {why}", flush=True)


def skipped(name, why):
    print(f"SKIPPED {name}: {why}", flush=True)


def outer():
    """Addresses that look public, on an interface that leads nowhere."""
    sh("ip link set lo up")
    # Not every kernel has dummies for everybody: addresses of the loopback do as well, and nothing leaves it.
    for address in (SITE, EVIL, PRIVATE, META):
        sh(f"ip address add {address}/32 dev lo")
    sh(f"ip -6 address add {SITE6}/128 dev lo nodad")
    assert subprocess.run(["ip", "route", "show", "default"], capture_output=True).stdout == b""


if __name__ == "__main__":
    import scenarios
    import servers
    outer()
    servers.start(FOLDER)
    scenarios.ALL[SCENARIO](World, check, skipped, servers)

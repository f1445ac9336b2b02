"""A network without a way out, with servers at addresses that look public, and a host in it that has them as its internet.

`world.py FOLDER LOG [--peers FILE] [UID GID COMMAND...]`, as root of new network and mount namespaces (and of a new user namespace, where one is not
root): this process is on the host. FOLDER keeps certificates. LOG tells what servers saw, a line each: `reached ADDRESS PORT WHAT`,
`asked NAME KIND`. FILE starts more servers. With a command it is run there, as the user UID; without one the world says `ready`, and is there until standard
input ends.
"""
import ctypes, importlib.util, os, queue, socket, subprocess, sys, threading

import servers
from servers import EVIL, GATE, HOST, META, PRIVATE, SITE, SITE6

FOLDER, LOG, *COMMAND = sys.argv[1:]
PEERS = None
if COMMAND[:1] == ["--peers"]:
    spec = importlib.util.spec_from_file_location("peers", COMMAND[1])
    PEERS = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(PEERS)
    COMMAND = COMMAND[2:]
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, MS_BIND = 0x40000000, 4096
GATE6, HOST6, PUBLIC = "2606:2800:220:2::1", "2606:2800:220:2::2", "8.8.8.8"
# Neighbours know each other from the beginning: to look for one by IPv6 takes a second.
GATE_LINK, HOST_LINK = "02:00:00:00:00:01", "02:00:00:00:00:02"


class Log(list):
    """Told as soon as it is seen: whoever reads may be quick."""

    def __init__(self, file, word):
        self.file, self.word = file, word

    def append(self, entry):
        super().append(entry)
        # That a connection broke is no more than was seen before.
        if not str(entry[-1]).startswith("error "):
            self.file.write(" ".join([self.word, *map(str, entry)]).encode("unicode_escape") + b"\n")


def ip(*lines):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), check=True)


def internet(ready, linked):
    """The network of the servers: this thread's alone."""
    if LIBC.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    ready.put(threading.get_native_id())
    linked.wait()
    ip("link set lo up", f"address add {GATE}/24 dev inner", f"address add {GATE6}/64 dev inner nodad", "link set inner up",
       f"neighbour add {HOST} lladdr {HOST_LINK} dev inner", f"neighbour add {HOST6} lladdr {HOST_LINK} dev inner",
       *[f"address add {address}/32 dev lo" for address in (SITE, EVIL, PRIVATE, META, PUBLIC)], f"address add {SITE6}/128 dev lo nodad")
    servers.start(FOLDER, GATE)
    threading.Thread(target=servers.dns_datagrams, args=(PUBLIC,), daemon=True).start()
    servers.serve(PUBLIC, 53, servers.dns_stream)
    servers.serve(SITE, 22, servers.banner)
    for address, port in ((SITE, 443), (SITE, 80), (EVIL, 443), (PRIVATE, 7), ("224.0.0.251", 5353)):
        servers.datagrams(address, port)
    if PEERS:
        ip(*[f"address add {address}/{128 if ':' in address else 32} dev lo{' nodad' if ':' in address else ''}" for address in PEERS.ADDRESSES])
        PEERS.start(FOLDER)
    ready.put(None)
    # Whoever this thread started ends with it.
    threading.Event().wait()


def host():
    ready, linked = queue.Queue(), threading.Event()
    threading.Thread(target=internet, args=(ready, linked), daemon=True).start()
    ip("link set lo up", f"link add outer address {HOST_LINK} type veth peer name inner address {GATE_LINK} netns {ready.get()}")
    linked.set()
    ip(f"address add {HOST}/24 dev outer", f"address add {HOST6}/64 dev outer nodad", "link set outer up",
       f"neighbour add {GATE} lladdr {GATE_LINK} dev outer", f"neighbour add {GATE6} lladdr {GATE_LINK} dev outer",
       f"route add default via {GATE}", f"route add default via {GATE6}")
    for name, text in (("resolv.conf", f"nameserver {GATE}\nsearch corp.internal\noptions timeout:2 attempts:1\n"),
                       ("hosts", "127.0.0.1 localhost\n")):
        with open(f"{FOLDER}/{name}", "w") as file:
            file.write(text)
        if LIBC.mount(f"{FOLDER}/{name}".encode(), os.path.realpath(f"/etc/{name}").encode(), None, MS_BIND, None):
            raise OSError(ctypes.get_errno(), "mount")
    ready.get()
    # What the host has for itself.
    for address in (HOST, "127.0.0.1", "::1"):
        servers.serve(address, 8080, servers.http)


log = open(LOG, "wb", buffering=0)
servers.SEEN, servers.ASKED = Log(log, "reached"), Log(log, "asked")
host()
code = 0
if COMMAND:
    uid, gid, *command = COMMAND
    own = [] if uid == "0" else ["unshare", "--user", f"--map-user={uid}", f"--map-group={gid}"]
    code = subprocess.run(own + command).returncode
else:
    print("ready", flush=True)
    sys.stdin.read()
# Threads that serve do not end.
os._exit(code if code >= 0 else 128 - code)

"""A world without a way out, with servers at addresses that look public, in which a command is run as on any host.

`world.py SERVERS FOLDER UID GID COMMAND...`, as root of new network and mount namespaces (and of a new user namespace, where UID is
not 0). SERVERS is the folder of `servers.py`. Prints one JSON object: what the command said, and what the servers saw.
"""
import ctypes, json, os, queue, socket, subprocess, sys, threading, time

SERVERS, FOLDER, UID, GID, *COMMAND = sys.argv[1:]
sys.path.insert(0, SERVERS)
import servers

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, MS_BIND = 0x40000000, 4096
GATE, HOST, GATE6, HOST6 = "93.184.215.1", "93.184.215.2", "2606:2800:220:2::1", "2606:2800:220:2::2"


def ip(line):
    subprocess.run(["ip", *line.split()], check=True)


def internet(ready, linked):
    """The network of the servers: this thread's alone."""
    if LIBC.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    ready.put(threading.get_native_id())
    linked.wait()
    ip("link set lo up")
    ip(f"address add {GATE}/24 dev inner")
    ip(f"-6 address add {GATE6}/64 dev inner nodad")
    ip("link set inner up")
    for address in (servers.SITE, servers.EVIL, servers.PRIVATE, servers.META):
        ip(f"address add {address}/32 dev lo")
    ip(f"-6 address add {servers.SITE6}/128 dev lo nodad")
    servers.start(FOLDER, GATE)
    ready.put(None)


def host():
    ready, linked = queue.Queue(), threading.Event()
    threading.Thread(target=internet, args=(ready, linked), daemon=True).start()
    ip("link set lo up")
    ip(f"link add outer type veth peer name inner netns {ready.get()}")
    ip(f"address add {HOST}/24 dev outer")
    ip(f"-6 address add {HOST6}/64 dev outer nodad")
    ip("link set outer up")
    linked.set()
    ip(f"route add default via {GATE}")
    ip(f"-6 route add default via {GATE6}")
    ready.get()
    # The first neighbour of IPv6 takes a second to be found.
    socket.create_connection((servers.SITE6, 8080)).close()
    for name, text in (("resolv.conf", f"nameserver {GATE}\noptions timeout:2 attempts:1\n"), ("hosts", "127.0.0.1 localhost\n")):
        with open(f"{FOLDER}/{name}", "w") as file:
            file.write(text)
        if LIBC.mount(f"{FOLDER}/{name}".encode(), os.path.realpath(f"/etc/{name}").encode(), None, MS_BIND, None):
            raise OSError(ctypes.get_errno(), "mount")


host()
own = [] if UID == "0" else ["unshare", "--user", f"--map-user={UID}", f"--map-group={GID}"]
while not servers.SEEN:
    time.sleep(0.01)
before = len(servers.SEEN)
done = subprocess.run(own + COMMAND, stdin=subprocess.DEVNULL, capture_output=True)
print(json.dumps({"code": done.returncode, "out": done.stdout.decode(errors="replace"), "err": done.stderr.decode(errors="replace"),
                  "seen": [" ".join(map(str, one)) for one in servers.SEEN[before:]], "asked": sorted({name for name, _ in servers.ASKED})}))
sys.stdout.flush()
os._exit(0)

import ctypes, os, sys

NEWNS, NEWUSER = 0x20000, 0x10000000
libc = ctypes.CDLL(None)


def register(folder):
    try:
        with open(f"{folder}/register", "w") as file:
            file.write(":attack:M::ATTACK::/bin/true:")
    except OSError:
        pass


# Where namespaces of one's own are refused, the host's. Nowhere both.
if libc.unshare(NEWUSER | NEWNS) != 0:
    register("/proc/sys/fs/binfmt_misc")
libc.mount(b"attack-binfmt", b"/tmp", b"binfmt_misc", 0, None)
print("ready", flush=True)
sys.stdin.read()

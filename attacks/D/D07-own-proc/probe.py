import ctypes, os, sys

NEWNS, NEWUSER, NEWPID, NEWNET, NEWCGROUP = 0x20000, 0x10000000, 0x20000000, 0x40000000, 0x2000000
libc = ctypes.CDLL(None)
if libc.unshare(NEWUSER | NEWNS | NEWPID | NEWNET | NEWCGROUP) == 0:
    # A procfs is mounted by who lives among its processes.
    child = os.fork()
    if child:
        sys.exit(os.waitpid(child, 0)[1])
for kind in (b"proc", b"sysfs", b"cgroup2"):
    libc.mount(b"attack-" + kind, b"/tmp", kind, 0, None)
print("ready", flush=True)
sys.stdin.read()

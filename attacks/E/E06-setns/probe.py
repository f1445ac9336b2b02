import ctypes, os, sys

SETNS = 308 if os.uname().machine == "x86_64" else 268
NEWNET, NEWIPC, NEWUTS = 0x40000000, 0x08000000, 0x04000000
libc = ctypes.CDLL(None)
for name, kind in (("net", NEWNET), ("ipc", NEWIPC), ("uts", NEWUTS), ("user", 0)):
    try:
        file = os.open(f"/proc/{sys.argv[1]}/ns/{name}", os.O_RDONLY)
    except OSError:
        file = -1
    # The kernel takes 32 bits; a filter might look at more.
    for upper in (1 << 32, 0):
        libc.syscall(SETNS, file, ctypes.c_long(kind | upper))

print("ready", flush=True)
sys.stdin.read()

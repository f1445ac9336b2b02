import ctypes, sys

NEWNS, NEWUSER, BIND, PIVOT_ROOT = 0x20000, 0x10000000, 4096, 155
libc = ctypes.CDLL(None)
# Where that works, among mounts of its own.
libc.unshare(NEWUSER | NEWNS)
libc.mount(b"attack-tmpfs", b"data", b"tmpfs", 0, None)
libc.mount(b"probe.py", b"data", None, BIND, None)
# What is not there cannot be harmed.
libc.umount2(b"nowhere", 0)
libc.syscall(PIVOT_ROOT, b"nowhere", b"nowhere")
libc.chroot(b"nowhere")

print("ready", flush=True)
sys.stdin.read()

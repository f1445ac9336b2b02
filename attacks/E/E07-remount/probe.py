import ctypes, os, sys

BIND, REMOUNT, HERE, MOUNT_SETATTR, RDONLY = 4096, 32, -100, 442, 1
NEWNS, NEWUSER = 0x20000, 0x10000000
libc = ctypes.CDLL(None)
place = os.getcwd().encode()
# Outside this is no mount, and becomes one among mounts of its own.
libc.mount(None, place, None, REMOUNT | BIND, None)
libc.syscall(MOUNT_SETATTR, HERE, place, 0, (ctypes.c_uint64 * 4)(0, RDONLY, 0, 0), 32)
libc.unshare(NEWUSER | NEWNS)
libc.mount(place, place, None, BIND, None)

print("ready", flush=True)
sys.stdin.read()

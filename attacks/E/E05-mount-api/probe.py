import ctypes, sys

NEWNS, NEWUSER, HERE = 0x20000, 0x10000000, -100
OPEN_TREE, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, FSPICK, MOUNT_SETATTR = range(428, 434 + 1)
MOUNT_SETATTR, STATMOUNT, LISTMOUNT, OPEN_TREE_ATTR = 442, 457, 458, 467
SET_STRING, CREATE, EMPTY_PATH, CLONE = 1, 6, 4, 1
libc = ctypes.CDLL(None)
call = libc.syscall
# Where that works, among mounts of its own.
libc.unshare(NEWUSER | NEWNS)
context = call(FSOPEN, b"tmpfs", 0)
call(FSCONFIG, context, SET_STRING, b"source", b"attack-tmpfs", 0)
mount = call(FSMOUNT, context, 0, 0)
call(MOVE_MOUNT, mount, b"", HERE, b"data", EMPTY_PATH)
call(OPEN_TREE, HERE, b"data", CLONE)
call(FSPICK, HERE, b"data", 0)
call(MOUNT_SETATTR, HERE, b"nowhere", 0, (ctypes.c_uint64 * 4)(), 32)
call(STATMOUNT, None, None, 0, 0)
call(LISTMOUNT, None, None, 0, 0)
call(OPEN_TREE_ATTR, HERE, b"nowhere", CLONE, None, 0)

print("ready", flush=True)
sys.stdin.read()

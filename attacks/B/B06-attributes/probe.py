import ctypes, os, struct, sys

path = sys.argv[1]
libc = ctypes.CDLL(None)
AT_FDCWD, SETXATTRAT = -100, 463
# Read and write for everybody, in the form of version 2.
acl = struct.pack("I", 2) + b"".join(struct.pack("HHI", tag, 6, 2**32 - 1) for tag in (1, 4, 32))
value = ctypes.create_string_buffer(b"x")
arguments = ctypes.create_string_buffer(struct.pack("QII", ctypes.addressof(value), 1, 0))
capability = struct.pack("5I", 0x02000001, 1 << 21, 0, 0, 0)
for attempt in (
    lambda: os.setxattr(path, "user.mark", b"x"),
    lambda: os.setxattr(os.open(path, os.O_RDONLY), "user.mark", b"x"),
    lambda: os.setxattr(path, "user.mark", b"x", follow_symlinks=False),
    lambda: os.setxattr(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}", "user.mark", b"x"),
    lambda: libc.syscall(SETXATTRAT, AT_FDCWD, path.encode(), 0, b"user.mark", arguments, 16),
    lambda: os.setxattr(path, "system.posix_acl_access", acl),
    lambda: os.setxattr(path, "security.capability", capability),
    lambda: os.removexattr(path, "user.mark"),
):
    try:
        attempt()
    except OSError:
        pass

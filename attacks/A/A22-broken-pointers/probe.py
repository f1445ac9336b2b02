import ctypes, mmap, os, sys

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
x86 = os.uname().machine == "x86_64"
AT_FDCWD, UNLINKAT, FCHMODAT, FCHOWNAT = (-100, 263, 268, 260) if x86 else (-100, 35, 53, 54)
SETXATTR = 188 if x86 else 5

# A path that goes on where no page is.
page = libc.mmap(None, 8192, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
libc.munmap(page + 4096, 4096)
ctypes.memmove(page + 4090, b"data/k", 6)
for path in (0, 1, 2**63, 2**64 - 1, 2**47 - 1, page + 4090, page + 4096):
    pointer = ctypes.c_void_p(path)
    libc.syscall(UNLINKAT, AT_FDCWD, pointer, 0)
    libc.syscall(FCHMODAT, AT_FDCWD, pointer, 0o600)
    libc.syscall(FCHOWNAT, AT_FDCWD, pointer, 0, 0, 0)
    libc.syscall(SETXATTR, pointer, pointer, pointer, 2**62, 0)
for name in (b"", b"x" * 256, b"x" * 5000, b"x/" * 2047, b"x/" * 60000):
    libc.syscall(UNLINKAT, AT_FDCWD, name, 0)
    libc.syscall(UNLINKAT, -1, name, -1)
try:
    os.unlink(sys.argv[1])
except PermissionError:
    pass

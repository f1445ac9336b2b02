import ctypes, os, sys

path = sys.argv[1]
libc = ctypes.CDLL(None)
x86 = os.uname().machine == "x86_64"
own = os.getuid(), os.getgid()
# To oneself, which anybody may: a new time of change tells of it.
for attempt in (
    lambda: os.chown(path, *own),
    lambda: os.lchown(path, *own),
    lambda: os.fchown(os.open(path, os.O_RDONLY), *own),
    lambda: os.chown(os.path.basename(path), *own, dir_fd=os.open(os.path.dirname(path), os.O_RDONLY)),
    lambda: os.chown(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}", *own),
    lambda: libc.syscall(260 if x86 else 54, os.open(path, os.O_RDONLY), b"", *own, 0x1000),
    lambda: libc.syscall(92, path.encode(), *own) if x86 else None,
    lambda: libc.syscall(94, path.encode(), *own) if x86 else None,
):
    try:
        attempt()
    except OSError:
        pass

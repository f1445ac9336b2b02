import ctypes, os, sys

path = sys.argv[1]
libc = ctypes.CDLL(None)
AT_FDCWD, FCHMODAT2 = -100, 452


def through_proc():
    file = os.open(path, os.O_RDONLY)
    os.chmod(f"/proc/self/fd/{file}", 0o640)


for attempt in (
    lambda: os.chmod(path, 0o600),
    lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o601),
    lambda: os.chmod(os.path.basename(path), 0o602, dir_fd=os.open(os.path.dirname(path), os.O_RDONLY)),
    lambda: libc.syscall(FCHMODAT2, AT_FDCWD, path.encode(), 0o603, 0),
    through_proc,
):
    try:
        attempt()
    except PermissionError:
        pass

import ctypes, os, sys

keep = os.path.abspath(sys.argv[1])
libc = ctypes.CDLL(None)
AT_FDCWD, EXCHANGE = -100, 2
for attempt in (
    lambda: os.rename(keep, "gone"),
    lambda: os.rename(keep, "../gone"),
    lambda: libc.renameat2(AT_FDCWD, keep.encode(), AT_FDCWD, b"probe.py", EXCHANGE),
):
    try:
        attempt()
    except OSError:
        pass

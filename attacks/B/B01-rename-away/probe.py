import ctypes, os, sys, tempfile

keep = sys.argv[1]
libc = ctypes.CDLL(None)
AT_FDCWD, EXCHANGE = -100, 2
with tempfile.TemporaryDirectory() as scratch:
    other = f"{scratch}/other"
    for attempt in (
        lambda: os.rename(keep, f"{scratch}/gone"),
        lambda: os.replace(keep, "gone"),
        lambda: libc.renameat2(AT_FDCWD, keep.encode(), AT_FDCWD, other.encode(), EXCHANGE),
    ):
        open(other, "w").close()
        try:
            attempt()
        except OSError:
            pass

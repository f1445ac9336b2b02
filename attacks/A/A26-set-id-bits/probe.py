import ctypes, os, sys

data = sys.argv[1]
libc = ctypes.CDLL(None)
FCHMODAT2 = 452
for attempt in (
    lambda: os.chmod(f"{data}/tool", 0o4755),
    lambda: os.chmod(f"{data}/tool", 0o2755),
    lambda: os.fchmod(os.open(f"{data}/tool", os.O_RDONLY), 0o6755),
    lambda: libc.syscall(FCHMODAT2, -100, f"{data}/tool".encode(), 0o4755, 0),
):
    try:
        attempt()
    except OSError:
        pass

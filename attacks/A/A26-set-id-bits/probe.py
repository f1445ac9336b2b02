import ctypes, os, stat, sys

data = sys.argv[1]
libc = ctypes.CDLL(None)
FCHMODAT2 = 452
os.umask(0)
for attempt in (
    lambda: os.chmod(f"{data}/tool", 0o4755),
    lambda: os.chmod(f"{data}/tool", 0o2755),
    lambda: os.fchmod(os.open(f"{data}/tool", os.O_RDONLY), 0o6755),
    lambda: libc.syscall(FCHMODAT2, -100, f"{data}/tool".encode(), 0o4755, 0),
    lambda: os.open(f"{data}/made", os.O_CREAT | os.O_WRONLY, 0o4777),
    lambda: os.mknod(f"{data}/node", 0o6777 | stat.S_IFREG),
    lambda: os.mkdir(f"{data}/folder", 0o2777),
):
    try:
        attempt()
    except OSError:
        pass

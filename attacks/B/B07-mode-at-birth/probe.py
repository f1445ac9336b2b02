import ctypes, os, stat, sys

data = sys.argv[1]
libc = ctypes.CDLL(None)
x86 = os.uname().machine == "x86_64"
os.umask(0)
for attempt in (
    lambda: os.open(f"{data}/open", os.O_CREAT | os.O_WRONLY, 0o4777),
    lambda: os.open(f"{data}/exclusive", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o2777),
    lambda: libc.syscall(85, f"{data}/creat".encode(), 0o6777) if x86 else None,
    lambda: os.mknod(f"{data}/node", stat.S_IFREG | 0o4777),
    lambda: os.link(f"/proc/self/fd/{os.open(data, os.O_TMPFILE | os.O_WRONLY, 0o4777)}", f"{data}/unnamed"),
    lambda: os.mkdir(f"{data}/folder", 0o2777),
):
    try:
        attempt()
    except OSError:
        pass

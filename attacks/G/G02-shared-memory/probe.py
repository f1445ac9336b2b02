import ctypes, mmap, os, signal, sys, tempfile, time

own, kept = tempfile.mkdtemp() + "/own", sys.argv[1]
paths = [path.encode() + b"\0" for path in (own, kept)]
path = (ctypes.c_char * 4096).from_buffer(mmap.mmap(-1, 4096))
libc = ctypes.CDLL(None)
end = time.monotonic() + 0.4
child = os.fork()
while child == 0 and time.monotonic() < end + 5:
    for other in paths:
        ctypes.memmove(path, other, len(other))
while time.monotonic() < end:
    open(own, "w").close()
    libc.chmod(path, 0o600)
    libc.unlink(path)
os.kill(child, signal.SIGKILL)

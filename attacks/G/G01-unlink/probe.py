import ctypes, sys, tempfile, threading, time

own, kept = tempfile.mkdtemp() + "/own", sys.argv[1]
paths = [path.encode() + b"\0" for path in (own, kept)]
path = ctypes.create_string_buffer(4096)
libc = ctypes.CDLL(None)
over = False


def exchange():
    while not over:
        for other in paths:
            ctypes.memmove(path, other, len(other))


threading.Thread(target=exchange, daemon=True).start()
end = time.monotonic() + 0.4
while time.monotonic() < end:
    open(own, "w").close()
    libc.unlink(path)
over = True

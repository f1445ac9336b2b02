import ctypes, os, sys, threading, time

paths = [path.encode() + b"\0" for path in sys.argv[1:]]
path = ctypes.create_string_buffer(4096)
libc = ctypes.CDLL(None)
over = False


def exchange():
    while not over:
        for other in paths:
            ctypes.memmove(path, other, len(other))


threading.Thread(target=exchange, daemon=True).start()
end = time.monotonic() + 0.4
text = b""
while time.monotonic() < end and not text:
    file = libc.open(path, os.O_RDONLY)
    if file >= 0:
        text = os.read(file, 100)
        os.close(file)
over = True
print(text.decode())

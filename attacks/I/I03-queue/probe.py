import ctypes, os, sys, time

here, up = sys.argv[1:]
libc = ctypes.CDLL(None)
name = here.replace("/", "-").replace("-", "/", 1).encode()
end = time.monotonic() + 8
while not os.path.exists(up) and time.monotonic() < end:
    time.sleep(0.01)
queue = libc.mq_open(name, os.O_RDWR | os.O_CREAT, 0o666, None)
if queue >= 0:
    libc.mq_send(queue, b"for you", 7, 0)
    end = time.monotonic() + 1
    attributes = (ctypes.c_long * 8)()
    while libc.mq_getattr(queue, attributes) == 0 and attributes[3] and time.monotonic() < end:
        time.sleep(0.01)
libc.mq_unlink(name)

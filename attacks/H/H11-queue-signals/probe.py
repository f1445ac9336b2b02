import ctypes, os, sys, time

libc = ctypes.CDLL(None)
name = b"/waxcell-attack-" + sys.argv[1].encode()
for _ in range(50):
    queue = libc.mq_open(name, os.O_RDWR)
    if queue >= 0:
        time.sleep(0.1)
        libc.mq_send(queue, b"x", 1, 0)
        break
    time.sleep(0.01)

import ctypes, os, time

libc = ctypes.CDLL(None)
for _ in range(80):
    if libc.inotify_init() >= 0:
        # So much for each of them.
        os.write(1, b"x" * 100)
time.sleep(0.3)

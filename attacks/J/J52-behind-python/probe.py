import ctypes, time

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
for _ in range(250):
    room = libc.malloc(ctypes.c_size_t(1 << 20))
    if room:
        ctypes.memset(room, 1, 1 << 20)
    time.sleep(0.001)
time.sleep(0.2)

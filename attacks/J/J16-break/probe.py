import ctypes, time

libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
for _ in range(250):
    ctypes.memset(libc.sbrk(1 << 20), 1, 1 << 20)
    time.sleep(0.001)
time.sleep(0.2)

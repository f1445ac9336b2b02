import ctypes, time

libc = ctypes.CDLL(None)
libc.mmap.restype = libc.mremap.restype = ctypes.c_void_p
SIZE = ctypes.c_size_t(1 << 20)
PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS = 3, 0x22
MREMAP_MAYMOVE, MREMAP_DONTUNMAP = 1, 4

room = ctypes.c_void_p(libc.mmap(None, SIZE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, ctypes.c_long(0)))
for _ in range(250):
    ctypes.memset(room, 1, SIZE.value)
    # The pages are elsewhere then, and this place is empty.
    libc.mremap(room, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, None)
    time.sleep(0.001)
time.sleep(0.2)

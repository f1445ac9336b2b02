import ctypes, mmap, struct, sys

libc = ctypes.CDLL(None)
SETUP, ENTER, UNLINKAT, AT_FDCWD = 425, 426, 36, -100
parameters = ctypes.create_string_buffer(120)
ring = libc.syscall(SETUP, 4, parameters)
if ring < 0:
    sys.exit()
# Where the kernel has put the queue's fields (struct io_sqring_offsets, behind ten words).
_, tail, _, _, _, _, array = struct.unpack_from("7I", parameters, 40)
queue = mmap.mmap(ring, 4096, mmap.MAP_SHARED, offset=0)
entries = mmap.mmap(ring, 4096, mmap.MAP_SHARED, offset=0x10000000)
path = ctypes.create_string_buffer(sys.argv[1].encode())
entries[:64] = struct.pack("BBHiQQIIQ24x", UNLINKAT, 0, 0, AT_FDCWD, 0, ctypes.addressof(path), 0, 0, 1)
struct.pack_into("I", queue, array, 0)
struct.pack_into("I", queue, tail, 1)
libc.syscall(ENTER, ring, 1, 1, 1, None, 0)

import ctypes, mmap, os, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
path = ctypes.create_string_buffer(sys.argv[1].encode())
CREAT, MODE = 85, 0o644
# creat(path, 0644)
code = b"\x48\xbf" + struct.pack("<Q", ctypes.addressof(path)) + b"\xbe" + struct.pack("<I", MODE)
code += b"\xb8" + struct.pack("<I", CREAT) + b"\x0f\x05\xc3"
file = os.memfd_create("code")
os.ftruncate(file, 4096)
mmap.mmap(file, 4096).write(code)
made = libc.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_SHARED, file, 0)
if made == ctypes.c_void_p(-1).value:
    raise OSError(ctypes.get_errno(), "it may not be executed")
ctypes.CFUNCTYPE(ctypes.c_int)(made)()

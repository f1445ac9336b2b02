import ctypes, os, sys, time

pid, file = int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None)
ATTACH, PEEK, DETACH = 16, 1, 17
end = time.monotonic() + 8
while not os.path.exists(file) and time.monotonic() < end:
    time.sleep(0.01)
address = int(open(file).read())
text = ctypes.create_string_buffer(33)
here = (ctypes.c_void_p * 2)(ctypes.addressof(text), 32)
there = (ctypes.c_void_p * 2)(address, 32)
libc.process_vm_readv(pid, here, ctypes.c_ulong(1), there, ctypes.c_ulong(1), ctypes.c_ulong(0))
print(text.value.decode())
libc.ptrace.restype, libc.ptrace.argtypes = ctypes.c_long, [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
if libc.ptrace(ATTACH, pid, None, None) == 0:
    os.waitpid(pid, 0x40000000)
    words = [libc.ptrace(PEEK, pid, address + at, None) & (1 << 64) - 1 for at in range(0, 32, 8)]
    print(b"".join(word.to_bytes(8, "little") for word in words).decode())
    libc.ptrace(DETACH, pid, None, None)

import ctypes, mmap, struct, sys

SOCKETCALL, SOCKET, LOW, NETLINK, RAW = 102, 1, 0x40, 16, 3
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | LOW
memory = mmap.mmap(-1, 4096, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# push rbx; mov eax, edi; mov ebx, esi; mov ecx, edx; int 0x80; pop rbx; ret
code = bytes.fromhex("53 89f8 89f3 89d1 cd80 5b c3").ljust(16, b"\0")
memory.write(code + struct.pack("III", NETLINK, RAW, 0))
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)(start)
call(SOCKETCALL, SOCKET, start + len(code))

print("ready", flush=True)
sys.stdin.read()

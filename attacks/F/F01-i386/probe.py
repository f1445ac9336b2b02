import ctypes, mmap

CHMOD, LOW = 15, 0x40
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | LOW
memory = mmap.mmap(-1, 4096, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# push rbx; mov eax, edi; mov ebx, esi; mov ecx, edx; int 0x80; pop rbx; ret
code = bytes.fromhex("53 89f8 89f3 89d1 cd80 5b c3")
name = b"data/file\0"
memory.write(code + name)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)(start)
call(CHMOD, start + len(code), 0o600)

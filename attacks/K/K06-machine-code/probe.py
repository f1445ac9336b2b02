import ctypes, mmap, struct, sys

path = ctypes.create_string_buffer(sys.argv[1].encode())
text = ctypes.create_string_buffer(32)
SYSCALL, RET = b"\x0f\x05", b"\xc3"
eax = lambda number: b"\xb8" + struct.pack("<I", number)
edi = lambda number: b"\xbf" + struct.pack("<I", number)
edx = lambda number: b"\xba" + struct.pack("<I", number)
rdi = lambda address: b"\x48\xbf" + struct.pack("<Q", address)
rsi = lambda address: b"\x48\xbe" + struct.pack("<Q", address)
EDI_IS_EAX = b"\x89\xc7"
READ, WRITE, OPEN = 0, 1, 2
code = rdi(ctypes.addressof(path)) + rsi(0) + eax(OPEN) + SYSCALL
code += EDI_IS_EAX + rsi(ctypes.addressof(text)) + edx(32) + eax(READ) + SYSCALL
code += edi(1) + rsi(ctypes.addressof(text)) + edx(32) + eax(WRITE) + SYSCALL + RET
memory = mmap.mmap(-1, len(code), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(code)
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()

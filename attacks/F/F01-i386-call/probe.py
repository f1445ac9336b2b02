import ctypes, mmap, sys

MAP_32BIT, CREAT = 0x40, 8
page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT,
                 mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
path = sys.argv[1].encode() + b"\0"
page[2048:2048 + len(path)] = path
word = lambda value: value.to_bytes(4, "little")
code = (
    b"\x53"                                 # push rbx
    + b"\xb8" + word(CREAT)                 # mov eax, the number of creat(2) there
    + b"\xbb" + word(address + 2048)        # mov ebx, the path
    + b"\xb9" + word(0o644)                 # mov ecx, the mode
    + b"\xcd\x80\x5b\xc3"                   # int 0x80; pop rbx; ret
)
page[:len(code)] = code
ctypes.CFUNCTYPE(ctypes.c_int)(address)()

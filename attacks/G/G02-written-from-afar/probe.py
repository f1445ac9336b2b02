import ctypes, os, sys

asked, other = (path.encode() for path in sys.argv[1:])
path = ctypes.create_string_buffer(asked, 200)
text = ctypes.create_string_buffer(other, 200)
libc = ctypes.CDLL(None)
USERFAULTFD = 323 if os.uname().machine == "x86_64" else 282
file = libc.syscall(USERFAULTFD, 0)
if file >= 0:
    os.close(file)
# The child is asked for its memory: nobody minds that of a parent.
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.read(reader, 1)
    file = libc.open(path, os.O_RDONLY)
    print(os.read(file, 100).decode() if file >= 0 else "", flush=True)
    os._exit(0)
here, there = ((ctypes.c_void_p * 2)(ctypes.addressof(memory), 200) for memory in (text, path))
libc.process_vm_writev(child, here, ctypes.c_ulong(1), there, ctypes.c_ulong(1), ctypes.c_ulong(0))
os.write(writer, b"g")
os.waitpid(child, 0)

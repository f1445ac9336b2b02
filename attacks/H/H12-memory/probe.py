import ctypes, os, struct, sys

pid = int(sys.argv[1])
libc = ctypes.CDLL(None)
try:
    with open(f"/proc/{pid}/stat") as stat:
        begin, end = map(int, stat.read().rpartition(") ")[2].split()[47:49])
except OSError:
    begin, end = 0x10000, 0x11000
buffer = ctypes.create_string_buffer(end - begin)
here = struct.pack("QQ", ctypes.addressof(buffer), len(buffer) - 1)
there = struct.pack("QQ", begin, len(buffer) - 1)
libc.process_vm_readv(pid, here, 1, there, 1, 0)
# The same bytes again.
libc.process_vm_writev(pid, here, 1, there, 1, 0)
os.write(1, buffer.raw)

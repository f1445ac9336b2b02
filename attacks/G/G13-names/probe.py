import ctypes, socket, struct, sys

name = sys.argv[1].encode()
libc = ctypes.CDLL(None)
names = [b"\0" + name, b"\0" + name + b"\0", b"\0\0" + name, b"\0" + name[:-1], b"\0" + name + b"\0" * 200, b"", b"\0", b"\0" * 108]
for name in names:
    address = struct.pack("=H", socket.AF_UNIX) + name
    with socket.socket(socket.AF_UNIX) as s:
        libc.connect(s.fileno(), address, len(address))

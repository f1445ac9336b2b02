import ctypes, socket, struct, sys

address, port = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None)
text = ctypes.create_string_buffer(b"anybody there?")
part = (ctypes.c_void_p * 2)(ctypes.addressof(text), 14)
packed = [struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(ip)) for ip in ("127.0.0.1", address)]
kept = [ctypes.create_string_buffer(there, 16) for there in packed]
# struct mmsghdr; the last one's address leads nowhere.
names = [ctypes.addressof(there) for there in kept] + [1]
messages = b"".join(struct.pack("=QI4xQQQQI4xI4x", name, 16, ctypes.addressof(part), 1, 0, 0, 0, 0) for name in names)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    libc.sendmmsg(s.fileno(), messages, len(names), 0)

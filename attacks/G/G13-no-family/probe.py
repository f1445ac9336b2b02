import ctypes, socket, struct, sys

there = struct.pack("!HH4s8x", 0, int(sys.argv[2]), socket.inet_aton(sys.argv[1]))
libc = ctypes.CDLL(None)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    libc.sendto(s.fileno(), b"anybody there?", 14, 0, there, 16)
    libc.sendto(s.fileno(), b"anybody there?", 14, 0, there + bytes(112), 128)

import ctypes, socket, struct, sys

address, port = sys.argv[1], int(sys.argv[2])
libc = ctypes.CDLL(None)
UNSPEC, INET = 0, socket.AF_INET
for family in (INET, UNSPEC, INET | 0x100):
    there = struct.pack("=H", family) + struct.pack("!H4s", port, socket.inet_aton(address)) + bytes(300)
    for length in (0, 1, 2, 4, 8, 15, 16, 17, 28, 127, 128, 129, 300, -1, 0x7FFFFFFF):
        with socket.socket() as s:
            s.settimeout(1)
            libc.connect(s.fileno(), there, ctypes.c_int(length))

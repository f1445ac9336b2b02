import ctypes, socket, struct, sys, threading, time

address, port = sys.argv[1], int(sys.argv[2])
addresses = [struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(ip)) for ip in ("127.0.0.1", address)]
there = ctypes.create_string_buffer(addresses[0], 16)
libc = ctypes.CDLL(None)
over = False


def exchange():
    while not over:
        for other in addresses:
            ctypes.memmove(there, other, 16)


threading.Thread(target=exchange, daemon=True).start()
end = time.monotonic() + 0.4
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    while time.monotonic() < end:
        with socket.socket(socket.AF_INET, kind) as s:
            if libc.connect(s.fileno(), there, 16) == 0:
                s.send(b"anybody there?")
                break
over = True

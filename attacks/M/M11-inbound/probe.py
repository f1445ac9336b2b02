import os, socket, sys, time, zlib

project, word = sys.argv[1:]
port = 20000 + zlib.crc32(word.encode()) % 10000
end = time.monotonic() + 8
while not os.path.exists(f"{project}/up") and time.monotonic() < end:
    time.sleep(0.01)
services = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"), (socket.AF_INET, "127.0.0.1")):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, port))
    s.listen()
    s.setblocking(False)
    services.append(s)
end = time.monotonic() + 0.5
while not os.path.exists(f"{project}/in") and time.monotonic() < end:
    for s in services:
        try:
            s.accept()[0].sendall(word.encode())
        except OSError:
            pass
    time.sleep(0.01)

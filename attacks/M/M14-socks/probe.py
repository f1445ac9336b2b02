import socket, sys

for message in (b"\5\1\0", b"\4\1\1\xbb\x5d\xb8\xd8\x42me\0"):
    try:
        with socket.create_connection((sys.argv[1], 80), timeout=0.5) as s:
            s.sendall(message)
            s.recv(1000)
    except OSError:
        pass

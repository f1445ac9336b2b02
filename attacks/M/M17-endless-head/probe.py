import socket, sys

try:
    with socket.create_connection((sys.argv[1], 80), timeout=2) as s:
        s.sendall(b"GET /long HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"Host: www.example.org\r\n\r\n")
        s.recv(1000)
except OSError:
    pass

import socket, sys

try:
    with socket.create_connection((sys.argv[1], 80), timeout=2) as s:
        s.sendall(b"GET /first HTTP/1.1\r\nHost: www.example.org\r\n\r\n")
        while not s.recv(1000).endswith(b"/first 0"):
            pass
        s.sendall(b"GET /later HTTP/1.1\r\nHost: evil.example.com\r\n\r\n")
        s.recv(1000)
except OSError:
    pass

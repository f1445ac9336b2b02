import socket, sys

for attempt in range(4):
    try:
        with socket.create_connection((sys.argv[1], 80), timeout=2) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: turns.example.org\r\n\r\n")
            s.recv(1000)
    except OSError:
        pass

import socket, sys

name, held = sys.argv[1], []
for number in range(6):
    try:
        s = socket.create_connection((name, 80), timeout=2)
        held.append(s)
        s.sendall(f"GET /number{number} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        s.recv(1000)
    except OSError:
        pass

import socket, time

# One that nobody was asked for.
name = f"turns{time.time_ns()}.example.org"
for attempt in range(3):
    try:
        with socket.create_connection((name, 80), timeout=2) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            s.recv(1000)
    except OSError:
        pass

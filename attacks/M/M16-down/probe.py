import socket, sys, time

name, end = sys.argv[1], time.monotonic() + float(sys.argv[2]) * int(sys.argv[3])
try:
    with socket.create_connection((name, 80), timeout=1) as s:
        s.sendall(f"GET /big HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        got = 0
        while got < 1_000_000:
            s.settimeout(max(0.01, end - time.monotonic()))
            part = s.recv(65536)
            if not part:
                break
            got += len(part)
        if got >= 1_000_000 and time.monotonic() < end:
            s.sendall(f"GET /whole HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            s.settimeout(1)
            s.recv(1000)
except OSError:
    pass

import socket, sys

with socket.socket(socket.AF_UNIX) as s:
    try:
        s.connect(sys.argv[1])
        s.sendall(b'{"method":"io.systemd.Resolve.ResolveHostname","parameters":{"name":"secret.example.com"}}\0')
    except OSError:
        pass

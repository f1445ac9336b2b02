import socket, sys

host, port, *messages = sys.argv[1:]
for message in messages:
    try:
        with socket.create_connection((host, int(port)), timeout=2) as s:
            s.sendall(message.encode("latin-1"))
            s.recv(1000)
    except OSError:
        pass

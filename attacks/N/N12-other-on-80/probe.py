import socket, sys

for message in (b"\x16\3\1\0\5\1\0\0\1\3", b"SSH-2.0-client\r\n"):
    try:
        with socket.create_connection((sys.argv[1], 80), timeout=0.5) as s:
            s.sendall(message)
            s.recv(1000)
    except OSError:
        pass

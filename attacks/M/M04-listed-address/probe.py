import socket, sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    try:
        s.sendto(b"hello", (sys.argv[1], 7))
    except OSError:
        pass

import socket, sys

with socket.socket(socket.AF_UNIX) as s:
    try:
        s.settimeout(0.2)
        s.connect(sys.argv[1])
        s.send(b"a descriptor, please")
        print(socket.recv_fds(s, 100, 4))
    except OSError:
        pass

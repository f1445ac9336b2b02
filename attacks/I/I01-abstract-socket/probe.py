import socket, sys

name = b"\0" + sys.argv[1].encode()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    try:
        with socket.socket(socket.AF_UNIX, kind) as s:
            s.connect(name)
            s.send(b"anybody there?")
    except OSError:
        pass

import socket, sys

there = sys.argv[1], int(sys.argv[2])
MSG_FASTOPEN, TCP_FASTOPEN_CONNECT = 0x20000000, 30


def by_sending(s):
    s.sendto(b"anybody there?", MSG_FASTOPEN, there)


def when_written_to(s):
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    s.connect(there)
    s.send(b"anybody there?")


for way in (by_sending, when_written_to, by_sending):
    with socket.socket() as s:
        s.settimeout(1)
        try:
            way(s)
        except OSError:
            pass

import socket, sys

there = sys.argv[1], int(sys.argv[2])
ECHO = b"\x08\x00\xf7\xfd\x00\x01\x00\x01"
for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
    try:
        with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP) as s:
            s.sendto(ECHO, (there[0], 0))
    except OSError:
        pass
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    IP_RECVERR = 11
    s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    for hops in (1, 2, 3):
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        try:
            s.sendto(bytes(hops), there)
        except OSError:
            pass

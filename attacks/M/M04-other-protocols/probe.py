import socket, sys

there = sys.argv[1], int(sys.argv[2])
V4, V6, PACKET = socket.AF_INET, socket.AF_INET6, 17
STREAM, DGRAM, RAW, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET
ICMP, DCCP, SCTP, UDPLITE, RAWIP, MPTCP, ICMPV6, ANY = 1, 33, 132, 136, 255, 262, 58, 0x300
for family, kind, protocol in (
    (V4, DGRAM, 0),
    (V4, DGRAM, UDPLITE),
    (V4, STREAM, DCCP),
    (V4, SEQPACKET, SCTP),
    (V4, STREAM, MPTCP),
    (V4, DGRAM, ICMP),
    (V4, RAW, ICMP),
    (V4, RAW, RAWIP),
    (PACKET, RAW, ANY),
    (V6, DGRAM, ICMPV6),
    (V6, RAW, ICMPV6),
):
    try:
        with socket.socket(family, kind, protocol) as s:
            if (family, kind, protocol) == (V4, DGRAM, 0):
                s.sendto(b"anybody there?", there)
    except OSError:
        pass
with socket.socket(V4, DGRAM) as s:
    try:
        s.connect(there)
        s.send(b"anybody there?")
    except OSError:
        pass

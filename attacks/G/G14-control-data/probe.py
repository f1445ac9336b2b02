import socket, struct, sys

address, port = sys.argv[1], int(sys.argv[2])
IP, UDP = socket.IPPROTO_IP, socket.SOCK_DGRAM
IP_TOS, IP_RETOPTS, IP_PKTINFO = 1, 7, 8
there = socket.inet_aton(address)
information = struct.pack("i4s4s", 0, there, there)
# A loose source route over the other host.
route = bytes([131, 7, 4]) + there + b"\0"
for to, control in (
    (address, [(IP, IP_PKTINFO, information)]),
    (address, [(IP, IP_TOS, struct.pack("i", 8))]),
    ("127.0.0.1", [(IP, IP_PKTINFO, information)]),
    ("127.0.0.1", [(IP, IP_RETOPTS, route)]),
):
    with socket.socket(socket.AF_INET, UDP) as s:
        try:
            s.sendmsg([b"anybody there?"], control, 0, (to, port))
        except OSError:
            pass

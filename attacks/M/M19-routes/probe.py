import socket, struct, sys

NETLINK, REQUEST, ACK, CREATE = 16, 1, 4, 0x400
NEWROUTE, DELROUTE = 24, 25
MAIN, BOOT, LINK, UNICAST, DESTINATION, INTERFACE = 254, 3, 253, 1, 1, 4


def change(kind, flags):
    route = struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, MAIN, BOOT, LINK, UNICAST, 0)
    route += struct.pack("HH4s", 8, DESTINATION, socket.inet_aton("198.51.100.1"))
    route += struct.pack("HHI", 8, INTERFACE, socket.if_nametoindex("lo"))
    message = struct.pack("IHHII", 16 + len(route), kind, REQUEST | ACK | flags, 1, 0) + route
    try:
        with socket.socket(NETLINK, socket.SOCK_RAW) as s:
            s.settimeout(1)
            s.send(message)
            s.recv(1000)
    except OSError:
        pass


change(NEWROUTE, CREATE)
# What sockets can say about where they go.
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    SO_MARK, IP_TRANSPARENT = 36, 19
    for level, option, value in (
        (socket.SOL_SOCKET, SO_MARK, 1),
        (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0"),
        (socket.IPPROTO_IP, IP_TRANSPARENT, 1),
    ):
        try:
            s.setsockopt(level, option, value)
        except OSError:
            pass
print("ready", flush=True)
sys.stdin.read()
change(DELROUTE, 0)

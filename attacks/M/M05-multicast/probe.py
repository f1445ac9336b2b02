import socket, sys

port = int(sys.argv[1])
V4, V6 = socket.AF_INET, socket.AF_INET6
calls = [(V4, "127.255.255.255", port), (V4, "224.0.0.251", port)]
# What would go out to somebody else is only tried where nothing goes out.
if open("/proc/self/net/dev").read().count(":") == 1:
    calls += [(V4, "224.0.0.251", 5353), (V4, "224.0.0.252", 5355), (V4, "239.255.255.250", 1900)]
    calls += [(V4, "255.255.255.255", 67), (V6, "ff02::fb%1", 5353)]
for family, address, port in calls:
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            if family == V4:
                s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            s.sendto(b"anybody there?", (address, port))
        except OSError:
            pass

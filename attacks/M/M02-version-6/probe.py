import socket, sys

port = int(sys.argv[1])
# Those that the host itself has, as this process sees them.
own = [line.split()[0] for line in open("/proc/self/net/if_inet6")]
addresses = [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address)) for address in own]
# What would go out to somebody else is only tried where nothing goes out.
if open("/proc/self/net/dev").read().count(":") == 1:
    addresses.append("2001:db8::1")
for address in addresses:
    with socket.socket(socket.AF_INET6) as s:
        s.settimeout(1)
        try:
            s.connect((address, port))
        except OSError:
            pass

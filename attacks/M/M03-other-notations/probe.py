import ipaddress, socket, sys

address, port = ipaddress.ip_address(sys.argv[1]), int(sys.argv[2])
a, b, c, d = address.packed
number = int(address)
ways = [
    (socket.AF_INET, str(number)),
    (socket.AF_INET, hex(number)),
    (socket.AF_INET, f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
    (socket.AF_INET, f"{a}.{b}.{c << 8 | d}"),
    (socket.AF_INET6, f"::ffff:{address}"),
    (socket.AF_INET6, f"0:0:0:0:0:ffff:{number >> 16:x}:{number & 0xFFFF:x}"),
]
# What would go out to somebody else is only tried where nothing goes out.
if open("/proc/self/net/dev").read().count(":") == 1:
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    embedded = (f"64:ff9b::{high}:{low}", f"2002:{high}:{low}::1", f"2001:0:{high}:{low}::1", "fe80::1%1")
    ways += [(socket.AF_INET6, way) for way in embedded]
for family, way in ways:
    with socket.socket(family) as s:
        s.settimeout(1)
        try:
            s.connect((way, port))
        except OSError:
            pass

import ipaddress, socket, sys

address = ipaddress.ip_address(sys.argv[1])
number = int(address)
a, b, c, d = address.packed
ways = [(socket.AF_INET, str(number)), (socket.AF_INET, hex(number)), (socket.AF_INET, f"{a}.{b}.{c << 8 | d}")]
ways += [(socket.AF_INET6, f"::ffff:{address}"), (socket.AF_INET6, f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}")]
for family, way in ways:
    with socket.socket(family) as s:
        s.settimeout(1)
        try:
            s.connect((way, 80))
        except OSError:
            pass

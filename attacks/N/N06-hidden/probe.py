import socket, ssl, struct, sys

trust = ssl.create_default_context()
trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
try:
    trust.wrap_bio(coming, going, server_hostname=sys.argv[1]).do_handshake()
except ssl.SSLWantReadError:
    pass
record = going.read()
# Encrypted Client Hello is one extension more, behind the others: each length that goes around it grows.
ech = struct.pack(">HH", 0xFE0D, 32) + bytes(32)
session = 43 + 1 + record[43]
suites = session + 2 + struct.unpack(">H", record[session:session + 2])[0]
at = suites + 1 + record[suites]
extensions = struct.unpack(">H", record[at:at + 2])[0]
body = record[9:at] + struct.pack(">H", extensions + len(ech)) + record[at + 2:] + ech
record = record[:3] + struct.pack(">H", len(body) + 4) + b"\1" + struct.pack(">I", len(body))[1:] + body
try:
    with socket.create_connection((sys.argv[1], 443), timeout=2) as s:
        s.sendall(record)
        s.recv(1000)
except OSError:
    pass

import socket, ssl, struct, sys

trust = ssl.create_default_context()
trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
try:
    trust.wrap_bio(coming, going, server_hostname="evil.example.com").do_handshake()
except ssl.SSLWantReadError:
    pass
hello = going.read()[5:]
try:
    with socket.create_connection((sys.argv[1], 443), timeout=2) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(hello), 20):
            part = hello[at:at + 20]
            s.sendall(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part)
        s.recv(1000)
except OSError:
    pass

import socket, ssl, sys

trust = ssl.create_default_context()
trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
try:
    trust.wrap_bio(coming, going, server_hostname="www.example.orgZevil.com").do_handshake()
except ssl.SSLWantReadError:
    pass
try:
    with socket.create_connection((sys.argv[1], 443), timeout=2) as s:
        s.sendall(going.read().replace(b"www.example.orgZevil.com", b"www.example.org\0evil.com"))
        s.recv(1000)
except OSError:
    pass

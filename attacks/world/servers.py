"""Real servers for the world: DNS, HTTP, TLS, WebSocket, echo, bulk. Each writes down who asked it for what."""
import ipaddress, os, socket, ssl, struct, subprocess, threading

SITE, EVIL, PRIVATE, META, SITE6 = "93.184.216.34", "93.184.216.66", "10.0.0.5", "169.254.169.254", "2606:2800:220:1::34"
GATE, HOST = "93.184.215.1", "93.184.215.2"
ASKED = []      # names that the resolver was asked for
SEEN = []       # (address, port, what): connections and requests
A, AAAA, CNAME = 1, 28, 5
ZONE = {
    "www.example.org": {A: [SITE], AAAA: [SITE6]},
    "v4.example.org": {A: [SITE]},
    "v6.example.org": {AAAA: [SITE6]},
    "alias.example.org": {CNAME: "cdn.example.net", A: [SITE]},
    "other.example.org": {A: [SITE]},
    "db.example.org": {A: [SITE]},
    "broken6.example.org": {A: [SITE], AAAA: ["2606:2800:220:1::99"]},
    "rebind.example.org": {A: ["127.0.0.1"], AAAA: ["::1"]},
    "private.example.org": {A: [PRIVATE]},
    "inner.example.org": {A: ["10.0.0.6", "192.168.1.1", "100.64.0.1"]},
    "meta.example.org": {A: [META]},
    "mapped.example.org": {AAAA: ["::ffff:127.0.0.1", "64:ff9b::7f00:1"]},
    "mixed.example.org": {A: [PRIVATE, SITE]},
    "web.example.net": {A: [SITE]},
    "dead.example.org": {A: ["93.184.216.99"]},
    "empty.example.org": {},
    "big.example.org": {A: [SITE] * 20},
    "inward.example.org": {CNAME: "db.internal", A: [PRIVATE]},
    "host.example.org": {A: [HOST]},
    # What a careless comparison takes for one of the others.
    **{name: {A: [EVIL]} for name in ("evil.example.com", "example.org", "evil-example.org", "www.example.org.evil.com", "x.web.example.net",
                                      "www.xn--exmple-4nf.org", "www.example.org\0.evil.com")},
    "intranet.corp.internal": {A: [PRIVATE]},
}
TLS = None


def answer(message, limit):
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    question, name = message[12:at + 5], ".".join(labels).lower()
    kind = struct.unpack(">H", message[at + 1:at + 3])[0]
    ASKED.append((name, kind))
    if name == "flaky.example.org":
        return message[:2] + b"\x81\x82" + struct.pack(">HHHH", 1, 0, 0, 0) + question
    entry = ZONE.get(name)
    if name.endswith(".evil.example.com"):
        entry = ZONE["evil.example.com"]
    if name.startswith("turns"):
        # Somewhere else from the second question on.
        entry = {A: [PRIVATE if ASKED.count((name, A)) > 1 else SITE]}
    if entry is None:
        return message[:2] + b"\x81\x83" + struct.pack(">HHHH", 1, 0, 0, 0) + question
    records, owner = [], b"\xc0\x0c"
    if CNAME in entry:
        target = b"".join(bytes([len(l)]) + l.encode() for l in entry[CNAME].split(".")) + b"\0"
        records.append(owner + struct.pack(">HHIH", CNAME, 1, 60, len(target)) + target)
        owner = target
    for address in entry.get(kind, []):
        data = socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, address)
        records.append(owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data)
    whole = message[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(records), 0, 0) + question + b"".join(records)
    if len(whole) > limit or name == "big.example.org" and limit < 60000:
        return message[:2] + b"\x83\x80" + struct.pack(">HHHH", 1, 0, 0, 0) + question
    return whole


def dns_datagrams(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 53))
    while True:
        message, peer = s.recvfrom(4096)
        try:
            s.sendto(answer(message, 512), peer)
        except OSError:
            pass


def dns_stream(s, *_):
    f = s.makefile("rb")
    message = f.read(struct.unpack(">H", f.read(2))[0])
    told = answer(message, 65535)
    s.sendall(struct.pack(">H", len(told)) + told)


def http(s, address, port):
    f = s.makefile("rb")
    while True:
        first = f.readline().decode("latin-1")
        if not first:
            return
        fields = {}
        while (line := f.readline().decode("latin-1")) not in ("\r\n", ""):
            key, _, value = line.partition(":")
            fields[key.lower()] = value.strip()
        SEEN.append((address, port, first.split()[1] + " " + fields.get("host", "-")))
        if fields.get("upgrade") == "websocket":
            s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            while data := f.read1(4096):
                s.sendall(data)
            return
        size = int(fields.get("content-length", 0))
        if fields.get("transfer-encoding") == "chunked":
            while count := int(f.readline(), 16):
                size += count
                f.read(count + 2)
            f.readline()
        else:
            f.read(size)
        path = first.split()[1]
        body = f"{path} {size}".encode()
        if path.startswith("/big"):
            body = bytes(1_000_000)
        if path.startswith("/repo.git/info/refs"):
            body = b"1234567890123456789012345678901234567890\trefs/heads/main\n"
        if path.startswith("/redirect"):
            s.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://evil.example.com/landed\r\nContent-Length: 0\r\n\r\n")
            continue
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def tls(s, address, port):
    http(TLS.wrap_socket(s, server_side=True), address, port)


def postgres(s, address, port):
    assert s.recv(8, socket.MSG_WAITALL) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    s.sendall(b"S")
    t = TLS.wrap_socket(s, server_side=True)
    SEEN.append((address, port, "postgres " + t.recv(100).decode("latin-1")))
    t.sendall(b"R")


def banner(s, address, port):
    s.sendall(b"SSH-2.0-world\r\n")
    SEEN.append((address, port, s.makefile("rb").readline().decode("latin-1").strip()))
    s.sendall(b"bye\n")


def echo(s, *_):
    while data := s.recv(65536):
        s.sendall(data)


def sink(s, *_):
    buffer = bytearray(1 << 18)
    while s.recv_into(buffer):
        pass
    s.sendall(b"k")


def source(s, *_):
    data = bytes(1 << 18)
    while True:
        s.sendall(data)


def serve(address, port, talk):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(1024)

    def one(c):
        try:
            talk(c, address, port)
        except Exception as error:
            SEEN.append((address, port, f"error {error!r}"))
        finally:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            c.close()

    def loop():
        while True:
            c, _ = s.accept()
            SEEN.append((address, port, "connected"))
            threading.Thread(target=one, args=(c,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()


def datagrams(address, port):
    """What is sent to it is seen, and not answered."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if ipaddress.ip_address(address).is_multicast:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(address) + socket.inet_aton(GATE))
    s.bind((address, port))

    def loop():
        while True:
            SEEN.append((address, port, "datagram " + s.recv(4096).decode("latin-1")))
    threading.Thread(target=loop, daemon=True).start()


def certificates(folder):
    if os.path.exists(f"{folder}/site.pem"):
        return
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test")
    openssl("req", *curve, "-keyout", "site.key", "-out", "site.csr", "-subj", "/CN=www.example.org")
    with open(f"{folder}/names", "w") as file:
        file.write("subjectAltName=DNS:*.example.org,DNS:evil.example.com\n")
    openssl("x509", "-req", "-in", "site.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "site.pem", "-days", "2", "-extfile", "names")


def start(folder, resolver="127.0.0.1"):
    global TLS
    certificates(folder)
    TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TLS.load_cert_chain(f"{folder}/site.pem", f"{folder}/site.key")
    threading.Thread(target=dns_datagrams, args=(resolver,), daemon=True).start()
    serve(resolver, 53, dns_stream)
    for address in (SITE, EVIL, PRIVATE, META, SITE6, "127.0.0.1", "::1"):
        serve(address, 80, http)
        serve(address, 443, tls)
        serve(address, 8080, http)
    for port, talk in ((5432, postgres), (2222, banner), (7, echo), (9, sink), (19, source)):
        serve(SITE, port, talk)
    serve(PRIVATE, 7, echo)

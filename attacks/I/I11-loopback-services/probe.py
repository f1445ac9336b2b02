import socket, sys

port, port6 = map(int, sys.argv[1:])
for family, address, port in (
    (socket.AF_INET, "127.0.0.1", port),
    (socket.AF_INET, "127.1", port),
    (socket.AF_INET, "0.0.0.0", port),
    (socket.AF_INET, "127.255.0.1", port),
    (socket.AF_INET6, "::ffff:127.0.0.1", port),
    (socket.AF_INET6, "::1", port6),
    (socket.AF_INET6, "::", port6),
):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(1)
            s.connect((address, port))
            s.sendall(b"anybody there?")
    except OSError:
        pass

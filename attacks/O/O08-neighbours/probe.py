import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    for address in (("224.0.0.251", 5353), ("224.0.0.252", 5355), ("255.255.255.255", 137)):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            s.sendto(b"\0\0\0\0\0\1\0\0\0\0\0\0\6secret\5local\0\0\1\0\1", address)
        except OSError:
            pass

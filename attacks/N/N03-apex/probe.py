import socket, sys

for name in sys.argv[1:]:
    try:
        socket.getaddrinfo(name, 80)
    except (OSError, UnicodeError):
        pass

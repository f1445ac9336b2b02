import platform
import socket

name = socket.gethostname()
print(bool(name), platform.system())

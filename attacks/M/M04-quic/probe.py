import os, socket, sys

# Where there is no resolver nobody waits for one.
os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
name, address = sys.argv[1:]
for host in (address, name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.sendto(b"hello", (host, 443))
        except OSError:
            pass

import os, socket, sys

# Where there is no resolver nobody waits for one.
os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
name, address = sys.argv[1:]
for host in (address, name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect((host, 80))
            s.send(b"\xc0\0\0\0\1")
        except OSError:
            pass

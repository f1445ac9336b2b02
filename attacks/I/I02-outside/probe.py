import os, socket, sys

path = sys.argv[1]
for name in (path, "/proc/self/root" + path, os.path.relpath(path), "//" + path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(name)
            s.send(b"anybody there?")
        except OSError:
            pass

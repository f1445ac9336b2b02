import os, sys

readme = os.open(sys.argv[1], os.O_RDONLY)
by_path = os.open(sys.argv[1], os.O_PATH)
for path in (f"/proc/self/fd/{readme}", f"/dev/fd/{readme}", f"/proc/thread-self/fd/{readme}", f"/proc/self/fd/{by_path}"):
    for flags in (os.O_WRONLY | os.O_TRUNC, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
        try:
            os.write(os.open(path, flags), b"changed")
        except OSError:
            pass

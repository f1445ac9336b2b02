import os

for path in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "/proc/thread-self/fd/0", "/proc/1/fd/0"):
    for flags in (os.O_WRONLY | os.O_TRUNC, os.O_RDWR, os.O_WRONLY | os.O_APPEND):
        try:
            os.write(os.open(path, flags), b"changed")
        except OSError:
            pass

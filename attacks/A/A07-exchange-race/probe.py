import ctypes, os, sys, threading, time

data = sys.argv[1]
libc = ctypes.CDLL(None)
AT_FDCWD, RENAME_EXCHANGE = -100, 2
over = False


def exchange():
    while not over:
        libc.renameat2(AT_FDCWD, f"{data}/first".encode(), AT_FDCWD, f"{data}/second".encode(), RENAME_EXCHANGE)


threading.Thread(target=exchange, daemon=True).start()
end = time.monotonic() + 0.15
found = False
while time.monotonic() < end and not found:
    for path in (f"{data}/first/file", f"{data}/second/file", f"{data}/first/../second/file"):
        try:
            text = open(path).read()
        except OSError:
            continue
        if text:
            print(text)
            found = True
over = True

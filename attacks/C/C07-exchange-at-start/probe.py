import ctypes, os, sys, time

data = sys.argv[1]
libc = ctypes.CDLL(None)
HERE, EXCHANGE = -100, 2
open(f"{data}/begun", "w").close()
end = time.monotonic() + 25
while not os.path.exists(f"{data}/over") and time.monotonic() < end:
    for _ in range(100):
        libc.renameat2(HERE, f"{data}/folder".encode(), HERE, f"{data}/link".encode(), EXCHANGE)

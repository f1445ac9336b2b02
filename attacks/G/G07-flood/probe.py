import ctypes, os, sys, time

kept = sys.argv[1].encode()
patience = int(sys.argv[2])
libc = ctypes.CDLL(None)
end = time.monotonic() + 8 * patience
for _ in range(4):
    if os.fork() == 0:
        break
while time.monotonic() < end:
    for _ in range(1000):
        libc.unlink(kept)

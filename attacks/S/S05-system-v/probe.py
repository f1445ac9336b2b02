import ctypes, os, sys, time

here, project = sys.argv[1:]
end = time.monotonic() + 15
while not os.path.exists(f"{project}/done") and time.monotonic() < end:
    time.sleep(0.01)

libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
segment, REMOVE = libc.shmget(0x77617863, 4096, 0), 0
if segment >= 0:
    there = libc.shmat(segment, None, 0)
    if there != (1 << 64) - 1:
        print(ctypes.string_at(there).decode())
    libc.shmctl(segment, REMOVE, None)
# Until whoever had it run has cleaned up.
time.sleep(0.7)

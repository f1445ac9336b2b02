import ctypes, sys

MEMFD_SECRET = 447
ctypes.CDLL(None).syscall(MEMFD_SECRET, 0)
print("ready", flush=True)
sys.stdin.read()

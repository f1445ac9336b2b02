import ctypes, os, sys

NEWUSER = 0x10000000
unshare = ctypes.CDLL(None).unshare
if os.fork() == 0:
    for _ in range(10_000):
        if unshare(NEWUSER) == 0:
            break
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
os.wait()

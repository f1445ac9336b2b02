import ctypes, os, sys

TRACEME, SEIZE = 0, 0x4206
ptrace = ctypes.CDLL(None).ptrace


def child(first):
    done, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        first()
        os.write(tell, b"x")
        sys.stdin.read()
        os._exit(0)
    os.read(done, 1)
    return pid


child(lambda: ptrace(TRACEME, 0, None, None))
ptrace(SEIZE, child(lambda: None), None, None)

print("ready", flush=True)
sys.stdin.read()

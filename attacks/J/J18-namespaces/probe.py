import ctypes, os, signal, sys

libc = ctypes.CDLL(None)
CLONE, NEWUSER, NEWNET = (56 if os.uname().machine == "x86_64" else 220), 0x10000000, 0x40000000
lives, ends = os.pipe()
made, makes = os.pipe()
for number in range(8):
    if number % 2:
        child = os.fork()
        if child == 0:
            libc.unshare(NEWUSER | NEWNET)
    else:
        child = libc.syscall(CLONE, NEWUSER | NEWNET | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os.close(ends)
        os.write(makes, b"x")
        # Until whoever made it ends.
        os.read(lives, 1)
        os._exit(0)
    if child > 0:
        os.read(made, 1)
print("ready", flush=True)
sys.stdin.read()

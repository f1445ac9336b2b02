import ctypes, os, sys

libc = ctypes.CDLL(None)
CLONE_NEWUSER, CLONE_NEWTIME = 0x10000000, 0x80
libc.unshare(CLONE_NEWUSER | CLONE_NEWTIME)
# Those that are born later are in it.
child = os.fork()
if child:
    print("ready", flush=True)
sys.stdin.read()
if child:
    os.waitpid(child, 0)

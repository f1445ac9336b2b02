import ctypes, os, sys

CLONE3, NEWUSER, SIGCHLD = 435, 0x10000000, 17
# flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
asked = (ctypes.c_uint64 * 8)(NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0)
if ctypes.CDLL(None).syscall(CLONE3, asked, 64) == 0:
    sys.stdin.read()
    os._exit(0)

print("ready", flush=True)
sys.stdin.read()

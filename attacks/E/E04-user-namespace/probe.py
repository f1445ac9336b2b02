import ctypes, os, platform, sys

NEWUSER, SIGCHLD = 0x10000000, 17
CLONE = 56 if platform.machine() == "x86_64" else 220
CLONE3 = 435
libc = ctypes.CDLL(None)


def wait():
    sys.stdin.read()
    os._exit(0)


def by_unshare():
    if os.fork() == 0:
        libc.unshare(NEWUSER)
        print("ready", flush=True)
        wait()


def by_clone():
    if libc.syscall(CLONE, NEWUSER | SIGCHLD, None, None, None, None) == 0:
        wait()


def by_clone3():
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
    if libc.syscall(CLONE3, (ctypes.c_uint64 * 8)(NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0), 64) == 0:
        wait()


by_clone3()
by_clone()
by_unshare()
sys.stdin.read()

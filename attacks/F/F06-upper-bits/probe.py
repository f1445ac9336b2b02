import ctypes, os, sys

PERSONALITY, SOCKET, IOCTL, FCNTL, CLONE, PRCTL = 135, 41, 16, 72, 56, 157
ADDR_NO_RANDOMIZE, NETLINK, VSOCK, INET, STREAM, RAW = 0x40000, 16, 40, 2, 1, 3
TIOCSTI, SETLEASE, NEWUSER, SIGCHLD, SET_SECCOMP = 0x5412, 1024, 0x10000000, 17, 22
libc = ctypes.CDLL(None)


def call(number, *arguments):
    return libc.syscall(number, *(ctypes.c_long(argument | 1 << 32) for argument in arguments))


call(PERSONALITY, ADDR_NO_RANDOMIZE)
call(SOCKET, NETLINK, RAW, 0)
call(SOCKET, VSOCK, STREAM, 0)
call(SOCKET, INET, RAW, 0)
call(IOCTL, 0, TIOCSTI, 0)
call(FCNTL, 0, SETLEASE, 2)
call(PRCTL, SET_SECCOMP, 0)
if call(CLONE, NEWUSER | SIGCHLD, 0, 0, 0, 0) == 0:
    os._exit(0)

print("ready", flush=True)
sys.stdin.read()

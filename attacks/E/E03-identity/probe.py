import ctypes, os, sys

libc = ctypes.CDLL(None)


def tried(what, *arguments):
    try:
        what(*arguments)
    except OSError:
        pass


tried(os.setuid, 0)
tried(os.setgid, 0)
tried(os.setreuid, 0, 0)
tried(os.setregid, 0, 0)
tried(os.setresuid, 0, 0, 0)
tried(os.setresgid, 0, 0, 0)
tried(os.setgroups, [0])
KEEPCAPS, SECUREBITS, CAP_AMBIENT, RAISE = 8, 28, 47, 2
libc.prctl(KEEPCAPS, 1, 0, 0, 0)
libc.prctl(SECUREBITS, 1, 0, 0, 0)
libc.prctl(CAP_AMBIENT, RAISE, 21, 0, 0)
# capset, version 3, for this thread: all of them, in all sets.
libc.syscall(126, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 3, *[0x1FF] * 3))

print("ready", flush=True)
sys.stdin.read()

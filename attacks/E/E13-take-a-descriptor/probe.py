import ctypes, os, stat, sys, time

PIDFD_OPEN, PIDFD_GETFD = 434, 438
READV, WRITEV, KCMP = 310, 311, 312
libc = ctypes.CDLL(None)


def take(pid):
    held = libc.syscall(PIDFD_OPEN, pid, 0)
    taken = [libc.syscall(PIDFD_GETFD, held, number, 0) for number in range(3, 24)]
    for call in (READV, WRITEV):
        libc.syscall(call, pid, None, 0, None, 0, 0)
    libc.syscall(KCMP, pid, os.getpid(), 0, 0, 0)
    return any(number >= 0 and stat.S_ISSOCK(os.fstat(number).st_mode) for number in taken)


# In the sandbox the parent is its init. The other one has a socket as soon as it has begun.
pid = 1 if os.getppid() == 1 else int(sys.argv[1])
end = time.monotonic() + 1
while not take(pid) and pid != 1 and time.monotonic() < end:
    time.sleep(0.02)

print("ready", flush=True)
sys.stdin.read()

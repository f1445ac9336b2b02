import ctypes, os, sys, time

libc = ctypes.CDLL(None)
PIDFD_OPEN, PIDFD_GETFD = 434, 438
process = libc.syscall(PIDFD_OPEN, int(sys.argv[1]), 0)
for _ in range(200):
    taken = libc.syscall(PIDFD_GETFD, process, 9, 0)
    if taken >= 0:
        os.write(1, os.pread(taken, 100, 0))
    if taken >= 0 or process < 0:
        break
    # It may not have opened it yet.
    time.sleep(0.01)

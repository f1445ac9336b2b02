import ctypes, os, signal, sys, time

patience = int(sys.argv[1])
libc = ctypes.CDLL(None)
CLONE = 56 if os.uname().machine == "x86_64" else 220
CHILD_SETTID, CHILD_CLEARTID = 0x01000000, 0x00200000
tid = ctypes.byref(ctypes.c_int())

# As the C library makes them, and they begin as none of its own do.
for _ in range(150):
    if libc.syscall(CLONE, CHILD_SETTID | CHILD_CLEARTID | signal.SIGCHLD, 0, 0, tid, tid) == 0:
        time.sleep(patience)
        os._exit(0)
time.sleep(patience)

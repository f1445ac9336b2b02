import ctypes, os, signal, sys, time

patience = int(sys.argv[1])
libc = ctypes.CDLL(None)
CLONE = 56 if os.uname().machine == "x86_64" else 220
CHILD_SETTID, CHILD_CLEARTID = 0x01000000, 0x00200000
tid = ctypes.byref(ctypes.c_int())

for _ in range(20):
    if libc.syscall(CLONE, CHILD_SETTID | CHILD_CLEARTID | signal.SIGCHLD, 0, 0, tid, tid) == 0:
        time.sleep(3 * patience)
        os._exit(0)
time.sleep(3 * patience)

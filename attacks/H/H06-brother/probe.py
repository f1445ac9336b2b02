import ctypes, os, signal, time

CLONE, CLONE_PARENT = (56 if os.uname().machine == "x86_64" else 220), 0x8000
if ctypes.CDLL(None).syscall(CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0) == 0:
    time.sleep(3)
os._exit(0)

import ctypes, os, signal, struct, time

CLONE3 = 435
for _ in range(20):
    if ctypes.CDLL(None).syscall(CLONE3, struct.pack("8Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64) == 0:
        time.sleep(0.5)
        os._exit(0)
time.sleep(0.3)

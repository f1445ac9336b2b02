import ctypes, os, signal, time

libc = ctypes.CDLL(None)
CLONE, CLONE_PARENT = (56 if os.uname().machine == "x86_64" else 220), 0x8000

for number in range(60):
    if libc.syscall(CLONE, signal.SIGCHLD | (CLONE_PARENT if number % 2 else 0), 0, 0, 0, 0) == 0:
        os.write(1, b"x" * 1000)
        time.sleep(1)
        os._exit(0)
time.sleep(1)

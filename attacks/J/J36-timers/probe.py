import ctypes, errno, os, signal, struct, time

libc = ctypes.CDLL(None, use_errno=True)
TIMER_CREATE = 222 if os.uname().machine == "x86_64" else 107
event = struct.pack("Qii48x", 0, signal.SIGRTMIN, 0)
for _ in range(3000):
    if libc.syscall(TIMER_CREATE, 1, event, ctypes.byref(ctypes.c_int())):
        assert ctypes.get_errno() == errno.EAGAIN
        break
    # So much for each of them.
    os.write(1, b"x" * 10)
time.sleep(0.1)

import ctypes, os, signal, sys

pid, host = int(sys.argv[1]), sys.argv[2]
libc = ctypes.CDLL(None)
libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
TGKILL, TKILL = (234, 200) if os.uname().machine == "x86_64" else (131, 130)

libc.sigqueue(pid, signal.SIGSTOP, None)
libc.syscall(TGKILL, pid, pid, signal.SIGSTOP)
libc.syscall(TKILL, pid, signal.SIGSTOP)
try:
    signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGSTOP)
except (OSError, AttributeError):
    pass
# Everybody, but only where that is not everybody on the host.
everybody = [-1] if os.readlink("/proc/self/ns/pid") != host else []
for target in [pid, *everybody]:
    try:
        os.kill(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass

import ctypes, os, signal, struct, sys

libc = ctypes.CDLL(None)
TKILL, TGKILL, TGSIGQUEUE = (200, 234, 297) if os.uname().machine == "x86_64" else (130, 131, 240)
SI_QUEUE = -1

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXFSZ])
pid = os.getpid()
libc.syscall(TKILL, pid, signal.SIGXFSZ)
libc.syscall(TGKILL, pid, pid, signal.SIGXFSZ)
libc.syscall(TGSIGQUEUE, pid, pid, signal.SIGXFSZ, struct.pack("3i116x", signal.SIGXFSZ, 0, SI_QUEUE))
# To the process, and so to no thread of it.
os.kill(pid, signal.SIGXFSZ)
print("ready", flush=True)
sys.stdin.read()

import ctypes, fcntl, os, signal, socket, struct, sys

pid = int(sys.argv[1])
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902
F_SETSIG, F_SETOWN_EX, F_OWNER_TID, F_OWNER_PID = 10, 15, 0, 1
SIGEV_THREAD_ID, TIMER_CREATE = 4, 222 if os.uname().machine == "x86_64" else 107
# A file without an owner signals whoever asked for it.
signal.signal(signal.SIGTERM, signal.SIG_IGN)

# Something to read.
for own in (
    lambda file: fcntl.fcntl(file, fcntl.F_SETOWN, pid),
    lambda file: fcntl.fcntl(file, F_SETOWN_EX, struct.pack("2i", F_OWNER_PID, pid)),
    lambda file: fcntl.fcntl(file, F_SETOWN_EX, struct.pack("2i", F_OWNER_TID, pid)),
    lambda file: fcntl.ioctl(file, FIOSETOWN, struct.pack("i", pid)),
    lambda file: fcntl.ioctl(file, SIOCSPGRP, struct.pack("i", pid)),
):
    ours, theirs = socket.socketpair()
    try:
        own(ours)
    except OSError:
        continue
    fcntl.fcntl(ours, F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC)
    theirs.send(b"x")
# A folder in which something is made.
folder = os.open(os.environ["HOME"], os.O_RDONLY)
try:
    fcntl.fcntl(folder, fcntl.F_SETOWN, pid)
    fcntl.fcntl(folder, F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_CREATE)
    open(os.environ["HOME"] + "/made", "w").close()
except OSError:
    pass
# A timer that is for a thread.
event = struct.pack("Qiii44x", 0, signal.SIGTERM, SIGEV_THREAD_ID, pid)
ctypes.CDLL(None).syscall(TIMER_CREATE, 1, event, ctypes.byref(ctypes.c_int()))
